"""Tables kept in parts: a folder for each value of some columns, which can go for good with all that ever lay in it.

Delta keeps the least and the greatest value of a column beside each file, in a log that is never cut. Of these tables it keeps
none, or the log would tell of rows that are gone.
"""

from __future__ import annotations

from typing import Any

from jobs.versions import PROPERTIES

OF = {"vault.pseudonym": ("domain", "epoch")}


def columns(name: str) -> list[str] | None:
    """The columns whose values make the parts of a table; None for a table that is one."""
    return list(OF[name]) if name in OF else None


def properties(name: str) -> dict[str, str]:
    """The Delta properties of a table."""
    return {**PROPERTIES, **({"delta.dataSkippingNumIndexedCols": "0"} if name in OF else {})}


def where(part: dict[str, Any]) -> str:
    """The condition that the rows of a part meet."""
    return " AND ".join(f"{column} = {value!r}" for column, value in part.items())


def folder(part: dict[str, Any]) -> str:
    """Where the files of a part lie, below its table."""
    return "/".join(f"{column}={value}" for column, value in part.items())
