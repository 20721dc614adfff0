"""The Consent examples of fhir/r4_examples: what each says to its actor and to a stranger, and what cannot be told is no yes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobs.errors import ConsentUnreadable
from jobs.fhir.bundle import Bundle
from jobs.fhir.consult import decide
from jobs.fhir.request import read_request
from tests.external.published import files, needs, read_json

pytestmark = needs("fhir/r4_examples")
AT = datetime(2016, 6, 23, 7, 10, tzinfo=UTC)
STRANGER = {"system": "https://stranger.example", "value": "1"}
# By example: the answer to the organization or practitioner it names, and to a stranger.
SAYS = {
    "Emergency": ("NO_CONSENT", "NO_CONSENT"),   # An exception without a type is ambiguous: its purpose is not the one asked.
    "Out": ("CONSENT_DENY", "NO_CONSENT"),
    "basic": ("NO_CONSENT", "NO_CONSENT"),       # Over since 2 January 2016.
    "grantor": ("CONSENT_DENY", "CONSENT_DENY"),  # It names somebody else too, whom nobody knows.
    "notAuthor": ("CONSENT_DENY", "NO_CONSENT"),
    "notOrg": ("CONSENT_DENY", "CONSENT_PERMIT"),
    "notThem": ("CONSENT_DENY", "NO_CONSENT"),
    "notThis": ("CONSENT_DENY", "CONSENT_DENY"),  # All but one task: an exception without a type.
    "notTime": ("NO_CONSENT", "NO_CONSENT"),
    "pkb": ("CONSENT_DENY", "NO_CONSENT"),
    "signature": ("CONSENT_DENY", "CONSENT_DENY"),  # Nobody knows the practitioner it names.
    "smartonfhir": ("CONSENT_PERMIT", "CONSENT_PERMIT"),
}


def entries(*kinds: str) -> list[dict]:
    return [{"resource": read_json(path)} for kind in kinds for path in files(f"fhir/r4_examples/{kind}-*.json")]


def test_every_example_is_in_the_table():
    names = {path.stem.removeprefix("Consent-consent-example-") for path in files("fhir/r4_examples/Consent-*.json")}
    assert names == set(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_what_an_example_says(name: str):
    resource = read_json(files(f"fhir/r4_examples/Consent-consent-example-{name}.json")[0])
    people = entries("Organization", "Practitioner")
    named = {a.get("reference", {}).get("reference") for a in resource.get("provision", {}).get("actor", [])}
    known = [i for e in people if f"{e['resource']['resourceType']}/{e['resource']['id']}" in named
             for i in e["resource"].get("identifier", []) if i.get("value")]
    answers = []
    for actor in (known or [STRANGER], [STRANGER]):
        request = read_request({"patientId": {"value": resource["patient"]["reference"]}, "purposeOfUse": "TREAT",
                                "actor": [{k: i[k] for k in ("system", "value") if k in i} for i in actor]})
        bundle = Bundle({"resourceType": "Bundle", "entry": [{"resource": resource}, *people]})
        answers.append(str(decide(bundle, request, AT).decision))
    assert tuple(answers) == SAYS[name]


def test_whose_consent_it_is_must_be_known():
    everybody = entries("Consent", "Organization", "Practitioner", "Patient")
    request = read_request({"patientId": {"system": "https://patients.example", "value": "nobody"}, "purposeOfUse": "TREAT"})
    with pytest.raises(ConsentUnreadable, match="several patients"):
        decide(Bundle({"resourceType": "Bundle", "entry": everybody}), request, AT)
    strangers = [e for e in everybody if e["resource"].get("patient", {}).get("reference") not in ("Patient/72", "Patient/xcda")]
    answer = decide(Bundle({"resourceType": "Bundle", "entry": strangers}), request, AT)
    assert str(answer.decision) == "NO_CONSENT" and {str(r.why) for r in answer.because} == {"other_patient"}
