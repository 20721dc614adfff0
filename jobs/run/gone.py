"""Who is gone from a release or an extract, why, and the withdrawal that took them out, as the ledger keeps it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

from contracts.vocabulary import GoneReason, PermitReason
from jobs import keys
from jobs.ledger import batches, replays
from jobs.run import consent
from jobs.run.shell import Shell
from jobs.stages import withdrawal as stage
from jobs.stages.pseudonymise import digest
from jobs.stages.use import Use

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

REFERENCES = "ledger.withdrawal"


@dataclass(frozen=True)
class Basis:
    """What people were let in by, and what is decided now: when, whether the contract is the same, and the uses.

    The last use is that of the product, by whose keys people are known; ``versions`` are those of consent.TABLES.
    """

    since: datetime
    same_terms: bool
    uses: tuple[Use, ...]
    terms: consent.Terms
    versions: dict[str, int]


@dataclass(frozen=True)
class Gone:
    """A pseudonym of somebody who is gone, whose it is (None where no person has it any more), why, and the statement behind it
    where that is a withdrawal. Somebody has another pseudonym in each epoch."""

    pseudonym: str
    person_key: str | None
    because: GoneReason
    denial: stage.Denial | None


def find(shell: Shell, held: DataFrame, decisions: DataFrame, basis: Basis) -> list[Gone]:
    """Those of ``held`` (pseudonym, person_key) who are not permitted.

    People who are gone are few beside those held, so they leave the engine; the statements asked for are theirs alone.
    """
    found = stage.gone(held, decisions).toArrow().to_pylist()
    denied = sorted({row["person_key"] for row in found if row["reason_code"] == PermitReason.DENIED})
    said = _denials(shell, denied, basis) if denied else {}
    conformed = {**batches.conformed(shell.lake), **replays.finished(shell.lake)} if denied else {}
    gone = []
    for row in sorted(found, key=lambda r: r["pseudonym"]):
        news = stage.first_news(said.get(row["person_key"], ()), conformed, basis.since)
        because = stage.because(row["reason_code"], news, basis.same_terms)
        gone.append(Gone(row["pseudonym"], row["person_key"], because, news if because is GoneReason.WITHDRAWAL else None))
    return gone


def withdrawals(shell: Shell, gone: Iterable[Gone], product: str, subject: str, effect: str,
                at: datetime) -> list[dict[str, Any]]:
    """Rows of ledger.withdrawal: one for each withdrawal among the gone that had this effect then.

    The reference is a keyed digest of which statement it was: the same for every effect of it, and without the key
    nobody can tell whose it is.
    """
    denials = {gone.denial for gone in gone if gone.denial is not None}
    ordered = sorted(denials, key=lambda d: (d.said_at, d.source, d.record_id))
    key = keys.reference_key(shell.settings.keys, REFERENCES, shell.settings.master)
    references = digest(key, [f"{d.source}/{d.record_id}/{d.said_at.isoformat()}" for d in ordered])
    return [{"reference": reference, "product": product, "subject": subject, "effect": effect, "source": d.source,
             "said_at": d.said_at, "known_at": d.known_at, "effective_at": at}
            for reference, d in zip(references, ordered, strict=True)]


def _denials(shell: Shell, persons: Sequence[str], basis: Basis) -> dict[str, list[dict[str, Any]]]:
    """The noes that stand between each of these persons and the uses."""
    import pyarrow as pa

    known = consent.read(shell, basis.versions)
    people = consent.asked(known, basis.uses[-1], basis.terms)
    asked = shell.lake.spark.createDataFrame(pa.table({"person_key": pa.array(persons, pa.string())}))
    frames = [stage.denials(asked, people, known.statements, use) for use in basis.uses]
    said: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in reduce(lambda a, b: a.unionByName(b), frames).toArrow().to_pylist():
        said[row["person_key"]].append(row)
    return said
