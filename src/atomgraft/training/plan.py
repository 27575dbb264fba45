"""The plan of a training run: how long, how fast, how much at once."""

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from atomgraft.data.differences import Mode
from atomgraft.training.objective import Objective

Count = Annotated[int, Field(ge=1)]

STEPS_WITHOUT_WORD = 200
"""Steps where the user gives none."""


class Plan(BaseModel):
    """Everything the loop needs to know besides model and data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: Annotated[int, Field(ge=0)] = STEPS_WITHOUT_WORD
    batch_size: Count | Literal["auto"] = "auto"
    """Structures a step, on each device."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of the steps over which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    clip: Annotated[float, Field(gt=0)] | None = 10.0
    """Largest norm of the gradient; none clips nothing."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.98
    """Decay of the running mean of weights (EMA); zero keeps the last weights."""
    validate_every: Count | Literal["auto"] = "auto"
    patience: Count | None = None
    """Validations without gain before training ends; none never ends early."""
    checkpoint_every: Count = 25
    objective: Objective = Objective()
    differences: Mode = "auto"
    """Which frames train as force differences, F(u) - F(-u) or F(u) - F(0): those of
    one slightly displaced atom that have a partner (auto), all that have one (always,
    and required, which refuses a frame without), or none (never)."""

    def batch_for(self, n_structures: int) -> int:
        """Return the batch size for a training set.

        A tenth of the structures, one at least and 16 at most: small sets profit
        from many small steps.

        Examples
        --------
        >>> Plan().batch_for(10), Plan().batch_for(100), Plan().batch_for(1000)
        (1, 10, 16)
        """
        if self.batch_size != "auto":
            return min(self.batch_size, n_structures)
        return max(1, min(16, n_structures // 10))

    def validation_interval(self) -> int:
        """Return the number of steps between two validations."""
        if self.validate_every != "auto":
            return self.validate_every
        return max(1, self.steps // 10)


def learning_rate_factor(step: int, plan: Plan) -> float:
    """Return the share of the peak learning rate at a step counted from zero.

    Linear warm-up, then half a cosine down to zero (Loshchilov and Hutter, SGDR,
    ICLR 2017, eq. 5, without restarts).

    Examples
    --------
    >>> plan = Plan(steps=100, warmup=0.1)
    >>> learning_rate_factor(9, plan)
    1.0
    >>> round(learning_rate_factor(99, plan), 4)
    0.0003
    """
    n_warm = round(plan.warmup * plan.steps)
    if step < n_warm:
        return (step + 1) / n_warm
    n_rest = max(1, plan.steps - n_warm)
    return 0.5 * (1 + math.cos(math.pi * (step - n_warm) / n_rest))
