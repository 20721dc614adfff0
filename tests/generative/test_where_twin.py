"""Random histories of a table, written, compacted, emptied of files and erased: the index says of each person exactly the versions
that a naive reader of all of them finds."""

from __future__ import annotations

from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts import catalog
from jobs import versions
from jobs.erasure.files import files_of, rewritten
from jobs.erasure.log import stand_in
from jobs.lake import Lake, _properties
from jobs.schema import arrow_schema
from jobs.storage import arrow_files
from jobs.whereabouts import TABLE, find, index, prune

NAME, PEOPLE = "vault.profile", ("crm/a", "crm/b", "crm/c", "app/d")
GROUPS = st.sets(st.sampled_from(PEOPLE), max_size=4)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["append", "append", "merge", "delete", "replace", "replace"]), GROUPS),
    st.tuples(st.sampled_from(["compact", "mark", "sweep", "vacuum", "keep", "prune", "restore", "mark index"]), st.just(set())),
    st.tuples(st.just("forget"), st.sets(st.sampled_from(PEOPLE), min_size=1, max_size=1)))


def rows(people: set[str], number: int) -> pa.Table:
    """A row each; which identity it is about is its key."""
    schema = arrow_schema(catalog().tables[NAME])
    filled: dict[pa.DataType, Any] = {pa.string(): f"x{number}", pa.int64(): number, pa.bool_(): True, pa.float64(): 1.0}
    return pa.Table.from_pylist([{field.name: person if field.name == "identity" else filled.get(field.type) for field in schema}
                                 for person in sorted(people)], schema=schema)


def forget(lake: Lake, name: str, person: str) -> None:
    """Take a person out of every file, as an erasure does."""
    def without(table: pa.Table) -> tuple[pa.Table, int]:
        return table.filter(pc.not_equal(table["identity"], person)), 0
    store = arrow_files(lake.path(name))
    lake.sweep(name, range(lake.history(name)[0]["version"] + 1), hours=0)
    made = {path: file for path in files_of(store) if (file := rewritten(store, path, without)) is not None}
    if made:
        lake.mark(name)
        stand_in(lake.path(name), made)
        for path in made:
            store.delete_file(path)


def apply(lake: Lake, step: str, people: set[str], number: int) -> None:
    there = set(lake.arrow(NAME)["identity"].to_pylist())
    match step:
        case "append":
            lake.append_arrow(NAME, rows(people, number))  # Of somebody who is there too: a row in two files.
        case "merge":
            lake.merge_arrow(NAME, rows(people, number))
        case "delete":
            lake.merge_arrow(NAME, rows(people & there, number).slice(0, 0), gone=rows(people & there, number)) if people & there else None
        case "replace":
            lake.replace_arrow(NAME, rows(people, number))
        case "compact":
            lake.compact(NAME)
        case "mark":
            lake.mark(NAME)
        case "sweep":
            lake.sweep(NAME, {min(number, len(lake.history(NAME)) - 1)}, hours=0)
        case "vacuum":  # As a purge does.
            lake._writable(NAME).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, commit_properties=_properties())
        case "restore":
            if older := readable(lake)[:-1]:
                lake.restore(NAME, older[number % len(older)])
        case "forget":
            for name in (NAME, TABLE):
                forget(lake, name, *people)
        case "keep":
            index.keep(lake, catalog())
        case "prune":
            prune.prune(lake)
        case "mark index":
            lake.mark(TABLE)


def readable(lake: Lake) -> list[int]:
    """The versions that can be read, by reading every one."""
    found = []
    for version in range(len(lake.history(NAME))):
        try:
            lake.arrow(NAME, version)
        except OSError:  # Its files are gone.
            continue
        found.append(version)
    return found


def naive(lake: Lake, person: str) -> tuple[int, ...]:
    """Those of these that have somebody."""
    return tuple(version for version in readable(lake) if person in lake.arrow(NAME, version)["identity"].to_pylist())


@settings(max_examples=25, deadline=None)
@example([("append", {"crm/a"}), ("append", {"crm/a"}), ("keep", set()), ("restore", set())])
@example([("append", {"crm/a"}), ("append", {"crm/b"}), ("keep", set()), ("replace", {"crm/b"}), ("keep", set()), ("prune", set())])
@example([("replace", {"crm/a"}), ("keep", set()), ("replace", {"crm/b"}), ("append", {"crm/c"}), ("compact", set()), ("vacuum", set())])
@example([("replace", {"crm/a"}), ("replace", {"crm/b"}), ("replace", {"crm/c"}), ("sweep", set()), ("keep", set()), ("prune", set())])
@example([("replace", {"crm/a", "crm/b"}), ("keep", set()), ("forget", {"crm/a"}), ("mark index", set()), ("append", {"app/d"})])
@given(st.lists(STEPS, min_size=1, max_size=10))
def test_the_index_says_what_a_reader_of_all_versions_finds(steps: list[tuple[str, set[str]]]) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(versions, "MANY", 2)
        lake = Lake(folder, catalog().tables)
        lake.ensure(TABLE)
        for number, (step, people) in enumerate(steps):
            apply(lake, step, people, number)
        index.keep(lake, catalog())
        for person in PEOPLE:
            held = {held.table: held for held in find.holding(lake, find.known(lake, person))}
            assert (held[NAME].versions if NAME in held else ()) == naive(lake, person), (steps, person)
        assert index.keep(lake, catalog()) == 0
