"""What each treatment asks of a column: its options, the type it leaves, and nothing by default."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from contracts.areas import Scheme
from contracts.vocabulary import Treatment


class Options(BaseModel):
    """Options of a treatment, written as the column's ``treatmentOptions``; all of them are said."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class DateShift(Options):
    """Days are moved by a number of days of the person's own, up to ``max_days`` either way; by whole weeks to keep weekdays."""

    max_days: Annotated[int, Field(ge=28, le=3650)]
    keep_weekday: bool


class Year(Options):
    """A day becomes its year; years that tell of an age above ``oldest`` on the day of the build become null."""

    oldest: Annotated[int, Field(ge=0, le=150)] | None


class AgeBand(Options):
    """Whole years are put into bands of ``width`` years; 90 and over are one band."""

    width: Annotated[int, Field(ge=1, le=90)]


class Band(Options):
    """Numbers are put into bands [edge, next edge); below the first and from the last on there is one band each."""

    edges: Annotated[tuple[Annotated[float, Field(allow_inf_nan=False)], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ascend(self) -> Band:
        if any(low >= high for low, high in pairwise(self.edges)):
            raise ValueError("edges must ascend, for example [70, 180, 250]")
        return self


class Area(Options):
    """Postcodes or region codes are cut to an area of ``scheme`` (contracts/areas.py)."""

    scheme: Scheme


class Mask(Options):
    """All but the last ``keep_last`` signs are covered, by always the same number of stars."""

    keep_last: Annotated[int, Field(ge=0, le=2)]


AnyOptions = DateShift | Year | AgeBand | Band | Area | Mask
OPTIONS: dict[Treatment, type[AnyOptions]] = {
    Treatment.DATE_SHIFT: DateShift, Treatment.YEAR: Year, Treatment.AGE_BAND: AgeBand, Treatment.BAND: Band,
    Treatment.AREA: Area, Treatment.MASK: Mask}
EXAMPLES = {Treatment.DATE_SHIFT: "{maxDays: 182, keepWeekday: false}", Treatment.YEAR: "{oldest: 89}",
            Treatment.AGE_BAND: "{width: 5}", Treatment.BAND: "{edges: [70, 180]}", Treatment.AREA: "{scheme: us_zip3}",
            Treatment.MASK: "{keepLast: 2}"}
# Types of the columns that they leave; the others leave a column as it is.
LEAVES = {Treatment.DATE_SHIFT: ("date", "timestamp"), Treatment.YEAR: ("int",), Treatment.AGE_BAND: ("string",),
          Treatment.BAND: ("string",), Treatment.AREA: ("string",), Treatment.MASK: ("string",), Treatment.SCRUB: ("string",)}
# Types that they take.
TAKES = {Treatment.DATE_SHIFT: ("date", "timestamp"), Treatment.YEAR: ("date", "timestamp"), Treatment.AGE_BAND: ("int", "long"),
         Treatment.BAND: ("int", "long", "double"), Treatment.AREA: ("string",), Treatment.MASK: ("string",),
         Treatment.SCRUB: ("string",)}


def options_of(treatment: Treatment, said: Any) -> AnyOptions | None:
    """The options of a treatment. Raises ValueError where some are missing, or are of no use."""
    model = OPTIONS.get(treatment)
    if model is None:
        if said is not None:
            raise ValueError(f"treatmentOptions are of no use with treatment {treatment}; take them out")
        return None
    if not isinstance(said, (dict, Options)):
        raise ValueError(f"treatment {treatment} needs treatmentOptions; write for example {{property: treatmentOptions, "
                         f"value: {EXAMPLES[treatment]}}}")
    try:
        return model.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"])
        raise ValueError(f"treatmentOptions{' ' + place if place else ''}: {first['msg'].removeprefix('Value error, ')}; write "
                         f"for example {EXAMPLES[treatment]}") from None


def refuse_unfit(treatment: Treatment, type_: str) -> None:
    """Raise ValueError where a column's type is not what its treatment leaves."""
    left = LEAVES.get(treatment)
    if left is not None and type_ not in left:
        raise ValueError(f"treatment {treatment} leaves {' or '.join(left)}, but the column is {type_}; correct physicalType")
