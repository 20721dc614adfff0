"""The truth about Concord's data: what exists, what it means, and what may be done with it."""

from contracts.load import catalog
from contracts.reading import ContractError

__all__ = ["ContractError", "catalog"]
