"""Two lakes with the same raw rows and keys, one made by Sail and one by Apache Spark."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from contracts import catalog
from infra.local.sources.process import running
from infra.local.store import bucket, filled
from jobs.lake import Lake
from jobs.ledger import batches
from jobs.run.conform import conform
from jobs.run.land import land
from jobs.run.product import build
from jobs.run.release import release
from jobs.run.screen import screen
from jobs.run.shell import Report
from jobs.settings import Settings
from tests.integration.connecting import NAMES, access_to
from tests.integration.dropping import LOGIN, Drop, store
from tests.small_lake import create_keys

PEOPLE, DAYS, LATER = 100, 5, 1
# When a run happened to take place, and what it was called: all that may differ between two runs over the same rows.
OF_THE_RUN = {"at", "before_at", "checked_at", "closed_at", "conformed_at", "decided_at", "due_at", "found_at", "held_at", "linked_at", "minted_at",
              "noticed_at", "released_at", "report_due_at", "run_id", "spent_at", "started_at", "triage_due_at", "written_at"}
SEALS = {"ledger.audit": {"previous", "sha256"}}  # Of columns that differ.


@dataclass(frozen=True)
class Made:
    """A lake and the engine that makes it."""

    settings: Settings

    @property
    def lake(self) -> Lake:
        """The lake, without an engine."""
        return Lake(self.settings.lake_root, catalog().tables)

    def rows(self, table: str) -> list[str]:
        """Every row of a table as JSON text, sorted; columns that tell of the run are left out."""
        found = self.lake.arrow(table).to_pylist()
        left_out = OF_THE_RUN | SEALS.get(table, set())
        return sorted(json.dumps({k: v for k, v in row.items() if k not in left_out}, default=str, sort_keys=True) for row in found)

    def persons(self) -> set[frozenset[tuple[Any, ...]]]:
        """The identities of each person with what they rest on, whatever the person is called."""
        people: dict[str, set[tuple[Any, ...]]] = {}
        for row in self.lake.arrow("vault.link").to_pylist():
            people.setdefault(row["person_key"], set()).add(
                tuple(row[name] for name in ("source", "source_person_id", "evidence", "score", "model_id")))
        return {frozenset(identities) for identities in people.values()}

    def held(self) -> set[frozenset[frozenset[tuple[str, str]]]]:
        """The matches that wait for a review, each as the identities of its two persons."""
        people: dict[str, set[tuple[str, str]]] = {}
        for row in self.lake.arrow("vault.link").to_pylist():
            people.setdefault(row["person_key"], set()).add((row["source"], row["source_person_id"]))
        return {frozenset(frozenset(people[row[c]]) for c in ("person_key", "other_key"))
                for row in self.lake.arrow("vault.held").to_pylist()}

    def take(self, other: Made, *folders: str) -> None:
        """Replace folders of the lake by another lake's."""
        for folder in folders:
            shutil.rmtree(Path(self.settings.lake_root, folder), ignore_errors=True)
            shutil.copytree(Path(other.settings.lake_root, folder), Path(self.settings.lake_root, folder))

    def on(self, engine: str) -> Made:
        """The same lake, made on by another engine."""
        return Made(self.settings.model_copy(update={"engine": engine}))


def landed(home: Path, monkeypatch: Any) -> tuple[Made, Made]:
    """A lake with the first batch of every source, and its copy with a second one, of a day later."""
    first, second = (Made(Settings(home=home / n, lake=str(home / n / "lake"), engine="", actor="test")) for n in "12")
    create_keys(first.settings.keys)
    with running(home / "sources", "--people", str(PEOPLE), "--days", str(DAYS)) as sources, store() as address:
        for source in catalog().sources.values():
            given = (Drop(address, bucket(source.id)).access if source.connection.connector == "object_drop"
                     else access_to(sources, source.id))
            monkeypatch.setenv(f"CONCORD_CONNECTION_{source.connection.id.upper()}", json.dumps(
                {"base_url": given.base_url, "login": given.login, "password": given.password, "ca_file": given.ca_file}))
        sources.control("faults", source=NAMES["crm"], kind="malformed", times=3)  # Something to reject.
        assert filled(address, LOGIN, sources.directory / "exports")
        for source_id in catalog().sources:
            land(first.settings, source_id)
        shutil.copytree(first.settings.home, second.settings.home)
        sources.control("advance", days=LATER)
        assert filled(address, LOGIN, sources.directory / "exports")
        for source_id in catalog().sources:
            land(second.settings, source_id)
    return first, second


def copied(made: Made, home: Path, engine: str) -> Made:
    """A copy of a lake and its keys for an engine."""
    shutil.copytree(made.settings.home, home)
    return Made(made.settings.model_copy(update={"home": home, "lake": str(home / "lake"), "engine": engine}))


def receive(made: Made, later: Made, source_id: str) -> None:
    """Let a lake have the second batch of a source, as landed in another one."""
    made.take(later, f"raw/{source_id}")
    for row in batches.of(later.lake, source_id)[1:]:
        batches.record(made.lake, source_id, row["number"], row["rows"], row["landed_at"].replace(tzinfo=UTC))


def conformed(made: Made, *source_ids: str) -> list[Report]:
    """Conform and screen sources."""
    return [stage(made.settings, source_id) for source_id in source_ids for stage in (conform, screen)]


def released(made: Made) -> list[Report]:
    """Build every product and release every group."""
    contracts = catalog()
    return [*[build(made.settings, product) for product in contracts.products],
            *[release(made.settings, group) for group in contracts.release_groups()]]

