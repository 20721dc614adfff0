"""where: every table version, release and extract that holds a person, told to an officer alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow.compute as pc

from jobs.errors import ConfigurationError
from jobs.files import EXTRACTS, Files
from jobs.ledger import extracts, releases, withdrawals
from jobs.run import asking, whereabouts
from jobs.run.asking import Person, Question
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings
from jobs.stages import recall
from jobs.whereabouts import EXTRACT, TABLE, find

LONGEST_REASON = 500
SUPERSEDED = "ledger.superseded"
Answer = dict[str, Any]


def where(settings: Settings, question: Question, tell: Callable[[Answer], None]) -> Report:
    """Tell ``tell`` where a person is, once the audit has that an officer asked and why; it names no person.

    The index is complete before it is asked. Raises NotAuthorised unless an officer asks, ConfigurationError without a person, a
    source that there is or a reason, LostRace where another run brings the index up to date for long.
    """
    with open_shell(settings, "where", "people", with_engine=False) as shell:
        given = asking.authorised(shell, question, asking.Sought)
        reason = given.reason.strip()
        if given.person is None or not reason or len(reason) > LONGEST_REASON:
            raise ConfigurationError(f"name a person, and say why in 1 to {LONGEST_REASON} characters: "
                                     f"{asking.SHAPES[asking.Sought]}")
        if given.person.source not in shell.catalog.sources:
            raise ConfigurationError(f"no source is called so; there are {', '.join(sorted(shell.catalog.sources))}")
        whereabouts.complete(shell.settings, shell.lake, shell.catalog)
        answer = _answer(shell, given.person)
        shell.trail.detail["reason"] = reason
        shell.trail.reads(TABLE)
        shell.report.is_answer = True
        shell.report.facts.update({kind: len(answer[kind]) for kind in ("tables", "releases", "extracts")})
    tell({"asked_by": shell.trail.proved_actor, **answer})
    return shell.report


def _answer(shell: Shell, asked: Person) -> Answer:
    person = find.known(shell.lake, f"{asked.source}/{asked.source_person_id}")
    holding = find.holding(shell.lake, person)
    tables = {held.table: held for held in holding if not held.table.startswith(EXTRACT)}
    copies = {held.table.removeprefix(EXTRACT): held for held in holding if held.table.startswith(EXTRACT)}
    return {"identities": len(person.identities),
            "tables": [{"table": held.table, "versions": list(held.versions), "is_current": held.is_current,
                        "is_shared": held.is_shared} for held in tables.values()],
            "releases": _releases(shell, tables), "extracts": _extracts(shell, copies, person)}


def _releases(shell: Shell, tables: dict[str, find.Held]) -> list[Answer]:
    """The releases of which a product has rows of a person, the oldest first."""
    marked = {(row["release_group"], row["number"], row["product"]) for row in shell.lake.arrow(SUPERSEDED).to_pylist()}
    found: dict[str, Answer] = {}
    for pin in releases.every(shell.lake):
        held = tables.get(f"product.{pin['product']}")
        if held is not None and pin["table_version"] in held.versions:
            entry = found.setdefault(f"{pin['release_group']}/{pin['number']}", {"products": [], "is_superseded": False})
            entry["products"].append(pin["product"])
            entry["is_superseded"] |= (pin["release_group"], pin["number"], pin["product"]) in marked
    return [{"release": name, **entry} for name, entry in found.items()]


def _extracts(shell: Shell, copies: dict[str, find.Held], person: find.Known) -> list[Answer]:
    """The extracts that hold a person: whose they are, how far they are, and when their recipient was told to delete the person."""
    return [{**{kind: entry[kind] for kind in ("extract", "recipient", "release", "state")},
             "is_shared": copies[entry["extract"]].is_shared, "recalled_at": _recalled(shell, entry, person)}
            for entry in (extracts.overview(shell.lake) if copies else ()) if entry["extract"] in copies]


def _recalled(shell: Shell, entry: Answer, person: find.Known) -> Any:
    """When the recipient of an extract was told; None where it was not, or not of each pseudonym."""
    files = Files(f"{shell.lake.root}/{EXTRACTS}/{entry['recipient']}/{entry['extract']}")
    told = {name: row["issued_at"] for row in withdrawals.recalls(shell.lake, entry["extract"])
            for name in json.loads(files.read(recall.names(row["number"])[0]) or b'{"delete": []}')["delete"]}
    wanted = (pc.field("table_name") == f"{EXTRACT}{entry['extract']}")
    there = set(shell.lake.arrow(TABLE, columns=["pseudonym"], filters=wanted & pc.field("pseudonym").isin(
        sorted(person.pseudonyms | person.shared)))["pseudonym"].to_pylist())
    return max(told[name] for name in there) if there <= told.keys() else None
