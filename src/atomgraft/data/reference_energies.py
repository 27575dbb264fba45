"""Closed-form shifts of reference energies between two energy scales.

With residuals r_s = E_label - E_base (eV per structure), compositions n_sZ (atoms
of element Z in structure s) and N_s atoms, the shifts e_Z minimise

    sum_s [ (r_s - sum_Z n_sZ e_Z) / N_s ]²,

the squared residual *per atom*, by singular value decomposition in float64. Where
compositions cannot tell elements apart the solution of minimum norm is taken.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

RANK_TOLERANCE = 1e-6
"""Singular values of the concentrations below this fraction of the largest are
taken as zero: concentrations that differ by less say nothing about an element."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReferenceFit:
    """Shifts per element and how well the data determine them.

    Parameters
    ----------
    shifts
        By atomic number, to add to the base's reference energies, eV per atom.
    rank
        Number of independent combinations of elements in the data.
    condition
        Ratio of the largest to the smallest singular value that was kept; the
        factor by which noise can grow.
    is_identifiable
        Every element is determined by itself; otherwise minimum norm was taken.
    n_structures
        Number of energies.
    residual_before
        Root mean square residual per atom, eV.
    residual_after
        The same after the shift, eV.
    """

    shifts: dict[int, float]
    rank: int
    condition: float
    is_identifiable: bool
    n_structures: int
    residual_before: float
    residual_after: float


def fit_reference_shifts(
    residuals: Float[np.ndarray, " structures"],
    compositions: Int[np.ndarray, "structures elements"],
    elements: Sequence[int],
) -> ReferenceFit:
    """Fit one energy shift per element to the residuals of a base model.

    Parameters
    ----------
    residuals
        Label minus base, total energies, eV.
    compositions
        Number of atoms of each element.
    elements
        Atomic numbers, one for each column.

    Raises
    ------
    ValueError
        There is no structure, or one without atoms.

    Examples
    --------
    >>> fit = fit_reference_shifts(np.array([3.0, 5.0]), np.eye(2, dtype=int), [1, 8])
    >>> {Z: round(shift, 12) for Z, shift in fit.shifts.items()}
    {1: 3.0, 8: 5.0}
    >>> both = fit_reference_shifts(np.array([4.0]), np.array([[1, 1]]), [11, 17])
    >>> both.is_identifiable, round(both.shifts[11], 12)
    (False, 2.0)
    """
    n_atoms = compositions.sum(axis=1)
    if len(residuals) == 0 or (n_atoms == 0).any():
        raise ValueError("every residual needs a structure with atoms")
    concentrations = compositions / n_atoms[:, None]
    per_atom = np.asarray(residuals, dtype=np.float64) / n_atoms
    shifts, _, rank, singular = np.linalg.lstsq(
        concentrations, per_atom, rcond=RANK_TOLERANCE
    )
    left = per_atom - concentrations @ shifts
    return ReferenceFit(
        shifts=dict(zip(map(int, elements), map(float, shifts), strict=True)),
        rank=int(rank),
        condition=float(singular[0] / singular[rank - 1]),
        is_identifiable=int(rank) == len(elements),
        n_structures=len(residuals),
        residual_before=float(np.sqrt(np.mean(per_atom**2))),
        residual_after=float(np.sqrt(np.mean(left**2))),
    )


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
