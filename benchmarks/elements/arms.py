"""Ways to a model of an element: those of the learning curves, and more on request."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Arm:
    """A way to a model of the element.

    Parameters
    ----------
    name
        In tables.
    recipe
        Of the adaptation.
    scales
        Of the element map; none where there is no map.
    rates
        Learning rates to choose from; one is not chosen.
    is_random
        The element's own numbers are random, the others those of the base.
    base
        A published model to start from; empty: that of the donor.
    """

    name: str
    recipe: str
    scales: str | None = None
    rates: tuple[float, ...] = (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3)
    is_random: bool = False
    base: str = ""

    @property
    def is_trained(self) -> bool:
        """Whether steps are taken; else the readout is solved in closed form."""
        return self.recipe not in {"ridge", "linear"}


TRANSFERRED, FRESH = "map and scales", "fresh weights"
"""Names of the two arms that everything is about."""

SCALED = "@fit@fit"
ARMS = (
    Arm(FRESH, "scratch", rates=(5e-3, 1e-2, 2e-2, 4e-2)),
    Arm("random row", "full", rates=(3e-3, 9e-3, 2.7e-2, 8e-2), is_random=True),
    Arm("map", "full", "", rates=(1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)),
    Arm(TRANSFERRED, "full", SCALED),
    Arm("map and scales, ridge", "ridge", SCALED, rates=(3e-2,)),
    Arm("map and scales, linear", "linear", SCALED, rates=(3e-2,)),
)
LORA_RATES = (1.25e-3, 2.5e-3, 5e-3, 1e-2, 2e-2)
MORE_ARMS = (
    Arm("map and scales, lora", "lora", SCALED, rates=LORA_RATES),
    Arm("map and scales, readout", "readout", SCALED, rates=(3e-3, 1e-2, 3e-2, 9e-2)),
    Arm("map and scales, ewc", "ewc", SCALED),
    Arm("7net-0, lora", "lora", rates=LORA_RATES, base="7net-0"),
    Arm("7net-0, full", "full", base="7net-0"),
)
"""Run only where they are named; their rows have a file of their own."""

BY_NAME = {arm.name: arm for arm in (*ARMS, *MORE_ARMS)}
