"""Use: what data is used for, by whom, on what ground, and as of when."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import datetime

from contracts.model import Product, Recipient
from contracts.vocabulary import LegalBasis

ANY = "*"  # The scope of a category of data, where a use names none and a statement names some.


@dataclass(frozen=True)
class Use:
    """What data is to be used for, by whom, on what ground, and as of when (an aware datetime).

    ``recipient`` is None where the company itself uses it; ``categories`` are those of the data that is used: without any,
    a yes to a category is no yes, and a no to any is a no. Raises ValueError on a naive moment, and on a use that
    rests on consent and names no purpose, which nobody could refuse.
    """

    purposes: tuple[str, ...]
    recipient: str | None
    legal_basis: LegalBasis
    as_of: datetime
    categories: tuple[str, ...] = ()

    @classmethod
    def of(cls, product: Product, as_of: datetime) -> Use:
        """The company's own use of a product."""
        return cls(tuple(str(p) for p in product.purposes), None, product.legal_basis, as_of, _asked(product))

    @classmethod
    def by(cls, recipient: Recipient, product: Product, as_of: datetime) -> Use:
        """A recipient's use of a product."""
        return cls(tuple(str(p) for p in recipient.purposes), recipient.id, recipient.legal_basis, as_of, _asked(product))

    @property
    def cells(self) -> list[tuple[str, str | None]]:
        """Each purpose and category that needs a yes; no category where the use names none."""
        categories: list[str | None] = [*sorted({str(c) for c in self.categories})]
        return list(itertools.product(sorted({str(p) for p in self.purposes}), categories or [None]))

    @property
    def scopes(self) -> dict[str, tuple[str, str | None, str | None]]:
        """What statements can be about that concern the use: purpose, recipient, category (or ANY), by a name for each."""
        recipients = [None] if self.recipient is None else [None, self.recipient]
        categories = [None, *(sorted({str(c) for c in self.categories}) or [ANY])]
        scopes = itertools.product(sorted({str(p) for p in self.purposes}), recipients, categories)
        return {f"scope_{n}": scope for n, scope in enumerate(scopes)}

    def __post_init__(self) -> None:
        if self.as_of.tzinfo is None:
            raise ValueError("as_of has no time zone; give an aware datetime, for example one in UTC")
        if self.legal_basis.rests_on_consent and not self.purposes:
            raise ValueError("a use that rests on consent must name at least one purpose")


def _asked(product: Product) -> tuple[str, ...]:
    return tuple(str(c) for c in product.data_categories if c.is_asked)
