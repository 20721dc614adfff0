"""Errors for the reader: what was wrong, where, and what to do; never a patient's value, a token or a payload."""

from __future__ import annotations

import errno
from datetime import datetime
from typing import ClassVar

from contracts.exit_codes import ExitCode

FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_WORDS = ("no space left on device", "disk quota exceeded")
REFUSED_WORDS = ("permission denied", "access denied", "accessdenied", "access_denied", "403 forbidden")


class ConcordError(Exception):
    """Ends a command with ``exit_code`` and its text as the only message."""

    exit_code: ClassVar[ExitCode] = ExitCode.UNEXPECTED


class SourceUnavailable(ConcordError):
    """A source is down or cut the connection; trying again may help."""

    exit_code = ExitCode.UNAVAILABLE


class LostRace(ConcordError):
    """Another run was writing the same table; trying again helps."""

    exit_code = ExitCode.UNAVAILABLE


class EngineUnavailable(ConcordError):
    """The engine does not answer; starting it and trying again helps."""

    exit_code = ExitCode.UNAVAILABLE


class NoRoom(ConcordError):
    """A disk is full; making room and trying again helps."""

    exit_code = ExitCode.UNAVAILABLE


class SourceRefused(ConcordError):
    """A source answered what it may not: wrong credentials, a foreign link, an oversized or broken answer."""

    exit_code = ExitCode.REFUSED


class Overdue(ConcordError):
    """Data is kept past its retention; what could go is gone."""

    exit_code = ExitCode.LATE


class ConfigurationError(ConcordError):
    """A setting or a connection is missing or wrong."""

    exit_code = ExitCode.CONFIGURATION


class LakeError(ConcordError):
    """A table or column that no contract declares, or rows that do not fit it."""

    exit_code = ExitCode.CONTRACT


class Drifted(ConcordError):
    """Payloads changed their shape, and their source's contract says to stop then."""

    exit_code = ExitCode.CONTRACT


class ContractChanged(ConcordError):
    """A contract was edited between two steps that must have the same; nothing more was written."""

    exit_code = ExitCode.CONTRACT


class NotInForce(ConcordError):
    """A contract that may not run: a draft, retired, or outside development without a review that holds; nothing was done."""

    exit_code = ExitCode.CONTRACT


class NotAnonymous(ConcordError):
    """Rows that cannot be made as anonymous as their contract asks; nothing was written."""

    exit_code = ExitCode.CONTRACT


class BudgetSpent(ConcordError):
    """Another candidate would cost more than the privacy budget of its contract; nothing was drawn, what was released stands."""

    exit_code = ExitCode.CONTRACT


class GateFailed(ConcordError):
    """Expectations failed; nothing was written."""

    exit_code = ExitCode.GATE


class Linkable(ConcordError):
    """An extract by which recipients could link people or tell them apart; nothing was made or delivered."""

    exit_code = ExitCode.GATE


class KeysUnreadable(ConcordError):
    """Keys cannot be read; nothing flows."""

    exit_code = ExitCode.CONSENT


class StillHeld(ConcordError):
    """An epoch of keys whose pseudonyms somebody may have; nothing was destroyed."""

    exit_code = ExitCode.CONFIGURATION


class NotErased(ConcordError):
    """Something of people who were to be forgotten is left; another run goes on with it."""

    exit_code = ExitCode.INTEGRITY


class ConsentUnreadable(ConcordError):
    """Consent cannot be read; nothing flows."""

    exit_code = ExitCode.CONSENT


class NotReadable(ConcordError):
    """A table of the lake may not be read by whoever asks."""

    exit_code = ExitCode.CONFIGURATION


class NotApproved(ConcordError):
    """An extract without a valid approval; nothing is delivered."""

    exit_code = ExitCode.APPROVAL


class NotAuthorised(ConcordError):
    """Nobody proved who asks, or they may not; nothing is told."""

    exit_code = ExitCode.APPROVAL


class IntegrityError(ConcordError):
    """Rows, accounts or permits that do not add up; nothing was written."""

    exit_code = ExitCode.INTEGRITY


class WrittenByHand(ConcordError):
    """A table has a commit that is none of ours; nothing reads it on, and nothing is written over it."""

    exit_code = ExitCode.INTEGRITY

    def __init__(self, table: str, version: int, operation: str, engine: str, at: datetime) -> None:
        super().__init__(f"{table} was written to by hand: version {version} ({operation} by {engine}, {at:%Y-%m-%d %H:%M} UTC) "
                         "is none of ours; nothing was read or written now. Look at what it changed, then put back what was "
                         f"there (concord table restore {table}) or take it over (concord table accept {table} --because ...)")


def no_room(error: BaseException | None) -> NoRoom | None:
    """What to say when an error, or one that it wraps, tells of a full disk, as Python, delta-rs or an engine put it."""
    while error is not None:
        if getattr(error, "errno", None) in FULL or any(word in str(error).lower() for word in FULL_WORDS):
            return NoRoom("there is no room left on a disk: that of the lake, of CONCORD_HOME or of temporary files; make "
                          "room and run it again, what was not finished is done then")
        error = error.__cause__ or error.__context__
    return None


def no_right(error: BaseException, address: str) -> NotReadable | None:
    """What to say when an error tells that an address of the lake may not be read, as delta-rs, Arrow or a store puts it."""
    if not isinstance(error, PermissionError) and not any(word in str(error).lower() for word in REFUSED_WORDS):
        return None
    return NotReadable(f"permission denied: {address} may not be read by this user; data scientists read released products, as "
                       "members of the group that the platform names in CONCORD_READERS_GROUP, or by the bucket policy of "
                       "`concord zones policy`")
