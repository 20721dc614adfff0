"""Ages above the highest that is told apart: quantities of that much time, observations that are an age or a year of birth."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from contracts.deidentification import Profile

UCUM = "http://unitsofmeasure.org"
DAYS = Decimal(365)
# UCUM's codes of time, which tell a from A (ampere), and the words that are written for them; in years.
CODES = {"a": Decimal(1), "mo": Decimal(1) / 12, "wk": 7 / DAYS, "d": 1 / DAYS, "h": 1 / (24 * DAYS), "min": 1 / (1440 * DAYS),
         "s": 1 / (86400 * DAYS)}
WORDS = {**CODES, **{word: years for code, words in {
    "a": ("yr", "yrs", "year", "years", "y"), "mo": ("month", "months"), "wk": ("week", "weeks"), "d": ("day", "days"),
    "h": ("hour", "hours"), "min": ("minute", "minutes"), "s": ("second", "seconds")}.items()
    for word in words for years in (CODES[code],)}}
TIMED = ("Age", "Duration", "Quantity", "Count", "Distance")
NUMBERS, RANGES = ("valueInteger", "valueDecimal", "detailInteger"), ("valueRange", "detailRange", "valueRatio", "detailRatio")
SAYS_WHAT = ("code", "measure", "type")  # Where an observation, a target of a goal and an input of a task say what they are.


def capped(kind: str, content: dict[str, Any], profile: Profile, on: date) -> dict[str, Any]:
    """An element's content with ages above the highest as one more than it, and without years of birth of such an age."""
    if kind in TIMED:
        return _time(content, profile.oldest + 1, must_be_time=kind == "Age")
    codes = {code for name in SAYS_WHAT for code in _codes(content.get(name))}
    if codes & {*profile.fhir.year_codes}:
        return {name: value for name, value in content.items() if not _is_year_before(value, on.year - profile.oldest)}
    if not codes & {*profile.fhir.age_codes}:
        return content
    left = {name: value for name, value in content.items() if name not in RANGES}
    for name in NUMBERS:
        if name in left and isinstance(left[name], (int, float, Decimal)):
            left[name] = min(left[name], profile.oldest + 1)
    for name in ("valueQuantity", "detailQuantity"):
        if isinstance(left.get(name), dict):
            left[name] = _time(left[name], profile.oldest + 1, must_be_time=True)
    return left


def _codes(concept: Any) -> list[str]:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    if not isinstance(codings, list):
        return []
    return [c["code"] for c in codings if isinstance(c, dict) and isinstance(c.get("code"), str)]


def _time(quantity: dict[str, Any], limit: int, must_be_time: bool) -> dict[str, Any]:
    """A quantity; if it is of time and as long as ``limit`` years, that alone. Nothing, where it must be a time and is none."""
    code, unit, value = quantity.get("code"), quantity.get("unit"), quantity.get("value")
    known = [years for years in (CODES.get(code) if isinstance(code, str) else None,
                                 WORDS.get(unit.strip().lower()) if isinstance(unit, str) else None) if years]
    if must_be_time and not (code or unit):
        known = [CODES["a"]]
    if not known or isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return {} if must_be_time else quantity
    if Decimal(value) < limit / max(known):
        return quantity
    return {"value": limit, "comparator": ">=", "unit": "a", "system": UCUM, "code": "a"}


def _is_year_before(value: Any, year: int) -> bool:
    number = value.get("value") if isinstance(value, dict) else value
    return isinstance(number, (int, float, Decimal)) and not isinstance(number, bool) and number < year
