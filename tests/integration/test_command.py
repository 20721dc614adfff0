"""The `concord` command: names it does not know, a full disk, the modes of what it writes, the list of extracts."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.exit_codes import ExitCode
from jobs import cli
from jobs.errors import no_room
from jobs.ledger import extracts
from jobs.settings import Settings
from tests.landing import lake_of

AT = datetime(2026, 11, 1, tzinfo=UTC)
UNKNOWN = {"land": "source", "conform": "source", "screen": "source", "purge": "source", "build": "product", "release": "release group",
           "extract prepare": "recipient", "rejected": "source", "quality": "table",
           "drift": "source"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONCORD_HOME", str(tmp_path))
    monkeypatch.delenv("CONCORD_LAKE", raising=False)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run a command in this process; its exit status."""
    monkeypatch.setattr(sys, "argv", ["concord", *words])
    before = os.umask(0o022)
    try:
        with pytest.raises(SystemExit) as end:
            cli.main()
    finally:
        os.umask(before)
    return int(end.value.code or 0)


@pytest.mark.parametrize("command", UNKNOWN)
def test_a_name_that_no_contract_declares(home, monkeypatch, capsys, command):
    more = ("--dag-run", "a", "b") if command == "extract prepare" else ()
    assert run(monkeypatch, *command.split(), "NOSUCH", *more) == ExitCode.CONFIGURATION
    said = capsys.readouterr().err
    assert said.startswith(f"concord: no {UNKNOWN[command]} is called 'NOSUCH'; there are ") and said.count("\n") == 1
    assert not list(home.iterdir())


def test_an_extract_that_there_is_not(home, monkeypatch, capsys):
    assert run(monkeypatch, "extract", "record", "no/such", "--dag-run", "a", "b") == ExitCode.APPROVAL
    said = capsys.readouterr().err
    assert said.startswith("concord: ") and "no/such" in said and said.count("\n") == 1


@pytest.mark.parametrize("error", [
    OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EDQUOT, "Disk quota exceeded"),
    RuntimeError("Generic LocalFileSystem error: Unable to copy data to file: No space left on device (os error 28)")],
    ids=["disk", "quota", "engine"])
def test_a_full_disk_is_said_and_tried_again(home, monkeypatch, capsys, error):
    def wrapped(*_: object) -> None:
        try:
            raise error
        except Exception as cause:
            raise ValueError("p1's reading") from cause

    monkeypatch.setattr("jobs.run.land.land", wrapped)
    assert run(monkeypatch, "land", "crm") == ExitCode.UNAVAILABLE
    said = capsys.readouterr().err
    assert said.startswith("concord: there is no room left on a disk") and "p1" not in said
    assert no_room(ValueError("x")) is None


def test_only_its_user_reads_what_a_command_writes(home):
    subprocess.run([sys.executable, "-m", "jobs", "extract", "list"], check=True, umask=0o022,
                   env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])})
    written = list(home.rglob("*"))
    assert any(path.is_file() for path in written)
    assert [path for path in written if path.stat().st_mode & 0o077] == []


def test_extracts_are_listed_with_their_state(home, monkeypatch, capsys):
    lake = lake_of(Settings())
    states = ["prepared", "rejected", "approved", "leaving", "delivered"]
    for day, state in enumerate(states, start=1):
        entry = {"extract_id": f"x-{day}", "manifest_sha256": "0" * 64}
        extracts.write(lake, extracts.EXTRACT, {
            **entry, "recipient": "glycemia_institute", "release_group": "engagement", "release_number": 3, "requester": "me",
            "rows": 10 * day, "prepared_at": AT.replace(day=day)})
        if state != "prepared":
            extracts.write(lake, extracts.APPROVAL, {
                **entry, "approver": "officer", "decision": "rejected" if state == "rejected" else "approved", "requester": "me",
                "proof": "-", "decided_at": AT.replace(day=day)})
        if state in ("leaving", "delivered"):
            extracts.write(lake, extracts.DISPATCH, {**entry, "destination": "s3://b/x", "begun_at": AT.replace(day=day)})
        if state == "delivered":
            extracts.write(lake, extracts.DELIVERY, {**entry, "destination": "s3://b/x", "delivered_at": AT.replace(day=day)})
    assert run(monkeypatch, "extract", "list", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [(e["extract"], e["release"], e["rows"], e["state"]) for e in found] == [
        (f"x-{n}", 3, 10 * n, state) for n, state in enumerate(states, start=1)]
    assert run(monkeypatch, "extract", "list") == 0
    assert capsys.readouterr().out.splitlines()[4] == "x-5  for glycemia_institute, release 3, 50 rows: delivered"
