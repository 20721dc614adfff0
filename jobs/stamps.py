"""What tells the commits of this platform from those that somebody made by hand.

A commit of delta-rs has our note, or an empty one, beside it; so has one of an engine that writes frames. Sail 0.7.2 keeps no
note of a MERGE, but its conditions, in which our names for the two sides stand. Apache Spark notes what its session says. This
finds accidents, not forgers: whoever may write the lake may write the stamp.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from jobs.errors import WrittenByHand

NOTE = "concord"
TARGET, SOURCE = "concord_target", "concord_source"
USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
# What moves rows to other files, or takes files away that no version needs, changes nothing that is read.
CARE = ("OPTIMIZE", "VACUUM START", "VACUUM END")
BEGINS = ("CREATE TABLE", "SET TBLPROPERTIES")


def stamp(note: dict[str, Any] | None = None) -> str:
    """The text beside one of our commits, with a note in it."""
    return json.dumps({NOTE: note or {}})


def note(entry: dict[str, Any]) -> dict[str, Any] | None:
    """The note beside a commit of a table's history, empty where there was none; None where the commit is none of ours."""
    said = {NOTE: entry[NOTE]} if NOTE in entry else _object(entry.get("userMetadata"))
    if NOTE in said:
        return dict(_object(said[NOTE])) if isinstance(said[NOTE], str) else dict(said[NOTE])
    return {} if TARGET in str(entry.get("operationParameters", {}).get("mergePredicate", "")) else None


def changes(history: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The commits of a table's history in which rows changed, or may have: all but our own care of files and properties.

    Somebody else's may have removed what the version before needs.
    """
    return [entry for entry in history if entry.get("operation") not in (*CARE, BEGINS[1]) or note(entry) is None]


def told(entry: dict[str, Any]) -> dict[str, Any]:
    """The note beside a commit; that of an engine of an older lake too, which stands there bare."""
    found = note(entry)
    return _object(entry.get("userMetadata")) if found is None else found


def beside(table: Any, version: int) -> dict[str, Any]:
    """The note beside the commit of one version of a DeltaTable, empty where there is none."""
    entries = table.history(table.version() - version + 1)
    return next((told(entry) for entry in entries if entry.get("version") == version), {})


def foreign(table: Any) -> dict[str, Any] | None:
    """The newest commit that changed a DeltaTable, if it is none of ours; None for a table of an older lake, which no commit
    with a stamp made or gave its properties."""
    last = table.history(1)[0]
    if last.get("operation") not in CARE and note(last) is not None:
        return None
    history = table.history()
    newest = next((entry for entry in history if entry.get("operation") not in CARE), None)  # Care hides no hand.
    if newest is None or note(newest) is not None:
        return None
    return newest if any(entry.get("operation") in BEGINS and note(entry) is not None for entry in history) else None


def settled(table: Any) -> int:
    """The newest version of a DeltaTable in which rows changed, or may have (``changes``)."""
    newest = changes(table.history(1)) or changes(table.history())
    return int(newest[0]["version"]) if newest else int(table.version())


def refuse_foreign(name: str, table: Any) -> None:
    """Raise WrittenByHand where the newest commit that changed a DeltaTable is none of ours."""
    strange = foreign(table)
    if strange is not None:
        raise WrittenByHand(name, strange["version"], str(strange.get("operation")), str(strange.get("engineInfo")),
                            moment(strange))


def moment(entry: dict[str, Any]) -> datetime:
    """When a commit was made (UTC)."""
    return datetime.fromtimestamp(entry["timestamp"] / 1000, UTC)


def _object(text: Any) -> dict[str, Any]:
    try:
        found = json.loads(text or "")
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
