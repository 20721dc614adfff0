"""From the standard's ``slaProperties`` to the service levels and duties that somebody holds, or a clear refusal.

Names and units are those of the Open Data Contract Standard 3.1, whose names are of the Data QoS table. What each means here:

=============  ==========  ==================================================================================
latency        source      from when a batch was received, or a run was to fetch it, to when it is in core
latency        product     from when what it is made of changed to the release that has it; with ``element``, a column,
                           how old its newest value may be
frequency      source      between two answers of the source; one that brings nothing new is an answer
frequency      product     between two looks that found the release to be what would be made then
timeToDetect   source      from when a batch was received to when it was screened for adverse events
timeToRepair   product     from a withdrawal to the first release without the person
timeToNotify   recipient   from a withdrawal to the recall that tells the recipient
=============  ==========  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, Literal

from croniter import croniter
from open_data_contract_standard.model import OpenDataContractStandard, ServiceLevelAgreementProperty

from contracts.places import near
from contracts.quality import Limit, Must, RuleError, Severity, SqlRule
from contracts.table import Frozen, Table

if TYPE_CHECKING:
    from contracts.model import Product, Source

Promise = Literal["latency", "frequency", "timeToDetect", "timeToRepair", "timeToNotify"]
KEPT: dict[str, tuple[Promise, ...]] = {"source": ("latency", "frequency", "timeToDetect"),
                                        "product": ("latency", "frequency", "timeToRepair"), "recipient": ("timeToNotify",)}
NAMES: dict[str, Promise] = {"latency": "latency", "ly": "latency", "frequency": "frequency", "fy": "frequency",
                             "timetodetect": "timeToDetect", "td": "timeToDetect", "timetorepair": "timeToRepair",
                             "tr": "timeToRepair", "timetonotify": "timeToNotify", "tn": "timeToNotify"}
ELSEWHERE = {"retention": "write customProperties retentionDays", "re": "write customProperties retentionDays"}
UNITS = {name: size for names, size in ((("d", "day", "days"), 86_400), (("h", "hr", "hour", "hours"), 3_600),
                                        (("min", "minute", "minutes"), 60), (("s", "sec", "second", "seconds"), 1))
         for name in names}
UNKEPT = {"valueExt": "a level has one value", "scheduler": "schedule of a source is a customProperties entry",
          "schedule": "schedule of a source is a customProperties entry", "customProperties": "nobody reads them here"}
SCREENED = ("core.message", "core.interaction", "core.observation")  # What is looked through for adverse events.
MOST_DAYS = 400


class ServiceLevel(Frozen):
    """What a contract promises: ``promise`` within a time. ``element`` is a product's column whose newest value is meant.

    ``driver``: why it matters, in the standard's words.
    """

    promise: Promise
    within: timedelta
    element: str | None
    driver: Literal["regulatory", "analytics", "operational"] | None

    @property
    def name(self) -> str:
        """The promise and its column; no other level of a contract is called so."""
        return self.promise if self.element is None else f"{self.promise} of {self.element}"

    def __str__(self) -> str:
        return f"{self.name} {span(self.within)}"


def span(time: timedelta) -> str:
    """A time in the largest unit that says it in whole numbers: 2 d, 26 h, 90 min, 10 s."""
    seconds = time.total_seconds()
    unit = next((u for u in ("d", "h", "min") if seconds % UNITS[u] == 0), "s")
    return f"{seconds / UNITS[unit]:g} {unit}"


def service_levels(odcs: OpenDataContractStandard, kind: str) -> tuple[ServiceLevel, ...]:
    """The service levels of a contract of a kind of ``KEPT``. Raises RuleError."""
    made = tuple(_level(entry, kind, str(odcs.id)) for entry in odcs.slaProperties or [])
    for level in made:
        if [other.name for other in made].count(level.name) > 1:
            raise RuleError(f"{level.name} is promised twice; keep one", "slaProperties", level.promise)
    return made


def _level(entry: ServiceLevelAgreementProperty, kind: str, contract: str) -> ServiceLevel:
    said = str(entry.property)
    place = ("slaProperties", said)
    promise = NAMES.get(said.lower())
    if promise not in KEPT[kind]:
        instead = ELSEWHERE.get(said.lower(), f"of a {kind} there are {', '.join(KEPT[kind])}{near(said, KEPT[kind])}; write one "
                                              "of them, or take it out")
        raise RuleError(f"{said} of a {kind} is promised, but nobody would hold it: {instead}", *place)
    for key, why in UNKEPT.items():
        if getattr(entry, key) is not None:
            raise RuleError(f"{key} of {said} is read by nobody: {why}; take it out", *place, key)
    if not _is_number(entry.value):
        raise RuleError(f"value of {said} is {entry.value!r}; write a number above 0, and unit: h", *place, "value")
    if entry.unit not in UNITS:
        raise RuleError(f"unit of {said} is {entry.unit!r}; write d, h, min or s (m may be a minute or a month)", *place,
                        *(("unit",) if entry.unit else ()))
    if entry.driver not in (None, "regulatory", "analytics", "operational"):
        raise RuleError(f"driver of {said} is {entry.driver!r}; write regulatory, analytics or operational", *place, "driver")
    if entry.element is not None and (kind, promise) != ("product", "latency"):
        raise RuleError(f"element of {said} is of no use: only latency of a product may be about a column; take it out", *place,
                        "element")
    within = timedelta(seconds=float(entry.value) * UNITS[str(entry.unit)])  # type: ignore[arg-type]
    element = entry.element.removeprefix(f"{contract}.") if entry.element else None
    return ServiceLevel(promise=promise, within=within, element=element, driver=entry.driver)  # type: ignore[arg-type]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e6


@cache
def longest_pause(schedule: str) -> timedelta:
    """The longest time between two runs of a cron schedule within a year or so."""
    minutes, hours = croniter.expand(schedule)[0][:2]
    times = sorted(timedelta(hours=h, minutes=m) for h in _all(hours, 24) for m in _all(minutes, 60))
    within_a_day = max((later - earlier for earlier, later in pairwise(times)), default=timedelta(0))
    return max(within_a_day, _longest_days(schedule) - (times[-1] - times[0]))


def _all(field: list[Any], size: int) -> list[int]:
    """The numbers of a field of a cron schedule, in which a star stands for all."""
    return list(range(size)) if "*" in field else [int(n) for n in field]


def _longest_days(schedule: str) -> timedelta:
    """The most days between two on which it runs."""
    if schedule.split()[2:] == ["*"] * 3:
        return timedelta(days=1)
    days = croniter(" ".join(["0 0", *schedule.split()[2:]]), datetime(2026, 1, 1, tzinfo=UTC), ret_type=datetime)
    return max(later - earlier for earlier, later in pairwise(islice(days, MOST_DAYS)))


def refuse_unfit_source(source: Source) -> None:
    """Raise ValueError where a source promises what its own schedule or feeds do not allow."""
    for level in source.service_levels:
        pause = longest_pause(source.schedule) if level.promise == "frequency" else None
        if pause is not None and level.within <= pause:
            raise ValueError(f"frequency of {span(level.within)} cannot be held: schedule {source.schedule!r} pauses for "
                             f"{span(pause)}; write more than that, with time to fetch, or a denser schedule")
        if level.promise == "timeToDetect" and not set(source.tables) & set(SCREENED):
            raise ValueError("timeToDetect is of no use: nothing of this source is screened for adverse events; take it out, "
                             f"or feed one of {', '.join(SCREENED)}")


def refuse_unfit_product(product: Product) -> None:
    """Raise ValueError where a product promises what its columns or its legal basis do not allow."""
    columns = {column.name: column for column in product.table.columns}
    of_time = [name for name, column in columns.items() if column.type in ("date", "timestamp")]
    for level in product.service_levels:
        if level.element is not None and level.element not in of_time:
            raise ValueError(f"latency of element {level.element} cannot be held: it is no date or timestamp of this product"
                             f"{near(level.element, of_time)}; name one of {', '.join(of_time) or 'none that there is'}")
        if level.promise == "timeToRepair" and not product.legal_basis.rests_on_consent:
            raise ValueError("timeToRepair is of no use: nobody withdraws from a product that does not rest on consent; take it "
                             "out")


def newest(level: ServiceLevel, table: Table) -> SqlRule | None:
    """The rule that a candidate's newest value of a column is no older than a level allows; it is reported, and stops nothing.

    None where the level is about no column of time. A day counts from its end, an empty candidate as too old.
    """
    column = next((c for c in table.columns if c.name == level.element and c.type in ("date", "timestamp")), None)
    if column is None:
        return None
    last = f"max({column.name})" if column.type == "timestamp" else f"CAST(date_add(max({column.name}), 1) AS TIMESTAMP)"
    age = f"unix_timestamp(current_timestamp()) - unix_timestamp({last})"
    limit = Limit(must=Must.BE_LESS_OR_EQUAL_TO, numbers=(level.within.total_seconds(),))
    return SqlRule(name=f"latency_of_{column.name}", description=f"The newest {column.name} is at most {span(level.within)} old.",
                   severity=Severity.WARN, column=None, query=f"SELECT {age} FROM {{batch}}", limit=limit)  # noqa: S608


def laxer(old: Iterable[ServiceLevel], new: Iterable[ServiceLevel]) -> bool:
    """Whether a level went, or may take longer than it was allowed."""
    now = {level.name: level.within for level in new}
    return any(level.name not in now or now[level.name] > level.within for level in old)
