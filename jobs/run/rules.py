"""The rules that judge a source's records, named by a digest: what another judged may be worth a replay."""

from __future__ import annotations

import hashlib
from pathlib import Path

from contracts.model import Source, Table

JOBS = Path(__file__).resolve().parents[1]
READERS = ("row_rules.py", "one_pass.py", "../expectations/rules.py", "stages/clocks.py", "stages/conform.py",
           "stages/mapping.py", "stages/parsed.py")
PARSERS = ("sources/*.py", "fhir/*.py")  # What feeds with a parser are read by.


def declared(source: Source, tables: dict[str, Table]) -> str:
    """SHA-256 of a source's contract and of what the tables that it feeds declare."""
    return _digest([source.sha256.encode(), *(tables[name].model_dump_json().encode() for name in source.tables)])


def rules(source: Source, tables: dict[str, Table]) -> str:
    """SHA-256 of what is declared, and the code that reads the source's payloads."""
    patterns = (*READERS, *(PARSERS if any(feed.parse for feed in source.feeds) else ()))
    code = [path for pattern in patterns for path in sorted(JOBS.glob(pattern))]
    return _digest([declared(source, tables).encode(), *(path.read_bytes() for path in code)])


def _digest(said: list[bytes]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in said)).hexdigest()
