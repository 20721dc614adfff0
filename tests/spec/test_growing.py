"""Growing where data is odd: nobody is drowned in a giant person, and nothing breaks."""

from __future__ import annotations

from functools import cache
from typing import Any

import pyarrow as pa
import pytest

from contracts.matching import load
from jobs.matching.growing import DECISIONS, EDGES, Grown, grow
from jobs.matching.learning import learn
from jobs.matching.profiles import KEPT, PROFILE
from jobs.matching.stored import Stored
from tests.synthetic_people import MAP, people

ANNA = {"given_name": "Anna", "family_name": "Meier", "birth_date": "1971-06-24", "sex": "female", "postcode": "10115",
        "city": "Berlin", "email": "anna.meier7@post.example.fr", "phone": "+49 1711234567"}
WITH, WITHOUT = "with a model", "without"


@cache
def stored() -> Stored:
    return learn(pa.Table.from_pylist(strangers(), PROFILE), load())


def strangers(number: int = 300) -> list[dict[str, Any]]:
    """Records of made-up people."""
    columns = {role: column for role, column in MAP.items() if role in PROFILE.names}
    return [{"name": f"app/{n}", **{role: row[column] for role, column in columns.items()}}
            for n, row in enumerate(people(number, seed=3, records_a_person=1.5).to_pylist())]


def grown(rows: list[dict[str, Any]], model: str = WITH) -> Grown:
    return grow(pa.Table.from_pylist(rows, PROFILE), KEPT.empty_table(), EDGES.empty_table(), load(),
                stored() if model == WITH else None, DECISIONS.empty_table())


def persons(found: Grown) -> list[set[str]]:
    """The names of each person, the largest first."""
    members: dict[str, set[str]] = {}
    for row in found.groups.to_pylist():
        members.setdefault(row["first"], set()).add(row["name"])
    return sorted(members.values(), key=len, reverse=True)


def numbered(rows: list[dict[str, Any]], source: str = "crm") -> list[dict[str, Any]]:
    return [row | {"name": f"{source}/{n:05}"} for n, row in enumerate(rows)]


@pytest.mark.parametrize("model", [WITH, WITHOUT])
@pytest.mark.parametrize("shared", [
    {"email": "desk@clinic.example.org", "phone": "+49 30 1234500", "device_id": "dev-1",
     "proofs": "device_id:dev-1\nemail:desk@clinic.example.org\nphone:+49 30 1234500"},
    {"birth_date": "1980-01-01", "family_name": "Nguyen", "postcode": "10999", "city": "Berlin"}],
    ids=["reached in one way", "one family, town and birth date"])
def test_a_value_that_five_thousand_share_makes_nobody_one_person(shared: dict[str, str], model: str):
    rows = numbered([row | shared for row in strangers(3400)])[:5000]
    found = persons(grown(rows, model))
    assert len(rows) == 5000 and sum(map(len, found)) == 5000
    assert len(found[0]) <= 50  # Given names are all that the second crowd has left to differ in: namesakes, a hundredth of them.


@pytest.mark.parametrize("model", [WITH, WITHOUT])
def test_empty_profiles_are_nobody(model: str):
    rows = [{}, {"given_name": ""}, {"given_name": "  ", "family_name": ".", "proofs": ""}, {"proofs": "\n"},
            {"email": "@", "phone": "-"}]
    found = grown(numbered(rows * 40), model)
    assert found.edges.num_rows == 0
    assert {len(one) for one in persons(found)} == {1}


def test_placeholders_are_nobody():
    rows = [{"given_name": "Test", "family_name": "Unknown", "birth_date": "1900-01-01", "email": "test@example.com",
             "phone": "000000", "postcode": "00000"}]
    found = grown(numbered(rows * 60))
    assert found.edges.num_rows == 0 and len(persons(found)) == 60


def test_the_same_content_ten_times_is_one_person():
    found = grown([*strangers(), *numbered([ANNA] * 10)])
    assert {f"crm/{n:05}" for n in range(10)} in persons(found)


def test_names_that_are_swapped_are_one_person_and_other_fields_nobody_else():
    swapped = ANNA | {"given_name": ANNA["family_name"], "family_name": ANNA["given_name"]}
    mixed = ANNA | {"email": ANNA["phone"], "phone": ANNA["email"], "city": ANNA["postcode"], "postcode": ANNA["city"]}
    found = persons(grown([*strangers(), *numbered([ANNA, swapped, mixed])]))
    anna = {f"crm/{n:05}" for n in range(3)}
    assert {"crm/00000", "crm/00001"} <= next(one for one in found if "crm/00000" in one) <= anna
    assert next(one for one in found if "crm/00002" in one) <= anna


@pytest.mark.parametrize(("one", "other"), [
    (("Иван", "Петров", "Москва"), ("Ivan", "Petrov", "Moskva")),
    (("Γιώργος", "Παπαδόπουλος", "Αθήνα"), ("Giorgos", "Papadopoulos", "Athina")),
    (("محمد", "أحمد", "القاهرة"), ("محمد", "أحمد", "القاهرة")), (("李", "小龙", "香港"), ("李", "小龙", "香港")),
    (("ÅSA", "Öberg", "Malmö"), ("Asa", "Oberg", "Malmo"))],
    ids=["cyrillic", "greek", "arabic", "chinese", "accents"])
def test_names_in_other_scripts_are_matched(one: tuple[str, ...], other: tuple[str, ...]):
    both = [ANNA | dict(zip(("given_name", "family_name", "city"), names, strict=True)) for names in (one, other)]
    strange = [{"given_name": "\u200f\u0000", "family_name": "🙂", "city": "\ud7ff"},
               {"given_name": "a" * 5000, "family_name": "'; drop table people; --"}]
    found = persons(grown([*strangers(), *numbered([*both, *strange])]))
    assert {"crm/00000", "crm/00001"} in found


@pytest.mark.parametrize("rows", [[], [ANNA], [ANNA, ANNA]], ids=len)
@pytest.mark.parametrize("model", [WITH, WITHOUT])
def test_hardly_anybody(rows: list[dict[str, Any]], model: str):
    found = grown(numbered(rows), model)
    assert found.groups.num_rows == found.profiles.num_rows == len(rows)
    assert len(persons(found)) == (1 if rows and model == WITH else len(rows))


def test_one_proof_that_two_share_ties_them_without_a_model_unless_it_is_contradicted():
    proof = {"proofs": "email:anna.meier7@post.example.fr"}
    brother = ANNA | proof | {"given_name": "Jonas", "birth_date": "1999-12-01", "sex": "male"}
    found = grown(numbered([ANNA | proof, ANNA | proof | {"phone": None}, brother]), WITHOUT)
    assert persons(found) == [{"crm/00000", "crm/00001"}, {"crm/00002"}]
    assert [row["is_link"] for row in found.edges.to_pylist()] == [True]
