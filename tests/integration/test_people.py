"""Linking over many runs: what links, what stays as it was, what changes hands, and what is never lost."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from contracts.matching import FILE, load
from jobs.errors import ConfigurationError
from jobs.ledger import models
from jobs.matching import on_engine
from jobs.run import identities
from jobs.run.people import resolve
from jobs.run.summary import summary
from jobs.run.train import train
from jobs.schema import arrow_schema
from jobs.settings import Settings
from tests import small_lake
from tests.integration import people_lake
from tests.integration.people_lake import changes, held, key, lake, links, persons, rewrite, vault, vote, who

ADA = {"given_name": "Ada", "family_name": "Lovelace", "birth_on": people_lake.a_date("1980-05-01"), "country_code": "GB"}
BOB = {"given_name": "Bob", "family_name": "Turing", "birth_on": people_lake.a_date("1971-02-03"), "country_code": "GB"}
FEW = (who("crm/ada", proof="ada@x.org", **ADA), who("adherence_app/a1", proof="ADA@x.org", device_id="sn-1"),
       who("community/lady", device_id="SN-1"), who("crm/bob", email="bob@x.org", **BOB),
       who("adherence_app/b1", email="bob@x.org", **BOB), who("community/none"))


@pytest.fixture
def few(tmp_path: Path, engine: str) -> Settings:
    """Ada of three sources, whom proofs tie; Bob of two, who is likely one; somebody else."""
    return people_lake.made_of(tmp_path / "few", engine, *FEW)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, engine: str) -> tuple[Settings, dict[str, Any]]:
    """Many identities, linked by proofs, then by a model; and the links before it. To be copied, never written."""
    made = people_lake.made_of(tmp_path_factory.mktemp("trained") / "home", engine, *people_lake.drawn(150, seed=11))
    resolve(made)
    before = links(made)
    assert train(made).changed == ["vault.frequency", "vault.model"]
    resolve(made)
    return made, before


@pytest.fixture
def many(trained: tuple[Settings, Any], tmp_path: Path) -> Settings:
    return small_lake.copy(trained[0], tmp_path / "many")


def test_without_a_model_proofs_alone_link(few: Settings) -> None:
    report = resolve(few)
    assert persons(few) == {frozenset({"crm/ada", "adherence_app/a1", "community/lady"}), frozenset({"crm/bob"}),
                            frozenset({"adherence_app/b1"}), frozenset({"community/none"})}
    assert set(report.changed) == {f"vault.{name}" for name in ("link", "person", "match", "held", "profile")}
    said = {name: row["evidence"] for name, row in links(few).items()}
    assert said == {"crm/ada": "email", "adherence_app/a1": "device_id", "community/lady": "device_id", "crm/bob": "alone",
                    "adherence_app/b1": "alone", "community/none": "alone"}
    assert {(row["score"], row["model_id"]) for row in links(few).values()} == {(None, None)}
    assert held(few) == {frozenset((key(few, "crm/bob"), key(few, "adherence_app/b1"))): "not proved"}
    assert {k: report.facts[k] for k in ("identities", "persons", "new_links", "minted", "held", "merged", "split", "model")} == {
        "identities": 6, "persons": 4, "new_links": 6, "minted": 4, "held": 1, "merged": 0, "split": 0, "model": None}
    (run_id,) = {row["run_id"] for row in lake(few).arrow("ledger.audit").to_pylist()}
    assert {row["run_id"] for name in ("link", "match") for row in lake(few).arrow(f"vault.{name}").to_pylist()} == {run_id}
    assert set(lake(few).arrow("vault.person")["person_key"].to_pylist()) == {row["person_key"] for row in links(few).values()}


def test_a_trained_model_links_by_score(trained: tuple[Settings, dict[str, Any]]) -> None:
    made, before = trained
    after, stored = links(made), models.newest(lake(made))
    assert stored is not None and "score" not in {row["evidence"] for row in before.values()}
    assert len({row["person_key"] for row in before.values()}) - len({row["person_key"] for row in after.values()}) > 20
    scored = [row for row in after.values() if row["evidence"] == "score"]
    assert len(scored) > 40 and max(row["score"] for row in scored) > stored.least
    assert {row["model_id"] for row in after.values() if row["score"] is not None} == {stored.id}
    assert {row["model_id"] for row in after.values() if row["score"] is None} == {None}
    (row,) = lake(made).arrow("vault.model").to_pylist()
    assert (row["model_id"], row["identities"]) == (stored.id, len(after)) and json.loads(row["parameters"])["least"] == stored.least
    assert {kind for _, kind, *_ in changes(made)} == {"merge"}


def test_a_second_run_changes_nothing(many: Settings) -> None:
    names = vault(many)  # Reading makes the tables that are not there yet, and the next run has those in its index.
    resolve(many)
    before = {name: lake(many).version(name) for name in names}
    report = resolve(many)
    assert (report.result, report.changed) == ("unchanged", [])
    assert {name: lake(many).version(name) for name in before} == before


def test_a_new_batch_leaves_alone_whom_it_does_not_concern(many: Settings) -> None:
    before, first = links(many), next(name for name, row in sorted(links(many).items()) if row["evidence"] == "email")
    theirs = next(row["email"] for row in lake(many).arrow("core.identity").to_pylist() if row["record_id"] == first)
    small_lake.append(lake(many), "core.identity", [who("crm/new", proof="new@x.org", **ADA), who("crm/again", proof=theirs)])
    report = resolve(many)
    after, (person,) = links(many), persons(many, first)
    assert after.keys() - before.keys() == {"crm/new", "crm/again"} and report.facts["minted"] == 1
    assert "crm/again" in person and after["crm/again"]["person_key"] == before[first]["person_key"]
    others = before.keys() - person
    assert {name: after[name] for name in others} == {name: before[name] for name in others}
    runs = {row["run_id"] for name, row in after.items() if name in ("crm/new", "crm/again")}
    assert len(runs) == 1 and not runs & {row["run_id"] for row in before.values()}


def test_what_is_merged_and_split_again_is_recorded_and_the_old_key_returns(few: Settings) -> None:
    resolve(few)
    ada, bob, other = (key(few, name) for name in ("crm/ada", "crm/bob", "adherence_app/b1"))
    small, great = sorted((bob, other))
    names = {bob: "crm/bob", other: "adherence_app/b1"}
    rewrite(few, lambda row: {**row, "is_email_verified": True} if row["email"] == "bob@x.org" else row)
    report = resolve(few)
    assert {"vault.link", "vault.change", "vault.held"} <= set(report.changed)
    assert (report.facts["merged"], report.facts["split"], report.facts["minted"], report.facts["persons"]) == (1, 0, 0, 3)
    assert changes(few) == {(names[great], "merge", great, small)} and held(few) == {}
    assert lake(few).arrow("vault.person").num_rows == 4 and summary(few)["persons"] == 3
    assert key(few, "crm/bob") == key(few, "adherence_app/b1") == small and key(few, "crm/ada") == ada
    rewrite(few, lambda row: {**row, "is_email_verified": False} if row["email"] == "bob@x.org" else row)
    report = resolve(few)
    assert (report.facts["merged"], report.facts["split"], report.facts["minted"], report.facts["persons"]) == (0, 1, 0, 4)
    assert changes(few) == {(names[great], "merge", great, small), (names[great], "split", small, great)}
    assert (key(few, "crm/bob"), key(few, "adherence_app/b1"), key(few, "crm/ada")) == (bob, other, ada)
    assert held(few) == {frozenset((bob, other)): "not proved"}
    known = lake(few).arrow("vault.person")["person_key"].to_pylist()
    assert len(known) == 4 and set(known) == {row["person_key"] for row in links(few).values()}


def test_a_match_that_waits_on_waits_since_then(few: Settings) -> None:
    resolve(few)
    (before,) = lake(few).arrow("vault.held").to_pylist()
    rewrite(few, lambda row: {**row, "country_code": "FR"} if row["record_id"] == "crm/bob" else row)
    assert "vault.held" in resolve(few).changed
    (after,) = lake(few).arrow("vault.held").to_pylist()
    assert after == {**before, "reason": "contradicted: in two countries"}


def test_who_splits_off_for_the_first_time_gets_a_new_key(few: Settings) -> None:
    resolve(few)
    ada = key(few, "crm/ada")
    rewrite(few, lambda row: {**row, "device_id": "sn-2"} if row["record_id"] == "community/lady" else row)
    assert resolve(few).facts["minted"] == 1
    assert (key(few, "adherence_app/a1"), key(few, "crm/ada")) == (ada, ada) and key(few, "community/lady") != ada
    assert changes(few) == {("community/lady", "split", ada, key(few, "community/lady"))}
    assert links(few)["adherence_app/a1"]["evidence"] == "email", "the device ties nobody any more"


def test_identities_that_core_does_not_know_any_more_keep_their_link(few: Settings) -> None:
    resolve(few)
    before, times = links(few), lake(few).arrow("vault.profile").num_rows
    rewrite(few, lambda row: None if row["record_id"] in ("adherence_app/a1", "crm/bob") else row)
    report = resolve(few)
    after = links(few)
    assert (report.facts["identities"], after.keys()) == (4, before.keys())
    assert [after[name] for name in ("adherence_app/a1", "crm/bob")] == [before[name] for name in ("adherence_app/a1", "crm/bob")]
    assert {name: row["evidence"] for name, row in after.items() if name in ("crm/ada", "community/lady")} == {
        "crm/ada": "alone", "community/lady": "alone"}, "what tied them is gone"
    assert len(persons(few, "crm/ada", "community/lady")) == 2
    assert held(few) == {} and lake(few).arrow("vault.profile").num_rows == times - 2
    assert resolve(few).result == "unchanged"


def test_who_is_gone_goes_along_when_the_person_is_merged(few: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ada's key is minted first, and is the greater one; two of her three identities are gone when she is merged."""
    numbers = count(1000, -1)
    monkeypatch.setattr("jobs.run.linking.secrets.token_hex", lambda size: f"{next(numbers):032x}")
    gone = ("adherence_app/a1", "community/lady")
    resolve(few)
    rewrite(few, lambda row: None if row["record_id"] in gone else row)
    resolve(few)
    was, to = links(few), key(few, "community/none")
    weighed = [row | ({"score": 12.5, "model_id": "older"} if name in gone else {}) for name, row in was.items()]
    lake(few).replace_arrow("vault.link", pa.Table.from_pylist(weighed, schema=arrow_schema(lake(few).contract("vault.link"))))
    rewrite(few, lambda row: {**row, "email": "ada@x.org", "is_email_verified": True} if row["record_id"] == "community/none" else row)
    assert resolve(few).facts["merged"] == 3
    after = links(few)
    assert {after[name]["person_key"] for name in ("crm/ada", "community/none", *gone)} == {to} != {was["crm/ada"]["person_key"]}
    said = ("evidence", "score", "model_id")
    assert [[after[name][column] for column in said] for name in gone] == [[was[name]["evidence"], 12.5, "older"] for name in gone]
    assert [[after[name][column] for column in said] for name in ("crm/ada", "community/none")] == [["email", None, None]] * 2


def test_another_configuration_has_everything_judged_again_and_keys_stay(few: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(few)
    before, bases = links(few), set(lake(few).arrow("vault.profile")["basis"].to_pylist())
    changed = few.home / "matching.yaml"
    changed.write_text(FILE.read_text(encoding="utf-8").replace("[device_id, national_id, email, phone]", "[device_id]"), encoding="utf-8")
    monkeypatch.setattr(identities, "FILE", changed)
    monkeypatch.setattr("contracts.matching.load", lambda: load(changed))
    resolve(few)
    after, basis = links(few), set(lake(few).arrow("vault.profile")["basis"].to_pylist())
    assert len(basis) == 1 and not basis & bases
    assert persons(few, "community/lady") == {frozenset({"adherence_app/a1", "community/lady"})}
    assert persons(few, "crm/ada") == {frozenset({"crm/ada"})}
    kept = before.keys() - {"crm/ada", "adherence_app/a1", "community/lady"}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert before["crm/ada"]["person_key"] in {after[name]["person_key"] for name in ("crm/ada", "community/lady")}


def test_a_newer_model_judges_everything_again_and_keys_stay(many: Settings) -> None:
    before = {name: row["person_key"] for name, row in links(many).items()}
    small_lake.append(lake(many), "core.identity", people_lake.drawn(60, seed=12)[::3])
    trained = train(many).facts["model"]
    assert lake(many).arrow("vault.model").num_rows == 2
    resolve(many)
    after = links(many)
    assert {row["model_id"] for row in after.values()} == {None, trained}
    assert set(lake(many).arrow("vault.match")["model_id"].to_pylist()) == {trained}
    moved = {name for name, *_ in changes(many)}
    assert {name: after[name]["person_key"] for name in before.keys() - moved} == {n: k for n, k in before.items() if n not in moved}
    assert len(before.keys() - moved) > len(before) / 2


@pytest.mark.parametrize("decision", ["same", "different"])
def test_what_reviewers_decide_is_done(few: Settings, decision: str) -> None:
    resolve(few)
    left, right = ("adherence_app/b1", "crm/bob") if decision == "same" else ("adherence_app/a1", "crm/ada")
    vote(few, left, right, decision)
    resolve(few)
    after = links(few)
    assert (after[left]["person_key"] == after[right]["person_key"]) == (decision == "same")
    assert (after[left]["evidence"] == "decision") == (decision == "same")
    assert frozenset((after[left]["person_key"], after[right]["person_key"])) not in held(few)
    assert resolve(few).result == "unchanged"


@pytest.mark.parametrize("text", ["{", "[]", '{"least": 1}', None])
def test_a_damaged_model_is_refused_and_nothing_is_written(many: Settings, text: str | None) -> None:
    """A text that is none, or one of other parameters than those that were trained."""
    rows = lake(many).arrow("vault.model").to_pylist()
    text = text or rows[0]["parameters"].replace('"prior": 0.', '"prior": 0.9')
    assert text != rows[0]["parameters"]
    lake(many).merge_arrow("vault.model", pa.Table.from_pylist([{**rows[0], "parameters": text}]))
    small_lake.append(lake(many), "core.identity", [who("crm/new", **ADA)])
    before = vault(many)
    with pytest.raises(ConfigurationError, match="vault.model: .*train one anew with `concord link train`"):
        resolve(many)
    assert vault(many) == before
    assert ConfigurationError.exit_code == 2
    train(many)
    assert resolve(many).result == "done" and "crm/new" in links(many)


def test_frequencies_that_are_not_those_of_training_are_refused(many: Settings) -> None:
    row = lake(many).arrow("vault.frequency").slice(0, 1)
    lake(many).merge_arrow("vault.frequency", row.set_column(row.column_names.index("times"), "times", pa.array([99], pa.int64())))
    small_lake.append(lake(many), "core.identity", [who("crm/new", **ADA)])
    before = vault(many)
    with pytest.raises(ConfigurationError, match="the newest model is not the one that was trained"):
        resolve(many)
    assert vault(many) == before


def test_an_older_model_does_not_count(many: Settings) -> None:
    rows = lake(many).arrow("vault.model").to_pylist()
    older = {**rows[0], "model_id": "0" * 16, "parameters": "{", "trained_at": rows[0]["trained_at"].replace(year=2020)}
    lake(many).merge_arrow("vault.model", pa.Table.from_pylist([older]))
    assert resolve(many).result == "unchanged"


def test_a_model_that_is_trained_again_has_the_frequencies_of_that_training(many: Settings) -> None:
    stored = models.newest(lake(many))
    assert stored is not None
    fewer = replace(stored, frequencies=stored.frequencies.slice(1))
    models.keep(lake(many), fewer, 1, "again", datetime.now(UTC))
    again = models.newest(lake(many))
    assert again is not None and again.id == fewer.id != stored.id
    order = [("role", "ascending"), ("value", "ascending")]
    assert again.frequencies.sort_by(order) == fewer.frequencies.sort_by(order)


def test_the_parameters_hold_no_value_of_anybody(many: Settings) -> None:
    text = lake(many).arrow("vault.model")["parameters"][0].as_py()
    values = pc.unique(lake(many).arrow("vault.frequency").filter(pc.field("role") != "sex")["value"]).to_pylist()
    assert len(values) > 100 and not [value for value in values if value in text]


def test_very_many_pairs_are_scored_by_the_engine(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = people_lake.made_of(tmp_path / "here", engine, *people_lake.drawn(60, seed=3))
    train(here)
    there = small_lake.copy(here, tmp_path / "there")
    resolve(here)
    asked: list[int] = []
    weigh = on_engine.weigh
    monkeypatch.setattr(on_engine, "weigh", lambda *given: asked.append(given[4].num_rows) or weigh(*given))
    monkeypatch.setattr("contracts.matching.load", lambda: load().model_copy(update={"score_on_engine_from": 1}))
    resolve(there)
    assert len(asked) == 1 and asked[0] > 100
    assert persons(there) == persons(here)
    score = {name: row["score"] for name, row in links(here).items()}
    assert {name: row["score"] for name, row in links(there).items()} == {n: s and pytest.approx(s) for n, s in score.items()}
