"""How a ``concord`` command ended, read from its exit status and its last line."""

from __future__ import annotations

import json
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from contracts.exit_codes import ExitCode


def judge(status: int, last: str) -> dict[str, Any]:
    """The report in a command's last line, with the names of the tables it ``changed``.

    Raises AirflowException for what Airflow is to try again, AirflowFailException for what it is not.
    """
    code = ExitCode(status)
    if code.is_retried:
        raise AirflowException(f"exit status {status}, {code.name}: {code.__doc__}")
    if code is not ExitCode.OK:
        raise AirflowFailException(f"exit status {status}, {code.name}: {code.__doc__} It is not tried again.")
    try:
        report = json.loads(last)
        return {**report, "changed": list(report["changed"])}
    except (ValueError, TypeError, KeyError):
        raise AirflowFailException("the command's last line is no report (a JSON object)") from None
