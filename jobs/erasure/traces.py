"""What tells that something is about somebody who is to be forgotten: all that a pass looks for."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, fields
from typing import Any

import msgspec


@dataclass
class Traces:
    """Everything that leads to people who are to be forgotten; it is kept until nothing of theirs is left, and never shown.

    identities: names ``source/source_person_id``. met: those of which anything was found. keys: person keys. pseudonyms: in
    any domain and epoch; shared: those of somebody else by now who was one person with them in a release. records:
    ``source/record_id``. places: ``batch_id/position`` of envelopes; mentions: of those about others that hold a word of theirs.
    values: ``role/value`` of matching that nobody else has. words: values that nobody else has, looked for in bytes. tokens: what
    is written in place of a word, or of a key, where the rest of a row is somebody else's; drawn, so that nothing leads back.
    counts: how many rows of a file (``table/path``) went and how many were changed. pinned: how many rows a version that is kept
    (``table@version``) had before. extracts: pseudonyms of theirs in an extract of which its recipient was not told yet.
    """

    identities: set[str] = field(default_factory=set)
    met: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    pseudonyms: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)
    records: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)
    mentions: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    tokens: dict[str, str] = field(default_factory=dict)
    counts: dict[str, list[int]] = field(default_factory=dict)
    pinned: dict[str, int] = field(default_factory=dict)
    extracts: dict[str, list[str]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "Traces(...)"

    def of(self, source: str) -> set[str]:
        """The ids of people at a source."""
        return {name.removeprefix(f"{source}/") for name in self.identities if name.startswith(f"{source}/")}

    def draw(self) -> None:
        """Draw a token for each word, key and identity that has none: hexadecimal digits, as many as it has bytes."""
        for word in self.words | self.keys | self.identities:
            size = len(word.encode())
            self.tokens.setdefault(word, secrets.token_hex((size + 1) // 2)[:size])

    def add(self, other: Traces) -> None:
        """Take in what another pass was to forget and did not end."""
        for kind in fields(self):
            getattr(self, kind.name).update(getattr(other, kind.name))

    def written(self) -> bytes:
        """As JSON."""
        return msgspec.json.encode({f.name: getattr(self, f.name) for f in fields(self)}, order="deterministic")

    @classmethod
    def read(cls, content: bytes) -> Traces:
        """From JSON."""
        given: dict[str, Any] = msgspec.json.decode(content)
        made = cls(tokens=given.pop("tokens"), counts=given.pop("counts"), extracts=given.pop("extracts"))
        for name, values in given.items():
            getattr(made, name).update(values)
        return made
