"""What core knows of who an identity is: which record counts, and what the source proved."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from contracts import catalog
from contracts.matching import OF_IDENTITIES
from jobs.schema import spark_schema
from jobs.stages.profile import profiles

Row = dict[str, Any]
IDENTITY, POINT = "core.identity", "core.contact_point"


def at(day: int) -> datetime:
    return datetime(2026, 10, day, tzinfo=UTC)


def mail(value: str, is_verified: bool = True, **more: Any) -> Row:
    return {"email": value, "is_email_verified": is_verified, **more}


def point(system: str, value: str, is_verified: bool = False, **more: Any) -> Row:
    return {"system_code": system, "value": value, "is_verified": is_verified, **more}


# The records of one identity, its contact points, and what is known then: roles and proofs; None for nobody.
CASES: dict[str, tuple[list[Row], list[Row], Row | None]] = {
    "every role": (
        [{"given_name": "Ada", "family_name": "King", "birth_on": date(1980, 5, 1), "sex_code": "female", "country_code": "GB",
          "postcode": "SW1", "city": "London", "email": "a@x", "phone": "+44", "device_id": "D1", "handle": "ada"}], [],
        {"given_name": "Ada", "family_name": "King", "birth_date": "1980-05-01", "sex": "female", "country": "GB", "postcode": "SW1",
         "city": "London", "email": "a@x", "phone": "+44", "device_id": "D1", "handle": "ada", "proofs": "device_id:d1"}),
    "nothing known": ([{}], [], {}),
    "no record of their own": ([], [point("email", "a@x", True)], None),
    "the latest record wins": ([{"city": "Bonn", "version_at": at(2)}, {"city": "Ulm", "version_at": at(1)}], [], {"city": "Bonn"}),
    "of two at one time the greater record id": ([{"city": "Ulm"}, {"city": "Bonn"}], [], {"city": "Bonn"}),
    "a role at a time": ([{"city": "Bonn", "postcode": "1", "version_at": at(1)}, {"city": "Ulm", "version_at": at(2)}], [],
                         {"city": "Ulm", "postcode": "1"}),
    "spaces are no value": ([{"city": "Bonn", "version_at": at(1)}, {"city": "  ", "version_at": at(2)}], [], {"city": "Bonn"}),
    "spaces around it": ([{"city": " Bonn "}], [], {"city": "Bonn"}),
    "reached at an address": ([{"given_name": "Ada"}], [point("email", "a@x")], {"given_name": "Ada", "email": "a@x"}),
    "reached at a number": ([{}], [point("phone", "+1")], {"phone": "+1"}),
    "their own address first": ([mail("a@x", False, version_at=at(1))], [point("email", "b@x", version_at=at(9))], {"email": "a@x"}),
    "their own is of another kind": ([mail("a@x", False)], [point("phone", "+1")], {"email": "a@x", "phone": "+1"}),
    "the latest address": ([{}], [point("email", "a@x", version_at=at(2)), point("email", "b@x", version_at=at(1))], {"email": "a@x"}),
    "a postal address is none": ([{}], [point("post", "Main Street", True)], {}),
    "a patient number": ([{"patient_number": " X123 "}], [], {"national_id": "X123", "proofs": "national_id:x123"}),
    "a verified address": ([mail("a@x")], [], {"email": "a@x", "proofs": "email:a@x"}),
    "not verified": ([mail("a@x", False)], [point("phone", "+1")], {"email": "a@x", "phone": "+1"}),
    "nobody says whether": ([{"email": "a@x", "phone": "+1"}], [], {"email": "a@x", "phone": "+1"}),
    "a verified number": ([{"phone": "+1", "is_phone_verified": True}], [], {"phone": "+1", "proofs": "phone:+1"}),
    "verified spaces": ([mail("  ")], [point("phone", " ", True)], {}),
    "lower case and trimmed": ([mail(" A@X ")], [], {"email": "A@X", "proofs": "email:a@x"}),
    "a verified contact point": ([{}], [point("email", "A@x ", True)], {"email": "A@x", "proofs": "email:a@x"}),
    "proofs of all records, each once, in order": (
        [mail("b@x", version_at=at(1)), mail("A@x", version_at=at(2), phone="+1", is_phone_verified=True), {"device_id": "D9"}],
        [point("email", "a@x", True), point("email", "c@x", True)],
        {"email": "A@x", "phone": "+1", "device_id": "D9", "proofs": "device_id:d9\nemail:a@x\nemail:b@x\nemail:c@x\nphone:+1"}),
    "a device is bound": ([{"device_id": " SN-1 "}], [], {"device_id": "SN-1", "proofs": "device_id:sn-1"}),
    "two lines would be two proofs": ([mail("a@x\ndevice_id:sn-1")], [], {"email": "a@x\ndevice_id:sn-1"})}


def filled(table: str, rows: list[Row], who: Row) -> list[list[Any]]:
    """Rows of a core table with every column of its contract."""
    names = [column.name for column in catalog().table(table).columns]
    full = [{"record_id": f"{table}/{n}", "version_at": at(5), **who, **row} for n, row in enumerate(rows)]
    return [[row.get(name) for name in names] for row in full]


@pytest.fixture(scope="module")
def found(frame: Any) -> dict[tuple[str, str], Row]:
    """What is known of all identities, of every case in one lake; each case is a person of its own, nulls left out."""
    given: dict[str, list[list[Any]]] = {IDENTITY: [], POINT: []}
    for number, (records, points, _) in enumerate(CASES.values()):
        who = {"source": "crm", "source_person_id": f"p{number}"}
        given[IDENTITY] += filled(IDENTITY, records, who)
        given[POINT] += filled(POINT, points, who)
    other = {"source": "app", "source_person_id": "p0"}  # The same id in another source.
    given[IDENTITY] += filled(IDENTITY, [{"city": "Rome"}], other) + filled(IDENTITY, [mail("n@x")], {"source": "crm"})
    given[POINT] += filled(POINT, [point("email", "n@x", True)], {"source": "crm"})
    rows = profiles(*(frame(spark_schema(catalog().table(table)), rows) for table, rows in given.items())).collect()
    assert set(rows[0].asDict()) == {"source", "source_person_id", "proofs", *map(str, OF_IDENTITIES)}
    return {(row.source, row.source_person_id): {k: v for k, v in row.asDict().items() if v is not None and k[:6] != "source"}
            for row in rows}


@pytest.mark.parametrize("number", range(len(CASES)), ids=list(CASES))
def test_what_is_known(found: dict[tuple[str, str], Row], number: int) -> None:
    assert found.get(("crm", f"p{number}")) == list(CASES.values())[number][2]


def test_an_identity_is_its_source_and_its_id_and_who_has_none_is_nobody(found: dict[tuple[str, str], Row]) -> None:
    assert found["app", "p0"] == {"city": "Rome"}
    known = {("crm", f"p{n}") for n, case in enumerate(CASES.values()) if case[2] is not None}
    assert set(found) == known | {("app", "p0")}
