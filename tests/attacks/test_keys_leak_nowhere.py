"""Keys, and a person whose every value can be recognised, in all that a run shows or leaves: files, outputs, process lists, plans."""

from __future__ import annotations

import base64
import json
import logging
import os
import secrets
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from contracts.exit_codes import ExitCode
from infra.local.sources.process import running
from jobs import key_files, key_stores, keys
from jobs.errors import KeysUnreadable
from jobs.run import epochs, pseudonyms
from jobs.run.extract import prepare
from jobs.run.product import build
from jobs.run.shell import open_shell
from jobs.settings import Settings
from jobs.stages import pseudonymise
from tests import small_lake
from tests.acceptance.canary import HOLDERS, VALUES, holding, person_ids
from tests.attacks.key_search import Watch, files, forms, found, secrets_of, sent_to_the_engine
from tests.faults.command import concord
from tests.faults.flow import connect
from tests.integration.connecting import access_to
from tests.integration.two_epochs import connected

RECIPIENT, GROUP, GLUCOSE = "glycemia_institute", "engagement", "glucose_daily"
DOMAINS = (GROUP, RECIPIENT)
SOURCES = ("adherence_app", "crm")
OFFICER = json.dumps({"token": "officers-token"})
SECRET = secrets.token_bytes(32)


@dataclass(frozen=True)
class Ran:
    """A small flow that was run as commands: its home, all that was seen of it, how commands ended, and what must not be found."""

    home: Path
    work: Path
    watch: Watch
    ended: dict[str, tuple[int, str]]
    secrets: dict[str, bytes]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """From two sources to an extract, a rotation, questions that are refused, and a key store that is down in three ways."""
    home, work = tmp_path_factory.mktemp("flow") / "home", tmp_path_factory.mktemp("work")
    ended: dict[str, tuple[int, str]] = {}
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        stack.enter_context(connected(patch))
        sources = stack.enter_context(running(home / "sources", "--people", "40", "--days", "2", "--canary"))
        for source in SOURCES:
            access = access_to(sources, source)
            connect(patch, catalog().sources[source].connection.id, access.base_url, access.login, access.password, str(access.ca_file))
        watch = Watch({**os.environ, "CONCORD_HOME": str(home), "CONCORD_ENGINE": "sail", "TMPDIR": str(work)},
                      (work, home / "lake" / "_work", home / "spool", home / "turns"))
        ended["create"] = watch.concord("keys", "create")
        small_lake.Lake(str(home / "lake"), catalog().tables).ensure("core.message")
        for words in [*(("land", s) for s in SOURCES), *(("conform", s) for s in SOURCES), ("resolve",)]:
            ended[" ".join(words)] = _forked(watch, home, *words)
        for product in catalog().products.values():
            run = _forked if product.is_aggregate else _watched
            ended[f"build {product.id}"] = run(watch, home, "build", product.id)
        ended["release"] = _forked(watch, home, "release", GROUP)
        ended["prepare"] = watch.concord("extract", "prepare", RECIPIENT, "--dag-run", f"extract_{RECIPIENT}", "manual__1")
        ended["rotate"] = watch.concord("keys", "rotate", GROUP, given=OFFICER)
        ended["a wrong pseudonym"] = watch.concord("reidentify", "request", "--domain", GROUP, "--purpose", "safety_follow_up", given=json.dumps(
            {"pseudonym": "f" * 32, "reason": "a report of harm", "token": "officers-token"}))
        ended["no such product"] = _forked(watch, home, "build", "nosuch")
        _down(watch, home, ended)
        ended["again"] = watch.concord("build", GLUCOSE)
    yield Ran(home, work, watch, ended, secrets_of(home / "keys", DOMAINS))


def _watched(watch: Watch, home: Path, *words: str) -> tuple[int, str]:
    """A command with keys in its hands, in a process of its own."""
    return watch.concord(*words)


def _forked(watch: Watch, home: Path, *words: str) -> tuple[int, str]:
    """A command without, in a process that has imported everything: what it says is looked through, too."""
    done = concord(home, *words)
    watch.seen[f"output of {' '.join(words)}"] = (done.output + done.errors).encode()
    return done.status, done.output + done.errors


def _down(watch: Watch, home: Path, ended: dict[str, tuple[int, str]]) -> None:
    """Builds that need a key, while none can be had; the texts of errors are asked for, too."""
    master, salt = home / "keys" / key_stores.MASTER, home / "keys" / f"{GROUP}.2.salt"
    whole = salt.read_bytes()
    master.chmod(0o644)
    ended["others may read the master"] = watch.concord("build", GLUCOSE, CONCORD_DEBUG="1")
    master.chmod(0o600)
    salt.write_bytes(whole[:20])
    ended["half a salt"] = watch.concord("build", GLUCOSE, CONCORD_DEBUG="1")
    salt.write_bytes(whole)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        ended["the store is down"] = watch.concord(
            "build", GLUCOSE, CONCORD_DEBUG="1", CONCORD_MASTER="secretsmanager:concord/master", AWS_REGION="eu-central-1",
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{free.getsockname()[1]}", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")


def test_the_flow_ran_and_what_had_to_fail_failed_with_a_reason(ran: Ran) -> None:
    refused = {"a wrong pseudonym": (ExitCode.CONFIGURATION, "is no pseudonym of domain"),
               "no such product": (ExitCode.CONFIGURATION, "no product is called"),
               "others may read the master": (ExitCode.CONSENT, "can be read by others"),
               "half a salt": (ExitCode.CONSENT, "holds no 32 bytes"), "the store is down": (ExitCode.CONSENT, "nothing flows until it does")}
    for name, (status, said) in ran.ended.items():
        wanted = refused.get(name, (ExitCode.OK, ""))
        assert status == wanted[0] and wanted[1] in said, (name, status, said)
    assert len(ran.secrets) == 9, "the master, three salts, three keys of epochs, two of references"


def test_keys_are_in_no_file_output_or_process_list(ran: Ran) -> None:
    left = files(ran.home, ("keys", "sources")) | files(ran.work)
    kinds = {name.split()[0] for name in ran.watch.seen}
    assert kinds == {"output", "process", "during"} and len(left) > 100
    shown = b"".join(text for name, text in ran.watch.seen.items() if name.startswith("process"))
    assert b"extract\0prepare" in shown and b"CONCORD_HOME=" in shown, "the list was looked at while commands ran"
    assert any("_work/" in name for name in ran.watch.seen), "and so was their work"
    assert found(left | ran.watch.seen, ran.secrets) == []
    assert found(files(ran.home / "keys"), ran.secrets), "the search itself must be able to find"


def test_the_canary_is_in_no_output_or_process_list_nor_outside_the_zones_of_persons(ran: Ran) -> None:
    wanted = [value.encode() for value in (*VALUES, *person_ids(ran.home))]
    assert len(holding(ran.home, wanted[:1], ("sources",))) > 1, "the search itself must be able to find"
    assert holding(ran.home, wanted, (*HOLDERS, "keys")) == []
    shown = {name: text for name, text in ran.watch.seen.items() if not name.startswith("during")}
    assert [name for name, text in shown.items() for value in wanted if value in text] == []


@pytest.mark.parametrize("form", forms(SECRET))
@pytest.mark.parametrize("around", [(b"", b""), (b"x", b"yz"), (b"ab", b"c")])
def test_a_planted_key_is_found_in_each_form(form: str, around: tuple[bytes, bytes], tmp_path: Path) -> None:
    """Also within something longer, and half of it."""
    before, after = around
    whole = {"raw": SECRET, "hex": SECRET.hex().encode(), "HEX": SECRET.hex().upper().encode(), "repr": repr(SECRET).encode(),
             "list": str(list(SECRET)).encode(), "java": str([b - 256 * (b > 127) for b in SECRET]).encode(),
             "base64": base64.b64encode(before + SECRET + after), "base64url": base64.urlsafe_b64encode(before + SECRET + after)}
    planted = tmp_path / "planted.log"
    planted.write_bytes(b"12:00 " + before + whole[form.partition("+")[0]] + b" end")
    assert found(files(tmp_path), {"key": SECRET}), form
    assert found({"half": SECRET[:16].hex().encode()}, {"key": SECRET}) and found({"half": SECRET[16:].hex().encode()}, {"key": SECRET})
    assert found({"other": secrets.token_bytes(4096).hex().encode()}, {"key": SECRET}) == []


def test_a_planted_key_is_seen_in_a_process_list_and_in_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that gets a key as an argument and writes it into a file that is gone when it ends."""
    work, program = tmp_path / "work", tmp_path / "program.py"
    work.mkdir()
    program.write_text("import pathlib, sys, time\nfile, end = pathlib.Path(sys.argv[2]), time.monotonic() + 20\nfile.write_text(sys.argv[1])\n"
                       "while time.monotonic() < end and not pathlib.Path(sys.argv[2] + '.seen').exists(): pass\nfile.unlink()\n", "utf-8")
    watch = Watch(dict(os.environ), (work,), (sys.executable, str(program)))
    looked = watch._look

    def look(name: str, pid: int) -> None:
        looked(name, pid)
        if any(place.startswith("during") for place in watch.seen):
            (work / "key.seen").touch()

    monkeypatch.setattr(watch, "_look", look)
    assert watch.concord(SECRET.hex(), str(work / "key"))[0] == 0
    kinds = {place.split()[0] for place in found(watch.seen, {"key": SECRET}) if "hex)" in place}
    assert kinds >= {"process", "during"}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Settings:
    made = small_lake.settings(tmp_path_factory.mktemp("plans") / "home", engine)
    small_lake.fill(made)
    small_lake.released(made)
    return made


def test_keys_are_in_no_plan_and_no_log(lake: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
                                        capsys: pytest.CaptureFixture[str]) -> None:
    """All that goes to the engine when pseudonyms are made for the first time, for a partner, and when a product is built."""
    caplog.set_level(logging.DEBUG)
    small_lake.append(small_lake.Lake(lake.lake_root, catalog().tables), "core.observation", [
        {"source_person_id": "person-1", "code": "2339-0", "value": 90.0, "unit_code": "mg/dL", "effective_at": small_lake.START,
         "status_code": "final"}])
    with sent_to_the_engine(monkeypatch) as sent, connected(monkeypatch):
        assert build(lake, GLUCOSE).result == "done"
        prepare(lake, RECIPIENT, (f"extract_{RECIPIENT}", "plans"))
        with open_shell(lake, "keys.rotate", GROUP, with_engine=True) as shell:
            rows = shell.lake.read("vault.link").selectExpr("person_key", "source")
            joined = pseudonymise.apply(rows, pseudonyms.of(shell, GROUP, 1), "person_id")
            for mode in ("simple", "extended", "formatted"):
                joined.explain(mode=mode)
            pseudonyms.complete(shell, RECIPIENT, 1, rows)
    explained = capsys.readouterr().out.encode()
    known = secrets_of(lake.keys, DOMAINS)
    assert len(sent) > 50 and any(b"vault/pseudonym" in message for message in sent.values()), "plans were seen"
    assert b"pseudonym" in explained and explained.count(b"==") + explained.count(b"Plan") > 2
    logged = "\n".join(f"{r.getMessage()} {r.exc_text or ''}" for r in caplog.records).encode()
    assert found({**sent, "explained": explained, "logged": logged}, known) == []


def test_a_key_that_went_into_a_plan_would_be_seen(lake: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyspark.sql import functions as F

    with sent_to_the_engine(monkeypatch) as sent, open_shell(lake, "keys.rotate", GROUP, with_engine=True) as shell:
        key = epochs.key(shell, GROUP, 1)
        shell.lake.spark.range(1).select(F.lit(bytearray(key))).count()
        literal = len(found(sent, {"key": key}))
        shell.lake.spark.sql(f"SELECT '{key.hex()}'").count()
    assert literal and len(found(sent, {"key": key})) > literal


FAILING = {"digest": (pseudonyms, "digest_with_seeds"), "derivation": (keys.HKDF, "derive"), "salt": (key_files.os, "fsync")}


@pytest.mark.parametrize("where", FAILING)
def test_no_error_on_the_way_of_a_key_says_it(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Whatever breaks while a key is in hand: the error, its causes and the places it came by."""
    home = small_lake.settings(tmp_path / "home", engine)
    (home.keys / f"{GROUP}.1.salt").unlink()

    def breaks(*_: Any, **__: Any) -> None:
        raise OSError("broken")

    monkeypatch.setattr(*FAILING[where], breaks)
    with pytest.raises((OSError, KeysUnreadable)) as failed, open_shell(home, "keys.rotate", GROUP, with_engine=False) as shell:
        pseudonyms.digest_with_seeds(epochs.key(shell, GROUP, 1), ["person"])
    monkeypatch.undo()
    said = "".join(traceback.format_exception(failed.value)).encode()
    assert b"broken" in said and found({"said": said}, {"master": key_stores.master(home.keys, "file")}) == []
    if (home.keys / f"{GROUP}.1.salt").exists():
        assert found({"said": said}, {"salt": (home.keys / f"{GROUP}.1.salt").read_bytes()}) == []
