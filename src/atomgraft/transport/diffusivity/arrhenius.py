"""The Arrhenius line through diffusivities, with their posteriors carried through."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy import stats

from atomgraft.core.units import BOLTZMANN_EV

SCATTER_P = 0.05
"""The line's intervals are widened where points scatter more at this probability."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArrheniusLine:
    """D = D0 exp(-E/kT), as samples.

    Parameters
    ----------
    energy
        Activation energy, eV.
    log_prefactor
        Natural logarithm of D0 in cm²/s.
    p_line
        Probability of points as far from one line; none for two temperatures.
    widening
        By how much the intervals were widened for the scatter of points.
    """

    energy: Float[np.ndarray, " samples"]
    log_prefactor: Float[np.ndarray, " samples"]
    p_line: float | None
    widening: float

    def at(self, temperature: float) -> Float[np.ndarray, " samples"]:
        """Return samples of the diffusivity at a temperature (K), cm²/s."""
        return np.exp(self.log_prefactor - self.energy / (BOLTZMANN_EV * temperature))


def fit_arrhenius(
    temperatures: Sequence[float], samples: Sequence[Float[np.ndarray, " samples"]]
) -> ArrheniusLine:
    """Fit a line to the logarithm of diffusivities, once for each sample.

    Parameters
    ----------
    temperatures
        K; at least two.
    samples
        cm²/s; of the posterior at each temperature, equally many.

    Examples
    --------
    >>> exact = [np.full(3, np.exp(-0.3 / (BOLTZMANN_EV * T))) for T in (500.0, 800.0)]
    >>> bool(np.allclose(fit_arrhenius([500.0, 800.0], exact).energy, 0.3))
    True
    """
    logs = np.log(np.stack(list(samples)))
    x = -1 / (BOLTZMANN_EV * np.array(temperatures))
    errors = np.maximum(logs.std(axis=1), 1e-12)
    design = np.stack([x, np.ones_like(x)], axis=1)
    solver = np.linalg.pinv(design / errors[:, None])
    found = solver @ (logs / errors[:, None])
    centre = np.median(logs, axis=1)
    middle = solver @ (centre / errors)
    p_line, widening = None, 1.0
    if len(x) > 2:
        chi2 = float((((centre - design @ middle) / errors) ** 2).sum())
        p_line = float(stats.chi2.sf(chi2, len(x) - 2))
        if p_line < SCATTER_P:
            widening = float(np.sqrt(chi2 / (len(x) - 2)))
            found = middle[:, None] + widening * (found - middle[:, None])
    return ArrheniusLine(
        energy=found[0], log_prefactor=found[1], p_line=p_line, widening=widening
    )
