"""What contracts promise about time: read as the standard writes it, refused where nobody would hold it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from contracts import catalog
from contracts.service_levels import SCREENED, ServiceLevel, laxer, longest_pause
from jobs.run.screen import KINDS
from tests.contracts.broken import APP, GLUCOSE, OBSERVATION, OPTIN, PARTNER, Case, is_refused

LATENCY = "  - {property: latency, value: 6, unit: h, driver: operational}\n"
FREQUENCY = "  - {property: frequency, value: 26, unit: h, driver: operational}\n"
OF_PRODUCT = "  - {property: latency, value: 12, unit: h, driver: analytics}\n"
STUDY = "sources/study.yaml"


def of_latency(text: str) -> tuple[str, str, str]:
    return APP, LATENCY, f"  - {{property: latency, {text}}}\n"


CASES: dict[str, Case] = {
    "retention": (APP, LATENCY, "  - {property: retention, value: 10, unit: y}\n", "retention",
                  ("retention of a source is promised, but nobody would hold it", "write customProperties retentionDays")),
    "a level that nobody measures": (APP, LATENCY, "  - {property: availability, value: 99.9}\n", "availability",
                                     ("availability of a source", "there are latency, frequency, timeToDetect")),
    "misspelt": (APP, LATENCY, "  - {property: latncy, value: 6, unit: h}\n", "latncy", ("did you mean latency?",)),
    "of a source at a product": (GLUCOSE, OF_PRODUCT, "  - {property: timeToDetect, value: 1, unit: h}\n", "timeToDetect",
                                 ("timeToDetect of a product", "latency, frequency, timeToRepair")),
    "of a product at a partner": (PARTNER, "property: timeToNotify", "property: latency", "latency",
                                  ("latency of a recipient", "there are timeToNotify")),
    "in a core contract": (OBSERVATION, "schema:\n", "slaProperties: [{property: latency, value: 1, unit: h}]\nschema:\n", "slaProperties",
                           ("slaProperties of the contract", "a source, a product or a recipient")),
    "the default element, which the standard gave up": (APP, "slaProperties:\n", "slaDefaultElement: users.email\nslaProperties:\n",
                                                        "slaDefaultElement", ("name the column as element",)),
    "no value": (*of_latency("value: null, unit: h"), "null", ("value of latency is None", "a number above 0")),
    "a value that is no number": (*of_latency("value: six, unit: h"), "six", ("value of latency is 'six'",)),
    "a value that is a yes": (*of_latency("value: true, unit: h"), "true", ("value of latency is True",)),
    "nothing": (*of_latency("value: 0, unit: h"), "value: 0", ("a number above 0",)),
    "no unit": (*of_latency("value: 6"), "value: 6", ("unit of latency is None; write d, h, min or s",)),
    "a unit of two meanings": (*of_latency("value: 6, unit: m"), "unit: m", ("unit of latency is 'm'", "m may be a minute or a month")),
    "an extended value": (*of_latency("value: 6, unit: h, valueExt: 8"), "valueExt", ("valueExt of latency", "one value")),
    "a schedule": (*of_latency("value: 6, unit: h, schedule: 0 1 * * *"), "schedule", ("schedule of latency", "customProperties entry")),
    "a property of one's own": (*of_latency("value: 6, unit: h, customProperties: [{property: x, value: 1}]"), "latency",
                                ("customProperties of latency",)),
    "a driver that is none": (*of_latency("value: 6, unit: h, driver: business"), "business", ("regulatory, analytics or operational",)),
    "a column of a source": (*of_latency("value: 6, unit: h, element: users.email"), "element",
                             ("element of latency is of no use", "only latency of a product")),
    "a column that is no time": (GLUCOSE, OF_PRODUCT, "  - {property: latency, value: 3, unit: d, element: glucose_daily.readings}\n",
                                 "latency", ("element readings cannot be held", "name one of observed_on")),
    "a column of another product": (GLUCOSE, OF_PRODUCT, "  - {property: latency, value: 3, unit: d, element: optin_rates.observed_on}\n",
                                    "latency", ("element optin_rates.observed_on cannot be held", "did you mean observed_on?")),
    "twice": (APP, LATENCY, LATENCY * 2, "latency", ("latency is promised twice; keep one",)),
    "more often than its schedule": (APP, FREQUENCY, "  - {property: frequency, value: 1, unit: d}\n", "frequency",
                                     ("frequency of 1 d cannot be held", "'0 2 * * *' pauses for 1 d", "a denser schedule")),
    "a screen of what is not screened": (STUDY, FREQUENCY, FREQUENCY + "  - {property: timeToDetect, value: 1, unit: d}\n", "timeToDetect",
                                         ("nothing of this source is screened", "core.message")),
    "a withdrawal from what nobody consents to": (OPTIN, OF_PRODUCT, "  - {property: timeToRepair, value: 1, unit: d}\n", "timeToRepair",
                                                  ("does not rest on consent",)),
}


@pytest.mark.parametrize("name", CASES)
def test_is_refused_with_its_line_and_what_to_write(name: str, tmp_path: Path) -> None:
    is_refused(CASES[name], tmp_path)


def test_every_source_product_and_partner_that_comes_with_concord_promises_something() -> None:
    known = catalog()
    for contract in (*known.sources.values(), *known.products.values()):
        assert {"latency", "frequency"} <= {level.promise for level in contract.service_levels}, contract.id
    for source in known.sources.values():
        screened = bool(set(source.tables) & set(SCREENED))
        assert ("timeToDetect" in {level.promise for level in source.service_levels}) == screened
    assert {str(level) for level in known.sources["crm"].service_levels} == {"latency 6 h", "frequency 26 h", "timeToDetect 1 d"}


def test_the_names_of_the_standard_are_read_whatever_their_case_and_by_their_synonyms(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "contracts" / APP).read_text("utf-8").replace("id: adherence_app\n", "id: other_app\n", 1)
    for there, instead in ((LATENCY, "  - {property: LATENCY, value: 90, unit: minutes}\n"), (FREQUENCY, "  - {property: fy, value: 2, unit: days}\n")):
        assert there in text
        text = text.replace(there, instead)
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "other_app.yaml").write_text(text, "utf-8")
    monkeypatch.setenv("CONCORD_CONTRACTS", str(tmp_path))
    assert {str(level) for level in catalog().sources["other_app"].service_levels} >= {"latency 90 min", "frequency 2 d"}


@pytest.mark.parametrize(("schedule", "hours"), [
    ("0 2 * * *", 24), ("30 * * * *", 1), ("0 6,18 * * *", 12), ("0 6,8 * * *", 22), ("0 2 * * 1", 7 * 24), ("0 8-18 * * 1-5", 62),
    ("*/15 * * * *", 0.25), ("0 2 1 * *", 31 * 24)])
def test_the_longest_pause_of_a_schedule(schedule: str, hours: float) -> None:
    assert longest_pause(schedule) == timedelta(hours=hours)


def test_what_is_screened_is_what_the_screen_reads() -> None:
    assert {table.removeprefix("core.") for table in SCREENED} == set(KINDS)


def test_a_level_that_went_or_takes_longer_is_laxer() -> None:
    one, two = (ServiceLevel(promise="latency", within=timedelta(hours=n), element=None, driver=None) for n in (1, 2))
    assert laxer([one], [two]) and laxer([one], []) and not laxer([two], [one]) and not laxer([], [two])
