"""Scrub, text by text: what goes, what stays, what is withheld; cases as rows."""

from __future__ import annotations

import logging
import socket
from datetime import date

import pytest

from jobs.freetext import patterns
from jobs.freetext.known import Known, KnownIdentities
from jobs.freetext.scrub import LONGEST, Withheld, scrub
from jobs.freetext.spans import Kind, Span, joined, replaced

SCRUBBED = [
    # Names that are words, and the words.
    ("en", "My son Mark will mark it. Mark is nine.", "My son [NAME_1] will mark it. [NAME_1] is nine."),
    ("en", "The rose garden is closed and my sugar rose.", "The rose garden is closed and my sugar rose."),
    ("de", "Frau Sommer hat im Sommer angerufen.", "Frau [NAME_1] hat im Sommer angerufen."),
    ("de", "Das Rezept und die Rezeptgebühr liegen bei der Rose im Garten.", "Das Rezept und die Rezeptgebühr liegen bei der Rose im Garten."),
    ("de", "Mein Mann Mark zahlte 50 Mark.", "Mein Mann [NAME_1] zahlte 50 Mark."),
    ("fr", "M. Blanc a un mur blanc.", "M. [NAME_1] a un mur blanc."),
    ("it", "Il signor Leone ha visto un leone.", "Il signor [NAME_1] ha visto un leone."),
    ("es", "Doña Paz quiere paz.", "Doña [NAME_1] quiere paz."),
    # The same identity by the same word.
    ("en", "Anna Weber called. Later Anna wrote to Tom Hill.", "[NAME_1] called. Later [NAME_1] wrote to [NAME_2]."),
    ("en", "Call 07700 900461 or (07700) 900461, not 07700 900999.", "Call [PHONE_1] or [PHONE_1], not [PHONE_2]."),
    # Nothing but a name.
    ("de", "Weber", "[NAME_1]"), ("de", "Anna Sommer", "[NAME_1]"), ("en", "Rose", "[NAME_1]"), ("de", "Danke sehr", "Danke sehr"),
    # Patterns.
    ("en", "Write to a.b@example.org or a.b (at) example (dot) org.", "Write to [EMAIL_1] or [EMAIL_2]."),
    ("de", "Das war schlecht.Es ging nicht.", "Das war schlecht.Es ging nicht."),
    ("de", "Konto DE89 3704 0044 0532 0130 00 bitte.", "Konto [IBAN_1] bitte."),
    ("de", "Heute 20000 Schritte, Zucker 180 und 95, um 12 Uhr 1,5 Einheiten.", "Heute 20000 Schritte, Zucker 180 und 95, um 12 Uhr 1,5 Einheiten."),
    ("fr", "Née le 3 mai 1987, je prends 20 unités.", "Née le [DATE_1], je prends 20 unités."),
    ("es", "Mi DNI es 12345678Z y vivo en la calle Mayor 5, 28013 Madrid.", "Mi DNI es [ID_1] y vivo en la [ADDRESS_1]."),
    ("it", "Codice fiscale RSSMRA85T10A562S, abito in via Roma 3.", "Codice fiscale [ID_1], abito in [ADDRESS_1]."),
    ("en", "See https://example.org/me or find @me_here.", "See [URL_1] or find [HANDLE_1]."),
    # Unseen signs and another script within a name.
    ("en", "My name is Har\u200briet and I am fine.", "My name is [NAME_1] and I am fine."),
]

WITHHELD = [
    (None, None, Withheld.NO_TEXT), ("", None, Withheld.NO_TEXT), (" \n", None, Withheld.NO_TEXT),
    ("😀" * (LONGEST - 1), None, Withheld.NO_WORDS), ("12 34 / 56", None, Withheld.NO_WORDS),
    ("😀" * 262_144, None, Withheld.TOO_LONG), ("a" * (LONGEST + 1), "en", Withheld.TOO_LONG),
    ("De pomp is sinds gisteren kapot en niemand belt mij terug.", None, Withheld.UNKNOWN_LANGUAGE),
    ("Mijn pomp is kapot en niemand belt.", None, Withheld.UNKNOWN_LANGUAGE),
    ("A bomba não funciona desde ontem e ninguém me ligou de volta.", None, Withheld.UNKNOWN_LANGUAGE),
    ("Pompa przestała działać wczoraj i nikt nie oddzwonił.", None, Withheld.UNKNOWN_LANGUAGE),
    ("Pompa nu mai funcționează de ieri și nimeni nu m-a sunat.", None, Withheld.UNKNOWN_LANGUAGE),
    ("Pumpen fungerer ikke siden i går, og ingen har ringet tilbage.", None, Withheld.UNKNOWN_LANGUAGE),
    ("Pompa dünden beri çalışmıyor ve kimse beni geri aramadı.", None, Withheld.UNKNOWN_LANGUAGE),
    ("Насос не работает со вчерашнего дня.", None, Withheld.UNKNOWN_LANGUAGE), ("ポンプが昨日から動きません。", None, Withheld.UNKNOWN_LANGUAGE),
    ("The pump is broken.", "nl", Withheld.UNKNOWN_LANGUAGE), ("The pump is broken.", "", None), ("The pump is broken.", "en-GB", None),
    ("The pump is broken.", "xx", Withheld.UNKNOWN_LANGUAGE), ("Weber", None, Withheld.UNKNOWN_LANGUAGE),
]

MARIE = Known(names=("Marie-Rose Käthner",), handles=("@zuckermarie",), emails=("mk77@example.org",), phones=("+49 (170) 55 50 199",),
              addresses=("Tulpenhof Nord, 4711 Bad Irgendwo",), ids=("P-17",), birth_dates=(date(1961, 5, 30),))
KNOWN = [
    ("Heute schrieb KAETHNER wieder.", "Heute schrieb [NAME_1] wieder."),
    ("heute schrieb käthner wieder.", "heute schrieb [NAME_1] wieder."),
    ("Bei der marie gibt es eine rose im garten.", "Bei der [NAME_1] gibt es eine rose im garten."),
    ("Die Rose ist krank.", "Die [NAME_1] ist krank."),  # Rose is a part of the name: with a capital it goes.
    ("Der Account zuckermarie ist weg, das Postfach mk77 auch.", "Der Account [HANDLE_1] ist weg, das Postfach [HANDLE_2] auch."),
    ("Nummer 0170/5550199 anrufen.", "Nummer [PHONE_1] anrufen."),
    ("Am 300561 geboren, Nummer p-17, wohnt in Bad Irgendwo.", "Am [DATE_1] geboren, Nummer [ID_1], wohnt in Bad Irgendwo."),
    ("Sie wohnt im tulpenhof  nord noch immer.", "Sie wohnt im [ADDRESS_1] noch immer."),
]


@pytest.mark.parametrize(("language", "text", "left"), SCRUBBED)
def test_what_goes_and_what_stays(language: str, text: str, left: str) -> None:
    done = scrub(text, language)
    assert done.text == left
    assert done.language == language


@pytest.mark.parametrize(("text", "language", "reason"), WITHHELD)
def test_what_is_withheld(text: str | None, language: str | None, reason: Withheld | None) -> None:
    done = scrub(text, language)
    assert done.withheld is reason
    assert (done.text is None) is (reason is not None)


@pytest.mark.parametrize(("text", "left"), KNOWN)
def test_what_is_known_goes_first(text: str, left: str) -> None:
    assert scrub(text, "de", KnownIdentities([MARIE])).text == left


def test_a_name_that_nothing_tells_is_found_when_it_is_known() -> None:
    text = "heute war quapp wieder da."
    assert scrub(text, "de").text == text
    assert scrub(text, "de", KnownIdentities([Known(names=("Quapp",))])).text == "heute war [NAME_1] wieder da."


def test_spans_are_places_of_the_text_that_came() -> None:
    text = "😀 My name is Anna Weber, call 07700 900461."
    done = scrub(text)
    assert [(text[s.start:s.end], s.kind) for s in done.spans] == [("Anna Weber", Kind.NAME), ("07700 900461", Kind.PHONE)]


def test_spans_that_overlap_are_one_under_the_longest_kind() -> None:
    assert joined([Span(5, 9, Kind.NAME), Span(0, 6, Kind.URL), Span(9, 12, Kind.ID)]) == [Span(0, 9, Kind.URL), Span(9, 12, Kind.ID)]
    assert joined([Span(0, 4, Kind.NAME), Span(0, 4, Kind.PHONE)]) == [Span(0, 4, Kind.NAME)]
    assert replaced("Anna ABC", [Span(0, 4, Kind.NAME), Span(5, 8, Kind.ID)]) == "[NAME_1] [ID_1]"


def test_no_socket_is_opened_and_nothing_is_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    done = scrub("Mail a.b@strange.zzzz, page strange.zzzz/me, IBAN ÄÖ89 3704 0044 0532 0130 00 or DE00 3704 0044 0532 0130 0Ä.", "en")
    assert done.text is not None and "[EMAIL_1]" in done.text
    assert caplog.text == ""
    log = logging.getLogger("presidio-analyzer")  # It quotes texts: pytest alone listens beside the handler that forgets them.
    assert not log.propagate and [h for h in log.handlers if not type(h).__module__.startswith("_pytest")] == [patterns.LOG]


@pytest.mark.parametrize("log", ["Regex pattern '%s' timed out after %s seconds, skipping.", "something else %s %s"])
def test_a_text_over_which_a_pattern_took_too_long_is_withheld(monkeypatch: pytest.MonkeyPatch, log: str) -> None:
    scrub("The pump is broken.")

    def analyze(*_: object) -> list[object]:
        logging.getLogger("presidio-analyzer").warning(log, "Email", 5)
        return []

    monkeypatch.setattr(patterns._presidio()[0][0], "analyze", analyze)
    assert scrub("The pump is broken.").withheld == (Withheld.TOOK_TOO_LONG if "timed out" in log else None)


@pytest.mark.parametrize("text", ["a" * 99_999, "1" * 99_999, "Aa" * 49_999, "a@" * 49_999, "a." * 49_999, "Anna " * 19_999, "12 " * 33_000,
                                  "an der " * 14_000, "\n" * 99_000 + "a"])
def test_a_text_made_to_be_slow_is_scrubbed_or_withheld(text: str) -> None:
    """Whichever of the two: nothing of it may be passed on unread, and it ends."""
    done = scrub(text, "en")
    assert (done.text is None) == (done.withheld is not None)
    assert done.withheld in (None, Withheld.TOOK_TOO_LONG, Withheld.NO_WORDS)
