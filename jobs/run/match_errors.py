"""How many links of the people in a release are expected to be wrong or missing; kept with the release."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.model import Product
from jobs.ledger import models
from jobs.matching.errors import Estimator
from jobs.matching.growing import EDGES
from jobs.matching.reviews import standing
from jobs.run import consent, pseudonyms
from jobs.run.identities import MATCH, names, renamed
from jobs.run.people import DECISION
from jobs.run.shell import Shell

Rates = dict[str, Any]
NONE: Rates = {"match_model_id": None, "false_match_rate": None, "missed_match_rate": None}


def of_release(shell: Shell, candidates: list[tuple[Product, int]]) -> list[Rates]:
    """For each candidate, a product and its version: match_model_id, false_match_rate and missed_match_rate of its people.

    A product that shows no persons is about everybody. The rates are those of all links of these people, also of those that
    the product may not follow; null while no model has weighed them, for then nothing says how sure a link is.
    """
    lake = shell.lake
    stored, edges = models.newest(lake), renamed(lake.arrow(MATCH))
    if stored is None or not pc.all(pc.equal(edges["model_id"], stored.id)).as_py():
        return [NONE for _ in candidates]
    links = lake.arrow(consent.LINK)
    estimator = Estimator(links.append_column("name", names(links)), edges.select(EDGES.names), standing(lake.arrow(DECISION)),
                          stored, models.identities(lake, stored.id))
    found = [estimator.of(_people(shell, *candidate)) for candidate in candidates]
    return [{"match_model_id": stored.id, "false_match_rate": each.false_match_rate, "missed_match_rate": each.missed_match_rate}
            for each in found]


def _people(shell: Shell, product: Product, version: int) -> pa.Table | None:
    """The persons in a candidate, None where it shows none."""
    if product.is_aggregate:
        return None
    column = product.table.pseudonym_column
    shown = pc.unique(shell.lake.arrow(product.table.name, version, columns=[column])[column])
    known = pc.field("domain") == product.pseudonym_domain
    return shell.lake.arrow(pseudonyms.TABLE, columns=["person_key"], filters=known & pc.field("pseudonym").isin(shown))
