"""quality: what gates found, by table and check, over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from contracts.load import catalog
from jobs.lake import Lake
from jobs.ledger.quality import TABLE
from jobs.settings import Settings

Rows = list[dict[str, Any]]


class Docs(NamedTuple):
    """What Data Docs hold: how many checks of how many tables, and how many older checks were left out."""

    checks: int
    tables: int
    left_out: int


def overview(settings: Settings) -> Rows:
    """By table: table_name, checks (how many), failed (how many of them), and of the last one what ``checks`` says."""
    found: dict[str, Rows] = {}
    for check in checks(settings):
        found.setdefault(check["table_name"], []).append(check)
    return [{**those[0], "checks": len(those), "failed": sum(bool(check["not_met"]) for check in those)}
            for _, those in sorted(found.items())]


def checks(settings: Settings, table: str | None = None) -> Rows:
    """Each time a gate was asked, newest first.

    table_name, subject, checked_at (UTC), contract_version, rows (None where no expectation counts rows), expectations (how
    many), not_met: expectation, columns, broken (rows; None where it counts none).
    """
    return _checks(expectations(settings, table))


def docs(settings: Settings, folder: Path, table: str | None = None, only_failed: bool = False, *, most: int) -> Docs:
    """Write the newest checks as Data Docs of Great Expectations into a folder; without checks there is nothing to write.

    Raises ConfigurationError for a folder that is not ours, IntegrityError where a page cannot be made.
    """
    rows = expectations(settings, table)
    found = [check for check in _checks(rows) if check["not_met"] or not only_failed]
    shown = found[:most]
    if shown:
        from jobs.pages.data_docs.site import write

        asked: dict[tuple[str, str], Rows] = {(check["table_name"], check["subject"]): [] for check in shown}
        for row in rows:
            if (of := (row["table_name"], row["subject"])) in asked:
                asked[of].append(row | {"description": _described(row)})
        write(folder, [(check, asked[check["table_name"], check["subject"]]) for check in shown])
    return Docs(len(shown), len({check["table_name"] for check in shown}), len(found) - len(shown))


def _described(row: dict[str, Any]) -> str | None:
    """What the contract says of a rule, if it is still the contract of the check."""
    table = catalog().tables.get(row["table_name"])
    rules = table.quality if table and table.version == row["contract_version"] else ()
    return next((rule.description or None for rule in rules if rule.name == row["rule"]), None)


def _checks(rows: Rows) -> Rows:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        check = found.setdefault((row["table_name"], row["subject"]), {
            "table_name": row["table_name"], "subject": row["subject"], "checked_at": row["checked_at"],
            "contract_version": row["contract_version"], "rows": None, "expectations": 0, "not_met": []})
        check["checked_at"] = max(check["checked_at"], row["checked_at"])
        check["rows"] = max((n for n in (check["rows"], row["rows"]) if n is not None), default=None)
        check["expectations"] += 1
        if not row["is_met"]:
            check["not_met"].append({name: row[name] for name in ("expectation", "columns", "broken")})
    return sorted(found.values(), key=lambda check: (check["checked_at"], check["table_name"], check["subject"]), reverse=True)


def expectations(settings: Settings, table: str | None = None) -> Rows:
    """Every expectation of every check, as ``ledger.quality`` has it, in an order that stays."""
    rows = Lake(settings.lake_root, catalog().tables).arrow(TABLE).to_pylist()
    return sorted((row for row in rows if table in (None, row["table_name"])),
                  key=lambda row: (row["table_name"], row["subject"], row["expectation"], row["columns"], row["number"]))
