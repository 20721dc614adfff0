"""The release gate is not vacuous: a candidate that breaks one constraint of its product stops the whole group."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from contracts import catalog
from jobs import engine as engines
from jobs.check import findings, gate
from jobs.errors import GateFailed, IntegrityError
from jobs.lake import Lake
from jobs.ledger import releases
from jobs.read import released
from jobs.run.product import build
from jobs.run.release import release
from jobs.settings import Settings
from tests import small_lake
from tests.constraints import CANARIES, ONE_UNIQUE, PAST, UNIQUE, Constraint, agree, constraints, named, quiet, rows_of

GROUP = "engagement"
TABLES = sorted(product.table.name for product in catalog().products.values())
# A null or a key that is there twice does not get past the lake's writer: test_lake.py; a maximum is broken in test_release.py.
KINDS = sorted({c.kind for name in TABLES for c in constraints(catalog().table(name))} - {"required", "maximum"})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Path:
    made = small_lake.settings(tmp_path_factory.mktemp("prepared"), engine)
    small_lake.fill(made, people=9, days=1)
    small_lake.released(made)
    return made.home


@pytest.fixture
def home(prepared: Path, tmp_path: Path, engine: str) -> Settings:
    shutil.copytree(prepared, tmp_path / "home")
    return Settings(home=tmp_path / "home", lake="", engine=engine, actor="test")


@pytest.fixture(autouse=True)
def listening(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever a test logs, prints or lets others print: no value of a row is in it."""
    with quiet(caplog, capfd):
        yield


def first_of(kind: str) -> tuple[str, Constraint]:
    """The first product with a constraint of a kind, and the constraint."""
    return next((name, c) for name in TABLES for c in constraints(catalog().table(name)) if c.kind == kind)


@pytest.mark.parametrize("kind", KINDS)
def test_one_broken_candidate_stops_the_release_of_its_group(home: Settings, kind: str) -> None:
    name, broken = first_of(kind)
    lake = Lake(home.lake_root, catalog().tables)
    before = releases.latest(lake, GROUP), lake.version(releases.TABLE), lake.arrow("ledger.account").num_rows
    note = {**lake.note(name), "against": lake.version(name)}  # Said to be compared with what is released.
    with engines.session(home.engine) as spark:
        writer = Lake(home.lake_root, catalog().tables, spark)
        writer.replace(name, rows_of(spark, catalog().table(name), [{}, {broken.column.name: broken.broken}]), note)
    with pytest.raises(GateFailed) as failure:
        release(home, GROUP)
    agree(named(str(failure.value)), [broken], name)
    assert str(failure.value).startswith(f"{name}: 1 of ") and not [c for c in CANARIES if c in str(failure.value)]
    assert (releases.latest(lake, GROUP), lake.version(releases.TABLE), lake.arrow("ledger.account").num_rows) == before
    for product in catalog().products:
        assert released(product, settings=home).arrow().num_rows == before[0][product]["rows"]
    assert lake.arrow(name).equals(lake.arrow(name, before[0][name.split(".")[1]]["table_version"])), "it was rolled back"


def test_a_failed_candidate_is_rolled_back_and_made_anew_by_the_next_build(home: Settings) -> None:
    """Others of its group wait as they are."""
    name, other = "product.glucose_daily", "product.engagement_daily"
    lake = Lake(home.lake_root, catalog().tables)
    good, waiting = lake.arrow(name), lake.version(other)
    with engines.session(home.engine) as spark:
        writer = Lake(home.lake_root, catalog().tables, spark)
        writer.replace(name, writer.read(name).limit(1), lake.note(name))
    with pytest.raises(IntegrityError, match="its account released"):
        release(home, GROUP)
    assert lake.arrow(name).equals(good) and lake.version(other) == waiting
    assert release(home, GROUP).facts["waiting_for"] == ["glucose_daily"], "it is not asked again and again"
    assert build(home, "glucose_daily").result == "done"
    assert release(home, GROUP).facts["number"] == 2


def test_a_first_candidate_that_fails_leaves_nothing(home: Settings) -> None:
    lake = Lake(home.lake_root, catalog().tables)
    shutil.rmtree(home.home / "lake" / "ledger" / "release")
    with engines.session(home.engine) as spark:
        writer = Lake(home.lake_root, catalog().tables, spark)
        writer.replace("product.optin_rates", writer.read("product.optin_rates").limit(1), lake.note("product.optin_rates"))
    with pytest.raises(IntegrityError):
        release(home, GROUP)
    assert lake.arrow("product.optin_rates").num_rows == 0 and not releases.latest(lake, GROUP)


@pytest.mark.parametrize("name", TABLES)
def test_every_constraint_of_a_product_is_found_in_a_candidate(spark: SparkSession, name: str) -> None:
    table = catalog().table(name)
    broken = list(constraints(table))
    frame = rows_of(spark, table, [{}, *({c.column.name: c.broken} for c in broken)])
    found = findings(frame, table, PAST)
    agree(Counter({(f.expectation, f.columns): f.rows or 0 for f in found if not f.is_met}), broken, name)
    assert gate(rows_of(spark, table, [{}]), table, PAST) == len(found)
    twice = UNIQUE if len(table.key) > 1 else ONE_UNIQUE
    with pytest.raises(GateFailed, match=f"1 of .*{twice} on {', '.join(table.key)}"):
        gate(rows_of(spark, table, [{}, {}], is_one_key=True), table, PAST)
