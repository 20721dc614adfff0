"""shape: which places the payloads of a stream have and which JSON types they hold; no value, and no name that may be one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from contracts.expressions import Path
from contracts.model import Source, Stream
from jobs.connectors.records import Record, at, parsed

# What is looked at of a stream's batch: all of a small one; of a big one records whose SHA-256 is below a bound that is halved
# whenever the sample outgrows this. So it is spread evenly over the batch, whatever order that has, and the same in each run.
# Records with one payload count once.
MOST_RECORDS, MOST_BYTES = 1_000, 2_000_000
MOST_PLACES, MOST_NODES, MOST_ITEMS, MOST_DEPTH = 500, 5_000, 100, 20
# A name may be a value: {"ada@post.example": 7}. One that the contract does not read is told when it looks like a name and this
# many people have it in their records; until then it is OTHER.
PEOPLE = 5
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
ROOT, ITEM, OTHER = "payload", "[]", "*"
TYPES = ("object", "array", "string", "number", "boolean")
OBJECT, ARRAY = 0, 1
CODES = {dict: OBJECT, list: ARRAY, str: 2, int: 3, float: 3, bool: 4}


@dataclass
class Place:
    """How many records have a place, and with which JSON types; null is as nothing."""

    records: int = 0
    types: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Shape:
    """What was seen of a stream: how many records were looked at, and their places. ``is_capped``: there were more places."""

    records: int
    places: Mapping[str, Place]
    is_capped: bool


class _Node:
    """A place on the way, under the name it has; ``people`` who have it, None where its name may be told anyway."""

    __slots__ = ("children", "number", "people", "text")

    def __init__(self, number: int, text: str, people: set[int] | None) -> None:
        self.number, self.text, self.people = number, text, people
        self.children: dict[str, _Node] = {}


class Noticing:
    """The shape of one stream's payloads, noticed record by record. ``known`` are places whose names may be told."""

    def __init__(self, source: Source, stream: Stream, known: Set[str]) -> None:
        self._known = {*known, *(text for path in _paths(source, stream) for text in _texts(path))}
        self._people = [path for feed in source.feeds_of(stream) for mapping in feed.mappings
                        if mapping.column == "source_person_id" for path in mapping.paths]
        self._root = _Node(0, ROOT, None)
        self._nodes = 1
        self._sample: dict[str, tuple[int, frozenset[int]]] = {}
        self._seen: dict[frozenset[int], frozenset[int]] = {}  # Most records look like another.
        self._bytes, self._bound = 0, 1 << 64
        self._is_capped = False
        self.below = "g"  # Above any digest.

    def notice(self, record: Record, digest: str) -> None:
        """Look at a record with its SHA-256 in hex, which is ``below``, unless it is a deletion."""
        if record.is_deleted or digest in self._sample:
            return
        content = parsed(record.payload)
        if content is None:
            return
        said = [value for value in (at(content, path) for path in self._people) if value is not None]
        met: set[int] = set()
        self._walk(self._root, content, met, hash(str(said)) if said else None, 0)
        shape = frozenset(met)
        self._sample[digest] = len(record.payload), self._seen.setdefault(shape, shape)
        self._bytes += len(record.payload)
        while len(self._sample) > MOST_RECORDS or (self._bytes > MOST_BYTES and len(self._sample) > 1):
            self._bound //= 2
            self.below = f"{self._bound:016x}"
            self._sample = {kept: seen for kept, seen in self._sample.items() if kept < self.below}
            self._bytes = sum(size for size, _ in self._sample.values())

    def shape(self) -> Shape:
        """What was seen so far."""
        texts: dict[int, str] = {}
        self._tell([self._root], ROOT, texts)
        places: dict[str, Place] = {}
        for met, times in Counter(met for _, met in self._sample.values()).items():
            told = {(texts[code // len(TYPES)], TYPES[code % len(TYPES)]) for code in met}
            for text in {text for text, _ in told}:
                places.setdefault(text, Place()).records += times
            for text, kind in told:
                places[text].types[kind] += times
        return Shape(len(self._sample), places, self._is_capped)

    def _walk(self, node: _Node, value: object, met: set[int], person: int | None, depth: int) -> None:
        kind = CODES[type(value)]
        met.add(node.number * len(TYPES) + kind)
        if kind > ARRAY:
            return
        if depth == MOST_DEPTH:
            self._is_capped |= bool(value)
        elif isinstance(value, dict):
            for name, inner in value.items():
                if inner is not None:
                    self._walk(self._child(node, OTHER if name == ITEM else name, person), inner, met, person, depth + 1)
        elif isinstance(value, list):
            for inner in value[:MOST_ITEMS]:
                if inner is not None:
                    self._walk(self._child(node, ITEM, person), inner, met, person, depth + 1)

    def _child(self, node: _Node, name: str, person: int | None) -> _Node:
        child = node.children.get(name) or self._new(node, name)
        if child.people is not None and person is not None and len(child.people) < PEOPLE:
            child.people.add(person)
        return child

    def _new(self, node: _Node, name: str) -> _Node:
        text = _below(node.text, name)
        is_told = name == ITEM or text in self._known
        is_full = self._nodes >= MOST_NODES
        if not is_told and (is_full or not NAME.fullmatch(name)):
            self._is_capped |= is_full
            name, text = OTHER, _below(node.text, OTHER)
        if name not in node.children:
            node.children[name] = _Node(self._nodes, text, None if is_told else set())
            self._nodes += 1
        return node.children[name]

    def _tell(self, nodes: list[_Node], text: str, texts: dict[int, str]) -> None:
        """Give nodes their common place, and those below them theirs: under their names, or under OTHER together."""
        named: dict[str, list[_Node]] = {}
        for node in nodes:
            texts[node.number] = text
            for name, child in node.children.items():
                named.setdefault(name, []).append(child)
        others = named.pop(OTHER, [])
        for name, group in named.items():
            inner = _below(text, name)
            people = {person for node in group for person in node.people or ()}
            if name == ITEM or inner in self._known or len(people) >= PEOPLE:
                self._tell(group, inner, texts)
            else:
                others += group
        if others:
            self._tell(others, _below(text, OTHER), texts)


def reads(source: Source, stream: Stream) -> frozenset[str]:
    """The places of a stream's payload that the contract reads."""
    return frozenset(_texts(path)[-1] for path in _paths(source, stream))


def _paths(source: Source, stream: Stream) -> set[Path]:
    paths = {stream.record_id, *(p for call in (stream.version, stream.deleted) if call for p in call.paths())}
    for feed in source.feeds_of(stream):
        paths |= {p for call in feed.calls for p in call.paths()} | {p for m in feed.mappings for p in m.paths}
    return paths


def within(place: str, other: str) -> bool:
    """Whether a place is another one or lies below it."""
    return place == other or place.startswith((f"{other}.", f"{other}{ITEM}"))


def _texts(path: Path) -> list[str]:
    """A path's place, after all those above it."""
    found = [ROOT]
    for step in path.steps:
        found.append(_below(found[-1], ITEM if isinstance(step, int) else step))
    return found


def _below(text: str, name: str) -> str:
    return text + name if name == ITEM else f"{text}.{name}"
