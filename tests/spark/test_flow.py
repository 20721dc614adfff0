"""The whole flow on Apache Spark gives the same rows as on Sail: every table, row for row, accounts included."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq
import pytest

from contracts import catalog
from contracts.vocabulary import LegalBasis
from jobs import engine
from jobs.files import Files
from jobs.lake import Lake
from jobs.run.delivered import folder
from jobs.run.extract import prepare
from jobs.run.people import resolve
from jobs.run.train import train
from jobs.stages import permit
from jobs.stages.extract import DATA
from jobs.stages.people import People
from jobs.stages.use import Use
from tests.integration.airflow_stand_in import Run, serving
from tests.spark import twins
from tests.spark.twins import Made

pytestmark = pytest.mark.spark

SECOND = "adherence_app"  # the source whose second batch each lake gets from the other engine
FED = sorted({table for source in catalog().sources.values() for table in source.tables})


@dataclass(frozen=True)
class Twins:
    """The lake made by Sail, the one made by Apache Spark, and the persons each of them found by itself."""

    sail: Made
    spark: Made
    persons: tuple[set[frozenset[tuple[Any, ...]]], set[frozenset[tuple[Any, ...]]]]
    held: tuple[set[frozenset[frozenset[tuple[str, str]]]], set[frozenset[frozenset[tuple[str, str]]]]]


@pytest.fixture(scope="module")
def made(apache: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    """Both lakes after the whole flow over the first batches and the second batch of one source."""
    home = tmp_path_factory.mktemp("flow")
    with pytest.MonkeyPatch.context() as patch:
        first, second = twins.landed(home, patch)
    sail, spark = (twins.copied(first, home / name, address) for name, address in (("sail", "sail"), ("spark", apache)))
    for lake in (sail, spark):
        twins.conformed(lake, *catalog().sources)
    for lake in (sail.on(apache), spark.on("sail")):
        twins.receive(lake, second, SECOND)
        twins.conformed(lake, SECOND)
    for lake in (sail, spark):
        train(lake.settings)
        resolve(lake.settings)
    persons, held = (sail.persons(), spark.persons()), (sail.held(), spark.held())
    spark.take(sail, "vault")  # person keys are minted at random: from here on both have the same
    for lake in (sail, spark):
        twins.released(lake)
    yield Twins(sail, spark, persons, held)


def test_the_flow_made_something_to_compare(made: Twins) -> None:
    for table in (*FED, "safety.candidate", "product.glucose_daily", "ledger.release"):
        assert made.spark.lake.arrow(table).num_rows, f"{table} is empty"
    outcomes = {row["outcome"] for row in made.spark.lake.arrow("ledger.account").to_pylist()}
    assert outcomes >= {"accepted", "superseded", "deletion", "rejected", "permitted", "withheld", "released", "suppressed"}


def test_the_persons_are_the_same(made: Twins) -> None:
    by_sail, by_spark = made.persons
    assert by_sail == by_spark
    assert max(map(len, by_sail)) > 1
    assert {evidence for person in by_sail for _, _, evidence, *_ in person} >= {"alone", "score", "device_id"}
    assert made.held[0] == made.held[1]


@pytest.mark.parametrize("table", sorted(catalog().tables))
def test_the_rows_are_the_same(made: Twins, table: str) -> None:
    assert made.spark.rows(table) == made.sail.rows(table)
    assert made.spark.lake.version(table) == made.sail.lake.version(table)


@pytest.mark.parametrize("product", sorted(catalog().products))
def test_the_exact_rows_of_products_are_the_same(made: Twins, product: str) -> None:
    """Before small cells are suppressed, which with so few people are most."""
    by_sail, by_spark = exact_rows(made.sail, product), exact_rows(made.spark, product)
    assert by_sail
    assert by_spark == by_sail


def test_a_second_run_changes_nothing_on_either_engine(made: Twins) -> None:
    for lake in (made.sail.on(made.spark.settings.engine), made.spark.on("sail")):
        reports = [*twins.conformed(lake, SECOND), resolve(lake.settings), *twins.released(lake)]
        assert {report.result for report in reports} == {"unchanged"}


def test_the_extracts_are_the_same(made: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Run()) as address:
        monkeypatch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW", json.dumps(
            {"base_url": address, "login": "concord", "password": "x", "ca_file": ""}))
        by_sail, by_spark = (delivered_rows(lake) for lake in (made.sail, made.spark))
    assert by_sail
    assert by_spark == by_sail


def delivered_rows(lake: Made) -> list[dict[str, Any]]:
    """The rows that the recipient of the catalog would get of a lake."""
    (recipient,) = catalog().recipients.values()
    extract_id = prepare(lake.settings, recipient.id, (f"extract_{recipient.id}", "manual__1")).facts["extract_id"]
    content = Files(folder(lake.settings, recipient, extract_id)).read(DATA)
    return list(pq.read_table(io.BytesIO(content or b"")).to_pylist())


def exact_rows(lake: Made, product: str) -> list[str]:
    """What a product's function makes of all rows, whoever permits it."""
    contract, basis = catalog().products[product], LegalBasis.LEGITIMATE_INTEREST
    with engine.session(lake.settings.engine) as spark:
        door = Lake(lake.settings.lake_root, catalog().tables, spark)
        links, consent = door.read("vault.link"), door.read("core.consent")
        use = Use((), None, basis, datetime(2030, 1, 1, tzinfo=UTC))
        decisions = permit.decide(People(links), consent, use)
        inputs = {name.split(".")[1]: permit.apply(door.read(name), links, decisions, basis) for name in contract.inputs}
        module = importlib.import_module(f"jobs.products.{product}")
        return sorted(map(str, module.build(**inputs).collect()))
