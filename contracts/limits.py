"""What a source's contract says of records that are not taken in, and of batches that are stopped."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.table import Frozen
from contracts.vocabulary import Purpose


class Refusal(Frozen):
    """When a source's records are not taken in: its person said no to each of ``purposes``, all that the source asks for.

    The envelope of such a record is purged ``purge_after_days`` after it was received.
    """

    purposes: Annotated[tuple[Purpose, ...], Field(min_length=1)]
    purge_after_days: Annotated[int, Field(ge=0)]


class RejectLimit(Frozen):
    """How many of a batch's records may be set apart: more than ``share`` of a stream's stop the batch as a whole.

    Up to ``tolerated`` records of a stream never do: in a small batch one bad record is a large share.
    """

    share: Annotated[float, Field(ge=0, le=1)]
    tolerated: Annotated[int, Field(ge=0)]
