"""What a new version of a contract changes, whom that breaks, and which number it needs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from contracts import ContractError, catalog, compare
from contracts.compare import between, needed
from contracts.exit_codes import ExitCode
from contracts.model import Feed, Mapping, Product, Recipient, Retirement, Source, Stream
from contracts.table import Column, Table
from tests.contracts.broken import second

ROOT = Path(__file__).resolve().parents[2] / "contracts"
SAYS_WHICH = {"id", "version", "path", "sha256"}
IN_PARTS = {Source: {"streams", "feeds"}, Product: {"table"}, Recipient: {"table"}, Table: {"columns", "version", "name", "quality"},
            Feed: {"name", "mappings"}, Mapping: {"column"}, Stream: {"name"}, Column: {"name"}}
JUDGED = {Source: compare.SOURCE, Product: compare.PRODUCT, Recipient: compare.RECIPIENT, Table: compare.TABLE, Feed: compare.FEED,
          Mapping: compare.MAPPING, Stream: compare.STREAM, Column: compare.COLUMN}


@pytest.mark.parametrize("model", JUDGED)
def test_every_field_of_a_contract_has_a_judge(model: type) -> None:
    says_which = SAYS_WHICH if model in (Source, Product, Recipient) else set()
    assert set(model.model_fields) == JUDGED[model].keys() | IN_PARTS[model] | says_which  # type: ignore[attr-defined]


def edited(tmp_path: Path, name: str, *edits: tuple[str, str]) -> tuple[Path, Path]:
    """A contract as it is, and edited."""
    old, new = ROOT / name, tmp_path / "new" / name
    text = old.read_text("utf-8")
    for before, after in edits:
        assert before in text
        text = text.replace(before, after, 1)
    new.parent.mkdir(parents=True)
    new.write_text(text, "utf-8")
    return old, new


OBSERVATION, PRODUCT, CRM = "core/observation.yaml", "products/glucose_daily.yaml", "sources/crm.yaml"
UNIT = "logicalTypeOptions: {maxLength: 40}"
NEW_COLUMN = ("""
      - name: method_code
        description: How it was measured.
        logicalType: string
        physicalType: string
        required: %s
        customProperties:
          - {property: dataCategory, value: health}
      - name: unit_code""")


@pytest.mark.parametrize(("contract", "before", "after", "place", "breaks"), [
    (OBSERVATION, UNIT, "logicalTypeOptions: {maxLength: 20}", "core.observation.unit_code.maxLength", "sources"),
    (OBSERVATION, UNIT, "logicalTypeOptions: {maxLength: 80}", "core.observation.unit_code.maxLength", "readers"),
    (OBSERVATION, "description: UCUM unit.", "description: Unit.", "core.observation.unit_code.description", None),
    (OBSERVATION, "logicalTypeOptions: {pattern: '^[0-9]{1,7}-[0-9]$'}\n", "logicalTypeOptions: {pattern: '^[0-9]+$'}\n",
     "core.observation.code.pattern", "readers"),
    (OBSERVATION, "        logicalTypeOptions: {pattern: '^[0-9]{1,7}-[0-9]$'}\n", "", "core.observation.code.pattern", "readers"),
    (OBSERVATION, UNIT, "logicalTypeOptions: {maxLength: 40, pattern: '[a-z]'}", "core.observation.unit_code.pattern",
     "sources"),
    (OBSERVATION, "\n      - name: unit_code", NEW_COLUMN % "true", "core.observation.method_code", "sources"),
    (OBSERVATION, "\n      - name: unit_code", NEW_COLUMN % "false", "core.observation.method_code", None),
    (OBSERVATION, "physicalType: double\n        required: true", "physicalType: double\n        required: false",
     "core.observation.value.required", "readers"),
    (OBSERVATION, "- name: status_code", "- name: state_code", "core.observation.status_code", "readers"),
    (PRODUCT, "retentionDays, value: 1825", "retentionDays, value: 30", "retentionDays", "readers"),
    (PRODUCT, "retentionDays, value: 1825", "retentionDays, value: 2000", "retentionDays", None),
    (PRODUCT, "pseudonymDomain, value: ", "pseudonymDomain, value: other_", "pseudonymDomain", "readers"),
    (PRODUCT, "minimum: 10, maximum: 1000", "minimum: 20, maximum: 1000", "product.glucose_daily.mean_mg_dl.minimum", None),
    (PRODUCT, "status: active", "status: retired", "status", "readers"),
    (PRODUCT, "status: active", "status: draft", "status", "readers"),
    ("products/engagement_daily.yaml", "value: [core.message, core.interaction]", "value: [core.message]", "inputs", "readers"),
    ("products/optin_rates.yaml", "value: [core.consent, core.identity]", "value: [core.consent, core.identity, core.message]",
     "inputs", None),
    ("products/optin_rates.yaml", "totals, value: [channel_code]", "totals, value: []", "totals", "readers"),
    ("products/engagement_daily.yaml", "dominance, value: 0.8}\n  - {property: totals, value: []}\n  - {property: differentialPrivacy, value: null}\n"
     "  - {property: differencing, value: {people: 8, levels: {day: [week, month, quarter, year]}}}",
     "dominance, value: null}\n  - {property: totals, value: []}\n  - {property: differentialPrivacy, value: {epsilon: 1, delta: 1.0e-7, "
     "cellsPerPerson: 2, budget: 2, periodDays: 30}}\n  - {property: differencing, value: null}", "differentialPrivacy", "readers"),
    ("products/optin_rates.yaml", "people: 8", "people: 9", "differencing", "readers"),
    ("platform/ledger.yaml", "logicalTypeOptions: {minimum: 0}", "logicalTypeOptions: {minimum: 1}", "ledger.account.rows.minimum",
     "sources"),
    (OBSERVATION, "preliminary, final", "preliminary, early, final", "core.observation.status_code.allowedValues", "readers"),
    (OBSERVATION, "preliminary, final", "final", "core.observation.status_code.allowedValues", "sources"),
    (OBSERVATION, "registered, preliminary", "preliminary, registered", "core.observation.status_code.allowedValues", None),
    (PRODUCT, "{minimum: 10, maximum: 1000}", "{minimum: 10, maximum: 2000}", "product.glucose_daily.mean_mg_dl.maximum", "readers"),
    (PRODUCT, "[0-9a-f]{32}", "[A-Z]{32}", "product.glucose_daily.person_id.pattern", "readers"),
    (PRODUCT, "[adherence_monitoring, decision_support]", "[decision_support, adherence_monitoring]", "purposes", None),
    (PRODUCT, "[adherence_monitoring, decision_support]", "[decision_support]", "purposes", "readers"),
    (PRODUCT, "status: active", "status: draft", "status", "readers"),
    (CRM, "contacts: {path: Contact,", "contacts: {path: Lead,", "streams.contacts.path", "readers"),
    (CRM, "pageSize: 2000", "pageSize: 200", "connection", None),
    (CRM, "connector: salesforce", "connector: rest", "connection", "readers"),
    (CRM, "purgeAfterDays: ", "purgeAfterDays: 1", "refusal", "readers"),
    (CRM, "{share: 0.02, tolerated: 20}", "{share: 0.01, tolerated: 20}", "rejectLimit", "sources"),
    (CRM, "{share: 0.02, tolerated: 20}", "{share: 0.02, tolerated: 2}", "rejectLimit", "sources"),
    (CRM, "{share: 0.02, tolerated: 20}", "{share: 0.5, tolerated: 200}", "rejectLimit", None),
    (CRM, "{property: latency, value: 6,", "{property: latency, value: 7,", "serviceLevels", "readers"),
    (CRM, "{property: latency, value: 6,", "{property: latency, value: 5,", "serviceLevels", None),
    (CRM, "  - {property: latency, value: 6, unit: h, driver: operational}\n", "", "serviceLevels", "readers"),
])
def test_a_change_and_whom_it_breaks(tmp_path: Path, contract: str, before: str, after: str, place: str,
                                     breaks: str | None) -> None:
    found = between(*edited(tmp_path, contract, (before, after)))
    assert (place, breaks) in [(c.place, c.breaks) for c in found.changes]
    stays = contract == PRODUCT and place == "status"  # Its major is its name's, and what is retired needs no new one.
    assert found.needed == ("2.0.0" if breaks and not stays else "1.0.1") and (found.beside is None or not stays) and found.old == found.new == "1.0.0"


def test_what_did_not_change_needs_nothing(tmp_path: Path) -> None:
    for contract in (OBSERVATION, PRODUCT, CRM, "recipients/glycemia_institute.yaml", "platform/ledger.yaml"):
        assert between(ROOT / contract, ROOT / contract) == compare.Comparison("1.0.0", "1.0.0", None, [])


def test_what_breaks_somebody_comes_first_and_names_what_is_mapped_otherwise(tmp_path: Path) -> None:
    old, new = edited(tmp_path, CRM, ("purpose: People, ", "purpose: All people, "),
                      ("text(payload.MailingCity)", "'first(text(payload.MailingCity), text(payload.OtherCity))'"))
    found = between(old, new).changes
    assert [c.breaks for c in found] == sorted((c.breaks for c in found), key=lambda b: b is None)
    mapped = next(c for c in found if c.place.endswith(".expression"))
    assert (mapped.before, mapped.after) == ("text(payload.MailingCity)",
                                              "first(text(payload.MailingCity), text(payload.OtherCity))")
    assert mapped.breaks == "readers" and found[-1].place == "description"


@pytest.mark.parametrize(("old", "new", "breaks", "lacks"), [
    ("1.2.3", "2.0.0", True, None), ("1.2.3", "1.3.0", True, "2.0.0"), ("1.2.3", "1.2.4", False, None),
    ("1.2.3", "1.2.3", False, "1.2.4"), ("2.0.0", "1.9.9", False, "2.0.1"), ("1.10.0", "1.9.0", False, "1.10.1")])
def test_the_number_that_is_needed(old: str, new: str, breaks: bool, lacks: str | None) -> None:
    assert needed(old, new, [compare.Change("x", "a", "b", "readers" if breaks else None)]) == lacks


def test_a_version_that_falls_back_is_refused_without_any_change() -> None:
    assert needed("1.1.0", "1.0.0", []) == "1.1.1" and needed("1.1.0", "1.1.0", []) is None


def concord(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "jobs", "contract", "diff", *words], capture_output=True, text=True, check=False)


def test_the_command_says_what_and_which_number(tmp_path: Path) -> None:
    old, new = edited(tmp_path, CRM, ("retentionDays, value: 3650", "retentionDays, value: 30"))
    refused = concord(str(old), str(new))
    assert refused.returncode == ExitCode.CONTRACT and "retentionDays" in refused.stdout
    assert "write version: 2.0.0 or higher" in refused.stderr
    new.write_text(new.read_text("utf-8").replace("version: 1.0.0", "version: 2.0.0", 1), "utf-8")
    answered = concord(str(old), str(new), "--json")
    assert answered.returncode == 0
    assert json.loads(answered.stdout) == {"old": "1.0.0", "new": "2.0.0", "needed": None, "beside": None, "changes": [
        {"place": "retentionDays", "before": "3650", "after": "30", "breaks": "readers"}]}


def test_what_breaks_the_readers_of_a_product_lives_beside_it(tmp_path: Path) -> None:
    shorter = ("retentionDays, value: 1825", "retentionDays, value: 30")
    old, new = edited(tmp_path, PRODUCT, shorter)
    refused = concord(str(old), str(new))
    assert refused.returncode == ExitCode.CONTRACT
    assert "write the new contract into glucose_daily_v2.yaml" in refused.stderr and "replacedBy: glucose_daily_v2}" in refused.stderr
    beside = new.with_name("glucose_daily_v2.yaml")
    beside.write_text(second(old.read_text("utf-8")).replace(*shorter), "utf-8")
    found = between(old, beside)
    assert found == compare.Comparison("1.0.0", "2.0.0", None, [compare.Change("retentionDays", "1825", "30", "readers")])
    assert concord(str(old), str(beside)).returncode == 0


@pytest.mark.parametrize(("then", "now", "breaks"), [
    (None, "2027-06-30", None), ("2027-06-30", "2027-07-30", None), ("2027-06-30", "2027-05-30", "readers"), ("2027-06-30", None, None)])
def test_a_product_may_end_later_and_not_sooner_than_was_said(then: str | None, now: str | None, breaks: str | None) -> None:
    def end(day: str | None) -> Retirement | None:
        return Retirement.model_validate({"date": day, "replacedBy": None}) if day else None
    assert compare.PRODUCT["retirement"](end(then), end(now)) == breaks


@pytest.mark.parametrize("judge", [compare.PRODUCT["profile"], compare.RECIPIENT["profile"], compare.COLUMN["identifier"]])
def test_a_profile_is_a_promise_more_and_to_leave_it_one_less(judge: compare.Judge) -> None:
    assert (judge(None, "a"), judge("a", None), judge("a", "b")) == (None, "readers", "readers")


@pytest.mark.parametrize(("today", "breaks"), [(date(2027, 6, 30), "readers"), (date(2027, 7, 1), None)])
def test_what_is_retired_after_its_last_day_breaks_nobody(tmp_path: Path, today: date, breaks: str | None) -> None:
    """As the error of one that has ended demands."""
    kept = "  - {property: retentionDays, value: 1825}\n"
    old, new = edited(tmp_path, PRODUCT, ("status: active", "status: retired"),
                      (kept, kept + "  - {property: retirement, value: {date: 2027-06-30, replacedBy: null}}\n"))
    old = tmp_path / "old" / PRODUCT
    old.parent.mkdir(parents=True)
    old.write_text(new.read_text("utf-8").replace("status: retired", "status: deprecated"), "utf-8")
    found = between(old, new, today)
    assert found == compare.Comparison("1.0.0", "1.0.0", "1.0.1", [compare.Change("status", "deprecated", "retired", breaks)])


def test_two_contracts_are_no_versions_of_one_another(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="is no version of"):
        between(ROOT / PRODUCT, ROOT / CRM)
    old, new = edited(tmp_path, OBSERVATION, ("version: 1.0.0", "version: draft"))
    with pytest.raises(ContractError, match="no semantic version; write three numbers"):
        between(old, new)
    old, new = edited(tmp_path / "broken", PRODUCT, ("legalBasis, value: ", "legalBasis, value: no_"))
    with pytest.raises(ContractError, match=r"glucose_daily\.yaml:\d+"):
        between(old, new)


def test_what_a_feed_makes_newly_may_find_fault_with_a_record(tmp_path: Path) -> None:
    """One more column of a feed there is, one more feed of a stream there is; a stream that is new hurts nobody."""
    text = (ROOT / CRM).read_text("utf-8")
    city = next(line for line in text.splitlines(keepends=True) if "name: city" in line)
    old = tmp_path / "old" / CRM
    old.parent.mkdir(parents=True)
    old.write_text(text.replace(city, ""), "utf-8")
    assert [(c.place, c.breaks) for c in between(old, ROOT / CRM).changes] == [("feeds.contacts.city", "sources")]
    assert [(c.place, c.breaks) for c in between(ROOT / CRM, old).changes] == [("feeds.contacts.city", "readers")]
    source = catalog().sources["crm"]
    without = source.model_copy(update={"feeds": source.feeds[1:]})
    first = source.feeds[0].name
    assert [(c.place, c.breaks) for c in compare.changes(without, source)] == [
        (f"feeds.{first}.stream", "sources"), (f"feeds.{first}", None)]
    neither = without.model_copy(update={"streams": tuple(s for s in source.streams if s.name != source.feeds[0].stream)})
    assert {c.breaks for c in compare.changes(neither, source)} == {None}


def test_another_order_of_columns_breaks_who_reads_by_place(tmp_path: Path) -> None:
    table = catalog().table("core.observation")
    turned = table.model_copy(update={"columns": table.columns[::-1]})
    change, = compare.table_changes([table], [turned])
    assert (change.place, change.breaks) == ("core.observation.columns", "readers") and change.after.startswith("device_id, ")


def test_a_pattern_is_shown_as_it_is(tmp_path: Path) -> None:
    """Brackets are signs of the terminal's markup too."""
    old, new = edited(tmp_path, OBSERVATION, ("'^[0-9]{1,7}-[0-9]$'", "'^[a-z]+[/a-z]$'"))
    assert "^[a-z]+[/a-z]$" in concord(str(old), str(new)).stdout


def test_a_file_in_a_whole_tree_is_read_beside_the_contracts_of_its_tree(tmp_path: Path) -> None:
    """A column that went, with what was mapped to it, can be compared with what was."""
    trees = tmp_path / "then", tmp_path / "now"
    for tree in trees:
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    then = trees[0] / "core" / "observation.yaml"
    then.write_text(then.read_text("utf-8").replace("\n      - name: unit_code", NEW_COLUMN % "false"), "utf-8")
    feed = next(p for p in sorted((trees[0] / "sources").glob("*.yaml")) if "feeds, value: core.observation" in p.read_text("utf-8"))
    lines = feed.read_text("utf-8").splitlines(keepends=True)
    place = next(i for i, line in enumerate(lines) if "name: unit_code" in line)
    lines.insert(place, "      - {name: method_code, transformLogic: text(payload.method)}\n")
    feed.write_text("".join(lines), "utf-8")
    found = between(feed, trees[1] / "sources" / feed.name).changes
    assert [(c.place.split(".")[-1], c.breaks) for c in found] == [("method_code", "readers")]
    alone = tmp_path / "alone" / "sources" / feed.name
    alone.parent.mkdir(parents=True)
    alone.write_text(feed.read_text("utf-8"), "utf-8")
    with pytest.raises(ContractError, match="does not fit the rules of today"):
        between(alone, ROOT / "sources" / feed.name)


def test_a_contract_without_tables_is_refused(tmp_path: Path) -> None:
    old, new = edited(tmp_path, OBSERVATION)
    new.write_text(new.read_text("utf-8").split("schema:")[0], "utf-8")
    with pytest.raises(ContractError, match="declares no table"):
        between(old, new)
