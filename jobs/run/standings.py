"""How the promises of contracts stand, from what the ledgers and the logs of tables tell; Airflow is not asked.

A platform that does not run asks no source and makes no release, and that is seen here. A source that answers with nothing new
has answered: the audit has an entry of each run, changed or not.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any

import pyarrow.compute as pc

from contracts.load import Catalog
from contracts.model import Contract, Product, Recipient, Source
from contracts.service_levels import ServiceLevel
from jobs.breaches import Span, Standing
from jobs.lake import Lake
from jobs.ledger import audit, batches, extracts, releases, withdrawals
from jobs.run.consent import LINK, SAID, TABLES
from jobs.run.product import candidate_id
from jobs.stamps import changes, moment

Rows = list[dict[str, Any]]


class Seen:
    """What was seen happen in a lake: first runs, runs that ended well, withdrawals, and when tables were written."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self._commits: dict[str, dict[int, datetime]] = {}
        rows = lake.arrow(audit.TABLE, columns=["stage", "subject", "result", "detail", "at"]).to_pylist()
        self._first: dict[tuple[str, str], datetime] = {}
        for row in rows:
            asked = row["stage"], row["subject"]
            self._first[asked] = min(row["at"], self._first.get(asked, row["at"]))
        self.runs: Rows = [row for row in rows if row["result"] != "failed"]

    def begun(self, stage: str, subject: str) -> list[datetime]:
        """When a stage first ran on a subject, well or not: nothing can be late before. Empty where it never did."""
        return [self._first[stage, subject]] if (stage, subject) in self._first else []

    def subjects(self, stage: str) -> set[str]:
        """On what a stage ever ran."""
        return {subject for ran, subject in self._first if ran == stage}

    def of(self, stage: str, subject: str) -> Rows:
        """The runs of a stage on a subject that ended well, the first first."""
        return sorted((r for r in self.runs if (r["stage"], r["subject"]) == (stage, subject)), key=lambda row: row["at"])

    def ends(self, stage: str, subject: str) -> list[datetime]:
        """When they ended."""
        return [row["at"] for row in self.of(stage, subject)]

    def commits(self, table: str) -> dict[int, datetime]:
        """When each version of a table's rows was written."""
        if table not in self._commits:
            self._commits[table] = {entry["version"]: moment(entry) for entry in changes(self.lake.history(table))}
        return self._commits[table]

    def changed(self, tables: Iterable[str], old: Mapping[str, int], new: Mapping[str, int] | None = None) -> datetime | None:
        """When the first of tables got a version after that in ``old``, up to that in ``new`` (None: up to now)."""
        return min((at for table in old.keys() & set(tables) for version, at in self.commits(table).items()
                    if old[table] < version and (new is None or version <= new.get(table, version))), default=None)

    @cached_property
    def withdrawn(self) -> Rows:
        """Every effect of a withdrawal."""
        return list(self.lake.arrow(withdrawals.WITHDRAWAL).to_pylist())


def standings(seen: Seen, contracts: Catalog, may_run: Callable[[Contract], bool]) -> list[Standing]:
    """How each promise of each contract stands, in the order of sources, products and recipients.

    A product that may not run promises nothing. Of a source that may not run nothing is fetched, but what it brought is screened;
    partners are told of withdrawals whatever became of their contract.
    """
    sources = [(source, may_run(source)) for _, source in sorted(contracts.sources.items())]
    products = [product for _, product in sorted(contracts.products.items()) if may_run(product)]
    return [*(s for source, runs in sources for s in _source(seen, source) if runs or s.level.promise == "timeToDetect"),
            *(s for product in products for s in _product(seen, product)),
            *(s for _, recipient in sorted(contracts.recipients.items()) for s in _recipient(seen, recipient))]


def _source(seen: Seen, source: Source) -> Iterator[Standing]:
    landed = batches.of(seen.lake, source.id)
    answers = sorted({*seen.ends("land", source.id), *(batch["landed_at"] for batch in landed)})
    conformed = [batch["conformed_at"] for batch in landed if batch["conformed_at"]]
    screens = seen.ends("screen", source.id)
    screened = [Span(batch["landed_at"], _next(screens, batch["conformed_at"])) for batch in landed]
    about = {"frequency": (_gaps([*seen.begun("land", source.id), *answers]), answers),
             "latency": ([Span(batch["landed_at"], batch["conformed_at"]) for batch in landed],
                         [*conformed, *seen.ends("conform", source.id)]),
             "timeToDetect": (screened, screens)}
    for level in source.service_levels:
        yield _standing(f"source.{source.id}", source.version, level, *about[level.promise], level.promise == "latency")


def _product(seen: Seen, product: Product) -> Iterator[Standing]:
    pins = [pin for pin in releases.of(seen.lake, product.release_group) if pin["product"] == product.id]
    released = [pin["released_at"] for pin in pins]
    looks = sorted({*released, *_found_so(seen, product, pins)})
    for level in product.service_levels:
        about = f"product.{product.id}", product.version, level
        if level.element is not None:
            yield _standing(*about, _newest(seen, product, pins, level.element), released[-1:])
        elif level.promise == "frequency":
            yield _standing(*about, _gaps([*seen.begun("build", product.id), *looks]), looks)
        elif level.promise == "latency":
            rests_on = (*product.inputs, *(TABLES if product.legal_basis.rests_on_consent else (LINK,)))
            yield _standing(*about, _unreleased(seen, product, pins, rests_on), looks)
        else:
            gone = [Span(row["said_at"], row["effective_at"]) for row in seen.withdrawn
                    if (row["effect"], row["product"]) == ("released", product.id)]
            waiting = _unreleased(seen, product, pins, SAID)[-1:] if pins else []
            yield _standing(*about, [*gone, *(span for span in waiting if span.came is None)], released)


def _recipient(seen: Seen, recipient: Recipient) -> Iterator[Standing]:
    """A change of what people say, after which nobody looked whom to recall, counts from that change; nobody had to before the
    first extract was made."""
    rows = extracts.sent(seen.lake, recipient.id)
    delivered, first = {row["extract_id"] for row in rows}, [row["prepared_at"].replace(tzinfo=UTC) for row in rows]
    told = [row for row in seen.withdrawn if row["effect"] == "recalled" and row["subject"].rsplit(".", 1)[0] in delivered]
    looks = seen.ends("recall", recipient.id)
    since = max([*looks, *sorted(first)[:1]], default=datetime.min.replace(tzinfo=UTC))
    changed = min((at for table in SAID for at in seen.commits(table).values() if at > since), default=None)
    waiting = [Span(changed, None)] if changed and delivered else []
    for level in recipient.service_levels:
        yield _standing(f"recipient.{recipient.id}", recipient.version, level,
                        [*(Span(row["said_at"], row["effective_at"]) for row in told), *waiting], looks)


def _standing(subject: str, version: str, level: ServiceLevel, spans: Iterable[Span], kept: Iterable[datetime],
              is_fetched: bool = False) -> Standing:
    return Standing(subject, version, level, tuple(spans), tuple(sorted(kept)), is_fetched)


def _gaps(moments: Iterable[datetime]) -> list[Span]:
    """From each moment to the next, and from the last on."""
    begun = sorted(set(moments))
    return [*(Span(one, other) for one, other in pairwise(begun)), *(Span(last, None) for last in begun[-1:])]


def _next(moments: Sequence[datetime], after: datetime | None) -> datetime | None:
    """The first of some moments, in order, after another."""
    place = len(moments) if after is None else bisect_right(moments, after)
    return moments[place] if place < len(moments) else None


def _found_so(seen: Seen, product: Product, pins: Rows) -> Iterator[datetime]:
    """When a build found that the release of then is what it would make."""
    for run in seen.of("build", product.id):
        before = [pin for pin in pins if pin["released_at"] <= run["at"]]
        if before and json.loads(run["detail"]).get("candidate") == candidate_id(product.id, before[-1]["table_version"]):
            yield run["at"]


def _unreleased(seen: Seen, product: Product, pins: Rows, tables: Iterable[str]) -> list[Span]:
    """From each first change of tables after a release to the next release that has it.

    Before the first release, since there is something of each input and the product was first built.
    """
    tables = tuple(tables)
    versions: list[dict[str, int]] = [json.loads(pin["inputs"]) for pin in pins]
    there = [min((at for version, at in seen.commits(name).items() if version), default=None) for name in product.inputs]
    spans: list[tuple[datetime | None, datetime | None]] = []
    first = seen.begun("build", product.id)
    if first and all(there):
        spans.append((max(at for at in (*there, *first) if at), pins[0]["released_at"] if pins else None))
    for (old, new), pin in zip(pairwise(versions), pins[1:], strict=True):
        spans.append((seen.changed(tables, old, new), pin["released_at"]))
    if versions:
        spans.append((seen.changed(tables, versions[-1]), None))
    return [Span(begun, came) for begun, came in spans if begun is not None]


def _newest(seen: Seen, product: Product, pins: Rows, element: str) -> list[Span]:
    """Since the newest value of a column in the newest release; a day counts from its end."""
    if not pins:
        return []
    rows = seen.lake.arrow(product.table.name, pins[-1]["table_version"], columns=[element])
    value = pc.max(rows[element]).as_py()
    if value is None:
        return []
    if not isinstance(value, datetime):
        value = datetime.combine(value, time(tzinfo=UTC)) + timedelta(days=1)
    return [Span(value, None)]
