"""Names of people and towns: by lists, by the words beside them, and by capitals of words that no list knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from jobs.freetext import cues, lexicon
from jobs.freetext.spans import Kind, Span
from jobs.freetext.tokens import Token
from jobs.freetext.word_kinds import Sure, is_attribute, is_mixed, is_other, is_rare, is_rare_family, is_town, plain, sure

TITLES, RELATIONS, GREETINGS, DOES, TELLS, AFTER_TITLES = (cues.sets(table) for table in (
    cues.TITLES, cues.RELATIONS, cues.GREETINGS, cues.DOES, cues.TELLS, cues.NO_NAMES_AFTER_TITLES))
LOOKED_BACK = 40  # signs before a word in which a phrase is looked for
MOST_OF_A_NAME = 4  # words
LEAST_CASED = 0.04  # share of words within sentences that begin with a capital, below which capitals tell nothing
MOST_CASED = 0.7
FEWEST = 8  # words within sentences from which that share tells something
BESIDE = ("", " ", ". ", "-", "  ", ".", "\u00a0", "'", "’")  # what stands between two words of a name
BARE = 3  # words of a text that may be nothing but a name
SHORTEST_AGAIN = 3  # letters of a word that is looked for again


@dataclass
class NameFinder:
    """Finds names in the words of one text of a language."""

    text: str
    tokens: list[Token]
    language: str
    found: dict[int, Kind] = field(default_factory=dict)
    _told: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._is_cased = self._tells_by_capitals()
        self._sure = [sure(token, self.language) for token in self.tokens]
        self._plain = [plain(token.text, self.language) for token in self.tokens]

    def find(self) -> Iterator[Span]:
        """Spans of names and towns; parts of one name that follow each other are one span."""
        for rule in (self._by_cues, self._by_itself, self._beside_names, self._again):
            rule()
        groups: list[list[int]] = []
        for place in sorted(self.found):
            last = groups[-1][-1] if groups else -2
            if place != last + 1 or self.found[place] is not self.found[last] or not self._is_beside(last):
                groups.append([])
            groups[-1].append(place)
        for group in groups:
            yield Span(self.tokens[group[0]].start, self.tokens[group[-1]].end, self.found[group[0]])

    def _tells_by_capitals(self) -> bool:
        within = [token for token in self.tokens if not token.begins and len(token.text) > 1]
        if len(within) < FEWEST:
            return any(token.is_capitalised for token in self.tokens)
        cased = sum(token.is_capitalised for token in within) / len(within)
        begins = any(token.begins and token.is_capitalised for token in self.tokens)
        return (cased >= LEAST_CASED or begins) and cased <= MOST_CASED

    def _by_cues(self) -> None:
        for place in range(len(self.tokens)):
            if self._is_titled(place) or self._is_told(place):
                self.found[place] = Kind.NAME
                self._told.add(place)

    def _is_next(self, place: int) -> bool:
        """True for a word that follows another one with nothing but a blank, a point or a colon between them."""
        before = self.tokens[place].before
        return place > 0 and before.strip(" .,:\n") == "" and "\n" not in before

    def _is_titled(self, place: int) -> bool:
        """True after a title (Frau, Dr.): whatever has a capital and is no other title."""
        if not self._is_next(place) or self._plain[place - 1] not in TITLES[self.language] or "," in self.tokens[place].before:
            return False
        token, title = self.tokens[place], self.tokens[place - 1]
        if self._plain[place] in cues.PARTICLES and title.is_capitalised:
            return place + 1 < len(self.tokens) and self.tokens[place + 1].is_capitalised
        if self._plain[place] in TITLES[self.language] or self._plain[place] in AFTER_TITLES[self.language]:
            return False
        if self.language == "de" and title.text[0].islower():
            return False
        if not token.is_capitalised and (self._is_cased or self._sure[place] is Sure.NO):
            return False
        is_also_kin = title.text.lower() in RELATIONS[self.language] and title.text.lower() != "frau"
        return self._sure[place] > Sure.NO or not is_also_kin

    def _is_told(self, place: int) -> bool:
        """True where the words before a word say that it is a name."""
        token, mine = self.tokens[place], self._sure[place]
        if len(self.tokens) <= BARE and token.is_capitalised and mine > Sure.NO:
            return True
        if (self._is_cased and not token.is_capitalised) or is_other(self._plain[place], self.language):
            return False
        before = self.text[max(0, token.start - LOOKED_BACK):token.start]
        if cues.INTRODUCTIONS[self.language].search(before):
            return mine > Sure.NO or (token.is_capitalised and self.language != "de" and not token.begins)
        last = self._plain[place - 1] if place else ""
        if self._is_next(place) and last in RELATIONS[self.language]:
            return mine >= Sure.GIVEN_OR_WORD or (mine > Sure.NO and token.is_capitalised)
        if self._is_next(place) and last in GREETINGS[self.language]:
            return mine >= Sure.FAMILY_OR_WORD
        if cues.FAREWELLS[self.language].search(before) and len(self.tokens) - place <= MOST_OF_A_NAME:
            return mine >= Sure.FAMILY_OR_WORD
        is_maybe = mine >= Sure.GIVEN_OR_WORD and token.is_capitalised and cues.MAYBE[self.language].search(before)
        return bool(is_maybe) and (self.language != "de" or last not in cues.DETERMINERS)

    def _by_itself(self) -> None:
        for place, token in enumerate(self.tokens):
            if place in self.found:
                continue
            if token.is_capitalised and self._sure[place] >= Sure.UNKNOWN and is_town(token.text.lower()):
                self.found[place] = Kind.PLACE
            elif self._is_by_itself(place, token):
                self.found[place] = Kind.NAME

    def _is_by_itself(self, place: int, token: Token) -> bool:
        mine = self._sure[place]
        if mine is Sure.NAME and (token.is_capitalised or not self._is_cased):
            return True
        if not token.is_capitalised:
            return False
        if mine is Sure.UNKNOWN:
            return not is_mixed(token.text)
        if not self._is_cased:
            return mine is Sure.GIVEN_OR_WORD and self._is_before_family(place)
        following = self._plain[place + 1] if place + 1 < len(self.tokens) else ""
        if mine is Sure.NO:
            return self._is_odd(place, token, following)
        is_doing = following in DOES[self.language] or token.text.endswith(("'s", "’s"))
        if self.language == "de":
            last = self.tokens[place - 1].text if place and not token.begins else ""
            return mine is Sure.GIVEN_OR_WORD and is_doing and not is_attribute(last)
        if token.begins:
            return mine is Sure.GIVEN_OR_WORD and (is_doing or self._is_before_family(place))
        return not token.is_shouted

    def _is_before_family(self, place: int) -> bool:
        """True before *del Mar* and *Verdi*."""
        is_particle = place + 1 < len(self.tokens) and self._plain[place + 1] in cues.PARTICLES
        after = place + (2 if is_particle else 1)
        return after < len(self.tokens) and self.tokens[after].is_capitalised and self._is_beside(after - 1) and (
            self._sure[after] > Sure.NO or is_particle)

    def _is_odd(self, place: int, token: Token, following: str) -> bool:
        """True for a word that stands where a name stands: *Librado me enseñó*, *avec Caresse*; not in German, where nouns do."""
        if not is_rare(token, self.language):
            return False
        if token.begins:
            return following in TELLS[self.language]
        return self.language != "en" or self._plain[place - 1] in cues.WITH

    def _beside_names(self) -> None:
        """Words that stand beside a name and may be one too; initials; parts like *von*."""
        for place in range(len(self.tokens)):
            if self.found.get(place) is Kind.NAME:
                self._grow(place, 1, self._may_be_any if place in self._told else self._may_be_family)
                self._grow(place, -1, self._may_be_given)

    def _grow(self, place: int, step: int, may_be: Callable[[int], bool]) -> None:
        for _ in range(MOST_OF_A_NAME):
            following = place + step
            if not 0 <= following < len(self.tokens) or not self._is_beside(min(place, following)):
                return
            if following not in self.found and not may_be(following):
                following = self._after_particles(following) if step > 0 else -1
                if following < 0:
                    return
            self.found.update(dict.fromkeys(range(min(place, following), max(place, following) + 1), Kind.NAME))
            place = following

    def _after_particles(self, place: int) -> int:
        """The place of the name behind parts like *de la*; -1 where there is none."""
        start = place
        while place + 1 < len(self.tokens) and self._plain[place] in cues.PARTICLES and self._is_beside(place):
            place += 1
        is_one = place > start and self._plain[start] not in ("y", "i") and self.tokens[place].is_capitalised
        return place if is_one and (self._sure[place] > Sure.NO or self.language != "de") else -1

    def _is_beside(self, place: int) -> bool:
        """True where the next word follows as the words of a name do; after a point only behind an initial."""
        before = self.tokens[place + 1].before
        return before in BESIDE and (before[:1] != "." or len(self.tokens[place].text) == 1)

    def _may_be_any(self, place: int) -> bool:
        """True for a word with a capital after a name that was told as one: *Frau Anna Nadel*."""
        is_word = self.tokens[place].is_capitalised and not is_other(self._plain[place], self.language)
        return self._may_be_family(place) or (is_word and self._plain[place] not in cues.PARTICLES)

    def _may_be_family(self, place: int) -> bool:
        token, lower = self.tokens[place], self._plain[place]
        if self._is_initial(token):
            return True
        if not self._is_cased and not token.is_capitalised:
            return self._sure[place] >= Sure.UNKNOWN
        if not token.is_capitalised or lower in cues.PARTICLES:
            return False
        if self._sure[place] > Sure.NO or (lower in lexicon.family_names() and lower in lexicon.words("medicine")):
            return True
        return is_rare_family(lower) if self.language == "de" else not is_other(lower, self.language) and len(lower) > 1

    def _may_be_given(self, place: int) -> bool:
        token = self.tokens[place]
        is_one = self._sure[place] >= Sure.GIVEN_OR_WORD or self._plain[place] in cues.GIVEN_TOO or is_rare(token, self.language)
        return self._is_initial(token) or (token.is_capitalised and is_one)

    def _is_initial(self, token: Token) -> bool:
        """True for a letter of its own before a point, an apostrophe or the next part of a name, that is no title."""
        after = self.text[token.end:token.end + 2]
        is_marked = after[:1] in (".", "'", "’") or after[1:].isupper()
        return len(token.text) == 1 and token.text.isupper() and is_marked and token.text.lower() not in TITLES[self.language]

    def _again(self) -> None:
        """What was a name once in a text is one wherever it stands as a name does."""
        names = {self._plain[place] for place, kind in self.found.items()
                 if kind is Kind.NAME and len(self._plain[place]) >= SHORTEST_AGAIN and self._plain[place] not in cues.PARTICLES}
        names |= {name + "s" for name in names}
        for place, token in enumerate(self.tokens):
            is_cased = token.is_capitalised or (not self._is_cased and self._sure[place] > Sure.NO)
            if place not in self.found and is_cased and self._plain[place] in names and self._is_no_noun(place, token):
                self.found[place] = Kind.NAME

    def _is_no_noun(self, place: int, token: Token) -> bool:
        if any(sign.isdigit() for sign in token.before):
            return False
        is_free = self.language != "de" or place == 0 or token.begins or self._sure[place] >= Sure.UNKNOWN
        return is_free or self._plain[place - 1] not in cues.DETERMINERS
