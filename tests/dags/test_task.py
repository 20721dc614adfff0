"""The operator that runs ``concord``, with a stand-in for the command."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from contracts.exit_codes import ExitCode

PASSWORD = "correct-horse-battery-staple"
COMMAND = """#!{python}
import json, os, subprocess, sys, time
case = json.loads({case!r})
if case.get("grandchild"):
    ignore = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", ignore], stdout=subprocess.PIPE)
    child.stdout.readline()
    print("grandchild", child.pid, flush=True)
    time.sleep(600)
for name in case.get("show", []):
    print(name, os.environ.get(name), file=sys.stderr)
print("names", *sorted(os.environ))
print("words", *sys.argv[1:])
if case.get("kill"):
    os.kill(os.getpid(), case["kill"])
print(case["last"] if "last" in case else json.dumps(case.get("report")))
sys.exit(case.get("status", 0))
"""


class Run:
    """What an operator did: the lines it logged, the outlets it told on, and their extras."""

    def __init__(self, operator: Any, lines: list[str]) -> None:
        self.operator, self.lines, self.extras = operator, lines, dict[Any, Any]()
        self.report: dict[str, Any] = {}

    def execute(self, try_number: int = 1, params: dict[str, Any] | None = None, **pulled: Any) -> Run:
        events = {outlet: SimpleNamespace(extra=None) for outlet in self.operator.outlets}
        ti = SimpleNamespace(try_number=try_number, xcom_pull=lambda task_ids: pulled.get(task_ids))
        run = SimpleNamespace(dag_id="extract_x", run_id="manual__1")
        self.report = self.operator.execute({"ti": ti, "dag_run": run, "outlet_events": events, "params": params})
        self.extras = {outlet.name: events[outlet].extra for outlet in self.operator.outlets}
        return self

    @property
    def told(self) -> list[str]:
        return sorted(outlet.name for outlet in self.operator.outlets)


Make = Callable[..., Run]


def logger(lines: list[str]) -> SimpleNamespace:
    """A logger that keeps what a task says; Airflow's own warning that no server is there is not kept."""
    return SimpleNamespace(info=lambda text, *values: lines.append(text % values), warning=lambda *_: None)


@pytest.fixture
def make(airflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    def made(outlets: tuple[str, ...] = ("core.message", "core.consent"), **case: Any) -> Run:
        from assets import asset
        from task import ConcordTask

        own = {name: case.pop(name) for name in ("arguments", "connections", "always_done") if name in case}
        program = tmp_path / "concord"
        program.write_text(COMMAND.format(python=sys.executable, case=json.dumps(case)), encoding="utf-8")
        program.chmod(0o700)
        monkeypatch.setenv("CONCORD_EXECUTABLE", str(program))
        lines: list[str] = []
        operator = ConcordTask(task_id="t", **{"arguments": ("conform", "crm"), **own},
                               outlets=[asset(name) for name in outlets])
        monkeypatch.setattr(type(operator), "log", logger(lines))
        return Run(operator, lines)

    return made


def done(*changed: str, **more: Any) -> dict[str, Any]:
    return {"result": "done" if changed else "unchanged", "changed": list(changed), **more}


def test_output_is_passed_on_and_only_changed_outlets_are_told_on(make: Make) -> None:
    run = make(report=done("core.message", "ledger.account", batch="crm.1")).execute()
    assert run.told == ["core.message"]
    assert run.extras == {"core.message": {"batch": "crm.1"}}
    assert "words conform crm" in run.lines
    assert run.report["batch"] == "crm.1"


def test_nothing_changed_is_a_skip(make: Make) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException):
        make(report=done()).execute()


def test_a_replay_is_done_where_whoever_starts_the_run_asks_for_it(make: Make) -> None:
    from airflow.sdk.exceptions import AirflowSkipException
    from sources import asked

    run = make(arguments=("replay", "crm", asked), report=done("core.message"))
    with pytest.raises(AirflowSkipException, match="no replay was asked for"):
        run.execute(params={"replay": False})
    assert run.lines == [] and "words replay crm" in run.execute(params={"replay": True}).lines


def test_nothing_changed_in_a_later_try_tells_on_all_outlets(make: Make) -> None:
    assert make(report=done()).execute(try_number=2).told == ["core.consent", "core.message"]


def test_a_step_that_must_go_on_is_not_skipped(make: Make) -> None:
    assert make(report=done(), always_done=True).execute().told == []


def test_arguments_of_the_run_are_words_and_never_templates(make: Make) -> None:
    arguments = ("extract", "record", lambda context: ["{{ x }}", context["dag_run"].run_id], "; rm -rf $HOME")
    run = make(report=done("core.message"), arguments=arguments).execute()
    assert "words extract record {{ x }} manual__1 ; rm -rf $HOME" in run.lines
    assert run.operator.template_fields == ()


RETRIED = {ExitCode.UNEXPECTED, ExitCode.UNAVAILABLE}


@pytest.mark.parametrize("code", [c for c in ExitCode if c is not ExitCode.OK], ids=lambda c: c.name)
def test_each_exit_code_is_tried_again_or_not_as_the_table_says(make: Make, code: ExitCode) -> None:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    with pytest.raises(AirflowException, match=code.name) as raised:
        make(status=int(code), report=done("core.message")).execute()
    assert isinstance(raised.value, AirflowFailException) is not (code in RETRIED)
    assert code.__doc__ and code.is_retried is (code in RETRIED)


@pytest.mark.parametrize("case", [{"status": 99}, {"kill": 9}], ids=["unknown", "killed"])
def test_what_the_table_does_not_know_is_unexpected_and_tried_again(make: Make, case: dict[str, int]) -> None:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    with pytest.raises(AirflowException, match="UNEXPECTED") as raised:
        make(report=done("core.message"), **case).execute()
    assert not isinstance(raised.value, AirflowFailException)


@pytest.mark.parametrize("last", ["", "all done", "[1]", '{"result": "done"}', '{"changed": 3}'])
def test_an_end_without_a_report_fails(make: Make, last: str) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="no report"):
        make(last=last).execute()


STORE = {"AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION"}


@pytest.mark.parametrize(("lake", "words", "more"), [
    ("/lake", ("conform", "crm"), set()), ("/lake", ("extract", "prepare", "x"), set()),
    ("s3://lake/x", ("conform", "crm"), STORE), ("/lake", ("extract", "deliver", lambda _: ["x-1"]), STORE),
    ("/lake", ("recall", "glycemia_institute"), STORE)],
    ids=["local", "prepare", "s3", "deliver", "recall"])
def test_a_command_knows_little_of_our_environment(
        make: Make, monkeypatch: pytest.MonkeyPatch, lake: str, words: tuple[Any, ...], more: set[str]) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AIRFLOW__API_AUTH__JWT_SECRET", "SECRET", "CONCORD_CONNECTION_OTHER", "HTTPS_PROXY", "SSL_CERT_FILE",
                 "REQUESTS_CA_BUNDLE", *STORE):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("CONCORD_LAKE", lake)
    run = make(report=done("core.message"), arguments=words).execute()
    names = set(next(line for line in run.lines if line.startswith("names ")).split()[1:])
    assert names & STORE == more
    assert {"CONCORD_LAKE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"} <= names
    allowed = re.compile(r"PATH|HOME|LANG|TMPDIR|PYTHONPATH|PYTHONUNBUFFERED|LC_CTYPE|SSL_CERT_FILE|REQUESTS_CA_BUNDLE"
                         r"|CONCORD_(?!CONNECTION_).+")
    assert [name for name in names - more if not allowed.fullmatch(name)] == []


def test_a_command_may_ask_aws_for_the_master_secret(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCORD_LAKE", "/lake")
    monkeypatch.setenv("AWS_PROFILE", "x")
    for place, expected in (("file", False), ("kms:alias/concord", True)):
        monkeypatch.setenv("CONCORD_MASTER", place)
        run = make(report=done("core.message"), arguments=("conform", "crm")).execute()
        assert ("AWS_PROFILE" in next(line for line in run.lines if line.startswith("names ")).split()) == expected


@pytest.mark.parametrize(("extra", "address"), [
    ({"base_url": "https://crm.example/api"}, "https://crm.example/api"), ({}, "https://host.example:8443")])
def test_a_connection_is_handed_over_and_its_password_is_never_logged(
        make: Make, monkeypatch: pytest.MonkeyPatch, extra: dict[str, str], address: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CONCORD_CRM", json.dumps({
        "conn_type": "http", "host": "host.example", "port": 8443, "login": "me", "password": PASSWORD,
        "extra": {"ca_file": "/ca.pem", **extra}}))
    shown = "CONCORD_CONNECTION_CONCORD_CRM"
    run = make(report=done("core.message"), connections=("concord_crm",), show=[shown]).execute()
    line = next(line for line in run.lines if line.startswith(shown))
    assert json.loads(line.removeprefix(shown)) == {
        "base_url": address, "login": "me", "password": "***", "ca_file": "/ca.pem"}
    assert PASSWORD not in "\n".join(run.lines) + json.dumps(run.report)


def test_killing_a_task_ends_even_what_does_not_want_to_end(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    import command

    monkeypatch.setattr(command, "PATIENCE_SECONDS", 0.5)
    run, seen, ended = make(grandchild=True), threading.Event(), []

    class Lines(list[str]):
        def append(self, line: str) -> None:
            super().append(line)
            seen.set()

    lines = Lines()
    monkeypatch.setattr(type(run.operator), "log", logger(lines))

    def work() -> None:
        try:
            run.execute()
        except Exception as error:
            ended.append(type(error).__name__)

    thread = threading.Thread(target=work)
    thread.start()
    assert seen.wait(20)
    grandchild = psutil.Process(int(lines[0].split()[1]))
    run.operator.on_kill()
    thread.join(20)
    assert ended == ["AirflowException"]
    assert psutil.wait_procs([grandchild], timeout=5)[1] == [] or grandchild.status() == psutil.STATUS_ZOMBIE
