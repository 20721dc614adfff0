"""Words of five languages, names of people and of towns: lists that come with simplemma, pyspellchecker, mimesis and Faker."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "de", "fr", "it", "es")
WORDS = Path(__file__).parent / "words"
LAST_LATIN = "\u024f"
LISTS = (dict, list, tuple, set)
EVERYDAY = 2_500  # words
NOUN_ENDS = ("e", "en", "n", "es", "er", "ern", "ns", "nen")
# What stands between the parts of a German compound.
LINKS = ("", "s", "n", "en", "es", "e", "er")
SHORTEST = 4  # letters of a part of a compound
# Ends of German family names: a compound with one is no proof of a word.
NAME_ENDS = ("mann", "meier", "meyer", "maier", "mayer", "müller", "bauer", "bach", "berg", "burg", "dorf", "hof", "hofer",
             "stein", "thal", "feld", "wald", "rath", "huber", "schmidt", "schmied", "becker", "brunn", "hauser", "haus", "kamp",
             "brink", "inger", "ke", "ler", "macher", "hoff", "au", "eck", "kirch", "lein", "ner")


@cache
def dictionary(language: str) -> Mapping[str, Any]:
    """Words in their forms, as they are cased within a sentence. Loaded once: 1.2 s and 100 MB for German, 0.5 s for others."""
    from simplemma.strategies.dictionaries.dictionary_factory import DefaultDictionaryFactory

    return DefaultDictionaryFactory(cache_max_size=len(LANGUAGES)).get_dictionary(language)


@cache
def spelled(language: str) -> Mapping[str, int]:
    """Words in lower case, with how often subtitles of films have them; some are names. 0.3 s for each language."""
    from spellchecker import SpellChecker

    found: Mapping[str, int] = SpellChecker(language=language).word_frequency.dictionary
    return found


@cache
def everyday(language: str) -> frozenset[str]:
    """The words that are said most, among which there are no names but those that are words."""
    said = spelled(language)
    return frozenset(sorted(said, key=lambda word: said[word], reverse=True)[:EVERYDAY])


@cache
def given_names() -> frozenset[str]:
    """Given names in Latin letters, folded to lower case."""
    return frozenset(_lower(_names_of("names", "first_name")))


@cache
def family_names() -> frozenset[str]:
    """Family names in Latin letters, folded to lower case."""
    return frozenset(_lower(_names_of("surnames", "last_name")))


@cache
def towns() -> frozenset[str]:
    """Towns in Latin letters, in lower case."""
    return frozenset(_lower(name for data in _mimesis("address") for name in _flat(data.get("city", {}))))


@cache
def words(name: str) -> frozenset[str]:
    """A list of this folder: ``words/NAME.txt``, in lower case; lines that begin with # are about it."""
    lines = (WORDS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    said = ";".join(line for line in lines if not line.startswith("#"))
    return frozenset(word.strip().lower() for word in said.split(";") if word.strip())


@cache
def is_word(word: str, language: str) -> bool:
    """True for a word that a sentence may have in lower case or, in German, for a noun that is not only a name."""
    known, lower = dictionary(language), word.lower()
    if lower in known or lower in words(f"common_{language}") or lower in everyday(language):
        return True
    if lower in given_names() or lower in family_names():
        return False
    return lower in spelled(language) or (language == "de" and (word.capitalize() in known or _is_compound(lower)))


@cache
def is_noun(word: str) -> bool:
    """True for a German noun, in any form: it has more forms than a name, whose only ending is -s."""
    known, noun = dictionary("de"), word.capitalize()
    if noun not in known:
        return False
    if known[noun] not in (noun, noun.removesuffix("s")):
        return True
    return any(known.get(noun + end) == noun for end in NOUN_ENDS)


def _is_compound(lower: str) -> bool:
    known = dictionary("de")
    if len(lower) < 2 * SHORTEST + 1 or lower.endswith(NAME_ENDS):
        return False
    for cut in range(SHORTEST, len(lower) - SHORTEST + 1):
        first, last = lower[:cut], lower[cut:]
        if last.capitalize() not in known and last not in known:
            continue
        if any(first.endswith(link) and _is_part(first.removesuffix(link)) for link in LINKS):
            return True
    return False


def _is_part(part: str) -> bool:
    known = dictionary("de")
    return len(part) >= SHORTEST and (part in known or part.capitalize() in known or part in words("medicine"))


def _names_of(key: str, prefix: str) -> Iterator[str]:
    for data in _mimesis("person"):
        yield from _flat(data.get(key, {}))
    people = importlib.import_module("faker.providers.person")
    for module in pkgutil.iter_modules(people.__path__):
        if module.ispkg:
            provider = importlib.import_module(f"{people.__name__}.{module.name}").Provider
            for name in vars(provider):
                if name.startswith(prefix):
                    yield from _flat(getattr(provider, name))


def _mimesis(name: str) -> Iterator[dict[str, Any]]:
    import mimesis

    for path in sorted((Path(mimesis.__file__).parent / "datasets").glob(f"*/{name}.json")):
        yield json.loads(path.read_text(encoding="utf-8"))


def _flat(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and all(isinstance(weight, (int, float)) for weight in value.values()):
        yield from (name for name in value if isinstance(name, str))
    elif isinstance(value, LISTS):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _flat(one)


def _lower(names: Iterator[str]) -> Iterator[str]:
    for name in names:
        for part in name.split():
            if len(part) > 1 and max(part) <= LAST_LATIN and part[0].isupper():
                yield part.lower().strip(".,'()")
