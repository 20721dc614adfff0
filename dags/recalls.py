"""One DAG ``recall_<recipient>`` per recipient contract: recall whom it was delivered and may not have any more."""

from __future__ import annotations

from airflow.sdk import DAG
from assets import PERMIT, any_of_or_nightly, asset
from deadlines import deadlines
from task import DEFAULTS, ConcordTask

from contracts import catalog
from contracts.model import Recipient

# A delivery too: somebody may have withdrawn between its last look at consent and its entry in the ledger.
TRIGGERS = (*PERMIT, "ledger.delivery")


def recall_dag(recipient: Recipient) -> DAG:
    """Nobody is asked: a recall takes nothing out of the house but the recipient's own pseudonyms."""
    with DAG(f"recall_{recipient.id}", schedule=any_of_or_nightly(TRIGGERS), catchup=False, max_active_runs=1,
             default_args={**DEFAULTS, "owner": recipient.owner}, tags=["recall", *recipient.tags],
             deadline=deadlines("recipient", recipient), description=f"Recalls for {recipient.name}",
             doc_md=f"# Recalls for {recipient.name}\n\n{__doc__}") as dag:
        ConcordTask(task_id="recall", arguments=("recall", recipient.id), connections=(recipient.connection,),
                    outlets=[asset("ledger.recall"), asset("ledger.withdrawal")])
    return dag


for contract in catalog().recipients.values():
    globals()[f"recall_{contract.id}"] = recall_dag(contract)
