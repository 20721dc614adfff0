"""The DAG ``retention``: every night, what is past the days that its contract allows is removed.

It fails where something is kept past its time by more than a release; the task's log names it, and what keeps it.
"""

from __future__ import annotations

from airflow.sdk import DAG
from assets import asset, at
from task import DEFAULTS, ConcordTask

from contracts import catalog
from contracts.model import HONOURING

AT_FOUR = "0 4 * * *"  # UTC, when sources have been conformed.
WRITTEN = sorted({"ledger.retention", "ledger.release", *(source.raw for source in catalog().sources.values()),
                  *(table for source in catalog().sources.values() for table in source.tables if table not in HONOURING)})

with DAG("retention", schedule=at(AT_FOUR), catchup=False, max_active_runs=1, default_args={**DEFAULTS, "owner": "governance"},
         tags=["retention"], doc_md=__doc__) as retention:
    ConcordTask(task_id="retention", arguments=("retention",), outlets=[asset(table) for table in WRITTEN])
