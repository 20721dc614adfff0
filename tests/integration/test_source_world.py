"""The simulated population and its records, looked at without a server: determinism, shares, and the query language."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infra.local.sources import soql
from infra.local.sources.app_records import PARTNER, PURPOSES
from infra.local.sources.export_files import files
from infra.local.sources.population import PRESENCE, Settings
from infra.local.sources.process import running
from infra.local.sources.versions import salesforce_time
from infra.local.sources.withdrawals import NEEDED, in_by_consent, withdraw
from infra.local.sources.world import World
from jobs.fhir.statements import statements


@pytest.fixture(scope="module")
def world() -> World:
    return World(Settings(50, 5, 7, canary=True))


def rendered(world: World) -> dict[str, bytes]:
    """Everything the streams can ever show of the days generated so far, as bytes."""
    cloud, social = world.cloud, world.social
    rows = cloud.observations.rows
    parts: dict[str, Any] = {name: feed.page(0, feed.end(world.clock)) for name, feed in world.app.streams.items()}
    parts |= {name: [v.record for v in log.current(world.clock)] for name, log in world.crm.logs.items()}
    parts |= {"social": [social.render(s, world.clock) for s in social.statuses if s.is_shown(world.clock)]}
    parts |= {name: [v.record for v in log.current(world.clock)] for name, log in cloud.logs.items()}
    parts |= {"observations": list(cloud.render(rows[rows["at"] <= world.clock])),
              "truth": world.population.truth()}
    return {name: msgspec.json.encode(part) for name, part in parts.items()} | files(world)


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(world: World) -> None:
    assert rendered(world) == rendered(World(Settings(50, 5, 7, canary=True)))
    assert rendered(world)["data-points"] != rendered(World(Settings(50, 5, 8, canary=True)))["data-points"]


def test_more_days_and_more_people_do_not_change_what_was_there(world: World) -> None:
    longer = World(Settings(50, 8, 7, canary=True))
    later = World(Settings(50, 5, 7, canary=True))
    later.advance(3)
    assert rendered(longer) == rendered(later)
    longer.clock = world.clock
    assert rendered(longer) == rendered(world)
    more = World(Settings(60, 5, 7, canary=True))
    assert more.population.people[:50] == world.population.people
    assert more.population.truth()["people"][:50] == world.population.truth()["people"]  # type: ignore[index]


def test_presence_and_identifiers() -> None:
    people = World(Settings(600, 0)).population
    counted = Counter(system for person in people.people for system in person.systems)
    for system, share in PRESENCE.items():
        assert abs(counted[system] / 600 - share) < 0.07, system
    assert all(person.systems for person in people.people)
    names = [name for row in people.truth()["people"] for system in PRESENCE for name in row[system]]  # type: ignore[attr-defined]
    assert len(set(names)) == len(names)


def test_consents_are_given_refused_and_withdrawn_in_believable_shares() -> None:
    world = World(Settings(600, 30))
    latest = {}
    for statement in world.app.consents.page(0, world.app.consents.end(world.clock)):
        latest[statement["user_id"], statement["purpose"], statement["recipient"]] = statement["decision"]
    users = {name for name, _, _ in latest}
    granted = Counter((purpose, to) for (_, purpose, to), decision in latest.items() if decision == "granted")
    assert 0.60 < granted["adherence_monitoring", None] / len(users) < 0.85
    assert 0.15 < granted["research", "glycemia_institute"] / len(users) < 0.35
    assert "withdrawn" in latest.values()
    cells = Counter[Any]()
    for version in world.crm.logs["ContactPointTypeConsent"].current(world.clock):
        row = version.record
        cells[row["ContactPointType"], row["DataUsePurpose__c"], row["Country__c"], row["CaptureDate"][:7]] += 1
    assert sum(count > 7 for count in cells.values()) > 20
    assert sum(count < 7 for count in cells.values()) > 20


def test_conditions_are_told_of_as_by_real_systems() -> None:
    """Several of a person; some taken back, suspected or over; the ages fit; each can be read by FHIR R4's own rules."""
    world = World(Settings(1500, 30, 7, canary=True))
    told = [v.record for v in world.cloud.logs["Condition"].current(world.clock)]
    people = {world.cloud.patient_id(p.index): p for p in world.population.members("device_cloud")}
    of = Counter(record["subject"]["reference"].removeprefix("Patient/") for record in told)
    assert set(of) < set(people) and 0.85 < len(of) / len(people) < 0.99 and {1, 2, 3} <= set(of.values())
    seen = Counter[Any]()
    ages: dict[str, list[float]] = {}
    for record in told:
        clinical, sure = (record.get(field, {}).get("coding", [{}])[0].get("code") for field in ("clinicalStatus", "verificationStatus"))
        seen[record["code"]["text"], clinical, sure] += 1
        assert (clinical is None) if sure == "entered-in-error" else (clinical is None) == (sure is None), "con-5 of FHIR R4"
        began = record.get("onsetDateTime", "")
        person = people[record["subject"]["reference"].removeprefix("Patient/")]
        assert began <= record["recordedDate"] and (began >= str(person.birth.year) or not began)
        if len(began) == 10:
            ages.setdefault(record["code"]["text"], []).append(int(began[:4]) - person.birth.year)
        if record["code"]["text"] == "Gestational diabetes":
            assert person.sex == "female"
    assert all(18 <= age <= 43 for age in ages["Gestational diabetes"])
    assert sum(ages["Type 1 diabetes"]) / len(ages["Type 1 diabetes"]) < 25 < 38 < sum(ages["Type 2 diabetes"]) / len(ages["Type 2 diabetes"])
    for name, clinical, sure in (("Type 1 diabetes", None, "entered-in-error"), ("Type 2 diabetes", "inactive", "refuted"),
                                 ("Gestational diabetes", "resolved", "confirmed"), ("Type 2 diabetes", "active", "provisional")):
        assert seen[name, clinical, sure] > 5, name
    assert 4 * seen["Type 1 diabetes", "active", "confirmed"] < 2 * seen["Type 2 diabetes", "active", "confirmed"]
    refuted = [v for v in world.cloud.logs["Condition"].versions if v.record["meta"]["versionId"] == "2"]
    assert {v.at > world.settings.start_ms for v in refuted} == {True}, "what was told first is told otherwise later"


def test_nested_consents_are_all_read_and_leave_what_products_of_readings_need() -> None:
    """Beside a plain Consent a nested one says the same to the purposes needed, and more to the partner or about data."""
    world = World(Settings(1500, 30, 7, canary=True))
    kinds, cells = Counter[Any](), Counter[Any]()
    for version in world.cloud.logs["Consent"].versions:
        record, rule = version.record, version.record["provision"]
        rows = statements(record)
        plain = statements(record | {"provision": {key: rule[key] for key in ("type", "purpose")}})
        assert [(r["purpose_code"], r["decision_code"]) for r in plain] == [
            (p, rule["type"]) for p in PURPOSES if p in [named["code"] for named in rule["purpose"]]]
        said, wanted = ([r for r in found if r["purpose_code"] in NEEDED] for found in (rows, plain))
        assert [r | {"data_from_at": None} for r in said] == wanted
        assert {r["data_from_at"] for r in said} <= {None, datetime(2024, 1, 1, tzinfo=UTC)}
        kinds["provision" in rule, "dataPeriod" in rule] += 1
        cells.update((r["recipient_id"], r["data_category_code"], r["decision_code"], r["valid_to_at"] is not None,
                      r["data_from_at"] is not None) for r in rows)
    assert kinds[True, False] > 50 < kinds[False, False] and kinds[False, True] > 5
    assert {cell for cell, count in cells.items() if count > 5} == {
        (None, None, "permit", False, False), (None, None, "permit", False, True), (None, None, "deny", False, False),
        (None, "health", "permit", False, False), (None, "health", "deny", False, False), (PARTNER, None, "deny", False, False),
        (PARTNER, None, "permit", True, False), (PARTNER, "health", "permit", False, True)}


def test_files_stay_as_they_were_dropped_and_hold_what_others_hold() -> None:
    world = World(Settings(600, 3))
    first = files(world)
    assert {name.rpartition("/")[0] for name in first} == {
        "community/members", "community/consents", "study/participants", "study/consents"} and len(first) == 4
    world.advance(40)
    later = files(world)
    assert later.items() >= first.items() and len(later) == 4 * 7
    said = [v.record for v in world.study.logs["consents"].versions]
    for field, values in (("decision", {"agreed", "declined", "withdrawn", "pending"}), ("purpose", {"research", "biobank"}),
                          ("given_by", {"participant", "guardian"}), ("recipient", {None, "glycemia_institute"})):
        assert {record[field] for record in said} == values
    children = {v.record["participant_id"] for v in world.study.logs["participants"].versions if v.id.endswith("C")}
    assert children == {r["participant_id"] for r in said if r["given_by"] == "guardian"}
    answers = [v.record for v in world.community.logs["consents"].versions]
    assert {r["answer"] for r in answers} == {"yes", "no", "withdrawn", "shown"} and "newsletter" in {r["purpose"] for r in answers}
    assert any(v.deleted for v in world.community.logs["members"].versions)


@pytest.mark.parametrize(("where", "ids"), [
    ("Num > 2026-10-02", "c"), ("Num = null", "d"), ("Name IN ('ANN', 'bob') AND Num != null", "ab"),
    ("Num <= 2026-10-02 AND Name != 'bob'", "a"), ("Name NOT IN ('ann') AND (Flag = true)", "bc"),
    ("Name = 'O\\'Hara'", "d"), ("Name LIKE 'c%'", "c"), ("At >= 2026-10-01T12:00:00+02:00", "bcd")])
def test_soql_conditions(monkeypatch: pytest.MonkeyPatch, where: str, ids: str) -> None:
    kinds = {"Id": "id", "Num": "date", "Name": "string", "Flag": "boolean", "At": "datetime"}
    monkeypatch.setitem(soql.OBJECTS, "Thing", kinds)
    values = (("a", "2026-10-01", "Ann", False, "2026-10-01T09:00:00.000+0000"),
              ("b", "2026-10-02", "Bob", True, "2026-10-01T10:00:00.000+0000"),
              ("c", "2026-10-03", "Cid", True, "2026-10-01T11:00:00.000+0000"),
              ("d", None, "O'Hara", False, "2026-10-02T11:00:00.000+0000"))
    records = [dict(zip(kinds, row, strict=True)) for row in values]
    found = soql.parse(" ".join(("select Id from thing where", where, "order by At desc limit 9"))).run(records)
    assert "".join(sorted(record["Id"] for record in found)) == ids
    assert [record["At"] for record in found] == sorted((record["At"] for record in found), reverse=True)


def test_who_withdraws_was_in_by_consent_and_is_remembered(tmp_path: Path) -> None:
    file, settings, now = tmp_path / "withdrawn.json", Settings(60, 5, 7, canary=True), 1_800_000_000_000
    world = World(settings)
    before, willing = rendered(world), in_by_consent(world)
    withdraw(world, file, 0, now)
    assert rendered(world) == before and not file.exists(), "nobody asked for any"
    withdraw(world, file, 2, now)
    after = rendered(world)
    assert {name for name in before if after[name] != before[name]} == {"ContactPointTypeConsent"}
    said = [v.record for v in world.crm.logs["ContactPointTypeConsent"].current(world.clock)
            if v.record["CaptureDate"] == salesforce_time(now)]
    assert {s["PartyId"] for s in said} == set(willing[:2]) and len(said) == 2 * 6
    assert {(s["PrivacyConsentStatus"], s["ContactPointType"], s["SystemModstamp"]) for s in said} == {
        ("OptOut", None, salesforce_time(world.clock))}
    assert in_by_consent(world) == willing[2:]
    again = World(settings)
    withdraw(again, file, 0, now + 5000)
    assert rendered(again) == after, "the next run shows them again"
    withdraw(again, file, 1, now + 5000)
    assert in_by_consent(again) == willing[3:]
    with pytest.raises(ValueError, match="100 people are to withdraw, but"):
        withdraw(again, file, 100, now)


def test_nobody_withdraws_twice_even_where_the_clock_does_not_show_it_yet(tmp_path: Path) -> None:
    file = tmp_path / "withdrawn.json"
    for days in (5, 3):
        withdraw(World(Settings(60, days, 7)), file, 2, 1_800_000_000_000)
    contacts = [row["contact"] for row in msgspec.json.decode(file.read_bytes())]
    assert len(set(contacts)) == len(contacts) == 4


def test_who_is_in_by_consent_is_no_canary_and_said_no_nowhere() -> None:
    world = World(Settings(300, 5, 7, canary=True))
    contacts = {contact: person for person, _, contact, *_ in world.crm.contacts}
    found = in_by_consent(world)
    assert len(found) > 10 and not [c for c in found if contacts[c].is_canary]
    users = {world.population.app_ids[contacts[c].index] for c in found}
    latest = {(s["user_id"], s["purpose"]): s["decision"] for s in world.app.consents.page(0, world.app.consents.end(world.clock))
              if s["recipient"] is None}
    assert {latest[user, purpose] for user in users for purpose in ("adherence_monitoring", "decision_support")} == {"granted"}


def dropped(folder: Path) -> set[str]:
    """The files that the program has dropped."""
    return {p.relative_to(folder / "exports").as_posix() for p in (folder / "exports").rglob("*.*")}


def test_the_program_drops_files_as_its_clock_moves(tmp_path: Path) -> None:
    with running(tmp_path, "--people", "40", "--days", "1") as sources:
        first = dropped(tmp_path)
        assert len(first) == 4 and "study/consents/2026-10-01.csv" in first
        sources.control("advance", days=7)
        assert dropped(tmp_path) - first == {f"{name}/2026-10-08.{end}" for name, end in (
            ("study/consents", "csv"), ("study/participants", "csv"), ("community/members", "ndjson.gz"), ("community/consents", "ndjson.gz"))}
        sources.control("reset")
        assert dropped(tmp_path) == first
