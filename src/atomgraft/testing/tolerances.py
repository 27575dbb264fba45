"""How closely two numbers must agree, and why."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from torch import Tensor

Numbers = float | Sequence[float] | np.ndarray | Tensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tolerances:
    """Allowed differences, relative to the larger of 1 and the expected values.

    All but `single_precision` are for weights in float64, whatever the adapter's
    own precision. Units are those of the quantity: eV, eV/Å, eV/Å³.

    Parameters
    ----------
    round_off
        The same terms added in another order: batches, permutations, supercells.
    exact
        Sums in float64 that a file may not round: sixteen digits, of which sums over
        atoms cost two.
    rotation
        Frameworks keep Clebsch-Gordan tables and spherical-harmonic constants with
        seven to ten digits.
    difference
        Central differences of fourth order at `step`: round-off, of order
        10⁻¹⁴ E / step, dominates.
    loss_slope
        The same for a loss with squared forces, whose third derivatives in the
        weights are larger.
    work
        Trapezoidal integral of the force over one `path_step` against the energy.
        A kink of the force (published potentials have slopes that jump by 3 eV/Å²
        at their cutoffs) stays below; a jump of the energy by as much, or of the
        force by 0.01 eV/Å, exceeds it.
    at_cutoff
        What is left of a pair force just inside the cutoff.
    single_precision
        float32 carries seven digits; sums over atoms and layers cost two.
    step
        Of finite differences: Å for positions, dimensionless for strain.
    path_step
        Å
    edge
        How far inside "just inside the cutoff" is, in units of the cutoff.
    """

    round_off: float = 1e-9
    exact: float = 1e-14
    rotation: float = 1e-6
    difference: float = 1e-6
    loss_slope: float = 1e-4
    work: float = 2e-5
    at_cutoff: float = 1e-5
    single_precision: float = 1e-5
    step: float = 1e-4
    path_step: float = 0.005
    edge: float = 1e-7


def assert_close(what: str, got: Numbers, expected: Numbers, tolerance: float) -> None:
    """Compare arrays; the allowed difference grows with the expected values.

    Parameters
    ----------
    what
        The comparison in words, for the message.
    got
        What came.
    expected
        What should have come, of the same shape.
    tolerance
        Allowed difference where no expected value exceeds 1.

    Raises
    ------
    AssertionError
        A difference is larger, a number is not finite, or the shapes differ.

    Examples
    --------
    >>> assert_close("one is one", 1.0, 1.0 + 1e-12, tolerance=1e-9)
    """
    one, two = _array(got), _array(expected)
    if one.shape != two.shape:
        raise AssertionError(f"{what}: shape {one.shape} instead of {two.shape}")
    if not np.isfinite(one).all():
        raise AssertionError(f"{what}: not finite")
    allowed = tolerance * max(1.0, float(np.abs(two).max(initial=0.0)))
    difference = float(np.abs(one - two).max(initial=0.0))
    if not difference <= allowed:
        raise AssertionError(
            f"{what}: they differ by {difference:.2e}, {allowed:.2e} is allowed"
        )


def _array(numbers: Numbers) -> np.ndarray:
    if isinstance(numbers, Tensor):
        return numbers.detach().double().cpu().numpy()
    return np.asarray(numbers, dtype=float)
