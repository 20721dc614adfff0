"""Judging: what is made of a pair of profiles: its weight by the model, what proves it, and what contradicts it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from splink import DuckDBAPI, Linker

from contracts.matching import Matching
from jobs.matching.candidates import PROVEN
from jobs.matching.model import FREQUENCY, Model, asked, by_frequency, in_words, linker_over, score, stable, weight
from jobs.matching.pairs import PAIRS
from jobs.matching.profiles import LINE, ROLES
from jobs.matching.records import TABLE, Records
from jobs.matching.stored import Stored

JUDGED, WEIGHED = "judged", "weighed"
WEIGHTS = "weights (l bigint, r bigint, weight double, is_silent boolean)"
EVEN = 0.0  # The weight of even odds, in bits: what weighs less is not held, and contradicts a proof if anything stable is known.
SCORE = "the score"
# Weighs pairs elsewhere: from profiles, pairs (l, r) and Splink's lowest weight to unique_id_l, unique_id_r, weight, is_silent.
Elsewhere = Callable[[pa.Table, pa.Table, float | None], pa.Table]


def scorer(records: Records, matching: Matching, stored: Stored) -> Linker:
    """Splink with the stored model, over those records that a pair to be weighed has (``WEIGHED``)."""
    api, model = DuckDBAPI(records.connection), stored.model
    _take(records, matching, stored, "(select 0 as l, 0 as r limit 0)")
    splink = linker_over(api.register(WEIGHED, dataset_display_name="profiles"), ROLES, matching, model, model.prior)
    for role in by_frequency(matching, ROLES):  # WEIGHED has them, but Splink would count them all the same.
        records.run(f"create table rarity_of_{role} (tf_{role} double, {role} varchar)")
        splink.table_management.register_term_frequency_lookup(api.register(f"rarity_of_{role}"), str(role))
    return splink


def judge_candidates(records: Records, matching: Matching, stored: Stored | None, splink: Linker | None,
                     elsewhere: Elsewhere | None = None) -> None:
    """Fill ``JUDGED`` with those of ``PAIRS`` that are links or held; see ``judge``. Few are, and the rest is not kept.

    elsewhere: weighs the pairs where there are ``score_on_engine_from`` or more.
    """
    records.run(f"create table worth as from {PROVEN} union select l, r from ({_sides(records, PAIRS)}) where {_any(matching)}")
    records.run(f"create or replace table {WEIGHTS}")
    if stored and splink:
        if elsewhere and records.one(f"select count(*) from {PAIRS}") >= matching.score_on_engine_from:
            _weigh_elsewhere(records, elsewhere, lowest(stored.model))
        else:
            _weigh(records, matching, stored, splink, PAIRS, lowest(stored.model))
        records.run("create table unweighed as from worth anti join weights using (l, r)")
        _weigh(records, matching, stored, splink, "unweighed")
    _judge(records, matching, stored, "(select l, r from weights union from worth)")
    records.run(f"delete from {JUDGED} where not is_link and not is_held")


def judge(records: Records, matching: Matching, stored: Stored | None, splink: Linker | None, pairs: str) -> None:
    """Fill ``JUDGED`` with a row for each pair of a table (l, r).

    l, r; weight: bits, null without a model; is_silent: whether nothing stable is known of both; proof: the strongest kind of
    value that both verified, or null; against: the contradictions, or null; is_link and is_held: whether the pair is taken for
    one person, or left to a review. splink: from ``scorer``.
    """
    records.run(f"create or replace table {WEIGHTS}")
    if stored and splink:
        _weigh(records, matching, stored, splink, pairs)
    _judge(records, matching, stored, pairs)


def _judge(records: Records, matching: Matching, stored: Stored | None, pairs: str) -> None:
    least = stored.least if stored else 0.0
    records.run(f"""create or replace table {JUDGED} as
        with seen as (select l, r, {_proof(matching)} as proof, {_against(matching)} as known, {_any(matching)} as is_likely
                      from ({_sides(records, pairs)})),
        told as (select * exclude (known), case when proof is not null and weight < {EVEN} and not is_silent
                                                then list_append(known, '{SCORE}')
                                                else known end as against from seen left join weights using (l, r)),
        found as (select *, len(against) = 0 and (proof is not null or coalesce(weight >= {least}, false)) as is_link from told)
        select l, r, weight, coalesce(is_silent, true) as is_silent, proof, nullif(array_to_string(against, ', '), '') as against,
               is_link, not is_link and (len(against) < 2 and (proof is not null or is_likely)
                                         or coalesce(weight >= {EVEN}, false)) as is_held from found""")


def _weigh(records: Records, matching: Matching, stored: Stored, splink: Linker, pairs: str, lowest: float | None = None) -> None:
    """Add to ``weights`` (l, r, weight, is_silent) by the model. lowest: Splink's weight, of which less is left out."""
    if not records.one(f"select count(*) from {pairs}"):
        return
    _take(records, matching, stored, pairs)
    scored = score(splink, pairs, lowest)
    is_silent = f"({stable(stored.model, matching)}) = 0"
    records.run(f"insert into weights select unique_id_l, unique_id_r, {weight(stored.model)}, {is_silent} from {scored}")
    records.run(f"drop table {scored}")


def _weigh_elsewhere(records: Records, elsewhere: Elsewhere, least: float) -> None:
    """Add the weights of ``PAIRS``, with the profiles sent to where they are weighed."""
    ids = f"select distinct l from {PAIRS} union select distinct r from {PAIRS}"
    people: Any = records.connection.sql(f"from {TABLE} where unique_id in ({ids})").to_arrow_table()
    pairs: Any = records.connection.sql(f"select l, r from {PAIRS}").to_arrow_table()
    records.connection.register("given", elsewhere(people, pairs, least))
    records.run("insert into weights select unique_id_l, unique_id_r, weight, is_silent from given")
    records.connection.unregister("given")


def _take(records: Records, matching: Matching, stored: Stored, pairs: str) -> None:
    """Fill ``WEIGHED`` with what comparisons ask of the records of some pairs, and how rare their values are. What no two records
    had when the model was trained is not weighed by that."""
    model, joins, rare = stored.model, [], []
    for role in by_frequency(matching, ROLES):
        if role in model.rarity:
            met = f"(select value, times from {FREQUENCY} where role = '{role}')"
            joins.append(f"left join {met} of_{role} on of_{role}.value = {role}")
            rare.append(f"case when {role} is not null then {model.rarity[role]:.17e} * coalesce(of_{role}.times, 1) / "
                        f"{model.values[role]} end as tf_{role}")
        else:
            rare.append(f"null::double as tf_{role}")
    ids = f"select distinct l from {pairs} union select distinct r from {pairs}"
    records.run(f"create or replace table {WEIGHED} as select {', '.join([*sorted(asked(matching, ROLES)), *rare])} "
                f"from (from {TABLE} where unique_id in ({ids})) {' '.join(joins)}")


def lowest(model: Model) -> float:
    """Splink's weight that a pair has at least whose own is even: circles of strangers lower it, or raise it by as much as
    the share of other strangers is below 1."""
    return EVEN + math.log2(max(1 - sum(circle.share for circle in model.circles.values()), 1e-9)) - 1e-6


def _sides(records: Records, pairs: str) -> str:
    """Pairs with the columns of both, as SQL."""
    names = [name for name, *_ in records.run(f"describe {TABLE}") if name not in ("unique_id", "name", "is_moved")]
    columns = ", ".join(f"a.{c} as {c}_l, b.{c} as {c}_r" for c in names)
    return (f"select p.l, p.r, {columns} from {pairs} p join {TABLE} a on a.unique_id = p.l "
            f"join {TABLE} b on b.unique_id = p.r")


def _proof(matching: Matching) -> str:
    """The strongest kind of proof that both have, as SQL."""
    both = f"list_intersect(string_split(proofs_l, {LINE}), string_split(proofs_r, {LINE}))"
    kinds = f"list_transform({both}, lambda one: string_split(one, ':')[1])"
    cases = " ".join(f"when list_contains({kinds}, '{kind}') then '{kind}'" for kind in matching.proofs)
    return f"case {cases} end"


def _any(matching: Matching) -> str:
    """Whether anything makes it likely, as SQL."""
    rules = matching.holding(matching.likely, ROLES).values()
    return " or ".join(f"coalesce({in_words(rule.when)}, false)" for rule in rules) or "false"


def _against(matching: Matching) -> str:
    """A list of the names of the contradictions that hold, as SQL."""
    rules = matching.holding(matching.contradictions, ROLES)
    made = ", ".join(f"case when {in_words(rule.when)} then '{name}' end" for name, rule in rules.items())
    return f"list_filter([{made}]::varchar[], lambda one: one is not null)"
