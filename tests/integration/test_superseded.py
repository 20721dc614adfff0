"""A release without the people who withdrew marks the older ones that hold them; readers of those are warned."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from contracts.vocabulary import LegalBasis
from jobs.lake import Lake
from jobs.ledger import batches, releases, withdrawals
from jobs.read import SupersededRelease, released
from jobs.run import superseded
from jobs.run.product import build
from jobs.run.release import release
from jobs.run.summary import summary
from jobs.settings import Settings
from jobs.tables import withdrawals as lines
from tests import small_lake
from tests.integration.test_recall import relink

GROUP, PRODUCT = "engagement", "glucose_daily"
SAID = datetime(2026, 10, 9, 12, tzinfo=UTC)


@pytest.fixture
def home(small_release: Settings, tmp_path: Path) -> Settings:
    return small_lake.copy(small_release, tmp_path / "home")


def lake(home: Settings) -> Lake:
    return Lake(home.lake_root, catalog().tables)


def say(home: Settings, person: str, decision: str = "deny", at: datetime = SAID, purpose: str = "adherence_monitoring",
        **more: Any) -> None:
    small_lake.append(lake(home), "core.consent", [
        {**small_lake.statement(person, purpose, None, decision), "recorded_at": at, **more}], "crm.000002")


def flow(home: Settings) -> Any:
    for product in (PRODUCT, "patient_profile", "optin_rates"):
        build(home, product)
    return release(home, GROUP)


def marks(home: Settings) -> list[tuple[Any, ...]]:
    return sorted((m["number"], m["product"], m["because"], m["people"]) for m in lake(home).arrow(withdrawals.SUPERSEDED).to_pylist()
                  if m["product"] == PRODUCT)


def withdrawn(home: Settings) -> list[dict[str, Any]]:
    """Withdrawals that took effect in this product; the profile of the same people has its own."""
    return [r for r in lake(home).arrow(withdrawals.WITHDRAWAL).to_pylist() if r["product"] == PRODUCT]


def people(home: Settings, number: int | None = None) -> int:
    return len(set(released(PRODUCT, number, settings=home).arrow()["person_id"].to_pylist()))


def test_who_withdrew_is_out_and_the_older_release_is_marked(home):
    say(home, "person-0")
    say(home, "person-1", purpose="decision_support", at=SAID + timedelta(hours=1))
    report = flow(home)
    assert {"ledger.superseded", "ledger.withdrawal"} < set(report.changed)
    assert marks(home) == [(1, PRODUCT, "withdrawal", 2)]
    assert {(m["product"], m["people"]) for m in lake(home).arrow(withdrawals.SUPERSEDED).to_pylist()} == {
        (PRODUCT, 2), ("patient_profile", 2)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (people(home), people(home, 2)) == (10, 10)
        assert released(PRODUCT, settings=home).superseded is None
        assert released("optin_rates", 1, settings=home).superseded is None
    with pytest.warns(SupersededRelease, match=r"glucose_daily release 1 .*\(withdrawal\).* release 2 for anything new"):
        assert people(home, 1) == 12
    assert release(home, GROUP).result == "unchanged"


def test_the_time_from_the_statement_to_the_release_is_kept_and_told(home):
    conformed = datetime.now(UTC)
    batches.record(lake(home), "crm", 2, 0, SAID, conformed)
    say(home, "person-0")
    say(home, "person-0", purpose="decision_support", at=SAID + timedelta(hours=2))
    flow(home)
    row, = withdrawn(home)
    pin = releases.latest(lake(home), GROUP)[PRODUCT]
    assert (row["product"], row["subject"], row["effect"], row["source"]) == (PRODUCT, "engagement.2", "released", "crm")
    assert (row["said_at"], row["known_at"], row["effective_at"]) == (SAID, conformed, pin["released_at"])
    found = summary(home)["withdrawals"]
    seconds = (pin["released_at"] - SAID).total_seconds()
    assert (found["withdrawals"], found["said_to_released"]) == (1, {"count": 2, "p50_seconds": seconds, "p99_seconds": seconds})
    assert found["said_to_recalled"] == {"count": 0, "p50_seconds": None, "p99_seconds": None}
    assert lines(found)[0] == "Withdrawals that took effect: 1; superseded releases: 1; recalls: 0"
    assert f"out of the release {seconds / 86400:.1f} days (p50)" in lines(found)[1] and len(lines(found)) == 2


def test_a_withdrawal_counts_for_the_first_release_without_the_person(home):
    say(home, "person-0")
    flow(home)
    say(home, "person-1")
    flow(home)
    assert marks(home) == [(1, PRODUCT, "withdrawal", 1), (2, PRODUCT, "withdrawal", 1)]
    assert sorted(r["subject"] for r in withdrawn(home)) == ["engagement.2", "engagement.3"]


def test_a_run_killed_after_its_pin_is_made_good_even_by_a_later_release(home, monkeypatch):
    say(home, "person-0")
    with monkeypatch.context() as patch:
        patch.setattr("jobs.run.release.superseded.mark", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            flow(home)
    assert marks(home) == []
    say(home, "person-1")
    flow(home)
    assert marks(home) == [(1, PRODUCT, "withdrawal", 2), (2, PRODUCT, "withdrawal", 1)]
    assert sorted(r["subject"] for r in withdrawn(home)) == ["engagement.2", "engagement.3"]


@pytest.mark.parametrize("table", [withdrawals.WITHDRAWAL, withdrawals.SUPERSEDED])
def test_a_run_killed_before_a_mark_is_made_good_by_the_next_that_pins_nothing(home, monkeypatch, table):
    say(home, "person-0")
    write = withdrawals.write

    def killed(into, name, rows):
        if name == table:
            raise KeyboardInterrupt
        return write(into, name, rows)

    with monkeypatch.context() as patch:
        patch.setattr("jobs.run.superseded.withdrawals.write", killed)
        with pytest.raises(KeyboardInterrupt):
            flow(home)
    report = release(home, GROUP)
    assert (report.result, report.facts["number"]) == ("done", 2)
    assert marks(home) == [(1, PRODUCT, "withdrawal", 1)]
    assert len(withdrawn(home)) == 1


def test_a_consent_that_lapsed_by_time_alone_is_no_withdrawal(home):
    """A yes with an end is given after the first release's statements; then it is over."""
    say(home, "person-0", "permit", at=SAID - timedelta(days=3), valid_to_at=SAID)
    flow(home)
    assert marks(home) == [(1, PRODUCT, "consent_lapsed", 1)]
    assert len(withdrawn(home)) == 0


def test_a_merge_marks_what_rests_on_consent_alone(home):
    """One of two keys is nobody's any more; those who are counted on another ground are counted all the same."""
    links = lake(home).arrow("vault.link").to_pylist()
    key = {r["source_person_id"]: r["person_key"] for r in links}
    relink(home, [{**r, "person_key": key["person-3"]} if r["source_person_id"] == "person-4" else r for r in links])
    flow(home)
    assert {name: pin["table_version"] for name, pin in releases.latest(lake(home), GROUP).items()}["optin_rates"] == 2
    assert marks(home) == [(1, PRODUCT, "identity_changed", 1)]


@pytest.mark.parametrize(("person", "decision"), [("stranger", "deny"), ("person-0", "permit")])
def test_what_takes_nobody_out_marks_nothing(home, person, decision):
    say(home, person, decision)
    flow(home)
    assert releases.latest(lake(home), GROUP)[PRODUCT]["number"] == 2
    assert (marks(home), len(withdrawn(home))) == ([], 0)


def test_an_aggregate_on_consent_holds_whom_its_rows_were_made_of(home, monkeypatch):
    """The rows name nobody, so it is decided again who was let in then."""
    known = catalog()
    product = known.products[PRODUCT].model_copy(update={"pseudonym_domain": None})
    assert product.is_aggregate and product.legal_basis is LegalBasis.EXPLICIT_CONSENT
    monkeypatch.setattr("jobs.run.superseded.pseudonyms.named", lambda *_: pytest.fail("an aggregate has no pseudonyms"))
    mark = superseded.mark
    monkeypatch.setattr(superseded, "mark", lambda shell, products, now: mark(
        shell, [product if p.id == PRODUCT else p for p in products if p.id != "patient_profile"], now))
    say(home, "person-0")
    flow(home)
    assert marks(home) == [(1, PRODUCT, "withdrawal", 1)]
