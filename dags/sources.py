"""One DAG ``source_<name>`` per source contract: land what is new, conform it, screen it, purge what was refused."""

from __future__ import annotations

import logging

from airflow.sdk import DAG
from assets import asset, at
from task import DEFAULTS, ConcordTask

from contracts import catalog
from contracts.model import Source


def source_dag(source: Source) -> DAG:
    """Its steps run even where an earlier one found nothing new: a killed run may have left work behind."""
    with DAG(f"source_{source.id}", schedule=at(source.schedule), catchup=False,
             max_active_runs=1, default_args={**DEFAULTS, "owner": source.owner}, tags=["source", *source.tags],
             auto_register=False, description=source.name, doc_md=f"# {source.name}\n\n{source.description}") as dag:
        land = ConcordTask(task_id="land", arguments=("land", source.id), connections=(source.connection.id,),
                           outlets=[asset(source.raw)])
        conform = ConcordTask(task_id="conform", arguments=("conform", source.id), trigger_rule="none_failed",
                              outlets=[asset(t) for t in (*source.tables, f"{source.raw}__rejected", f"{source.raw}__refused")])
        screen = ConcordTask(task_id="screen", arguments=("screen", source.id), trigger_rule="none_failed",
                             outlets=[asset("safety.candidate")])
        land >> conform >> screen
        if source.refusal:
            screen >> ConcordTask(task_id="purge", arguments=("purge", source.id), trigger_rule="none_failed",
                                  outlets=[asset(t) for t in (source.raw, f"{source.raw}__refused", "safety.candidate")])
    return dag


for contract in catalog().sources.values():
    try:
        globals()[f"source_{contract.id}"] = source_dag(contract)
    except Exception:  # One source that Airflow refuses (a tag too long, say) must not take the others with it.
        logging.getLogger(__name__).exception("%s makes no DAG; the other sources have theirs", contract.path)
