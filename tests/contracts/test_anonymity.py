"""What contracts ask of the groups of an extract, and the hierarchies that they name: good ones, and broken ones with their line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from contracts import ContractError, catalog, hierarchies, life
from contracts.anonymity import Anonymity
from contracts.compare import between
from contracts.load import check_files, one
from contracts.steps import steps_of
from tests.contracts.broken import OWN, PARTNER, Case, is_refused

QUASI = "quasiIdentifiers: {observed_on: exact, readings: readings_a_day}"
SENSITIVE = "sensitive: {time_in_range_percent: {l: 2, t: null}}"
READINGS = """        description: Number of readings, or the band of numbers in which it lies.
        logicalType: string
        physicalType: string
        required: true
        logicalTypeOptions: {pattern: '^([0-9]+|<[0-9]+|>=[0-9]+|\\[[0-9]+, [0-9]+\\)|\\*)$'}
"""
AS_IT_IS = """        description: Number of readings.
        logicalType: integer
        physicalType: long
        required: true
"""
SAID = """  - property: anonymity
    value:
      quasiIdentifiers: {observed_on: exact, readings: readings_a_day}
      k: 7
      suppressPercent: 100
      sensitive: {time_in_range_percent: {l: 2, t: null}}
      reason: null
"""
NULL = "  - {property: anonymity, value: null}\n"
CANARY = "10115"

CASES: dict[str, Case] = {
    "nothing said": (PARTNER, SAID, "", "apiVersion", ("anonymity is missing; it has no default",)),
    "null": (PARTNER, SAID, NULL, "anonymity", ("anonymity: is None; write for example {quasiIdentifiers: {observed_on: exact}",)),
    "no suppressPercent": (PARTNER, "      suppressPercent: 100\n", "", "anonymity", ("anonymity.suppressPercent is missing; it has no default",)),
    "no reason": (PARTNER, "      reason: null\n", "", "anonymity", ("anonymity.reason is missing; it has no default",)),
    "no t": (PARTNER, "{l: 2, t: null}", "{l: 2}", "time_in_range_percent", ("anonymity.sensitive.time_in_range_percent.t is missing",)),
    "neither l nor t": (PARTNER, "{l: 2, t: null}", "{l: null, t: null}", "time_in_range_percent", ("asks for nothing; write l, t or both",)),
    "k of one": (PARTNER, "      k: 7", "      k: 1", "k: 1", ("anonymity.k: Input should be greater than or equal to 2",)),
    "misspelt": (PARTNER, "      suppressPercent", "      supressPercent", "property: anonymity", ("supressPercent is not known (did you mean suppressPercent?)",)),
    "a column that is none": (PARTNER, "{observed_on: exact,", "{day: exact,", "anonymity", ("anonymity names day, which is no column",)),
    "a sensitive column that is none": (PARTNER, "{time_in_range_percent: {l", "{range: {l", "anonymity", ("anonymity names range, which is no column",)),
    "the pseudonym": (PARTNER, "{observed_on: exact,", "{person_id: exact,", "anonymity", ("person_id, which is the pseudonym",)),
    "quasi and sensitive": (PARTNER, "{time_in_range_percent: {l", "{readings: {l", "anonymity", ("readings as quasi-identifier and as sensitive",)),
    "none without a reason": (PARTNER, QUASI, "quasiIdentifiers: {}", "anonymity", ("names no quasiIdentifiers; write in its reason why",)),
    "a reason for nothing": (PARTNER, "reason: null", "reason: nobody knows", "anonymity", ("which is for quasiIdentifiers {}; write reason: null",)),
    "sensitive in one group": (PARTNER, f"{QUASI}\n      k: 7\n      suppressPercent: 100\n      {SENSITIVE}\n      reason: null",
                               f"quasiIdentifiers: {{}}\n      k: 7\n      suppressPercent: 100\n      {SENSITIVE}\n      reason: not known", "anonymity",
                               ("sensitive columns without quasiIdentifiers",)),
    "a number that is generalised": (PARTNER, READINGS, AS_IT_IS, "name: readings", (
        "column readings is generalised by anonymity, so it leaves as a label and not as long", "physicalType: string", "{readings: exact}")),
    "a day that is generalised": (PARTNER, "{observed_on: exact,", "{observed_on: made,", "name: observed_on", (
        "column observed_on is generalised by anonymity", "not as date", "physicalType: string", "{observed_on: exact}")),
    "a hierarchy that there is not": (PARTNER, "readings: readings_a_day}", "readings: readings_per_day}", "readings_per_day", (
        "anonymity names hierarchy 'readings_per_day'", "did you mean readings_a_day?", "write made, exact, or the name of one of readings_a_day")),
}


@pytest.mark.parametrize("name", CASES)
def test_is_refused_with_its_line_and_what_to_write(name: str, tmp_path: Path) -> None:
    is_refused(CASES[name], tmp_path)


def partner(folder: Path, *edits: tuple[str, str]) -> Path:
    """The partner's contract, edited, with hierarchies of its own beside it."""
    text, path = (OWN / PARTNER).read_text("utf-8"), folder / PARTNER
    for before, after in edits:
        assert before in text, before
        text = text.replace(before, after)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    if not (folder / hierarchies.FOLDER).exists():
        shutil.copytree(OWN / hierarchies.FOLDER, folder / hierarchies.FOLDER)
    return path


DAY_OF_KEY = "        primaryKey: true\n        primaryKeyPosition: 2\n        transformSourceObjects: [product.glucose_daily.observed_on]"
DAY = "transformSourceObjects: [product.glucose_daily.observed_on]"


def test_what_is_generalised_is_no_key_and_rows_without_a_key_are_sound(tmp_path: Path) -> None:
    labels = (("logicalType: date\n        physicalType: date", "logicalType: string\n        physicalType: string"), ("{observed_on: exact,", "{observed_on: made,"))
    with pytest.raises(ContractError, match="column observed_on is in the primary key and generalised"):
        check_files([partner(tmp_path, *labels)])
    persons = ("        primaryKey: true\n        primaryKeyPosition: 1\n", "")
    check_files([partner(tmp_path, *labels, (DAY_OF_KEY, f"        {DAY}"), persons)])
    with pytest.raises(ContractError, match="schema has no key"):
        check_files([partner(tmp_path, (QUASI, "quasiIdentifiers: {observed_on: exact}"), (DAY_OF_KEY, f"        {DAY}"), persons)])


def test_an_edited_hierarchy_is_another_contract_and_voids_its_review(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = partner(tmp_path)
    rule = tmp_path / hierarchies.FOLDER / "readings_a_day.yaml"
    before = one(path)
    assert before.hierarchies[0].told("6") == ("[6, 7)", "[5, 7)", "[5, 24)", "<24")
    assert before.sha256 == catalog().recipients["glycemia_institute"].sha256
    monkeypatch.setattr("contracts.life.folders", lambda: (tmp_path,))
    files = life.reviewable()["recipients/glycemia_institute"]
    assert files == (path, rule)
    fingerprint = life.fingerprint(files)
    rule.write_text(rule.read_text("utf-8").replace(", 96]", ", 97]"), "utf-8")
    assert one(path).sha256 != before.sha256 and life.fingerprint(files) != fingerprint
    assert ("hierarchies", "readers") in [(c.place, c.breaks) for c in between(OWN / PARTNER, path).changes]


@pytest.mark.parametrize(("name", "content", "said"), [
    ("place.csv", "", "place.csv:1: is empty"), ("place.csv", f"{CANARY}\n", "place.csv:1: has 1 levels"),
    ("place.csv", f"{CANARY};a;b\n10117;a\n", "place.csv:2: has 2 levels, the first line 3"),
    ("place.csv", f"{CANARY};a\n{CANARY};b\n", "place.csv:2: has a value that a line above has"),
    ("place.csv", f"{CANARY};\n", "place.csv:1: has an empty level"),
    ("place.csv", f"{CANARY},a,x\n10117,a,y\n", "place.csv:2: level 2 tells values apart that level 1 joins"),
    ("place.txt", "", "place.txt:1: is no hierarchy"), ("made.csv", "1;2\n", "made is what contracts write"),
    ("days.yaml", "calendar: [month]\n", "description is missing"), ("days.yaml", "description: x\n", "has both edges and calendar, or neither"),
    ("days.yaml", "description: x\nedges: [[1]]\ncalendar: [month]\n", "has both edges and calendar"),
    ("days.yaml", "description: x\ncalender: [month]\n", "calender is not known (did you mean calendar?)"),
    ("days.yaml", "description: x\ncalendar: []\n", "calendar is no list"), ("days.yaml", "description: x\ncalendar: [moon]\n", "calendar names 'moon'"),
    ("days.yaml", "description: x\ncalendar: [week, month]\n", "month above week, which tells days apart that are joined there"),
    ("days.yaml", "description: x\ncalendar: [year, year]\n", "above year may stand nothing but *"),
    ("doses.yaml", "description: x\nedges: [1, 2]\n", "edges is no list of lists"), ("doses.yaml", "description: x\nedges: [[1, x]]\n", "what is no number"),
    ("doses.yaml", "description: x\nedges: [[2, 1]]\n", "edges of a level must ascend"),
    ("doses.yaml", "description: x\nedges: [[1, .nan]]\n", "edges of a level must ascend"),
    ("doses.yaml", "description: x\nedges: [[1, 5], [3]]\n", "edges of level 2 are not fewer of those of level 1"),
    ("doses.yaml", "description: x\nedges: [[1, 5], [1, 5]]\n", "or join none"),
])
def test_a_broken_hierarchy_is_refused_and_no_value_of_it_is_quoted(tmp_path: Path, name: str, content: str, said: str) -> None:
    folder = tmp_path / hierarchies.FOLDER
    folder.mkdir()
    (folder / name).write_text(content, "utf-8")
    with pytest.raises(ContractError) as caught:
        hierarchies.check([tmp_path])
    assert said in str(caught.value) and CANARY not in str(caught.value), str(caught.value)


def test_two_hierarchies_of_one_name_are_refused(tmp_path: Path) -> None:
    for root, name in (("one", "place.csv"), ("other", "place.csv")):
        (tmp_path / root / hierarchies.FOLDER).mkdir(parents=True)
        (tmp_path / root / hierarchies.FOLDER / name).write_text("1;2\n", "utf-8")
    with pytest.raises(ContractError, match="is called like"):
        hierarchies.check([tmp_path / "one", tmp_path / "other"])


def test_check_reads_hierarchies_that_nobody_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / hierarchies.FOLDER).mkdir()
    (tmp_path / hierarchies.FOLDER / "place.csv").write_text("1;a\n1;b\n", "utf-8")
    monkeypatch.setenv("CONCORD_CONTRACTS", str(tmp_path))
    with pytest.raises(ContractError, match=r"place.csv:2: has a value that a line above has"):
        check_files([])


@pytest.mark.parametrize(("rule", "told"), [
    ({"edges": [[4, 8, 16], [8]]}, {"3": ("<4", "<8"), "4": ("[4, 8)", "<8"), "7.5": ("[4, 8)", "<8"), "16": (">=16", ">=8"), "-1e3": ("<4", "<8")}),
    ({"edges": [[0.5, 10]]}, {"0.5": ("[0.5, 10)",), "inf": (">=10",), "10": (">=10",)}),
    ({"calendar": ["month", "quarter", "year"]}, {"2026-11-30": ("2026-11", "2026-Q4", "2026"), "0001-01-01": ("0001-01", "0001-Q1", "0001")}),
    ({"calendar": ["week"]}, {"2026-12-31": ("2026-W53",), "2027-01-01": ("2026-W53",), "2027-01-04 10:00:00": ("2027-W01",)}),
])
def test_what_a_rule_tells(rule: dict[str, object], told: dict[str, tuple[str, ...]]) -> None:
    made = hierarchies.Declared("rule", "0", {}, steps_of({"description": "For a test.", **rule}))
    assert {value: made.told(value) for value in told} == told
    assert made.told(None) == (None,) * len(next(iter(told.values())))
    assert made.told("nan") is None and made.told("x") is None


def test_a_list_tells_what_it_says_and_of_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "place.csv"
    path.write_text("\ufeff10115;Berlin;DE\n10117;Berlin;DE\n;unknown;unknown\n", "utf-8")
    read = hierarchies.read(path)
    assert (read.told("10117"), read.told(None), read.told("99999")) == (("Berlin", "DE"), ("unknown", "unknown"), None)


def test_what_is_asked_in_words() -> None:
    asked = Anonymity.model_validate({"quasiIdentifiers": {"b": "made", "a": "exact"}, "k": 5, "suppressPercent": 2.5, "sensitive": {"c": {"l": 2, "t": 0.3}},
                                      "reason": None})
    assert str(asked) == "k 5 over a exact, b made; up to 2.5 % suppressed; c l 2 t 0.3"
    assert (asked.generalised, asked.declared, asked.diverse, asked.close) == (("b",), (), {"c": 2}, {"c": 0.3})
