"""Charts of a model and its scores: Splink's own, each a page that needs no network, without a value of anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from contracts.matching import Matching
from jobs.matching.model import Model, linker, score
from jobs.matching.records import Records

WATERFALLS = 12  # Pairs on the page that shows what a weight is made of: from the lightest near the threshold to the heaviest.


def write(folder: Path, records: Records, matching: Matching, model: Model, scored: str, least: float) -> list[Path]:
    """Match weights, m and u, the spread of scores, and what the weights of some pairs are made of; the pages' paths.

    scored: the table of predictions. least: the weight that a match needs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    records.run(f"create or replace table shown as select unique_id_l as l, unique_id_r as r from (select *, ntile({WATERFALLS}) "
                f"over (order by match_weight) as part from {scored} where match_weight >= {least - 5}) "
                "qualify row_number() over (partition by part order by match_weight, unique_id_l, unique_id_r) = 1")
    splink = linker(records, matching, model, explains=True)
    pairs = splink._db_api.table_to_splink_dataframe("shown_pairs", score(splink, "shown")).as_record_list()
    every = splink._db_api.table_to_splink_dataframe("__splink__df_predict", scored)  # The name Splink asks for.
    shows = splink.visualisations
    made: dict[str, Any] = {"match_weights": shows.match_weights_chart(), "m_u": shows.m_u_parameters_chart(),
            "scores": shows.match_weights_histogram(every)}
    if pairs:
        made["waterfall"] = shows.waterfall_chart(sorted(pairs, key=lambda p: p["match_weight"]), remove_sensitive_data=True)
    paths = [folder / f"{name}.html" for name in made]
    for path, chart in zip(paths, made.values(), strict=True):
        chart.save(str(path), inline=True)
    return paths


