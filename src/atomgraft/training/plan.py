"""Settings of training: steps, learning rate, batch size, precision."""

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from atomgraft.core.properties import Property
from atomgraft.data.partners import Mode

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]

Responses = Literal["force", "frequency"]
"""What an error of a force difference counts as."""


class Objective(BaseModel):
    """How errors of energies, forces and stresses become one number.

    Each error is divided by the size of what is to be learned (`units_of_error`),
    so that one set of weights suits soft and stiff materials; then the weights say
    what matters more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    energy: Weight = 0.01
    forces: Weight = 1.0
    stress: Weight = 0.1
    shape: Literal["norm", "mae", "huber", "mse"] = "norm"
    """norm: the length of each atom's force error, and the absolute error of each
    other label; mae: absolute errors of components; huber: squared below one
    starting error, linear above; mse: squared."""
    responses: Responses = "force"
    """How the error of a force difference counts. force: atom by atom, as other forces
    do; frequency: as that of the frequency of the frame's displacement
    (`atomgraft.training.responses`), one number a frame, so that stiff and soft
    crystals, heavy and light atoms, small and large supercells count by what phonons
    make of them. The first does better on one material; the second is made for many
    in one run."""

    @model_validator(mode="after")
    def _wants_something(self) -> "Objective":
        if not self.wanted:
            raise ValueError("at least one weight must be above zero")
        return self

    @property
    def wanted(self) -> frozenset[Property]:
        """The properties with a weight."""
        return frozenset(kind for kind in Property if self.weight(kind) > 0)

    def weight(self, kind: Property) -> float:
        """Return the weight of one property."""
        return {
            Property.ENERGY: self.energy,
            Property.FORCES: self.forces,
            Property.STRESS: self.stress,
        }[kind]


NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Knobs(BaseModel):
    """Three separate knobs of one stream of structures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ratio: NotNegative = 1.0
    """Share of structures a step, relative to the other streams: how often it is
    seen, not how much it counts."""
    weight: NotNegative = 1.0
    """Of its mean loss in the objective: how much it counts, not how often it is
    seen."""
    energy_scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """eV per atom that count as one unit of energy error; none takes the
    root-mean-square residual at the start."""


AS_OFTEN = Knobs()
"""As often and as much as any other stream, energies in their own unit."""


Count = Annotated[int, Field(ge=1)]

MAX_STEPS = 10**9
"""A step takes a millisecond at least: no run has more."""

STEPS_WITHOUT_WORD = 200
"""Steps where the user gives none."""


class Plan(BaseModel):
    """Settings of the loop besides model and data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: Annotated[int, Field(ge=0, le=MAX_STEPS)] = STEPS_WITHOUT_WORD
    batch_size: Count | Literal["auto"] = "auto"
    """Structures a step, on each device."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of the steps over which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Of AdamW; weights that no label touches (absent elements) are not shrunk."""
    clip: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 10.0
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
