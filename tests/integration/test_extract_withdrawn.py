"""An extract that was approved does not leave when the people in it, or the contracts it rests on, say no since."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts import catalog
from jobs.errors import NotApproved
from jobs.ledger import accounts
from jobs.run.extract import deliver, record
from jobs.settings import Settings
from jobs.stages.extract import refuse_inactive
from tests import small_lake
from tests.integration.test_extract import RECIPIENT, RUN, airflow, bucket, names, prepared, store

__all__ = ["airflow", "bucket", "store"]


@pytest.fixture
def home(small_release: Settings, tmp_path: Path) -> Settings:
    return small_lake.copy(small_release, tmp_path / "home")


def deny(home: Settings, person: str, purpose: str, recipient: str | None = None) -> None:
    lake = small_lake.Lake(home.lake_root, catalog().tables)
    small_lake.append(lake, "core.consent", [{**small_lake.statement(person, purpose, recipient, "deny"),
                                              "recorded_at": datetime(2026, 10, 9, tzinfo=UTC)}])


@pytest.mark.parametrize(("purpose", "recipient"), [("research", RECIPIENT), ("adherence_monitoring", None)])
def test_withdrawn_after_the_approval_is_not_delivered(home, airflow, store, purpose, recipient):
    facts = prepared(home, airflow, "late")
    record(home, facts["extract_id"], (RUN[0], "late"))
    deny(home, "person-0", purpose, recipient)
    with pytest.raises(NotApproved, match="1 of 10 people"):
        deliver(home, facts["extract_id"])
    assert names(store) == []


def test_who_denied_the_product_since_its_release_is_in_no_extract(home, airflow):
    deny(home, "person-0", "decision_support")
    facts = prepared(home, airflow, "own")
    lake = small_lake.Lake(home.lake_root, catalog().tables)
    entries = accounts.of(lake, {facts["extract_id"]})
    count: dict[str, int] = {}
    for entry in entries:
        if entry["stage"] == "permit":
            count[entry["outcome"]] = count.get(entry["outcome"], 0) + entry["rows"]
    assert count == {"permitted": 18, "withheld": 6}


def test_an_extract_older_than_the_one_delivered_stays(home, airflow, store):
    older = prepared(home, airflow, "older")
    record(home, older["extract_id"], (RUN[0], "older"))
    newer = prepared(home, airflow, "newer")
    record(home, newer["extract_id"], (RUN[0], "newer"))
    assert deliver(home, newer["extract_id"]).result == "done"
    sent = names(store)
    with pytest.raises(NotApproved, match="newer"):
        deliver(home, older["extract_id"])
    assert names(store) == sent


@pytest.mark.parametrize("status", ["draft", "proposed", "retired"])
def test_only_active_contracts_are_served(status):
    recipient = catalog().recipients[RECIPIENT]
    product = catalog().products[recipient.product]
    refuse_inactive(recipient, product)
    for inactive in (recipient, product):
        with pytest.raises(NotApproved, match=status):
            refuse_inactive(inactive.model_copy(update={"status": status}))
