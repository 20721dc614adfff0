"""One DAG ``source_<name>`` per source contract: land what is new, conform it, screen it, purge what was refused.

Whoever starts it by hand may ask for a replay too, of what was rejected before a contract or a parser changed.
"""

from __future__ import annotations

import logging
from typing import Any

from access import in_force
from airflow.sdk import DAG, Param, chain
from airflow.sdk.exceptions import AirflowSkipException
from assets import asset, at
from deadlines import deadlines
from task import DEFAULTS, ConcordTask

from contracts import catalog
from contracts.model import Source


def asked(context: Any) -> tuple[()]:
    """Nothing more to say to the command. Skips where no replay was asked for."""
    if not context["params"]["replay"]:
        raise AirflowSkipException("no replay was asked for")
    return ()


def source_dag(source: Source) -> DAG:
    """Its steps run even where an earlier one found nothing new: a killed run may have left work behind.

    Of a source that may not run nothing is taken in; what was taken in is screened and purged on.
    """
    params = {"replay": Param(False, type="boolean", description="Take up again what was rejected.")}
    with DAG(f"source_{source.id}", schedule=at(source.schedule), catchup=False, max_active_runs=1,
             default_args={**DEFAULTS, "owner": source.owner}, tags=["source", *source.tags], params=params,
             auto_register=False, deadline=deadlines("source", source), description=source.name,
              doc_md=f"# {source.name}\n\n{source.description}") as dag:
        made = [asset(t) for t in (*source.tables, f"{source.raw}__rejected", f"{source.raw}__refused")]
        steps = [ConcordTask(task_id="land", arguments=("land", source.id), connections=(source.connection.id,),
                             outlets=[asset(source.raw)]),
                 task("conform", source, made), task("replay", source, list(made), asked)] if in_force(source) else []
        steps.append(task("screen", source, [asset("safety.candidate")]))
        if source.refusal:
            steps.append(task("purge", source, [asset(t) for t in (source.raw, f"{source.raw}__refused", "safety.candidate")]))
        chain(*steps)
    return dag


def task(name: str, source: Source, outlets: list[Any], *more: Any) -> ConcordTask:
    """A step after another one, whether that found anything or not."""
    return ConcordTask(task_id=name, arguments=(name, source.id, *more), trigger_rule="none_failed", outlets=outlets)


for contract in catalog().sources.values():
    try:
        globals()[f"source_{contract.id}"] = source_dag(contract)
    except Exception:  # One source that Airflow refuses (a tag too long, say) must not take the others with it.
        logging.getLogger(__name__).exception("%s makes no DAG; the other sources have theirs", contract.path)
