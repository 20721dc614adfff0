"""Outside development a contract runs with a review that holds; drafts run in development alone, retired ones nowhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from contracts import ContractError, catalog, life
from contracts.exit_codes import ExitCode
from jobs.cli import app
from jobs.errors import ConfigurationError, IntegrityError, NotAuthorised, NotInForce
from jobs.ledger import batches, contract_reviews, releases
from jobs.read import RetiredProduct, released
from jobs.run.contract_review import named, review, status
from jobs.run.life import FREE, STAGES, refuse
from jobs.run.product import build
from jobs.run.release import release
from jobs.schema import arrow_schema
from jobs.settings import Settings
from tests.integration.reviewing import House, housed, question
from tests.integration.test_release import more_readings
from tests.landing import RECEIVED, lake_of

GLUCOSE, FILE, GROUP = "products/glucose_daily", "products/glucose_daily.yaml", "engagement"
NEEDED = ("jurisdictions", "matching", "core/consent", "core/contact_point", "core/identity", "core/observation", GLUCOSE)
WIDER = ("[adherence_monitoring, decision_support]", "[adherence_monitoring, decision_support, research]")


@pytest.fixture
def house(small_release: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    yield from housed(small_release, tmp_path, monkeypatch)


def standing(house: House, name: str = GLUCOSE) -> dict[str, object]:
    return next(row for row in status(house.settings) if row["contract"] == name)


def test_without_reviews_nothing_runs_and_the_audit_keeps_the_try(house: House) -> None:
    with pytest.raises(NotInForce) as error:
        build(house.settings, "glucose_daily")
    assert error.value.exit_code is ExitCode.CONTRACT
    said = str(error.value)
    assert "core/consent has no review; let an officer run `concord contract review core/consent`" in said and "and 2 more" in said
    assert max(lake_of(house.settings).arrow("ledger.audit").to_pylist(), key=lambda row: row["at"])["result"] == "failed"
    assert build(house.trying, "glucose_daily").result == "unchanged"


def test_with_every_contract_reviewed_that_it_reads_it_runs(house: House) -> None:
    for name in NEEDED:
        with pytest.raises(NotInForce, match=f"{name} has no review"):
            build(house.settings, "glucose_daily")
        house.approve(name)
    assert build(house.settings, "glucose_daily").result == "unchanged"
    with pytest.raises(NotInForce, match="products/engagement_daily has no review"):
        release(house.settings, GROUP)


@pytest.mark.parametrize(("stage", "subject", "own"), [
    ("build", "optin_rates", "products/optin_rates"), ("build", "engagement_daily", "products/engagement_daily"),
    ("extract.prepare", "glycemia_institute", "recipients/glycemia_institute")])
def test_what_decides_about_people_on_any_basis_needs_the_rules_and_sources_reviewed(house: House, stage: str, subject: str, own: str) -> None:
    """Identities are joined by every source's linkPurposes, and permits decided by the rules, whatever the legal basis."""
    lake = lake_of(house.settings)
    batches.record(lake, "crm", 1, 0, RECEIVED, RECEIVED)
    house.approve(own, *(name for name in life.reviewable() if name.startswith(("core/", "products/")) and name != own))
    with pytest.raises(NotInForce) as error:
        refuse(house.settings, catalog(), lake, stage, subject)
    assert [line.split(" ")[0] for line in str(error.value).splitlines()[1:]] == ["jurisdictions", "matching", "sources/crm"]
    house.approve("jurisdictions", "matching", "sources/crm")
    refuse(house.settings, catalog(), lake, stage, subject)


def test_a_file_of_ones_own_that_is_called_like_a_shipped_one_is_reviewed_beside_it(house: House, tmp_path: Path,
                                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    house.approve(*NEEDED)
    own = tmp_path / "more" / "core" / "observation.yaml"
    own.parent.mkdir(parents=True)
    own.write_text((house.folder / "core/message.yaml").read_text("utf-8").replace("id: message", "id: observation").replace(
        "- name: message\n", "- name: note\n"), "utf-8")
    for module in ("load", "life", "objections"):
        monkeypatch.setattr(f"contracts.{module}.folders", lambda: (house.folder, own.parents[1]))
    assert life.reviewable()["core/observation"] == (house.folder / "core/observation.yaml", own)
    assert named("observation") == named(str(own)) == "core/observation"
    with pytest.raises(NotInForce, match="core/observation was edited since"):
        build(house.settings, "glucose_daily")
    house.approve("core/observation")
    assert standing(house, "core/observation")["review"] == "valid"
    house.edit("core/observation.yaml", ("maxLength: 40", "maxLength: 41"))
    assert standing(house, "core/observation")["review"] == "void", "the shipped one is still under review"
    own.write_text(own.read_text("utf-8").replace("status: active", "status: draft"), "utf-8")
    with pytest.raises(ConfigurationError, match="is draft"):
        house.approve("core/observation")


def test_a_source_that_anything_came_from_must_be_reviewed(house: House) -> None:
    house.approve(*NEEDED)
    batches.record(lake_of(house.settings), "crm", 1, 0, RECEIVED, RECEIVED)
    with pytest.raises(NotInForce, match="sources/crm has no review"):
        build(house.settings, "glucose_daily")


def test_an_edit_voids_a_review_and_says_what_changed_and_taken_back_it_holds_again(house: House) -> None:
    house.approve(*NEEDED)
    house.edit(FILE, ("id: glucose_daily\n", "id: glucose_daily  # of the app and the cloud\n"), ("status: active", "status: proposed"))
    assert standing(house)["review"] == "valid", "neither a comment nor the status is what was reviewed"
    house.edit(FILE, WIDER, ("status: proposed", "status: active"))
    said = r"glucose_daily was edited since officer on \d{4}.* approved it \(.*purposes: adherence_monitoring, decision_support to adherence"
    with pytest.raises(NotInForce, match=said):
        build(house.settings, "glucose_daily")
    assert standing(house)["review"] == "void" and "research" in str(standing(house)["edited"])
    house.edit(FILE, (WIDER[1], WIDER[0]))
    assert standing(house)["review"] == "valid"


def test_a_hierarchy_is_reviewed_with_the_contract_that_names_it(house: House) -> None:
    recipient, rule = "recipients/glycemia_institute", "hierarchies/readings_a_day.yaml"
    house.approve(recipient)
    assert standing(house, recipient)["review"] == "valid"
    house.edit(rule, ("8, 24", "8, 12, 24"))
    assert standing(house, recipient)["review"] == "void" and "hierarchies: readings_a_day (" in str(standing(house, recipient)["edited"])
    house.edit(rule, ("8, 12, 24", "8, 24"))
    assert standing(house, recipient)["review"] == "valid"


def test_rules_are_reviewed_too(house: House) -> None:
    house.approve(*NEEDED)
    text = (house.folder / "jurisdictions.yaml").read_text("utf-8")
    house.write("jurisdictions.yaml", re.sub(r"\b16\b", "13", text, count=1))
    with pytest.raises(NotInForce, match="jurisdictions was edited since"):
        build(house.settings, "glucose_daily")


def test_a_refusal_says_why_and_how_to_make_it_lawful(house: House) -> None:
    house.approve(*NEEDED)
    with pytest.raises(ConfigurationError, match="give --remarks and --instead"):
        review(house.settings, GLUCOSE, False, "no", "", question())
    review(house.settings, GLUCOSE, False, "no basis", "ask for explicit consent", question())
    with pytest.raises(NotInForce, match="was refused by officer on .*: no basis. To make it lawful: ask for explicit consent"):
        build(house.settings, "glucose_daily")


def test_only_an_officer_reviews(house: House) -> None:
    for token in ("engineers-token", "services-token", "nobodys-token", ""):
        with pytest.raises(NotAuthorised):
            review(house.settings, GLUCOSE, True, "", "", question(token))
    assert standing(house)["review"] == "none"


def test_a_review_that_the_platform_did_not_sign_spoils_all_of_its_contract(house: House) -> None:
    house.approve(*NEEDED)
    review(house.settings, GLUCOSE, False, "no basis", "ask for explicit consent", question())
    lake = lake_of(house.settings)
    row = {**contract_reviews.every(lake)[-1], "decision": "approved"}
    lake.merge_arrow(contract_reviews.TABLE, pa.Table.from_pylist([row], schema=arrow_schema(lake.contract(contract_reviews.TABLE))))
    assert standing(house)["review"] == "altered"
    with pytest.raises(NotInForce, match="did not sign so"):
        build(house.settings, "glucose_daily")


def test_what_the_author_is_told_needs_remarks(house: House) -> None:
    house.edit("products/optin_rates.yaml", ("minimumCell, value: 7", "minimumCell, value: 4"))
    with pytest.raises(ConfigurationError, match=r"say in --remarks why .*\n.*minimumCell 4 hides nobody"):
        review(house.settings, "optin_rates", True, "", "", question())


def test_a_draft_runs_in_development_alone_and_is_not_reviewed(house: House) -> None:
    house.approve(*NEEDED)
    house.edit(FILE, ("status: active", "status: draft"))
    with pytest.raises(ConfigurationError, match="is draft; a review is about what is proposed"):
        house.approve(GLUCOSE)
    with pytest.raises(NotInForce, match="is draft: in production only active and deprecated contracts run"):
        build(house.settings, "glucose_daily")
    assert build(house.trying, "glucose_daily").result == "done"


def test_a_retired_contract_runs_nowhere_and_its_released_data_is_read_on(house: House) -> None:
    house.edit(FILE, ("status: active", "status: retired"))
    for settings in (house.settings, house.trying):
        with pytest.raises(NotInForce, match="glucose_daily is retired: it never runs again"):
            build(settings, "glucose_daily")
    more_readings(house.trying)
    for product in ("engagement_daily", "optin_rates"):
        build(house.trying, product)
    assert release(house.trying, GROUP).facts["number"] == 2
    with pytest.warns(RetiredProduct, match="is not made any more"):
        assert released("glucose_daily", settings=house.trying).release == 1


def test_a_group_that_has_ended_stays_as_it_was_and_may_go_on(house: House) -> None:
    """An empty release would take a number that no row has, so none could ever be pinned again."""
    more_readings(house.trying)
    products = catalog().products
    for product in products:
        build(house.trying, product)
        house.edit(f"products/{product}.yaml", ("status: active", "status: retired"))
    done = release(house.trying, GROUP)
    assert (done.result, done.facts["number"], done.facts["waiting_for"]) == ("unchanged", 1, [])
    with pytest.raises(IntegrityError, match="release 2 of engagement has no product"):
        releases.pin(lake_of(house.settings), GROUP, 2, [], RECEIVED)
    for product in products:
        house.edit(f"products/{product}.yaml", ("status: retired", "status: active"))
    assert release(house.trying, GROUP).facts["number"] == 2


def test_every_stage_is_in_a_table() -> None:
    """One that is in none raises KeyError, so nothing runs beside the rule."""
    source = "\n".join(path.read_text("utf-8") for path in Path("jobs/run").glob("*.py"))
    assert set(re.findall(r'open_shell\(settings, "([a-z.]+)"', source)) == STAGES.keys() | FREE
    assert not STAGES.keys() & FREE


def test_silence_is_production_and_other_words_are_refused() -> None:
    assert life.environment(Settings(home=Path("x"), environment="").environment) is life.Environment.PRODUCTION
    with pytest.raises(ContractError, match="CONCORD_ENVIRONMENT is 'prod'; write development or production"):
        life.environment("prod")


def test_the_commands(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("HOME", str(house.settings.home)), ("LAKE", ""), ("ENVIRONMENT", "production")):
        monkeypatch.setenv(f"CONCORD_{name}", value)
    token = house.folder.parent / "token"
    token.write_text("officers-token")
    token.chmod(0o600)
    words = ["contract", "review", str(house.folder / FILE), "--approve", "--token-file", str(token)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0 and done.output.startswith("officer approved products/glucose_daily 1.0.0 ("), done.output
    assert not standing(house)["runs"], "what it reads is not reviewed"
    house.approve(*NEEDED)
    found = {row["contract"]: row for row in json.loads(CliRunner().invoke(app, ["contract", "status", "--json"]).output)}
    assert found[GLUCOSE]["runs"] and found[GLUCOSE]["reviewer"] == "officer" and not found["products/optin_rates"]["runs"]
    assert "glucose_daily" in CliRunner().invoke(app, ["contract", "status"]).output
    assert isinstance(CliRunner().invoke(app, ["contract", "review", "glucose", "--approve"]).exception, ConfigurationError)
