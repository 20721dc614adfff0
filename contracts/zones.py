"""Who may read what of the lake, said once: modes of folders and policies of buckets derive from it."""

from __future__ import annotations

from contracts.vocabulary import Term, Zone


class Role(Term):
    """Who opens files of the lake. Officers, partners and governance do not: they ask the platform, or get files from it."""

    PLATFORM = "platform", None
    DATA_SCIENTIST = "data_scientist", None


# Beside the platform, which reads everything: who may read a zone as a whole.
READERS: dict[Zone, tuple[Role, ...]] = {
    Zone.RAW: (),
    Zone.CORE: (),
    Zone.VAULT: (),
    Zone.SAFETY: (),
    Zone.PRODUCT: (Role.DATA_SCIENTIST,),
    Zone.LEDGER: (),
}
# Tables with readers that their zone does not have: what a reader asks to find a release, and whether it is superseded.
PINS: dict[str, tuple[Role, ...]] = {
    "ledger.release": (Role.DATA_SCIENTIST,),
    "ledger.superseded": (Role.DATA_SCIENTIST,),
}


def readers(table: str) -> tuple[Role, ...]:
    """Who may read a table (zone.thing), the platform first."""
    zone = Zone(table.split(".")[0])
    return (Role.PLATFORM, *READERS[zone], *(role for role in PINS.get(table, ()) if role not in READERS[zone]))


def is_open(table: str) -> bool:
    """Whether data scientists may read a table."""
    return Role.DATA_SCIENTIST in readers(table)


def is_open_zone(zone: Zone) -> bool:
    """Whether data scientists may read every table of a zone, those that come later too."""
    return Role.DATA_SCIENTIST in READERS[zone]
