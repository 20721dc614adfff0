"""Texts of a frame, scrubbed in the engine: what is known of whoever a row is about goes first, and nobody else's."""

from __future__ import annotations

from datetime import date

import pytest

from contracts.table import Column
from contracts.vocabulary import Treatment
from jobs.stages import scrub, treat
from tests.conftest import Frames

IDENTITIES = ("source string, source_person_id string, given_name string, family_name string, birth_on date, email string, phone string, "
              "city string, patient_number string, handle string")
PEOPLE = [("crm", "1", "Quapp", "Frogmore", date(1961, 5, 30), "qf77@example.org", " ", "Nowhereham", "P-17", "@froggy"),
          ("app", "2", None, "x" * 400, None, None, None, None, None, None), ("app", "3", "Zilch", None, None, None, None, None, None, None)]
LINKS = [("crm", "1", "k1"), ("app", "2", "k1"), ("app", "3", "k2")]
ROWS = [("k1", 1, "today quapp came by for some tea, born 300561, account froggy, number p-17."), ("k2", 2, "today quapp and zilch came by for some tea."),
        ("k3", 3, "My name is Anna Weber, call me."), (None, 4, "today quapp came by for some tea."), ("k1", 5, "Mijn pomp is kapot en niemand belt."),
        ("k1", 6, None)]
LEFT = {1: "today [NAME_1] came by for some tea, born [DATE_1], account [HANDLE_1], number [ID_1].",
        2: "today quapp and [NAME_1] came by for some tea.", 3: "My name is [NAME_1], call me.",
        4: "today quapp came by for some tea.", 5: None, 6: None}
TEXT = Column(name="text", type="string", description="A text.", category="free_text", treatment=Treatment.SCRUB)
NUMBER = Column(name="number", type="int", description="Which row.", category="behavioural", treatment=Treatment.KEEP)


def test_texts_are_scrubbed_of_what_is_known_and_recognised(frame: Frames) -> None:
    known = scrub.known(frame("source string, source_person_id string, person_key string", LINKS), frame(IDENTITIES, PEOPLE))
    rows = frame("person_key string, number int, text string", ROWS)
    made = scrub.apply(rows, [TEXT, NUMBER], known)
    treated = treat.apply(made.selectExpr("*", "1L AS seed"), [NUMBER, TEXT], "seed", date(2026, 11, 30))
    assert treated.columns == ["number", "text"]
    assert {row["number"]: row["text"] for row in treated.collect()} == LEFT
    assert treat.lost(made, treated, [NUMBER, TEXT]) == {"text": 1}


def test_a_text_that_was_not_scrubbed_is_not_treated(frame: Frames) -> None:
    rows = frame("number int, text string, seed long", [(1, "Anna", 1)])
    with pytest.raises(treat.Unfit, match="text is treated by scrub"):
        treat.apply(rows, [NUMBER, TEXT], "seed", date(2026, 11, 30))
