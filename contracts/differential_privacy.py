"""What a contract says of an aggregate whose counts are noisy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from contracts.table import Frozen


class DifferentialPrivacy(Frozen):
    """How much is told about a person by one candidate, and by all of some time.

    A candidate is (``epsilon``, ``delta``)-differentially private for a person, of whom at most ``cells_per_person`` rows
    count. What is drawn in any ``period_days`` days costs at most ``budget`` of epsilon together.
    """

    epsilon: Annotated[float, Field(gt=0, le=10)]
    delta: Annotated[float, Field(gt=0, le=1e-5)]
    cells_per_person: Annotated[int, Field(gt=0)]
    budget: Annotated[float, Field(gt=0)]
    period_days: Annotated[int, Field(gt=0)]

    @model_validator(mode="after")
    def _can_be_paid(self) -> DifferentialPrivacy:
        if self.epsilon > self.budget:
            raise ValueError(f"epsilon {self.epsilon:g} is more than budget {self.budget:g}, so nothing could be built; lower it")
        return self
