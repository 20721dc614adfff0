"""Nobody is given anything of somebody else: not over an address that two share, not over a wrong link, not over a payload about both."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from contracts import catalog
from jobs.connectors import Record
from jobs.erasure.words import Words
from jobs.run import land as landing
from jobs.run import own_payloads, theirs
from jobs.run.access import access
from jobs.run.conform import conform
from jobs.run.people import resolve
from jobs.run.product import build
from jobs.run.release import release
from jobs.schema import arrow_schema
from jobs.settings import Settings
from tests import small_lake
from tests.integration import people_lake
from tests.integration.accessing import about, asked, copied, holding, lines, rows
from tests.integration.airflow_stand_in import Users
from tests.integration.people_lake import who
from tests.integration.two_releases import GLUCOSE, GROUP, airflow, home, prepared
from tests.landing import lake_of, probe, reading

__all__ = ["airflow", "home", "prepared"]
NAME = f"product.{GLUCOSE}"


def tokens(made: Settings, identities: Sequence[str]) -> dict[str, str]:
    """Give each identity something that it alone said, and that it alone is suspected of; what that is."""
    words = {name: f"said-only-{number:04d}-here" for number, name in enumerate(identities)}
    into = people_lake.lake(made)
    whose = [{"source": source, "source_person_id": person, "word": words[f"{source}/{person}"]}
             for source, person in (name.split("/", 1) for name in identities)]
    small_lake.append(into, "core.interaction", [
        {**{k: row[k] for k in ("source", "source_person_id")}, "kind_code": "question", "channel_code": "web", "occurred_at": small_lake.START,
         "text": row["word"]} for row in whose])
    candidates = [{"source": row["source"], "source_person_id": row["source_person_id"], "record_id": f"x/{row['word']}", "reason_code": "x",
                   "table_name": "core.interaction", **dict.fromkeys(("occurred_at", "found_at", "triage_due_at", "report_due_at"), small_lake.START)}
                  for row in whose]
    into.append_arrow("safety.candidate", pa.Table.from_pylist(candidates, schema=arrow_schema(into.contract("safety.candidate"))))
    return words


def test_of_households_twins_and_shared_addresses_everybody_gets_their_own(tmp_path: Path, engine: str, airflow: Users) -> None:
    made = people_lake.made_of(tmp_path / "home", engine, *people_lake.drawn(90, seed=7))
    resolve(made)
    links = people_lake.links(made)
    words = tokens(made, sorted(links))
    held = {k: row["email"] for row in lake_of(made).arrow("core.identity").to_pylist() for k in (f"{row['source']}/{row['source_person_id']}",)}
    shared = {mail for mail in held.values() if mail and len({links[n]["person_key"] for n, m in held.items() if m == mail}) > 1}
    sharing = [name for name, mail in sorted(held.items()) if mail in shared]
    several = [name for name in sorted(links) if len([n for n in links if links[n]["person_key"] == links[name]["person_key"]]) > 1]
    assert len(sharing) >= 4 and several, "the world must have people who share, and people of several accounts"
    for number, name in enumerate([*sharing[:6], *several[:4]]):
        copied(made, tmp_path / f"out-{number}", name.split("/", 1)[1], name.split("/", 1)[0])
        mine = {n for n in links if links[n]["person_key"] == links[name]["person_key"]}
        found = {n for n, word in words.items() if holding(tmp_path / f"out-{number}", word)}
        assert found == mine, name
        assert {(i["source"], i["source_person_id"]) for i in about(tmp_path / f"out-{number}")["identities"]} == {
            tuple(n.split("/", 1)) for n in mine}
        assert len(rows(tmp_path / f"out-{number}", "safety.candidate")) == len(mine)


def test_two_who_share_everything_but_themselves(tmp_path: Path, engine: str, airflow: Users) -> None:
    common = {"email": "family@post.example", "phone": "+4915550001111", "device_id": "D-SHARED-1", "family_name": "Lang", "postcode": "10115",
              "country_code": "DE"}
    made = people_lake.made_of(tmp_path / "home", engine, who("crm/ada-lang-77", given_name="Ada", **common), who("community/bea-lang-88", given_name="Bea", **common))
    small_lake.append(people_lake.lake(made), "core.contact_point", [
        {"source": source, "source_person_id": name, "system_code": "email", "value": "family@post.example", "is_verified": False}
        for source, name in (("crm", "ada-lang-77"), ("community", "bea-lang-88"))])
    resolve(made)
    words = tokens(made, ["crm/ada-lang-77", "community/bea-lang-88"])
    copied(made, tmp_path / "ada", "ada-lang-77")
    copied(made, tmp_path / "bea", "bea-lang-88", "community")
    assert holding(tmp_path / "ada", "bea-lang-88", "Bea", words["community/bea-lang-88"]) == []
    assert holding(tmp_path / "bea", "ada-lang-77", "Ada", words["crm/ada-lang-77"]) == []
    assert {r["value"] for r in rows(tmp_path / "ada", "core.contact_point")} == {"family@post.example"} == {
        r["email"] for r in rows(tmp_path / "bea", "core.identity")}


def test_who_is_held_in_review_is_another_person_and_only_the_officer_is_told(tmp_path: Path, engine: str, airflow: Users) -> None:
    made = people_lake.made_of(tmp_path / "home", engine)
    small_lake.hold(people_lake.lake(made))
    resolve(made)
    assert people_lake.held(made)
    apart = next(name for name in people_lake.links(made) if people_lake.key(made, name) != people_lake.key(made, "crm/ada"))
    words = tokens(made, sorted(people_lake.links(made)))
    report = copied(made, tmp_path / "out", "ada")
    assert report.facts["held"] == 1 and holding(tmp_path / "out", words[apart], apart.split("/")[1] + '"') == []
    assert "held" not in about(tmp_path / "out") and not (tmp_path / "out/data/vault.held.ndjson").exists()


def relink(home: Settings, **persons: str) -> None:
    """Let identities of the CRM have other identities' persons, as matching would write it."""
    into = lake_of(home)
    keys = {row["source_person_id"]: row["person_key"] for row in into.arrow("vault.link").to_pylist()}
    links = [row | {"person_key": keys[persons.get(row["source_person_id"].replace("-", "_"), row["source_person_id"])]}
             for row in into.arrow("vault.link").to_pylist()]
    changes = [{"source": "crm", "source_person_id": name.replace("_", "-"), "run_id": f"run-{into.version('vault.link')}", "kind": "merge",
                "from_key": keys[name.replace("_", "-")], "to_key": keys[to], "changed_at": small_lake.START} for name, to in persons.items()]
    for table, found in (("vault.link", links), ("vault.change", changes)):
        rows_ = pa.Table.from_pylist(found, schema=arrow_schema(into.contract(table)))
        into.replace_arrow(table, rows_) if table == "vault.link" else into.append_arrow(table, rows_)


def test_who_was_merged_yesterday_gets_what_both_had(home: Settings, tmp_path: Path, airflow: Users) -> None:
    copied(home, tmp_path / "a", "person-3")
    copied(home, tmp_path / "b", "person-4")
    relink(home, person_4="person-3")
    copied(home, tmp_path / "both", "person-4")
    for table in (NAME, "core.observation"):
        apart = rows(tmp_path / "a", table) + rows(tmp_path / "b", table)
        assert sorted(map(str, rows(tmp_path / "both", table))) == sorted(map(str, apart)) and apart
    assert {r["source_person_id"] for r in rows(tmp_path / "both", "vault.link")} == {"person-3", "person-4"}


def test_rows_made_while_another_was_taken_for_them_are_withheld_from_both(home: Settings, tmp_path: Path, airflow: Users) -> None:
    before = lake_of(home).arrow("vault.link")
    relink(home, person_5="person-3")
    small_lake.append(lake_of(home), "core.observation", [
        {"source_person_id": "person-5", "code": "2339-0", "value": 333.0, "unit_code": "mg/dL", "effective_at": small_lake.START, "status_code": "final"}])
    for product in (GLUCOSE, "patient_profile"):
        build(home, product)
    release(home, GROUP)
    lake_of(home).replace_arrow("vault.link", before)
    mixed = lake_of(home).version(NAME)
    for name in ("person-3", "person-5"):
        report = copied(home, tmp_path / name, name)
        told = {(w["of"], w["reason"]): w["count"] for w in about(tmp_path / name)["15(4) withheld"]}
        if name == "person-3":  # Whose key it was; the other's rows stood under it, too.
            assert told[NAME, "key_was_shared"] >= 2 and report.facts["withheld"] == sum(told.values())
        assert lines(tmp_path / name, NAME) and mixed not in {line["version"] for line in lines(tmp_path / name, NAME)}
    copied(home, tmp_path / "other", "person-4")
    assert mixed in {line["version"] for line in lines(tmp_path / "other", NAME)} and about(tmp_path / "other")["15(4) withheld"] == []


ME, OTHER, LONGER = "s-1a05b29c06391", "s-77aa21bb3", "users/s-1a05b29c06391"
PHOTO = b"\x89PNG not really, and <script>"


@pytest.fixture
def told(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A small source, whose doses name who gave them too, and its records of two people landed and conformed."""
    folder = probe(tmp_path)
    contract = Path(folder, "sources/probe.yaml")
    doses = "      - {name: source_person_id, transformLogic: identifier(payload.person), required: true}"
    assert doses in contract.read_text("utf-8")
    both = doses.replace("identifier(payload.person)", '"first(identifier(payload.person), identifier(payload.giver))"')
    contract.write_text(contract.read_text("utf-8").replace(doses, both))
    monkeypatch.setenv("CONCORD_CONTRACTS", folder)
    made = small_lake.settings(tmp_path / "home", engine)

    def record(number: int, **more: Any) -> Record:
        return Record("events", f"events/{number}", json.dumps(reading(**more)).encode(), False)
    media = [{"contentType": "image/png", "data": base64.b64encode(PHOTO).decode()}, {"contentType": "image/png", "data": ""},
             {"contentType": "text/html", "data": base64.b64encode(b"<p>own</p>").decode()}, {"contentType": "image/png", "data": "no base64!"}]
    records = [
        record(1, person=ME, attached=media), record(2, person=ME, text="</td><script>mine()</script>"),
        record(3, person=ME, giver=OTHER, kind="dose", name="theirs-3"), record(4, person=OTHER, device="theirs-4"),
        record(5, person=OTHER, text=f"about {ME} theirs-5"), record(6, person=LONGER, device="theirs-6"),
        Record("events", None, f'{{"person": "{ME}", theirs-7'.encode(), False), record(8, person=f"{ME}2", device="theirs-8"),
        Record("events", "events/9", json.dumps(reading(person=ME, device="mine-9")).encode(), False),
        record(10, person=ME, value="much"), record(11, person=OTHER, value="much")]
    monkeypatch.setattr(landing, "access", lambda _: None)
    monkeypatch.setattr(landing, "fetch", lambda *_: iter(records))
    landing.land(made, "probe")
    conform(made, "probe")
    resolve(made)
    small_lake.append(lake_of(made), "core.identity", [{"source": "probe", "source_person_id": name} for name in (ME, OTHER, LONGER)], "probe.000001")
    resolve(made)
    return made


def test_payloads_about_them_alone_are_given_and_those_about_others_are_counted(told: Settings, tmp_path: Path, airflow: Users) -> None:
    report = copied(told, tmp_path / "out", ME, "probe")
    assert sorted(r["record_id"] for r in rows(tmp_path / "out", "raw.probe")) == ["events/1", "events/10", "events/2", "events/9"]
    assert holding(tmp_path / "out", *(f"theirs-{n}" for n in (4, 5, 6, 7, 8)), OTHER, LONGER) == []
    assert [(r["record_id"], r["field"]) for r in rows(tmp_path / "out", "raw.probe__rejected")] == [("events/10", "value")]
    withheld = {(w["of"], w["reason"]): w["count"] for w in about(tmp_path / "out")["15(4) withheld"]}
    assert withheld == {("raw.probe", "names_others"): 2, ("raw.probe", "names_nobody"): 1} and report.facts["withheld"] == 3


def test_media_lie_beside_it_and_empty_ones_do_not(told: Settings, tmp_path: Path, airflow: Users) -> None:
    report = copied(told, tmp_path / "out", ME, "probe")
    found = {path.suffix: path.read_bytes() for path in (tmp_path / "out/media").iterdir()}
    assert found == {".png": PHOTO, ".bin": b"<p>own</p>"} and report.facts["media"] == 2


def test_what_they_wrote_is_text_on_the_page(told: Settings, tmp_path: Path, airflow: Users) -> None:
    copied(told, tmp_path / "out", ME, "probe")
    page = (tmp_path / "out/index.html").read_text("utf-8")
    assert "<script" not in page and "&lt;/td&gt;&lt;script&gt;mine()&lt;/script&gt;" in page


def test_where_a_name_is_what_another_ends_in_nobody_can_tell_and_it_is_withheld(told: Settings, tmp_path: Path, airflow: Users) -> None:
    assert access(told, asked(LONGER, "probe"), tmp_path / "out").facts["withheld"] == 1
    assert rows(tmp_path / "out", "raw.probe") == [] and holding(tmp_path / "out", "mine-9") == []
    assert [r["source_person_id"] for r in rows(tmp_path / "out", "core.observation")] == [LONGER]


@pytest.mark.parametrize(("mine", "others", "names", "is_given"), [
    ("a", (), {"a"}, True), ("a", (), {"users/a", "a"}, True), ("users/a", (), {"users/a", "a"}, True), ("a", ("b",), {"a", "b"}, False),
    ("a", ("users/a",), {"users/a", "a"}, False), ("users/a", ("a",), {"users/a", "a"}, False), ("a", (), {"users/b", "b", "a"}, False),
    ("users/a", (), {"users/a", "a", "b"}, False)])
def test_whom_a_payload_names(tmp_path: Path, mine: str, others: tuple[str, ...], names: set[str], is_given: bool) -> None:
    made = Settings(home=tmp_path, lake="")
    every = {f"crm/{name}" for name in (mine, *others)}
    whose = theirs.Theirs(SimpleNamespace(settings=made), frozenset({f"crm/{mine}"}), frozenset(), frozenset(every - {f"crm/{mine}"}), 0)
    found = own_payloads._withheld(whose, catalog().sources["crm"], {"payload": b"", "record_id": None}, frozenset({mine}), names)
    assert (found is None) == is_given


@pytest.mark.parametrize("name", ["a/b-12345", "\u00e9-12345", 'q"1234\\5', "plain-12345"])
@pytest.mark.parametrize("is_ascii", [True, False])
@pytest.mark.parametrize("slash", ["/", "\\/"])
def test_an_id_is_found_however_json_writes_it(name: str, is_ascii: bool, slash: str) -> None:
    written = json.dumps({"person": name}, ensure_ascii=is_ascii).replace("/", slash).encode()
    assert list(Words(own_payloads._forms(name)).rows(pa.array([written, b'{"person": "another"}'], pa.binary()))) == [True, False]
