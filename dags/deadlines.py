"""Deadlines of DAG runs, from what contracts promise; one that is missed is written down by ``concord freshness record``."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from access import environment
from airflow.sdk import DeadlineAlert, DeadlineReference, SyncCallback
from airflow.sdk.exceptions import AirflowException
from command import Command

from contracts.exit_codes import ExitCode
from contracts.model import Product, Recipient, Source
from contracts.service_levels import ServiceLevel, longest_pause

log = logging.getLogger(__name__)


def of_source(source: Source) -> list[DeadlineAlert]:
    """A run has as long as its levels allow; of a frequency, what its schedule leaves."""
    return list(_alerts(f"source.{source.id}", source.service_levels, longest_pause(source.schedule)))


def of_products(products: Iterable[Product], nightly: timedelta) -> list[DeadlineAlert]:
    """A build, or a release, has as long as the levels of its products allow; ``nightly``: how often it is looked at least."""
    return [alert for product in products for alert in _alerts(f"product.{product.id}", product.service_levels, nightly)]


def of_recipient(recipient: Recipient) -> list[DeadlineAlert]:
    """A recall has as long as the recipient's levels allow."""
    return list(_alerts(f"recipient.{recipient.id}", recipient.service_levels, timedelta(0)))


def _alerts(subject: str, levels: Iterable[ServiceLevel], pause: timedelta) -> Iterator[DeadlineAlert]:
    """A run that somebody starts has no logical date, so all count from when a run was queued."""
    for level in levels:
        within = level.within - pause if level.promise == "frequency" else level.within
        if level.element is None:  # How old data may be that a source has not sent is nothing a run can keep.
            yield DeadlineAlert(reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=within, name=f"{level.name} of {subject}",
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
