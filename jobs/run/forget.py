"""forget: people leave every zone but what the law makes us keep, and it is looked whether they did (GDPR article 17)."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from contracts.model import Table
from contracts.vocabulary import DataCategory, Zone
from jobs.erasure.files import Rewritten, files_of, rewritten
from jobs.erasure.log import stand_in
from jobs.erasure.look import Looked, look
from jobs.erasure.rows import owning, without
from jobs.erasure.traces import Traces
from jobs.erasure.words import Words
from jobs.errors import ConfigurationError, NotErased
from jobs.files import ERASING, WORK, Files
from jobs.ledger import accounts, erasures
from jobs.run import asking, pins, suppression, traces
from jobs.run.asking import Person, Question
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings
from jobs.storage import arrow_files

LONGEST_REASON = 500
PLAN = "traces.json"
# Kept by law: who reports a suspected adverse event must be able to follow it up (Directive 2001/83/EC article 107, GDPR article
# 17(3)(b) and (c)).
KEPT = (Zone.SAFETY,)
PERSONAL = tuple(c for c in DataCategory if c not in (DataCategory.TECHNICAL, DataCategory.AGGREGATED))


def forget(settings: Settings, question: Question, people: Iterable[Person] = ()) -> Report:
    """Forget people: those on standard input and ``people``, in one pass, with all whom a killed pass left.

    Nothing else runs meanwhile. What is to be found is kept until nothing is found any more, so a run that was killed, or that
    raised, is made good by the next. Raises NotAuthorised unless an officer asks, ConfigurationError without people or a reason,
    LostRace while another stage runs, NotErased where something of theirs is left.
    """
    with open_shell(settings, "forget", "people", with_engine=False, alone=True) as shell:
        given = asking.authorised(shell, question, asking.Forgotten)
        asked = [*given.persons, *people]
        plan = Files(f"{settings.lake_root}/{ERASING}")
        left = plan.read(PLAN)
        row = _begun(shell, given.reason.strip(), len(set(asked)), left is not None)
        found = traces.known(shell, asked)
        if left is not None:
            found.add(Traces.read(left))
        plan.write(PLAN, found.written())
        erasures.suppress(shell.lake, suppression.references(settings, found.identities), row["number"], row["begun_at"])
        _sweep(shell)
        met = traces.search(shell, found)
        plan.write(PLAN, found.written())
        unknown = sum(not _is_known(p, met, found) for p in set(asked))
        entries = [entry for name in _tables(shell) for entry in _erased(shell, name, found)]
        accounts.write(shell.lake, f"erasure-{row['number']}", [("forget", e) for e in entries], datetime.now(UTC))
        _clear(shell)
        looked = _looked(shell, found)
        _end(shell, row | {"unknown": unknown}, entries, looked, plan)
        return shell.report


def _begun(shell: Shell, reason: str, people: int, is_left: bool) -> dict[str, Any]:
    """The entry of this pass. Raises ConfigurationError without people or a reason."""
    if not people and not is_left:
        raise ConfigurationError(f"name whom to forget, in a file (--persons) or on standard input: "
                                 f"{asking.SHAPES[asking.Forgotten]}")
    if not reason or len(reason) > LONGEST_REASON:
        raise ConfigurationError(f"say why, in 1 to {LONGEST_REASON} characters: {asking.SHAPES[asking.Forgotten]}")
    number = 1 + max((row["number"] for row in erasures.every(shell.lake)), default=0)
    nothing = dict.fromkeys(("unknown", "rows", "changed", "looked_at", "ended_at"))
    row = {**nothing, "number": number, "people": max(people, 1), "reason": reason, "requested_by": shell.trail.proved_actor,
           "begun_at": datetime.now(UTC)}
    erasures.write(shell.lake, row)
    shell.report.change(erasures.TABLE)
    return row


def _is_known(person: Person, met: set[str], found: Traces) -> bool:
    """Whether anything was found of a person: of that identity, or of one that is the same person."""
    return f"{person.source}/{person.source_person_id}" in met


def _tables(shell: Shell) -> list[str]:
    """The tables that may hold something about persons, but for what is kept by law. Raises ConfigurationError for one that does
    not say about whom."""
    found = [name for name, table in shell.catalog.tables.items() if _is_personal(table) and shell.lake.exists(name)]
    for name in found:
        if not owning(shell.catalog.tables[name]):
            raise ConfigurationError(f"{name} holds something about persons and no column says about whom, so nobody could be "
                                     "taken out; give its contract source and source_person_id, a person_key or a pseudonym")
    return found


def _is_personal(table: Table) -> bool:
    return table.zone not in (*KEPT, Zone.LEDGER) and any(column.category in PERSONAL for column in table.columns)


def _sweep(shell: Shell) -> None:
    """Remove the files that no newest version, release or candidate needs: what is only history goes as a whole."""
    kept = pins.standing(shell.lake, shell.catalog)
    for name in _tables(shell):
        shell.lake.sweep(name, kept.versions(name), hours=0)


def _erased(shell: Shell, name: str, found: Traces) -> list[accounts.Entry]:
    """Take people out of every file of a table; what went and what was changed."""
    table, lake, words = shell.catalog.tables[name], shell.lake, Words(found.words)
    store = arrow_files(lake.path(name))
    made: dict[str, Rewritten] = {}
    for path in files_of(store):
        if (file := rewritten(store, path, lambda rows: without(table, rows, found, words))) is not None:
            made[path] = file
    if not made:
        return []
    stand_in(lake.path(name), made)
    for path in made:
        store.delete_file(path)
    lake.mark(name)
    shell.report.change(name)
    shell.trail.writes(name)
    counts = {"erased": sum(f.gone for f in made.values()), "words_replaced": sum(f.changed for f in made.values())}
    return [accounts.Entry(name, outcome, "forgotten", count) for outcome, count in counts.items() if count]


def _clear(shell: Shell) -> None:
    """Take away what killed runs left: frames put aside, and batches on their way."""
    Files(f"{shell.settings.lake_root}/{WORK}").clear()
    shutil.rmtree(shell.settings.spool, ignore_errors=False) if shell.settings.spool.exists() else None


def _looked(shell: Shell, found: Traces) -> Looked:
    """Look at the bytes of every file of the lake that is not kept by law, and of our trails."""
    words = Words(found.words)
    lake = look(arrow_files(shell.settings.lake_root), words, (*map(str, KEPT), ERASING))
    trail = look(arrow_files(str(shell.settings.events.parent.resolve())), words)
    return Looked(lake.files + trail.files, lake.found | {f"lineage/{k}": n for k, n in trail.found.items()})


def _end(shell: Shell, row: dict[str, Any], entries: list[accounts.Entry], looked: Looked, plan: Files) -> None:
    """Say that nothing is left. Raises NotErased where something is: then what leads to it is kept for the next run."""
    sums = {kind: sum(e.rows for e in entries if e.outcome == kind) for kind in ("erased", "words_replaced")}
    shell.report.facts.update(erasure=row["number"], people=row["people"], unknown=row["unknown"], rows=sums["erased"],
                              changed=sums["words_replaced"], looked_at=looked.files, found=sum(looked.found.values()))
    if looked.found:
        places = ", ".join(f"{count:,} in {place}" for place, count in sorted(looked.found.items()))
        raise NotErased(f"something of theirs is left: {places}; what leads to it is kept, run `concord forget` again once it "
                        "can be taken out")
    plan.clear()
    erasures.write(shell.lake, row | {"rows": sums["erased"], "changed": sums["words_replaced"], "looked_at": looked.files,
                                      "ended_at": datetime.now(UTC)})
