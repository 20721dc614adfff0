"""The DAG ``maintenance``: every week, small files are joined and those that nobody needs go."""

from __future__ import annotations

from airflow.sdk import DAG
from assets import asset, at
from task import DEFAULTS, ConcordTask

ON_SUNDAY = "30 4 * * 0"  # UTC.

with DAG("maintenance", schedule=at(ON_SUNDAY), catchup=False, max_active_runs=1, default_args={**DEFAULTS, "owner": "platform"},
         tags=["retention"], doc_md=__doc__) as maintenance:
    # No row changes, so nobody is told on.
    ConcordTask(task_id="maintain", arguments=("maintain",), always_done=True, outlets=[asset("ledger.audit")])
