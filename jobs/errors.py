"""Errors for the reader: what was wrong, where, and what to do; never a patient's value, a token or a payload."""

from __future__ import annotations

from typing import ClassVar


class ConcordError(Exception):
    """Ends a command with ``exit_code`` and its text as the only message."""

    exit_code: ClassVar[int] = 1


class SourceUnavailable(ConcordError):
    """A source is down or cut the connection; trying again may help."""

    exit_code = 75


class LostRace(ConcordError):
    """Another run was writing the same table; trying again helps."""

    exit_code = 75


class SourceRefused(ConcordError):
    """A source answered what it may not: wrong credentials, a foreign link, an oversized or broken answer."""

    exit_code = 6


class ConfigurationError(ConcordError):
    """A setting or a connection is missing or wrong."""

    exit_code = 2


class LakeError(ConcordError):
    """A table or column that no contract declares, or rows that do not fit it."""

    exit_code = 3


class GateFailed(ConcordError):
    """Expectations failed; nothing was written."""

    exit_code = 4


class KeysUnreadable(ConcordError):
    """Keys cannot be read; nothing flows."""

    exit_code = 5


class ConsentUnreadable(ConcordError):
    """Consent cannot be read; nothing flows."""

    exit_code = 5


class NotApproved(ConcordError):
    """An extract without a valid approval; nothing is delivered."""

    exit_code = 7


class IntegrityError(ConcordError):
    """Rows or accounts that do not add up; nothing was written."""

    exit_code = 8
