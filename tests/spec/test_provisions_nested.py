"""Provisions that nest deeply, and resources that refer to one another in a circle: read to an end, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.errors import ConsentUnreadable
from jobs.fhir.consent import DEEPEST
from jobs.fhir.statements import statements
from tests.spec.test_consult import actor, answered, asked, provision
from tests.spec.test_consult import consent as held
from tests.spec.test_statements import consent, rule

CIRCLE = [
    {"fullUrl": f"https://h.example/fhir/Organization/{mine}", "resource": {
        "resourceType": "Organization", "id": mine, "identifier": [{"system": "urn:ietf:rfc:3986", "value": "1.2.3"}],
        "partOf": {"reference": f"Organization/{other}"}}} for mine, other in (("a", "b"), ("b", "a"))]
ITSELF: dict[str, Any] = {"id": "c1", "sourceReference": {"reference": "Consent/c1"},
                          "verification": [{"verified": True, "verifiedWith": {"reference": "Consent/c1"}}]}


def nested(levels: int, last: dict[str, Any]) -> dict[str, Any]:
    """A yes to research with a yes in it, and so on, and at the bottom another rule."""
    made = last
    for _ in range(levels):
        made = rule("permit", "research", nested=(made,))
    return made


@pytest.mark.parametrize("kind", ["permit", "deny"])
def test_a_circle_of_organisations_is_read_to_an_end(kind: str) -> None:
    consents = [held(provision(kind, actor=actor("Organization/a")), **ITSELF)]
    assert answered(consents, asked(), CIRCLE)[0] == {"permit": "PERMIT", "deny": "DENY"}[kind]


def test_a_no_at_the_deepest_level_counts() -> None:
    said = statements(consent(nested(DEEPEST, rule("deny", "research"))))
    assert {s["decision_code"] for s in said} == {"deny"}


@pytest.mark.parametrize("levels", [DEEPEST + 1, 60])
def test_what_nests_deeper_is_refused_as_a_whole(levels: int) -> None:
    with pytest.raises(ConsentUnreadable, match="nested at most"):
        statements(consent(nested(levels, rule("deny", "research"))))
