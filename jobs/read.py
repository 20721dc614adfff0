"""Reading released products: every reader goes through the pin and sees one release, never a candidate.

>>> from jobs.read import released
>>> released("glucose_daily").pandas()          # doctest: +SKIP
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from contracts import catalog, consent_loss
from jobs.errors import LakeError
from jobs.lake import Lake
from jobs.ledger import releases, withdrawals
from jobs.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa


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
    """A product as released: by the newest release, or by the one that is numbered.

    A superseded release is read with a warning (SupersededRelease), so that what was done with it can be replayed.
    Raises LakeError when there is no such product or release, NotReadable for whoever may not read the lake.
    """
    settings = settings or Settings()
    contracts = catalog()
    if product not in contracts.products:
        raise LakeError(f"no product is called {product!r}; there are {', '.join(sorted(contracts.products))}")
    lake = Lake(settings.lake_root, contracts.tables)
    pins = _pins(lake, contracts.products[product].release_group, product)
    wanted = pins[-1:] if release is None else [pin for pin in pins if pin["number"] == release]
    if not wanted:
        numbers = ", ".join(str(pin["number"]) for pin in pins) or "none yet"
        raise LakeError(f"{product} has no release{'' if release is None else f' {release}'}; released are: {numbers}")
    number = wanted[0]["number"]
    said = _superseded(lake, product, number, pins[-1]["number"])
    if said:
        warnings.warn(said, SupersededRelease, stacklevel=2)
    return Released(product, number, lake.path(f"product.{product}"), wanted[0]["table_version"], lake, said,
                    wanted[0]["false_match_rate"], wanted[0]["missed_match_rate"])


def _pins(lake: Lake, group: str, product: str) -> list[dict[str, Any]]:
    """The pins of a product, oldest first. A reader makes no table, so one that is not there is empty."""
    return [pin for pin in releases.of(lake, group) if pin["product"] == product] if lake.exists(releases.TABLE) else []


def _superseded(lake: Lake, product: str, number: int, newest: int) -> str | None:
    marks = withdrawals.superseded(lake, product, number) if lake.exists(withdrawals.SUPERSEDED) else []
    reasons = ", ".join(sorted({mark["because"] for mark in marks}))
    return (f"{product} release {number} holds people who do not permit it any more ({reasons}): use it to replay what was "
            f"done with it, and release {newest} for anything new" if marks else None)
