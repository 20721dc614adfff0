"""The rows of a file made anonymous: read, counted, searched, and written with their groups' labels in place of values."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from contracts.places import near
from jobs.anonymity import hierarchies, risk, steps
from jobs.anonymity.counts import Counts, count
from jobs.anonymity.groups import Privacy
from jobs.anonymity.hierarchies import Hierarchy
from jobs.anonymity.labels import applied
from jobs.anonymity.search import Found, search
from jobs.errors import ConfigurationError

Tell = Callable[[str], None]
UNTYPED = (".csv",)  # Codes keep their zeros; a first line that names no columns may be a person's.
WRITERS: dict[str, Callable[[pa.Table, str], Any]] = {".csv": pyarrow.csv.write_csv, ".parquet": pyarrow.parquet.write_table}
READERS: dict[str, Callable[[SparkSession, str], DataFrame]] = {
    ".csv": lambda spark, path: spark.read.csv(path, header=True, inferSchema=False),
    ".parquet": lambda spark, path: spark.read.parquet(path), ".ndjson": lambda spark, path: spark.read.json(path),
    ".jsonl": lambda spark, path: spark.read.json(path)}


@dataclass(frozen=True)
class Asked:
    """What is asked of a table: quasi-identifiers, what every group must be, and the percent of rows that may be suppressed.

    ``person``: the column that says whose a row is; None where each is a person of its own.
    """

    quasi: tuple[str, ...]
    privacy: Privacy
    suppress_percent: float
    hierarchies: Path | None = None
    person: str | None = None

    @property
    def sensitive(self) -> tuple[str, ...]:
        """The sensitive columns, each once."""
        return tuple(dict.fromkeys((*self.privacy.diverse, *self.privacy.close)))


@dataclass(frozen=True)
class Anonymised:
    """How a table was made anonymous, in numbers: none of them is a value."""

    asked: Asked
    rows: int
    counts: Counts
    found: Found

    def document(self) -> dict[str, Any]:
        """As JSON."""
        left = risk.of(self.counts, self.found.groups)
        return {
            "rows": self.rows, "k": self.asked.privacy.k, "diverse": dict(self.asked.privacy.diverse),
            "close": dict(self.asked.privacy.close),
            "levels": {c.hierarchy.name: {"level": level, "of": c.hierarchy.levels - 1, "groups": c.size(level)}
                       for c, level in zip(self.counts.columns, self.found.levels, strict=True)},
            "loss": round(self.found.loss, 6), "suppressed": self.found.groups.bad_rows, "groups": left.groups,
            "smallest_group": left.smallest, "prosecutor_risk": {"average": left.average, "maximum": left.maximum},
            "nodes": self.found.nodes, "looked_at": self.found.looked_at}


def anonymise(spark: SparkSession, path: Path, asked: Asked, tell: Tell = lambda _: None) -> tuple[Anonymised, DataFrame]:
    """Find the levels of a file's columns that lose least; how it was done, and its rows made anonymous.

    Raises ConfigurationError, which quotes no value, where that cannot be.
    """
    frame, names, rows = _read(spark, path)
    _refuse_strange(names, (*asked.quasi, *asked.sensitive, *([asked.person] if asked.person else [])), path)
    _refuse_too_few(rows, "rows", asked, path)
    most = int(rows * asked.suppress_percent / 100)
    source = dict(zip(names, frame.columns, strict=True))
    quasi, sensitive = ({name: source[name] for name in of} for of in (asked.quasi, asked.sensitive))
    person = source[asked.person] if asked.person else None
    if person:
        _refuse_too_few(frame.select(person).distinct().count(), "people", asked, path)
    counts = count(frame, quasi, sensitive, asked.privacy.k, most, _maker(asked), path.suffix.lower() in UNTYPED, person)
    tell(f"{rows:,} rows, {len(counts.rows):,} combinations of quasi-identifiers")
    found = search(counts, asked.privacy, most, tell)
    if found is None:
        raise ConfigurationError(f"no generalisation is diverse or close enough with at most {asked.suppress_percent:g} % of "
                                 "the rows suppressed; ask less of the sensitive columns, or let more be suppressed")
    return Anonymised(asked, rows, counts, found), applied(frame, counts, found).toDF(*names)


def refuse_output(path: Path, out: Path) -> None:
    """Raise ConfigurationError where rows cannot be written to ``out``, or not without losing those of ``path``."""
    if out.suffix.lower() not in WRITERS:
        raise ConfigurationError(f"{out.name} is neither CSV nor Parquet; its name must end in {' or '.join(WRITERS)}")
    if out.resolve() == path.resolve():
        raise ConfigurationError(f"{out} is the file that is read; name another")
    if not out.resolve().parent.is_dir():
        raise ConfigurationError(f"{out.parent} is no folder; make it, or name another")


def write(rows: DataFrame, out: Path) -> None:
    """Write rows to a CSV or Parquet file, in an order of chance: that of the input would tell rows of a group apart.

    A file that is there is replaced once the new one is whole. Raises ConfigurationError.
    """
    table = rows.toArrow()
    table = table.take(np.random.default_rng().permutation(table.num_rows))
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        WRITERS[out.suffix.lower()](table, str(partial))
        partial.replace(out)
    except (OSError, pa.ArrowException) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise ConfigurationError(f"{out} cannot be written: {why or type(error).__name__}") from None
    finally:
        partial.unlink(missing_ok=True)


def _maker(asked: Asked) -> Callable[[str, str, Sequence[str | None]], Hierarchy]:
    """The hierarchy of a column: that of its file, where the folder has one, else one made for its type."""
    folder = asked.hierarchies
    if folder is not None and not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder; name one that holds COLUMN.csv for columns of --quasi")
    if folder is not None:
        for path in sorted(folder.glob("*.csv")):
            if path.stem not in asked.quasi:
                raise ConfigurationError(f"{path} is of no column of --quasi ({', '.join(asked.quasi)})"
                                         f"{near(path.stem, asked.quasi)}; rename it, or take it away")

    def make(name: str, kind: str, values: Sequence[str | None]) -> Hierarchy:
        if all(value is None for value in values):
            raise ConfigurationError(f"{name} has no value in any row, so nothing is told by it; take it out of --quasi")
        path = folder / f"{name}.csv" if folder else None
        return hierarchies.read(path, name, values) if path and path.exists() else steps.made(name, kind, values)

    return make


def _read(spark: SparkSession, path: Path) -> tuple[DataFrame, list[str], int]:
    """The rows of a file with columns called by their places, what they are called, and how many rows there are.

    A file may call its columns anything: like another but for capitals, or as the engine writes a field of a field.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ConfigurationError(f"{path.name} is no table that is known here; its name must end in {', '.join(READERS)}")
    if not path.exists():
        raise ConfigurationError(f"{path} does not exist")
    try:
        frame = reader(spark, str(path.resolve()))
        return frame.toDF(*[f"c{place}" for place in range(len(frame.columns))]), frame.columns, frame.count()
    except PySparkException as error:
        raise ConfigurationError(f"{path.name} cannot be read as {path.suffix.lower()[1:]} ({type(error).__name__}); its text is "
                                 "withheld because it may quote data") from None


def _refuse_strange(there: Sequence[str], names: Sequence[str], path: Path) -> None:
    for name in names:
        if name not in there:
            if path.suffix.lower() in UNTYPED:
                raise ConfigurationError(f"{path.name} has no column {name!r}; its first line must name its "
                                         f"{len(there)} columns")
            raise ConfigurationError(f"{path.name} has no column {name!r}{near(name, there)}; it has "
                                     f"{', '.join(there)}")


def _refuse_too_few(number: int, what: str, asked: Asked, path: Path) -> None:
    if number < asked.privacy.k:
        raise ConfigurationError(f"{path.name} has {number:,} {what}, fewer than k = {asked.privacy.k:,}: no group can be that "
                                 f"large; ask for a smaller k, or bring more {what}")
