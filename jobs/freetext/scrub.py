"""Scrub: a text without what tells who somebody is, or the reason why it is withheld."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from jobs.freetext import languages, lexicon, patterns
from jobs.freetext.known import KnownIdentities
from jobs.freetext.names import NameFinder
from jobs.freetext.spans import Span, joined, replaced
from jobs.freetext.tokens import Token, tokens

LONGEST = 100_000  # signs of one text


class Withheld(str, Enum):
    """Why a text is not passed on; its identities would not be found, or there is nothing."""

    NO_TEXT = "no_text"
    NO_WORDS = "no_words"
    TOO_LONG = "too_long"
    UNKNOWN_LANGUAGE = "unknown_language"
    TOOK_TOO_LONG = "took_too_long"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Scrubbed:
    """A text as it may be passed on, with what was found at which places of the text that came; or the reason for none."""

    text: str | None
    language: str | None
    spans: tuple[Span, ...] = ()
    withheld: Withheld | None = None


def scrub(text: str | None, language: str | None = None, known: KnownIdentities | None = None) -> Scrubbed:
    """The text with names, addresses, numbers and the like replaced by their kind.

    language: of the text, such as ``de`` or ``de-AT``; it is found out where none is said. known: what is known about
    whoever it is from, which goes first.
    """
    if text is None or not text.strip():
        return Scrubbed(None, None, withheld=Withheld.NO_TEXT)
    if len(text) > LONGEST:
        return Scrubbed(None, None, withheld=Withheld.TOO_LONG)
    words = tokens(text)
    if not words:
        return Scrubbed(None, None, withheld=Withheld.NO_WORDS)
    found = language.partition("-")[0].lower() if language else languages.decide(text, words)
    if found not in lexicon.LANGUAGES:
        return Scrubbed(None, None, withheld=Withheld.UNKNOWN_LANGUAGE)
    try:
        spans = joined(patterns.grown(text, joined(_found(text, words, found, known))))
    except (patterns.TimedOut, TimeoutError):
        return Scrubbed(None, found, withheld=Withheld.TOOK_TOO_LONG)
    return Scrubbed(replaced(text, spans), found, tuple(spans))


def _found(text: str, words: list[Token], language: str, known: KnownIdentities | None) -> Iterator[Span]:
    if known is not None:
        yield from known.find(text, lambda word: lexicon.is_word(word, language))
    yield from patterns.find(text)
    yield from NameFinder(text, words, language).find()
