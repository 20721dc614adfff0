"""Scrub texts in a frame: the one thing that a row goes through outside the engine's expressions, in batches of Arrow.

No engine has a recogniser of names. The function gets rows and what is known about their people, no key and no lake.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from contracts import table
from contracts.vocabulary import Treatment
from jobs.freetext.known import Known, KnownIdentities
from jobs.freetext.scrub import scrub

KNOWN, SCRUBBED = "known_of_person", "scrubbed_"
LONGEST = 300  # signs of one thing that is known, as ``Known`` has it
REMEMBERED = 1_000  # people whose patterns are made once
PARTS = ("names", "handles", "emails", "phones", "addresses", "ids", "birth_dates")


def texts(columns: Sequence[table.Column]) -> list[str]:
    """The names of the columns that are scrubbed."""
    return [column.name for column in columns if column.treatment is Treatment.SCRUB]


def known(links: DataFrame, identities: DataFrame) -> DataFrame:
    """A row a person: person_key and, as JSON, what the identities say that the links of this use lead to.

    links: source, source_person_id, person_key; identities: core.identity.
    """
    whole = F.concat_ws(" ", "given_name", "family_name")
    said = {"names": whole, "handles": F.col("handle"), "emails": F.col("email"), "phones": F.col("phone"),
            "addresses": F.col("city"), "ids": F.col("patient_number"), "birth_dates": F.col("birth_on").cast("string")}
    own = links.select("source", "source_person_id", "person_key").join(identities, ["source", "source_person_id"], "inner")
    told = own.groupBy("person_key").agg(*[F.collect_set(_useful(said[part])).alias(part) for part in PARTS])
    return told.select("person_key", F.to_json(F.struct(*PARTS)).alias(KNOWN))


def apply(rows: DataFrame, columns: Sequence[table.Column], known: DataFrame) -> DataFrame:
    """The rows, and beside each text that is scrubbed ``scrubbed_NAME``, null where it is withheld.

    rows: person_key and the columns; known: what ``known`` gives.
    """
    names = texts(columns)
    made = StructType([*rows.schema.fields, *[StructField(SCRUBBED + name, StringType(), True) for name in names]])

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield _batch(batch, names)

    joined = rows.join(known, on="person_key", how="left").select(*rows.columns, KNOWN)
    return joined.mapInArrow(run, schema=made)


def _batch(batch: pa.RecordBatch, names: list[str]) -> pa.RecordBatch:
    identities = batch.column(KNOWN).to_pylist()
    made = batch.drop_columns([KNOWN])
    for name in names:
        done = [scrub(text, None, _identities(one)).text for text, one in
                zip(batch.column(name).to_pylist(), identities, strict=True)]
        made = made.append_column(SCRUBBED + name, pa.array(done, pa.string()))
    return made


@lru_cache(REMEMBERED)
def _identities(said: str | None) -> KnownIdentities | None:
    return KnownIdentities([Known.model_validate_json(said)]) if said else None


def _useful(value: Column) -> Column:
    """What is looked for: no blank, and nothing too long to be one."""
    return F.when(F.length(F.trim(value)).between(1, LONGEST), value)
