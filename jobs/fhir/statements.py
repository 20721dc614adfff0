"""A FHIR R4 Consent as statements: what it says about each of our purposes, recipients and categories of data.

One Consent gives one statement for each purpose, recipient and category its rules name, nested ones too, each with its own
validity. A no about less than a category (a label, a code, a record, a window of time) is a no to the category or to all;
a yes about less is no statement. Purposes of v3-ActReason that none of ours answers to are passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.vocabulary import ConsentDecision, DataCategory, GivenBy, LegalBasis, Purpose, RejectReason
from jobs.fhir import consent, dates
from jobs.fhir.codes import RECEIVING_ROLES, USING_ACTIONS, narrower
from jobs.fhir.consent import Actor, Consent, Provision

# Resource types by the category of what they tell about a person; others tell more than one, or none of ours.
CLASSES = dict.fromkeys(
    ("AllergyIntolerance", "CarePlan", "Condition", "DiagnosticReport", "Immunization", "MedicationAdministration",
     "MedicationRequest", "MedicationStatement", "Observation", "Procedure", "QuestionnaireResponse"), DataCategory.HEALTH)
WAITING = ("draft", "proposed")
COLUMNS = {"source_person_id": "string", "purpose_code": "string", "recipient_id": "string", "data_category_code": "string",
           "decision_code": "string", "recorded_at": "timestamp", "valid_from_at": "timestamp", "valid_to_at": "timestamp",
           "data_from_at": "timestamp", "data_to_at": "timestamp", "legal_basis_code": "string", "evidence_form": "string",
           "evidence_language": "string", "given_by_code": "string"}


class Unread(ValueError):
    """A Consent that gives no statement: why, and of which column."""

    def __init__(self, reason: RejectReason, column: str) -> None:
        super().__init__(f"{reason}|{column}")


Span = tuple[datetime | None, datetime | None]
Cell = tuple[Purpose, str | None, str | None]  # Purpose, recipient and category of data; None is all of them.


@dataclass(frozen=True)
class Rule:
    """What a provision says once those around it are taken into account: a yes or a no, about whom and what, and when."""

    permits: bool
    purposes: tuple[Purpose, ...]
    recipients: tuple[str | None, ...]
    categories: tuple[str | None, ...]
    valid: Span
    window: Span


def statements(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of a Consent, by column. Raises Unread, and ConsentUnreadable where an element cannot be read."""
    held = consent.read(resource, "Consent")
    kind, _, patient = held.patient.reference.split("/_history/")[0].rpartition("/")
    if not patient or kind.split("/")[-1] != "Patient":
        raise Unread(RejectReason.MISSING, "source_person_id")
    if held.said_at is None:
        raise Unread(RejectReason.MISSING, "recorded_at")
    cells = _cells(held)
    if not cells:
        raise Unread(RejectReason.UNKNOWN_CODE if held.root.purposes else RejectReason.MISSING, "purpose_code")
    return [_row(cell, rule, held, patient) for cell, rule in cells.items()]


def _cells(held: Consent) -> dict[Cell, Rule]:
    """The rule that counts for each purpose, recipient and category: an exception replaces what is around it."""
    found: dict[Cell, Rule] = {}
    root, base = held.root, held.root.type or held.policy
    every = Rule(False, tuple(Purpose), (None,), (None,), (None, None), (None, None))
    if held.policy == "deny":
        _put(found, every)
    # The standard leaves open whether an exception without a type adds or takes away: it is no yes, whichever.
    ambiguous = root.type is None and bool(root.is_partial or root.actors or root.purposes)
    if base:
        _spread(found, root, every, permits=base == "permit" and not ambiguous)
    return found


def _spread(found: dict[Cell, Rule], provision: Provision, around: Rule, permits: bool) -> None:
    rule = _rule(provision, around, permits)
    if rule:
        _put(found, rule)
    for nested in sorted(provision.provisions, key=lambda p: p.type != "permit"):
        _spread(found, nested, rule or around, permits=nested.type == "permit")


def _put(found: dict[Cell, Rule], rule: Rule) -> None:
    for purpose in rule.purposes:
        for recipient in rule.recipients:
            for category in rule.categories:
                found[purpose, recipient, category] = rule


def _rule(provision: Provision, around: Rule, permits: bool) -> Rule | None:
    """A provision's own rule; None where it is a yes about less than can be said here."""
    partial = bool(provision.labels or provision.codes or provision.data)
    strange = any(c.code not in CLASSES for c in provision.classes)
    idle = bool(provision.actions) and not set(provision.actions) & set(USING_ACTIONS)
    if permits and (partial or strange or idle):
        return None
    categories: tuple[str | None, ...] = around.categories
    if provision.classes or partial:
        categories = (None,) if partial or strange else tuple(sorted({str(CLASSES[c.code]) for c in provision.classes}))
    return Rule(permits, _purposes(provision, around, permits), _recipients(provision, around, permits), categories,
                _within(around.valid, provision.period),
                _within(around.window, provision.data_period) if permits else (None, None))


def _purposes(provision: Provision, around: Rule, permits: bool) -> tuple[Purpose, ...]:
    """Those of ours that it names, or else those around it; a yes that names none at all is a yes to none."""
    if not provision.purposes:
        return () if permits and around.purposes == tuple(Purpose) else around.purposes
    named = {below for c in provision.purposes for below in ({c.code} if permits else narrower(c.code))}
    return tuple(p for p in Purpose if named & {str(p), *p.act_reasons})


def _recipients(provision: Provision, around: Rule, permits: bool) -> tuple[str | None, ...]:
    """The organizations it names, or else those around it; a no to somebody unknown is a no to everybody."""
    if not provision.actors:
        return around.recipients
    named = [_recipient(a) for a in provision.actors if not permits or a.role in RECEIVING_ROLES or not a.role]
    known = tuple(dict.fromkeys(name for name in named if name))
    return known if permits or len(known) == len(set(named)) else (None,)


def _within(around: Span, period: dict[str, Any]) -> Span:
    """The narrower of a period and the one around it."""
    start = dates.first(period["start"]) if period.get("start") else None
    end = dates.last(period["end"]) if period.get("end") else None
    return (max((d for d in (around[0], start) if d), default=None), min((d for d in (around[1], end) if d), default=None))


def _recipient(actor: Actor) -> str | None:
    """The id of the organization an actor refers to, or else its identifier; None where neither is known."""
    if actor.reference and "/" in actor.reference:
        kind, name = actor.reference.split("/_history/")[0].split("/")[-2:]
        return name if kind == "Organization" else f"{kind}/{name}"
    return actor.identifier.code if actor.identifier else None


def _row(cell: Cell, rule: Rule, held: Consent, patient: str) -> dict[str, Any]:
    decision = (ConsentDecision.ASKED if held.status in WAITING else ConsentDecision.PERMIT
                if rule.permits and held.status == "active" else ConsentDecision.DENY)
    guardian = any("RelatedPerson/" in performer for performer in held.performers)
    values = (patient, str(cell[0]), cell[1], cell[2], str(decision), held.said_at, *rule.valid, *rule.window,
              str(LegalBasis.EXPLICIT_CONSENT), held.form, held.language, str(GivenBy.GUARDIAN if guardian else GivenBy.SELF))
    return dict(zip(COLUMNS, values, strict=True))
