"""Two majors of one product side by side: both are made, and each is read at its own pin, until the old one's last day."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import app
from jobs.errors import NotInForce
from jobs.read import RetiredProduct, released, released_group
from jobs.run.contract_review import status
from jobs.run.product import build
from jobs.run.release import release
from jobs.run.summary import summary
from jobs.settings import Settings
from tests.contracts.broken import second
from tests.integration.reviewing import House, housed
from tests.integration.test_release import more_readings

GROUP, OLD, NEW = "engagement", "glucose_daily", "glucose_daily_v2"
FILE = f"products/{OLD}.yaml"
DAY = datetime.now(UTC).date()


@pytest.fixture
def house(small_release: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The released lake, and a second major of its product that is for research too."""
    for made in housed(small_release, tmp_path, monkeypatch):
        text = second((made.folder / FILE).read_text("utf-8"))
        made.write(f"products/{NEW}.yaml", text.replace("[adherence_monitoring, decision_support]", "[decision_support, research]"))
        yield made


def ends(house: House, on: object) -> None:
    house.edit(FILE, ("status: active", "status: deprecated"), (
        "  - {property: retentionDays, value: 1825}\n",
        "  - {property: retentionDays, value: 1825}\n"
        f"  - {{property: retirement, value: {{date: {on}, replacedBy: {NEW}}}}}\n"))


def make(house: House, *products: str) -> int:
    for product in products:
        build(house.trying, product)
    return int(release(house.trying, GROUP).facts["number"])


def read(house: House, name: str, number: int | None = None) -> tuple[str, int, int]:
    found = released(name, number, house.trying)
    return found.product, found.release, found.arrow().num_rows


def test_both_are_made_and_read_at_their_own_pins_until_the_old_one_ends(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = read(house, OLD)[2]
    assert make(house, NEW) == 2
    assert read(house, OLD) == read(house, f"{OLD}@1") == (OLD, 2, rows)
    assert read(house, f"{OLD}@2") == read(house, NEW) == (NEW, 2, rows)
    assert Path(released(NEW, settings=house.trying).path).name == NEW
    assert {OLD, NEW} < released_group(GROUP, settings=house.trying).keys()
    ends(house, DAY)
    assert build(house.trying, OLD).result == "done", "its last day is not over"
    ends_yesterday(house)
    with pytest.raises(NotInForce, match=rf"{OLD} was made until .*, replaced by {NEW}; write status: retired"):
        build(house.trying, OLD)
    more_readings(house.trying)
    assert make(house, NEW, "engagement_daily", "optin_rates") == 3
    assert read(house, NEW)[1] == 3 and read(house, NEW)[2] > rows
    with pytest.warns(RetiredProduct, match=rf"{OLD} 1.0.0 is not made any more since .*; go over to {NEW}"):
        assert read(house, OLD) == (OLD, 2, rows)
    at_a_terminal_too(house, monkeypatch)
    told = {row["product"]: row["release"] for row in summary(house.trying)["products"]}
    assert (told[OLD], told[NEW]) == (2, 3)


def at_a_terminal_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What readers are told is told once, on standard error, and to machines; majors are listed by both ways to write them."""
    monkeypatch.setenv("CONCORD_HOME", str(house.settings.home))
    monkeypatch.setenv("CONCORD_LAKE", "")
    shown = CliRunner().invoke(app, ["read", OLD])
    assert shown.stderr.count("is not made any more") == 1 and "any more" not in shown.stdout
    told, = json.loads(CliRunner().invoke(app, ["read", OLD, "--json"]).stdout)["warnings"]
    assert told in shown.stderr
    listed = CliRunner().invoke(app, ["releases", f"{OLD}@2", "--json"])
    assert {pin["product"] for pin in json.loads(listed.stdout)} == {NEW}


def ends_yesterday(house: House) -> None:
    house.edit(FILE, (f"date: {DAY}", f"date: {DAY - timedelta(days=1)}"))


@pytest.mark.parametrize(("days", "is_told"), [(31, False), (29, True)])
def test_readers_and_the_status_tell_thirty_days_before(house: House, days: int, is_told: bool) -> None:
    ends(house, day := DAY + timedelta(days=days))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read(house, OLD)
    assert [str(w.message) for w in caught if w.category is RetiredProduct] == (
        [f"{OLD} 1.0.0 is made until {day} only; go over to {NEW}"] if is_told else [])
    row = next(row for row in status(house.trying) if row["contract"] == f"products/{OLD}")
    assert (row["made_until"], row["replaced_by"], row["runs"]) == (str(day), NEW, True)
    assert (row["notice"] is not None) is is_told
