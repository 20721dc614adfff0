"""Where the files that others published are; a test that needs a set which is not there is skipped and says so."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("CONCORD_SHARED_DATA") or PROJECT.parent / "shared" / "data")


def needs(*names: str) -> pytest.MarkDecorator:
    """Skip unless every named set, such as ``fhir/r4_examples``, is there."""
    absent = [name for name in names if not (DATA / name).exists()]
    return pytest.mark.skipif(bool(absent), reason=f"no published data at {', '.join(absent)}; set CONCORD_SHARED_DATA "
                                                   "to the folder that holds it")


def files(pattern: str) -> list[Path]:
    """The files that match a pattern below the folder, in the order of their names; none when it is absent."""
    return sorted(DATA.glob(pattern))


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_text("utf-8"))


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file by its first line's names."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
