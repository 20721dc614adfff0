"""What a reviewer would object to, told to the author with what to write instead."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from contracts import catalog
from contracts.exit_codes import ExitCode
from contracts.model import Retirement
from contracts.objections import found
from tests.contracts.broken import GLUCOSE, OPTIN, OWN, PARTNER

DAY = date(2026, 11, 1)
APP = "sources/adherence_app.yaml"
GLUCOSE_PURPOSES, MARKETING = "[adherence_monitoring, decision_support]", "[brand_communication, decision_support]"
# What is edited, by what, the line that is meant, and parts of what is said.
CASES = {
    "health on plain consent": (APP, "value: explicit_consent", "value: consent", "legalBasis",
                                ("consent is no ground to take in data about health (core.", "value: explicit_consent} if people gave it")),
    "marketing with health": (GLUCOSE, GLUCOSE_PURPOSES, MARKETING, MARKETING,
                              ("brand_communication would use data about health (column observed_on)", "names the law")),
    "marketing by a partner": (PARTNER, "[research]", "[brand_communication]", "[brand_communication]",
                               ("brand_communication would use data about health", "take brand_communication out of purposes")),
    "small cells": (OPTIN, "minimumCell, value: 7", "minimumCell, value: 4", "minimumCell", ("minimumCell 4 hides nobody", "value: 5}")),
    "small groups": (PARTNER, "      k: 7", "      k: 2", "k: 2", ("anonymity k 2 hides nobody", "write k: 5 or more")),
    "many who may be linked": (PARTNER, "maxLinkedPercent, value: 5", "maxLinkedPercent, value: 11", "maxLinkedPercent",
                               ("maxLinkedPercent 11 lets recipients", "value: 10} or less")),
    "kept longer than at the source": (GLUCOSE, "retentionDays, value: 1825", "retentionDays, value: 3651", "retentionDays",
                                       ("retentionDays 3651 keeps rows about persons longer", "value: 3650} or less")),
    "agreement that ended": (PARTNER, "2028-12-31", "2026-10-31", "agreementExpiresOn", ("has ended, and an extract is kept for 30",)),
    "agreement that ends sooner than an extract": (PARTNER, "2028-12-31", "2026-11-30", "agreementExpiresOn", ("ends in 29 days",)),
    "a purpose outside of the product's": (PARTNER, "[research]", "[research, patient_education]", "[research, patient_education]",
                                           ("purpose patient_education is none that product glucose_daily is made for",)),
}


def edited(tmp_path: Path, name: str, before: str, after: str) -> Path:
    path, text = tmp_path / name, (OWN / name).read_text("utf-8")
    assert before in text
    path.parent.mkdir()
    path.write_text(text.replace(before, after, 1), "utf-8")
    return path


@pytest.mark.parametrize("case", CASES)
def test_an_objection_says_where_why_and_what_instead(tmp_path, case):
    name, before, after, meant, parts = CASES[case]
    path = edited(tmp_path, name, before, after)
    told = list(found([path], DAY))
    assert all(any(part in f"{it.said}; {it.instead}" for _, _, it in told) for part in parts), told
    assert meant in path.read_text("utf-8").splitlines()[told[0][1] - 1]
    assert all(at == path for at, _, _ in told)


@pytest.mark.parametrize(("silent", "told"), [({"adherence_app"}, []), (
    {"adherence_app", "device_cloud"}, ["purpose adherence_monitoring", "purpose decision_support"])])
def test_a_purpose_that_no_source_joins_identities_for(monkeypatch, silent, told):
    known = catalog()
    sources = {s.id: s.model_copy(update={"link_purposes": ()}) if s.id in silent else s for s in known.sources.values()}
    monkeypatch.setattr("contracts.objections.catalog", lambda: replace(known, sources=sources))
    assert [it.said.split(" is in ")[0] for _, _, it in found([OWN / GLUCOSE], DAY)] == told


def test_a_recipient_of_a_product_that_ends_before_its_agreement(monkeypatch):
    known = catalog()
    ends = Retirement.model_validate({"date": "2027-06-30", "replacedBy": "glucose_daily_v2"})
    products = {**known.products, "glucose_daily": known.products["glucose_daily"].model_copy(update={"retirement": ends})}
    monkeypatch.setattr("contracts.objections.catalog", lambda: replace(known, products=products))
    told = [f"{it.said}; {it.instead}" for _, _, it in found([OWN / PARTNER], DAY)]
    assert told == ["product glucose_daily is made until 2027-06-30 only, and agreement DUA-2026-014 runs on; name glucose_daily_v2, as "
                    "agreed with the recipient"]


def test_our_own_contracts_give_no_cause(tmp_path):
    assert list(found([], DAY)) == []
    assert list(found([edited(tmp_path, PARTNER, "2028-12-31", "2026-12-01")], DAY)) == []


def test_the_command_tells_objections_and_fails_only_when_strict(tmp_path):
    path = edited(tmp_path, OPTIN, "minimumCell, value: 7", "minimumCell, value: 4")

    def check(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "jobs", "contract", "check", str(path), *words], capture_output=True, text=True)
    plain, strict = check(), check("--strict", "--json")
    assert plain.returncode == ExitCode.OK and f"{path}:" in plain.stdout and "would object to 1 thing" in plain.stdout
    assert strict.returncode == ExitCode.CONTRACT and "--strict" in strict.stderr
    told = json.loads(strict.stdout)
    assert told["checked"] == 1 and [set(it) for it in told["objections"]] == [{"file", "line", "said", "instead"}]
