"""The truth about Concord's data: what exists, what it means, and what may be done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contracts.load import catalog
    from contracts.reading import ContractError

__all__ = ["ContractError", "catalog"]
PLACES = {"catalog": "contracts.load", "ContractError": "contracts.reading"}


def __getattr__(name: str) -> Any:
    """What reads contracts is imported by whom asks for it: a vocabulary alone takes no time."""
    import importlib

    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(PLACES[name]), name)
