"""Deadlines of DAG runs, from what contracts promise; one that is missed is written down by ``concord freshness record``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from access import environment, in_force
from airflow.sdk import DeadlineAlert, DeadlineReference, SyncCallback
from airflow.sdk.exceptions import AirflowException
from command import Command

from contracts.exit_codes import ExitCode
from contracts.model import Product, Recipient, Source
from contracts.service_levels import ServiceLevel

DUTIES = ("timeToDetect", "timeToNotify")
log = logging.getLogger(__name__)


def deadlines(kind: str, *contracts: Source | Product | Recipient) -> list[DeadlineAlert]:
    """A run has as long as the levels of its contracts allow, counted from when it was queued: one that somebody starts has
    no logical date. How old data may be that a source has not sent is nothing a run can keep. Where a contract may not run,
    there are only duties: what was received is screened, and partners are told of withdrawals."""
    return [_alert(f"{kind}.{contract.id}", level) for contract in contracts for level in contract.service_levels
            if level.element is None and (level.promise in DUTIES or in_force(contract))]


def _alert(subject: str, level: ServiceLevel) -> DeadlineAlert:
    # Seconds, which Airflow still reads: a run whose deadline is a timedelta cannot be cleared (apache/airflow 70368).
    seconds: Any = level.within.total_seconds()
    return DeadlineAlert(reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=seconds, name=f"{level.name} of {subject}",
                         callback=SyncCallback(missed, kwargs={"subject": subject, "promise": level.name}))


def missed(subject: str, promise: str, context: Mapping[str, Any]) -> None:
    """Airflow's executor calls this when a deadline passes. Raises AirflowException where it could not be written down."""
    asked, due = context["dag_run"]["queued_at"], context["deadline"]["deadline_time"]
    running = Command(["freshness", "record", "--missed", subject, promise, str(asked), str(due)], environment(()))
    try:
        status, _ = running.follow(log.info)
    finally:
        running.end()
    if status:
        raise AirflowException(f"exit status {status}, {ExitCode(status).name}: {promise} of {subject} was missed, but it could "
                               "not be written down; the next run of the DAG freshness finds it in the ledgers")
