"""The DAG ``matching``: learn anew how identities match. A person starts it, since a new model may change who is whom."""

from __future__ import annotations

from airflow.sdk import DAG
from assets import asset
from task import DEFAULTS, ConcordTask

with DAG("matching", schedule=None, catchup=False, max_active_runs=1, default_args={**DEFAULTS, "owner": "platform"},
         tags=["people"], doc_md=__doc__) as matching:
    ConcordTask(task_id="train", arguments=("link", "train"), outlets=[asset(f"vault.{n}") for n in ("model", "frequency")])
