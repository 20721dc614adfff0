"""How a command ends: an error of ours is one plain message and its exit code; of another one the text is withheld."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from contracts.exit_codes import ExitCode
from jobs.errors import ConcordError, no_room


@contextmanager
def ending() -> Iterator[None]:
    """Run a command within; what it writes only its user reads. Ends the process where it fails."""
    os.umask(0o077)
    try:
        yield
    except ConcordError as error:
        _fail(str(error), error.exit_code)
    except Exception as error:
        from contracts import ContractError

        if isinstance(error, ContractError):
            _fail(str(error), ExitCode.CONTRACT)
        if full := no_room(error):
            _fail(str(full), full.exit_code)
        _fail(f"unexpected {type(error).__name__} in {_place(error)}; its text is withheld because it may quote data. "
              "Run with CONCORD_DEBUG=1 on test data to see it", ExitCode.UNEXPECTED, error)


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    place = "an unknown place"
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if str(module).startswith(("jobs", "contracts", "expectations")):
            place = f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _fail(text: str, code: int, error: BaseException | None = None) -> NoReturn:
    import traceback

    if error is not None and os.environ.get("CONCORD_DEBUG") == "1":
        traceback.print_exception(error)
    sys.stderr.write(f"concord: {text}\n")
    raise SystemExit(int(code))
