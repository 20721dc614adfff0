"""What a word is by itself: a name, a word that may be one, a word, or something no list knows."""

from __future__ import annotations

from enum import IntEnum

from jobs.freetext import cues, lexicon
from jobs.freetext.tokens import Token

SHORTEST = 2  # letters of a name
SHOUTED = 5  # letters of a word in capitals alone from which it is more than an abbreviation
# Beginnings of names that have a capital within.
PREFIXES = ("Mc", "Mac", "O'", "O’", "De", "Di", "D'", "Le", "La")


class Sure(IntEnum):
    """How much speaks for a word being a name by itself."""

    NO = 0  # it is none: a word of the language, a product, a day
    FAMILY_OR_WORD = 1  # a family name that is a word too: Sommer, Blanc
    GIVEN_OR_WORD = 2  # a given name that is a word too: Rose, Mark
    UNKNOWN = 3  # in no list at all
    NAME = 4  # in a list of names, and no word


def sure(token: Token, language: str) -> Sure:
    """How much speaks for a token being a name; of one with hyphens, its parts: Anna-Lena is one, Insulin-Pumpe none."""
    if len(token.text) < SHORTEST or is_other(plain(token.text, language), language):
        return Sure.NO
    parts = [part for part in token.text.split("-") if len(part) > 1]
    found = [_of_one(part, language) for part in parts]
    return max(found) if found and Sure.NO not in found else Sure.NO


def plain(word: str, language: str) -> str:
    """A word in lower case, in English without the ending of its genitive."""
    lower = word.lower().replace("’", "'")
    return lower.removesuffix("'s") if language == "en" else lower


def is_other(lower: str, language: str) -> bool:
    """True for what has a capital and names nobody: a day, a product."""
    return lower in lexicon.words("medicine") or lower in lexicon.words(f"capitals_{language}")


def is_rare(token: Token, language: str) -> bool:
    """True for a word that is seldom said, so that its capital tells something; never in German."""
    lower = plain(token.text, language)
    is_said = is_other(lower, language) or lower in lexicon.everyday(language)
    return language != "de" and len(lower) > SHORTEST and not token.is_shouted and not is_said


def is_rare_family(lower: str) -> bool:
    """True for a German noun that is also made as family names are: Weißgerber, Wackernagel."""
    if is_other(lower, "de"):
        return False
    return lower.endswith(("er", *lexicon.NAME_ENDS)) or lower.capitalize() not in lexicon.dictionary("de")


def is_town(lower: str) -> bool:
    """True for a town that nobody is called by."""
    return lower in lexicon.towns() and lower not in lexicon.given_names() and lower not in lexicon.family_names()


def is_mixed(word: str) -> bool:
    """True for words with capitals within (FreeStyle), which are products."""
    inside = word[1:]
    is_two_cased = any(sign.isupper() for sign in inside) and any(sign.islower() for sign in inside)
    return is_two_cased and "-" not in word and not word.startswith(PREFIXES)


def is_attribute(word: str) -> bool:
    """True for what stands before a German noun and not before a name: an article, an adjective."""
    return word.lower() in cues.DETERMINERS or (word[:1].islower() and word.endswith(("e", "en", "er", "es", "em")))


def _of_one(word: str, language: str) -> Sure:
    lower = plain(word, language)
    if is_other(lower, language):
        return Sure.NO
    forms = [lower, *([lower[:-1]] if language in ("de", "en") and lower.endswith("s") and len(lower) > SHORTEST + 1 else [])]
    is_given = any(form in lexicon.given_names() for form in forms)
    is_family = any(form in lexicon.family_names() for form in forms)
    if lexicon.is_word(lower, language) or (language == "de" and lexicon.is_noun(lower)):
        return Sure.GIVEN_OR_WORD if is_given else Sure.FAMILY_OR_WORD if is_family else Sure.NO
    if is_given or is_family:
        return Sure.NAME
    return Sure.NO if word.isupper() and len(word) < SHOUTED else Sure.UNKNOWN
