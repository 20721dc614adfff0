"""The DAG ``erasure``: people who asked the CRM to be forgotten are, once an officer approved the list.

Every night, and whenever interactions come in, those who ask are put on a list that names nobody; an officer of Airflow answers,
and who asks later is on the next list. The CRM tells the officer who they are, and whether it is them (GDPR article 12(6)).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param
from airflow.sdk.exceptions import AirflowSkipException
from assets import any_of_or_nightly, asset
from task import DEFAULTS, ConcordTask

from contracts import catalog

OFFICERS = {"Officer": {"DAGs": {"can_read", "can_edit"}}}
SHOWN = ("{% set it = ti.xcom_pull(task_ids='requests') %}{{ it['people'] }} people ask to be forgotten, the first since "
         "{{ it['oldest'] }} (the answer is due a month later, GDPR article 12(3)). List `{{ it['list'] }}`.")
WITHIN = timedelta(days=28)  # Shorter than any month.


def run(context: Any) -> tuple[str, ...]:
    """Which DAG run asks: the command looks there for the officer's answer. Skips where there is no list to answer."""
    if not context["ti"].xcom_pull(task_ids="requests"):
        raise AirflowSkipException("nobody asks to be forgotten")
    return "--dag-run", context["dag_run"].dag_id, context["dag_run"].run_id


with DAG("erasure", schedule=any_of_or_nightly(("core.interaction",)), catchup=False, max_active_runs=1, access_control=OFFICERS,
         default_args={**DEFAULTS, "owner": "governance"}, tags=["erasure"], doc_md=__doc__) as erasure:
    requests = ConcordTask(task_id="requests", arguments=("erasure", "requests"), outlets=[asset("ledger.erasure_request")])
    approve = ApprovalOperator(task_id="approve", subject="People who ask to be forgotten", body=SHOWN, retries=0,
                               execution_timeout=None, params={"reason": Param(None, type=["null", "string"])},
                               response_timeout=WITHIN)
    approved = EmptyOperator(task_id="approved")
    recipients = tuple(recipient.connection for recipient in catalog().recipients.values())
    grant = ConcordTask(task_id="grant", arguments=("erasure", "grant", run), always_done=True, trigger_rule="none_failed",
                        connections=("concord_airflow", *recipients), outlets=[asset("ledger.erasure")])
    requests >> approve >> approved >> grant
