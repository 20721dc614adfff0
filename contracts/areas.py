"""Areas that a postcode or a region code may be cut to, and those in which too few people live to be told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scheme = Literal["us_zip3", "postcode2", "nuts1", "nuts2", "nuts3"]
MERGED = "000"  # What the areas with too few people are called together.


@dataclass(frozen=True)
class Area:
    """How codes of a scheme are written (a regular expression of the whole code), and how many signs name the area.

    ``too_small``: the areas that are not named.
    """

    written: str
    signs: int
    too_small: tuple[str, ...] = ()


# 45 CFR 164.514(b)(2)(i)(B): the first three digits of a ZIP code, or 000 where 20,000 people or fewer live. Those are the
# ZIP code tabulation areas of the Census of 2000 (17, named in HHS's guidance of 26 November 2012) and of 2010 together:
# who was too few in either is not named.
SMALL_ZIP3 = ("036", "059", "063", "102", "203", "205", "369", "556", "692", "753", "772", "790", "821", "823", "830", "831",
              "878", "879", "884", "890", "893")
# No area of people at all: the armed forces abroad, and organisations with a prefix of their own (the tax service has 555 and
# 733, the government 569).
NOBODYS_ZIP3 = (*(f"09{n}" for n in range(10)), "340", "962", "963", "964", "965", "966", "555", "569", "733")
# Regulation (EC) 1059/2003: a country of two letters, then one sign a level; 150,000 to 800,000 people in one of level 3.
NUTS = ("(AL|AT|BE|BG|CH|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IS|IT|LI|LT|LU|LV|ME|MK|MT|NL|NO|PL|PT|RO|RS|SE|SI|SK|TR|UK)"
        "([0-9][0-9A-Z]{2}|[A-Z]([0-9][0-9A-Z]|[A-Z][0-9]))")
# Two digits of five: a Leitregion of Germany, a departement of France, a province of Spain, a few of Italy. The smallest are
# Lozere (48, 76,000 people), Ceuta (51) and Melilla (52, some 85,000 each), and Monaco, which shares 98.
AREAS: dict[str, Area] = {
    "us_zip3": Area("[0-9]{5}(-?[0-9]{4})?", 3, (*SMALL_ZIP3, *NOBODYS_ZIP3)), "postcode2": Area("[0-9]{5}", 2),
    "nuts1": Area(NUTS, 3), "nuts2": Area(NUTS, 4), "nuts3": Area(NUTS, 5)}
