"""What FHIR consents say to a request of the hook patient-consent-consult: cases as rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import ConsentUnreadable
from jobs.fhir.bundle import Bundle
from jobs.fhir.codes import Because
from jobs.fhir.consult import decide
from jobs.fhir.request import read_request

AT = datetime(2026, 11, 1, tzinfo=UTC)
ACT_CODE, CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-ActCode", "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
SCOPE, TYPES = "http://terminology.hl7.org/CodeSystem/consentscope", "http://hl7.org/fhir/resource-types"
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
CLINIC, DOCTOR = {"system": "urn:ietf:rfc:3986", "value": "1.2.3"}, {"system": "https://doctors.example", "value": "7"}
STRANGER = {"system": "urn:ietf:rfc:3986", "value": "9.9.9"}
PATIENT = {"system": "https://patients.example", "value": "P-1"}
WHO = [
    {"fullUrl": "https://h.example/fhir/Organization/54", "resource": {
        "resourceType": "Organization", "identifier": [{"system": "x", "value": "y"}, CLINIC]}},
    {"resource": {"resourceType": "Practitioner", "id": "1", "identifier": [DOCTOR]}},
    {"resource": {"resourceType": "Practitioner", "id": "54", "identifier": [{"system": "x", "value": "another"}]}}]


def coded(system: str, *codes: str) -> list[dict[str, str]]:
    return [{"system": system, "code": code} for code in codes]


def actor(reference: str, role: str = "IRCP") -> list[dict[str, Any]]:
    return [{"role": {"coding": coded("", role)}, "reference": {"reference": reference}}]


def provision(kind: str | None, *nested: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**({"type": kind} if kind else {}), **({"provision": list(nested)} if nested else {}), **more}


def consent(rule: dict[str, Any] | None = None, policy: str | None = None, **more: Any) -> dict[str, Any]:
    held: dict[str, Any] = {"resourceType": "Consent", "status": "active", "patient": {"reference": "Patient/52"},
                            "scope": {"coding": coded(SCOPE, "patient-privacy")}, "dateTime": "2025-03-01", **more}
    if policy:
        held["policyRule"] = {"coding": coded(ACT_CODE, policy)}
    if rule is not None:
        held["provision"] = rule
    return held


def asked(**more: Any) -> dict[str, Any]:
    return {"patientId": [PATIENT], "category": coded(SCOPE, "patient-privacy"), "purposeOfUse": "TREAT", "actor": [CLINIC],
            **more}


def answered(consents: list[dict[str, Any]], request: dict[str, Any], who: list[dict[str, Any]] = WHO) -> tuple[str, list[str]]:
    """The decision, and the codes to redact; those that alone may pass begin with only."""
    bundle = Bundle({"resourceType": "Bundle", "entry": [*who, *({"resource": c} for c in consents)]})
    document = decide(bundle, read_request(request), AT).document()
    assert all(reason["reason"] in list(Because) for reason in document["because"])
    codes = [f"{'' if name == 'codes' else 'only ' if name == 'exceptAnyOfCodes' else 'ref '}"
             f"{code['code'] if isinstance(code, dict) else code}"
             for o in document["obligations"] for name, found in o["parameters"].items() for code in found]
    return document["decision"].removeprefix("CONSENT_"), codes


CLINIC_NO = provision("deny", actor=actor("Organization/54"))
RESTRICTED = provision("deny", actor=actor("Organization/54"), securityLabel=coded(CONFIDENTIALITY, "R"))
MEDICATION = coded(TYPES, "MedicationStatement")
NO_MEDICATION = provision("deny", actor=actor("Organization/54"), **{"class": MEDICATION})
OVER, TO_COME = {"period": {"end": "2026-10-31"}}, {"period": {"start": "2026-11-02"}}
HMARKET_NO = provision("deny", purpose=coded(REASON, "HMARKT"))
YES, NO = consent(policy="OPTIN"), consent(policy="OPTOUT")
AFTER, BEFORE = {"dateTime": "2025-03-02"}, {"dateTime": "2010-11-01"}

CASES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str, list[str]]] = {
    "nothing known": ([], asked(), "NO_CONSENT", []),
    "an opt-in": ([YES], asked(), "PERMIT", []),
    "an opt-out": ([NO], asked(), "DENY", []),
    "an opt-out with exceptions": ([consent(policy="OPTOUTE")], asked(), "DENY", []),
    "no rule at all": ([consent()], asked(), "NO_CONSENT", []),
    "a policy that is no base rule": ([consent(policy="hipaa-self-pay")], asked(), "NO_CONSENT", []),
    "the outer provision's type": ([consent(provision("permit"), policy="hipaa-self-pay")], asked(), "PERMIT", []),
    "an outer no": ([consent(provision("deny"))], asked(), "DENY", []),
    "an outer no beats an opt-in": ([consent(provision("deny"), policy="OPTIN")], asked(), "DENY", []),
    "inactive": ([consent(policy="OPTIN", status="inactive")], asked(), "NO_CONSENT", []),
    "entered in error": ([consent(policy="OPTIN", status="entered-in-error")], asked(), "NO_CONSENT", []),
    "rejected later": ([YES, consent(policy="OPTIN", status="rejected", **AFTER)], asked(), "NO_CONSENT", []),
    "expired": ([consent(OVER, "OPTIN")], asked(), "NO_CONSENT", []),
    "the last day counts": ([consent({"period": {"end": "2026-11-01"}}, "OPTIN")], asked(), "PERMIT", []),
    "the last year counts": ([consent({"period": {"end": "2026"}}, "OPTIN")], asked(), "PERMIT", []),
    "until the end of time": ([consent({"period": {"end": "9999-12-31"}}, "OPTIN")], asked(), "PERMIT", []),
    "until the end of the last year": ([consent({"period": {"start": "0001-01-01T00:00:00+05:00", "end": "9999"}}, "OPTIN")],
                                       asked(), "PERMIT", []),
    "until the last moment elsewhere": ([consent({"period": {"end": "9999-12-31T23:59:59-05:00"}}, "OPTIN")], asked(),
                                        "PERMIT", []),
    "the last second is over": ([consent({"period": {"end": "2026-10-31T23:59:59Z"}}, "OPTIN")], asked(), "NO_CONSENT", []),
    "not yet valid": ([consent(TO_COME, "OPTIN")], asked(), "NO_CONSENT", []),
    "another scope": ([consent(policy="OPTIN", scope={"coding": coded(SCOPE, "research")})], asked(), "NO_CONSENT", []),
    "no category asked": ([YES], asked(category=None), "PERMIT", []),
    "the scope as a code": ([YES], {**asked(scope="patient-privacy"), "category": []}, "PERMIT", []),
    "another scope as a code": ([YES], {**asked(scope="adr"), "category": []}, "NO_CONSENT", []),
    "the scope among the categories": ([consent(policy="OPTIN", scope=None, category=[{"coding": coded(
        SCOPE, "patient-privacy")}])], asked(), "PERMIT", []),
    "a refused organization": ([consent(provision(None, CLINIC_NO), "OPTIN")], asked(), "DENY", []),
    "another organization": ([consent(provision(None, CLINIC_NO), "OPTIN")], asked(actor=[STRANGER]), "PERMIT", []),
    "one of several identifiers": ([consent(provision(None, CLINIC_NO), "OPTIN")], asked(actor=[STRANGER, CLINIC]), "DENY", []),
    "who asks is not said": ([consent(provision(None, CLINIC_NO), "OPTIN")], asked(actor=[]), "DENY", []),
    "a refused practitioner": ([consent(provision(None, provision("deny", actor=actor("Practitioner/1"))), "OPTIN")],
                               asked(actor=DOCTOR), "DENY", []),
    "a refused actor nobody knows": ([consent(provision(None, provision("deny", actor=actor("Organization/99"))), "OPTIN")],
                                     asked(), "DENY", []),
    "a permitted actor nobody knows": ([consent(provision("permit", actor=actor("Organization/99")))], asked(), "NO_CONSENT", []),
    "a permitted actor": ([consent(provision("permit", actor=actor("Organization/54")))], asked(), "PERMIT", []),
    "a custodian receives nothing": ([consent(provision("permit", actor=actor("Organization/54", "CST")))], asked(),
                                     "NO_CONSENT", []),
    "an exception without a type": ([consent(provision(None, actor=actor("Organization/54")), "OPTIN")], asked(), "DENY", []),
    "and for others": ([consent(provision(None, actor=actor("Organization/54")), "OPTIN")], asked(actor=[STRANGER]),
                       "NO_CONSENT", []),
    "an outer no to one": ([consent(provision("deny", actor=actor("Organization/54")), "OPTIN")], asked(), "DENY", []),
    "an outer no to another": ([consent(provision("deny", actor=actor("Organization/54")), "OPTIN")], asked(actor=[STRANGER]),
                               "PERMIT", []),
    "an outer no to another alone": ([consent(provision("deny", actor=actor("Organization/54")))], asked(actor=[STRANGER]),
                                     "NO_CONSENT", []),
    "a refused purpose": ([consent(provision(None, HMARKET_NO), "OPTIN")], asked(purposeOfUse="HMARKT"), "DENY", []),
    "another purpose": ([consent(provision(None, HMARKET_NO), "OPTIN")], asked(), "PERMIT", []),
    "one refused purpose of two": ([consent(provision(None, HMARKET_NO), "OPTIN")], asked(purposeOfUse=["TREAT", "HMARKT"]),
                                   "DENY", []),
    "a purpose below the refused": ([consent(provision(None, provision("deny", purpose=coded(REASON, "TREAT"))), "OPTIN")],
                                    asked(purposeOfUse="ETREAT"), "DENY", []),
    "no purpose said": ([consent(provision(None, HMARKET_NO), "OPTIN")], asked(purposeOfUse=None), "DENY", []),
    "the base rule's purpose": ([consent(provision("permit", purpose=coded(REASON, "TREAT", "ETREAT")))],
                                asked(purposeOfUse="ETREAT"), "PERMIT", []),
    "not the base rule's purpose": ([consent(provision("permit", purpose=coded(REASON, "TREAT")))],
                                    asked(purposeOfUse="HMARKT"), "NO_CONSENT", []),
    "below a permitted purpose": ([consent(provision("permit", purpose=coded(REASON, "TREAT")))],
                                  asked(purposeOfUse="ETREAT"), "NO_CONSENT", []),
    "a code of another system is no purpose of use": (
        [consent(provision("permit", purpose=coded("https://acme.example/codes", "TREAT")))], asked(), "NO_CONSENT", []),
    "but it may be the one refused": (
        [consent(provision(None, provision("deny", purpose=coded("https://acme.example/codes", "TREAT"))), "OPTIN")], asked(),
        "DENY", []),
    "a purpose of the value set": ([consent(provision("permit", purpose=coded(
        "http://terminology.hl7.org/ValueSet/v3-PurposeOfUse", "TREAT")))], asked(), "PERMIT", []),
    "one of the purposes asked": ([consent(provision("permit", purpose=coded(REASON, "ETREAT")))],
                                  asked(purposeOfUse=["ETREAT", "HMARKT"]), "PERMIT", []),
    "a purpose as a coding": ([consent(provision("permit", purpose=coded(REASON, "TREAT")))],
                              asked(purposeOfUse=coded(REASON, "TREAT")), "PERMIT", []),
    "a label": ([consent(provision(None, RESTRICTED), "OPTIN")], asked(), "PERMIT", ["R"]),
    "a label for others": ([consent(provision(None, RESTRICTED), "OPTIN")], asked(actor=[STRANGER]), "PERMIT", []),
    "labels of two provisions": ([consent(provision(None, RESTRICTED, {**RESTRICTED, "securityLabel": coded(
        CONFIDENTIALITY, "V", "R")}), "OPTIN")], asked(), "PERMIT", ["R", "V"]),
    "a label and a class": ([consent(provision(None, {**RESTRICTED, "class": MEDICATION}), "OPTIN")], asked(), "PERMIT",
                            ["R", "MedicationStatement"]),
    "another class is asked": ([consent(provision(None, RESTRICTED, NO_MEDICATION), "OPTIN")],
                               asked(**{"class": coded(TYPES, "Immunization")}), "PERMIT", ["R"]),
    "the refused class is asked": ([consent(provision(None, NO_MEDICATION), "OPTIN")], asked(**{"class": MEDICATION}), "DENY", []),
    "a clinical code": ([consent(provision(None, provision("deny", code=[{"coding": coded("http://loinc.org", "42828-4")}])),
                                 "OPTIN")], asked(), "PERMIT", ["42828-4"]),
    "a clinical code that stands alone": ([consent(provision(None, provision("deny", code={"coding": coded(
        "http://loinc.org", "42828-4")})), "OPTIN")], asked(), "PERMIT", ["42828-4"]),
    "a refused record": ([consent(provision(None, provision("deny", data=[{"reference": {"reference": "Task/3"}}])), "OPTIN")],
                         asked(), "PERMIT", ["ref Task/3"]),
    "a refused window of data": ([consent(provision(None, provision("deny", dataPeriod={"end": "2020"})), "OPTIN")], asked(),
                                 "DENY", []),
    "a yes to one class": ([consent(provision("permit", **{"class": MEDICATION}))], asked(), "PERMIT",
                           ["only MedicationStatement"]),
    "a yes to the class asked": ([consent(provision("permit", **{"class": MEDICATION}))], asked(**{"class": MEDICATION}),
                                 "PERMIT", []),
    "a yes to another class": ([consent(provision("permit", **{"class": MEDICATION}))],
                               asked(**{"class": coded(TYPES, "Immunization")}), "NO_CONSENT", []),
    "a yes to one of two classes asked": ([consent(provision("permit", **{"class": MEDICATION}))],
                                          asked(**{"class": [*MEDICATION, *coded(TYPES, "Immunization")]}), "NO_CONSENT", []),
    "a yes too narrow to say": ([consent(provision("permit", securityLabel=coded(CONFIDENTIALITY, "N"), **{
        "class": MEDICATION}))], asked(), "NO_CONSENT", []),
    "a yes to a window of data": ([consent(provision("permit", dataPeriod={"end": "2020"}))], asked(), "NO_CONSENT", []),
    "a yes in an opt-out": ([consent(provision(None, provision("permit", actor=actor("Organization/54"))), "OPTOUT")], asked(),
                            "PERMIT", []),
    "a yes for others in an opt-out": ([consent(provision(None, provision("permit", actor=actor("Organization/54"))), "OPTOUT")],
                                       asked(actor=[STRANGER]), "DENY", []),
    "a no in an opt-out": ([consent(provision("deny", CLINIC_NO))], asked(), "DENY", []),
    "a no within a yes within an opt-out": ([consent(provision(None, provision(
        "permit", HMARKET_NO, actor=actor("Organization/54"))), "OPTOUT")], asked(purposeOfUse="HMARKT"), "DENY", []),
    "a label within a yes within an opt-in": ([consent(provision(None, provision(
        "permit", RESTRICTED, actor=actor("Organization/54"))), "OPTIN")], asked(), "PERMIT", ["R"]),
    "a yes within a no": ([consent(provision(None, provision(
        "deny", provision("permit", purpose=coded(REASON, "TREAT")), actor=actor("Organization/54"))), "OPTIN")], asked(),
        "PERMIT", []),
    "a no beside a yes": ([consent(provision(None, CLINIC_NO, provision("permit", actor=actor("Organization/54"))), "OPTIN")],
                          asked(), "DENY", []),
    "an expired exception": ([consent(provision(None, {**CLINIC_NO, **OVER}), "OPTIN")], asked(), "PERMIT", []),
    "a yes only to correct": ([consent(provision("permit", action=[{"coding": coded("", "correct")}]))], asked(),
                              "NO_CONSENT", []),
    "a later yes": ([consent(policy="OPTOUT", **BEFORE), YES], asked(), "PERMIT", []),
    "a later no": ([YES, consent(policy="OPTOUT", **AFTER)], asked(), "DENY", []),
    "one instant": ([YES, NO], asked(), "DENY", []),
    "one that is over, at one instant": ([YES, consent(OVER, "OPTIN")], asked(), "NO_CONSENT", []),
    "a later yes that is over": ([YES, consent(OVER, "OPTIN", **AFTER)], asked(), "NO_CONSENT", []),
    "an undated no": ([YES, consent(policy="OPTOUT", dateTime=None)], asked(), "DENY", []),
    "an undated yes": ([consent(policy="OPTIN", dateTime=None), consent(policy="OPTOUT", **BEFORE)], asked(), "DENY", []),
    "the version's time where undated": ([YES, consent(policy="OPTOUT", dateTime=None, meta={
        "lastUpdated": "2025-03-02T00:00:00.5+01:00"})], asked(), "DENY", []),
    "another source says no": ([YES, consent(policy="OPTOUT", organization=[{"reference": "Organization/53"}], **BEFORE)],
                               asked(), "DENY", []),
    "another patient's": ([YES, consent(policy="OPTOUT", patient={"reference": "Patient/60"}, **AFTER)],
                          asked(patientId={"value": "52"}), "PERMIT", []),
    "an identified patient": ([consent(policy="OPTIN", patient={"identifier": PATIENT}),
                               consent(policy="OPTOUT", patient={"reference": "Patient/60"})], asked(), "PERMIT", []),
}


@pytest.mark.parametrize("case", CASES)
def test_what_consents_say(case: str):
    consents, request, decision, codes = CASES[case]
    assert answered(consents, request) == (decision, codes)


def test_two_patients_and_none_known_is_refused():
    with pytest.raises(ConsentUnreadable, match="several patients"):
        answered([YES, consent(policy="OPTIN", patient={"reference": "Patient/60"})], asked())


def test_another_patient_of_the_bundle():
    patient = {"resource": {"resourceType": "Patient", "id": "52", "identifier": [{"system": "s", "value": "other"}]}}
    assert answered([YES], asked(), [*WHO, patient]) == ("NO_CONSENT", [])


def test_two_resources_of_one_name_are_refused():
    """The one refused could be either, so nobody can be told that it is not the one who asks."""
    other = {"fullUrl": "https://other.example/fhir/Organization/54", "resource": {
        "resourceType": "Organization", "identifier": [STRANGER]}}
    with pytest.raises(ConsentUnreadable, match="two resources"):
        answered([consent(provision(None, CLINIC_NO), "OPTIN")], asked(), [*WHO, other])
    assert answered([consent(provision(None, CLINIC_NO), "OPTIN")], asked(), [*WHO, WHO[0]]) == ("DENY", [])


def deep(levels: int) -> dict[str, Any]:
    rule = provision("permit")
    for _ in range(levels):
        rule = provision("permit", rule)
    return rule


@pytest.mark.parametrize(("broken", "place"), [
    ({"provision": {"type": "maybe"}}, "entry[3].resource.provision.type is not permit or deny"),
    ({"provision": {"period": {"start": "2026-02-01", "end": "2026-01-01"}}}, "provision.period"),
    ({"provision": {"period": {"start": "soon"}}}, "provision.period.start"),
    ({"provision": {"period": {"start": "2026-02-30"}}}, "provision.period.start"),
    ({"provision": {"period": {"start": 2026}}}, "provision.period.start is not a text"),
    ({"provision": {"provision": [{"type": "deny", "purpose": [{"system": "s"}]}]}}, "provision.provision[0].purpose.code"),
    ({"provision": {"provision": "none"}}, "provision.provision is not a list of objects"),
    ({"provision": deep(17)}, "nested at most 16 deep"),
    ({"provision": {"modifierExtension": [{"url": "https://x.example"}]}}, "provision.modifierExtension"),
    ({"modifierExtension": [{"url": "https://x.example"}]}, "resource.modifierExtension"),
    ({"dateTime": "yesterday"}, "dateTime"), ({"patient": "Patient/52"}, "patient is not an object")])
def test_what_cannot_be_read_decides_nothing(broken: dict[str, Any], place: str):
    with pytest.raises(ConsentUnreadable) as error:
        answered([{**YES, **broken}], asked())
    assert place in str(error.value) and "maybe" not in str(error.value)


def test_sixteen_levels_are_read():
    assert answered([consent(deep(16))], asked()) == ("PERMIT", [])


RULES = st.sampled_from([CLINIC_NO, RESTRICTED, NO_MEDICATION, HMARKET_NO, provision("permit", actor=actor("Organization/54")),
                         provision("permit", HMARKET_NO), {**CLINIC_NO, **OVER}])
CONSENTS = st.builds(
    lambda rules, policy, day, status, organization: consent(
        provision(None, *rules), policy, dateTime=f"2025-03-{day:02}", status=status, organization=organization),
    st.lists(RULES, max_size=3), st.sampled_from(["OPTIN", "OPTOUT", "hipaa-self-pay"]), st.integers(1, 3),
    st.sampled_from(["active", "active", "inactive", "rejected"]), st.sampled_from([[], [{"reference": "Organization/53"}]]))
REQUESTS = st.builds(lambda p, a, c: asked(purposeOfUse=p, actor=a, **{"class": c}), st.sampled_from(["TREAT", "HMARKT", None]),
                     st.sampled_from([[CLINIC], [STRANGER], []]), st.sampled_from([[], MEDICATION]))


@given(st.lists(CONSENTS, max_size=4), REQUESTS, st.randoms())
def test_the_order_of_a_bundle_says_nothing(consents: list[dict[str, Any]], request: dict[str, Any], random: Any):
    decision, codes = answered(consents, request)
    shuffled = [{**c, "provision": {"provision": random.sample(c["provision"].get("provision", []), len(
        c["provision"].get("provision", [])))}} for c in random.sample(consents, len(consents))]
    again, others = answered(shuffled, request)
    assert (decision, sorted(codes)) == (again, sorted(others))


@given(st.lists(CONSENTS, max_size=4), REQUESTS)
def test_a_new_refusal_ends_every_yes(consents: list[dict[str, Any]], request: dict[str, Any]):
    assert answered([*consents, consent(policy="OPTOUT", dateTime="2026-01-01")], request)[0] == "DENY"


@given(st.lists(CONSENTS, max_size=4), REQUESTS)
def test_an_exception_that_refuses_never_opens(consents: list[dict[str, Any]], request: dict[str, Any]):
    before = answered(consents, request)[0]
    refused = [{**c, "provision": provision(None, *c["provision"].get("provision", []), provision("deny"))} for c in consents]
    assert answered(refused, request)[0] in ({"PERMIT": ("DENY",), "DENY": ("DENY",)}.get(before, ("NO_CONSENT", "DENY")))
