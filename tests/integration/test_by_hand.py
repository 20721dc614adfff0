"""A table that somebody wrote to by hand stops whoever reads or writes it, until it is put back or taken over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake
from typer.testing import CliRunner

from contracts import catalog
from contracts.exit_codes import ExitCode
from jobs.cli import app
from jobs.errors import ConfigurationError, GateFailed, LakeError, LostRace, WrittenByHand
from jobs.lake import Lake
from jobs.read import released
from jobs.run.by_hand import accept, overview, restore
from jobs.run.people import resolve
from jobs.run.product import build
from jobs.run.release import release
from jobs.settings import Settings
from tests import small_lake

IDENTITY, PRODUCT = "core.identity", "product.glucose_daily"


@pytest.fixture
def home(small_release: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    made = small_lake.copy(small_release, tmp_path / "home")
    monkeypatch.setenv("CONCORD_HOME", str(made.home))
    monkeypatch.delenv("CONCORD_LAKE", raising=False)
    return made


def lake_of(home: Settings, spark: Any = None) -> Lake:
    return Lake(home.lake_root, catalog().tables, spark)


def with_pandas(home: Settings, name: str, **changed: Any) -> int:
    """Rows are changed as somebody in a notebook would do it; returns how many there were."""
    lake = lake_of(home)
    rows = lake.arrow(name)
    for column, value in changed.items():
        place = rows.column_names.index(column)
        rows = rows.set_column(place, rows.schema.field(place), pa.array([value] * rows.num_rows, rows.schema.field(place).type))
    write_deltalake(lake.path(name), rows, mode="overwrite")
    return rows.num_rows


def by_hand(home: Settings) -> dict[str, str]:
    return {row["table"]: row["by_hand"]["operation"] for row in overview(home) if row["by_hand"]}


def test_of_an_older_lake_it_is_put_back_to_where_it_got_its_properties(home: Settings) -> None:
    lake, rows = lake_of(home), lake_of(home).arrow(IDENTITY)
    shutil.rmtree(lake.path(IDENTITY))
    write_deltalake(lake.path(IDENTITY), rows)
    lake.compact(IDENTITY)
    with_pandas(home, IDENTITY, source="somebody")
    DeltaTable(lake.path(IDENTITY)).optimize.compact()
    restore(home, IDENTITY)
    assert by_hand(home) == {} and sorted(lake.arrow(IDENTITY).to_pylist(), key=str) == sorted(rows.to_pylist(), key=str)


def test_a_whole_flow_is_ours(home: Settings) -> None:
    assert by_hand(home) == {} and len(overview(home)) > 20


def test_who_reads_or_writes_it_is_stopped_and_told_what_to_do(home: Settings) -> None:
    with_pandas(home, IDENTITY, city="Elsewhere")
    assert by_hand(home) == {IDENTITY: "WRITE"}
    for stage in (lambda: resolve(home), lambda: build(home, "glucose_daily")):
        with pytest.raises(WrittenByHand) as caught:
            stage()
        said = str(caught.value)
        assert "core.identity" in said and "concord table restore core.identity" in said and "concord table accept core.identity" in said
        assert "delta-rs" in said and "Elsewhere" not in said
    assert caught.value.exit_code == ExitCode.INTEGRITY
    assert lake_of(home).arrow("ledger.audit").sort_by("at")["result"].to_pylist()[-2:] == ["failed", "failed"]


def test_a_released_version_is_read_all_the_same_and_no_release_is_made_over_it(home: Settings) -> None:
    with_pandas(home, PRODUCT, mean_mg_dl=1.0)
    assert released("glucose_daily", settings=home).polars()["mean_mg_dl"].min() > 1
    with pytest.raises(WrittenByHand, match=r"product\.glucose_daily"):
        release(home, "engagement")


def test_it_is_put_back(home: Settings) -> None:
    before, version = lake_of(home).arrow(IDENTITY), lake_of(home).version(IDENTITY)
    with_pandas(home, IDENTITY, city="Elsewhere")
    assert CliRunner().invoke(app, ["table", "restore", IDENTITY]).output.startswith(f"core.identity is again as version {version} was")
    assert lake_of(home).arrow(IDENTITY).sort_by("record_id") == before.sort_by("record_id")
    assert by_hand(home) == {} and resolve(home) is not None
    with pytest.raises(ConfigurationError, match="nobody wrote"):
        restore(home, IDENTITY)


def test_it_is_taken_over_with_a_reason_if_its_gate_lets_it_in(home: Settings) -> None:
    with_pandas(home, IDENTITY, city="Elsewhere")
    said = CliRunner().invoke(app, ["table", "accept", IDENTITY, "--because", "ticket 1204"])
    assert said.exit_code == 0, said.output
    assert set(lake_of(home).arrow(IDENTITY)["city"].to_pylist()) == {"Elsewhere"} and by_hand(home) == {}
    audited = lake_of(home).arrow("ledger.audit").filter(pc.field("stage") == "accept").to_pylist()
    assert [(row["subject"], json.loads(row["detail"])["because"]) for row in audited] == [(IDENTITY, "ticket 1204")]
    with_pandas(home, IDENTITY, sex_code="nonsense")
    with pytest.raises(GateFailed, match="sex_code"):
        accept(home, IDENTITY, "no reason is good enough")
    assert by_hand(home) == {IDENTITY: "WRITE"}


def test_care_of_files_is_no_writing_by_hand_and_hides_none(home: Settings) -> None:
    lake = lake_of(home)
    DeltaTable(lake.path(IDENTITY)).optimize.z_order(["source"])
    assert by_hand(home) == {} and lake.version(IDENTITY) > 0
    with_pandas(home, IDENTITY, city="Elsewhere")
    DeltaTable(lake.path(IDENTITY)).optimize.z_order(["source"])
    assert DeltaTable(lake.path(IDENTITY)).history(1)[0]["operation"] == "OPTIMIZE"
    with pytest.raises(WrittenByHand):
        lake.arrow(IDENTITY)


def test_the_list_says_which(home: Settings) -> None:
    with_pandas(home, IDENTITY, city="Elsewhere")
    listed = CliRunner().invoke(app, ["table", "list"]).output
    assert next(line for line in listed.splitlines() if "core.identity" in line).split()[-5:-2] == ["version", "2:", "WRITE"]
    assert [row["table"] for row in json.loads(CliRunner().invoke(app, ["table", "list", "--json"]).output) if row["by_hand"]] == [IDENTITY]


def test_other_columns_are_put_back_too(home: Settings) -> None:
    lake = lake_of(home)
    before = lake.arrow(IDENTITY)
    write_deltalake(lake.path(IDENTITY), before.drop_columns(["city"]), mode="overwrite", schema_mode="overwrite")
    with pytest.raises(WrittenByHand):
        lake.arrow(IDENTITY)
    with pytest.raises(LakeError, match="city"):
        accept(home, IDENTITY, "nobody needs a city")
    restore(home, IDENTITY)
    assert lake.arrow(IDENTITY).sort_by("record_id") == before.sort_by("record_id")


def test_a_table_that_was_made_anew_by_hand_is_seen(home: Settings) -> None:
    lake = lake_of(home)
    DeltaTable.create(lake.path(IDENTITY), schema=lake.arrow(IDENTITY).schema, mode="overwrite")
    with pytest.raises(WrittenByHand):
        lake.arrow(IDENTITY)
    DeltaTable(lake.path("vault.link")).alter.set_table_properties({"delta.logRetentionDuration": "interval 1 days"})
    assert by_hand(home) == {IDENTITY: "CREATE OR REPLACE TABLE", "vault.link": "SET TBLPROPERTIES"}


def test_what_is_written_while_its_gate_looks_is_not_taken_over(home: Settings) -> None:
    with_pandas(home, IDENTITY, city="Elsewhere")
    lake = lake_of(home)
    seen = lake.history(IDENTITY)[0]["version"]
    write_deltalake(lake.path(IDENTITY), DeltaTable(lake.path(IDENTITY)).to_pyarrow_table(), mode="overwrite")
    with pytest.raises(LostRace):
        lake.accept(IDENTITY, seen)


def test_a_candidate_of_an_older_lake_keeps_its_note(home: Settings) -> None:
    """Its engine wrote the note bare, without a stamp around it."""
    lake = lake_of(home)
    rows, bare = lake.arrow(PRODUCT), {"contract": "x", "accounts": []}
    write_deltalake(lake.path(PRODUCT), rows, mode="overwrite", commit_properties=CommitProperties(
        custom_metadata={"userMetadata": json.dumps(bare)}))
    assert lake.note(PRODUCT, lake.history(PRODUCT)[0]["version"]) == bare
    assert by_hand(home) == {PRODUCT: "WRITE"}, "it is no stamp"
