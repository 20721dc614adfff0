"""The one operator of all our DAGs: it runs a ``concord`` command and tells Airflow what changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from access import environment
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.log import redact
from command import Command
from report import judge

DEFAULTS = {"retries": 3, "retry_delay": timedelta(seconds=10), "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(minutes=10), "execution_timeout": timedelta(hours=6)}


class ConcordTask(BaseOperator):
    """Runs ``concord`` with arguments; one that is a function gives more of them when the task runs.

    The command gets the ``connections`` named and no other. Of the outlets, those it changed are told on. The task is
    skipped when nothing changed, unless ``always_done`` is set or it is not the first try: an earlier one may have
    changed them all and been killed before it could tell.
    """

    def __init__(self, *, arguments: Sequence[str | Callable[[Any], Sequence[str]]], connections: Sequence[str] = (),
                 always_done: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.arguments, self.connections, self.always_done = arguments, connections, always_done
        self.running: Command | None = None

    def execute(self, context: Any) -> dict[str, Any]:
        """Run the command; its report. Raises what the table of exit codes says."""
        vector = [word for part in self.arguments for word in ((part,) if isinstance(part, str) else part(context))]
        delivers = vector[0] == "recall" or vector[:2] in (["extract", "deliver"], ["erasure", "grant"])
        self.running = Command(vector, environment(self.connections, delivers))
        try:
            report = judge(*self.running.follow(lambda line: self.log.info("%s", redact(line))))
        finally:
            self.on_kill()
        if report["changed"] or context["ti"].try_number == 1:
            self.outlets = [o for o in self.outlets if o.name in report["changed"]]
        if not (self.outlets or report["changed"] or self.always_done):
            raise AirflowSkipException("nothing changed")
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = {"batch": report["batch"]} if report.get("batch") else {}
        return report

    def on_kill(self) -> None:
        """End the command and everything it started."""
        if self.running:
            self.running.end()
