"""Thresholds between words: gains, errors, degrees of forgetting."""

from typing import Literal

MIN_GAIN = 0.1
"""Share of the base's error that an adaptation has to remove to count as a gain. Other
seeds, and labels of other cutoffs and k-point meshes, change errors by as much."""

LITTLE, SEVERE = 0.1, 0.5
"""Drift as a share of what the base predicts. Up to a tenth is within the error of
universal potentials themselves (their forces are soft by 10 to 20 %: Deng et al., npj
Comput. Mater. 11, 9, 2025); a force that is off by half of its size gives no usable
frequency or relaxed structure. Models from fresh weights come to about one."""

SMALL, MODERATE = 0.1, 0.3
"""Mean absolute error as a share of the standard deviation of the labels. For normal
errors, a tenth leaves 2 % of the variance unexplained, and three tenths 14 %."""

METASTABLE = 67.0
"""meV/atom: nine in ten of the known metastable crystals lie this close to the ground
state (Sun et al., Sci. Adv. 2, e1600225, 2016). The size of a total energy means
nothing, so the drift of energies is compared with what separates phases."""


def degree_of(share: float) -> Literal["little", "moderate", "severe"]:
    """Return the degree of forgetting, given drift as a share of its scale.

    Examples
    --------
    >>> [degree_of(share) for share in (0.02, 0.2, 2.0)]
    ['little', 'moderate', 'severe']
    """
    return "little" if share < LITTLE else "moderate" if share <= SEVERE else "severe"
