"""The whole platform on this machine, with its real services and a stand-in for the ``concord`` command."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import psutil
import pytest

from infra.local import preflight
from infra.local.home import Home
from infra.local.processes import MARK, members

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300
COMMAND = """#!{python}
import json, os, sys
from pathlib import Path
words = sys.argv[1:]
if words[0] == "engine":
    os.execv(sys.executable, [sys.executable, "-m", "jobs", *words])
if words[0] in ("keys", "summary"):
    print("the closing table")
    sys.exit(0)
if "-".join(words) == Path({broken!r}).read_text():
    print("broken on purpose", file=sys.stderr)
    sys.exit(3)
done = Path(os.environ["CONCORD_LAKE"], "-".join(words[:3]))
changed, kinds = [], {{"prepare": "extract", "record": "approval", "deliver": "delivery"}}
if not done.exists():
    changed = {{"land": lambda: ["raw." + words[1]], "conform": lambda: ["core.identity", "core.message"],
               "screen": list, "purge": list, "freshness": list, "link": lambda: ["vault.model"], "resolve": lambda: ["vault.link"], "build": lambda: ["product." + words[1]],
               "release": lambda: ["ledger.release"], "recall": list, "extract": lambda: ["ledger." + kinds[words[1]]]}}[words[0]]()
    done.write_text(json.dumps({{k: v for k, v in os.environ.items() if k.startswith("CONCORD_CONNECTION_")}}))
print(json.dumps({{"result": "done" if changed else "unchanged", "changed": changed, "extract_id": "x-1", "rows": 3,
                  "manifest_sha256": "ab" * 32, "told": "2 groups of at least 7 people"}}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("platform")
    (folder / "broken").write_text("", encoding="utf-8")
    program = folder / "concord"
    program.write_text(COMMAND.format(python=sys.executable, broken=str(folder / "broken")), encoding="utf-8")
    program.chmod(0o700)
    return folder


class Platform:
    """A started copy; everything it prints is read line by line."""

    def __init__(self, folder: Path, *options: str, **settings: str) -> None:
        self.home, self.lines = folder / "home", list[str]()
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("CONCORD_", "AIRFLOW"))}
        words = ["--home", str(self.home), "--people", "20", "--days", "1", *options]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "infra.local.run", *words],
            cwd=ROOT, env=clean | {"CONCORD_EXECUTABLE": str(folder / "concord"), **settings}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.timer = Timer(SECONDS, self.process.kill)
        self.timer.start()

    def read_until(self, text: str) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if text in line:
                return
        pytest.fail(f"{text!r} was never printed:\n" + self.output)

    def end(self) -> int:
        assert self.process.stdout
        self.lines += [line.rstrip() for line in self.process.stdout]
        self.timer.cancel()
        return self.process.wait()

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    @property
    def mark(self) -> str:
        return str(json.loads((self.home / "run.lock").read_text(encoding="utf-8"))["mark"])


@contextmanager
def started(folder: Path, *options: str, **settings: str) -> Iterator[Platform]:
    platform = Platform(folder, *options, **settings)
    try:
        yield platform
    finally:
        platform.process.kill()
        platform.end()


def refusal(folder: Path, *options: str, **settings: str) -> str:
    """The one line that a copy prints that does not start."""
    with started(folder, *options, **settings) as platform:
        assert platform.end() == 2
        assert len(platform.lines) == 1, platform.output
        return platform.lines[0]


def test_a_taken_port_is_said(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert re.fullmatch(rf"concord: port {port} cannot be used \(.+\); stop what uses it, .*--port.*",
                            refusal(folder, "--port", str(port)))


def test_a_missing_program_is_said(folder: Path) -> None:
    said = refusal(folder, "--port", "0", CONCORD_EXECUTABLE="/nowhere/concord")
    assert said == "concord: the program /nowhere/concord is missing; correct CONCORD_EXECUTABLE, or unset it"
    with pytest.raises(preflight.Refusal, match=r"^Python packages are missing: no-such-thing; make run installs"):
        preflight.check_programs([sys.executable], ("pytest", "no-such-thing"))


def test_a_full_disk_is_said(folder: Path) -> None:
    with pytest.raises(preflight.Refusal, match=r"GB left, 1000000.0 GB are needed; make room"):
        preflight.check_disk(folder, 10**15)


def test_a_folder_that_cannot_be_written_is_said(folder: Path) -> None:
    said = refusal(folder, "--home", str(folder / "concord" / "home"))
    assert said.endswith("cannot be written to (Not a directory); give another folder with --home")


def test_a_broken_contract_is_said(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "products").mkdir()
    (tmp_path / "products" / "odd.yaml").write_text("id: odd\n", encoding="utf-8")
    assert "odd.yaml:1:" in refusal(folder, CONCORD_CONTRACTS=str(tmp_path))


def test_a_second_copy_is_refused_and_what_a_killed_one_left_is_ended(folder: Path) -> None:
    home = Home(folder / "home")
    home.create()
    stray = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: "concord-of-a-killed-copy"})
    (home.root / "run.lock").write_text(json.dumps({"pid": 1, "mark": "concord-of-a-killed-copy"}), encoding="utf-8")
    with preflight.locked(home, "concord-of-this-test"):
        assert stray.wait(timeout=10) in (0, -signal.SIGTERM)
        assert re.fullmatch(rf"concord: Concord already runs in .+ \(process {os.getpid()}\); stop it first, .+",
                            refusal(folder))
    assert (home.root / "run.lock").read_text(encoding="utf-8") == ""


def test_an_interrupt_while_starting_leaves_nothing(folder: Path) -> None:
    with started(folder, "--port", "0") as platform:
        platform.read_until("starting")
        mark = platform.mark
        platform.process.send_signal(signal.SIGINT)
        assert platform.end() == 130
        assert platform.lines[-1] == "stopped; no process is left"
        assert members(mark) == []


def test_a_failed_task_ends_the_run_with_its_log(folder: Path) -> None:
    (folder / "broken").write_text("conform-crm", encoding="utf-8")
    with started(folder, "--once", "--port", "0") as platform:
        assert platform.end() == 1, platform.output
    (folder / "broken").write_text("", encoding="utf-8")
    assert "concord: task conform of source_crm failed; its log ends with:" in platform.lines
    assert "  broken on purpose" in platform.lines
    assert "stopped; no process is left" in platform.lines


def test_the_next_run_makes_good_and_all_sockets_are_on_loopback(folder: Path) -> None:
    with started(folder, "--port", "0") as platform:
        platform.read_until("Ctrl-C stops everything")
        processes = [psutil.Process(platform.process.pid), *members(platform.mark)]
        check_sockets(processes)
        check_secrets(platform, processes)
        platform.process.send_signal(signal.SIGINT)
        assert platform.end() == 0, platform.output
    assert psutil.wait_procs(processes, timeout=1)[1] == []
    assert platform.output.count("source_crm                       conform   done") == 1, platform.output
    # People, products and releases may have been made by the run that failed: its other sources went on.
    for task in ("people +resolve", "product_glucose_daily +build", "release_engagement +release"):
        assert re.search(rf"{task} +(done|nothing new)", platform.output), platform.output
    for task in (f"extract_glycemia_institute +{name}" for name in ("prepare", "approve", "record", "deliver")):
        assert re.search(rf"{task} +done", platform.output), platform.output
    assert re.search(r"recall_glycemia_institute +recall +nothing new", platform.output), platform.output
    assert "the officer approves: Extract for Glycemia Institute" in platform.output
    assert "the closing table" in platform.output


def check_sockets(processes: list[psutil.Process]) -> None:
    sockets = [c for process in processes for c in process.net_connections()]
    listening = {(c.laddr.ip, c.laddr.port) for c in sockets if c.status == psutil.CONN_LISTEN}
    assert {ip for ip, _ in listening} == {"127.0.0.1"}
    assert len(listening) >= 4, "sources, store, engine and Airflow listen"


def check_secrets(platform: Platform, processes: list[psutil.Process]) -> None:
    held = Home(platform.home)
    users = held.secrets()["users"]
    given = json.loads((held.lake / "land-crm").read_text(encoding="utf-8"))
    assert given.keys() == {"CONCORD_CONNECTION_CONCORD_CRM"}
    client = json.loads(given["CONCORD_CONNECTION_CONCORD_CRM"])
    assert client["base_url"].startswith("https://127.0.0.1:") and Path(client["ca_file"]).is_file()
    secrets = [client["password"], *(account["password"] for account in users.values())]
    logs = "".join(p.read_text(errors="replace") for f in (held.logs, held.airflow / "logs") for p in f.rglob("*.log"))
    arguments = "".join(" ".join(p.cmdline()) for p in processes)
    assert logs and not [secret for secret in secrets if secret in logs + arguments]
    assert not [name for p in processes for name in p.environ() if name.startswith("AIRFLOW__")]
    for path in (*held.keys.iterdir(), held.airflow / "airflow.cfg", held.airflow / "connections.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(held.keys.stat().st_mode) == 0o700
    printed = [name for name, account in users.items() if account["password"] in platform.output]
    assert printed == ["engineer"]


def test_a_killed_run_takes_its_services_along(folder: Path) -> None:
    with started(folder, "--port", "0") as platform:
        platform.read_until("starting")
        mark = platform.mark
        while len(services := members(mark)) < 4:
            assert platform.process.poll() is None
        platform.process.kill()
        assert psutil.wait_procs(services, timeout=30)[1] == []
        assert members(mark) == []
