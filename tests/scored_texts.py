"""Texts with marked identities, and how well they are found in them: used by tests and by the bench."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.freetext import lexicon
from jobs.freetext.scrub import scrub

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
OPTIONAL = "PLACE"  # A town alone may go or stay: it counts neither as found nor as a word that was lost.
# Words within a marked name that tell nobody: titles and degrees, which a generator marks too, and words between two streets.
TITLES = frozenset(["mr", "mrs", "ms", "miss", "dr", "prof", "herr", "frau", "sig", "ra", "ssa", "signora", "dott", "m", "mme", "sr", "sra",
                    "don", "b", "a", "ba", "ing", "dipl", "univ", "med", "nan", "the", "corner", "of", "and"])


@dataclass
class Score:
    """Counts over texts. ``marked``/``found``: identities, found where every word of theirs went. ``words``/``lost``: others."""

    marked: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    words: int = 0
    lost: int = 0
    texts: int = 0
    withheld: int = 0
    missed: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.found.total() / self.marked.total()

    @property
    def false_redactions(self) -> float:
        return self.lost / self.words


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def scored(texts: Iterable[dict[str, Any]]) -> Score:
    """Scrub each text, its language unsaid. One that is withheld is counted, and scrubbed once more with its language said: what is
    withheld leaks nothing, but counting it as found would flatter."""
    score = Score()
    for one in texts:
        text, spans = one["text"], one["spans"]
        done = scrub(text)
        score.texts += 1
        if done.language != one["language"]:
            score.withheld += 1
            done = scrub(text, one["language"])
        gone = {place for span in done.spans for place in range(span.start, span.end)}
        for span in spans:
            if span["type"] != OPTIONAL:
                words = [m for m in WORD.finditer(text, span["start"], span["end"]) if m[0].lower() not in TITLES]
                is_found = all(place in gone for m in words for place in range(*m.span()))
                score.marked[span["type"]] += 1
                score.found[span["type"]] += is_found
                score.missed.extend([] if is_found else [text[span["start"]:span["end"]]])
        marked = {place for span in spans for place in range(span["start"], span["end"])}
        others = [m for m in WORD.finditer(text) if marked.isdisjoint(range(*m.span()))]
        score.words += len(others)
        score.lost += sum(not gone.isdisjoint(range(*m.span())) for m in others)
    return score


def unlisted(texts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The texts with those names alone still marked whose every part is in no list of names that Concord reads."""
    listed = lexicon.given_names() | lexicon.family_names()
    return [{**one, "spans": [s if s["type"] == "NAME" and not _parts(one, s) & listed else {**s, "type": OPTIONAL}
                              for s in one["spans"]]} for one in texts]


def _parts(one: dict[str, Any], span: dict[str, Any]) -> set[str]:
    return {part.lower() for part in re.findall(r"[^\W\d_]{2,}", one["text"][span["start"]:span["end"]])}
