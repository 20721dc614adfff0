"""The gate is not vacuous: with the stages' own checks switched off, every declared constraint alone stops a write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import SparkSession

from contracts import catalog
from contracts.model import Column, Table
from contracts.translate import OURS
from jobs.check import findings, gate
from jobs.errors import GateFailed
from jobs.ledger import batches
from jobs.run.conform import conform
from jobs.settings import Settings
from tests.acceptance.canary import holding
from tests.constraints import (
    CANARIES,
    CANARY,
    COLUMNS,
    DESCRIBES,
    EXPECTATIONS,
    FUTURE,
    PAST,
    REASONS,
    UNIQUE,
    Constraint,
    agree,
    as_json,
    constraints,
    named,
    quiet,
    rows_of,
    sound,
)
from tests.landing import Raw, account, apart, core, lake_of, land

TABLES = sorted({table for source in catalog().sources.values() for table in source.tables})
READERS = {"string": "text", "double": "number", "long": "number", "int": "number", "boolean": "boolean", "date": "date",
           "timestamp": "timestamp"}


def declared(name: str) -> list[Constraint]:
    """The constraints of a core table that a payload can break."""
    return [c for c in constraints(catalog().table(name)) if c.column.name not in OURS]


def first_of(kind: str) -> tuple[str, Constraint]:
    """The first core table with a constraint of a kind, and the constraint."""
    return next((name, c) for name in TABLES for c in declared(name) if c.kind == kind)


KINDS = sorted({c.kind for name in TABLES for c in declared(name)})


def contract(source: str, table: Table) -> str:
    """A source whose payloads have the table's columns as keys."""
    columns = "".join(f"      - {{name: {c.name}, transformLogic: {READERS[c.type]}(payload.{c.name})}}\n"
                      for c in table.columns if c.name not in OURS)
    return f"""apiVersion: v3.1.0
kind: DataContract
id: {source}
name: Rows of {table.name}
version: 1.0.0
status: active
description: {{purpose: Rows of a core table as they are.}}
team: {{name: tests}}
customProperties:
  - {{property: connection, value: {{id: {source}, connector: rest, tokenPath: null, pageSize: 10, maxAnswerMb: 1}}}}
  - {{property: schedule, value: "0 2 * * *"}}
  - {{property: onChange, value: evolve}}
  - {{property: retentionDays, value: 30}}
  - {{property: legalBasis, value: consent}}
  - {{property: jurisdictions, value: [DE]}}
  - {{property: linkPurposes, value: [research]}}
  - {{property: streams, value: {{events: {{path: /events, recordId: payload.id}}}}}}
schema:
  - name: rows
    customProperties:
      - {{property: stream, value: events}}
      - {{property: feeds, value: {table.name}}}
    properties:
{columns}"""


@pytest.fixture(scope="module")
def home(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A lake with a source for every core table, and one for every kind of constraint."""
    folder = tmp_path_factory.mktemp("gate")
    sources = {f"every_{name.split('.')[1]}": name for name in TABLES} | {f"alone_{kind}": first_of(kind)[0] for kind in KINDS}
    (folder / "contracts" / "sources").mkdir(parents=True)
    for source, name in sources.items():
        (folder / "contracts" / "sources" / f"{source}.yaml").write_text(contract(source, catalog().table(name)), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONCORD_CONTRACTS", str(folder / "contracts"))
        yield Settings(home=folder / "home", lake="", engine=engine, actor="test")


@pytest.fixture(autouse=True)
def listening(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever a test logs, prints or lets others print: no value of a row is in it."""
    with quiet(caplog, capfd):
        yield


def record(name: str, number: int, change: dict[str, Any]) -> Raw:
    row = {**sound(catalog().table(name)), "source_person_id": f"{CANARY}-{number}", **change}
    return Raw(f"events/{number}", {column: as_json(value) for column, value in row.items() if column not in OURS})


def refused(home: Settings, source: str, batch: str) -> str:
    """What the gate says of the one waiting batch; nothing of it is anywhere but in raw."""
    with pytest.raises(GateFailed) as failure:
        conform(home, source, checks=False)
    lake, tables = lake_of(home), catalog().sources[source].tables
    assert [core(home, source, table) for table in tables] == [[] for _ in tables]
    assert account(home, batch) == {} and apart(home, source) == {} and lake.version(f"raw.{source}__deleted") <= 0
    assert [b["batch_id"] for b in batches.waiting(lake, source)] == [batch]
    assert holding(home.home, [CANARY.encode()], ("lake/raw", "lake/core", "lake/vault/whereabouts")) == []
    assert [c for c in CANARIES if c in str(failure.value)] == []
    return str(failure.value)


def test_every_constraint_that_a_column_may_declare_has_an_expectation() -> None:
    new = set(Column.model_fields) - EXPECTATIONS.keys() - DESCRIBES
    assert not new, f"add {', '.join(new)} to EXPECTATIONS, REASONS and Constraint.broken in tests/constraints.py"
    assert EXPECTATIONS.keys() == REASONS.keys()


@pytest.mark.parametrize("name", TABLES)
def test_every_constraint_of_core_stops_the_batch_or_sets_the_record_apart(home: Settings, name: str) -> None:
    """Without checks the gate finds every broken record; with them each is rejected with its reason, the rest goes on."""
    source, broken = f"every_{name.split('.')[1]}", declared(name)
    batch = land(home, source, [record(name, 0, {}), *(record(name, n, {c.column.name: c.broken}) for n, c in enumerate(broken, 1))])
    agree(named(refused(home, source, batch)), broken, name)
    conform(home, source)
    assert [row["record_id"] for row in core(home, source, name)] == ["events/0"]
    assert apart(home, source) == {(batch, n): (str(REASONS[c.kind]), c.column.name) for n, c in enumerate(broken, 1)}
    assert sum(account(home, batch).values()) == len(broken) + 1 and batches.waiting(lake_of(home), source) == []


@pytest.mark.parametrize("kind", KINDS)
def test_one_broken_record_among_sound_ones_stops_the_batch(home: Settings, kind: str) -> None:
    name, broken = first_of(kind)
    source = f"alone_{kind}"
    batch = land(home, source, [record(name, 0, {}), record(name, 1, {broken.column.name: broken.broken}), record(name, 2, {})])
    said = refused(home, source, batch)
    agree(named(said), [broken], name)
    assert said.startswith(f"{name}: 1 of ") and "nothing was written" in said


def test_a_batch_for_two_tables_is_stopped_by_either(home: Settings) -> None:
    """The post is sound and its account's name too long, so the message does not go on alone."""
    post = {"id": "1", "created_at": PAST.isoformat(), "content": "<p>hello</p>", "account": {"id": "7", "acct": CANARY * 20}}
    batch = land(home, "social", [Raw("posts/1", post, "posts")])
    assert named(refused(home, "social", batch)) == {(EXPECTATIONS["max_length"], "handle"): 1}
    conform(home, "social")
    assert apart(home, "social") == {(batch, 0): ("too_long", "handle")}


def test_what_every_feed_of_a_table_requires_is_gated_too(home: Settings) -> None:
    """core.identity may lack a person, but no feed of the CRM may leave it out."""
    batch = land(home, "crm", [Raw("contacts/1", {"Id": None, "City": CANARY}, "contacts")])
    assert named(refused(home, "crm", batch)) == {(EXPECTATIONS["required"], "source_person_id"): 1}


@pytest.mark.parametrize("name", TABLES)
def test_what_no_payload_can_break_is_found_in_a_frame(spark: SparkSession, name: str) -> None:
    """The columns that conform makes, the key, and columns too many or too few."""
    table = catalog().table(name)
    broken = [c for c in constraints(table) if c.column.name in OURS]
    frame = rows_of(spark, table, [{}, *({c.column.name: c.broken} for c in broken)])
    found = findings(frame, table, PAST)
    agree(Counter({(f.expectation, f.columns): f.rows or 0 for f in found if not f.is_met}), broken, name)
    assert gate(frame.limit(1), table, PAST) == len(found)
    for wrong, expectation, columns in ((rows_of(spark, table, [{}, {}], is_one_key=True), UNIQUE, ", ".join(table.key)),
                                        (rows_of(spark, table, [{}]).selectExpr("*", "1 AS surprise"), COLUMNS, "record_id"),
                                        (rows_of(spark, table, [{}]).drop("batch_id"), COLUMNS, "record_id")):
        with pytest.raises(GateFailed, match=rf"{expectation} on .*{columns}") as failure:
            gate(wrong, table, PAST)
        assert CANARY not in str(failure.value)


def test_a_use_may_need_more_than_the_table(spark: SparkSession) -> None:
    table = catalog().table("core.identity")
    frame = rows_of(spark, table, [{}, {"source_person_id": "x"}])
    assert gate(frame, table, PAST)
    with pytest.raises(GateFailed, match=r"not_be_null on source_person_id \(1 rows\)"):
        gate(frame, table, PAST, frozenset({"source_person_id"}))


def test_a_time_is_in_the_future_only_after_the_moment_of_the_gate(spark: SparkSession) -> None:
    table = catalog().table("core.consent")
    frame = rows_of(spark, table, [{"recorded_at": FUTURE}])
    assert gate(frame, table, FUTURE)
    with pytest.raises(GateFailed, match="recorded_at"):
        gate(frame, table, PAST)



def test_an_error_of_the_engine_stops_the_write_and_its_text_is_not_told(spark: SparkSession) -> None:
    """A cast that fails quotes the value; what cannot be checked has not passed."""
    table = catalog().table("core.consent")
    frame = rows_of(spark, table, [{}]).selectExpr("* EXCEPT (recorded_at)", "CAST(record_id || source AS TIMESTAMP) AS recorded_at")
    with pytest.raises(GateFailed, match=r"be_between on recorded_at \(not asked: \w+Exception\)") as failure:
        gate(frame, table, PAST)
    assert CANARY not in str(failure.value)
