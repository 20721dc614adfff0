"""Errors: how many links of persons are wrong, and how many matches were missed, as the model itself expects.

A pair is one person with probability 1 / (1 + 2^-weight) (Fellegi and Sunter 1969, with the odds as a base 2 logarithm). A
proof is wrong as often as proofs are contradicted where enough is known to tell. Two identities of a person that are tied over
others are one with the product of the ties on their best way. What no pair that was looked at holds is what the model's share
of matches among all pairs expects beyond them. (Belin and Rubin 1995 estimate false matches from a mixture in this way.)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import duckdb
import pyarrow as pa

from jobs.matching.cleaning import run
from jobs.matching.clusters import MOST_SURE
from jobs.matching.persons import KNOWN
from jobs.matching.stored import Stored

TELLING = 10.0  # From so many bits on a pair would be a link without its proof.
WAY_DOUBLINGS = 3  # Ways of up to 2^3 ties are looked for within a person.


@dataclass(frozen=True)
class Errors:
    """Pairs of identities that are linked, how many of them are expected to be two people, and how many pairs of one person are
    expected to be linked to nobody's knowledge; of the people asked about."""

    linked: int
    false: float
    missed: float

    @property
    def false_match_rate(self) -> float:
        """The share of linked pairs that are expected to be two people; 0 where none is linked."""
        return _figures(self.false / self.linked) if self.linked else 0.0

    @property
    def missed_match_rate(self) -> float:
        """The share of pairs of one person that are expected not to be linked; 0 where there are none."""
        true = self.linked - self.false + self.missed
        return _figures(self.missed / true) if true > 0 else 0.0

    def document(self) -> dict[str, float]:
        """As JSON."""
        return asdict(self) | {"false_match_rate": self.false_match_rate, "missed_match_rate": self.missed_match_rate}


class Estimator:
    """What is expected of all links of a lake, asked for some people or all.

    links: ``KNOWN`` of all identities. edges: left_name, right_name, weight, proof, against of the pairs that are links or held.
    decisions: left_name, right_name, is_same. stored: the model that weighed them. identities: how many it was trained on.
    """

    def __init__(self, links: pa.Table, edges: pa.Table, decisions: pa.Table, stored: Stored, identities: int) -> None:
        self._connection = duckdb.connect()
        for name, table in (("links", links.select(KNOWN.names)), ("edges", edges), ("decisions", decisions)):
            self._connection.register(name, table)
        wrong, told = run(self._connection, f"""select count(*) filter (against is not null), count(*) from edges
            where proof is not null and (against is not null or weight >= {TELLING})""")[0]
        run(self._connection, f"""create table ties as
            select a.name as l, b.name as r, a.person_key as one, b.person_key as other,
                   greatest(case when proof is null or against is not null then 0 else {1 - (wrong + 0.5) / (told + 1)} end,
                            case when weight is null then 0 else 1 / (1 + pow(2, -weight)) end) as p
            from edges join links a on a.name = left_name join links b on b.name = right_name
            anti join decisions d on d.left_name = a.name and d.right_name = b.name and d.is_same is not null
            union all select a.name, b.name, a.person_key, b.person_key, 1 / (1 + pow(2, -{MOST_SURE}))
            from decisions join links a on a.name = left_name join links b on b.name = right_name where is_same""")
        self._find_ways()
        of_identity = stored.model.prior * (identities - 1) / 2
        everybody = self._expected("true")
        many = run(self._connection, "select count(*) from links")[0][0]
        self._unseen = max(of_identity - (everybody.linked - everybody.false + everybody.missed) / max(many, 1), 0.0)

    def of(self, people: pa.Table | None = None) -> Errors:
        """The errors among some people (person_key), or all."""
        if people is None:
            chosen = "true"
        else:
            self._connection.register("people", people.select(["person_key"]))
            run(self._connection, "create or replace temp table chosen as select distinct person_key from people")
            chosen = "{} in (from chosen)"
        known = self._expected(chosen)
        theirs = run(self._connection, f"select count(*) from links where {chosen.format('person_key')}")[0][0]
        return Errors(known.linked, known.false, known.missed + self._unseen * theirs)

    def _find_ways(self) -> None:
        """``pairs``: all pairs of identities of one person (l, r, both ways round), and the chance that they are one."""
        run(self._connection, """create table pairs as
            select a.name as l, b.name as r, a.person_key, coalesce(max(p), 0) as p from links a
            join links b on a.person_key = b.person_key and a.name <> b.name
            left join ties on least(a.name, b.name) = least(ties.l, ties.r)
                and greatest(a.name, b.name) = greatest(ties.l, ties.r)
            group by a.name, b.name, a.person_key""")
        for _ in range(WAY_DOUBLINGS):
            run(self._connection, """create or replace table pairs as
                select l, r, person_key, max(p) as p from (
                    from pairs union all
                    select a.l, b.r, a.person_key, a.p * b.p from pairs a join pairs b on a.r = b.l and a.l <> b.r)
                group by l, r, person_key""")

    def _expected(self, chosen: str) -> Errors:
        """What the pairs that were looked at say; a pair of two persons of whom one is chosen counts half."""
        linked, right = run(self._connection, f"select count(*), coalesce(sum(p), 0) from pairs where l < r and "
                                              f"{chosen.format('person_key')}")[0]
        missed = run(self._connection, f"select coalesce(sum(p * (({chosen.format('one')})::int + "
                                       f"({chosen.format('other')})::int) / 2.0), 0) from ties where one <> other")[0][0]
        return Errors(int(linked), float(linked - right), float(missed))


def _figures(rate: float) -> float:
    """Six figures of an estimate: those behind them depend on the order of a sum."""
    return float(f"{rate:.6g}")
