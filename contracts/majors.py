"""Major versions of a product that live side by side, and when the old one ends.

A reader builds on a name, so what breaks readers gets another: major 1 of a product is called ``name``, its major N from 2 on
``name_vN``, in a contract file, a table, a DAG and, where it is built otherwise, a module of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from contracts.places import near
from contracts.table import Frozen, Name

if TYPE_CHECKING:
    from contracts.model import Product

NAMED = re.compile(r"(?P<family>.+)_v(?P<major>\d+)")
NOTICE = timedelta(days=30)


class Retirement(Frozen):
    """Until when a product is made (that day included), and by which one its readers go on."""

    on: Annotated[date, Field(alias="date")]
    replaced_by: Name | None

    def __str__(self) -> str:
        return f"{self.on}, replaced by {self.replaced_by or 'nothing'}"


def family(product_id: str) -> tuple[str, int]:
    """What all majors of a product are called, and which of them an id names: 1 where it names none."""
    found = NAMED.fullmatch(product_id)
    return (found["family"], int(found["major"])) if found else (product_id, 1)


def addressed(name: str) -> str:
    """The id of a product that is written as ``name`` or ``name@major``."""
    base, _, major = name.partition("@")
    return name if not major.isdigit() else base if major in ("0", "1") else f"{base}_v{int(major)}"


def next_major(product_id: str) -> str:
    """The id of the major after a product's."""
    base, major = family(product_id)
    return f"{base}_v{major + 1}"


def has_ended(product: Product, today: date) -> bool:
    """Whether a product's last day is over."""
    return product.retirement is not None and today > product.retirement.on


def notice(product: Product, today: date) -> str | None:
    """What readers are told from thirty days before a product's last day on, and once it is retired; None before that."""
    end = product.retirement
    instead = f"; go over to {end.replaced_by}" if end and end.replaced_by else ""
    if product.status == "retired" or has_ended(product, today):
        since = f" since {end.on}" if end else ""
        return (f"{product.id} {product.version} is not made any more{since}, and people who withdrew after its last release are "
                f"still in that{instead}")
    if end and today >= end.on - NOTICE:
        return f"{product.id} {product.version} is made until {end.on} only{instead}"
    return None


def refuse_other_major(product: Product) -> None:
    """Raise ValueError unless id and version name the same major, and a product that ends says so by its status."""
    base, major = family(product.id)
    said = int(product.version.partition(".")[0])
    if major < 2 and base != product.id:
        raise ValueError(f"id {product.id} ends in _v{major}, but the first major of a product has no number; write {base}")
    if max(said, 1) != major:
        beside = base if said < 2 else f"{base}_v{said}"
        raise ValueError(f"version {product.version} is major {said}, but {product.id} is major {major}: another major lives "
                         f"beside it, under its own name; write it into {beside}.yaml with id and schema name {beside}")
    if product.retirement and product.status not in ("deprecated", "retired"):
        raise ValueError(f"status {product.status} has no retirement; write status: deprecated, or take the retirement out")
    if product.status == "deprecated" and product.retirement is None:
        raise ValueError("status deprecated does not say until when; write a customProperties entry {property: retirement, "
                         "value: {date: 2027-06-30, replacedBy: null}} with the last day and the product that takes its place")


def lost_successor(product: Product, products: Iterable[str]) -> str | None:
    """What is wrong with the product that is to take the place of one; None where nothing is."""
    after = product.retirement.replaced_by if product.retirement else None
    if after is not None and (after == product.id or after not in products):
        return (f"replacedBy names {after!r}, which is no other product{near(after, products)}; there are "
                f"{', '.join(sorted({*products} - {product.id}))}")
    return None
