"""A copy tells who received a person's rows, and which; where our copy of an extract is gone or altered, that nobody can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.run.recall import recall
from jobs.settings import Settings
from jobs.stages.extract import DATA
from tests.integration.accessing import about, copied, holding, lines, rows
from tests.integration.airflow_stand_in import Users
from tests.integration.test_extract import RECIPIENT, bucket, held, prepared
from tests.integration.test_forget_extracts import pseudonym
from tests.integration.test_recall import first, home, say, sent, store
from tests.integration.two_releases import airflow

__all__ = ["airflow", "bucket", "first", "home", "prepared", "sent", "store"]


def told(out: Path) -> list[dict[str, Any]]:
    return list(about(out)["15(1)(c) recipients"])


def test_who_received_what(home: Settings, sent: str, airflow: Users, tmp_path: Path) -> None:
    copied(home, tmp_path / "out", "person-3")
    found, = told(tmp_path / "out")
    assert (found["extract"], found["recipient"], found["purposes"], found["recalled"]) == (sent, "Glycemia Institute", ["research"], False)
    assert found["sent_at"] and found["held"] == len(rows(tmp_path / "out", "extract")) > 0
    assert {line["extract"] for line in lines(tmp_path / "out", "extract")} == {sent}
    assert holding(tmp_path / "out", pseudonym(home)) == [] and "Glycemia Institute" in (tmp_path / "out/index.html").read_text("utf-8")


def test_who_refused_the_partner_is_told_of_none(home: Settings, sent: str, airflow: Users, tmp_path: Path) -> None:
    copied(home, tmp_path / "out", "person-11")
    assert told(tmp_path / "out") == [] and rows(tmp_path / "out", "extract") == []


def test_who_was_recalled_is_told_so(home: Settings, sent: str, store: Any, airflow: Users, tmp_path: Path) -> None:
    say(home, "person-3")
    recall(home, RECIPIENT)
    copied(home, tmp_path / "out", "person-3")
    copied(home, tmp_path / "other", "person-4")
    assert [found["recalled"] for found in (*told(tmp_path / "out"), *told(tmp_path / "other"))] == [True, False]


@pytest.mark.parametrize("kind", ["gone", "altered"])
def test_of_an_extract_whose_copy_is_not_what_left_nobody_can_tell(home: Settings, sent: str, airflow: Users, tmp_path: Path, kind: str) -> None:
    files = held(home, sent)
    if kind == "gone":
        files.remove(DATA)
    else:
        files.write(DATA, (files.read(DATA) or b"") + b"x")
    copied(home, tmp_path / "out", "person-3")
    found, = told(tmp_path / "out")
    assert (found["held"], "product" in found) == (None, False) and rows(tmp_path / "out", "extract") == []
    assert "Nobody can tell any more" in (tmp_path / "out/index.html").read_text("utf-8")
