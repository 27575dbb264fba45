"""Errors of phonons: frequencies, stability, softness, thermal conductivity."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrequencyErrors:
    """Differences of frequencies over a mesh, all THz.

    Parameters
    ----------
    mae, rmse, bias
        Mean absolute, root-mean-square and mean difference.
    largest
        Largest absolute difference.
    highest
        Difference of the highest frequencies.
    """

    mae: float
    rmse: float
    bias: float
    largest: float
    highest: float


def frequency_errors(
    predicted: Float[np.ndarray, "q bands"],
    reference: Float[np.ndarray, "q bands"],
    weights: Float[np.ndarray, " q"],
) -> FrequencyErrors:
    """Compare frequencies on a mesh, sorted at each q.

    Parameters
    ----------
    predicted, reference
        THz, imaginary ones negative.
    weights
        How many points of the mesh each q stands for.

    Examples
    --------
    >>> one = np.array([[1.0, 2.0]])
    >>> frequency_errors(one + 0.5, one, np.ones(1)).mae
    0.5
    """
    apart = np.sort(predicted, axis=1) - np.sort(reference, axis=1)
    share = weights / weights.sum()
    return FrequencyErrors(
        mae=float(share @ np.abs(apart).mean(axis=1)),
        rmse=float(np.sqrt(share @ (apart**2).mean(axis=1))),
        bias=float(share @ apart.mean(axis=1)),
        largest=float(np.abs(apart).max()),
        highest=float(predicted.max() - reference.max()),
    )


def earth_movers_distance(
    predicted: Float[np.ndarray, "q bands"],
    reference: Float[np.ndarray, "q bands"],
    weights: Float[np.ndarray, " q"],
) -> float:
    """Return the distance of two densities of states, THz.

    The area between the two cumulative distributions of frequencies over the mesh,
    ∫ |G(ω) - H(ω)| dω: the mean shift that makes one density the other.

    Parameters
    ----------
    predicted, reference
        THz, on one and the same mesh.
    weights
        How many points of the mesh each q stands for.

    Examples
    --------
    >>> one = np.array([[1.0, 2.0]])
    >>> earth_movers_distance(one + 0.25, one, np.ones(1))
    0.25
    """
    n_bands = predicted.shape[1]
    share = np.repeat(weights / weights.sum() / n_bands, n_bands)
    values = np.concatenate([predicted.ravel(), reference.ravel()])
    masses = np.concatenate([share, -share])
    order = np.argsort(values, kind="stable")
    gaps = np.diff(values[order])
    return float(np.abs(np.cumsum(masses[order])[:-1]) @ gaps)


def force_slope(
    predicted: Float[np.ndarray, "..."], reference: Float[np.ndarray, "..."]
) -> float:
    """Return the slope of predicted against reference forces by least squares.

    Through the origin: Σ f g / Σ g². Below one the model is too soft (Deng et al., npj
    Comput. Mater. 11, 9 (2025)).

    Parameters
    ----------
    predicted, reference
        eV/Å, of the displacements alone.

    Examples
    --------
    >>> force_slope(np.array([0.8, -0.8]), np.array([1.0, -1.0]))
    0.8
    """
    return float((predicted * reference).sum() / (reference**2).sum())


def best_scalar(
    predicted: Float[np.ndarray, "q bands"],
    reference: Float[np.ndarray, "q bands"],
    weights: Float[np.ndarray, " q"],
) -> float:
    """Return the number by which force constants must be multiplied to fit best.

    Frequencies go with its square root, so that the mean absolute error is smallest
    where √s is the weighted median of reference over predicted frequencies, each
    ratio weighted with the predicted frequency.

    Parameters
    ----------
    predicted, reference
        THz
    weights
        How many points of the mesh each q stands for.

    Returns
    -------
    float
        s > 0; one where nothing can be told.

    Examples
    --------
    >>> one = np.array([[0.0, 1.0, 2.0]])
    >>> round(best_scalar(one, 1.1 * one, np.ones(1)), 6)
    1.21
    """
    first = np.sort(predicted, axis=1).ravel()
    second = np.sort(reference, axis=1).ravel()
    mass = np.repeat(weights, predicted.shape[1]) * np.abs(first)
    told = np.abs(first) > 1e-6
    if not told.any():
        return 1.0
    ratios, mass = second[told] / first[told], mass[told]
    order = np.argsort(ratios)
    cumulated = np.cumsum(mass[order])
    root = ratios[order][np.searchsorted(cumulated, cumulated[-1] / 2)]
    return float(root**2) if root > 0 else 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Confusion:
    """How a yes-or-no question was answered; positive is yes.

    Parameters
    ----------
    hits, false_alarms, misses, rejections
        Counts: said yes and true, said yes and false, said no and false, said no and
        true.
    """

    hits: int
    false_alarms: int
    misses: int
    rejections: int

    @property
    def precision(self) -> float:
        """Share of the yeses that are true; NaN without any."""
        return _share(self.hits, self.hits + self.false_alarms)

    @property
    def recall(self) -> float:
        """Share of the true ones that were found; NaN without any."""
        return _share(self.hits, self.hits + self.misses)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; NaN where nothing is yes."""
        return _share(2 * self.hits, 2 * self.hits + self.false_alarms + self.misses)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def confusion(
    said: Sequence[bool] | Bool[np.ndarray, " n"],
    true: Sequence[bool] | Bool[np.ndarray, " n"],
) -> Confusion:
    """Count how a yes-or-no question was answered.

    Parameters
    ----------
    said, true
        Answers and truth, in one order.

    Examples
    --------
    >>> confusion([True, True, False], [True, False, False]).f1
    0.6666666666666666
    """
    answers, truth = np.asarray(said, dtype=bool), np.asarray(true, dtype=bool)
    return Confusion(
        hits=int((answers & truth).sum()),
        false_alarms=int((answers & ~truth).sum()),
        misses=int((~answers & truth).sum()),
        rejections=int((~answers & ~truth).sum()),
    )


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
