"""What is asked of a budget: frozen, unknown keys refused."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class BudgetSpec(BaseModel):
    """A study of levels of theory, and a sum to spend on labels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    """Folder of ``atomgraft fidelity`` with pilot results."""
    cpu_hours: Positive
    """To spend on new labels, h of one core."""
    costs: dict[str, Positive] = {}
    """Processor time of one label by level, s; ``target`` is the target. Levels that
    are not named cost what the study knows of them."""
    base: str | None = None
    """Which base of the study; none where it has one."""
    pilot_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the sum that a further pilot experiment may cost."""
