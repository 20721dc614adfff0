"""Who is gone, why, and which no took them out: each case is a row."""

from __future__ import annotations

from datetime import datetime
from functools import reduce
from typing import Any

import pytest
from pyspark.sql import DataFrame

from contracts.vocabulary import GoneReason
from jobs.stages import withdrawal
from jobs.stages.people import People
from jobs.stages.withdrawal import Denial
from tests.spec.test_permit import AHEAD, BOTH, CASES, CONSENT, LINKS, NO, OWN, PARTNER, YES, day, says

# case, use, statements, on which days the noes were said that stand
STANDING: list[tuple[str, Any, list[tuple[Any, ...]], list[datetime]]] = [
    ("the last of its scope", OWN, [says(NO, 1), says(YES, 2), says(NO, 3)], [day(3)]),
    ("taken back", OWN, [says(NO, 1), says(YES, 2)], []),
    ("in the instant of a yes", OWN, [says(NO, 2), says(YES, 2)], [day(2)]),
    ("a yes that is ahead takes nothing back", OWN, [says(NO, 1), ("crm", "research", None, None, YES, AHEAD, None, None)], [day(1)]),
    ("in two sources", OWN, [says(NO, 3), says(NO, 2, source="app")], [day(2), day(3)]),
    ("of two purposes", BOTH, [says(NO, 3), says(NO, 2, "decision_support"), says(NO, 1, "patient_education")], [day(2), day(3)]),
    ("to the company and to the recipient", PARTNER, [says(NO, 3), says(NO, 2, to="lab"), says(NO, 1, to="other")], [day(2), day(3)]),
    ("to a recipient, where none is asked for", OWN, [says(NO, 2, to="lab")], []),
]


def found(frame: Any, cases: list[tuple[str, Any, list[tuple[Any, ...]]]]) -> dict[str, list[datetime]]:
    """Case -> when its standing noes were said."""
    frames = []
    for use in dict.fromkeys(asked for _, asked, _ in cases):
        mine = [(name, statements) for name, asked, statements in cases if asked == use]
        rows = [(s[0], name, *s[1:], None, None, None, None, f"{i}", "b") for name, statements in mine for i, s in enumerate(statements)]
        frames.append(withdrawal.denials(
            frame("person_key string", [(name,) for name, _ in mine]),
            People(frame(LINKS, [(source, name, name) for name, _ in mine for source in ("crm", "app")])),
            frame(f"{CONSENT}, record_id string, batch_id string", rows), use))
    said: dict[str, list[datetime]] = {name: [] for name, *_ in cases}
    for row in reduce(DataFrame.unionAll, frames).toArrow().to_pylist():
        said[row["person_key"]].append(row["said_at"])
    return {name: sorted(times) for name, times in said.items()}


def test_a_no_stands_where_the_decision_is_a_refusal_and_nowhere_else(frame: Any) -> None:
    asked = [(name, use, statements) for name, use, statements, _ in CASES if use.legal_basis.rests_on_consent]
    refused = {name for name, use, _, reason in CASES if use.legal_basis.rests_on_consent and reason == "denied"}
    assert len(refused) > 5 and {name for name, times in found(frame, asked).items() if times} == refused


def test_which_noes_stand(frame: Any) -> None:
    got = found(frame, [(name, use, statements) for name, use, statements, _ in STANDING])
    assert got == {name: times for name, _, _, times in STANDING}


def test_who_is_not_permitted_or_not_decided_is_gone(frame: Any) -> None:
    held = frame("pseudonym string, person_key string", [("a", "A"), ("b", "B"), ("c", "C"), ("d", None)])
    decisions = frame("person_key string, is_permitted boolean, reason_code string",
                      [("A", True, "permitted"), ("B", False, "denied"), ("E", False, "denied")])
    rows = {(r.pseudonym, r.person_key, r.reason_code) for r in withdrawal.gone(held, decisions).collect()}
    assert rows == {("b", "B", "denied"), ("c", "C", None), ("d", None, None)}


NEWS = Denial("crm", "1", day(3), None)


@pytest.mark.parametrize(("reason", "news", "same_terms", "word"), [
    ("denied", NEWS, True, "withdrawal"), ("denied", NEWS, False, "withdrawal"),
    ("denied", None, True, "identity_changed"), ("denied", None, False, "not_permitted"),
    ("expired", None, True, "consent_lapsed"), ("nothing_known", None, True, "not_permitted"),
    ("a reason of later", None, True, "not_permitted"), (None, None, True, "identity_changed")])
def test_why(reason: str | None, news: Denial | None, same_terms: bool, word: str) -> None:
    assert withdrawal.because(reason, news, same_terms) is GoneReason(word)


def test_the_first_no_that_was_not_known() -> None:
    rows = [{"source": "crm", "record_id": f"{i}", "batch_id": batch, "said_at": day(at)}
            for i, (batch, at) in enumerate([("known", 1), ("news", 4), ("news", 3), ("waits", 5)])]
    conformed = {"known": day(10), "news": day(12), "waits": None}
    assert withdrawal.first_news(rows, conformed, day(10)) == Denial("crm", "2", day(3), day(12))
    assert withdrawal.first_news(rows[:1], conformed, day(10)) is None
    assert withdrawal.first_news(rows[3:], conformed, day(20)) == Denial("crm", "3", day(5), None)
    assert withdrawal.first_news(rows[:1], {}, day(10)) == Denial("crm", "0", day(1), None)
