"""A batch of which more is rejected than the contract allows stops as a whole, and those behind it wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.errors import GateFailed
from jobs.ledger import batches
from jobs.run.conform import conform
from jobs.run.quality import checks
from jobs.run.summary import summary
from jobs.settings import Settings
from tests.landing import account, apart, core, lake_of, land
from tests.replaying import FIRST, SOURCE, contract, measured, said

FEW = [*(measured(n) for n in range(4)), measured(4, "Lovelace's"), measured(5, "Lovelace's")]
MANY = [*(measured(n, at="2026-10-02T00:00:00Z", value=100 + n) for n in range(20)), said(1, "yes"), said(2, "yes"), said(3, "Lovelace"),
        said(4, "Lovelace"), said(5, None)]  # type: ignore[arg-type]  # no decision at all


@pytest.fixture
def home(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CONCORD_CONTRACTS", contract(tmp_path / "strict", FIRST, share="0.3", tolerated=2))
    return Settings(home=tmp_path / "home", lake="", engine=engine, actor="test")


def test_a_batch_above_the_limit_stops_and_a_higher_limit_lets_it_on(home: Settings, tmp_path: Path,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of six are tolerated. Three of five statements are not, though they are 12 % of their batch."""
    for number, records in enumerate((FEW, MANY, [measured(1, at="2026-10-03T00:00:00Z", value=70)]), 1):
        land(home, SOURCE, records, number)
    with pytest.raises(GateFailed) as failure:
        conform(home, SOURCE)
    told = str(failure.value)
    assert "house.000002: rejected are 3 of 5 records of consents (unknown_code 2, missing 1)" in told and "Lovelace" not in told
    assert "a share of 0.3, or 2 records" in told and "concord conform house" in told
    assert [b["batch_id"] for b in batches.waiting(lake_of(home), SOURCE)] == ["house.000002", "house.000003"]
    assert {row["batch_id"] for row in core(home, SOURCE, "core.observation")} == {"house.000001"}
    assert core(home, SOURCE, "core.consent") == [] and len(apart(home, SOURCE)) == 2 and account(home, "house.000002") == {}
    limits = [(c["subject"], c["not_met"]) for c in checks(home, f"raw.{SOURCE}")]
    assert limits == [("house.000002", [{"expectation": "expect_quality_metric_to_meet", "columns": "consents", "broken": 3}]),
                      ("house.000001", [])]
    assert next(row["waiting"] for row in summary(home)["sources"] if row["source"] == SOURCE) == len(MANY) + 1
    monkeypatch.setenv("CONCORD_CONTRACTS", contract(tmp_path / "higher", FIRST, share="0.6", tolerated=2))
    conform(home, SOURCE)
    assert batches.waiting(lake_of(home), SOURCE) == [] and len(core(home, SOURCE, "core.consent")) == 2
    assert core(home, SOURCE, "core.observation")[1]["value"] == 70 and len(apart(home, SOURCE)) == 5
