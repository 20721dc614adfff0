"""Who may be in an extract: people who permit the product itself and this recipient, now."""

from __future__ import annotations

import io
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.model import Recipient
from jobs.errors import NotApproved
from jobs.run import consent, epochs, pseudonyms, stopped
from jobs.run.shell import Shell
from jobs.stages import decisions as combined
from jobs.stages.use import Use

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def decisions(shell: Shell, recipient: Recipient, versions: dict[str, int], now: datetime) -> DataFrame:
    """person_key, is_permitted, reason_code: what the product needs and what the recipient needs, both at this moment."""
    product = shell.catalog.products[recipient.product]
    stopped.refuse(shell)
    theirs, ours = (consent.decide(shell, versions, use) for use in (
        Use.by(recipient, product, now), Use.of(product, now)))
    entitled = combined.carried(combined.whole(theirs.decisions), theirs.links, ours.links)
    return combined.both(entitled, combined.whole(ours.decisions))


def refuse_retired(shell: Shell, recipient: Recipient, manifest: dict[str, Any]) -> None:
    """Raise NotApproved for an extract whose pseudonyms nobody can tell from whom they are any more."""
    for row in epochs.of(shell.lake, recipient.pseudonym_domain):
        if row["epoch"] == manifest["pseudonym_epoch"] and row["retired_at"] is not None:
            raise NotApproved(f"the extract has pseudonyms of epoch {row['epoch']} of {row['domain']}, which was retired on "
                              f"{row['retired_at']:%Y-%m-%d}; prepare it again")


def refuse_withdrawn(shell: Shell, recipient: Recipient, content: bytes, now: datetime) -> None:
    """Raise NotApproved when somebody in an extract (Parquet) does not permit it any more."""
    permitted = decisions(shell, recipient, consent.versions(shell), now).where("is_permitted").select("person_key")
    vault = pseudonyms.named(shell, recipient.pseudonym_domain)
    allowed = vault.join(permitted, "person_key").select("pseudonym").toArrow()["pseudonym"].combine_chunks()
    column = recipient.table.pseudonym_column
    given = pc.unique(pq.read_table(io.BytesIO(content), columns=[column])[column])
    gone = pc.is_in(given.cast("string"), value_set=allowed.cast("string")).to_pylist().count(False)
    if gone:
        raise NotApproved(f"{gone} of {len(given)} people in the extract do not permit it any more; prepare it again")
