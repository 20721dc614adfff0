"""A data scientist on this machine: drops to another user with no group but the readers', then tries to read everything.

Started as root: python -m tests.integration.reader HOME GROUP USER < file names, one a line. Prints JSON: what `jobs.read` gives,
what the lake says of each table, and which of the files could be opened and which of their folders listed.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from contracts import catalog
from jobs.errors import ConcordError
from jobs.lake import Lake
from jobs.read import SupersededRelease, released
from jobs.settings import Settings


def rows(home: Settings) -> dict[str, list[int]]:
    """Rows by product: of each release, and of the report of whom consent left out."""
    found = {}
    for product, contract in catalog().products.items():
        newest = released(product, settings=home)
        found[product] = [released(product, n + 1, home).arrow().num_rows for n in range(newest.release)]
        if contract.legal_basis.rests_on_consent:
            found[product].append(newest.consent_loss().arrow().num_rows)
    return found


def said(lake: Lake, name: str) -> str:
    """What the lake says to whoever reads a table."""
    try:
        return f"{lake.arrow(name).num_columns} columns"
    except ConcordError as error:
        return type(error).__name__


def can(attempt: Any, path: str) -> bool:
    """Whether a file opens, or a folder lists."""
    try:
        attempt(path)
    except PermissionError:
        return False
    return True


def main() -> None:
    """Read once as we are, which loads every module: the other user may not be let into this Python's folder."""
    warnings.simplefilter("ignore", SupersededRelease)
    home, group, user = Settings(home=Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
    lake, files = Lake(home.lake_root, catalog().tables), sys.stdin.read().splitlines()
    rows(home)
    os.setgroups([group])
    os.setgid(user)
    os.setuid(user)
    json.dump({"rows": rows(home), "lake": {name: said(lake, name) for name in catalog().tables},
               "opened": [path for path in files if can(lambda p: open(p, "rb").close(), path)],
               "listed": [path for path in sorted({os.path.dirname(f) for f in files}) if can(os.listdir, path)],
               "written": [path for path in files if can(lambda p: open(p, "ab").close(), path)]}, sys.stdout)


if __name__ == "__main__":
    main()
