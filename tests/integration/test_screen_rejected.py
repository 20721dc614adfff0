"""Adverse events in posts that conform rejects are found too, once, and keep their clocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.run.conform import conform
from jobs.run.screen import screen
from jobs.settings import Settings
from tests import small_lake
from tests.landing import Raw, account, apart, core, lake_of, land, probe, reading

BATCH = "social.000001"


def post(name: str, text: Any = "I feel dizzy", **changes: Any) -> Raw:
    made = {"id": name, "created_at": "2026-10-01T00:00:00Z", "account": {"id": "1", "acct": "me"}, "content": text,
            "language": "en", **changes}
    return Raw(f"posts/{name}", made, "posts")


def candidates(made: Settings) -> dict[str, tuple[str, str]]:
    rows = lake_of(made).arrow("safety.candidate").to_pylist()
    return {row["record_id"]: (row["table_name"], row["reason_code"]) for row in rows}


@pytest.fixture
def home(tmp_path: Path, engine: str) -> Settings:
    return small_lake.settings(tmp_path / "home", engine)


@pytest.mark.parametrize("language", ["zh-TW", "de-CH-1996", "sr-Latn", "kmr", "EN", "x-klingon"])
def test_a_language_tag_rejects_no_post(home: Settings, language: str) -> None:
    land(home, "social", [post("1", language=language)])
    conform(home, "social")
    assert [row["language_code"] for row in core(home, "social", "core.message")] == [language]


def test_rejected_posts_are_screened(home: Settings) -> None:
    far = "2031-01-01T00:00:00Z"
    land(home, "social", [
        post("good"), post("language", language="??"), post("future", created_at=far), post("calm", "I bought bread", language="??"),
        post("brand", language="??", account={"id": "2", "acct": "glucoflow_care"}), post("shape", {"html": "my father passed away"}),
        Raw("posts/cut", b'{"id":"cut","content":"Starke \xc3\x9cbelkeit', "posts"),
        Raw("posts/latin", '{"id":"latin","content":"Starke Übelkeit"}'.encode("latin-1"), "posts"),
        Raw(None, b'{"content":"overdose"}', "posts")])
    conform(home, "social")
    assert len(apart(home, "social")) == 8
    assert screen(home, "social").facts["candidates"] == 7
    expected = {"posts/good": ("core.message", "symptom"), "posts/language": ("raw.social", "symptom"),
                "posts/future": ("raw.social", "symptom"), "posts/shape": ("raw.social", "death"),
                "posts/cut": ("raw.social", "symptom"), "posts/latin": ("raw.social", "symptom"),
                f"{BATCH}/8": ("raw.social", "overdose")}
    assert candidates(home) == expected
    assert screen(home, "social").result == "unchanged"


def test_a_record_rejected_again_and_again_is_one_candidate_and_keeps_its_clocks(home: Settings) -> None:
    land(home, "social", [post("1", language="??"), post("1", "went to the hospital", language="??", edited_at="2026-10-02T00:00:00Z")])
    conform(home, "social")
    screen(home, "social")
    first = lake_of(home).arrow("safety.candidate").to_pylist()
    assert candidates(home) == {"posts/1": ("raw.social", "hospitalisation")}
    land(home, "social", [post("1", edited_at="2026-10-03T00:00:00Z")], number=2)
    conform(home, "social")
    assert account(home, "social.000002") == {("accepted", "-"): 1}
    assert screen(home, "social").facts["candidates"] == 0
    assert lake_of(home).arrow("safety.candidate").to_pylist() == first


def test_rejected_readings_are_screened_as_far_as_they_can_be_read(home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCORD_CONTRACTS", probe(tmp_path))
    bad = {"place": "moon"}
    land(home, "probe", [Raw(f"events/{n}", {**made, "id": str(n)}) for n, made in enumerate([
        reading(value=40.0, **bad), reading(value=95.5, **bad), reading(value="40", **bad), reading(value=40.0, status=3),
        reading(value=40.0, status=None), reading(value=40.0, status="cancelled", **bad)])])
    conform(home, "probe")
    screen(home, "probe")
    assert candidates(home) == dict.fromkeys(("events/0", "events/3", "events/4"), ("raw.probe", "low_glucose"))
