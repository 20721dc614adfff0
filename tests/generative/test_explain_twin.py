"""Explanations beside a plain-Python twin: the same decision, reason and winning statements for random people and releases."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame

from contracts.vocabulary import LegalBasis, StatementFate
from jobs.stages import explain, permit
from jobs.stages.use import Use
from tests.conftest import Frames
from tests.spec.aged import aged

PEOPLE = "source string, source_person_id string, person_key string, said_by string, adult_at timestamp, lapse_days int"
CONSENT = ("source string, source_person_id string, record_id string, purpose_code string, recipient_id string, "
           "channel_code string, decision_code string, recorded_at timestamp, valid_from_at timestamp, valid_to_at timestamp, "
           "data_category_code string, given_by_code string, data_from_at timestamp, data_to_at timestamp")
START = datetime(2026, 1, 1, tzinfo=UTC)
RELEASES, IN_EACH = 20, 50  # 1,000 pairs
ACCOUNTS = {"app": "app", "crm": "crm", "held": "crm"}  # The source of each; a match with who has the last is held.
REASONS = {2: "denied", 1: "permitted", 0: "expired", -1: "nothing_known"}
Said = dict[str, Any]


@dataclass(frozen=True)
class Person:
    """What is known of a person: accounts of which only a no counts, when they come of age, how long their yeses last."""

    only_no: tuple[str, ...]
    adult_at: datetime | None
    lapse_days: int | None
    said: list[Said]


def aside(s: Said, person: Person, use: Use) -> str | None:
    """Why a statement does not concern a use; None where it does."""
    to, no, category = (s["recipient_id"] or "").strip(), s["decision_code"] == "deny", s["data_category_code"]
    return next((why for why, is_so in {
        "other_purpose": s["purpose_code"] not in use.purposes, "other_recipient": to not in ("", use.recipient or ""),
        "other_category": category is not None and (category not in use.categories if use.categories else not no),
        "about_channel": bool(s["channel_code"]), "only_asked": s["decision_code"] == "asked",
        "not_known_yet": s["recorded_at"] > use.as_of + timedelta(minutes=10 if no else 0)}.items() if is_so), None)


def word(s: Said, person: Person, use: Use) -> tuple[int, str]:
    """How strong a statement is that concerns the use (no 2, yes 1, lapsed 0), and what becomes of it if it wins."""
    if s["decision_code"] == "deny":
        return 2, "counts"
    begins, ends = s["valid_from_at"] or s["recorded_at"], s["valid_to_at"] or datetime.max.replace(tzinfo=UTC)
    if not begins <= use.as_of < ends:
        return 0, "lapsed" if begins <= use.as_of else "not_yet_valid"
    if person.lapse_days is not None and use.as_of >= s["recorded_at"] + timedelta(days=person.lapse_days):
        return 0, "given_by_another" if by_another(s, person, use) else "lapsed"
    return (0, "given_by_another") if by_another(s, person, use) else (1, "counts")


def by_another(s: Said, person: Person, use: Use) -> bool:
    """Whether a yes was given by who may not give it."""
    if person.adult_at is None:
        return False
    return person.adult_at <= use.as_of if s["given_by_code"] == "guardian" else s["recorded_at"] < person.adult_at


def twin(person: Person, use: Use) -> tuple[str, dict[str, str], set[str]]:
    """Reason, the fate of each statement, and the statements that decided: told by sorting and comparing, one person at a time."""
    fates, scopes = {}, {}
    for s in person.said:
        if why := aside(s, person, use):
            fates[s["record_id"]] = why
        else:
            scope = s["source"], s["account"] if s["account"] in person.only_no else "", s["purpose_code"], (s["recipient_id"] or "").strip(), s["data_category_code"]
            strength, fate = word(s, person, use)
            scopes.setdefault(scope, []).append((s["recorded_at"], strength, s["record_id"], fate))
    cells = [(p, c) for p in use.purposes for c in (use.categories or (None,))]
    answers: dict[tuple[str, str | None], list[tuple[int, str]]] = {cell: [] for cell in cells}
    for (_, other, purpose, to, category), heard in scopes.items():
        last = max(heard)[:2]
        for when, strength, name, fate in heard:
            if (when, strength) != last:
                fates[name] = "outweighed" if when == last[0] else "superseded"
            elif other and strength < 2:
                fates[name] = "stays_apart"
            elif use.recipient and not to and strength < 2:
                fates[name] = "to_company_only"
            else:
                fates[name] = fate
                for cell in cells:
                    if cell[0] == purpose and (category is None or cell[1] in (None, category)):
                        answers[cell].append((strength, name))
    strongest = {cell: max((strength for strength, _ in found), default=-1) for cell, found in answers.items()}
    worst = 2 if 2 in strongest.values() else 0 if 0 in strongest.values() else min(strongest.values())
    decided = {name for cell in cells if strongest[cell] == worst for strength, name in answers[cell] if strength == worst}
    return REASONS[worst], fates, decided


def moment(chance: random.Random) -> datetime:
    """One of few, so that many of them meet."""
    return START + timedelta(days=chance.randrange(7), minutes=chance.choice((0, 0, 0, 5, 10, 11)))


def statement(chance: random.Random, name: str) -> Said:
    """One statement of one of a person's accounts."""
    account = chance.choice(("app", "app", "crm", "crm", "held"))
    return {"source": ACCOUNTS[account], "account": account, "record_id": name,
            "purpose_code": chance.choice(("research", "research", "decision_support", "patient_education")),
            "recipient_id": chance.choice((None, None, "", " ", "lab", "lab", "other")),
            "channel_code": chance.choice((None,) * 6 + ("email",)),
            "decision_code": chance.choice(("permit", "permit", "permit", "deny", "asked")), "recorded_at": moment(chance),
            "valid_from_at": chance.choice((None, None, moment(chance))), "valid_to_at": chance.choice((None, None, moment(chance))),
            "data_category_code": chance.choice((None, None, None, "health", "contact")),
            "given_by_code": chance.choice((None, "self", "self", "guardian"))}


def release(chance: random.Random, number: int) -> tuple[Use, dict[str, Person]]:
    """What a release was for and when it was decided, and its people with what they had said in the table version it read."""
    purposes = chance.choice((("research",), ("research", "decision_support"), ("decision_support",)))
    use = Use(purposes, chance.choice((None, None, "lab")), LegalBasis.EXPLICIT_CONSENT, START + timedelta(days=chance.randrange(7)),
              chance.choice(((), ("health",), ("contact", "health"))))
    people = {f"{number}/{n}": Person(
        chance.choice((("held",), ("held",), ("crm", "held"))), chance.choice((None, None, moment(chance))), chance.choice((None, None, None, 2)),
        [statement(chance, f"{number}/{n}/{k}") for k in range(chance.randrange(9))]) for n in range(IN_EACH)}
    return use, people


def by_the_engine(frame: Frames, use: Use, people: dict[str, Person]) -> DataFrame:
    """A row for each person and statement (null: none), with the engine's decision."""
    links = frame(PEOPLE, [(source, f"{account}:{name}", name, account if account in p.only_no else None, p.adult_at, p.lapse_days)
                           for name, p in people.items() for account, source in ACCOUNTS.items()])
    names = [column.split()[0] for column in CONSENT.split(", ")]
    consent = frame(CONSENT, [tuple({**s, "source_person_id": f"{s['account']}:{name}"}.get(c) for c in names)
                              for name, p in people.items() for s in p.said])
    decisions = permit.decide(aged(links), consent, use)
    told = explain.statements(aged(links), consent, use, decisions).select("person_key", "record_id", "fate_code", "decides")
    return decisions.join(told, "person_key", "left")


def differences(frame: Frames, seed: int) -> Iterator[str]:
    """Every person and release that the engine explains otherwise than the twin."""
    chance = random.Random(seed)  # noqa: S311 - cases, no secrets
    releases = [release(chance, number) for number in range(RELEASES)]
    rows = [row for each in releases for row in by_the_engine(frame, *each).collect()]
    found: dict[str, tuple[str, dict[str, str], set[str]]] = {}
    for row in rows:
        reason, fates, decided = found.setdefault(row.person_key, (row.reason_code, {}, set()))
        assert (row.is_permitted, row.reason_code) == (reason == "permitted", reason)
        if row.record_id:
            fates[row.record_id] = row.fate_code
            decided |= {row.record_id} if row.decides else set()
    seen: Counter[str] = Counter()
    for use, people in releases:
        for name, person in people.items():
            wanted = twin(person, use)
            seen.update([wanted[0], *wanted[1].values()])
            if found.pop(name) != wanted:
                yield f"seed {seed}, person {name}: {wanted}"
    assert not found and sum(len(people) for _, people in releases) == 1000
    assert set(seen) >= {*map(str, StatementFate), *REASONS.values()}


def test_a_thousand_explanations_equal_the_naive_ones(frame: Frames) -> None:
    assert list(differences(frame, seed=20261101)) == []
