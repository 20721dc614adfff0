"""A batch that was stopped may hold a no: until it is conformed, nothing that rests on consent flows."""

from __future__ import annotations

import pyarrow.compute as pc

from jobs.errors import ConsentUnreadable
from jobs.ledger import batches, drift, quality
from jobs.run.consent import CONSENT
from jobs.run.shell import Shell


def refuse(shell: Shell) -> None:
    """Raise ConsentUnreadable while statements wait in, or behind, a batch that a gate, a reject limit or a change stopped.

    A batch that has just landed and waits for its turn stops nobody.
    """
    apart = quality.stopped(shell.lake) | drift.frozen(shell.lake)
    for source in shell.catalog.sources.values():
        waiting = [batch["batch_id"] for batch in batches.waiting(shell.lake, source.id)]
        first = next((name for name in waiting if name in apart), None)
        streams = [feed.stream for feed in source.feeds if feed.table == CONSENT]
        if first is None or not streams:
            continue
        wanted = (pc.field("batch_id") >= first) & pc.field("stream").isin(streams)
        if shell.lake.arrow(source.raw, columns=["batch_id"], filters=wanted).num_rows:
            raise ConsentUnreadable(f"{first} was stopped, and statements about consent wait in it or behind it: a withdrawal "
                                    "may be among them, so nothing that rests on consent flows. Run "
                                    f"`concord conform {source.id}`, which says what to mend")
