"""Totals of a real product: built, accounted for, released, and attacked by whoever reads them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts import ContractError, catalog
from jobs.errors import IntegrityError
from jobs.lake import Lake
from jobs.ledger import accounts
from jobs.read import released
from jobs.run.people import resolve
from jobs.run.product import build
from jobs.settings import Settings
from jobs.stages import cells
from tests import small_lake
from tests.attacks.totals import coarse, cube, told

PRODUCT, OVER = "optin_rates", (0, 2)
# People asked by channel and country, and how many of them say yes; those asked by phone and e-mail alike come last.
ASKED = {("email", "DE"): (40, 20), ("phone", "DE"): (30, 4), ("app", "DE"): (3, 3), ("email", "FR"): (25, 12), ("phone", "FR"): (9, 8),
         ("app", "FR"): (22, 22), ("email", "AT"): (12, 1), ("app", "AT"): (11, 10)}
BOTH = 9  # people of email and phone in Germany, who say no


@pytest.fixture(scope="module", autouse=True)
def over() -> Iterator[None]:
    """Opt-in rates have totals over channels and countries here."""
    known = catalog()
    product = known.products[PRODUCT]
    columns = tuple(c.model_copy(update={"pattern": "^([A-Z]{2}|all)$"}) if c.name == "country_code" else c for c in product.table.columns)
    table = product.table.model_copy(update={"columns": columns})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(known.products, PRODUCT, product.model_copy(update={
            "totals": ("channel_code", "country_code"), "table": table, "sha256": "totals"}))
        patch.setitem(known.tables, table.name, table)
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Settings:
    """A release of a lake in which people were asked about marketing in several channels and countries."""
    made = small_lake.settings(tmp_path_factory.mktemp("totals"), engine)
    lake = small_lake.fill(made)
    small_lake.append(lake, "core.consent", [asked(f"{channel}-{country}-{n}", channel, country, n < yes)
                                             for (channel, country), (people, yes) in ASKED.items() for n in range(people)]
                      + [asked(f"both-{n}", channel, "DE", False) for n in range(BOTH) for channel in ("email", "phone")], "crm.000002")
    small_lake.released(made)
    return made


def asked(person: str, channel: str, country: str, is_yes: bool) -> dict[str, Any]:
    return {**small_lake.statement(person, "brand_communication", decision="permit" if is_yes else "deny"), "channel_code": channel,
            "country_code": country}


def exact(yes_alone: bool = False) -> dict[Any, int]:
    """How many people are in each row of the product, or say yes there."""
    month = (small_lake.START - timedelta(days=30)).date().replace(day=1)
    people = {(channel, country, n): {(channel, "brand_communication", country, month)}
              for (channel, country), (size, yes) in ASKED.items() for n in range(yes if yes_alone else size)}
    both = {n: {(channel, "brand_communication", "DE", month) for channel in ("email", "phone")} for n in range(0 if yes_alone else BOTH)}
    return {key: len(those) for key, those in cube({**people, **both}, OVER).items()}


def rows(home: Settings) -> dict[Any, dict[str, Any]]:
    """What is released about marketing."""
    key = catalog().products[PRODUCT].table.key
    return {tuple(r[name] for name in key): r for r in released(PRODUCT, settings=home).arrow().to_pylist() if r["purpose_code"] == "brand_communication"}


def test_a_total_counts_each_person_once(home: Settings) -> None:
    month, found = date(2026, 9, 1), rows(home)
    assert found["all", "brand_communication", "DE", month]["asked"] == 80, "82 people, 9 of them in two channels"
    assert found["all", "brand_communication", "all", month]["asked"] == 160
    assert found["email", "brand_communication", "all", month]["asked"] == 85
    assert found["all", "brand_communication", "DE", month]["optin_rate_percent"] == pytest.approx(100 * 25 / 80)
    assert {r["asked"] for r in found.values()} <= {coarse(n, 5) for n in exact().values() if n > 7}


def test_what_vanished_is_accounted_for_by_reason(home: Settings) -> None:
    lake = Lake(home.lake_root, catalog().tables)
    version = lake.version(f"product.{PRODUCT}")
    entries = {(e["outcome"], e["reason_code"]): e["rows"] for e in accounts.of(lake, {f"product.{PRODUCT}@{version}"}) if e["stage"] == "protect"}
    all_released = released(PRODUCT, settings=home).arrow().num_rows
    others = all_released - len(rows(home))
    small = sum(n <= 7 for n in exact().values())
    assert entries == {("released", "-"): all_released, ("suppressed", "small_cell"): small,
                       ("suppressed", "complementary"): len(exact()) + others - all_released - small}
    assert small == 1 and entries["suppressed", "complementary"] >= 3, "a cell alone follows from its two totals, and so on"


def test_no_small_cell_of_the_release_can_be_worked_out(home: Settings) -> None:
    found = rows(home)
    for column, truth in (("asked", exact()), ("opted_in", {**dict.fromkeys(exact(), 0), **exact(yes_alone=True)})):
        shown = {key: found[key][column] if key in found else None for key in truth}
        few = [key for key, n in truth.items() if n <= 7]
        several = {(total, place): sum(truth[k] for k in truth if k[place] != "all" and (*k[:place], "all", *k[place + 1:]) == total) - truth[total]
                   for place in OVER for total in truth if total[place] == "all"}
        assert few and not any(shown[key] for key in few)
        assert told(shown, OVER, 7, 5, several, asked_about=few) == {}
        assert told({key: n if n > 7 else None for key, n in truth.items()}, OVER, 7, 1, several), "what would follow from exact counts"


@pytest.fixture
def copied(home: Settings, tmp_path: Path) -> Settings:
    return small_lake.copy(home, tmp_path / "home")


def changed(monkeypatch: pytest.MonkeyPatch, product: str, **fields: Any) -> None:
    known = catalog()
    monkeypatch.setitem(known.products, product, known.products[product].model_copy(update={**fields, "sha256": "other"}))


def test_totals_that_were_told_are_not_taken_back(copied: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells that were hidden beside them would be told now, and with them what the totals hid."""
    changed(monkeypatch, PRODUCT, totals=("country_code",))
    with pytest.raises(ContractError, match="optin_rates.yaml has no totals over channel_code any more, .* put them back, or write the product's next major"):
        build(copied, PRODUCT)


def test_totals_that_nobody_can_count_are_refused(copied: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(monkeypatch, "engagement_daily", totals=("channel_code",))
    with pytest.raises(ContractError, match=r"engagement_daily.py gives no column person .* or write \{property: totals, value: \[\]\}"):
        build(copied, "engagement_daily")


def test_too_many_rows_are_refused(copied: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(monkeypatch, PRODUCT)
    monkeypatch.setattr(cells, "MOST_ROWS", 10)
    with pytest.raises(ContractError, match=r"at most 10 can be protected together; take a column out of totals"):
        build(copied, PRODUCT)


def test_a_channel_called_like_a_total_builds_nothing(copied: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from jobs.products import optin_rates
    own = optin_rates.build
    monkeypatch.setattr(optin_rates, "build", lambda **inputs: own(**inputs).replace("app", "all", "channel_code"))
    changed(monkeypatch, PRODUCT)
    before = rows(copied)
    with pytest.raises(IntegrityError, match="a row says all in one of channel_code, country_code"):
        build(copied, PRODUCT)
    assert rows(copied) == before


def test_the_same_rows_are_built_once(copied: Settings) -> None:
    resolve(copied)
    assert build(copied, PRODUCT).result == "unchanged"
