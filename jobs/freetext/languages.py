"""Which of five languages a text is in, by two judges: the words of the lists, and py3langid's model. In doubt none."""

from __future__ import annotations

import re
import unicodedata

from jobs.freetext import lexicon
from jobs.freetext.tokens import Token

FEWEST_WORDS = 2
MOST_OTHER_LETTERS = 0.1  # of all letters, that are not Latin
MOST_WORDS = 300
ENOUGH = 3
ADDRESSED = re.compile(r"\S*[@/_]\S*|\S*\w\.\w\S*")  # addresses of mailboxes and pages
ASKED = 2_000  # signs that the model looks at
AGREED = 0.55  # share of words that a language knows where the model says it is that one
ALONE = 0.9  # the same where the model says another one
AHEAD = 0.15  # by how much more than any other of the five, then


def decide(text: str, tokens: list[Token]) -> str | None:
    """``en``, ``de``, ``fr``, ``it`` or ``es``; None where the text is in another language, or cannot be told."""
    from py3langid.langid import classify

    letters = [sign for sign in text if sign.isalpha()]
    others = sum(not unicodedata.name(sign, "").startswith(("LATIN", "FEMININE", "MASCULINE", "MODIFIER")) for sign in letters)
    if len(tokens) < FEWEST_WORDS or others > MOST_OTHER_LETTERS * len(letters):
        return None
    plain = ADDRESSED.sub(lambda found: " " * len(found[0]), text)
    asked = _asked([token for token in tokens[:MOST_WORDS] if plain[token.start] == text[token.start]])
    shares = {language: _share(asked, language) for language in lexicon.LANGUAGES}
    said = classify(plain[:ASKED].lower())[0]
    if shares.get(said, 0.0) >= AGREED and shares[said] >= max(shares.values()) - AHEAD:
        return str(said)
    first, second = sorted(shares, key=shares.__getitem__, reverse=True)[:2]
    if shares[first] >= ALONE and shares[first] - shares[second] >= AHEAD:
        return first
    return None


def _asked(tokens: list[Token]) -> list[str]:
    """The words that tell a language: those in lower case, which names are not, where there are some."""
    small = [token.text for token in tokens if token.text[0].islower()]
    return small if len(small) >= ENOUGH else [token.text.lower() for token in tokens]


def _share(words: list[str], language: str) -> float:
    """The share of words that a language has in lower case or, for German, as a noun."""
    known, spelled, ours = lexicon.dictionary(language), lexicon.spelled(language), lexicon.words(f"common_{language}")
    counted = [word for word in words if len(word) > 1]
    found = sum(word in known or word in spelled or word in ours or (language == "de" and word.capitalize() in known)
                for word in counted)
    return found / len(counted) if counted else 0.0

