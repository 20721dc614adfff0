"""forget: people leave every zone but what the law makes us keep, and it is looked whether they did (GDPR article 17)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pyarrow.compute as pc
from pyarrow.fs import SubTreeFileSystem

from contracts.model import Table
from contracts.vocabulary import DataCategory, Zone
from jobs.erasure.files import Rewritten, files_of, rewritten
from jobs.erasure.log import stand_in
from jobs.erasure.look import THREADS, Looked, look
from jobs.erasure.rows import Sought, owning, without
from jobs.erasure.traces import Traces
from jobs.erasure.words import Words
from jobs.errors import ConfigurationError, NotErased
from jobs.files import ERASING, PART, WORK, Files
from jobs.ledger import accounts, batches, erasures
from jobs.run import asking, forgotten_extracts, kept, lost_rows, pins, suppression, traces
from jobs.run.asking import Person, Question
from jobs.run.land import healed
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings
from jobs.storage import arrow_files

LONGEST_REASON = 500
PLAN = "traces.json"
KEPT = (Zone.SAFETY,)  # By law: jobs/run/kept.py says which, and what of raw.
PERSONAL = tuple(c for c in DataCategory if c not in (DataCategory.TECHNICAL, DataCategory.AGGREGATED))


def forget(settings: Settings, question: Question, people: Iterable[Person] = ()) -> Report:
    """Forget people: those on standard input and ``people``, in one pass, with all whom a killed pass left.

    Nothing else runs meanwhile. What is to be found is kept until nothing is found any more, so a run that was killed, or that
    raised, is made good by the next. Raises NotAuthorised unless an officer asks, ConfigurationError without people or a reason,
    LostRace while another stage runs, NotErased where something is left or a recipient could not be told.
    """
    with open_shell(settings, "forget", "people", with_engine=False, alone=True) as shell:
        given = asking.authorised(shell, question, asking.Forgotten)
        carry_out(shell, {*given.persons, *people}, given.reason.strip(), shell.trail.proved_actor)
        return shell.report


def plan_of(settings: Settings) -> Files:
    """Where a pass keeps what it looks for, until nothing of it is found."""
    return Files(f"{settings.lake_root}/{ERASING}")


def carry_out(shell: Shell, asked: set[Person], reason: str, officer: str) -> None:
    """Forget people in a stage that is alone in the house, as an officer decided."""
    settings, plan = shell.settings, plan_of(shell.settings)
    row = _begun(shell, reason, officer, len(asked), plan.read(PLAN) is not None)
    found = traces.known(shell, asked)
    if (left := plan.read(PLAN)) is not None:
        found.add(Traces.read(left))
    plan.write(PLAN, found.written())
    pinned, tables = pins.standing(shell.lake, shell.catalog), _tables(shell)
    _search(shell, found, pinned, tables)
    lost_rows.count(shell, found, pinned, tables)
    row["unknown"] = sum(f"{person.source}/{person.source_person_id}" not in found.met for person in asked)
    plan.write(PLAN, found.written())
    # Of whom nothing is known, nobody is kept out: the id may be mistaken, or somebody else's some day.
    erasures.suppress(shell.lake, suppression.references(settings, found.met), row["number"], row["begun_at"])
    shell.report.facts.update(kept=kept.keep(shell, row["number"], found))
    for name in tables:
        _erase(shell, name, found, plan)
    untold = forgotten_extracts.tell(shell, found)
    plan.write(PLAN, found.written())
    forgotten_extracts.take_out(shell, row["number"], found)
    _recount(shell)
    _tidy(settings)
    marked = lost_rows.mark(shell, row["number"], found, tables)
    plan.write(PLAN, found.written())
    shell.report.facts.update(releases=marked)
    _end(shell, row, found, _looked(shell, found), untold, plan)


def _search(shell: Shell, found: Traces, pinned: pins.Standing, tables: list[str]) -> None:
    """Take away what is only history, and find what is left of people."""
    for source in filter(lambda s: shell.lake.exists(s.raw), shell.catalog.sources.values()):
        healed(shell.lake, source)
    for name in tables:
        shell.lake.sweep(name, pinned.versions(name), hours=0)
    traces.search(shell, found)
    forgotten_extracts.collect(shell, found)


def _begun(shell: Shell, reason: str, officer: str, people: int, is_left: bool) -> dict[str, Any]:
    """The entry of this pass, or of the one that was killed. Raises ConfigurationError without people or a reason."""
    if not people and not is_left:
        raise ConfigurationError(f"name whom to forget, in a file (--persons) or on standard input: "
                                 f"{asking.SHAPES[asking.Forgotten]}")
    if not reason or len(reason) > LONGEST_REASON:
        raise ConfigurationError(f"say why, in 1 to {LONGEST_REASON} characters: {asking.SHAPES[asking.Forgotten]}")
    before = erasures.every(shell.lake)
    if before and before[-1]["ended_at"] is None:
        row = before[-1] | {"people": before[-1]["people"] + people}
    else:
        nothing = dict.fromkeys(("unknown", "rows", "changed", "looked_at", "ended_at"))
        row = {**nothing, "number": len(before) + 1, "people": people, "reason": reason,
               "requested_by": officer, "begun_at": datetime.now(UTC)}
    erasures.write(shell.lake, row)
    shell.report.change(erasures.TABLE)
    return row


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


def _erase(shell: Shell, name: str, found: Traces, plan: Files) -> None:
    """Take people out of every file of a table. What a kill leaves beside the files that the log names, the next run sweeps."""
    lake, store = shell.lake, arrow_files(shell.lake.path(name))
    made = _rewritten(store, shell.catalog.tables[name], found)
    if not made:
        return
    found.counts |= {f"{name}/{path}": [file.gone, file.changed] for path, file in made.items()}
    plan.write(PLAN, found.written())
    lake.mark(name)
    stand_in(lake.path(name), made)
    for path in made:
        store.delete_file(path)
    shell.report.change(name)
    shell.trail.writes(name)


def _rewritten(store: SubTreeFileSystem, table: Table, found: Traces) -> dict[str, Rewritten]:
    """What is to stand in for each file of a table that holds something of theirs."""
    paths, sought, words = files_of(store), Sought(found), Words(found.words)
    with ThreadPoolExecutor(THREADS) as threads:
        made = threads.map(lambda path: rewritten(store, path, lambda rows: without(table, rows, sought, words)), paths)
        return {path: file for path, file in zip(paths, made, strict=True) if file is not None}


def _recount(shell: Shell) -> None:
    """Let batches that wait to be conformed have as many records as are left; the account of this pass tells of the others."""
    lake = shell.lake
    for source in shell.catalog.sources.values():
        for batch in batches.waiting(lake, source.id) if lake.exists(source.raw) else ():
            rows = lake.arrow(source.raw, columns=["position"], filters=pc.field("batch_id") == batch["batch_id"]).num_rows
            batches.record(lake, source.id, batch["number"], rows, batch["landed_at"])


def _tidy(settings: Settings) -> None:
    """Take away what killed runs left: work in progress, batches on their way, files that are there in part. Those may be
    Parquet without its end, which nobody can look into."""
    for folder in (f"{settings.lake_root}/{WORK}", str(settings.spool.resolve())):
        Files(folder).clear()
    lake = Files(settings.lake_root)
    for name in lake.names():
        if name.endswith(PART):
            lake.remove(name)


def _looked(shell: Shell, found: Traces) -> Looked:
    """Look at the bytes of every file of the lake that is not kept by law, and of our trails."""
    words = Words(found.words)
    lake = look(arrow_files(shell.settings.lake_root), words, (*map(str, KEPT), ERASING))
    trail = look(arrow_files(str(shell.settings.events.parent.resolve())), words)
    return Looked(lake.files + trail.files, lake.found | {f"lineage/{k}": n for k, n in trail.found.items()})


def _end(shell: Shell, row: dict[str, Any], found: Traces, looked: Looked, untold: list[str], plan: Files) -> None:
    """Say that nothing is left. Raises NotErased where something is, or somebody was not told: then what leads to it is kept."""
    now, counts = datetime.now(UTC), Counter[tuple[str, str]]()
    for path, (gone, changed) in found.counts.items():
        counts.update({(path.split("/")[0], "erased"): gone, (path.split("/")[0], "words_replaced"): changed})
    entries = [accounts.Entry(name, outcome, "forgotten", n) for (name, outcome), n in sorted(counts.items()) if n]
    if shell.report.facts["kept"]:
        entries.append(accounts.Entry(kept.RECORD, "kept", "legal_duty", shell.report.facts["kept"]))
    accounts.write(shell.lake, f"erasure-{row['number']}", [("forget", entry) for entry in entries], now)
    sums = {kind: sum(n for (_, outcome), n in counts.items() if outcome == kind) for kind in ("erased", "words_replaced")}
    shell.report.facts.update(erasure=row["number"], people=row["people"], unknown=row["unknown"], rows=sums["erased"],
                              changed=sums["words_replaced"], looked_at=looked.files,
                              found=sum(looked.found.values()))
    if looked.found:
        places = ", ".join(f"{count:,} in {place}" for place, count in sorted(looked.found.items()))
        raise NotErased(f"something of theirs is left: {places}; what leads to it is kept, run `concord forget` again once it "
                        "can be taken out")
    if untold:
        raise NotErased("\n".join([*untold, "what leads to them is kept until it is done; run `concord forget` again then"]))
    erasures.write(shell.lake, row | {"rows": sums["erased"], "changed": sums["words_replaced"], "looked_at": looked.files,
                                      "ended_at": now})
    plan.clear()
