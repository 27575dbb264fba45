"""Closed-form fits of reference energies between two energy scales.

With energies r_s (eV per structure: label minus base, or the label itself),
compositions n_sZ (atoms of element Z in structure s) and N_s atoms, the e_Z minimise

    sum_s [ (r_s - sum_Z n_sZ e_Z) / N_s ]²,

the squared residual *per atom*, by singular value decomposition in float64. What
compositions leave open is decided by isolated atoms where they are given, and by the
minimum norm where they are not.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from jaxtyping import Bool, Float, Int

RANK_TOLERANCE = 1e-6
"""Singular values of the concentrations below this fraction of the largest are
taken as zero: concentrations that differ by less say nothing about an element."""

ILL_CONDITIONED = 1e3
"""Noise of 1 meV/atom may become an eV in a reference energy beyond it."""

MAX_NAMED = 3
"""Compositions that a sentence names; more are counted."""

Energies = Mapping[int, float]
"""eV per atom, by atomic number."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReferenceFit:
    """Energies per element and how well the data determine them.

    Parameters
    ----------
    shifts
        By atomic number, to add to the base's reference energies, eV per atom; or
        reference energies themselves, if labels were fitted.
    rank
        Number of independent combinations of elements in the structures.
    n_from_atoms
        Number of further combinations that isolated atoms determine.
    condition
        Ratio of the largest to the smallest singular value that was kept; the
        factor by which noise can grow.
    undetermined
        Elements whose energies are not determined; of these the minimum norm was taken.
    n_structures
        Number of energies, without those of isolated atoms.
    residual_before
        Root mean square residual per atom, eV; zero without structures.
    residual_after
        The same after the fit, eV.
    """

    shifts: dict[int, float]
    rank: int
    n_from_atoms: int = 0
    condition: float
    undetermined: tuple[int, ...]
    n_structures: int
    residual_before: float
    residual_after: float

    @property
    def is_identifiable(self) -> bool:
        """Every element is determined by itself; otherwise minimum norm was taken."""
        return not self.undetermined


def fit_reference_shifts(
    residuals: Float[np.ndarray, " structures"],
    compositions: Int[np.ndarray, "structures elements"],
    elements: Sequence[int],
    *,
    isolated: Energies = MappingProxyType({}),
    is_exact: bool = False,
) -> ReferenceFit:
    """Fit one energy per element to the residuals of a base model, or to labels.

    Parameters
    ----------
    residuals
        Label minus base, or labels; total energies, eV.
    compositions
        Number of atoms of each element.
    elements
        Atomic numbers, one for each column.
    isolated
        The same energies of isolated atoms, of elements that have a column. They decide
        what the structures leave open, in the sense of least squares.
    is_exact
        Elements in `isolated` take its energies as they are; only the others are
        fitted.

    Raises
    ------
    ValueError
        There is nothing to fit, or a structure without atoms.

    Examples
    --------
    >>> fit = fit_reference_shifts(np.array([3.0, 5.0]), np.eye(2, dtype=int), [1, 8])
    >>> {Z: round(shift, 12) for Z, shift in fit.shifts.items()}
    {1: 3.0, 8: 5.0}
    >>> both = fit_reference_shifts(np.array([4.0]), np.array([[1, 1]]), [11, 17])
    >>> both.is_identifiable, round(both.shifts[11], 12)
    (False, 2.0)
    >>> known = fit_reference_shifts(
    ...     np.array([4.0]), np.array([[1, 1]]), [11, 17], isolated={11: 1.0}
    ... )
    >>> known.is_identifiable, {Z: round(one, 12) for Z, one in known.shifts.items()}
    (True, {11: 1.0, 17: 3.0})
    """
    n_atoms = compositions.sum(axis=1)
    if len(residuals) + len(isolated) == 0 or (n_atoms == 0).any():
        raise ValueError("every residual needs a structure with atoms")
    concentrations = compositions / n_atoms[:, None]
    per_atom = np.asarray(residuals, dtype=np.float64) / n_atoms
    known = np.array([isolated.get(Z, np.nan) for Z in elements])
    is_known = ~np.isnan(known)
    is_free = ~is_known if is_exact else np.ones(len(elements), dtype=bool)
    shifts = np.where(is_free, 0.0, known)
    columns = concentrations[:, is_free]
    found, rank, condition, null = _least_squares(
        columns, per_atom - concentrations @ shifts
    )
    n_from_atoms = len(elements) - len(found)
    if not is_exact and is_known.any():
        gap = (known - found)[is_known]
        steps, rest, n_from_atoms = _within(null, is_known, gap)
        found, null = found + steps, rest
    shifts[is_free] = found
    left = per_atom - concentrations @ shifts
    is_open = np.linalg.norm(null, axis=1) > RANK_TOLERANCE
    open_elements = np.asarray(elements)[is_free][is_open]
    return ReferenceFit(
        shifts=dict(zip(map(int, elements), map(float, shifts), strict=True)),
        rank=rank,
        n_from_atoms=n_from_atoms,
        condition=condition,
        undetermined=tuple(map(int, open_elements)),
        n_structures=len(residuals),
        residual_before=root_mean_square(per_atom),
        residual_after=root_mean_square(left),
    )


def root_mean_square(values: Float[np.ndarray, " values"]) -> float:
    """Return the root mean square; zero of nothing.

    Examples
    --------
    >>> root_mean_square(np.array([3.0, -3.0])), root_mean_square(np.zeros(0))
    (3.0, 0.0)
    """
    return float(np.sqrt(np.mean(values**2))) if len(values) else 0.0


def _least_squares(
    columns: Float[np.ndarray, "structures elements"],
    per_atom: Float[np.ndarray, " structures"],
) -> tuple[Float[np.ndarray, " elements"], int, float, Float[np.ndarray, "elements _"]]:
    """Return the solution of minimum norm, rank, condition, and what is left open."""
    n_elements = columns.shape[1]
    if not columns.size:
        return np.zeros(n_elements), 0, 1.0, np.eye(n_elements)
    found, _, rank, singular = np.linalg.lstsq(columns, per_atom, rcond=RANK_TOLERANCE)
    condition = float(singular[0] / singular[rank - 1]) if rank else 1.0
    triangle = np.linalg.qr(columns, mode="r")  # as many rows as elements at most
    null = np.linalg.svd(triangle, full_matrices=True)[2][int(rank) :].T
    return found, int(rank), condition, null


def _within(
    null: Float[np.ndarray, "elements open"],
    is_known: Bool[np.ndarray, " elements"],
    gap: Float[np.ndarray, " known"],
) -> tuple[Float[np.ndarray, " elements"], Float[np.ndarray, "elements _"], int]:
    """Close the gap to known energies as far as directions allow that are open.

    Returns
    -------
    steps
        To add to the solution; the fit to structures stays as good as it is.
    null
        Directions that are open still.
    n_determined
        Directions that are not.
    """
    rows = null[is_known]
    left, singular, right = np.linalg.svd(rows, full_matrices=True)
    n = int((singular > RANK_TOLERANCE).sum())  # of columns of length one
    steps = right[:n].T @ ((left[:, :n].T @ gap) / singular[:n])
    return null @ steps, null @ right[n:].T, n


def undetermined_text(fit: ReferenceFit, structures: Sequence[Atoms]) -> str:
    """Say which elements the structures cannot tell apart; empty if there is none.

    Parameters
    ----------
    fit
        To energies of the structures.
    structures
        Without isolated atoms.

    Examples
    --------
    >>> salt = [Atoms("NaCl"), Atoms("Na2Cl2")]
    >>> compositions, elements = count_elements(salt)
    >>> fit = fit_reference_shifts(np.array([4.0, 8.0]), compositions, elements)
    >>> undetermined_text(fit, salt)
    'ClNa alone cannot separate Na and Cl: 1 of 2 combinations of elements is determined'
    """  # noqa: E501 - a sentence is one line
    if fit.is_identifiable:
        return ""
    formulas = sorted(
        {one.get_chemical_formula("hill", empirical=True) for one in structures}
    )
    named = formulas[:MAX_NAMED]
    more = len(formulas) - MAX_NAMED
    named += [f"{more} more"] if more > 0 else []
    n_known = fit.rank + fit.n_from_atoms
    verb = "is" if n_known == 1 else "are"
    return (
        f"{_and(named)} alone cannot separate "
        f"{_and([chemical_symbols[Z] for Z in fit.undetermined])}: "
        f"{n_known} of {len(fit.shifts)} combinations of elements {verb} determined"
    )


def _and(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def count_elements(
    structures: Sequence[Atoms],
) -> tuple[Int[np.ndarray, "structures elements"], tuple[int, ...]]:
    """Return the composition of each structure and the elements of the columns.

    Examples
    --------
    >>> compositions, elements = count_elements([Atoms("H2O"), Atoms("O2")])
    >>> compositions.tolist(), elements
    ([[2, 1], [0, 2]], (1, 8))
    """
    elements = sorted({int(Z) for atoms in structures for Z in atoms.numbers})
    compositions = np.array(
        [[int((atoms.numbers == Z).sum()) for Z in elements] for atoms in structures],
        dtype=np.int64,
    ).reshape(len(structures), len(elements))
    return compositions, tuple(elements)
