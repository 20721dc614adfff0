"""The DAG ``people``: which source identities are one person, asked when an identity or a contact point changed."""

from __future__ import annotations

from airflow.sdk import DAG
from assets import any_of, asset
from task import DEFAULTS, ConcordTask

with DAG("people", schedule=any_of(("core.identity", "core.contact_point")), catchup=False, max_active_runs=1,
         default_args={**DEFAULTS, "owner": "platform"}, tags=["people"], doc_md=__doc__) as people:
    ConcordTask(task_id="resolve", arguments=("resolve",), outlets=[asset(f"vault.{n}") for n in ("person", "link", "held")])
