"""Screen: what may tell of an adverse event, looked for before any consent, for reporting is a legal duty.

The words and limits stand in ``lexicon.yaml``, for safety officers to read and change.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.model import Feed, Source, Table
from jobs.schema import ddl
from jobs.stages.mapping import Json, compile_call

Kind = Literal["message", "interaction", "observation"]

TRIAGE_WITHIN = timedelta(hours=24)
REPORT_WITHIN = timedelta(days=15)  # serious cases: ICH E2D, Regulation (EC) 726/2004
WITHDRAWN = ("cancelled", "entered-in-error")

ACCENTED = "àáâãäåçèéêëìíîïñòóôõöøùúûüýÿ"
PLAIN = "aaaaaaceeeeiiiinoooooouuuuyy"
LIGATURES = {"ß": "ss", "æ": "ae", "œ": "oe"}
UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


@dataclass(frozen=True)
class Lexicon:
    """What is looked for: reasons with their folded words, the most serious first, and limits of glucose in mg/dL."""

    words: tuple[tuple[str, tuple[str, ...]], ...]
    glucose_codes: tuple[str, ...]
    mg_dl_per_mmol_l: float
    low_below: float
    high_above: float


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The lexicon that comes with Concord."""
    raw = yaml.safe_load(Path(__file__).with_name("lexicon.yaml").read_text(encoding="utf-8"))
    words = tuple((reason, tuple(sorted({form for entries in by_language.values() for word in entries
                                         for form in (fold(word), fold(word.lower().translate(UMLAUTS)))})))
                  for reason, by_language in raw["words"].items())
    limits = raw["glucose"]
    return Lexicon(words, tuple(limits["codes"]), limits["mg_dl_per_mmol_l"], limits["low_below"], limits["high_above"])


def screen(rows: DataFrame, kind: Kind, lexicon: Lexicon, found_at: datetime) -> DataFrame:
    """Candidates for safety.candidate among rows of core.<kind>: one a record, for its most serious reason.

    ``found_at`` is an aware datetime (ValueError otherwise); triage is due 24 hours and a report 15 days after it.
    Posts of the brand itself and readings that were taken back are left out.
    """
    if found_at.tzinfo is None:
        raise ValueError("found_at has no time zone; give an aware datetime, for example one in UTC")
    match kind:
        case "message":
            reason, at = _told(lexicon, F.when(~F.col("is_from_brand"), F.col("text"))), "posted_at"
        case "interaction":
            reason, at = _told(lexicon, F.col("text")), "occurred_at"
        case "observation":
            reason, at = _measured(lexicon), "effective_at"
        case _:
            raise ValueError(f"cannot screen {kind!r}; what can be screened is message, interaction, observation")
    return rows.select(
        "source", "record_id", "source_person_id", F.lit(f"core.{kind}").alias("table_name"),
        reason.alias("reason_code"), F.col(at).alias("occurred_at"), F.lit(found_at).alias("found_at"),
        F.lit(found_at + TRIAGE_WITHIN).alias("triage_due_at"), F.lit(found_at + REPORT_WITHIN).alias("report_due_at"),
    ).where(F.col("reason_code").isNotNull())


def unread(records: DataFrame, source: Source, feed: Feed, table: Table) -> DataFrame:
    """Raw records of a feed's stream that are not in core as rows for ``screen``: with what can be read, null for the rest.

    Reporting does not wait for a record to be put right. Where no text can be found the whole payload is the text; a
    record without an id is named by its batch and position.
    """
    content = F.when(F.is_valid_utf8(F.col("payload")), F.col("payload").cast("string")).otherwise(
        F.decode(F.col("payload"), "ISO-8859-1"))
    base = records.where(F.col("stream") == feed.stream).withColumn("content", content)
    found = {m.column: compile_call(m.expression, Json(F.col("content"))).value for m in feed.mappings if m.expression}
    for column, default in {"text": F.col("content"), "is_from_brand": F.lit(False), "status_code": F.lit("")}.items():
        if column in found:
            found[column] = F.coalesce(found[column], default)
    name = F.coalesce(F.col("record_id"), F.concat_ws("/", F.col("batch_id"), F.col("position").cast("string")))
    own = ("source", "record_id", "batch_id", "position")
    return base.select(F.lit(source.id).alias("source"), name.alias("record_id"),
                       *[found.get(n, F.lit(None)).cast(t).alias(n) for n, t in ddl(table).items() if n not in own])


def one_each(found: DataFrame, lexicon: Lexicon) -> DataFrame:
    """Of several candidates that are one record the most serious."""
    order = F.array(*[F.lit(code) for code, _ in lexicon.words], F.lit("low_glucose"), F.lit("high_glucose"))
    key = ("source", "record_id")
    rest = [c for c in found.columns if c not in key]
    best = F.min(F.struct(F.array_position(order, F.col("reason_code")).alias("rank"), *rest))
    return found.groupBy(*key).agg(best.alias("best")).select(*key, *[F.col(f"best.{c}").alias(c) for c in rest])


def fold(text: str) -> str:
    """Lower case, accents and ligatures plain, anything but letters and digits one space. ``_folded`` in Python."""
    spelled = "".join(LIGATURES.get(c, c) for c in text.lower())
    plain = "".join(c for c in unicodedata.normalize("NFD", spelled) if not unicodedata.combining(c))
    return " ".join("".join(c if c.isascii() and c.isalnum() else " " for c in plain).split())


def _folded(text: Column) -> Column:
    """The text as ``fold`` gives it, with a space at both ends."""
    plain = F.lower(text)
    for ligature, letters in LIGATURES.items():
        plain = F.replace(plain, F.lit(ligature), F.lit(letters))
    plain = F.regexp_replace(F.translate(plain, ACCENTED, PLAIN), "[\u0300-\u036f]", "")
    return F.concat(F.lit(" "), F.regexp_replace(plain, "[^a-z0-9]+", " "), F.lit(" "))


def _told(lexicon: Lexicon, text: Column) -> Column:
    """The most serious reason whose words the text has, or null."""
    reason = F.lit(None).cast("string")
    for code, words in reversed(lexicon.words):
        reason = F.when(_folded(text).rlike(f" ({'|'.join(words)}) "), F.lit(code)).otherwise(reason)
    return reason


def _measured(lexicon: Lexicon) -> Column:
    """Which limit a glucose reading passes, or null."""
    mg_dl = F.when(F.col("unit_code") == "mg/dL", F.col("value")).when(
        F.col("unit_code") == "mmol/L", F.col("value") * lexicon.mg_dl_per_mmol_l)
    counts = F.col("code").isin(*lexicon.glucose_codes) & ~F.col("status_code").isin(*WITHDRAWN)
    return F.when(counts & (mg_dl < lexicon.low_below), F.lit("low_glucose")).when(
        counts & (mg_dl > lexicon.high_above), F.lit("high_glucose"))
