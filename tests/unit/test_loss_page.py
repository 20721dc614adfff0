"""The page of a consent-loss report: whole, plain to every reader, and silent about what is hidden."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from contracts.consent_loss import CODES, CONDITIONS, Attribute
from jobs.pages import loss_words as words
from jobs.pages.consent_loss import page
from jobs.stages import balance

SEX = Attribute("sex", "core.identity", ("sex_code",), ("male", "female", "other", "unknown"))
COUNTRY = Attribute("country", "core.identity", ("country_code",), ("DE", "FR", "unknown"))
SVG = "{http://www.w3.org/2000/svg}"
VOID = {"meta", "br", "link", "img", "input", "hr"}


def report(sex: Any, country: Any, name: str = "Glucose") -> dict[str, Any]:
    counts = {"sex": dict(zip(SEX.levels, sex, strict=True)), "country": dict(zip(COUNTRY.levels, country, strict=True))}
    return {"product": "glucose_daily", "name": name, "release": 3, "release_group": "engagement", "contract_version": "1.2.3",
            "decided_at": "2026-11-02T03:10:00+00:00", "purposes": ["decision_support"], "minimum_cell": 7, "rounding": 5,
            "condition_review": None, "table_version": 4, "rows": balance.report(counts, (SEX, COUNTRY), 7, 5)}


USUAL = report([(203, 121), (198, 161), (1, 0), (6, 7)], [(211, 63), (131, 219), (66, 7)])
NOBODY_OUT = report([(203, 1), (198, 2), (1, 0), (6, 0)], [(211, 3), (131, 0), (66, 0)])
NOBODY_IN = report([(0, 121), (0, 161), (0, 0), (1, 7)], [(1, 63), (0, 219), (0, 7)])
ONE = report([(1, 0), (0, 0), (0, 0), (0, 0)], [(1, 0), (0, 0), (0, 0)])
ALL_UNKNOWN = report([(0, 0), (0, 0), (0, 0), (41, 32)], [(0, 0), (0, 0), (41, 32)])
ALIKE = report([(200, 200), (200, 200), (0, 0), (0, 0)], [(200, 200), (150, 150), (50, 50)])
REPORTS = {"usual": USUAL, "nobody out": NOBODY_OUT, "nobody in": NOBODY_IN, "one": ONE, "all unknown": ALL_UNKNOWN, "alike": ALIKE}


class Reader(HTMLParser):
    """Reads a page; every element that is opened must be closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append((tag, dict(attrs)))
        self.open += [] if tag in VOID else [tag]
        if tag == "tr":
            self.cells.append([])

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1].append(data.strip())


@pytest.mark.parametrize("name", REPORTS)
def test_every_page_is_whole_and_needs_nothing_else(name: str) -> None:
    text = page(REPORTS[name])
    read = Reader(text)
    assert [tag for tag, _ in read.seen].count("h1") == 1
    assert not {tag for tag, _ in read.seen} & {"script", "link", "img", "iframe", "object"}
    addresses = [v for _, attrs in read.seen for k, v in attrs.items() if k in ("src", "href", "xlink:href")]
    assert all(str(a).startswith("#") for a in addresses) and "@import" not in text and not re.search(r"url\((?!#)", text)
    ids = [attrs["id"] for _, attrs in read.seen if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert ("html", {"lang": "en"}) in read.seen and "viewport" in text and "<title>Consent loss: Glucose, release 3</title>" in text
    assert "1.2.3" in text and "2026-11-02T03:10:00+00:00" in text and "<b>Hidden</b>: 7 people or fewer" in text


@pytest.mark.parametrize("name", REPORTS)
def test_every_plot_has_a_title_and_its_figures_as_text(name: str) -> None:
    drawn = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg .*?</svg>", page(REPORTS[name]), re.DOTALL)]  # noqa: S314
    assert len(drawn) == {"usual": 2, "nobody out": 1, "nobody in": 1, "one": 0, "all unknown": 2, "alike": 2}[name]
    for svg in drawn:
        names = svg.attrib["aria-labelledby"].split()
        title, description = svg.find(f"{SVG}title"), svg.find(f"{SVG}desc")
        assert svg.attrib["role"] == "img" and names == [title.attrib["id"], description.attrib["id"]]
        assert len(title.text) > 20 and len(description.text) > 20


def test_a_plot_says_in_words_what_it_shows() -> None:
    text = page(USUAL)
    assert "FR 32 % in, 76 % left out" in text and "unknown 16 % in, hidden left out" in text
    assert f"male {abs(USUAL['rows'][2]['standardised_difference']):.2f}; " in text


def test_the_table_shows_what_is_published_and_nothing_that_is_hidden() -> None:
    cells = Reader(page(USUAL)).cells
    by_level = {row[0]: row[1:] for row in cells}
    assert by_level["Everyone"] == ["410", "290", "100 %", "100 %", "–"]
    assert by_level["male"] == ["205", "120", "50 %", "41 %", "+0.17"] and by_level["other"] == ["hidden"] * 4 + ["–"]
    assert by_level["DE"] == ["210", "hidden", "51 %", "hidden", "–"], "the smallest goes with the one that is hidden alone"
    told = re.sub(r"<style.*?</style>|<[^>]*>", " ", page(USUAL), flags=re.DOTALL)
    assert not [n for n in (203, 121, 198, 161, 211, 63, 131, 219, 66, 408, 289) if re.search(rf"(?<![\d.]){n}(?![\d.])", told)]


def test_two_pages_with_the_same_publication_are_the_same() -> None:
    other = report([(203, 121), (198, 161), (5, 3), (2, 4)], [(211, 7), (131, 219), (66, 63)])
    assert page(other) == page(USUAL) == page(USUAL)


@pytest.mark.parametrize(("name", "said"), [
    ("usual", "About 410 of 700 people are in (59 %), about 290 are left out."),
    ("nobody out", "About 410 people are in; at most 7 are left out, too few to compare."),
    ("nobody in", "About 290 people are left out; at most 7 are in, too few to compare."),
    ("one", "At most 7 people are in and at most 7 are left out, too few to compare.")])
def test_the_headline(name: str, said: str) -> None:
    assert words.headline(REPORTS[name]) == said and said in page(REPORTS[name])


NO_CONDITION = "Conditions are not compared: the product's contract names no review of that (GDPR article 9(2)(j))."


@pytest.mark.parametrize(("name", "said"), [
    ("usual", ["Sex male: 41 % of the people left out, 50 % of the people in (standardised difference +0.17).",
               "Sex female: 55 % of the people left out, 49 % of the people in (standardised difference −0.13)."]),
    ("nobody out", []), ("one", []), ("all unknown", ["Sex is known of too few people to be compared.", "Country is known of too few people to be compared."]),
    ("alike", ["No level that is shown differs by 0.1 or more."])])
def test_what_is_found(name: str, said: list[str]) -> None:
    found = words.findings(REPORTS[name])
    assert [f for f in found if f.startswith(("Sex", "No level")) or name != "usual"] == [*said, *([NO_CONDITION] if name != "usual" else [])]
    assert found[-1] == NO_CONDITION


def test_conditions_are_shown_with_who_reviewed_that() -> None:
    ill = Attribute("condition", "core.condition", CODES, (*CONDITIONS, "other", "several", "unknown"), "several")
    rows = balance.report({"sex": {"male": (410, 289)}, "condition": dict(zip(ill.levels, [(61, 12), (201, 199), (1, 0), (0, 9), (20, 9), (
        27, 8), (100, 52)], strict=True))}, (SEX, ill), 7, 5)
    text = page({**USUAL, "rows": rows, "condition_review": "2026-09-14, officer <b>"})
    assert "<dt>Review for conditions</dt><dd>2026-09-14, officer &lt;b&gt;</dd>" in text and NO_CONDITION not in text
    assert "Condition type 1 diabetes: 3 % of the people left out, 15 % of the people in" in text
    by_level = {row[0]: row[1:] for row in Reader(text).cells}
    assert by_level["type 2 diabetes"][:2] == ["200", "200"] and by_level["diabetes in pregnancy"][0] == "hidden"
    assert text.count(">type 2 diabetes</text>") == 2, "in both plots"
    assert "Review for conditions" not in page(USUAL) and "not to say healthy" not in page(USUAL)


def test_what_a_contract_says_is_escaped() -> None:
    text = page(report([(203, 121), (198, 161), (1, 0), (6, 7)], [(211, 63), (131, 219), (66, 7)], name="<script>alert(1)</script>"))
    assert "<script" not in text and "&lt;script&gt;" in text


def test_what_a_level_is_called_is_escaped_in_the_plots_too() -> None:
    strange = Attribute("sex", "core.identity", ("sex_code",), ("<b>$x^2$</b>", "unknown"))
    rows = balance.report({"sex": {strange.levels[0]: (40, 50), "unknown": (60, 30)}}, (strange,), 7, 5)
    text = page({**USUAL, "rows": rows})
    assert "<b>$" not in text and text.count("&lt;b&gt;$x^2$&lt;/b&gt;") >= 5
