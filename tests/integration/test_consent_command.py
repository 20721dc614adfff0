"""`concord consent decide`: answers from files, and plain words about files that cannot be read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.exit_codes import ExitCode

BUNDLE = {"resourceType": "Bundle", "entry": [{"resource": {
    "resourceType": "Consent", "id": "c1", "status": "active", "patient": {"reference": "Patient/52"}, "dateTime": "2020",
    "provision": {"type": "permit", "period": {"end": "2026-01-31"}, "provision": [{"type": "deny", "securityLabel": [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]}]}}}]}
REQUEST = {"hook": "patient-consent-consult", "hookInstance": "1", "context": {"patientId": [{"value": "canary-4711"}]}}


def run(bundle: str, request: str, folder: Path, *more: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    (folder / "bundle.json").write_text(bundle, encoding="utf-8")
    (folder / "request.json").write_text(request, encoding="utf-8")
    return subprocess.run([sys.executable, "-m", "jobs", "consent", "decide", str(folder / "bundle.json"),
                           "-" if given else str(folder / "request.json"), *more],
                          input=given, capture_output=True, text=True, timeout=60, check=False)


def test_an_answer_from_files(tmp_path: Path):
    done = run(json.dumps(BUNDLE), json.dumps(REQUEST), tmp_path, "--at", "2026-01-31T23:00:00Z")
    assert done.returncode == ExitCode.OK, done.stderr
    assert json.loads(done.stdout) == {
        "decision": "CONSENT_PERMIT",
        "obligations": [{"id": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "REDACT"},
                         "parameters": {"codes": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
                                                   "code": "R"}]}}],
        "because": [{"consent": "Consent/c1", "reason": "base_permits"},
                    {"consent": "Consent/c1", "reason": "provision_redacts", "provision": "provision[0]"}]}
    later = run(json.dumps(BUNDLE), "", tmp_path, "--at", "2026-02-01T00:00:00Z", given=json.dumps(REQUEST["context"]))
    assert json.loads(later.stdout) == {"decision": "NO_CONSENT", "obligations": [], "because": [
        {"consent": "Consent/c1", "reason": "not_in_period"}]}


@pytest.mark.parametrize(("bundle", "request_", "at", "code", "said"), [
    ("{", json.dumps(REQUEST), "", ExitCode.CONFIGURATION, "bundle.json is no JSON: "),
    ("[" * 100_000, json.dumps(REQUEST), "", ExitCode.CONFIGURATION, "nested too deep"),
    (json.dumps(REQUEST), json.dumps(REQUEST), "", ExitCode.CONSENT, "no FHIR Bundle"),
    (json.dumps(BUNDLE), '{"patientId": [{"system": "canary-4711"}]}', "", ExitCode.CONFIGURATION, "patientId.0.value"),
    (json.dumps(BUNDLE), "{}", "", ExitCode.CONFIGURATION, "patientId: Field required"),
    (json.dumps(BUNDLE), "[]", "", ExitCode.CONFIGURATION, "the request"),
    (json.dumps(BUNDLE), json.dumps(REQUEST), "2026-01-01", ExitCode.CONFIGURATION, "--at has no offset"),
    (json.dumps(BUNDLE), json.dumps(REQUEST), "now", ExitCode.CONFIGURATION, "--at is no ISO 8601"),
    (json.dumps(BUNDLE).replace('"2020"', '"canary-4711"'), json.dumps(REQUEST), "", ExitCode.CONSENT, "dateTime")])
def test_files_that_cannot_be_read(tmp_path: Path, bundle: str, request_: str, at: str, code: ExitCode, said: str):
    done = run(bundle, request_, tmp_path, *(["--at", at] if at else []))
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr and done.stderr.count("\n") == 1 and "canary" not in done.stderr


def test_a_file_that_is_not_there(tmp_path: Path):
    done = subprocess.run([sys.executable, "-m", "jobs", "consent", "decide", str(tmp_path / "none"), str(tmp_path / "none")],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == ExitCode.CONFIGURATION and "cannot be read: No such file" in done.stderr
