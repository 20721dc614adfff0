"""The DAG ``freshness``: write down which promises of contracts are late, and which came since, every hour.

Deadlines of runs tell at once; this tells of what no run began.
"""

from __future__ import annotations

from airflow.sdk import DAG
from assets import asset, at
from task import DEFAULTS, ConcordTask

with DAG("freshness", schedule=at("10 * * * *"), catchup=False, max_active_runs=1, default_args={**DEFAULTS, "owner": "platform"},
         tags=["governance"], doc_md=__doc__) as freshness:
    ConcordTask(task_id="record", arguments=("freshness", "record"), outlets=[asset("ledger.freshness")])
