"""Of two runs on one machine that would write the same thing, one waits and the other is not disturbed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobs.errors import LostRace
from jobs.run.people import resolve
from jobs.settings import Settings
from jobs.turn import house, turn

HOLDER = """
import sys, time
from pathlib import Path
from jobs.turn import turn
with turn(Path(sys.argv[1]), "resolve.people"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """A process that holds a turn until it is told or killed."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_turn_is_held_by_one_and_falls_with_its_process(tmp_path: Path) -> None:
    process = holder(tmp_path)
    try:
        with turn(tmp_path, "resolve.other"):
            pass
        with pytest.raises(LostRace, match=r"resolve\.people"), turn(tmp_path, "resolve.people", patience=0.2):
            pass
    finally:
        process.kill()
        process.wait()
    with turn(tmp_path, "resolve.people", patience=0.2):
        pass


def test_every_stage_waits_for_its_turn(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.turn.PATIENCE_SECONDS", 0.2)
    home = Settings(home=tmp_path, lake="", engine=engine)
    process = holder(tmp_path / "turns")
    try:
        with pytest.raises(LostRace, match=r"resolve\.people"):
            resolve(home)
    finally:
        process.kill()
        process.wait()
    resolve(home)


def test_a_run_waits_for_its_turn(tmp_path: Path) -> None:
    process = holder(tmp_path)
    assert process.stdin is not None
    started = time.monotonic()
    process.stdin.write("\n")
    process.stdin.flush()
    with turn(tmp_path, "resolve.people"):
        assert time.monotonic() - started < 20
    assert process.wait() == 0


def test_the_lock_of_any_name_stays_in_its_folder(tmp_path: Path) -> None:
    with turn(tmp_path / "turns", "extract.deliver.../../a b"), turn(tmp_path / "turns", "extract.deliver.../../a_b"):
        assert len(list((tmp_path / "turns").iterdir())) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["turns"]


def test_who_must_be_alone_waits_for_all_others_and_they_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.turn.PATIENCE_SECONDS", 0.2)
    with (house(tmp_path, alone=False), house(tmp_path, alone=False),
          pytest.raises(LostRace, match="other stages are at work"), house(tmp_path, alone=True)):
        pass
    with (house(tmp_path, alone=True),
          pytest.raises(LostRace, match="people are being forgotten"), house(tmp_path, alone=False)):
        pass
