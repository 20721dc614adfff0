"""What is told of an expectation that could not be asked: the type of the error, and no word of its text."""

from __future__ import annotations

import traceback
from decimal import InvalidOperation
from typing import Any

import pytest

from jobs.check import _error

TEXT = "could not cast\nMariaLopezError said\njobs.MariaLopezException: 'x'"


class _OddOne(Exception):
    """An error of somebody else's."""


def said(error: Exception) -> dict[str, Any]:
    try:
        try:
            raise error
        except Exception as first:
            raise RuntimeError(f"around it: {first}") from first
    except RuntimeError:
        return {"raised_exception": True, "exception_message": "", "exception_traceback": traceback.format_exc()}


@pytest.mark.parametrize("error", [_OddOne(TEXT), InvalidOperation(TEXT), ValueError(TEXT), StopIteration(TEXT)])
def test_the_first_type_is_told(error: Exception) -> None:
    assert _error(said(error)) == type(error).__name__
    assert _error({"('a metric', 'of a column')": said(error)}) == type(error).__name__


def test_what_was_asked_has_none_and_what_cannot_be_read_is_an_error() -> None:
    assert _error({"raised_exception": False, "exception_message": None, "exception_traceback": None}) is None
    assert _error({"raised_exception": True, "exception_message": TEXT, "exception_traceback": TEXT}) == "an error"
