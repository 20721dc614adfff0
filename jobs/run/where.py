"""where: every table version, release and extract that holds a person, told to an officer alone.

An answer should take less than a second, and half of that goes before a program has begun: no contract is read for it, as long
as the index has everything, and no event of lineage is written, as it makes no data.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from jobs import declared
from jobs.errors import ConfigurationError
from jobs.files import EXTRACTS, Files
from jobs.lake import Lake
from jobs.ledger import audit, extracts, releases, withdrawals
from jobs.run import asking, commitments, whereabouts
from jobs.run.asking import Person, Question
from jobs.settings import Settings
from jobs.turn import house
from jobs.whereabouts import EXTRACT, TABLE, find

LONGEST_REASON = 500
Answer = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A question on its way: what it is asked of, and noted in."""

    lake: Lake
    trail: audit.Trail


def where(settings: Settings, question: Question, tell: Callable[[Answer], None]) -> None:
    """Tell ``tell`` where a person is, once the audit has that an officer asked and why; it names no person.

    The index is complete before it is asked. Raises NotAuthorised unless an officer asks, ConfigurationError without a person, a
    source that there is or a reason, LostRace where people are being forgotten or another run is at the index for long.
    """
    lake, trail = Lake(settings.lake_root, declared.tables(settings)), audit.Trail("where", "people")
    try:
        with house(settings.home / "turns", alone=False):
            given = asking.authorised(asked := Asked(lake, trail), question, asking.Sought)
            trail.detail["reason"] = _reason(given)
            assert given.person is not None
            commitments.about(asked, [given.person])
            whereabouts.complete(settings, lake)
            answer = _answer(lake, given.person)
    except BaseException as error:
        trail.detail = {"error": type(error).__name__}
        audit.enter(settings, lake, trail, "failed")
        raise
    trail.detail |= {kind: len(answer[kind]) for kind in ("tables", "releases", "extracts")}
    audit.enter(settings, lake, trail, "done")
    tell({"asked_by": trail.proved_actor, **answer})


def _reason(given: asking.Sought) -> str:
    """Why they ask. Raises ConfigurationError without that, or without a person."""
    reason = given.reason.strip()
    if given.person is None or not reason or len(reason) > LONGEST_REASON:
        raise ConfigurationError(f"name a person, and say why in 1 to {LONGEST_REASON} characters: "
                                 f"{asking.SHAPES[asking.Sought]}")
    return reason


def _answer(lake: Lake, asked: Person) -> Answer:
    person = find.known(lake, f"{asked.source}/{asked.source_person_id}")
    holding = find.holding(lake, person)
    if not holding:
        _refuse_strange(asked.source)
    tables = {held.table: held for held in holding if not held.table.startswith(EXTRACT)}
    copies = {held.table.removeprefix(EXTRACT): held for held in holding if held.table.startswith(EXTRACT)}
    return {"identities": len(person.identities),
            "tables": [{"table": held.table, "versions": list(held.versions), "is_current": held.is_current,
                        "is_shared": held.is_shared} for held in tables.values()],
            "releases": _releases(lake, tables), "extracts": _extracts(lake, copies, person)}


def _refuse_strange(source: str) -> None:
    """Raise ConfigurationError for a source that there is not: nothing of its people is found, and that would say nothing."""
    from contracts.load import catalog

    if source not in (names := sorted(catalog().sources)):
        raise ConfigurationError(f"no source is called so; there are {', '.join(names)}")


def _releases(lake: Lake, tables: dict[str, find.Held]) -> list[Answer]:
    """The releases of which a product has rows of a person, the oldest first."""
    found: dict[str, Answer] = {}
    for pin in releases.every(lake) if tables else ():
        held = tables.get(f"product.{pin['product']}")
        if held is not None and pin["table_version"] in held.versions:
            entry = found.setdefault(f"{pin['release_group']}/{pin['number']}", {"products": [], "is_superseded": False})
            entry["products"].append(pin["product"])
            entry["is_superseded"] |= bool(withdrawals.superseded(lake, pin["product"], pin["number"]))
    return [{"release": name, **entry} for name, entry in found.items()]


def _extracts(lake: Lake, copies: dict[str, find.Held], person: find.Known) -> list[Answer]:
    """The extracts that hold a person: whose they are, how far, and since when their recipient is to delete the person."""
    return [{**{kind: entry[kind] for kind in ("extract", "recipient", "release", "state")},
             "is_shared": copies[entry["extract"]].is_shared, "recalled_at": _recalled(lake, entry, person)}
            for entry in (extracts.overview(lake) if copies else ()) if entry["extract"] in copies]


def _recalled(lake: Lake, entry: Answer, person: find.Known) -> Any:
    """When the recipient of an extract was told; None where it was not, or not of each pseudonym."""
    from jobs.stages import recall

    files = Files(f"{lake.root}/{EXTRACTS}/{entry['recipient']}/{entry['extract']}")
    told = {name: row["issued_at"] for row in withdrawals.recalls(lake, entry["extract"])
            for name in json.loads(files.read(recall.names(row["number"])[0]) or b'{"delete": []}')["delete"]}
    wanted = pc.field("pseudonym").isin(sorted(person.pseudonyms | person.shared))
    there = set(lake.arrow(TABLE, columns=["pseudonym"], filters=wanted & (
        pc.field("table_name") == f"{EXTRACT}{entry['extract']}"))["pseudonym"].to_pylist())
    return max(told[name] for name in there) if there and there <= told.keys() else None
