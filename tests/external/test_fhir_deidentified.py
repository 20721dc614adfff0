"""FHIR examples and Synthea's patients under the safe harbor: what a plain reading finds of people is not in what leaves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from contracts.deidentification import profile
from contracts.load import folders
from jobs.fhir.deidentify import Deidentifier, Refused
from tests.external.published import files, needs, read_json

# Keys under which FHIR has names, addresses, numbers of people, free text and places on the web.
TELLING = {"family", "given", "prefix", "suffix", "text", "div", "line", "city", "district", "display", "title", "url", "data", "comment",
           "description", "serialNumber", "lotNumber", "deviceIdentifier", "reference", "valueString", "authorString", "fullUrl", "name",
           "postalCode", "subscriberId", "source", "contentString", "question", "note", "versionId", "reason", "label"}
CODED = {"code", "system", "unit", "version", "use", "state", "country", "type", "status", "gender", "resourceType", "contentType", "language",
         "currency", "comparator", "durationUnit", "periodUnit"}
DAY = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2}(T.*)?)?")


def leaves(content: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a JSON value with the key that it stands under; texts of an identifier or a telecom under that."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from leaves(value, key if key in ("identifier", "telecom") else name)
    elif isinstance(content, list):
        for value in content:
            yield from leaves(value, key)
    elif isinstance(content, str):
        yield key, content


@needs("fhir/r4_examples", "fhir/synthea_bundles")
@pytest.mark.parametrize("folder", ["fhir/r4_examples", "fhir/synthea_bundles"])
def test_nothing_that_tells_of_somebody_leaves(folder: str) -> None:
    treating = Deidentifier(profile("hipaa_safe_harbor", folders()), bytes(range(32)), date(2026, 11, 30))
    treated, refused = 0, []
    for path in files(f"{folder}/*.json"):
        content = read_json(path)
        try:
            left = treating.resource(content)
        except Refused as error:
            refused.append(str(error))
            continue
        treated += 1
        said = list(leaves(content))
        harmless = {text for key, text in said if key in CODED}
        telling = {text for key, text in said if key in TELLING or key in ("identifier", "telecom")} - harmless
        stayed = {text for _, text in leaves(left)}
        assert not stayed & telling, path.name
        assert not [text for text in stayed - harmless if DAY.fullmatch(text)], path.name
        assert json.dumps(left).count('"resourceType"') <= json.dumps(content).count('"resourceType"')
    assert treated >= 8 and set(refused) <= {"rejected_type", "no_resource", "unknown_type"} and len(refused) <= treated / 10
