"""A batch that was stopped may hold a no: until it is conformed, nothing that rests on consent flows."""

from __future__ import annotations

import pyarrow.compute as pc

from contracts.model import Source
from jobs.errors import ConsentUnreadable
from jobs.ledger import batches, drift, intakes, quality, replays
from jobs.run.consent import CONSENT
from jobs.run.rules import declared
from jobs.run.shell import Shell

MAYBE = "a withdrawal may be among them, so nothing that rests on consent flows"


def refuse(shell: Shell) -> None:
    """Raise ConsentUnreadable while statements wait in, or behind, a batch that a gate, a reject limit or a change stopped.

    A change is one of payloads, or of the contract, its retirement too. A batch that has just
    landed and waits for its turn stops nobody.
    """
    apart = quality.stopped(shell.lake) | drift.frozen(shell.lake)
    _refuse_undeclared(shell)
    for source in shell.catalog.sources.values():
        edited = intakes.edited(shell.lake, source, declared(source, shell.catalog.tables))
        _refuse_killed_replay(shell, source, edited)
        waiting = [batch["batch_id"] for batch in batches.waiting(shell.lake, source.id)]
        if not waiting:
            continue
        if gone := _streams(shell, source, waiting[0]) - {s.name for s in source.streams}:
            raise ConsentUnreadable(f"{waiting[0]}, or one behind it, has records of {', '.join(sorted(gone))}, which "
                                    f"{source.path} does not declare any more: {MAYBE}. Put the stream back and run "
                                    f"`concord conform {source.id}`")
        first = next((name for name in waiting if name in apart | edited or source.status == "retired"), None)
        statements = {feed.stream for feed in source.feeds if feed.table == CONSENT}
        if first is not None and statements & _streams(shell, source, first):
            raise ConsentUnreadable(f"{first} was stopped, and statements about consent wait in it or behind it: {MAYBE}. Run "
                                    f"`concord conform {source.id}`, which says what to mend")


def _refuse_undeclared(shell: Shell) -> None:
    """What waits of a source whose contract was taken away is read by nobody."""
    waiting = sorted(name for name, at in batches.conformed(shell.lake).items() if at is None
                     and name.rpartition(".")[0] not in shell.catalog.sources)
    if waiting:
        raise ConsentUnreadable(f"{waiting[0]} waits to be conformed, but no contract declares its source: {MAYBE}. Put the "
                                "contract back and conform it")


def _refuse_killed_replay(shell: Shell, source: Source, edited: set[str]) -> None:
    """A replay that nobody can finish may have taken up a no."""
    if CONSENT in source.tables and (killed := replays.of(source.id, edited) - replays.finished(shell.lake).keys()):
        raise ConsentUnreadable(f"{min(killed)} was killed, and the contract was edited since: {MAYBE}. Run "
                                f"`concord replay {source.id}`, which says what to mend")


def _streams(shell: Shell, source: Source, first: str) -> set[str]:
    """The streams of which records wait in a batch or behind it."""
    rows = shell.lake.arrow(source.raw, columns=["stream"], filters=pc.field("batch_id") >= first)
    return set(rows["stream"].unique().to_pylist())
