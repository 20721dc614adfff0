"""Who is not to come back: asked of each record before it lands. It is lifted where somebody comes back of their own will."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from contracts.load import catalog
from contracts.model import Source
from jobs import keys
from jobs.connectors import Record
from jobs.connectors.owners import owners, said_at
from jobs.connectors.records import parsed
from jobs.errors import ConfigurationError
from jobs.lake import Lake
from jobs.ledger import erasures
from jobs.run import asking, commitments
from jobs.run.asking import Question
from jobs.run.shell import Report, open_shell
from jobs.settings import Settings
from jobs.stages.pseudonymise import digest

REFERENCES, LONGEST_REASON = "suppressions", 500
WORD = re.compile(r"[^\W_](?:[\w.@+-]*[^\W_])?")


def references(settings: Settings, identities: Iterable[str]) -> list[tuple[str, str]]:
    """(source, reference) of identities ``source/source_person_id``. Raises KeysUnreadable."""
    names = sorted(identities)
    key = keys.reference_key(settings.keys, REFERENCES, settings.master)
    return [(name.split("/", 1)[0], found) for name, found in zip(names, digest(key, names), strict=True)]


def lift(settings: Settings, question: Question) -> Report:
    """Let people who were forgotten come back, because they consented anew: what they said before that stays out.

    Raises NotAuthorised unless an officer asks, ConfigurationError without people, a reason, or a time of the new consent after
    they were forgotten, and where one of them is not on the list; then nothing is lifted.
    """
    with open_shell(settings, "suppression.lift", "people", with_engine=False) as shell:
        given = asking.authorised(shell, question, asking.Lifted)
        now, shape = datetime.now(UTC), asking.SHAPES[asking.Lifted]
        reason, anew = given.reason.strip(), given.consented_at
        if not given.persons:
            raise ConfigurationError(f"name who came back: {shape}")
        if not reason or len(reason) > LONGEST_REASON:
            raise ConfigurationError(f"say why, and where the new consent is kept, in 1 to {LONGEST_REASON} characters: {shape}")
        if anew is None or anew.tzinfo is None or anew > now:
            raise ConfigurationError(f"say when they consented anew, a time with an offset that has been: {shape}")
        commitments.about(shell, given.persons)
        out = {row["reference"]: row for row in erasures.suppressions(shell.lake) if row["lifted_at"] is None}
        wanted = {found for _, found in references(settings, {f"{p.source}/{p.source_person_id}" for p in given.persons})}
        if missing := len(wanted - out.keys()):
            raise ConfigurationError(f"{missing} of {len(wanted)} people are not on the list, so nobody was lifted; check their "
                                     "sources and ids")
        rows = [out[reference] for reference in sorted(wanted)]
        if late := [row for row in rows if row["since_at"].replace(tzinfo=UTC) > anew]:
            raise ConfigurationError(f"{len(late)} of {len(rows)} people were forgotten after that consent, so it is no new one")
        lifted = {"consented_at": anew, "lifted_at": now, "lifted_by": shell.trail.proved_actor, "lifted_because": reason}
        erasures.write_suppressions(shell.lake, [{**row, **lifted} for row in rows])
        shell.report.change(erasures.SUPPRESSED)
        shell.trail.writes(erasures.SUPPRESSED)
        shell.report.facts.update(people=len(rows), by=shell.trail.proved_actor)
        return shell.report


def overview(settings: Settings) -> list[dict[str, Any]]:
    """For each pass and source how many stay out, and how many came back."""
    counts: dict[tuple[int, str], list[int]] = {}
    for row in Lake(settings.lake_root, catalog().tables).arrow(erasures.SUPPRESSED).to_pylist():
        counts.setdefault((row["erasure"], row["source"]), [0, 0])[row["lifted_at"] is not None] += 1
    return [{"erasure": erasure, "source": source, "stay_out": out, "came_back": back}
            for (erasure, source), (out, back) in sorted(counts.items())]


class Suppression:
    """The list of a source, read once; ``count``: how many records it stopped. Raises KeysUnreadable where there is a list and
    nobody can tell who is on it."""

    def __init__(self, settings: Settings, lake: Lake, source: Source) -> None:
        self._source = source
        self._anew = {row["reference"]: row["consented_at"] for row in erasures.suppressions(lake, source.id)}
        self._key = keys.reference_key(settings.keys, REFERENCES, settings.master) if self._anew else b""
        self._known: dict[str, str] = {}
        self.count = 0

    def stops(self, record: Record) -> bool:
        """Whether a record is about somebody who is not to come back, or is what one who came back said before.

        By whom its payload names; where that is nobody, as in a notice of a deletion or what cannot be read, by its own name and
        every word in it.
        """
        if not self._anew:
            return False
        content = parsed(record.payload)
        named = owners(self._source, record.stream, content) or _words(record)
        met = {reference for name in named if (reference := self._reference(name)) in self._anew}
        is_stopped = any(self._is_out(self._anew[reference], record, content) for reference in met)
        self.count += is_stopped
        return is_stopped

    def _reference(self, name: str) -> str:
        if name not in self._known:
            self._known[name] = digest(self._key, [f"{self._source.id}/{name}"])[0]
        return self._known[name]

    def _is_out(self, anew: datetime | None, record: Record, content: Any) -> bool:
        """Whether somebody stays out (``anew`` is null), or came back and this is a statement of before, or without a time."""
        if anew is None:
            return True
        said = said_at(self._source, record.stream, content)
        return said is not None and not record.is_deleted and (not said or min(said) < anew.replace(tzinfo=UTC))


def _words(record: Record) -> set[str]:
    """What of a record may be the name of a person."""
    content = record.payload.decode(errors="replace")
    return {(record.record_id or "").partition("/")[2], *WORD.findall(content)} - {""}
