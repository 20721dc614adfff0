"""Rules of countries for what people say about their data: contract data that the permit stage is asked with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pydantic
import yaml
from pydantic import Field

from contracts.places import read
from contracts.table import Frozen

FILE = "jurisdictions.yaml"
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class Jurisdiction(Frozen):
    """A country's rules, in years and days, and the law they come from. Nothing has a default."""

    country: Country
    age_of_majority: Annotated[int, Field(ge=0, le=30)]
    age_of_digital_consent: Annotated[int, Field(ge=0, le=30)]
    lapses_after_days: Annotated[int, Field(gt=0)] | None
    source: Annotated[str, Field(min_length=1)]


class JurisdictionError(ValueError):
    """Rules that are refused: file, line, what is wrong."""


def load(path: Path) -> dict[str, Jurisdiction]:
    """The rules in a file, by country. Raises JurisdictionError."""
    try:
        data, places = read(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise JurisdictionError(f"{path}:{line}: is not YAML ({getattr(error, 'problem', error)})") from None
    if not isinstance(data, dict):
        raise JurisdictionError(f"{path}:1: is not a mapping of countries, for example DE: {{ageOfMajority: 18, ...}}")
    found = {}
    for country, rules in data.items():
        try:
            found[country] = Jurisdiction(country=country, **_mapping(rules))
        except (pydantic.ValidationError, TypeError) as error:
            raise JurisdictionError(f"{path}:{places.at([country])}: {country}: {_said(error)}") from None
    return found


def _mapping(rules: Any) -> dict[str, Any]:
    if not isinstance(rules, dict):
        raise TypeError("is not a mapping; write ageOfMajority, ageOfDigitalConsent, lapsesAfterDays and source")
    return rules


def _said(error: pydantic.ValidationError | TypeError) -> str:
    if isinstance(error, TypeError):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
