"""Extracts of people with many rows: each group that leaves has rows of k people, as pyCanon measures too, or nothing leaves."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pycanon import anonymity as pycanon

from contracts import catalog
from contracts.anonymity import Anonymity
from contracts.hierarchies import Declared
from contracts.model import Recipient
from jobs.errors import IntegrityError, LostRace, NotAnonymous
from jobs.ledger import accounts, extracts
from jobs.run import extract, extract_rows
from jobs.run.delivered import folder
from jobs.settings import Settings
from jobs.stages import extract as stage
from jobs.stages.anonymise import Anonymous
from tests import small_lake
from tests.integration.airflow_stand_in import Run
from tests.integration.test_extract import RECIPIENT, airflow, held, prepared

__all__ = ["airflow"]


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A release of 30 people, of whom the n-th has n % 7 + 2 readings on each of three days, all permitted."""
    made = small_lake.settings(tmp_path_factory.mktemp("anonymous") / "home", "sail")
    lake = small_lake.fill(made, people=30, days=3, refusing=0)
    small_lake.append(lake, "core.observation", [
        {"source_person_id": f"person-{n}", "code": "2339-0", "value": 90.0 + 13 * n, "unit_code": "mg/dL", "status_code": "final",
         "effective_at": small_lake.START + small_lake.timedelta(days=day, hours=3, minutes=more)}
        for n in range(30) for day in range(3) for more in range(n % 7)])
    small_lake.released(made)
    return made


def asking(patch: pytest.MonkeyPatch, anonymity: dict[str, Any], *declared: Declared) -> Recipient:
    """The recipient, whose contract asks something else of its groups."""
    known = catalog().recipients[RECIPIENT]
    said = {**known.anonymity.model_dump(by_alias=True), **anonymity}
    recipient = known.model_copy(update={"anonymity": Anonymity.model_validate(said), "hierarchies": declared or known.hierarchies})
    patch.setitem(catalog().recipients, RECIPIENT, recipient)
    return recipient


def test_every_group_that_leaves_has_rows_of_k_people(uneven: Settings, airflow: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asking(monkeypatch, {"suppressPercent": 5, "sensitive": {"time_in_range_percent": {"l": 3, "t": None}}})
    facts = prepared(uneven, airflow, "groups")
    files = held(uneven, facts["extract_id"])
    rows: pd.DataFrame = pq.read_table(io.BytesIO(files.read(stage.DATA) or b"")).to_pandas()
    said = json.loads(files.read(stage.MANIFEST) or b"")["anonymity"]
    quasi = ["observed_on", "readings"]
    people = rows[["person_id", *quasi]].drop_duplicates().astype({"observed_on": str})
    assert pycanon.k_anonymity(people, quasi) == said["smallest_group"] >= said["k"] == 7
    assert pycanon.l_diversity(rows.astype({"observed_on": str}), quasi, ["time_in_range_percent"]) >= 3
    assert (said["groups"], said["risk"]["maximum"]) == (len(people.groupby(quasi)), pytest.approx(1 / said["smallest_group"]))
    assert said["levels"]["readings"]["level"] > 0 and set(rows["readings"]) <= {"<3", "[3, 5)", "[5, 7)", "[7, 24)", "[5, 24)", "<5", "<24", "*"}
    entries = {(e["stage"], e["outcome"], e["reason_code"]): e["rows"] for e in accounts.of(
        small_lake.Lake(uneven.lake_root, catalog().tables), {facts["extract_id"]})}
    out = {key: number for key, number in entries.items() if key[1] == "suppressed"}
    permitted = sum(number for key, number in entries.items() if key[1] == "permitted")
    assert permitted == 90 == entries["protect", "released", "-"] + sum(out.values())
    assert len(rows) == entries["protect", "released", "-"] and sum(out.values()) == said["suppressed"] <= 4
    assert {key[2] for key in out} <= {"small_group", "not_diverse"}


def test_the_officer_is_told_and_told_the_same_again(uneven: Settings, airflow: Run) -> None:
    first, again = (prepared(uneven, airflow, "told") for _ in range(2))
    assert first["told"] == again["told"]
    assert all(part in first["told"] for part in ("groups of at least ", "(k 7)", "observed_on at level 0 of 0", "readings at level ", "rows suppressed", "loss "))


def test_people_who_share_too_little_leave_in_another_shape_and_the_key_goes(uneven: Settings, airflow: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days and numbers of readings as labels: rows of a person may be alike then, and are sorted by what they tell alone."""
    recipient = asking(monkeypatch, {"quasiIdentifiers": {"observed_on": "made", "readings": "made"}, "k": 4, "suppressPercent": 10, "sensitive": {}})
    columns = tuple(c.model_copy(update={"key": None, **({"type": "string"} if c.name == "observed_on" else {})}) for c in recipient.table.columns)
    monkeypatch.setitem(catalog().recipients, RECIPIENT, recipient.model_copy(update={"table": recipient.table.model_copy(update={"columns": columns})}))
    rows = pq.read_table(io.BytesIO(held(uneven, prepared(uneven, airflow, "shape")["extract_id"]).read(stage.DATA) or b"")).to_pylist()
    told = [tuple(row.values()) for row in rows]
    assert told == sorted(told) and len(rows) >= 81


REFUSED: dict[str, tuple[dict[str, Any], tuple[Declared, ...], str]] = {
    "k larger than the table": ({"k": 31}, (), "rows of 30 people, fewer than k = 31"),
    "a hierarchy with a hole": ({}, (Declared("readings_a_day", "0", {"2": ("few",)}, ()),), "lacks 6 of the 7 values that column readings has"),
    "more than may stay out": ({"quasiIdentifiers": {"observed_on": "exact", "readings": "exact"}, "suppressPercent": 0}, (), "more of them would stay out"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_made_anonymous_leaves_nothing(uneven: Settings, airflow: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    anonymity, declared, said = REFUSED[name]
    recipient = asking(monkeypatch, anonymity, *declared)
    before = len(small_lake.Lake(uneven.lake_root, catalog().tables).arrow(extracts.EXTRACT))
    with pytest.raises(NotAnonymous, match=said) as caught:
        prepared(uneven, airflow, name)
    assert caught.value.exit_code == 3 and not caught.value.exit_code.is_retried
    assert len(small_lake.Lake(uneven.lake_root, catalog().tables).arrow(extracts.EXTRACT)) == before
    assert not list(Path(folder(uneven, recipient, extract._name(RECIPIENT, ("extract_glycemia_institute", name)))).glob("*"))


def test_a_search_that_lets_small_groups_through_is_stopped(uneven: Settings, airflow: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows as they are, in the labels' place: the last look at what is to leave finds them."""
    monkeypatch.setattr(extract_rows, "anonymise", lambda rows, recipient, person: Anonymous(rows, {"-": 90}, {}))
    with pytest.raises(IntegrityError, match="groups of the rows for glycemia_institute are smaller, less diverse"):
        prepared(uneven, airflow, "let through")


def test_killed_in_the_middle_and_run_again(uneven: Settings, airflow: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(extract_rows, "refuse_small", lambda *_: (_ for _ in ()).throw(LostRace("killed")))
        with pytest.raises(LostRace):
            prepared(uneven, airflow, "killed")
    killed, whole = (held(uneven, prepared(uneven, airflow, run)["extract_id"]) for run in ("killed", "not killed"))
    one, other = (pq.read_table(io.BytesIO(files.read(stage.DATA) or b"")) for files in (killed, whole))
    assert one == other and one.num_rows > 40
