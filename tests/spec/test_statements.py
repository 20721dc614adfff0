"""FHIR Consents as statements: cases as rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.load import catalog
from contracts.vocabulary import Purpose
from jobs.errors import ConsentUnreadable
from jobs.fhir.statements import COLUMNS, Unread, statements

ALL = tuple(str(p) for p in Purpose)
SIMULATED = "https://concord.example/purpose"
REASON, TYPES = "http://terminology.hl7.org/CodeSystem/v3-ActReason", "http://hl7.org/fhir/resource-types"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
Said = set[tuple[str, str | None, str | None, str]]


def coded(system: str, *codes: str) -> list[dict[str, str]]:
    return [{"system": system, "code": code} for code in codes]


def whom(reference: str, role: str = "IRCP") -> list[dict[str, Any]]:
    return [{"role": {"coding": coded("", role)}, "reference": {"reference": reference}}]


def rule(kind: str | None, *purposes: str, nested: tuple[dict[str, Any], ...] = (), **more: Any) -> dict[str, Any]:
    return {**({"type": kind} if kind else {}), **({"purpose": coded(SIMULATED, *purposes)} if purposes else {}),
            **({"provision": list(nested)} if nested else {}), **more}


def consent(provision: dict[str, Any] | None = None, policy: str | None = "OPTIN", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Consent", "status": "active", "patient": {"reference": "https://h.example/fhir/Patient/p1"},
            "dateTime": "2026-03-01", **({"policyRule": {"coding": coded(ACT_CODE, policy)}} if policy else {}),
            **({"provision": provision} if provision else {}), **more}


def said(resource: dict[str, Any]) -> Said:
    rows = statements(resource)
    cells = [(r["purpose_code"], r["recipient_id"], r["data_category_code"]) for r in rows]
    assert len(set(cells)) == len(cells) and all(r.keys() == COLUMNS.keys() for r in rows)
    return {(*cell, r["decision_code"]) for cell, r in zip(cells, rows, strict=True)}


def one(decision: str, *purposes: str, to: str | None = None, about: str | None = None) -> Said:
    return {(p, to, about, decision) for p in purposes}


LAB, LABEL = whom("Organization/lab"), coded("s", "R")
OBSERVATION, SUPPLY = coded(TYPES, "Observation", "Condition"), coded(TYPES, "SupplyRequest")
CASES: dict[str, tuple[dict[str, Any], Said]] = {
    "two purposes": (consent(rule("permit", "research", "decision_support")), one("permit", "research", "decision_support")),
    "a no": (consent(rule("deny", "research")), one("deny", "research")),
    "purposes of use": (consent(rule("permit", purpose=coded(REASON, "HRESCH", "HMARKT", "TREAT"))),
                        one("permit", "research", "brand_communication")),
    "a no to what research is below": (consent(rule("deny", purpose=coded(REASON, "HRESCH"))), one("deny", "research")),
    "an opt-out of all": (consent(policy="OPTOUT"), one("deny", *ALL)),
    "a no to all": (consent(rule("deny"), policy=None), one("deny", *ALL)),
    "all but research": (consent(rule(None, nested=(rule("permit", "research"),)), policy="OPTOUT"),
                         one("permit", "research") | one("deny", *(p for p in ALL if p != "research"))),
    "all but research by its outer rule": (consent(rule("permit", "research"), policy="OPTOUT"),
                                           one("permit", "research") | one("deny", *(p for p in ALL if p != "research"))),
    "one purpose taken out": (consent(rule("permit", "research", "decision_support", nested=(rule("deny", "research"),))),
                              one("permit", "decision_support") | one("deny", "research")),
    "a recipient refused": (consent(rule("permit", "research", nested=(rule("deny", actor=LAB),))),
                            one("permit", "research") | one("deny", "research", to="lab")),
    "a recipient permitted": (consent(rule("permit", "research", nested=(rule("permit", actor=LAB),))),
                              one("permit", "research") | one("permit", "research", to="lab")),
    "only a recipient permitted": (consent(rule("permit", "research", actor=LAB)), one("permit", "research", to="lab")),
    "a custodian is no recipient": (consent(rule("permit", "research", nested=(
        rule("permit", actor=whom("Organization/h", "CST")),))), one("permit", "research")),
    "a no to a custodian": (consent(rule("deny", "research", actor=whom("Organization/h", "CST"))),
                            one("deny", "research", to="h")),
    "a no to nobody known": (consent(rule("permit", "research", nested=(rule("deny", actor=whom("")),))),
                             one("deny", "research")),
    "a practitioner": (consent(rule("deny", "research", actor=whom("Practitioner/7"))),
                       one("deny", "research", to="Practitioner/7")),
    "an actor by identifier": (consent(rule("deny", "research", actor=[{"reference": {"identifier": {"value": "lab"}}}])),
                               one("deny", "research", to="lab")),
    "a category": (consent(rule("permit", "research", **{"class": OBSERVATION})), one("permit", "research", about="health")),
    "a category refused": (consent(rule("permit", "research", nested=(rule("deny", **{"class": OBSERVATION}),))),
                           one("permit", "research") | one("deny", "research", about="health")),
    "a class of none of ours refused": (consent(rule("permit", "research", nested=(rule("deny", **{"class": SUPPLY}),))),
                                        one("deny", "research")),
    "a label refused": (consent(rule("permit", "research", nested=(rule("deny", securityLabel=LABEL),))),
                        one("deny", "research")),
    "a label of a category refused": (consent(rule("permit", "research", nested=(
        rule("deny", securityLabel=LABEL, **{"class": OBSERVATION}),))), one("deny", "research")),
    "a record refused": (consent(rule("permit", "research", nested=(rule("deny", data=[{"reference": {}}]),))),
                         one("deny", "research")),
    "a yes to a label adds nothing": (consent(rule("permit", "research", nested=(
        rule("permit", "decision_support", securityLabel=LABEL),))), one("permit", "research")),
    "an exception without a type": (consent(rule(None, "research")), one("deny", "research")),
    "a nested rule without a type": (consent(rule("permit", "research", nested=({"purpose": coded(SIMULATED, "research")},))),
                                     one("deny", "research")),
    "a no within a yes for a recipient": (consent(rule("permit", "research", "decision_support", nested=(
        rule("permit", nested=(rule("deny", "research"),), actor=LAB),))),
        one("permit", "research", "decision_support") | one("permit", "decision_support", to="lab")
        | one("deny", "research", to="lab")),
    "a no beats the yes beside it": (consent(rule("permit", "research", nested=(
        rule("deny", actor=LAB), rule("permit", actor=LAB)))), one("permit", "research") | one("deny", "research", to="lab")),
    "not active any more": (consent(rule("permit", "research"), status="inactive"), one("deny", "research")),
    "entered in error": (consent(rule("permit", "research"), status="entered-in-error"), one("deny", "research")),
    "not yet answered": (consent(rule("permit", "research"), status="proposed"), one("asked", "research")),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_consent_states(case: str):
    resource, expected = CASES[case]
    assert said(resource) == expected


@pytest.mark.parametrize(("resource", "problem"), [
    (consent(), "missing|purpose_code"), (consent(rule("permit")), "missing|purpose_code"),
    (consent(policy=None), "missing|purpose_code"), (consent(rule("permit", "fun")), "unknown_code|purpose_code"),
    (consent(rule("permit", purpose=coded(REASON, "TREAT"))), "unknown_code|purpose_code"),
    (consent(rule("permit", "research"), dateTime=None), "missing|recorded_at"),
    (consent(rule("permit", "research"), patient={"reference": "Group/1"}), "missing|source_person_id"),
    (consent(rule("permit", "research"), patient={}), "missing|source_person_id")])
def test_a_consent_that_states_nothing(resource: dict[str, Any], problem: str):
    with pytest.raises(Unread) as error:
        statements(resource)
    assert str(error.value) == problem


def test_when_and_on_what_evidence():
    resource = consent(rule("permit", "research", period={"start": "2026-02", "end": "2026-12"}, nested=(
        rule("deny", actor=LAB, period={"end": "2026-06-30"}),), dataPeriod={"start": "2025", "end": "2026-03-01T00:00:00Z"}),
        language="de", performer=[{"reference": "RelatedPerson/mother"}],
        sourceAttachment={"title": "Form 7"})
    own, partner = sorted(statements(resource), key=lambda r: r["recipient_id"] or "")
    assert (own["valid_from_at"], own["valid_to_at"]) == (datetime(2026, 2, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert (own["data_from_at"], own["data_to_at"]) == (
        datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, 0, 0, 0, 1, tzinfo=UTC))
    assert (partner["valid_from_at"], partner["valid_to_at"]) == (
        datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
    assert (partner["data_from_at"], partner["data_to_at"]) == (None, None)
    assert {(r["evidence_form"], r["evidence_language"], r["given_by_code"], r["legal_basis_code"]) for r in (own, partner)} == {
        ("Form 7", "de", "guardian", "explicit_consent")}
    assert own["recorded_at"] == datetime(2026, 3, 1, tzinfo=UTC)


def test_the_contract_has_every_column_and_maps_it():
    feed = next(f for f in catalog().sources["device_cloud"].feeds if f.parse == "fhir_consent")
    assert {m.column for m in feed.mappings} == COLUMNS.keys()
    assert {c.name: c.type for c in catalog().table("core.consent").columns if c.name in COLUMNS} == COLUMNS


NESTED = st.recursive(
    st.builds(lambda kind, purposes, more: rule(kind, *purposes, **more), st.sampled_from(["permit", "deny", None]),
              st.lists(st.sampled_from(["research", "decision_support", "fun"]), max_size=2),
              st.sampled_from([{}, {"actor": LAB}, {"class": OBSERVATION}, {"securityLabel": LABEL}, {"class": SUPPLY}])),
    lambda inner: st.builds(lambda r, n: {**r, "provision": n}, inner, st.lists(inner, min_size=1, max_size=3)), max_leaves=6)


@given(NESTED, st.sampled_from(["OPTIN", "OPTOUT", None]))
def test_a_no_added_everywhere_leaves_no_yes(provision: dict[str, Any], policy: str | None):
    refused = {**provision, "provision": [*provision.get("provision", []), rule("deny", *ALL)]}
    try:
        rows = statements(consent(refused, policy))
    except (Unread, ConsentUnreadable):
        return
    assert not [r for r in rows if r["decision_code"] == "permit" and r["recipient_id"] is None
                and r["data_category_code"] is None]
