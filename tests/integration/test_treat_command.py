"""`concord treat`: a file of FHIR resources in, treated ones out, and what was left out said without a value."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts.exit_codes import ExitCode
from jobs import keys

CANARY = "Kanarienvogel"
PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"family": CANARY}], "birthDate": "1974-12-25", "gender": "male"}
READING = {"resourceType": "Observation", "id": "o", "status": "final", "code": {"coding": [{"code": "2339-0"}]}, "valueQuantity": {"value": 1},
           "subject": {"reference": "Patient/p1"}}
WEIGHT = '{"resourceType": "Observation", "id": "w", "status": "final", "code": {}, "valueQuantity": {"value": 70.10, "code": "kg"}}'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("home")
    keys.create(made / "keys")
    return made


def concord(home: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "jobs", "treat", *map(str, words)], capture_output=True, text=True, timeout=120, check=False,
                          env={"CONCORD_HOME": str(home), "PATH": "", "CONCORD_ENVIRONMENT": "development"})


def lines(*records: Any) -> str:
    return "".join((record if isinstance(record, str) else json.dumps(record)) + "\n" for record in records)


def test_a_file_is_treated_and_what_was_left_out_is_said(home: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "in.ndjson", tmp_path / "out.ndjson"
    file.write_text(lines(PATIENT, "", f'{{"{CANARY}', READING, {"resourceType": "Binary", "data": CANARY}, WEIGHT, [CANARY]), "utf-8")
    ended = concord(home, file, "--profile", "hipaa_safe_harbor", "--out", out, "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    told = json.loads(ended.stdout)
    assert (told["resources"], told["treated"]) == (6, 3)
    assert told["rejected"] == {"no_resource": 1, "not_json": 1, "rejected_type": 1} and told["rejected_lines"] == [3, 5, 7]
    person, reading, weight = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert person == {"resourceType": "Patient", "id": person["id"], "birthDate": "1974", "gender": "male"}
    assert reading["subject"] == {"reference": f"Patient/{person['id']}"} and "70.10" in out.read_text("utf-8"), weight
    assert CANARY not in out.read_text("utf-8") + ended.stdout + ended.stderr and not list(tmp_path.glob("*.part"))


def test_the_output_is_for_pipes_and_the_account_beside_it(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text(json.dumps(PATIENT, indent=2), "utf-8")
    ended = concord(home, file, "--profile", "hipaa_safe_harbor", "--on", "2070-01-01")
    assert ended.returncode == 0 and "birthDate" not in json.loads(ended.stdout), "by then they are older than 89"
    assert ended.stderr == "1 of 1 resources treated; elements: drop 2, keep 1, pseudonym 1\n"


@pytest.mark.parametrize(("words", "status", "said"), [
    (("there", "--profile", "hipaa_safe_harbour"), ExitCode.CONTRACT, "no profile is called 'hipaa_safe_harbour' (did you mean hipaa_safe_harbor?)"),
    (("not_there", "--profile", "hipaa_safe_harbor"), ExitCode.CONFIGURATION, "cannot be read (No such file or directory)"),
    (("there", "--profile", "hipaa_safe_harbor", "--json"), ExitCode.CONFIGURATION, "name one with --out"),
    (("there", "--profile", "hipaa_safe_harbor", "--out", "there"), ExitCode.CONFIGURATION, "--out is the file itself"),
    (("there", "--profile", "hipaa_safe_harbor", "--on", "30.11.2026"), ExitCode.CONFIGURATION, "write YYYY-MM-DD, for example"),
    (("there", "--profile", "hipaa_safe_harbor", "--out", "no/where"), ExitCode.CONFIGURATION, "cannot be written (No such file or directory)"),
])
def test_what_cannot_be_done_is_said(home: Path, tmp_path: Path, words: tuple[str, ...], status: ExitCode, said: str) -> None:
    (tmp_path / "there").write_text(lines(PATIENT), "utf-8")
    places = {"there", "not_there", "no/where"}
    ended = concord(home, *[tmp_path / word if word in places else word for word in words])
    assert ended.returncode == status and said in ended.stderr and CANARY not in ended.stderr, ended.stderr


def test_a_file_beside_the_output_is_not_touched(home: Path, tmp_path: Path) -> None:
    file, victim = tmp_path / "out.part", tmp_path / "victim"
    file.write_text(lines(PATIENT), "utf-8")
    victim.write_text("mine", "utf-8")
    (tmp_path / "link").symlink_to(victim)
    assert concord(home, file, "--profile", "hipaa_safe_harbor", "--out", tmp_path / "out").returncode == 0
    assert CANARY in file.read_text("utf-8") and stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o600
    ended = concord(home, file, "--profile", "hipaa_safe_harbor", "--out", tmp_path / "link")
    assert ended.returncode == ExitCode.CONFIGURATION and victim.read_text("utf-8") == "mine"


def test_a_file_of_nothing_that_may_leave_is_an_error(home: Path, tmp_path: Path) -> None:
    (tmp_path / "in.ndjson").write_text(lines("garbage", f'{{"resourceType": "{CANARY}"}}'), "utf-8")
    ended = concord(home, tmp_path / "in.ndjson", "--profile", "hipaa_safe_harbor")
    assert ended.returncode == ExitCode.CONTRACT and ended.stdout == "" and CANARY not in ended.stderr
    assert "left out: not_json 1, unknown_type 1 (lines 1, 2)" in ended.stderr


def test_without_a_key_nothing_is_treated(tmp_path: Path) -> None:
    (tmp_path / "in.ndjson").write_text(lines(PATIENT), "utf-8")
    ended = concord(tmp_path / "empty", tmp_path / "in.ndjson", "--profile", "hipaa_safe_harbor", "--out", tmp_path / "out.ndjson")
    assert ended.returncode == ExitCode.CONSENT and "concord keys create" in ended.stderr and not (tmp_path / "out.ndjson").exists()
