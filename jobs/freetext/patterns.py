"""What is recognised by how it is written: Presidio's recognisers, and patterns of ours for what it lacks in five languages."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from jobs.freetext.addresses import ADDRESSES, AFTER, BEFORE
from jobs.freetext.dates import DATES
from jobs.freetext.lexicon import is_word, towns
from jobs.freetext.numbers import IDS, PHONES
from jobs.freetext.spans import Kind, Span

if TYPE_CHECKING:
    from regex import Pattern

REGIONS = ("GB", "DE", "AT", "CH", "FR", "IT", "ES", "US", "IE", "BE")
CERTAIN = 0.4  # Presidio's score from which a match counts; below are bare runs of digits that could be anything
FEWEST_DIGITS = 5
BESIDE = 60  # signs beside an address in which parts of it are looked for
SECONDS = 5  # for one pattern over one text
# A word before the @ is at least a letter; a handle has three signs or more.
HANDLES = (
    r"(?<![\w@.])@[\w](?:[\w.\-]*\w)?",
    r"(?<![\w/])/?u/[\w\-]{3,}",
    r"(?<!\w)(?i:(?:insta(?:gram)?|twitter|telegram|discord|tiktok|skype|facebook|fb|snap(?:chat)?|signal)(?:[ \-]?(?:handle|"
    r"name|account|profil|profile|konto|utente|usuario))?|user ?name|nick(?:name)?|handle|benutzername|nutzername|nutzer|pseudo"
    r"(?:nyme)?|identifiant|nom d['’]utilisateur|nome utente|utente|usuario|nombre de usuario)"
    r"(?:\s?(?:is|ist|lautet|est|è|es))?\s?[:=]?\s?[\"'„«]?(?P<it>(?=[\w.\-]*[\d_.])[a-zA-Z][\w.\-]{2,}\w)",
    r"(?<![\w@.\-/])(?P<it>(?=[a-zA-Z\d.]*_)[a-zA-Z][\w.]*\w)(?![\w@])",
    r"(?<![\w@.\-/])(?P<it>[a-zA-Zäöüß]{4,}\d{2,4})(?![\w@])",
    r"(?<![\w@.\-/])(?P<it>[a-zA-Z]{3,}[.\-][a-zA-Z]{2,}\d{2,4})(?![\w@])")
NO_HANDLES = frozenset({"covid19", "omnipod5", "hba1c"})
AT = "at|ät|arobase|chiocciola|arroba"
DOT = "dot|punkt|point|punto"
EMAILS = (r"(?<![\w.])[\w.+\-]+@[\w\-]+(?:\.[\w\-]{2,})*",
          rf"(?i)(?<![\w.])[\w.+\-]+(?: ?[(\[{{] ?(?:{AT}|@) ?[)\]}}] ?)[\w\-]+"
          rf"(?:(?:\.| ?[(\[{{] ?(?:{DOT}|\.) ?[)\]}}] ?| (?:{DOT}) )[\w\-]{{2,}})+",
          rf"(?i)(?<![\w.])[\w.+\-]+ (?:{AT}) [\w\-]+(?: (?:{DOT}) [\w\-]{{2,}})+")
URLS = (r"(?i)(?<!\w)(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?)']",)


class TimedOut(Exception):
    """A pattern took too long over a text, so that nobody knows what it holds."""


class _Log(logging.Handler):
    """Takes what Presidio logs, and keeps of it whether a pattern took too long, which it tells nowhere else."""

    has_timed_out = False

    def emit(self, record: logging.LogRecord) -> None:
        self.has_timed_out |= "timed out" in str(record.msg)


LOG = _Log()


def find(text: str) -> Iterator[Span]:
    """Spans of the text that are written like something that tells of an identity. Raises TimedOut."""
    has_digits = sum(sign.isdigit() for sign in text) >= FEWEST_DIGITS
    for recogniser, entity, kind in _presidio():
        if kind in (Kind.EMAIL, Kind.URL) or has_digits:
            LOG.has_timed_out = False
            yield from _asked(recogniser, entity, kind, text)
            if LOG.has_timed_out:
                raise TimedOut
    for kind, patterns in ((Kind.EMAIL, EMAILS), (Kind.URL, URLS), (Kind.HANDLE, HANDLES), (Kind.PHONE, PHONES), (Kind.ID, IDS),
                           (Kind.DATE, DATES), (Kind.ADDRESS, ADDRESSES)):
        for pattern in patterns:
            for start, end in _matches(_compiled(pattern), text):
                if not _is_other(kind, text[start:end]):
                    yield Span(start, end, kind)


def grown(text: str, spans: list[Span]) -> Iterator[Span]:
    """The spans, those of addresses with the flats, numbers and postcodes beside them."""
    for span in spans:
        start, end = span.start, span.end
        if span.kind is Kind.ADDRESS:
            base = max(0, start - BESIDE)
            before = _compiled(BEFORE).search(text[base:start], timeout=SECONDS)
            after = _compiled(AFTER).match(text, end, end + BESIDE, timeout=SECONDS)
            start, end = base + before.start() if before else start, after.end() if after else end
        yield Span(start, end, span.kind)


def _is_other(kind: Kind, found: str) -> bool:
    """True for what only looks like one: a name of a product, a number of things (20000 Schritte)."""
    if kind is Kind.ADDRESS:
        number, _, word = found.partition(" ")
        return number.isdigit() and word.isalpha() and is_word(word, "de") and word.lower() not in towns()
    return kind is Kind.HANDLE and found.lower() in NO_HANDLES


@cache
def _compiled(pattern: str) -> Pattern[str]:
    import regex

    return regex.compile(pattern)


def _matches(pattern: Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    try:
        for match in pattern.finditer(text, timeout=SECONDS):
            yield match.span("it") if "it" in pattern.groupindex else match.span()
    except TimeoutError:
        raise TimedOut from None


def _asked(recogniser: Any, entity: str, kind: Kind, text: str) -> Iterator[Span]:
    for found in recogniser.analyze(text, [entity], None):
        if found.score >= CERTAIN and not (kind is Kind.URL and _is_missing_blank(text[found.start:found.end])):
            yield Span(found.start, found.end, kind)


def _is_missing_blank(url: str) -> bool:
    """True for two sentences without a blank between them, which look like a host: ``schlecht.Es``."""
    host, _, last = url.rpartition(".")
    return "/" not in url and not url.lower().startswith("www.") and host.isalpha() and last[:1].isupper() and not host.isupper()


@cache
def _presidio() -> tuple[tuple[Any, str, Kind], ...]:
    """Presidio's recognisers, without a model. Their log quotes texts, so it goes nowhere; it tells that a pattern took long."""
    from presidio_analyzer import pattern_recognizer
    from presidio_analyzer import predefined_recognizers as p
    from presidio_analyzer.predefined_recognizers.generic import iban_recognizer

    pattern_recognizer.REGEX_TIMEOUT_SECONDS = iban_recognizer.REGEX_TIMEOUT_SECONDS = SECONDS
    log = logging.getLogger("presidio-analyzer")
    log.handlers, log.propagate = [LOG], False

    class Email(p.EmailRecognizer):
        """Takes every domain: the list of those that exist would be fetched, and an address under another one is one too."""

        def validate_result(self, pattern_text: str) -> None:
            return None

    class Url(p.UrlRecognizer):
        """As Email."""

        def validate_result(self, pattern_text: str) -> None:
            return None

    return ((Email(), "EMAIL_ADDRESS", Kind.EMAIL), (Url(), "URL", Kind.URL), (p.IbanRecognizer(), "IBAN_CODE", Kind.IBAN),
            (p.CreditCardRecognizer(), "CREDIT_CARD", Kind.ID), (p.NhsRecognizer(), "UK_NHS", Kind.ID),
            (p.EsNifRecognizer(), "ES_NIF", Kind.ID), (p.EsNieRecognizer(), "ES_NIE", Kind.ID),
            (p.ItFiscalCodeRecognizer(), "IT_FISCAL_CODE", Kind.ID), (p.DeTaxIdRecognizer(), "DE_TAX_ID", Kind.ID),
            (p.DeHealthInsuranceRecognizer(), "DE_HEALTH_INSURANCE", Kind.ID), (p.UsSsnRecognizer(), "US_SSN", Kind.ID),
            (p.IpRecognizer(), "IP_ADDRESS", Kind.ID), (p.MacAddressRecognizer(), "MAC_ADDRESS", Kind.ID),
            (p.DateRecognizer(), "DATE_TIME", Kind.DATE),
            (p.PhoneRecognizer(supported_regions=REGIONS), "PHONE_NUMBER", Kind.PHONE))
