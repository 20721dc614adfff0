"""A run of a DAG that does not bring what its contract promises in time, through Airflow's own scheduler and executor."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

from contracts import catalog
from jobs.lake import Lake
from tests.integration.test_run_local import ROOT, started

# The forum is asked until somebody has written down that it is late; everything else of the flow is quick. Freshness is real.
COMMAND = """#!{python}
import json, os, subprocess, sys, time
from pathlib import Path
words, written = sys.argv[1:], Path({folder!r}, "written")
if words[0] == "engine":
    os.execv(sys.executable, [sys.executable, "-m", "jobs", *words])
if words[0] in ("keys", "summary"):
    sys.exit(0)
if words[0] == "freshness":
    done = subprocess.run([sys.executable, "-m", "jobs", *words])
    if words[2:4] == ["--missed", "source.forum"] and done.returncode == 0:
        written.write_text(json.dumps(words))
    sys.exit(done.returncode)
if words == ["land", "forum"]:
    until = time.monotonic() + 150
    while not written.exists() and time.monotonic() < until:
        time.sleep(0.2)
print(json.dumps({{"result": "unchanged", "changed": []}}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    program = tmp_path / "concord"
    program.write_text(COMMAND.format(python=sys.executable, folder=str(tmp_path)), encoding="utf-8")
    program.chmod(0o700)
    return tmp_path


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    """A forum whose data are to be in core two seconds after it was asked."""
    made = tmp_path / "contracts" / "sources" / "forum.yaml"
    made.parent.mkdir(parents=True)
    text = (ROOT / "contracts" / "sources" / "social.yaml").read_text(encoding="utf-8")
    for there, instead in (("id: social\n", "id: forum\n"), ("latency, value: 2, unit: h", "latency, value: 2, unit: s")):
        assert text.count(there) == 1
        text = text.replace(there, instead)
    made.write_text(text, encoding="utf-8")
    return made.parent.parent


def test_a_deadline_that_is_missed_leaves_a_row_in_the_ledger(folder: Path, contracts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with started(folder, "--once", "--port", "0", CONCORD_CONTRACTS=str(contracts)) as platform:
        platform.end()
        assert "source_forum                     land      nothing new" in platform.output, platform.output
    monkeypatch.setenv("CONCORD_CONTRACTS", str(contracts))
    rows = Lake(str(platform.home / "lake"), catalog().tables).arrow("ledger.freshness").to_pylist()
    late = [row for row in rows if row["subject"] == "source.forum"]
    assert [(row["promise"], row["noticed_by"], row["promised_seconds"]) for row in late] == [("latency", "airflow", 2.0)]
    with sqlite3.connect(f"file:{platform.home}/airflow/airflow.db?mode=ro", uri=True) as database:
        missed = database.execute("SELECT d.deadline_time, c.state FROM deadline d JOIN deadline_alert a ON d.deadline_alert_id = a.id "
                                  "JOIN callback c ON d.callback_id = c.id WHERE d.missed AND a.name = 'latency of source.forum'").fetchall()
    assert len(missed) == 1 and missed[0][1] == "success"
    assert late[0]["due_at"].replace(tzinfo=None).isoformat(" ") == missed[0][0], "the moment that Airflow says"
