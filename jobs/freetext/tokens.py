"""Words of a text, with what stands before them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jobs.freetext.cues import words_of

UNSEEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
LETTER = rf"[^\W\d_{UNSEEN}]"
PART = rf"{LETTER}(?:[{UNSEEN}\u0300-\u036f]*{LETTER})*"
# An elided article is a word of its own (l'infirmière, d'Anna, dell'Anna), and so is what an apostrophe adds (Anna's).
TOKEN = re.compile(rf"(?:{PART})(?:['’](?={LETTER}{{2}}){PART}|-{PART})*")
ELIDED = re.compile(r"(?i)(?:[cdjlmnstv]|qu|jusqu|lorsqu|puisqu|quelqu|presqu|aujourd|dell|nell|sull|all|dall|un|quest|quell|"
                    r"bell|sant|ch|anch|com|dov)['’]")
# Words that are written with a point and end no sentence.
SHORTENED = words_of("dr mr mrs ms prof st sig dott ssa sra srta sr dra pr hr fr med dipl mme mlle")
ENDS = ".!?:…;»“”\"•*|>–—()[]{}"


@dataclass(frozen=True)
class Token:
    """A word, where it begins and ends, what stands between it and the one before, and whether it begins a sentence."""

    text: str
    start: int
    end: int
    before: str
    begins: bool

    @property
    def is_capitalised(self) -> bool:
        return self.text[:1].isupper()

    @property
    def is_shouted(self) -> bool:
        return len(self.text) > 1 and self.text.isupper()


def tokens(text: str) -> list[Token]:
    """All words of a text, in order."""
    found: list[Token] = []
    end = 0
    for match in TOKEN.finditer(text):
        start = match.start()
        while (elided := ELIDED.match(text, start, match.end())) and elided.end() < match.end():
            found.append(_token(text, start, elided.end() - 1, end, found))
            start = end = elided.end()
        found.append(_token(text, start, match.end(), end, found))
        end = match.end()
    return found


def _token(text: str, start: int, end: int, last: int, found: list[Token]) -> Token:
    before = text[last:start]
    begins = not found or "\n" in before or any(sign in ENDS for sign in before) or any(ord(sign) > 0x2fff for sign in before)
    if begins and found and before.startswith(". ") and (len(found[-1].text) == 1 or found[-1].text.lower() in SHORTENED):
        begins = False
    return Token(text[start:end], start, end, before, begins)
