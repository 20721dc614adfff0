"""What an extract tells of the people in it beyond what it tells of people who are not: singling out, linking, inferring."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

import pytest

from contracts import catalog
from contracts.model import Recipient
from jobs.run.extract import prepare
from jobs.settings import Settings
from tests import small_lake
from tests.attacks import risks
from tests.attacks.pooled import ONE, known_by, partners, rows
from tests.attacks.risks import Row
from tests.integration.test_extract import bucket

__all__ = ["bucket"]

PEOPLE, BOUND = 600, 0.1
COLUMNS = ("birth_year", "sex_code", "country_code", "region_code")
YEAR, SEX, COUNTRY, REGION = range(len(COLUMNS))
POSTCODES = ("10115", "20095", "50667", "80331")


def person(number: int) -> dict[str, object]:
    """One of three is like hardly anybody; of the others many are alike."""
    roll = Random(f"person {number}")  # noqa: S311
    if roll.random() < 1 / 3:
        year, code, country = roll.randint(1940, 1999), f"{roll.randint(10, 98)}999", roll.choice(("DE", "FR", "IT", "ES"))
    else:
        year, code, country = roll.choice((1970, 1971)), roll.choice(POSTCODES), "DE"
    on = date(year, 1, 1) + timedelta(days=number % 365)
    return {"birth_on": on, "sex_code": roll.choice(("female", "male")), "postcode": code, "country_code": country}


def profiles(**changes: object) -> Recipient:
    """The partner, for patient profiles."""
    table = catalog().products["patient_profile"].table
    kept = tuple(c if c.treatment == "pseudonym" else c.model_copy(update={"treatment": "keep", "treatment_options": None}) for c in table.columns)
    own = table.model_copy(update={"name": f"product.{ONE}", "columns": kept})
    return catalog().recipients[ONE].model_copy(update={"product": "patient_profile", "table": own, **changes})


Seen = tuple[list[Row], list[Row], list[Row]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, engine: str, bucket: str) -> Iterator[dict[str, Seen]]:
    """Extracts with and without groups: the rows released, the people asked about who are in it, and the control."""
    home = small_lake.settings(tmp_path_factory.mktemp("risks"), engine)
    small_lake.fill(home, PEOPLE, 1, refusing=PEOPLE // 2, identity=person)
    small_lake.released(home)
    with partners(bucket) as (_, patch):
        found = {}
        for name, groups in (("bare", ()), ("grouped", COLUMNS)):
            patch.setitem(catalog().recipients, ONE, profiles(**known_by(*groups)))
            facts = prepare(home, ONE, (f"extract_{ONE}", name)).facts
            released = sorted((tuple(r[c] for c in COLUMNS) for r in rows(home, ONE, facts["extract_id"])), key=repr)
            found[name] = (released, *asked(home))
        yield found


def asked(home: Settings) -> tuple[list[Row], list[Row]]:
    """What an attacker knows, in the extract's own words, of the people who permit the partner and of those who do not."""
    lake = small_lake.Lake(home.lake_root, catalog().tables)
    number = {r["person_key"]: int(r["source_person_id"].split("-")[1]) for r in lake.arrow("vault.link").to_pylist()}
    keys = {r["pseudonym"]: r["person_key"] for r in lake.arrow("vault.pseudonym").to_pylist()}
    known = {number[keys[r["person_id"]]]: tuple(r[c] for c in COLUMNS) for r in lake.arrow("product.patient_profile").to_pylist()}
    assert len(known) == PEOPLE
    return [known[n] for n in range(PEOPLE // 2)], [known[n] for n in range(PEOPLE // 2, PEOPLE)]


def measured(seen: Seen) -> dict[str, risks.Risk]:
    released, people, control = seen
    known = ((YEAR, SEX), (COUNTRY, REGION))
    return {"singling out": risks.risk(risks.singling_out(released, people), risks.singling_out(released, control)),
            "linkability": risks.risk(risks.linkability(released, people, known), risks.linkability(released, control, known)),
            "inference": risks.risk(risks.inference(released, people, (YEAR, SEX, COUNTRY), REGION),
                                    risks.inference(released, control, (YEAR, SEX, COUNTRY), REGION))}


ATTACKS = ("singling out", "linkability", "inference")


@pytest.mark.parametrize("attack", ATTACKS)
def test_groups_keep_the_risk_within_the_bound(seen: dict[str, Seen], attack: str) -> None:
    """At most ten in a hundred more than of people who are not in it, and none at all within the error."""
    found = measured(seen["grouped"])[attack]
    assert found.value <= BOUND and found.low <= 0


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_attack_works_on_rows_as_they_are(seen: dict[str, Seen], attack: str) -> None:
    found = measured(seen["bare"])[attack]
    assert found.low > BOUND


def test_groups_leave_rows_to_attack(seen: dict[str, Seen]) -> None:
    assert len(seen["bare"][0]) == PEOPLE // 2 and len(seen["grouped"][0]) > PEOPLE // 3


@pytest.mark.parametrize(("hits", "tries", "centre", "half"), [(0, 100, 0.0185, 0.0185), (50, 100, 0.5, 0.0962), (100, 100, 0.9815, 0.0185)])
def test_intervals_are_wilson_s(hits: int, tries: int, centre: float, half: float) -> None:
    assert risks.rate(hits, tries) == pytest.approx((centre, half), abs=5e-4)
