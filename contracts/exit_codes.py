"""How a ``concord`` command ends: the closed table that whoever starts one (Airflow, CI, a person) reads."""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """What an exit status means, its docstring in a sentence; a status that is not listed counts as UNEXPECTED."""

    def __new__(cls, value: int, meaning: str) -> Self:
        member = int.__new__(cls, value)
        member._value_ = value
        member.__doc__ = meaning
        return member

    OK = 0, "All done, or nothing to do."
    UNEXPECTED = 1, "An error nobody foresaw, or a process that was killed."
    CONFIGURATION = 2, "A setting, an argument or an environment variable is wrong or missing."
    CONTRACT = 3, "A contract is broken, or the data no longer fits it."
    GATE = 4, "Expectations failed, or an extract would let people be linked; nothing was published."
    CONSENT = 5, "Consent or keys cannot be read; nothing flows."
    REFUSED = 6, "The source system refuses us, or answers what must not be trusted."
    APPROVAL = 7, "No valid approval, or no proof of who asks; nothing was delivered or told."
    INTEGRITY = 8, "The accounts do not add up, or a release contradicts its permits."
    LATE = 9, "What a contract promises about time is not kept: a service level, a duty, or data past its retention."
    UNAVAILABLE = 75, "A source, the engine or the store does not answer for now, or another run was in the way."

    @property
    def is_retried(self) -> bool:
        """True where the same command may succeed a little later."""
        return self in (ExitCode.UNEXPECTED, ExitCode.UNAVAILABLE)

    @classmethod
    def _missing_(cls, value: object) -> ExitCode:
        return cls.UNEXPECTED


__all__ = ["ExitCode"]
