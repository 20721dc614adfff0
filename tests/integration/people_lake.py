"""A lake whose people are known to several sources, for tests of linking: who they are in core, and what linking made of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from contracts import catalog
from contracts.matching import OF_IDENTITIES
from jobs.lake import Lake
from jobs.schema import arrow_schema
from jobs.settings import Settings
from tests import small_lake
from tests.synthetic_people import MAP, people

IDENTITY, LINK, HELD, CHANGE, PERSON = "core.identity", "vault.link", "vault.held", "vault.change", "vault.person"
SOURCES = ("crm", "adherence_app", "community")
COLUMNS = {"birth_date": "birth_on", "sex": "sex_code"}
Row = dict[str, Any]


def lake(made: Settings) -> Lake:
    """The lake of a home."""
    return Lake(made.lake_root, catalog().tables)


def made_of(home: Path, engine: str, *rows: Row) -> Settings:
    """A home whose core knows these identities."""
    made = small_lake.settings(home, engine)
    small_lake.append(lake(made), IDENTITY, list(rows))
    lake(made).ensure("core.contact_point")
    return made


def who(name: str, **columns: Any) -> Row:
    """A record of an identity, 'source/id'; a verified address or number is given as ``proof``, a phone number starts with +."""
    source, person = name.split("/")
    proof = columns.pop("proof", None)
    role = "phone" if proof and proof[0] == "+" else "email"
    return {"source": source, "source_person_id": person, "record_id": name, **({role: proof, f"is_{role}_verified": True} if proof else {}),
            **columns}


def drawn(number: int, seed: int) -> list[Row]:
    """Identities of made-up people, one to three a person; three of four have a verified address."""
    columns = {COLUMNS.get(role, role): column for role, column in MAP.items() if role in OF_IDENTITIES}
    found = []
    for n, row in enumerate(people(number, seed=seed).to_pylist()):
        values = {name: row[column] for name, column in columns.items()}
        values["birth_on"] = a_date(values["birth_on"])
        found.append(who(f"{SOURCES[n % 3]}/{row['id']}", is_email_verified=n % 4 > 0 and values["email"] is not None, **values))
    return found


def a_date(text: str | None) -> date | None:
    """A date where it is one: some have a wrong digit."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def rewrite(made: Settings, change: Callable[[Row], Row | None], *more: Row) -> None:
    """Change what core knows of each identity (None takes it out), and add identities."""
    into = lake(made)
    rows = [row for old in into.arrow(IDENTITY).to_pylist() if (row := change(old))]
    into.replace_arrow(IDENTITY, pa.Table.from_pylist(rows, schema=arrow_schema(into.contract(IDENTITY))))
    small_lake.append(into, IDENTITY, list(more))


def links(made: Settings) -> dict[str, Row]:
    """The link of each identity, 'source/id'."""
    return {f"{row['source']}/{row['source_person_id']}": row for row in lake(made).arrow(LINK).to_pylist()}


def persons(made: Settings, *names: str) -> set[frozenset[str]]:
    """The identities of each person; of those who have one of the names, if any are given."""
    found: dict[str, set[str]] = {}
    for name, row in links(made).items():
        found.setdefault(row["person_key"], set()).add(name)
    return {frozenset(identities) for identities in found.values() if not names or identities & set(names)}


def key(made: Settings, name: str) -> str:
    """The person of an identity."""
    return str(links(made)[name]["person_key"])


def changes(made: Settings) -> set[tuple[str, str, str, str]]:
    """What changed hands: identity, kind, from and to."""
    return {(f"{row['source']}/{row['source_person_id']}", row["kind"], row["from_key"], row["to_key"])
            for row in lake(made).arrow(CHANGE).to_pylist()}


def held(made: Settings) -> dict[frozenset[str], str]:
    """Why each match waits, by the two persons' keys."""
    return {frozenset((row["person_key"], row["other_key"])): row["reason"] for row in lake(made).arrow(HELD).to_pylist()}


def vault(made: Settings) -> dict[str, list[str]]:
    """Every row of the tables that linking writes, whole."""
    return {name: sorted(map(str, lake(made).arrow(name).to_pylist())) for name in sorted(catalog().tables)
            if name.startswith("vault.")}


def vote(made: Settings, left: str, right: str, decision: str, by: str = "ann", about_consent: bool = False) -> None:
    """Let a reviewer say something of two identities."""
    into = lake(made)
    row = {"match_id": "0" * 16, "left_identity": left, "right_identity": right, "decided_by": by, "decided_at": datetime.now(UTC),
           "decision": decision, "is_about_consent": about_consent, "reason": "asked them", "proof": "x"}
    into.append_arrow("vault.decision", pa.Table.from_pylist([row], schema=arrow_schema(into.contract("vault.decision"))))
