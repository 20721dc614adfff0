"""Reviews: what the votes of reviewers decide about pairs of identities."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

SAME, DIFFERENT = "same", "different"
AGREEING = 2  # So many reviewers must say the same of persons who said anything about a purpose.


def standing(votes: pa.Table) -> pa.Table:
    """What is decided of each pair that anybody voted on: left_name, right_name, is_same; null while it is open.

    votes: left_identity, right_identity, decided_by, decided_at, decision, is_about_consent. The latest vote of each reviewer
    counts. A pair is two people while anybody says so; it is one person when one reviewer says so, or ``AGREEING`` of them
    where any of the votes was about consent.
    """
    connection = duckdb.connect()
    connection.register("votes", votes)
    found: Any = connection.sql(f"""
        with latest as (from votes qualify row_number() over (
            partition by left_identity, right_identity, decided_by order by decided_at desc) = 1)
        select left_identity as left_name, right_identity as right_name,
               case when bool_or(decision = '{DIFFERENT}') then false
                    when count(*) >= case when bool_or(is_about_consent) then {AGREEING} else 1 end then true end as is_same
        from latest group by all order by all""").to_arrow_table()
    return found
