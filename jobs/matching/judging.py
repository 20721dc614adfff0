"""Judging: what is made of a pair of profiles: its weight by the model, what proves it, and what contradicts it."""

from __future__ import annotations

from contracts.matching import Matching
from jobs.matching.model import linker, score, stable, weight
from jobs.matching.pairs import PAIRS
from jobs.matching.profiles import LINE, ROLES
from jobs.matching.records import TABLE, Records
from jobs.matching.stored import Stored

JUDGED = "judged"
EVEN = 0.0  # The weight of even odds, in bits: what weighs less is not held.
SCORE = "score"


def judge(records: Records, matching: Matching, stored: Stored | None, pairs: str = PAIRS) -> None:
    """Fill ``JUDGED`` with a row for each pair of a table (l, r).

    l, r; weight: bits, null without a model; is_silent: whether nothing stable is known of both; proof: the strongest kind of
    value that both verified, or null; against: the contradictions, or null; is_link and is_held: whether the pair is taken for
    one person, or left to a review.
    """
    _weigh(records, matching, stored, pairs)
    columns = ", ".join(f"a.{c} as {c}_l, b.{c} as {c}_r" for c in _columns(records))
    together = f"from {pairs} p join {TABLE} a on a.unique_id = p.l join {TABLE} b on b.unique_id = p.r"
    likely = " or ".join(f"coalesce({_sql(rule.when)}, false)" for rule in matching.holding(matching.likely, ROLES).values())
    least = stored.least if stored else 0.0
    records.run(f"""create or replace table {JUDGED} as
        with seen as (select l, r, {_proof(matching)} as proof, {_against(matching)} as against, {likely or 'false'} as is_likely
                      from (select p.l, p.r, {columns} {together})),
        found as (select *, len(against) = 0 and (proof is not null or coalesce(weight >= {least}, false)) as is_link
                  from seen left join weights using (l, r))
        select l, r, weight, coalesce(is_silent, true) as is_silent, proof, nullif(array_to_string(against, ', '), '') as against,
               is_link, not is_link and (len(against) < 2 and (proof is not null or is_likely)
                                         or coalesce(weight >= {EVEN}, false)) as is_held from found""")


def _weigh(records: Records, matching: Matching, stored: Stored | None, pairs: str) -> None:
    """Fill ``weights`` (l, r, weight, is_silent) by the model, if there is one."""
    records.run("create or replace table weights (l bigint, r bigint, weight double, is_silent boolean)")
    if stored is None or not records.one(f"select count(*) from {pairs}"):
        return
    scored = score(linker(records, matching, stored.model), pairs)
    records.run(f"insert into weights select unique_id_l, unique_id_r, {weight(stored.model)}, "
                f"({stable(stored.model, matching)}) = 0 from {scored}")
    records.run(f"drop table {scored}")


def _columns(records: Records) -> list[str]:
    return [name for name, *_ in records.run(f"describe {TABLE}") if name not in ("unique_id", "name")]


def _proof(matching: Matching) -> str:
    """The strongest kind of proof that both have, as SQL."""
    both = f"list_intersect(string_split(proofs_l, {LINE}), string_split(proofs_r, {LINE}))"
    kinds = f"list_transform({both}, lambda one: string_split(one, ':')[1])"
    cases = " ".join(f"when list_contains({kinds}, '{kind}') then '{kind}'" for kind in matching.proofs)
    return f"case {cases} end"


def _against(matching: Matching) -> str:
    """A list of the names of the contradictions that hold, as SQL."""
    rules = matching.holding(matching.contradictions, ROLES)
    made = ", ".join(f"case when {_sql(rule.when)} then '{name}' end" for name, rule in rules.items())
    return f"list_filter([{made}]::varchar[], lambda one: one is not null)"


def _sql(condition: str) -> str:
    """A condition in DuckDB's words."""
    return f"({condition.replace('jaro_winkler(', 'jaro_winkler_similarity(')})"


