"""What the consents of a Bundle say to one request, as HL7's CDS Hook patient-consent-consult asks.

A consent counts when it is active, about the patient, of a category that is asked for, valid at the moment, and its base
rule is about the purpose, the actor and the classes of data asked for. The base rule is the policyRule, and the outer
provision where it has a type. Nested provisions are exceptions: a no that fits the request beats the base, a no about some
data only asks for that data to be redacted, and a yes lifts a base no. Of several consents about the same (source, category,
purposes, actors) the latest counts, at one instant the no; beyond that a no beats a yes. What cannot be told is not a yes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from jobs.errors import ConsentUnreadable
from jobs.fhir import dates
from jobs.fhir.answer import Answer, Reason
from jobs.fhir.asked import Asked
from jobs.fhir.bundle import Bundle
from jobs.fhir.codes import CONSENT_SCOPE, Because, Coding, Decision
from jobs.fhir.consent import Consent, Provision
from jobs.fhir.request import Request


def decide(bundle: Bundle, request: Request, at: datetime) -> Answer:
    """The answer to a request at a moment (an aware datetime). Raises ConsentUnreadable when it may be about another patient."""
    said: list[Reason] = []
    patients = _patients(bundle, request)
    heard = [(c, _says(c, bundle, request, at, said)) for c in bundle.consents if _counts(c, patients, request, said)]
    spoken = [(c, a) for c, a in heard if a is not None]
    counting = [a for c, a in spoken if not _superseded(c, a, spoken, said) and a.decision is not Decision.NONE]
    if any(a.decision is Decision.DENY for a in counting):
        return Answer(Decision.DENY, because=said)
    whole = Answer(Decision.PERMIT if counting else Decision.NONE, because=said)
    for answer in counting:
        whole.codes.extend(answer.codes)
        whole.data.extend(answer.data)
        whole.except_codes.extend(answer.except_codes)
    return whole


def _patients(bundle: Bundle, request: Request) -> set[str]:
    """The references by which the bundle's consents name the patient that is asked about."""
    asked = {i.pair for i in request.patient_id}
    names = {name for i in request.patient_id for name in (i.value, f"Patient/{i.value}")}
    found, unknown, patients = set(), set(), {c.patient for c in bundle.consents}
    for patient in patients:
        known = bundle.identifiers(patient)
        if patient.reference in names or asked & set(known or ()):
            found.add(patient.reference)
        elif known is None:
            unknown.add(patient.reference)
    if not found and unknown and len(patients) > 1:
        raise ConsentUnreadable("the consents are about several patients and nothing says which of them is asked about; add "
                                "their Patient resources to the bundle, or leave only one patient's consents in it")
    return found or unknown


def _counts(consent: Consent, patients: set[str], request: Request, said: list[Reason]) -> bool:
    """Whether a consent is one to hear: the patient's, of a category asked for, active or rejected."""
    asked = {c.pair for c in request.category} | ({Coding(CONSENT_SCOPE, request.scope)} if request.scope else set())
    why = (Because.OTHER_PATIENT if consent.patient.reference not in patients
           else Because.OTHER_CATEGORY if asked and not asked & set(consent.subjects)
           else Because.NOT_ACTIVE if consent.status not in ("active", "rejected") else None)
    if why:
        said.append(Reason(consent.name, why))
    return why is None


def _superseded(consent: Consent, answer: Answer, spoken: Iterable[tuple[Consent, Answer]], said: list[Reason]) -> bool:
    """Whether a later consent about the same counts instead; an undated no is never too old, an undated yes always is."""
    if answer.decision is Decision.DENY and consent.said_at is None:
        return False
    mine = consent.said_at or dates.EARLIEST
    for other, theirs in spoken:
        when = other.said_at or dates.EARLIEST
        stricter = theirs.decision is not Decision.PERMIT and answer.decision is Decision.PERMIT
        if other is not consent and other.scope == consent.scope and (when > mine or (when == mine and stricter)):
            said.append(Reason(consent.name, Because.SUPERSEDED))
            return True
    return False


def _says(consent: Consent, bundle: Bundle, request: Request, at: datetime, said: list[Reason]) -> Answer | None:
    """What one consent says to a request: nothing (NO_CONSENT) when it is over, None when it is about something else."""
    def because(why: Because, provision: str = "") -> None:
        said.append(Reason(consent.name, why, provision))

    asked, root = Asked(bundle, request, at), consent.root
    if consent.status == "rejected" or not dates.contains(root.period, at):
        because(Because.NOT_ACTIVE if consent.status == "rejected" else Because.NOT_IN_PERIOD)
        return Answer(Decision.NONE)
    apart = asked.apart(root, refusing=root.type != "permit")
    if root.type is None and (root.is_partial or root.actors or root.purposes):
        # The standard leaves open whether an exception without a type adds or takes away: it is no yes, whichever.
        because(apart or Because.AMBIGUOUS)
        return None if apart else Answer(Decision.DENY)
    answer = _based(consent, asked, apart)
    if answer is None:
        because(apart or Because.NO_BASE)
        return None
    because(Because.BASE_PERMITS if answer.decision is Decision.PERMIT else Because.BASE_DENIES)
    _except(answer, root, asked, because)
    return answer


def _based(consent: Consent, asked: Asked, apart: Because | None) -> Answer | None:
    """The answer of the policy and the outer provision, which is an exception to it where both are there."""
    root, policy = consent.root, consent.policy
    if root.type == "permit" and apart is None and (only := asked.only(root)) is not None:
        return Answer(Decision.PERMIT, except_codes=only)
    if root.type == "deny" and apart is None:
        whole = asked.refused(root)
        return whole if policy == "permit" else Answer(Decision.DENY)
    if root.type == "permit":
        return Answer(Decision.DENY) if policy == "deny" else None
    return None if policy is None else Answer(Decision.PERMIT if policy == "permit" else Decision.DENY)


def _except(answer: Answer, rule: Provision, asked: Asked, because: Callable[[Because, str], None]) -> None:
    """Apply the provisions nested in a rule to its answer: yeses first, so that a no beside them beats them."""
    for provision in sorted(rule.provisions, key=lambda p: p.type != "permit"):
        permits = provision.type == "permit"
        if asked.apart(provision, refusing=not permits) is not None:
            continue
        only = asked.only(provision) if permits else None
        if permits and only is None:
            continue
        inner = Answer(Decision.PERMIT, except_codes=only or []) if permits else asked.refused(provision)
        _except(inner, provision, asked, because)
        if inner.decision is Decision.DENY:
            because(Because.PROVISION_DENIES, provision.place)
            answer.become(inner)
        elif answer.decision is Decision.DENY and permits:
            because(Because.PROVISION_PERMITS, provision.place)
            answer.become(inner)
        elif inner.codes or inner.data:
            because(Because.PROVISION_REDACTS, provision.place)
            answer.codes.extend(inner.codes)
            answer.data.extend(inner.data)
