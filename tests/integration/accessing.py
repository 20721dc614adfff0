"""Asking for what is held of a person, and reading the folder that comes of it, for tests of `concord access`."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobs.run.access import access
from jobs.run.asking import Question
from jobs.run.shell import Report
from jobs.settings import Settings
from tests.integration.two_releases import OFFICERS
from tests.landing import lake_of

TABLE = "ledger.access"


def asked(person: str, source: str = "crm", reason: str = "asked by letter", token: str = OFFICERS) -> Question:
    """The question of an officer."""
    return Question(json.dumps({"person": {"source": source, "source_person_id": person}, "reason": reason, "token": token}).encode())


def copied(home: Settings, out: Path, person: str, source: str = "crm") -> Report:
    """A copy of what is held of a person, in a folder that is sound."""
    report = access(home, asked(person, source), out)
    assert report.facts["answer"] == "bundle"
    sound(out)
    return report


def sound(out: Path) -> None:
    """Every file is listed with its hash, is its owner's alone, and nothing else is there."""
    listed = {f["name"]: f for f in json.loads((out / "manifest.json").read_bytes())["files"]}
    there = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert there == {*listed, "manifest.json"}
    for name, said in listed.items():
        content = (out / name).read_bytes()
        assert (said["sha256"], said["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content)), name
        assert said.get("lines", content.count(b"\n")) == content.count(b"\n")
    assert {path.stat().st_mode & 0o777 for path in (out, *out.rglob("*"))} == {0o700, 0o600}
    assert not [path for path in out.parent.iterdir() if path.name.startswith(".concord-access-")]


def lines(out: Path, table: str) -> list[dict[str, Any]]:
    """The copied rows of a table, each with where it stood."""
    path = out / "data" / f"{table}.ndjson"
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def rows(out: Path, table: str) -> list[dict[str, Any]]:
    """The copied rows of a table."""
    return [line["row"] for line in lines(out, table)]


def resources(out: Path) -> list[dict[str, Any]]:
    """The resources of the Bundle."""
    bundle = json.loads((out / "fhir-bundle.json").read_bytes())
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
    return [entry["resource"] for entry in bundle.get("entry", [])]


def about(out: Path) -> dict[str, Any]:
    """What is told beside the data."""
    return dict(json.loads((out / "about.json").read_bytes()))


def ledger(home: Settings) -> list[dict[str, Any]]:
    """Every request, oldest first."""
    return sorted(lake_of(home).arrow(TABLE).to_pylist(), key=lambda row: row["requested_at"])


def texts(out: Path) -> Iterator[tuple[str, bytes]]:
    """Every byte of a folder: names, contents, and what in them is base64."""
    for path in sorted(out.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        held = b" ".join(base64.b64decode(found[:len(found) // 4 * 4]) for found in re.findall(rb"[A-Za-z0-9+/]{16,}", content))
        yield str(path.relative_to(out)), str(path.relative_to(out)).encode() + content + held


def holding(out: Path, *values: str) -> list[str]:
    """The files that hold one of the values."""
    return [f"{name} holds {value}" for name, content in texts(out) for value in values if value.encode() in content]
