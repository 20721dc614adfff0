"""The page of a copy is whole, runs and fetches nothing, and shows what people wrote as text; the folder is whole or not there."""

from __future__ import annotations

import base64
import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle as R4Bundle
from hypothesis import given
from hypothesis import strategies as st

from contracts import catalog
from jobs.access import said
from jobs.access.attachments import attachments
from jobs.access.bundle import Bundle
from jobs.access.copy import MOST_SHOWN, Copied, Copy, Once
from jobs.access.folder import MANIFEST, whole
from jobs.pages.access import LONGEST, cell, page
from tests.unit.test_loss_page import Reader

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
MARKUP = '</title><script>alert(1)</script><img src=x onerror="y"> & "quoted"'
SENT = {"extract": "glycemia_institute-1", "recipient": "glycemia_institute", "sent_at": NOW, "held": 2, "recalled": True, "product": "glucose_daily",
        "purposes": ["research"], "legal_basis": "explicit_consent", "agreement": {"id": MARKUP}, "expires_at": "2026-12-28T00:00:00"}
LOST = {"extract": "gone-1", "recipient": MARKUP, "sent_at": None, "held": None, "recalled": False}


def shown(**more: Any) -> str:
    row = {"source": "crm", "record_id": "r", "source_person_id": MARKUP, "given_name": MARKUP, "birth_on": date(1980, 5, 1), **more}
    tables = {"core.identity": Copied(1, {3}, Counter({"crm": 1}), [row]), "safety.candidate": Copied(30, {1, 2}, Counter({"crm": 30}), [{"source": "crm"}]),
              "product.glucose_daily": Copied(1, {4}, Counter(), [{"readings": 3}]), "extract": Copied(2, set(), Counter(), [{"readings": "[3, 5)"}])}
    known = {"identities": [{"source": "crm", "source_person_id": MARKUP}], "not_given": {"vault.person": "keys"},
             "withheld": [{"of": "raw.crm", "reason": reason, "count": 2} for reason in said.REASONS]}
    found = said.about(catalog(), {n: c.rows for n, c in tables.items()}, {n: c.sources for n, c in tables.items()}, [SENT, LOST], known, "a" * 16, NOW)
    json.dumps(found, default=str)
    return page(found, tables, [{"name": "about.json", "bytes": 3}, {"name": "data/x.ndjson", "bytes": 3, "lines": 1}], catalog())


def test_a_page_is_whole_and_needs_nothing_else() -> None:
    text = shown()
    read = Reader(text)
    assert [tag for tag, _ in read.seen].count("h1") == 1 and ("html", {"lang": "en"}) in read.seen
    assert not {tag for tag, _ in read.seen} & {"script", "link", "img", "iframe", "object", "a", "form"}
    assert not [v for _, attrs in read.seen for k, v in attrs.items() if k in ("src", "href") or k.startswith("on")] and "url(" not in text
    assert "default-src 'none'" in text and {attrs.get("scope") for tag, attrs in read.seen if tag == "th"} == {"col", "row"}


def test_markup_is_text() -> None:
    text = shown()
    assert "<script" not in text and "<img" not in text and text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4


def test_article_15_letter_by_letter() -> None:
    text = " ".join(shown().split())
    for wanted in (
            "adherence monitoring", "GDPR articles 6(1)(a) and 9(2)(a)", "Directive 2001/83/EC article 107",  # (a)
            "What identifies you", "Health",  # (b)
            "Glycemia Institute", "2 rows of yours", "They were told to delete it.", "Nobody can tell any more whether you are in it",  # (c)
            "3,650 days after the day it was received", "kept as the law asks",  # (d)
            "article 17", "article 77", "Customer relationship management", "article 22",  # (e), (f), (g), (h)
            "country a recipient is", "names somebody else, too", "does not say whom it is about", "was taken for yours", "article 20"):
        assert wanted in text, wanted
    assert "35 records about you, from 1 system" not in text and "34 records about you, from 1 system. 6 were left out" in text


def test_values_are_read_as_people_write_them() -> None:
    assert [cell(v) for v in (None, True, NOW, date(2026, 1, 2), 0.1 + 0.2, 7, "x" * 400)] == [
        "", "yes", "2026-11-28 12:00", "2026-01-02", "0.3", "7", f"{'x' * LONGEST} ..."]


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeyError), whole(tmp_path / "out") as made:
        made.line("data/x.ndjson", {"a": 1})
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with whole(tmp_path / "out") as made:
        made.line("data/x.ndjson", {"a": 1})
        made.line("data/x.ndjson", {"a": 2})
        made.write("media/m.png", b"p")
        made.write("media/m.png", b"p")
        assert not (tmp_path / "out").exists()
        made.end({"access": "x"})
    listed = json.loads((tmp_path / "out" / MANIFEST).read_bytes())["files"]
    assert [(f["name"], f["bytes"], f.get("lines")) for f in listed] == [("data/x.ndjson", 16, 2), ("media/m.png", 1, None)]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_bundle_is_json_however_many_resources_it_has(tmp_path: Path, count: int) -> None:
    with whole(tmp_path / "out") as made:
        bundle = Bundle(made, "a" * 16, NOW)
        for _ in range(count):
            bundle.add({"resourceType": "Patient"})
        bundle.end()
    text = (tmp_path / "out/fhir-bundle.json").read_bytes()
    assert len(json.loads(text).get("entry", [])) == count and R4Bundle.model_validate_json(text).type == "collection"


@given(st.binary(max_size=30), st.sampled_from(["image/png", "image/svg+xml", "IMAGE/PNG; x=y", "../../etc/passwd", ""]))
def test_media_are_found_at_any_depth_under_names_that_nobody_chose(content: bytes, kind: str) -> None:
    payload = {"photo": [{"x": {"contentType": kind, "data": base64.b64encode(content).decode()}}], "data": "cGxhaW4="}
    found = list(attachments(payload))
    assert [medium for _, medium in found] == ([content] if content else [])
    assert all(name[64:] == (".png" if "png" in kind.lower() else ".bin") and name[:64].isalnum() for name, _ in found)


def test_what_is_no_medium_stays_in_its_payload() -> None:
    assert not list(attachments([{"contentType": "image/png", "data": "%%"}, {"contentType": "image/png"}, {"contentType": 1, "data": "cA=="}, None, 7]))


class Nowhere:
    """A folder and a Bundle that keep nothing."""

    def line(self, *_: Any) -> None:
        return

    def add(self, *_: Any) -> None:
        return


def test_of_a_large_table_the_first_rows_alone_are_kept() -> None:
    copy: Any = Copy(Nowhere(), Nowhere())  # type: ignore[arg-type]
    for number in range(1000):
        copy.add("vault.link", 1, {"source": "crm", "number": number})
    found = copy.tables["vault.link"]
    assert (found.rows, len(found.shown), found.left_over, found.sources["crm"]) == (1000, MOST_SHOWN, 1000 - MOST_SHOWN, 1000)


def test_once_tells_rows_apart_by_content() -> None:
    once = Once()
    assert [once.is_new(row) for row in ({"a": 1}, {"a": 2}, {"a": 1}, {"b": 1}, {"a": "1"})] == [True, True, False, True, True]
