"""A batch that was stopped may hold a no: until it is conformed, nothing that rests on consent flows."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow.compute as pc

from contracts import life
from contracts.model import Source
from jobs.errors import ConsentUnreadable
from jobs.ledger import batches, drift, intakes, quality, replays
from jobs.run.consent import CONSENT
from jobs.run.rules import declared
from jobs.run.shell import Shell

MAYBE = "a withdrawal may be among them, so nothing that rests on consent flows"


def refuse(shell: Shell) -> None:
    """Raise ConsentUnreadable while statements wait in, or behind, a batch that a gate, a reject limit or a change stopped.

    A change is one of payloads, or of the contract; where its status lets nobody conform, what waits stops them too. A batch that
    has just landed and waits for its turn stops nobody.
    """
    where, today = life.environment(shell.settings.environment), datetime.now(UTC).date()
    apart = quality.stopped(shell.lake) | drift.frozen(shell.lake)
    _refuse_undeclared(shell)
    for source in shell.catalog.sources.values():
        edited = intakes.edited(shell.lake, source, declared(source, shell.catalog.tables))
        runs = life.may_run(source, where, today)
        _refuse_killed_replay(shell, source, edited, runs)
        waiting = [batch["batch_id"] for batch in batches.waiting(shell.lake, source.id)]
        if not waiting:
            continue
        if gone := _streams(shell, source, waiting[0]) - {s.name for s in source.streams}:
            raise ConsentUnreadable(f"{waiting[0]}, or one behind it, has records of {', '.join(sorted(gone))}, which "
                                    f"{source.path} does not declare any more: {MAYBE}. Put the stream back and run "
                                    f"`concord conform {source.id}`")
        first = next((name for name in waiting if name in apart | edited or not runs), None)
        statements = {feed.stream for feed in source.feeds if feed.table == CONSENT}
        if first is not None and statements & _streams(shell, source, first):
            raise ConsentUnreadable(_why(source, first, runs))


def _why(source: Source, first: str, runs: bool) -> str:
    """What to do about statements that wait in a batch or behind it. A review holds whatever the status is."""
    if runs:
        return (f"{first} was stopped, and statements about consent wait in it or behind it: {MAYBE}. Run "
                f"`concord conform {source.id}`, which says what to mend")
    return (f"statements about consent wait in {first} or behind it, and nobody conforms them while {source.path} is "
            f"{source.status}: {MAYBE}. Write status: active, run `concord conform {source.id}`, then write status: "
            f"{source.status} again")


def _refuse_undeclared(shell: Shell) -> None:
    """What waits of a source whose contract was taken away is read by nobody."""
    waiting = sorted(name for name, at in batches.conformed(shell.lake).items() if at is None
                     and name.rpartition(".")[0] not in shell.catalog.sources)
    if waiting:
        raise ConsentUnreadable(f"{waiting[0]} waits to be conformed, but no contract declares its source: {MAYBE}. Put the "
                                "contract back and conform it")


def _refuse_killed_replay(shell: Shell, source: Source, edited: set[str], runs: bool) -> None:
    """A replay that nobody can finish may have taken up a no. What is edited may be the status alone."""
    if CONSENT in source.tables and (killed := replays.of(source.id, edited) - replays.finished(shell.lake).keys()):
        mend = (f"Run `concord replay {source.id}`, which says what to mend" if runs else
                f"Put {source.path} back as it was, its status too, run `concord replay {source.id}`, then write status: "
                f"{source.status} again")
        raise ConsentUnreadable(f"{min(killed)} was killed, and the contract was edited since: {MAYBE}. {mend}")


def _streams(shell: Shell, source: Source, first: str) -> set[str]:
    """The streams of which records wait in a batch or behind it."""
    rows = shell.lake.arrow(source.raw, columns=["stream"], filters=pc.field("batch_id") >= first)
    return set(rows["stream"].unique().to_pylist())
