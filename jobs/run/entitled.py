"""Who may be in an extract: people who permit the product itself and this recipient, now."""

from __future__ import annotations

import io
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.model import Recipient
from jobs.errors import NotApproved
from jobs.run import consent, pseudonyms, stopped
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


def refuse_withdrawn(shell: Shell, recipient: Recipient, content: bytes, now: datetime) -> None:
    """Raise NotApproved when somebody in an extract (Parquet) does not permit it any more."""
    permitted = decisions(shell, recipient, consent.versions(shell), now).where("is_permitted").select("person_key")
    vault = shell.lake.read(pseudonyms.TABLE).where(f"domain = '{recipient.pseudonym_domain}'")
    allowed = vault.join(permitted, "person_key").select("pseudonym").toArrow()["pseudonym"].combine_chunks()
    column = next(c.name for c in recipient.table.columns if c.treatment == "pseudonym")
    given = pc.unique(pq.read_table(io.BytesIO(content), columns=[column])[column])
    gone = pc.is_in(given.cast("string"), value_set=allowed.cast("string")).to_pylist().count(False)
    if gone:
        raise NotApproved(f"{gone} of {len(given)} people in the extract do not permit it any more; prepare it again")
