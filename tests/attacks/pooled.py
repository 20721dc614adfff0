"""People whose days differ, the partner, and another one of the same product that the first does not trust with the link."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest

from contracts import catalog
from contracts.anonymity import Anonymity
from contracts.hierarchies import EXACT
from contracts.model import Column, Recipient
from jobs.files import Files
from jobs.run.asking import Question
from jobs.run.delivered import folder
from jobs.run.extract import deliver, prepare, record
from jobs.run.key_epochs import rotate
from jobs.settings import Settings
from jobs.stages import extract as stage
from tests import small_lake
from tests.integration.airflow_stand_in import Run, Users, serving
from tests.integration.test_extract import filled

ONE, OTHER = "glycemia_institute", "other_lab"
Rows = list[dict[str, Any]]


def differing(person: int, day: int) -> list[float]:
    """One to fifteen readings a day, of people who are alike in nothing but their number of days."""
    roll = Random(f"{person}/{day}")  # noqa: S311
    return [float(roll.randint(50, 250)) for _ in range(roll.randint(1, 15))]


def released(home: Path, engine: str, people: int, days: int, refusing: int = 0) -> Settings:
    """A release of people of whom all but the last ``refusing`` permit both recipients."""
    made = small_lake.settings(home, engine)
    lake = small_lake.fill(made, people, days, refusing=refusing, values=differing)
    permit(lake, OTHER, range(people - refusing), "crm.000002")
    small_lake.released(made)
    return made


def permit(lake: small_lake.Lake, recipient: str, people: range, batch: str) -> None:
    """These people permit the recipient, too."""
    small_lake.append(lake, "core.consent", [small_lake.statement(f"person-{n}", "research", recipient) for n in people], batch)


def known_by(*columns: str) -> dict[str, Any]:
    """What to change in a recipient so that people may be known by these columns, exactly as they are, and by no others."""
    reason = None if columns else "nobody knows anything of anybody"
    asked = {"quasi_identifiers": dict.fromkeys(columns, EXACT), "k": 7, "suppress_percent": 100 if columns else 0, "sensitive": {}}
    return {"anonymity": Anonymity.model_validate({**asked, "reason": reason}), "hierarchies": ()}


def one(**changes: Any) -> Recipient:
    """The partner's contract as it would be if it told exact numbers of readings, with changes."""
    recipient = catalog().recipients[ONE]
    return recipient.model_copy(update={**treated(recipient, readings=NUMBERS), **known_by("observed_on"), **changes})


def other(**changes: Any) -> Recipient:
    """The other recipient: the same contract under its own name, with changes."""
    return one().model_copy(update={"id": OTHER, "pseudonym_domain": OTHER, "sha256": OTHER, **changes})


def treated(recipient: Recipient, drop: tuple[str, ...] = (), **columns: dict[str, Any]) -> dict[str, Any]:
    """What to change in a recipient so that it lacks columns, and has others under other treatments, as their fields say."""
    kept = [c for c in recipient.table.columns if c.name not in drop]
    made = tuple(Column.model_validate({**c.model_dump(), **columns.get(c.name, {})}) for c in kept)
    return {"table": recipient.table.model_copy(update={"columns": made})}


NUMBERS = {"type": "long", "pattern": None, "minimum": 1}
BANDS = {"type": "string", "treatment": "band", "treatment_options": {"edges": [50.0]}, "minimum": None, "maximum": None}
MOVED = {"treatment": "date_shift", "treatment_options": {"max_days": 90, "keep_weekday": False}}


@contextmanager
def partners(bucket: str) -> Iterator[tuple[Run, pytest.MonkeyPatch]]:
    """An Airflow that approves, an empty bucket, and both recipients in the catalog."""
    airflow = Run()
    with serving(airflow) as address, pytest.MonkeyPatch.context() as patch, filled(bucket, patch, {}):
        patch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW", json.dumps({"base_url": address, "login": "concord", "password": "x", "ca_file": ""}))
        patch.setitem(catalog().recipients, ONE, one())
        patch.setitem(catalog().recipients, OTHER, other())
        yield airflow, patch


def another_key(home: Settings, domain: str) -> None:
    """An officer begins another epoch of a domain."""
    with serving(Users()) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW", json.dumps({"base_url": address, "login": "concord", "password": "x", "ca_file": ""}))
        rotate(home, domain, Question(b'{"token": "officers-token"}'))


def prepared(home: Settings, airflow: Run, recipient: str, run_id: str) -> dict[str, Any]:
    """An extract, approved; the facts of its preparation."""
    facts = prepare(home, recipient, (f"extract_{recipient}", run_id)).facts
    airflow.body = f"Extract {facts['extract_id']}, manifest_sha256 {facts['manifest_sha256']}"
    record(home, facts["extract_id"], (f"extract_{recipient}", run_id))
    return facts


def sent(home: Settings, airflow: Run, recipient: str, run_id: str = "1") -> Rows:
    """The rows that a recipient was delivered."""
    facts = prepared(home, airflow, recipient, run_id)
    deliver(home, facts["extract_id"])
    return rows(home, recipient, facts["extract_id"])


def rows(home: Settings, recipient: str, extract_id: str) -> Rows:
    content = Files(folder(home, catalog().recipients[recipient], extract_id)).read(stage.DATA)
    return pq.read_table(io.BytesIO(content or b"")).to_pylist()


def truth(home: Settings) -> dict[str, str]:
    """What no attacker has: person keys by pseudonym."""
    return {r["pseudonym"]: r["person_key"] for r in small_lake.Lake(home.lake_root, catalog().tables).arrow("vault.pseudonym").to_pylist()}


def joined(one: Rows, two: Rows) -> dict[str, str]:
    """The plainest attack: rows are equal in all columns that both have; who shares most with one alone is taken for that one."""
    columns = sorted((one[0].keys() & two[0].keys()) - {"person_id"})
    holders: dict[Any, list[str]] = {}
    for row in two:
        holders.setdefault(tuple(row[c] for c in columns), []).append(row["person_id"])
    shared: dict[str, Counter[str]] = {}
    for row in one:
        shared.setdefault(row["person_id"], Counter()).update(set(holders.get(tuple(row[c] for c in columns), [])))
    best = {person: found.most_common(2) for person, found in shared.items() if found}
    return {person: top[0][0] for person, top in best.items() if len(top) == 1 or top[0][1] > top[1][1]}


def right(guesses: dict[str, str], known: dict[str, str]) -> int:
    """How many guesses name one person twice."""
    return sum(known[a] == known[b] for a, b in guesses.items())
