"""Records of people who said no to everything their source asks for are not taken in, and their envelopes are purged."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from contracts import catalog
from jobs.errors import ConsentUnreadable
from jobs.lake import Lake
from jobs.run.conform import conform
from jobs.run.purge import purge
from jobs.run.screen import screen
from jobs.settings import Settings
from tests import small_lake
from tests.landing import Raw, account, core, lake_of, land

SOURCE, RAW, REFUSED = "crm", "raw.crm", "raw.crm__refused"
ASKED = [str(p) for p in catalog().sources[SOURCE].refusal.purposes]
LONG_AGO = datetime.now(UTC) - timedelta(days=31)
DAY_BEFORE = datetime.now(UTC) - timedelta(days=29)
SECRET = b"I feel dizzy, says the one who refuses"


def contact(person: str) -> Raw:
    return Raw(f"contacts/{person}", {"Id": person, "SystemModstamp": "2026-10-01T00:00:00.000+0000", "MailingCountryCode": "DE"}, "contacts")


def optin(person: str, purpose: str, status: str = "OptOut", changed: str = "2026-10-01T00:00:00.000+0000") -> Raw:
    """A statement; one that is changed later is another version of the same, said at the same moment."""
    name = f"{person}-{purpose}"
    return Raw(f"optins/{name}", {"Id": name, "PartyId": person, "DataUsePurpose__c": purpose, "PrivacyConsentStatus": status,
                                  "CaptureDate": "2026-10-01T00:00:00.000+0000", "SystemModstamp": changed}, "optins")


def case(number: int, person: str | None, text: str = "Where is my order?", **changes: Any) -> Raw:
    return Raw(f"cases/{number}", {"Id": str(number), "ContactId": person, "Type": "Question", "Origin": "Phone", "Description": text,
                                   "CreatedDate": "2026-10-02T00:00:00.000+0000", "SystemModstamp": "2026-10-02T00:00:00.000+0000",
                                   **changes}, "cases")


def no(person: str) -> list[Raw]:
    return [optin(person, purpose) for purpose in ASKED]


def cases(made: Settings) -> set[str]:
    return {row["record_id"] for row in core(made, SOURCE, "core.interaction")}


def held(made: Settings, table: str = RAW) -> set[Any]:
    rows = lake_of(made).arrow(table).to_pylist()
    return {row["record_id"] for row in rows} if table == RAW else {row["position"] for row in rows}


def bytes_of(folder: Path) -> bytes:
    """What any Parquet file below a folder still says, in whichever version."""
    return b"".join(str(pq.ParquetFile(f).read().to_pylist()).encode() for f in folder.rglob("*.parquet"))


BATCH = [contact("anna"), contact("bert"), *no("anna"), *no("bert")[1:], case(1, "anna", SECRET.decode()), case(2, "bert"),
         case(3, None), case(4, "anna", Type="Nonsense"), case(5, "anna", IsDeleted=True), case(1, "anna", SECRET.decode() + "!")]
REFUSED_AT = {len(BATCH) - 6, len(BATCH) - 1}


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Settings:
    """Anna, who said no to everything, and Bert, who said no to all but one, in one batch, a month and a day ago."""
    made = small_lake.settings(tmp_path_factory.mktemp("refused"), engine)
    land(made, SOURCE, BATCH, at=LONG_AGO)
    conform(made, SOURCE)
    return made


@pytest.fixture
def home(landed: Settings, tmp_path: Path) -> Settings:
    shutil.copytree(landed.home, tmp_path / "home")
    return Settings(home=tmp_path / "home", lake="", engine=landed.engine, actor="test")


def test_records_of_a_person_who_refuses_are_accounted_for_and_not_in_core(home: Settings) -> None:
    assert account(home, "crm.000001") == {("accepted", "-"): 2 + 2 * len(ASKED) - 1 + 2, ("refused", "every_purpose_denied"): 2,
                                           ("rejected", "unknown_code"): 1, ("deletion", "-"): 1}
    assert cases(home) == {"cases/2", "cases/3"}
    assert {r["source_person_id"] for r in core(home, SOURCE, "core.identity")} == {"anna", "bert"}
    assert len(core(home, SOURCE, "core.consent")) == 2 * len(ASKED) - 1
    assert held(home, REFUSED) == REFUSED_AT


def test_a_refused_complaint_is_screened_all_the_same(home: Settings) -> None:
    screen(home, SOURCE)
    found = lake_of(home).arrow("safety.candidate").to_pylist()
    assert {(r["record_id"], r["table_name"], r["reason_code"]) for r in found} == {("cases/1", RAW, "symptom")}


def test_a_no_counts_for_records_of_later_batches_and_a_yes_ends_it(home: Settings) -> None:
    land(home, SOURCE, [case(6, "anna")], number=2)
    conform(home, SOURCE)
    assert account(home, "crm.000002") == {("refused", "every_purpose_denied"): 1}
    land(home, SOURCE, [optin("anna", "research", "OptIn", "2026-10-20T00:00:00.000+0000"), case(7, "anna")], number=3)
    conform(home, SOURCE)
    assert account(home, "crm.000003") == {("accepted", "-"): 2}
    assert cases(home) == {"cases/2", "cases/3", "cases/7"}


def test_envelopes_are_purged_after_the_contracts_days_and_no_byte_is_left(home: Settings) -> None:
    land(home, SOURCE, [case(6, "anna", "Recently")], number=2, at=DAY_BEFORE)
    conform(home, SOURCE)
    folder = Path(home.lake_root) / "raw"
    assert SECRET in bytes_of(folder)
    screen(home, SOURCE)
    before = held(home)
    stranger = folder / "crm" / "part-of-another-run.parquet"
    shutil.copy(next((folder / "crm").glob("*.parquet")), stranger)
    report = purge(home, SOURCE)
    assert (report.facts["purged"], set(report.changed)) == (2, {RAW, REFUSED})
    assert stranger.exists()
    stranger.unlink()
    assert SECRET not in bytes_of(folder)
    assert before - held(home) == {"cases/1"}
    assert {(r["batch_id"], r["position"]) for r in lake_of(home).arrow(REFUSED).to_pylist()} == {("crm.000002", 0)}
    purged = [r for r in lake_of(home).arrow("ledger.account").to_pylist() if r["stage"] == "purge"]
    assert [(r["table_name"], r["outcome"], r["reason_code"], r["rows"]) for r in purged] == [
        (RAW, "purged", "every_purpose_denied", 2)]
    assert purge(home, SOURCE).result == "unchanged"


def test_what_nobody_screened_is_screened_before_it_goes(home: Settings) -> None:
    assert "safety.candidate" in purge(home, SOURCE).changed
    found = lake_of(home).arrow("safety.candidate").to_pylist()
    assert [(r["record_id"], r["reason_code"]) for r in found] == [("cases/1", "symptom")]


def test_what_was_landed_can_be_landed_and_conformed_on_after_a_purge(home: Settings) -> None:
    purge(home, SOURCE)
    land(home, SOURCE, [case(8, "bert")], number=2)
    conform(home, SOURCE)
    assert cases(home) == {"cases/2", "cases/3", "cases/8"}


def test_who_says_yes_in_time_keeps_their_envelopes(home: Settings) -> None:
    land(home, SOURCE, [optin("anna", "research", "OptIn", "2026-10-20T00:00:00.000+0000")], number=2)
    conform(home, SOURCE)
    assert purge(home, SOURCE).result == "unchanged"
    assert "cases/1" in held(home)


@pytest.mark.parametrize("step", ["purge raw", "account", "purge pointers"])
def test_a_purge_that_is_killed_is_done_by_the_next(home: Settings, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    done: list[str] = []
    real, write = Lake.purge, Lake.merge_arrow

    def killed(self: Lake, name: str, *args: Any, **more: Any) -> None:
        if step == f"purge {'raw' if name == RAW else 'pointers'}":
            raise KeyboardInterrupt
        done.append(name)
        real(self, name, *args, **more)

    def unwritten(self: Lake, name: str, *args: Any, **more: Any) -> None:
        if step == "account" and name == "ledger.account":
            raise KeyboardInterrupt
        write(self, name, *args, **more)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Lake, "purge", killed)
        patch.setattr(Lake, "merge_arrow", unwritten)
        purge(home, SOURCE)
    assert (RAW in done) == (step != "purge raw")
    assert purge(home, SOURCE).facts["purged"] == 2
    assert SECRET not in bytes_of(Path(home.lake_root) / "raw")
    assert not held(home, REFUSED)
    assert sum(r["rows"] for r in lake_of(home).arrow("ledger.account").to_pylist() if r["stage"] == "purge") == 2


def test_nothing_is_conformed_or_purged_when_statements_cannot_be_read(home: Settings) -> None:
    for file in (Path(home.lake_root) / "core" / "consent").glob("*.parquet"):
        file.write_bytes(b"broken")
    land(home, SOURCE, [case(9, "bert")], number=2)
    with pytest.raises(ConsentUnreadable):
        conform(home, SOURCE)
    with pytest.raises(ConsentUnreadable):
        purge(home, SOURCE)
    assert cases(home) == {"cases/2", "cases/3"}
    assert account(home, "crm.000002") == {}
    assert "cases/1" in held(home)


def test_a_source_that_asks_nobody_refuses_nobody(home: Settings) -> None:
    assert catalog().sources["social"].refusal is None
    assert purge(home, "social").result == "unchanged"
