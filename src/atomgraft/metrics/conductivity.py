"""How far two lattice thermal conductivities are apart, as wholes and mode by mode.

Both errors are those of Póta, Ahlawat, Csányi and Simoncelli, *Thermal conductivity
predictions with foundation atomistic models*, arXiv 2408.00755. They are symmetric in
model and reference, 0 for equal conductivities and never above 2. A crystal that is
unstable under the model counts as 2 there, and in
:mod:`atomgraft.lattice.conductivity`.
"""

import numpy as np
from jaxtyping import Float

WORST = 2.0
"""Both errors where one conductivity is zero, or has none of the other's modes."""


def symmetric_relative_error(predicted: float, reference: float) -> float:
    """Return the symmetric relative error of a conductivity, SRE.

    SRE = 2 |κ - κ'| / (κ + κ').

    Parameters
    ----------
    predicted, reference
        Not negative and not both zero; W/m/K, or any other unit.

    Raises
    ------
    ValueError
        They are both zero, or one is negative or not finite.

    Examples
    --------
    >>> symmetric_relative_error(3.0, 1.0)
    1.0
    """
    return symmetric_relative_mean_error(np.array([predicted]), np.array([reference]))


def symmetric_relative_mean_error(
    predicted: Float[np.ndarray, "..."], reference: Float[np.ndarray, "..."]
) -> float:
    """Return the symmetric relative mean error of mode conductivities, SRME.

    SRME = 2 Σ_qs |κ_qs - κ'_qs| / (Σ_qs κ_qs + Σ_qs κ'_qs), over the bands s at the
    q-points of a mesh. Errors of one mode do not make up for those of another: SRME is
    at least SRE, and is it where every mode errs to the same side.

    Parameters
    ----------
    predicted, reference
        What each mode contributes to the conductivity, the multiplicity of its q-point
        included; W/m/K, or any other unit. The same q-points, bands in the same order.

    Raises
    ------
    ValueError
        All are zero, or one is negative or not finite, or there are not as many in
        both.

    Examples
    --------
    >>> float(symmetric_relative_mean_error(np.array([1.0, 2.0]), np.array([2.0, 1.0])))
    0.6666666666666666
    """
    if predicted.shape != reference.shape:
        raise ValueError(f"{predicted.shape} modes beside {reference.shape}")
    both = np.stack([predicted, reference])
    if not (np.isfinite(both).all() and (both >= 0).all() and both.sum() > 0):
        raise ValueError("conductivities must be finite, not negative, not all zero")
    return float(2 * np.abs(predicted - reference).sum() / both.sum())
