"""Past releases as they were decided: what for, as of when, and from which table versions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from contracts.load import Catalog
from contracts.model import Product
from contracts.vocabulary import LegalBasis
from jobs.errors import ConfigurationError, LakeError
from jobs.lake import Lake
from jobs.ledger import releases
from jobs.run import consent
from jobs.stages.use import Use


@dataclass(frozen=True)
class Asked:
    """A release by its group and number, and the product where only one is asked about."""

    group: str
    number: int
    product: str | None = None

    @property
    def subject(self) -> str:
        """Its name in the audit."""
        return f"{self.group}@{self.number}" + (f".{self.product}" if self.product else "")


@dataclass(frozen=True)
class Pinned:
    """A product in a release: the ledger's pin and the use that its permits were decided for."""

    product: Product
    pin: dict[str, Any]
    use: Use
    terms: consent.Terms
    inputs: dict[str, int]
    versions: dict[str, int]
    pseudonym_domain: str | None
    pseudonym_epoch: int | None

    @property
    def pseudonym_column(self) -> str:
        """The column of pseudonyms, in a product that has a domain of them."""
        return next(c.name for c in self.product.table.columns if c.treatment == "pseudonym")


def asked(catalog: Catalog, release: str, product: str | None) -> Asked:
    """A release as people write it: GROUP/NUMBER, or its NUMBER where the group is plain. Raises ConfigurationError."""
    groups = catalog.release_groups()
    if product is not None and product not in catalog.products:
        raise ConfigurationError(f"no product is called {product!r}; there are {', '.join(sorted(catalog.products))}")
    given, _, number = release.rpartition("/")
    group = given or (catalog.products[product].release_group if product else next(iter(groups)) if len(groups) == 1 else "")
    if group not in groups or not number.isascii() or not number.isdigit() or len(number) > 9:
        raise ConfigurationError(f"{release!r} is no release; write GROUP/NUMBER, with a group of {', '.join(sorted(groups))}")
    if product and catalog.products[product].release_group != group:
        raise ConfigurationError(f"{product} belongs to the release group {catalog.products[product].release_group}, not {group}")
    return Asked(group, int(number), product)


def find(lake: Lake, catalog: Catalog, wanted: Asked) -> list[Pinned]:
    """The products of a release. Raises LakeError when there is no such release, or it has no such product."""
    pins = releases.of(lake, wanted.group)
    found = [pin for pin in pins if pin["number"] == wanted.number and wanted.product in (None, pin["product"])]
    if not found:
        numbers = ", ".join(sorted({str(pin["number"]) for pin in pins}, key=int)) or "none yet"
        raise LakeError(f"there is no release {wanted.number} of {wanted.product or wanted.group}; released are: {numbers}")
    gone = sorted({pin["product"] for pin in found} - set(catalog.products))
    if gone:
        raise LakeError(f"no contract declares {', '.join(gone)} any more; put the contract back to read what was released")
    return [pinned(catalog.products[pin["product"]], pin) for pin in found]


def pinned(product: Product, pin: dict[str, Any]) -> Pinned:
    """A product as a pin of the ledger holds it."""
    held, versions = json.loads(pin["use"]), json.loads(pin["inputs"])
    use = Use(tuple(held["purposes"]), None, LegalBasis(held["legal_basis"]), pin["decided_at"].replace(tzinfo=UTC),
              tuple(held["categories"]))
    return Pinned(product, pin, use, consent.Terms.read(held["terms"]), {name: versions[name] for name in held["inputs"]},
                  {name: versions[name] for name in consent.TABLES}, held["pseudonym_domain"],
                  held["pseudonym_epoch"])
