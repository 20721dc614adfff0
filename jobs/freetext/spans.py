"""Spans of a text that tell of an identity, and the text with them replaced: the same identity by the same word."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Kind(str, Enum):
    """What a span tells of. Where spans overlap, the longest names them all, and of those as long the first that was found."""

    EMAIL = "EMAIL"
    URL = "URL"
    HANDLE = "HANDLE"
    IBAN = "IBAN"
    ID = "ID"
    ADDRESS = "ADDRESS"
    DATE = "DATE"
    PHONE = "PHONE"
    NAME = "NAME"
    PLACE = "PLACE"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Span:
    """``text[start:end]`` tells of an identity: offsets in code points, the end left out."""

    start: int
    end: int
    kind: Kind


def joined(spans: Iterable[Span]) -> list[Span]:
    """The spans in order; those that overlap as one, so that no part of any of them is left in a text."""
    groups: list[list[Span]] = []
    end = 0
    for span in sorted(spans, key=lambda one: (one.start, one.end)):
        if not groups or span.start >= end:
            groups.append([])
        groups[-1].append(span)
        end = max(end, span.end)
    return [Span(group[0].start, max(span.end for span in group), max(group, key=_length).kind) for group in groups]


def replaced(text: str, spans: list[Span]) -> str:
    """The text with ``[NAME_1]`` and the like in place of spans, which do not overlap."""
    numbers: dict[Kind, list[frozenset[str]]] = {}
    left, done = [], 0
    for span in spans:
        left += [text[done:span.start], f"[{span.kind}_{_number(numbers.setdefault(span.kind, []), text, span)}]"]
        done = span.end
    return "".join([*left, text[done:]])


def folded(text: str) -> str:
    """The text without case, accents and signs that are not seen, to compare by."""
    return "".join(folded_sign(sign) for sign in text)


def folded_sign(sign: str) -> str:
    """One sign without case and accent; empty for one that is not seen."""
    if unicodedata.category(sign) in ("Cf", "Mn"):
        return ""
    return "".join(part for part in unicodedata.normalize("NFKD", sign.casefold()) if unicodedata.category(part) != "Mn")


def _length(span: Span) -> int:
    return span.end - span.start


def _number(known: list[frozenset[str]], text: str, span: Span) -> int:
    """The number of the identity that a span tells of, counted from 1.

    A name is somebody's who was named before where all its words are that one's, or the other way round: Anna, Anna Weber.
    """
    words = _words(text[span.start:span.end], span.kind)
    for number, other in enumerate(known, start=1):
        if words == other or (span.kind is Kind.NAME and words and other and (words <= other or other <= words)):
            known[number - 1] = words | other
            return number
    known.append(words)
    return len(known)


def _words(text: str, kind: Kind) -> frozenset[str]:
    plain = folded(text)
    if kind is Kind.NAME:
        words = "".join(sign if sign.isalpha() else " " for sign in plain).split()
        return frozenset(word.removesuffix("s") if len(word) > 3 else word for word in words if len(word) > 1)
    return frozenset(["".join(sign for sign in plain if sign.isalnum())])
