"""Whatever is rotated and retired in whatever order, the vault holds what a naive book of epochs says, under keys of RFC 5869."""

from __future__ import annotations

import hashlib
import hmac
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import catalog
from jobs import key_stores, keys
from jobs.errors import ConfigurationError, LostRace
from jobs.lake import Lake
from jobs.run import asking, epochs, key_epochs, pseudonyms
from jobs.run.asking import Question
from jobs.run.shell import open_shell
from jobs.settings import Settings

DOMAINS = ("engagement", "glycemia_institute")
NOBODY = Question(b"")
domain = st.sampled_from(DOMAINS)
number = st.integers(1, 4)
acts = st.one_of(st.tuples(st.just("people"), domain, st.frozensets(st.integers(0, 5), max_size=4)),
                 st.tuples(st.just("late"), domain, st.frozensets(st.integers(0, 5), max_size=4)),
                 st.tuples(st.just("rotate"), domain), st.tuples(st.just("retire"), domain, number))


@dataclass
class Book:
    """For each domain and epoch who has a pseudonym, which epochs are retired, and each salt as it was first seen."""

    people: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    retired: set[tuple[str, int]] = field(default_factory=set)
    salts: dict[tuple[str, int], bytes] = field(default_factory=dict)

    def newest(self, of: str) -> int:
        """The number of a domain's newest epoch, 0 before the first."""
        return max((n for name, n in self.people if name == of), default=0)


class Rows:
    """What ``complete`` asks of a frame."""

    def __init__(self, people: set[str]) -> None:
        self.people = sorted(people)

    def select(self, *_: str) -> Rows:
        """Itself."""
        return self

    distinct = select

    def toArrow(self) -> pa.Table:
        """One column."""
        return pa.table({"person_key": pa.array(self.people, pa.string())})


def naive(master: bytes, salt: bytes, of: str, epoch: int, person: str) -> str:
    """HKDF-SHA256 in its one step of 32 bytes (RFC 5869), then HMAC-SHA256, in 128 bits."""
    derived = hmac.digest(hmac.digest(salt, master, "sha256"), f"pseudonym/{of}/{epoch}".encode() + b"\x01", "sha256")
    return hmac.new(derived, person.encode(), hashlib.sha256).hexdigest()[:32]


@pytest.fixture(scope="module", autouse=True)
def officers() -> Iterator[None]:
    """Whoever acts is an officer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "authorised", lambda *_: None)
        yield


def write(home: Settings, of: str, people: set[str], epoch: int) -> None:
    with open_shell(home, "keys.rotate", of, with_engine=False) as shell:
        pseudonyms.complete(shell, of, epoch, Rows(people))  # type: ignore[arg-type]


def does(home: Settings, book: Book, act: tuple[Any, ...]) -> None:
    """The act in the lake, and in the book."""
    kind, of, *rest = act
    newest = book.newest(of)
    match kind:
        case "people":
            people = {f"person-{n}" for n in rest[0]}
            write(home, of, people, newest or 1)
            if people:
                book.people.setdefault((of, newest or 1), set()).update(people)
        case "late":  # By somebody who looked before the last rotation.
            if newest > 1:
                with pytest.raises(LostRace):
                    write(home, of, {f"person-{n}" for n in rest[0]}, newest - 1)
        case "rotate" if not newest:
            with pytest.raises(ConfigurationError):
                key_epochs.rotate(home, of, NOBODY)
        case "rotate":
            key_epochs.rotate(home, of, NOBODY)
            if book.people[of, newest]:
                book.people[of, newest + 1] = set()
        case "retire" if rest[0] >= newest:
            with pytest.raises(ConfigurationError):
                key_epochs.retire(home, of, rest[0], NOBODY)
        case "retire":
            key_epochs.retire(home, of, rest[0], NOBODY)
            book.people[of, rest[0]] = set()
            book.retired.add((of, rest[0]))


def holds(home: Settings, book: Book) -> None:
    """The lake and the folder of keys are as the book says."""
    lake, master = Lake(home.lake_root, catalog().tables), key_stores.master(home.keys, "file")
    salts = {(path.name.split(".")[0], int(path.name.split(".")[1])): path.read_bytes() for path in home.keys.glob("*.salt")}
    for of, salt in salts.items():
        assert book.salts.setdefault(of, salt) == salt, "no salt is ever made anew"
    assert salts.keys() == book.people.keys() - book.retired and len({*book.salts.values()}) == len(book.salts)
    rows = {(r["domain"], r["epoch"], r["person_key"]): r["pseudonym"] for r in lake.arrow(epochs.PSEUDONYM).to_pylist()}
    assert rows == {(*of, person): naive(master, salts[of], *of, person) for of, people in book.people.items() for person in people}
    known = {(r["domain"], r["epoch"]): r["retired_at"] is not None for r in lake.arrow(epochs.TABLE).to_pylist()}
    assert known == {of: of in book.retired for of in book.people}
    folders = {tuple(p.parts[-2:]) for p in Path(lake.path(epochs.PSEUDONYM)).glob("*/*") if p.parent.name != "_delta_log"}
    assert folders == {(f"domain={of}", f"epoch={epoch}") for (of, epoch), people in book.people.items() if people}


@settings(max_examples=12, deadline=None)
@given(st.lists(acts, min_size=4, max_size=12))
def test_the_vault_is_what_the_book_says(wanted: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home, book = Settings(home=Path(folder), lake="", engine="sail", actor="test"), Book()
        keys.create(home.keys)
        for act in (("people", DOMAINS[0], frozenset({1, 2})), *wanted):
            does(home, book, act)
        holds(home, book)
