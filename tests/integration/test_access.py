"""What is held of a person is given to them whole, to an officer alone, after the ledger has it, and nothing of it is kept elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from typer.testing import CliRunner

from contracts import catalog
from jobs.access import folder
from jobs.cli import app
from jobs.errors import ConfigurationError, KeysUnreadable, LakeError, NotAuthorised
from jobs.key_stores import MASTER
from jobs.lake import Lake
from jobs.run import access as run
from jobs.run.access import access
from jobs.run.asking import Question
from jobs.run.forget import forget
from jobs.settings import Settings
from tests.integration.accessing import about, asked, copied, ledger, lines, resources, rows
from tests.integration.airflow_stand_in import Users
from tests.integration.test_forget import asked as forgotten
from tests.integration.test_forget import person, released
from tests.integration.two_releases import GLUCOSE, airflow, audit, home, prepared
from tests.landing import lake_of as lake

__all__ = ["airflow", "home", "prepared"]
CORE = [name for name in sorted(catalog().tables) if name.startswith("core.")]


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value


def test_every_row_is_there_with_its_table_and_version(home: Settings, tmp_path: Path, airflow: Users) -> None:
    report = copied(home, tmp_path / "out", "person-3")
    for name in CORE:
        if lake(home).exists(name):
            held = [r for r in lake(home).arrow(name).to_pylist() if (r["source"], r["source_person_id"]) == ("crm", "person-3")]
            wanted = [{k: plain(v) for k, v in row.items()} for row in held]
            assert sorted(rows(tmp_path / "out", name), key=str) == sorted(wanted, key=str), name
            assert {(line["table"], line["version"]) for line in lines(tmp_path / "out", name)} <= {(name, lake(home).version(name))}
    assert len(rows(tmp_path / "out", "core.observation")) == 4 and len(rows(tmp_path / "out", "core.consent")) == 4
    link, = rows(tmp_path / "out", "vault.link")
    assert (link["source_person_id"], "person_key" in link) == ("person-3", False)
    assert report.facts["rows"] == sum(len(lines(tmp_path / "out", path.stem)) for path in (tmp_path / "out/data").iterdir())


def test_rows_of_products_are_there_without_their_pseudonym(home: Settings, tmp_path: Path, airflow: Users) -> None:
    key, names = person(home, "person-3")
    copied(home, tmp_path / "out", "person-3")
    found, name = lines(tmp_path / "out", f"product.{GLUCOSE}"), f"product.{GLUCOSE}"
    newest = released(home)[-1]
    held = [r for r in lake(home).arrow(name, newest["table_version"]).to_pylist() if r["person_id"] in names]
    assert [line["row"]["observed_on"] for line in found] == [r["observed_on"].isoformat() for r in held] and len(held) == 2
    assert {(line["version"], line["release"]) for line in found} == {(newest["table_version"], "engagement/2")}, "alike: once"
    everything = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert not [word for word in (key, *names) if word.encode() in everything]


def test_who_said_no_is_told_of_the_release_that_still_has_them(home: Settings, tmp_path: Path, airflow: Users) -> None:
    copied(home, tmp_path / "out", "person-0")
    assert {line["release"] for line in lines(tmp_path / "out", f"product.{GLUCOSE}")} == {"engagement/1"}


def test_the_bundle_is_fhir(home: Settings, tmp_path: Path, airflow: Users) -> None:
    copied(home, tmp_path / "out", "person-3")
    Bundle.model_validate_json((tmp_path / "out/fhir-bundle.json").read_bytes())
    kinds = [r["resourceType"] for r in resources(tmp_path / "out")]
    assert {kind: kinds.count(kind) for kind in kinds} == {"Patient": 1, "Observation": 4, "Consent": 4}
    assert {r["meta"]["source"] for r in resources(tmp_path / "out") if r["resourceType"] == "Observation"} == {
        f"urn:concord:table:core.observation:version:{lake(home).version('core.observation')}"}


def test_the_ledger_has_it_before_anything_is_read(home: Settings, tmp_path: Path, airflow: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    real = run.theirs.who

    def who(*given: Any) -> Any:
        seen.extend(ledger(home))
        return real(*given)
    monkeypatch.setattr(run.theirs, "who", who)
    report = copied(home, tmp_path / "out", "person-3")
    before, = seen
    assert (before["requested_by"], before["reason"], before["answer"], before["rows"]) == ("officer", "asked by letter", None, None)
    after, = ledger(home)
    assert (after["answer"], after["rows"], after["withheld"]) == ("bundle", report.facts["rows"], 0)
    assert after["manifest_sha256"] == folder.hashlib.sha256((tmp_path / "out/manifest.json").read_bytes()).hexdigest()
    assert audit(home)["actor"] == "officer"


def test_nobody_is_named_by_what_the_platform_keeps(home: Settings, tmp_path: Path, airflow: Users) -> None:
    key, names = person(home, "person-3")
    report = copied(home, tmp_path / "out", "person-3")
    said = json.dumps([lake(home).arrow(name).to_pylist() for name in ("ledger.access", "ledger.audit")] + [report.facts], default=str)
    said += home.events.read_text("utf-8")
    assert not [word for word in ("person-3", key, *names) if word in said]


def test_it_fails_closed(home: Settings, tmp_path: Path, airflow: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.theirs, "who", lambda *_: pytest.fail("was read"))
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "merge_arrow", lambda *_, **__: (_ for _ in ()).throw(LakeError("the ledger cannot be written")))
        with pytest.raises(LakeError):
            access(home, asked("person-3"), tmp_path / "out")
    (home.keys / MASTER).unlink()
    with pytest.raises(KeysUnreadable):
        access(home, asked("person-3"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("given", "error", "match"), [
    (asked("person-3", token="engineers-token"), NotAuthorised, "with that of an officer"),
    (asked("person-3", token=""), NotAuthorised, "nobody proved who asks"),
    (asked("person-3", reason=" "), ConfigurationError, "say why, in 1 to 500"), (asked("person-3", reason="x" * 501), ConfigurationError, "say why"),
    (asked("person-3", reason="letter of person-3"), ConfigurationError, "must name nobody"),
    (asked(""), ConfigurationError, "name whose data is wanted"), (asked("person-3", source="person-3"), ConfigurationError, "no source is called so"),
    (Question(b'{"token": "officers-token", "reason": "x"}'), ConfigurationError, "name whose data is wanted"),
    (Question(b'{"person": "person-3"}'), ConfigurationError, "is not of the form")])
def test_what_is_refused_gives_nothing(home: Settings, tmp_path: Path, airflow: Users, given: Question, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match) as refused:
        access(home, given, tmp_path / "out")
    assert "person-3" not in str(refused.value) and not (tmp_path / "out").exists() and not lake(home).exists("ledger.access")


@pytest.mark.parametrize(("kind", "match"), [
    ("full", "is there already and no empty folder"), ("file", "is there already"), ("link", "is there already"),
    ("nowhere", "is not there; make it first"), ("home", "the platform's own folders"), ("lake", "the platform's own folders")])
def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_read(
        home: Settings, tmp_path: Path, airflow: Users, kind: str, match: str) -> None:
    out = tmp_path / "person-3"
    match kind:
        case "full":
            out.mkdir()
            (out / "x").write_text("mine")
        case "file":
            out.write_text("mine")
        case "link":
            out.symlink_to(tmp_path)
        case "nowhere":
            out = tmp_path / "no" / "person-3"
        case "home":
            out = home.home / "person-3"
        case _:
            out = Path(home.lake_root) / "person-3"
    with pytest.raises(ConfigurationError, match=match) as refused:
        access(home, asked("person-3"), out)
    assert "person-3" not in str(refused.value) and not lake(home).exists("ledger.access")
    assert kind != "full" or [path.name for path in out.iterdir()] == ["x"]


def test_an_empty_folder_is_taken(home: Settings, tmp_path: Path, airflow: Users) -> None:
    (tmp_path / "out").mkdir(mode=0o755)
    copied(home, tmp_path / "out", "person-3")


def test_somebody_unknown_gets_a_plain_answer(home: Settings, tmp_path: Path, airflow: Users) -> None:
    report = access(home, asked("nobody-knows-them"), tmp_path / "out")
    assert (report.facts["answer"], report.facts["forgotten_in"]) == ("nothing_held", None) and not list(tmp_path.glob("*out*"))
    row, = ledger(home)
    assert (row["answer"], row["rows"], row["manifest_sha256"]) == ("nothing_held", 0, None)


def test_somebody_forgotten_is_not_there_any_more(home: Settings, tmp_path: Path, airflow: Users) -> None:
    erasure = forget(home, forgotten("person-3")).facts["erasure"]
    report = access(home, asked("person-3"), tmp_path / "out")
    assert (report.facts["answer"], report.facts["forgotten_in"]) == ("nothing_held", erasure) and not (tmp_path / "out").exists()
    copied(home, tmp_path / "other", "person-4")


def test_an_identity_without_data_is_all_there_is(home: Settings, tmp_path: Path, airflow: Users) -> None:
    copied(home, tmp_path / "out", "no-data")
    assert len(rows(tmp_path / "out", "core.identity")) == 1 and not rows(tmp_path / "out", "core.observation")
    assert about(tmp_path / "out")["15(1)(c) recipients"] == []


DIES = """
import os, sys
from pathlib import Path
from jobs.access import folder
from jobs.run.access import access
from jobs.settings import Settings
from tests.integration.accessing import asked
folder.os.rename = lambda *_: os._exit(9)
access(Settings(home=Path(sys.argv[1]), lake=""), asked("person-3"), Path(sys.argv[2]))
"""


def test_a_killed_run_leaves_nothing_that_looks_whole_and_the_next_one_clears_it(home: Settings, tmp_path: Path, airflow: Users) -> None:
    done = subprocess.run([sys.executable, "-c", DIES, str(home.home), str(tmp_path / "out")], env=dict(os.environ), timeout=120, check=False)
    left, = (path for path in tmp_path.iterdir() if path.name.startswith(".concord-access-"))
    assert done.returncode == 9 and not (tmp_path / "out").exists() and left.stat().st_mode & 0o777 == 0o700
    copied(home, tmp_path / "out", "person-3")


def test_what_fails_leaves_nothing(home: Settings, tmp_path: Path, airflow: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> str:
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(run, "page", fails)
    with pytest.raises(Exception, match="no room left"):
        access(home, asked("person-3"), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []
    assert ledger(home)[0]["answer"] is None


def test_the_command(home: Settings, tmp_path: Path, airflow: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCORD_HOME", str(home.home))
    monkeypatch.delenv("CONCORD_LAKE", raising=False)
    done = CliRunner().invoke(app, ["access", "--out", str(tmp_path / "out")], input=asked("person-3").content, catch_exceptions=False)
    said, facts = done.stdout.strip().rsplit("\n", 1)
    assert done.exit_code == 0 and "Deliver the folder, then delete it." in said and "person-3" not in done.output
    assert json.loads(facts)["answer"] == "bundle" and (tmp_path / "out/index.html").exists()
    done = CliRunner().invoke(app, ["access", "--out", str(tmp_path / "none")], input=asked("nobody").content, catch_exceptions=False)
    assert "nothing is held of a person of that id; no folder was made" in done.stdout
