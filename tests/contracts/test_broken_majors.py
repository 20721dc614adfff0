"""Majors of a product that cannot stand side by side, and ends that nobody could keep to."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from contracts.load import ContractError, check_files
from contracts.majors import addressed, has_ended, next_major, notice
from contracts.model import Product, Retirement
from tests.contracts.broken import GLUCOSE, OWN, Case, is_refused, second

KEPT = "  - {property: retentionDays, value: 1825}\n"


def ending(value: str) -> str:
    return f"{KEPT}  - {{property: retirement, value: {value}}}\n"


CASES: dict[str, Case] = {
    "another major in its place": (GLUCOSE, "version: 1.0.0", "version: 2.0.0", "version: 2.0.0",
                                   ("glucose_daily is major 1", "write it into glucose_daily_v2.yaml")),
    "an end that its status does not say": (GLUCOSE, KEPT, ending("{date: 2027-06-30, replacedBy: null}"), "status: active",
                                            ("write status: deprecated",)),
    "deprecated, but until when?": (GLUCOSE, "status: active", "status: deprecated", "status: deprecated",
                                    ("does not say until when", "{property: retirement, value: {date: ")),
    "a day that there is not": (GLUCOSE, KEPT, ending('{date: "2027-06-31", replacedBy: null}'), "2027-06-31", ("retirement.date",)),
    "no word on who takes its place": (GLUCOSE, KEPT, ending("{date: 2027-06-30}"), "retirement", ("replacedBy is missing",)),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused(tmp_path: Path, case: str) -> None:
    is_refused(CASES[case], tmp_path)


@pytest.mark.parametrize(("name", "edits", "said"), [
    ("glucose_daily_v1", (("_v2", "_v1"), ("version: 2.0.0", "version: 1.0.0")), "the first major of a product has no number; write glucose_daily"),
    ("glucose_daily_v2", (("version: 2.0.0", "version: 1.9.0"),), "version 1.9.0 is major 1, but glucose_daily_v2 is major 2.*glucose_daily.yaml"),
    ("glucose_daily_v2", (("status: active", "status: deprecated"), (KEPT, ending("{date: 2027-06-30, replacedBy: glucose_dayly}"))),
     r"yaml:30: replacedBy names 'glucose_dayly'.*did you mean glucose_daily")])
def test_a_name_that_is_not_its_major_s_is_refused(tmp_path: Path, name: str, edits: tuple[tuple[str, str], ...], said: str) -> None:
    text, path = second((OWN / GLUCOSE).read_text("utf-8")), tmp_path / "products" / f"{name}.yaml"
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    path.parent.mkdir()
    path.write_text(text, "utf-8")
    with pytest.raises(ContractError, match=said):
        check_files([path])


def test_names_of_majors() -> None:
    assert [addressed(n) for n in ("a", "a@1", "a@2", "a_v2", "a@x")] == ["a", "a", "a_v2", "a_v2", "a@x"]
    assert (next_major("a"), next_major("a_v9")) == ("a_v2", "a_v10")


def test_readers_are_told_for_thirty_days_and_afterwards() -> None:
    product = Product.model_construct(id="a", version="1.2.0", status="deprecated",
                                      retirement=Retirement.model_validate({"date": "2027-06-30", "replacedBy": "a_v2"}))
    assert notice(product, date(2027, 5, 30)) is None and not has_ended(product, date(2027, 6, 30))
    assert notice(product, date(2027, 5, 31)) == "a 1.2.0 is made until 2027-06-30 only; go over to a_v2"
    assert has_ended(product, date(2027, 7, 1))
    assert "is not made any more since 2027-06-30, and people who withdrew" in str(notice(product, date(2027, 7, 1)))
    assert "is not made any more, and" in str(notice(product.model_copy(update={"status": "retired", "retirement": None}), date(2027, 1, 1)))
