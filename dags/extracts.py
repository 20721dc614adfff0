"""One DAG ``extract_<recipient>`` per recipient contract: prepare, let an officer decide, record, deliver."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from access import in_force
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param
from airflow.sdk.exceptions import AirflowSkipException
from assets import asset
from task import DEFAULTS, ConcordTask

from contracts import catalog
from contracts.model import Recipient

OFFICERS = {"Officer": {"DAGs": {"can_read", "can_edit"}}}
SHOWN = ("{% set it = ti.xcom_pull(task_ids='prepare') %}Extract `{{ it['extract_id'] }}`, {{ it['rows'] }} rows, "
         "manifest_sha256 `{{ it['manifest_sha256'] }}`, asked for by {{ dag_run.triggering_user_name }}.\n\n{{ it['told'] }}.")


def run(context: Any) -> tuple[str, ...]:
    """Which DAG run asks: the command looks there for the requester and the approver."""
    return "--dag-run", context["dag_run"].dag_id, context["dag_run"].run_id


def prepared(context: Any) -> tuple[str]:
    """The extract of this run. Skips where none was prepared: the partner has this release already."""
    report = context["ti"].xcom_pull(task_ids="prepare")
    if not report:
        raise AirflowSkipException("no extract was prepared")
    return (report["extract_id"],)


def extract_dag(recipient: Recipient) -> DAG:
    """A rejection is recorded too, and ends the run; what is delivered rests on the ledger, not on task states."""
    with DAG(f"extract_{recipient.id}", schedule=None, catchup=False, max_active_runs=1, access_control=OFFICERS,
             default_args={**DEFAULTS, "owner": recipient.owner}, tags=["extract", *recipient.tags],
             description=recipient.name, doc_md=f"# {recipient.name}\n\n{recipient.description}") as dag:
        prepare = ConcordTask(task_id="prepare", arguments=("extract", "prepare", recipient.id, run),
                              connections=("concord_airflow",), outlets=[asset("ledger.extract")])
        approve = ApprovalOperator(task_id="approve", subject=f"Extract for {recipient.name}", body=SHOWN, retries=0,
                                   execution_timeout=None, params={"reason": Param(None, type=["null", "string"])},
                                   response_timeout=timedelta(days=recipient.expires_after_days))
        approved = EmptyOperator(task_id="approved")
        record = ConcordTask(task_id="record", arguments=("extract", "record", prepared, run), always_done=True,
                             trigger_rule="none_failed", connections=("concord_airflow",),
                             outlets=[asset("ledger.approval")])
        deliver = ConcordTask(task_id="deliver", arguments=("extract", "deliver", prepared), always_done=True,
                              connections=(recipient.connection,), outlets=[asset("ledger.delivery")])
        prepare >> approve >> approved >> record >> deliver
        approved >> deliver
    return dag


for contract in filter(in_force, catalog().recipients.values()):
    globals()[f"extract_{contract.id}"] = extract_dag(contract)
