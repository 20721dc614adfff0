"""Somebody who knows rows of a person looks for them in an extract by its quasi-identifiers."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

from contracts import catalog
from contracts.anonymity import Anonymity
from contracts.hierarchies import named
from contracts.load import folders
from jobs.stages.anonymise import anonymise

PEOPLE, DAYS, K = 60, 20, 7
QUASI = {"day": "exact", "readings": "readings_a_day"}


def extract(frame: Any) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], set[str]], int]:
    """The number of readings of each person and day as they were, the people of each group of the extract, and the level of its bands."""
    chance = random.Random(7)  # noqa: S311  # Made-up people.
    usual = {f"p{n}": chance.choice([2, 3, 3, 4, 5, 6]) for n in range(PEOPLE)}
    known = {(person, f"2026-10-{day + 1:02d}"): max(1, number + chance.choice([-1, 0, 0, 1])) for person, number in usual.items() for day in range(DAYS)
             if chance.random() > 0.1}
    asked = Anonymity.model_validate({"quasiIdentifiers": QUASI, "k": K, "suppressPercent": 5, "sensitive": {}, "reason": None})
    recipient = catalog().recipients["glycemia_institute"].model_copy(update={"anonymity": asked})
    made = anonymise(frame("person string, day string, readings long", [(*key, number) for key, number in known.items()]), recipient, "person")
    groups = defaultdict(set)
    for person, day, band in made.rows.collect():
        groups[day, band].add(person)
    return known, groups, made.said["levels"]["readings"]["level"]


def told(number: int, level: int) -> str:
    """What the extract tells of a number: the hierarchy is known to everybody."""
    levels = named(QUASI["readings"], folders()).told(str(number)) or ()
    return ((str(number), *levels, "*")[level]) or ""


def test_who_knows_one_row_finds_k_people_or_none(frame: Any) -> None:
    known, groups, level = extract(frame)
    found = [groups[day, told(number, level)] for (_, day), number in known.items() if (day, told(number, level)) in groups]
    assert len(found) >= 0.95 * len(known) and level > 0
    assert min(map(len, found)) >= K
    assert all(person in groups[day, told(number, level)] for (person, day), number in known.items() if (day, told(number, level)) in groups)


def test_who_knows_many_rows_is_promised_nothing(frame: Any) -> None:
    """What k-anonymity by one row does not prevent, as DESIGN says: with all rows of a person nearly everybody is alone."""
    known, groups, level = extract(frame)
    alone = 0
    for person in {person for person, _ in known}:
        shared = [groups[day, told(number, level)] for (other, day), number in known.items() if other == person and (day, told(number, level)) in groups]
        alone += set.intersection(*shared) == {person}
    assert alone > PEOPLE / 2
