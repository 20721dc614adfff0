"""What a home holds, without what differs from run to run; and that its accounts add up."""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from contracts import catalog
from jobs.lake import Lake
from jobs.run.product import account_of
from jobs.settings import Settings

CLOCKS = {"at", "written_at", "checked_at", "conformed_at", "landed_at", "received_at", "rejected_at", "released_at", "prepared_at",
          "decided_at", "begun_at", "delivered_at", "linked_at", "minted_at", "trained_at", "detected_at", "issued_at", "effective_at",
          "triage_due_at", "report_due_at", "before_at", "changed_at", "found_at", "held_at", "first_seen_at", "last_seen_at", "noticed_at", "due_at", "closed_at", "spent_at", "started_at", "retired_at", "ended_at", "since_at",
          "run_id", "match_id", "manifest_sha256", "notice_sha256"}


def lake_of(home: Path) -> Lake:
    """The lake of a home, for Arrow reads."""
    return Lake(Settings(home=home, lake="").lake_root, catalog().tables)


def contents(home: Path, clocks: Collection[str] = CLOCKS) -> dict[str, list[str]]:
    """Every table's rows but for ``clocks``, as the newest version holds them; files of extracts; and what is left of work.

    A person's key, which is drawn, stands as the first identity that has it.
    """
    lake, found = lake_of(home), {}
    first = _first_identities(lake)
    for name in sorted(catalog().tables):
        if name not in ("ledger.audit", "vault.whereabouts") and lake.exists(name):  # A killed run makes more versions of tables.
            found[name] = sorted(_text(row, first, clocks) for row in lake.arrow(name).to_pylist())
    root = Path(lake.root)
    found["files of extracts"] = sorted(_file(path, root) for path in root.glob("_extracts/*/*/*"))
    found["left of work"] = sorted(str(path.relative_to(root)) for path in root.glob("_work/*"))
    return {name: rows for name, rows in found.items() if rows}


def accounts(home: Path) -> None:
    """Every record of a batch has one outcome; permitted + withheld = considered; released + suppressed = built."""
    lake = lake_of(home)
    entries = lake.arrow("ledger.account").to_pylist()
    count: dict[str, Counter[tuple[str, str]]] = {}
    for entry in entries:
        count.setdefault(entry["subject"], Counter())[entry["stage"], entry["outcome"]] += entry["rows"]
    for batch in lake.arrow("ledger.batch").to_pylist():
        accounted = sum(rows for (stage, _), rows in count.get(batch["batch_id"], Counter()).items() if stage == "conform")
        assert accounted == (batch["rows"] if batch["conformed_at"] else 0), batch["batch_id"]
    for product in catalog().products.values():
        name = product.table.name
        if lake.version(name) > 0:
            said = account_of(lake, product, lake.note(name))
            kept = count.get(f"{name}@{lake.version(name)}", Counter())
            assert kept == _sums((stage, entry.outcome, entry.rows) for stage, entry in said), name
            assert kept["protect", "released"] == lake.arrow(name).num_rows, name
    for extract in lake.arrow("ledger.extract").to_pylist():
        kept = count[extract["extract_id"]]
        pin = next(p for p in lake.arrow("ledger.release").to_pylist() if p["number"] == extract["release_number"]
                   and p["product"] == catalog().recipients[extract["recipient"]].product)
        assert kept["permit", "permitted"] + kept["permit", "withheld"] == pin["rows"], extract["extract_id"]
        assert kept["protect", "released"] + kept["protect", "suppressed"] == kept["permit", "permitted"]
        assert kept["protect", "released"] == extract["rows"]


def _sums(rows: Any) -> Counter[tuple[str, str]]:
    count = Counter[tuple[str, str]]()
    for stage, outcome, number in rows:
        count[stage, outcome] += number
    return count


def _first_identities(lake: Lake) -> dict[str, str]:
    first: dict[str, str] = {}
    if lake.exists("vault.link"):
        for row in sorted(lake.arrow("vault.link").to_pylist(), key=lambda r: (r["source"], r["source_person_id"])):
            first.setdefault(row["person_key"], f"{row['source']}/{row['source_person_id']}")
    return first


def _text(row: dict[str, Any], first: dict[str, str], clocks: Collection[str]) -> str:
    named = {k: first.get(v, v) if isinstance(v, str) else v for k, v in row.items() if k not in clocks}
    if "other_key" in named:  # A pair, whose sides the drawn keys tell apart.
        named["person_key"], named["other_key"] = sorted((named["person_key"], named["other_key"]))
    return json.dumps(named, default=str, sort_keys=True)


def _file(path: Path, root: Path) -> str:
    if path.suffix == ".parquet":
        rows = pq.read_table(io.BytesIO(path.read_bytes())).to_pylist()
        return f"{path.relative_to(root)} {hashlib.sha256(json.dumps(rows, default=str).encode()).hexdigest()}"
    return str(path.relative_to(root))
