"""Looking for the canary person and for keys in everything a run left behind."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from jobs import key_stores, keys

# The values the simulated population gives person 0; those that any text may hold by chance (a postcode) are left out.
VALUES = ("Canaryna", "Kanarienvogel", "canary.example", "15550000001", "Canaryville", "canaryna_k", "CANARY-SN-0001",
          "1931-01-07", "CANARYTEXT")
# The zones that hold persons, and the simulated world itself.
HOLDERS = ("lake/raw", "lake/core", "lake/vault", "lake/safety", "sources")


def person_ids(home: Path) -> list[str]:
    """The ids by which the six source systems know the canary."""
    truth = json.loads((home / "sources" / "truth.json").read_text(encoding="utf-8"))
    canary = next(p for p in truth["people"] if p["canary"])
    return [name for system in ("app", "crm", "device_cloud", "social", "community", "study") for name in canary[system]]


def secrets(home: Path) -> list[bytes]:
    """The master secret and every derived key, raw, as hex and as base64."""
    found: list[bytes] = []
    raw = [bytes.fromhex((home / "keys" / key_stores.MASTER).read_text().strip())]
    raw += [path.read_bytes() for path in (home / "keys").glob("*.salt")]
    raw += [keys.epoch_key(home / "keys", domain, 1) for domain in ("engagement", "glycemia_institute")]
    for key in raw:
        found += [key, key.hex().encode(), base64.b64encode(key).rstrip(b"=")]
    private = (home / "keys" / keys.SIGNING).read_text().splitlines()[1]
    return [*found, private.encode()]


def texts(home: Path, leave_out: tuple[str, ...]) -> Iterator[tuple[Path, bytes]]:
    """Every file below a home but the named folders, as bytes that can be searched; Parquet as its values."""
    for path in sorted(home.rglob("*")):
        if not path.is_file() or str(path.relative_to(home)).startswith(leave_out):
            continue
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += json.dumps(pq.read_table(path).to_pylist(), default=str).encode()
        elif path.suffix == ".gz":
            content += zlib.decompress(content, 31)
        yield path, content


def holding(home: Path, wanted: list[bytes], leave_out: tuple[str, ...]) -> list[str]:
    """The files that hold one of the wanted values, each with the number of the value."""
    return [f"{path.relative_to(home)} holds value {number}" for path, content in texts(home, leave_out)
            for number, value in enumerate(wanted) if value in content]
