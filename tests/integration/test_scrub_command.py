"""`concord scrub`: JSON lines in, one JSON line out for each, and broken ones named by number and never quoted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts.exit_codes import ExitCode

CANARY = "Quetzalcoatl"


def _run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "jobs", "scrub", *map(str, words)], capture_output=True, text=True, timeout=240,
                          check=False)


def _file(path: Path, *lines: Any) -> Path:
    path.write_bytes(b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines))
    return path


def test_a_line_out_for_every_line_in(tmp_path: Path) -> None:
    people = _file(tmp_path / "people.jsonl", {"person": "p1", "names": ["Quapp"]}, {"names": ["Frogmore"]})
    texts = _file(
        tmp_path / "texts.jsonl", {"text": "My name is Anna Weber.", "language": "en", "person": "p1", "secret": CANARY},
        {"text": "today quapp and frogmore came by for tea.", "person": "p1"}, {"text": "today quapp and frogmore came by for tea."},
        {"text": None}, b"", {"text": "Mijn naam is Jan.", "language": "nl"}, {"text": "😀" * 262_144}, {"text": "😀" * 60_000})
    done = _run(texts, "--known", people)
    assert done.returncode == ExitCode.OK, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"line": 1, "text": "My name is [NAME_1].", "language": "en", "spans": [{"start": 11, "end": 21, "type": "NAME"}]},
        {"line": 2, "text": "today [NAME_1] and [NAME_2] came by for tea.", "language": "en",
         "spans": [{"start": 6, "end": 11, "type": "NAME"}, {"start": 16, "end": 24, "type": "NAME"}]},
        {"line": 3, "text": "today quapp and [NAME_1] came by for tea.", "language": "en",
         "spans": [{"start": 16, "end": 24, "type": "NAME"}]},
        {"line": 4, "text": None, "language": None, "withheld": "no_text"},
        {"line": 6, "text": None, "language": None, "withheld": "unknown_language"},
        {"line": 7, "text": None, "language": None, "withheld": "too_long"},
        {"line": 8, "text": None, "language": None, "withheld": "no_words"}]
    assert "7 texts: scrubbed 3" in done.stderr and CANARY not in done.stdout + done.stderr


def test_broken_lines_are_named_by_number_and_the_rest_is_scrubbed(tmp_path: Path) -> None:
    texts = _file(tmp_path / "texts.jsonl", f"{CANARY}".encode(), [CANARY], {"txt": CANARY}, {"text": 7, "note": CANARY},
                  {"text": CANARY, "language": 7}, {"text": f"\ud800 {CANARY}"}, b"\xff" + CANARY.encode(), b"[" * 50_000,
                  b'{"text": "' + b"a" * 5_000_000 + CANARY.encode() + b'"}', {"text": "Where is my sensor?"})
    done = _run(texts)
    assert done.returncode == ExitCode.CONTRACT
    assert [json.loads(line).get("withheld") for line in done.stdout.splitlines()] == [
        "not_json", "no_text_field", "no_text_field", "wrong_type", "wrong_type", "not_unicode", "not_json", "not_json",
        "line_too_long", None]
    assert "9 lines are no texts (lines 1, 2, 3, 4, 5, 6, 7, 8, 9)" in done.stderr
    assert CANARY not in done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["text"] == "Where is my sensor?"


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"nmes": ["Quetzalcoatl"]}', b'{"names": "Quetzalcoatl"}', b'{"names": [""]}',
                                  b'{"birth_dates": ["Quetzalcoatl"]}', b'{"names": ["Quetzalcoatl", 7]}'])
def test_what_is_known_is_understood_or_nothing_is_scrubbed(tmp_path: Path, line: bytes) -> None:
    done = _run(_file(tmp_path / "texts.jsonl", {"text": "Hello there"}), "--known", _file(tmp_path / "people.jsonl", line))
    assert done.returncode == ExitCode.CONFIGURATION
    assert "people.jsonl, line 1" in done.stderr and CANARY not in done.stdout + done.stderr and done.stdout == ""


def test_files_that_are_not_there(tmp_path: Path) -> None:
    done = _run(tmp_path / "none.jsonl")
    assert done.returncode == ExitCode.CONFIGURATION and "cannot be read" in done.stderr
    assert _run(_file(tmp_path / "empty.jsonl")).returncode == ExitCode.OK
