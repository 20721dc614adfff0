"""A small lake made straight of core rows, for tests of what comes after conform."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from contracts import catalog
from jobs import keys
from jobs.lake import Lake
from jobs.run import epochs
from jobs.run.people import resolve
from jobs.run.product import build
from jobs.run.release import release
from jobs.schema import arrow_schema
from jobs.settings import Settings

SOURCE = "crm"  # One whose links may be followed.
START = datetime(2026, 10, 1, 8, tzinfo=UTC)
OPEN_PURPOSES = ("adherence_monitoring", "decision_support", "research")


def settings(home: Path, engine: str) -> Settings:
    """Settings of a home of its own, with keys."""
    made = Settings(home=home, lake="", engine=engine, actor="test")
    create_keys(made.keys)
    return made


def create_keys(folder: Path) -> None:
    """Keys, and the salt of each domain's first epoch, so that copies of a home make the same pseudonyms."""
    keys.create(folder)
    for domain in epochs.domains(catalog()):
        keys.begin_epoch(folder, domain, epochs.FIRST)


def copy(made: Settings, home: Path) -> Settings:
    """Settings of a copy of a home."""
    shutil.copytree(made.home, home)
    return Settings(home=home, lake="", engine=made.engine, actor="test")


def readings(person: int, day: int) -> tuple[float, float]:
    """Two readings of a day in mg/dL, of which two, one or none are in range."""
    return 100.0 + (100 if person % 3 == 2 else 0), 110.0 + (100 if person % 3 else 0)


def fill(made: Settings, people: int = 12, days: int = 2, recipient: str = "glycemia_institute", refusing: int = 2,
         values: Callable[[int, int], Sequence[float]] = readings,
         identity: Callable[[int], dict[str, Any]] = lambda person: {}) -> Lake:
    """People with readings twice a day, of which two, one or none are in range; all consent to their own use, all but the last
    ``refusing`` to the recipient."""
    lake = Lake(made.lake_root, catalog().tables)
    names = [f"person-{i}" for i in range(people)]
    append(lake, "core.identity", [
        {"source_person_id": name, "country_code": "DE", **identity(person)} for person, name in enumerate(names)])
    consents: list[dict[str, Any]] = []
    for i, name in enumerate(names):
        consents += [statement(name, purpose) for purpose in OPEN_PURPOSES]
        consents.append(statement(name, "research", recipient, "permit" if i < people - refusing else "deny"))
    append(lake, "core.consent", consents)
    append(lake, "core.observation", [
        {"source_person_id": name, "code": "2339-0", "value": value, "unit_code": "mg/dL",
         "effective_at": START + timedelta(days=day, hours=hour), "status_code": "final"}
        for person, name in enumerate(names) for day in range(days) for hour, value in enumerate(values(person, day))])
    for table in ("core.contact_point", "core.message", "core.interaction"):
        lake.ensure(table)
    return lake


def hold(lake: Lake) -> None:
    """Ada twice in the CRM and once in the app, tied by a device there: what ties her to the other is an unproved address."""
    both = {"given_name": "Ada", "family_name": "Lang", "email": "ada@post.example", "birth_on": date(1980, 5, 1), "country_code": "DE"}
    for source, name, row in (("crm", "ada", both), ("adherence_app", "app-user", {**both, "device_id": "D1"}),
                              ("device_cloud", "owner", {"device_id": "D1"})):
        append(lake, "core.identity", [{"source": source, "source_person_id": name, **row}], f"{source}.000001")


def released(made: Settings) -> None:
    """Resolve, build all products and release them."""
    resolve(made)
    for product in catalog().products:
        build(made, product)
    release(made, "engagement")


def statement(person: str, purpose: str, recipient: str | None = None, decision: str = "permit") -> dict[str, Any]:
    """A consent statement recorded before the readings."""
    return {"source_person_id": person, "purpose_code": purpose, "recipient_id": recipient, "decision_code": decision,
            "recorded_at": START - timedelta(days=30)}


def append(lake: Lake, table: str, rows: list[dict[str, Any]], batch: str = "crm.000001") -> None:
    """Append core rows, their record columns made up."""
    schema = arrow_schema(lake.contract(table))
    start = lake.arrow(table).num_rows
    full = [{"source": SOURCE, "record_id": f"{table}/{start + i}", "version_at": START, "batch_id": batch,
             "payload_sha256": hashlib.sha256(f"{table}{start + i}".encode()).hexdigest(), "contract_version": "1.0.0",
             **({"part": 0, "known_at": START} if "part" in schema.names else {}), **row}
            for i, row in enumerate(rows)]
    lake.append_arrow(table, pa.Table.from_pylist(full, schema=schema))
