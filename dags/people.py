"""The DAG ``people``: which source identities are one person, asked when an identity, a contact point or the model changed.

And every night, for what reviewers decided since.
"""

from __future__ import annotations

from airflow.sdk import DAG
from assets import any_of_or_nightly, asset
from task import DEFAULTS, ConcordTask

ASKED_BY = ("core.identity", "core.contact_point", "vault.model")
WRITTEN = ("person", "link", "held", "match", "profile", "change")

with DAG("people", schedule=any_of_or_nightly(ASKED_BY), catchup=False, max_active_runs=1,
         default_args={**DEFAULTS, "owner": "platform"}, tags=["people"], doc_md=__doc__) as people:
    ConcordTask(task_id="resolve", arguments=("resolve",), outlets=[asset(f"vault.{n}") for n in WRITTEN])
