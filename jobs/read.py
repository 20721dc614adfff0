"""Reading released products: every reader goes through the pin and sees one release, never a candidate.

>>> from jobs.read import released
>>> released("glucose_daily").pandas()          # doctest: +SKIP
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from contracts import catalog, consent_loss
from contracts.load import Catalog
from contracts.majors import addressed, notice
from jobs.errors import LakeError
from jobs.lake import Lake
from jobs.ledger import releases, withdrawals
from jobs.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession


class RetiredProduct(UserWarning):
    """A product is read that is not made any more, or not for long."""


class SupersededRelease(UserWarning):
    """A release is read that holds people who do not permit it any more."""


@dataclass(frozen=True)
class Released:
    """One product as one release pinned it.

    ``superseded`` says why the release is good for replay only; None where it is not superseded. ``false_match_rate`` and
    ``missed_match_rate``: the shares of links of its people that are expected to be wrong, and of matches expected to be missing;
    None where no model weighed them.
    """

    product: str
    release: int
    path: str
    version: int
    lake: Lake = field(repr=False)
    superseded: str | None = None
    false_match_rate: float | None = None
    missed_match_rate: float | None = None

    def arrow(self) -> pa.Table:
        """The rows as an Arrow table."""
        return self.lake.arrow(f"product.{self.product}", self.version)

    def pandas(self) -> pd.DataFrame:
        """The rows as a pandas frame."""
        return self.arrow().to_pandas()

    def polars(self) -> pl.DataFrame:
        """The rows as a Polars frame."""
        import polars

        return polars.DataFrame(polars.from_arrow(self.arrow()))

    def duckdb(self) -> Any:
        """The rows as a DuckDB relation."""
        import duckdb

        return duckdb.from_arrow(self.arrow())

    def spark(self, session: SparkSession) -> DataFrame:
        """The rows as a frame of a Spark session that reaches the lake's files."""
        return Lake(self.lake.root, catalog().tables, session).read(f"product.{self.product}", self.version)

    def consent_loss(self) -> Released:
        """How the people in this release differ from those left out; the report that was made with it.

        Raises LakeError when there is none: the product does not rest on consent, or the release is older than reports.
        """
        report = consent_loss.table_of(self.product)
        if report not in catalog().tables:
            raise LakeError(f"{self.product} does not rest on consent: nobody is left out of it, so no report says who is")
        version = self.lake.note(f"product.{self.product}", self.version).get(consent_loss.NOTED)
        if version is None:
            raise LakeError(f"release {self.release} of {self.product} was made without a consent-loss report; build and "
                            "release the product anew")
        return Released(report.split(".")[1], self.release, self.lake.path(report), version, self.lake)


def released(product: str, release: int | None = None, settings: Settings | None = None) -> Released:
    """A product as released: by the newest release that has it, or by the one that is numbered.

    ``name`` is the first major of a product, for good; ``name@2`` or ``name_v2`` its second. From thirty days before a product's
    last day on it is read with a warning (RetiredProduct); afterwards its last release can be read on. A superseded release is
    read with a warning (SupersededRelease), so that what was done with it can be replayed.
    Raises LakeError when there is no such product or release, NotReadable for whoever may not read the lake.
    """
    contracts, lake = _opened(settings)
    product = addressed(product)
    if product not in contracts.products:
        raise LakeError(f"no product is called {product!r}; there are {', '.join(sorted(contracts.products))}")
    pins = [pin for pin in _pins(lake, contracts.products[product].release_group) if pin["product"] == product]
    return _read(contracts, lake, product, release, pins)[0]


def released_group(group: str, release: int | None = None, settings: Settings | None = None) -> dict[str, Released]:
    """Every product of a release group as one release pinned it, by product.

    Products that are asked for one after the other may be of two releases when another one is pinned in between; these are of
    one. Warns and raises as ``released`` does.
    """
    contracts, lake = _opened(settings)
    if group not in contracts.release_groups():
        raise LakeError(f"no release group is called {group!r}; there are {', '.join(sorted(contracts.release_groups()))}")
    return {found.product: found for found in _read(contracts, lake, group, release, _pins(lake, group))}


def pinned(product: str | None = None, settings: Settings | None = None) -> list[dict[str, Any]]:
    """Every release of a product, or of all, oldest first: product, release, group, released_at (UTC), version of its contract
    and table, rows, and why it is superseded (None where it is not).

    Raises LakeError when there is no such product, NotReadable for whoever may not read the lake.
    """
    contracts, lake = _opened(settings)
    product = addressed(product) if product is not None else None
    if product is not None and product not in contracts.products:
        raise LakeError(f"no product is called {product!r}; there are {', '.join(sorted(contracts.products))}")
    pins = [pin for group in contracts.release_groups() for pin in _pins(lake, group) if product in (None, pin["product"])]
    return [{"product": pin["product"], "release": pin["number"], "group": pin["release_group"],
             "released_at": pin["released_at"], "contract_version": pin["contract_version"],
             "table_version": pin["table_version"], "rows": pin["rows"],
             "superseded_because": ", ".join(_because(lake, pin["product"], pin["number"])) or None}
            for pin in sorted(pins, key=lambda pin: pin["released_at"])]


def _opened(settings: Settings | None) -> tuple[Catalog, Lake]:
    contracts = catalog()
    return contracts, Lake((settings or Settings()).lake_root, contracts.tables)


def _read(contracts: Catalog, lake: Lake, asked: str, release: int | None, pins: list[dict[str, Any]]) -> list[Released]:
    """What one release of those that are pinned (oldest first) holds: the newest, or the one that is numbered."""
    number = pins[-1]["number"] if pins and release is None else release
    wanted = [pin for pin in pins if pin["number"] == number]
    if not wanted:
        numbers = ", ".join(map(str, dict.fromkeys(pin["number"] for pin in pins))) or "none yet"
        raise LakeError(f"{asked} has no release{'' if release is None else f' {release}'}; released are: {numbers}")
    found = []
    for pin in wanted:
        product = pin["product"]
        said = _superseded(lake, product, pin["number"], pins[-1]["number"])
        if said:
            warnings.warn(said, SupersededRelease, stacklevel=3)
        if product in contracts.products and (told := notice(contracts.products[product], datetime.now(UTC).date())):
            warnings.warn(told, RetiredProduct, stacklevel=3)
        found.append(Released(product, pin["number"], lake.path(f"product.{product}"), pin["table_version"], lake, said,
                              pin["false_match_rate"], pin["missed_match_rate"]))
    return found


def _pins(lake: Lake, group: str) -> list[dict[str, Any]]:
    """The pins of a group, oldest first. A reader makes no table, so one that is not there is empty."""
    return releases.of(lake, group) if lake.exists(releases.TABLE) else []


def _superseded(lake: Lake, product: str, number: int, newest: int) -> str | None:
    reasons = ", ".join(_because(lake, product, number))
    return (f"{product} release {number} holds people who do not permit it any more ({reasons}): use it to replay what was "
            f"done with it, and release {newest} for anything new" if reasons else None)


def _because(lake: Lake, product: str, number: int) -> list[str]:
    marks = withdrawals.superseded(lake, product, number) if lake.exists(withdrawals.SUPERSEDED) else []
    return sorted({mark["because"] for mark in marks})
