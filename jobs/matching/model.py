"""Model: how much each level of agreement weighs. Kept in a form that no engine owns; Splink scores with it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from splink import DuckDBAPI, Linker, SettingsCreator
from splink.internals.splink_dataframe import SplinkDataFrame

from contracts.matching import Level, Matching, Role
from jobs.matching.cleaning import run
from jobs.matching.pairs import PAIRS
from jobs.matching.records import TABLE, Records

ELSE = "differs"
STABLE = 0.2  # A role is stable when a person's own records differ in it at most so often (`differsAtMost`).
# By Splink's name of an engine's SQL, how it says what the configuration says otherwise: a pattern, and what stands for it.
# Sail compares a double with 0.92 as decimals of 15 places, which rounds the double; with 0.92e0 as it is.
WORDS = {"duckdb": (r"jaro_winkler\(", "jaro_winkler_similarity("), "spark": (r"\b\d+\.\d+\b", r"\g<0>e0")}
FREQUENCY = "frequency"  # role, value, times: values that several records had when the model was trained.


@dataclass(frozen=True)
class Weighed:
    """A level: how often it is met among records of one person (m), and among those of two (u)."""

    level: str
    m: float
    u: float


@dataclass(frozen=True)
class Circle:
    """Strangers who share more than strangers do: their share of all pairs that are two people, and how often they meet each
    level in the roles they share."""

    share: float
    levels: dict[Role, tuple[float, ...]]


@dataclass(frozen=True)
class Model:
    """What was learned of a table.

    ``prior``: the share of all pairs of records that are one person. ``levels``: by role, the levels that say something,
    the most alike first and ``ELSE`` last; u is that of strangers outside all circles. ``circles``: by name. ``rarity``: by
    role, what values' frequencies among records are multiplied with to be those among such strangers: who has several records
    repeats their own values, and so does a circle. ``values``: by role, how many records had a value.
    """

    prior: float
    levels: dict[Role, tuple[Weighed, ...]]
    circles: dict[str, Circle]
    rarity: dict[Role, float]
    values: dict[Role, int]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"prior": self.prior, "rarity": {str(r): v for r, v in self.rarity.items()},
                "values": {str(r): n for r, n in self.values.items()},
                "circles": {name: {"share": c.share, "levels": {str(r): list(v) for r, v in c.levels.items()}}
                            for name, c in self.circles.items()},
                "levels": {str(r): [asdict(one) for one in levels] for r, levels in self.levels.items()}}

    @classmethod
    def parse(cls, document: dict[str, Any]) -> Model:
        """From what ``document`` gives. Raises KeyError, TypeError or ValueError for anything else."""
        circles = {name: Circle(one["share"], {Role(r): tuple(shares) for r, shares in one["levels"].items()})
                   for name, one in document["circles"].items()}
        levels = {Role(r): tuple(Weighed(**one) for one in found) for r, found in document["levels"].items()}
        return cls(document["prior"], levels, circles, {Role(r): float(v) for r, v in document["rarity"].items()},
                   {Role(r): int(n) for r, n in document["values"].items()})


def linker(records: Records, matching: Matching, model: Model, explains: bool = False) -> Linker:
    """Splink over the records and their ``PAIRS``, with a model. explains: keep what a weight is made of."""
    api = DuckDBAPI(records.connection)
    made = linker_over(api.register(TABLE, dataset_display_name="records"), records.roles, matching, model, model.prior, explains)
    for role in model.rarity:
        records.run(f"create or replace table rarity_of_{role} as {rarity(role, model, TABLE, FREQUENCY)}")
        made.table_management.register_term_frequency_lookup(api.register(f"rarity_of_{role}"), str(role))
    return made


def linker_over(table: SplinkDataFrame, roles: Iterable[Role], matching: Matching, model: Model | None, prior: float,
                explains: bool = False) -> Linker:
    """Splink over a table that is registered with a backend, in the words of its SQL; without the values' rarity.

    model: None leaves m and u to Splink's own training. prior: the share of all pairs of records that are one person.
    """
    logging.getLogger("splink").setLevel(logging.ERROR)
    dialect = table.db_api.sql_dialect.sql_dialect_str
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[_comparison(role, levels, model, dialect) for role, levels in matching.levels(roles).items()],
        blocking_rules_to_generate_predictions=[{"blocking_rule": "1=1", "sql_dialect": dialect}],
        probability_two_random_records_match=prior,
        retain_matching_columns=True,  # The levels of a pair come with its values only.
        retain_intermediate_calculation_columns=explains)
    return Linker(table, settings, log_level=None, validate_settings=False)


def asked(matching: Matching, roles: Iterable[Role]) -> set[str]:
    """The columns that comparisons of the roles ask for, unique_id among them."""
    compared = matching.levels(roles)
    conditions = " ".join(level.when for levels in compared.values() for level in levels)
    return {"unique_id", *map(str, compared), *re.findall(r"\w+(?=_[lr]\b)", conditions)}


def by_frequency(matching: Matching, roles: Iterable[Role]) -> list[Role]:
    """The roles whose values weigh by how rare they are."""
    return [role for role, levels in matching.levels(roles).items() if any(level.frequency for level in levels)]


def rarity(role: Role, model: Model, people: str, met: str) -> str:
    """How rare each value of a table of people is, as SQL of any engine: the value, and tf_ and the role.

    met: a table (role, value, times) of the frequencies in training; a value that was not met there counts as met once.
    """
    known = f"(select value, times from {met} where role = '{role}')"
    return (f"select {role}, {model.rarity[role]:.17e} * coalesce(times, 1) / {model.values[role]} as tf_{role} "
            f"from (select distinct {role} from {people} where {role} is not null) left join {known} on value = {role}")


def score(splink: Linker, pairs: str = PAIRS, lowest: float | None = None) -> str:
    """The table of Splink's predictions for a table of pairs (l, r); those that weigh less than ``lowest`` are left out."""
    connection: Any = splink._db_api  # A DuckDBAPI, which knows the connection that it was given.
    run(connection.duckdb_con, "create or replace table to_score as "
        f"select '0' as match_key, l as join_key_l, r as join_key_r from {pairs}")
    return predict(splink, "to_score", lowest)


def predict(splink: Linker, blocked: str, lowest: float | None = None) -> str:
    """The table of Splink's predictions for a table of pairs in Splink's form: match_key, join_key_l, join_key_r."""
    splink.table_management.register_blocked_pairs_for_predict(splink._db_api.register(blocked))
    return str(splink.inference.predict(threshold_match_weight=lowest, warning_mode="never").physical_name)


def weight(model: Model) -> str:
    """The match weight as SQL over Splink's predictions: Splink's own, less what circles of strangers share anyway.

    Splink's weight holds the product of u, which takes all strangers for alike. Their circles are classes of their own: the
    product is replaced by the mean over classes, sum of share * product of the class's levels (a mixture, as in latent class
    analysis).
    """
    shared = sorted({role for circle in model.circles.values() for role in circle.levels})
    if not shared:
        return "match_weight"
    least = {role: _by_level(role, [one.u for one in model.levels[role]]) for role in shared}
    alike = " * ".join(least.values())
    others = max(1 - sum(circle.share for circle in model.circles.values()), 1e-9)
    classes = [f"{others:.17e} * {alike}", *(
        f"{circle.share:.17e} * " + " * ".join(_by_level(r, circle.levels[r]) if r in circle.levels else least[r] for r in shared)
        for circle in model.circles.values())]
    return f"match_weight + log2({alike}) - log2({' + '.join(classes)})"


def stable(model: Model, matching: Matching) -> str:
    """What the roles that hardly change say of a pair, as SQL over Splink's predictions: bits, 0 where none is known of both."""
    roles = [role for role in model.levels if matching.differs_at_most.get(role, 1.0) <= STABLE]
    return " + ".join(f"log2({_by_level(role, [one.m / one.u for one in model.levels[role]])})" for role in roles) or "0e0"


def _by_level(role: Role, shares: Sequence[float]) -> str:
    """A share by the number of the level; 1 where a value is not known. Splink counts the least alike as 0."""
    cases = " ".join(f"when {len(shares) - 1 - i} then {float(share):.17e}" for i, share in enumerate(shares))
    return f"(case gamma_{role} {cases} else 1e0 end)"


def _comparison(role: Role, levels: tuple[Level, ...], model: Model | None, dialect: str) -> dict[str, Any]:
    known = {one.level: one for one in model.levels[role]} if model else {}
    silent = [f"{role}_l IS NULL OR {role}_r IS NULL", *(condition(role, level, dialect) for level in levels if level.silent)]
    made: list[dict[str, Any]] = [{"sql_condition": " OR ".join(f"({one})" for one in silent), "label_for_charts": "not known",
                                   "is_null_level": True}]
    for level in (level for level in levels if not level.silent):
        made.append({"sql_condition": condition(role, level, dialect), "label_for_charts": level.level})
        if level.frequency:
            made[-1] |= {"tf_adjustment_column": str(role), "tf_adjustment_weight": 1.0}
    made.append({"sql_condition": "ELSE", "label_for_charts": ELSE})
    for one in made[1:]:
        if found := known.get(one["label_for_charts"]):
            one |= {"m_probability": found.m, "u_probability": found.u}
    return {"output_column_name": str(role), "comparison_levels": made}


def condition(role: Role, level: Level, dialect: str = "duckdb") -> str:
    """When a pair has a level, in an engine's words."""
    return in_words(level.when.format(l=f"{role}_l", r=f"{role}_r"), dialect)


def in_words(sql: str, dialect: str = "duckdb") -> str:
    """SQL of the configuration in an engine's words."""
    return re.sub(*WORDS[dialect], sql)
