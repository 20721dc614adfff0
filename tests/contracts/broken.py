"""Breaking a good contract by one small edit, and seeing that it is refused well."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.load import ContractError, check_files, folders

OWN = folders()[0]
APP, CRM, OBSERVATION = "sources/adherence_app.yaml", "sources/crm.yaml", "core/observation.yaml"
SOCIAL = "sources/social.yaml"
PROFILE = "products/patient_profile.yaml"
GLUCOSE, OPTIN, PARTNER = "products/glucose_daily.yaml", "products/optin_rates.yaml", "recipients/glycemia_institute.yaml"

# contract, what stands there, what a newcomer writes, a part of the line that is pointed at, parts of the message
Case = tuple[str, str, str, str, tuple[str, ...]]


def without_rules(base: str) -> str:
    """A contract without its own rules of quality, which name columns too."""
    return re.sub(r"    quality:\n(?:      .*\n)+", "", (OWN / base).read_text("utf-8"), count=1)


def second(text: str) -> str:
    """The contract of glucose_daily as its second major, to live beside it."""
    for before, after in (("id: glucose_daily\n", "id: glucose_daily_v2\n"), ("version: 1.0.0", "version: 2.0.0"),
                          ("- name: glucose_daily\n", "- name: glucose_daily_v2\n")):
        assert before in text
        text = text.replace(before, after, 1)
    return text


def is_refused(case: Case, folder: Path) -> None:
    """The broken contract is refused with the line it points at and what to write instead."""
    base, there, instead, pointed, parts = case
    text = without_rules(base)
    assert there in text
    at = text.index(there)
    broken = text[:at] + instead + text[at + len(there):]
    path = folder / base
    path.parent.mkdir()
    path.write_text(broken, "utf-8")
    with pytest.raises(ContractError) as caught:
        check_files([path])
    said = str(caught.value)
    found = re.match(rf"{re.escape(str(path))}:(\d+): ", said)
    assert found, said
    line = broken.splitlines()[int(found[1]) - 1]
    assert pointed in line, f"points at {line!r}: {said}"
    assert all(part in said for part in parts), said
