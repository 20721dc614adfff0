"""explain: why a person is in a past release or out of it, as known then and as true now, told to an officer alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.vocabulary import PermitReason
from jobs.errors import ConfigurationError, IntegrityError
from jobs.run import asking, commitments, consent, past, pseudonyms
from jobs.run.asking import Person, Question
from jobs.run.past import Asked, Pinned
from jobs.run.shell import Report, Shell, open_shell
from jobs.schema import spark_schema
from jobs.settings import Settings
from jobs.stages import explain as stage
from jobs.stages import permit
from jobs.stages.own_keys import own_key
from jobs.stages.use import Use

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Who a statement belongs to is asked for outside the engine, which gets numbers in the place of names.
HIDDEN = ("given_name", "family_name", "email", "phone", "postcode", "city", "device_id", "handle", "payload_sha256")
TOLD = ("source", "record_id", "purpose_code", "recipient_id", "data_category_code", "channel_code", "decision_code",
        "recorded_at", "valid_from_at", "valid_to_at", "data_from_at", "data_to_at", "given_by_code", "known_at")
Answer = dict[str, Any]


def explain(settings: Settings, wanted: Asked, question: Question, tell: Callable[[Answer], None]) -> Report:
    """Tell ``tell`` whether and why a person is in a release; nothing of the person is kept: the audit holds a commitment.

    Raises NotAuthorised unless an officer asks, ConsentUnreadable when a pinned version is not there any more, and, once
    all is told, IntegrityError when the release holds rows of the person although no permit allows it.
    """
    with open_shell(settings, "explain", wanted.subject, with_engine=True) as shell:
        person = asking.authorised(shell, question, asking.Asked).person
        if person is None:
            raise ConfigurationError(f"standard input names no person; it is of the form {asking.SHAPES[asking.Asked]}")
        commitments.about(shell, [person])
        pins, now = past.find(shell.lake, shell.catalog, wanted), datetime.now(UTC)
        shell.trail.reads(*consent.TABLES, *[p.product.table.name for p in pins])
        products = [_product(shell, pinned, person, now) for pinned in pins]
        released_at = pins[0].pin["released_at"].replace(tzinfo=UTC)
        tell({"release": f"{wanted.group}/{wanted.number}", "released_at": released_at, "asked_by": shell.trail.proved_actor,
              "products": products})
        wrong = [p["product"] for p in products if not p["agrees"]]
        if wrong:
            raise IntegrityError(f"release {wanted.number} of {wanted.group} holds rows of this person in {', '.join(wrong)}, "
                                 "which no permit of then allows; `concord replay` counts whom else it concerns")
        shell.report.is_answer = True
        shell.report.facts.update(release=wanted.number, group=wanted.group, products=[p["product"] for p in products])
        return shell.report


def _product(shell: Shell, pinned: Pinned, person: Person, now: datetime) -> Answer:
    """What is to say of a person and one product of a release."""
    then, key = _decision(shell, pinned.use, pinned.terms, pinned.versions, person)
    use = Use.of(pinned.product, now)
    today, _ = _decision(shell, use, consent.Terms.of(shell.catalog, use), consent.versions(shell), person)
    present = _is_in(shell, pinned, key)
    return {"product": pinned.product.id, "purposes": list(pinned.use.purposes), "legal_basis": str(pinned.use.legal_basis),
            "is_in_release": present, "agrees": not present or then["is_permitted"], "then": then, "now": today}


def _decision(shell: Shell, use: Use, terms: consent.Terms, versions: dict[str, int],
              person: Person) -> tuple[Answer, str | None]:
    """The decision of a use for a person at table versions, with the part of each statement; and the person's key."""
    rows = consent.of_person(shell, versions, person.source, person.source_person_id)
    links, said = rows[consent.LINK].to_pylist(), rows[consent.CONSENT]
    mine = next((link for link in links if (link["source"], link["source_person_id"]) == (
        person.source, person.source_person_id)), None)
    answer: Answer = {"as_of": use.as_of, "identities": len(links), "is_permitted": False,
                      "reason_code": str(PermitReason.NO_IDENTITY), "statements": []}
    if not use.legal_basis.rests_on_consent:
        return answer | {"is_permitted": True, "reason_code": str(use.legal_basis)}, None
    if mine is None:
        return answer, None
    frames, number, label = _without_names(shell, rows, mine)
    whom = consent.asked(frames, use, terms)
    joins = mine["source"] in terms.joining
    key = label if joins else own_key(label, mine["source"], number)
    whom = replace(whom, links=whom.links.where(whom.links["person_key"] == key))
    decisions = permit.decide(whom, frames.statements, use)
    (decided,) = decisions.collect()
    told = stage.statements(whom, frames.statements, use, decisions).toArrow().to_pylist()
    record_ids = said["record_id"].to_pylist()
    parts = [{**{name: row[name] for name in TOLD}, "record_id": record_ids[int(row["record_id"])],
              "fate_code": row["fate_code"], "decides": row["decides"]} for row in told]
    vault = mine["person_key"]
    return answer | {"is_permitted": decided["is_permitted"], "reason_code": decided["reason_code"],
                     "statements": sorted(parts, key=lambda p: (p["recorded_at"], p["source"], p["record_id"]))
                     }, vault if joins else own_key(vault, mine["source"], mine["source_person_id"])


def _without_names(shell: Shell, rows: dict[str, pa.Table], mine: Answer) -> tuple[consent.Known, str, str]:
    """What a decision rests on for the engine, with numbers in the place of every id and nothing in that of names; and the
    number and the key's number of one link."""
    links = rows[consent.LINK].to_pylist()
    persons = {key: f"key-{n}" for n, key in enumerate(dict.fromkeys([mine["person_key"], *(r["person_key"] for r in links)]))}
    numbers = {(r["source"], r["source_person_id"]): str(n) for n, r in enumerate(links)}

    def frame(name: str) -> DataFrame:
        made = []
        for n, row in enumerate(rows[name].to_pylist()):
            person = {c: persons.get(row[c], f"stranger-{n}") for c in ("person_key", "other_key") if c in row}
            identity = {"source_person_id": numbers[row["source"], row["source_person_id"]]} if "source" in row else {}
            made.append({**row, **dict.fromkeys([c for c in HIDDEN if c in row], ""),
                         **({"record_id": str(n)} if "record_id" in row else {}), **person, **identity})
        table = pa.Table.from_pylist(made, schema=rows[name].schema)
        return shell.lake.spark.createDataFrame(table, spark_schema(shell.lake.contract(name)))

    known = consent.Known(frame(consent.CONSENT), frame(consent.LINK), frame(consent.HELD), frame(consent.IDENTITY))
    return known, numbers[mine["source"], mine["source_person_id"]], persons[mine["person_key"]]


def _is_in(shell: Shell, pinned: Pinned, key: str | None) -> bool | None:
    """Whether rows of the person are in the released version; None where a product has no rows of persons."""
    if pinned.pseudonym_domain is None:
        return None
    held = shell.lake.arrow(pseudonyms.TABLE, columns=["pseudonym"], filters=(
        (pc.field("domain") == pinned.pseudonym_domain) & (pc.field("person_key") == (key or ""))))["pseudonym"].to_pylist()
    if not held:
        return False
    rows = shell.lake.arrow(pinned.product.table.name, pinned.pin["table_version"], columns=[pinned.pseudonym_column],
                            filters=pc.field(pinned.pseudonym_column).isin(held))
    return bool(rows.num_rows)
