"""The page of what is late: whole, readable without colours, and it fetches nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs.pages.freshness import MOST_SHOWN, headline, page
from tests.unit.test_loss_page import Reader

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def level(subject: str, promise: str, state: str = "kept", since: datetime | None = None) -> dict[str, Any]:
    return {"subject": subject, "promise": promise, "driver": None, "contract_version": "1.0.0", "promised_seconds": 26 * 3600.0,
            "age_seconds": 7200.0, "state": state, "since": since, "last_kept_at": None}


def breach(subject: str, promise: str, due: datetime, closed: datetime | None) -> dict[str, Any]:
    return {"subject": subject, "promise": promise, "due_at": due, "closed_at": closed, "noticed_by": "ledger", "noticed_at": due,
            "promised_seconds": 1.0, "contract_version": "1.0.0"}


FOUND = {"at": NOW, "levels": [
    level("source.crm", "latency"), level("source.crm", "frequency", "late", ago(24)), level("product.glucose_daily", "latency", "none")],
    "breaches": [breach("source.crm", "latency", ago(900), ago(800)), breach("source.crm", "frequency", ago(480), ago(360)),
                 breach("source.crm", "frequency", ago(24), None)]}


def test_a_page_is_whole_and_needs_nothing_else() -> None:
    text = page(FOUND, 30)
    read = Reader(text)
    assert [tag for tag, _ in read.seen].count("h1") == 1 and ("html", {"lang": "en"}) in read.seen
    assert not {tag for tag, _ in read.seen} & {"script", "link", "img", "iframe", "object"}
    assert not [v for _, attrs in read.seen for k, v in attrs.items() if k in ("src", "href")] and "url(" not in text
    assert "default-src 'none'" in text


def test_a_line_shows_when_it_was_late_and_says_it_in_words() -> None:
    text = page(FOUND, 30)
    assert re.findall(r'<i style="left: ([\d.]+)%; width: ([\d.]+)%"', text) == [("33.33", "16.67"), ("96.67", "3.33")]
    assert 'aria-label="late from 2026-11-08 12:00 to 2026-11-13 12:00; late from 2026-11-27 12:00 and not yet there"' in text
    assert text.count('aria-label="never late"') == 2, "what lies before the first day is not drawn"
    assert '<th scope="rowgroup" class="whose" rowspan="2">source.crm</th>' in text
    rows = [row for row in Reader(text).cells if row and row[0] == "source.crm"]
    assert rows[1:] == [["source.crm", "frequency", "2026-11-27 12:00", "not yet", "1.0 d", "ledger"],
                        ["source.crm", "frequency", "2026-11-08 12:00", "2026-11-13 12:00", "5.0 d", "ledger"],
                        ["source.crm", "latency", "2026-10-22 00:00", "2026-10-26 04:00", "4.2 d", "ledger"]]


def test_the_headline() -> None:
    assert headline(FOUND) == "1 of 2 promises is late, frequency of source.crm since 2026-11-27 12:00."
    assert headline({"levels": FOUND["levels"][:1]}) == "All 1 promises are kept."
    assert headline({"levels": FOUND["levels"][2:]}) == "Nothing has begun yet that a promise is about."


def test_a_name_is_escaped_and_old_breaches_are_counted() -> None:
    many = [breach("source.crm", "latency", ago(1000 - i), ago(999 - i)) for i in range(MOST_SHOWN + 3)]
    text = page({"at": NOW, "levels": [level("<b>x", "latency")], "breaches": many}, 30)
    assert "<b>x" not in text and "&lt;b&gt;x" in text and "3 older ones: concord freshness --json" in text
