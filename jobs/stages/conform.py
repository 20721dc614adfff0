"""conform: raw envelopes become typed core rows, and every record of a batch gets exactly one outcome."""

from __future__ import annotations

from functools import partial, reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.model import Column as ColumnContract
from contracts.model import Feed, Source, Stream, Table
from contracts.vocabulary import Outcome, RejectReason
from jobs.schema import ddl
from jobs.stages import parsed as parser
from jobs.stages.clocks import CLOCK_SKEW
from jobs.stages.mapping import Cell, Json, compile_call

ENVELOPE = ("batch_id", "position", "stream", "record_id", "payload_sha256", "received_at", "known_at", "version_at", "is_gone")
CHECK_REASONS = {"exists": RejectReason.MISSING, "one_of": RejectReason.UNKNOWN_CODE}


def typed(raw: DataFrame, source: Source, stream: Stream, tables: dict[str, Table], checks: bool = True) -> DataFrame:
    """The records of one stream of a batch with their core columns and their first problem.

    raw: envelopes, and known_at: since when they can be read, which for a batch is when they were received. Columns:
    ``ENVELOPE``, reason_code and field (null when all is well) and one struct ``row_<feed>`` a feed, null where the record
    does not feed it. ``checks=False`` leaves the contract's constraints to the gate; only tests do that.
    """
    feeds = [f for f in source.feeds if f.stream == stream.name]
    base = _envelope(raw, stream)
    payload, places = _places(feeds)
    cells = {feed.name: {m.column: compile_call(m.expression, payload) for m in feed.mappings if m.expression} for feed in feeds}
    fits = {feed.name: F.col(f"fits_{feed.name}") for feed in feeds}
    parsed = base.select("*", *places).select(
        "*", *[_fits(feed, payload).alias(f"fits_{feed.name}") for feed in feeds],
        *[column for feed in feeds for column in _cell_columns(feed, cells[feed.name], payload)])
    problems = [F.when(fits[feed.name], _feed_problem(feed, tables[feed.table], checks)) for feed in feeds]
    strange = F.when(~reduce(Column.__or__, fits.values()), _reason(RejectReason.UNEXPECTED_TYPE, None))
    problem = F.coalesce(*_record_problems(), *problems, strange)
    judged = parsed.select(
        *ENVELOPE, *[c for c in parsed.columns if c.startswith(("fits_", "value_"))],
        F.when(~F.col("is_gone") | F.col("text").isNull() | F.col("record_id").isNull(), problem).alias("problem"))
    wanted = ~F.col("is_gone") & F.col("problem").isNull()
    return judged.select(
        *ENVELOPE, F.substring_index("problem", "|", 1).alias("reason_code"),
        F.nullif(F.substring_index("problem", "|", -1), F.lit("")).alias("field"),
        *[F.when(wanted & fits[f.name], _row(f)).alias(f"row_{f.name}") for f in feeds])


def contested(records: DataFrame, known: DataFrame) -> DataFrame:
    """The outcomes (position, outcome) of records that occur more than once in the batch or that core knows already.

    ``records`` are those of ``typed``; ``known`` (record_id, version_at, payload_sha256, is_gone, position) is what core holds
    of records from other batches, and which of them were deleted; its position is null where it came before all of them. The
    latest version of a record wins, by version_at and then by batch and position; a deletion is a version like any
    other, so that an older edit does not bring back what is gone.
    """
    well = records.where(F.col("reason_code").isNull()).select(
        "record_id", "position", "payload_sha256", "is_gone", "version_at", "received_at")
    met = known.join(well.select("record_id").distinct(), "record_id", "left_semi")
    often = well.groupBy("record_id").agg(F.count("*").alias("times")).where("times > 1").select("record_id")
    few = well.join(often.unionByName(met.select("record_id")).distinct(), "record_id", "left_semi")
    order = F.struct(F.coalesce(F.col("version_at"), F.col("received_at")).alias("at"), F.col("position"))
    best = few.groupBy("record_id").agg(F.max(order).alias("best"))
    copies = few.groupBy("record_id", "payload_sha256", "is_gone").agg(F.max("position").alias("copy"))
    held = met.groupBy("record_id").agg(F.max(F.struct("version_at", "payload_sha256", "is_gone", "position")).alias("held"))
    joined = (few.join(best, "record_id").join(copies, ["record_id", "payload_sha256", "is_gone"])
              .join(held, "record_id", "left"))
    same = (F.col("held.payload_sha256") == F.col("payload_sha256")) & (F.col("held.is_gone") == F.col("is_gone"))
    newer = F.coalesce(F.nullif(F.col("held.version_at"), F.col("version_at")) > F.col("version_at"),
                       F.col("held.position") > F.col("position"))
    outcome = (F.when(F.col("copy") != F.col("position"), F.lit(str(Outcome.DUPLICATE)))
               .when(F.col("best.position") != F.col("position"), F.lit(str(Outcome.SUPERSEDED)))
               .when(same, F.lit(str(Outcome.DUPLICATE)))
               .when(newer, F.lit(str(Outcome.SUPERSEDED)))
               .when(F.col("is_gone"), F.lit(str(Outcome.DELETION)))
               .otherwise(F.lit(str(Outcome.ACCEPTED))))
    return joined.select("position", outcome.alias("contest"))


def first_broken(broken: DataFrame) -> DataFrame:
    """A rule by position, of all that rows of a record break."""
    return broken.groupBy("position").agg(F.min("rule").alias("rule"))


def set_apart(records: DataFrame, broken: DataFrame) -> DataFrame:
    """The records, those rejected whose rows break a rule of a core table's contract; ``broken``: position, rule."""
    found = records.join(broken, "position", "left")
    is_broken = F.col("rule").isNotNull() & F.col("reason_code").isNull()
    said = {"field": F.when(is_broken, F.col("rule")).otherwise(F.col("field")),
            "reason_code": F.when(is_broken, F.lit(str(RejectReason.RULE_BROKEN))).otherwise(F.col("reason_code")),
            **{c: F.when(~is_broken, F.col(c)) for c in records.columns if c.startswith("row_")}}  # It makes no row.
    return found.select(*[said.get(c, F.col(c)).alias(c) for c in records.columns])


def outcomes(records: DataFrame, contests: DataFrame) -> DataFrame:
    """The records with their outcome: rejected, what ``contested`` says, or else a deletion or accepted."""
    outcome = (F.when(F.col("reason_code").isNotNull(), F.lit(str(Outcome.REJECTED)))
               .when(F.col("contest").isNotNull(), F.col("contest"))
               .when(F.col("is_gone"), F.lit(str(Outcome.DELETION)))
               .otherwise(F.lit(str(Outcome.ACCEPTED))))
    return records.join(contests, "position", "left").withColumn("outcome", outcome).drop("contest")


def core_rows(decided: DataFrame, source: Source, feed: Feed, table: Table) -> DataFrame:
    """The accepted rows of one feed, with the columns of its core table."""
    return _rows(decided.where(F.col("outcome") == str(Outcome.ACCEPTED)), source, feed, table)


def candidate_rows(records: DataFrame, source: Source, feed: Feed, table: Table) -> DataFrame:
    """What one feed makes of sound records, before their outcomes: the columns of its core table, and position."""
    return _rows(records.where(F.col("reason_code").isNull()), source, feed, table, "position")


def _rows(records: DataFrame, source: Source, feed: Feed, table: Table, *more: str) -> DataFrame:
    name = f"row_{feed.name}"
    row, types, made = F.col(name), ddl(table), {m.column for m in feed.mappings}
    found = records.where(row.isNotNull())
    found = parser.exploded(found, name) if feed.parse else found.withColumn("part", F.lit(0))
    values = {"source": F.lit(source.id), "contract_version": F.lit(source.version), "known_at": F.col("known_at"),
              **{n: F.col(n) for n in ("record_id", "version_at", "batch_id", "payload_sha256", "part")}}
    columns = [(values[n] if n in values else row[n] if n in made else F.lit(None)).cast(t).alias(n)
               for n, t in types.items()]
    return found.select(*columns, *more)


def settled(decided: DataFrame, source: Source) -> DataFrame:
    """The deletions, as rows that remember them, and with ``is_present`` the accepted records: they are not gone."""
    outcome = F.col("outcome")
    return decided.where(outcome.isin(str(Outcome.DELETION), str(Outcome.ACCEPTED))).select(
        F.lit(source.id).alias("source"), "record_id", "version_at", "batch_id", "payload_sha256",
        (outcome == str(Outcome.ACCEPTED)).alias("is_present"))


def account(decided: DataFrame) -> DataFrame:
    """Rows by stream, outcome and reason_code; a dash where there is nothing to say."""
    reason = F.coalesce(F.col("reason_code"), F.lit("-"))
    return decided.groupBy("stream", "outcome", reason.alias("reason_code")).agg(F.count("*").alias("rows"))


def rejected(decided: DataFrame, source: Source, rules_sha256: str) -> DataFrame:
    """Pointers to the rejected records; rejected_at is when the batch was received, so that it can be made again."""
    return decided.where(F.col("outcome") == str(Outcome.REJECTED)).select(
        "batch_id", "position", "stream", "record_id", "reason_code", "field",
        F.lit(source.version).alias("contract_version"), F.lit(rules_sha256).alias("rules_sha256"),
        F.col("received_at").alias("rejected_at"))


def _envelope(raw: DataFrame, stream: Stream) -> DataFrame:
    """The envelopes of a stream with their JSON text, version_at, its problem, and whether the record is gone."""
    text = F.when(F.is_valid_utf8(F.col("payload")), F.col("payload").cast("string"))
    base = raw.where(F.col("stream") == stream.name).withColumn("text", text)
    version = compile_call(stream.version, Json(F.col("text"))) if stream.version else _nothing("timestamp")
    gone = compile_call(stream.deleted, Json(F.col("text"))).value if stream.deleted else F.lit(False)
    return base.select("batch_id", "position", "stream", "record_id", F.col("sha256").alias("payload_sha256"),
                       "received_at", "known_at", "text", version.value.alias("version_at"),
                       version.problem.alias("version_problem"),
                       (F.col("is_deleted") | F.coalesce(gone, F.lit(False))).alias("is_gone"))


def _record_problems() -> list[Column]:
    alone = F.concat(F.lit("["), F.col("text"), F.lit("]"))  # One object and nothing after it.
    is_json = (F.col("text").rlike(r"^\s*\{") & F.get_json_object(alone, "$").isNotNull()
               & F.get_json_object(alone, "$[1]").isNull())
    return [F.when(F.col("text").isNull(), _reason(RejectReason.NOT_UTF8, None)),
            F.when(~is_json, _reason(RejectReason.NOT_JSON, None)),
            F.when(F.col("record_id").isNull(), _reason(RejectReason.NO_RECORD_ID, None)),
            F.when(F.col("version_problem").isNotNull(), _problem(F.col("version_problem"), "version_at"))]


def _places(feeds: list[Feed]) -> tuple[Json, list[Column]]:
    """The payload with every path its feeds read, and the columns that hold these: no path is read twice."""
    names = {path: f"at_{n}" for n, path in enumerate(dict.fromkeys(p for f in feeds for c in f.calls for p in c.paths()))}
    text = Json(F.col("text"))
    return Json(text.text, {p: F.col(name) for p, name in names.items()}), [text.at(p).alias(n) for p, n in names.items()]


def _fits(feed: Feed, payload: Json) -> Column:
    return F.coalesce(compile_call(feed.when, payload).value, F.lit(False)) if feed.when else F.lit(True)


def _row(feed: Feed) -> Column:
    return F.col(parser.rows_name(feed)) if feed.parse else F.struct(
        *[F.col(_value(feed, m.column)).alias(m.column) for m in feed.mappings])


def _cell_columns(feed: Feed, cells: dict[str, Cell], payload: Json) -> list[Column]:
    """Value and problem of every mapping, and of every check, each a column of its own."""
    checks = [compile_call(call, payload) for call in feed.checks]
    return [*(parser.columns(feed, F.when(_fits(feed, payload), payload.text)) if feed.parse else ()),
            *[cell.value.alias(_value(feed, name)) for name, cell in cells.items()],
            *[cell.problem.alias(_trouble(feed, name)) for name, cell in cells.items()],
            *[cell.value.alias(f"check_{feed.name}_{i}") for i, cell in enumerate(checks)]]


def _feed_problem(feed: Feed, table: Table, checks: bool) -> Column:
    found = []
    for name in ("record_id", "version_at") if checks else ():
        broken = _broken(F.col(name), table.column(name), required=False)
        found.append(F.when(broken.isNotNull(), _problem(broken, name)))
    for number, call in enumerate(feed.checks):
        failed = ~F.coalesce(F.col(f"check_{feed.name}_{number}"), F.lit(False))
        reason = CHECK_REASONS.get(call.function, RejectReason.CHECK_FAILED)
        found.append(F.when(failed, _reason(reason, str(call.paths()[0]))))
    if feed.parse:
        found.append(F.col(parser.problem_name(feed)))
    for mapping in feed.mappings:
        contract, required = table.column(mapping.column), table.column(mapping.column).required or mapping.required
        if not feed.parse:
            trouble = F.col(_trouble(feed, mapping.column))
            found.append(F.when(trouble.isNotNull(), _problem(trouble, mapping.column)))
        if checks:
            broken = (parser.broken(feed, mapping.column, partial(_broken, contract=contract, required=required)) if feed.parse
                      else _broken(F.col(_value(feed, mapping.column)), contract, required))
            found.append(F.when(broken.isNotNull(), _problem(broken, mapping.column)))
    return F.coalesce(*found)


def _value(feed: Feed, column: str) -> str:
    return f"value_{feed.name}_{column}"


def _trouble(feed: Feed, column: str) -> str:
    return f"trouble_{feed.name}_{column}"


def _broken(value: Column, contract: ColumnContract, required: bool) -> Column:
    rules: list[tuple[Column, RejectReason]] = []
    if required:
        rules.append((value.isNull(), RejectReason.MISSING))
    if contract.max_length is not None:
        rules.append((F.length(value) > contract.max_length, RejectReason.TOO_LONG))
    if contract.pattern is not None:
        rules.append((~value.rlike(contract.pattern), RejectReason.BAD_FORMAT))
    if contract.allowed_values is not None:
        rules.append((~value.isin(list(contract.allowed_values)), RejectReason.UNKNOWN_CODE))
    if contract.minimum is not None:
        rules.append((value < contract.minimum, RejectReason.OUT_OF_RANGE))
    if contract.maximum is not None:
        rules.append((value > contract.maximum, RejectReason.OUT_OF_RANGE))
    if contract.not_in_future:
        limit = F.col("received_at") + F.lit(CLOCK_SKEW)
        rules.append((value > (limit.cast("date") if contract.type == "date" else limit), RejectReason.IN_FUTURE))
    return F.coalesce(F.lit(None).cast("string"), *[F.when(wrong, F.lit(str(reason))) for wrong, reason in rules])


def _reason(reason: RejectReason, field: str | None) -> Column:
    return _problem(F.lit(str(reason)), field)


def _problem(reason: Column, field: str | None) -> Column:
    """A reason and its field as one text: structs of differing nullability cannot be merged on every engine."""
    return F.concat(reason, F.lit(f"|{field or ''}"))


def _nothing(kind: str) -> Cell:
    return Cell(F.lit(None).cast(kind), F.lit(None).cast("string"))
