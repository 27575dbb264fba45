"""Energies of point charges in a crystal, and usual charges of elements."""

import itertools
from collections.abc import Mapping

import numpy as np
from ase import Atoms
from jaxtyping import Float
from matscipy.neighbours import neighbour_list
from scipy.special import erfc

COULOMB = 14.399645
"""Elementary charge squared over 4 π epsilon_0, eV Å."""

DECAY = 3.5
"""Cutoff of the sum in real space times the width parameter: what is left out is below
erfc(3.5) = 7e-7."""

OXIDATION_STATES: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("Li", "Na", "K", "Rb", "Cs", "H", "Ag"), (1,)),
    **dict.fromkeys(("Be", "Mg", "Ca", "Sr", "Ba", "Zn", "Cd", "Ni"), (2,)),
    **dict.fromkeys(("B", "Al", "Ga", "Sc", "Y", "La", "Nd", "Sm", "Gd", "Dy"), (3,)),
    **dict.fromkeys(("Pr", "Tb", "Ho", "Er", "Tm", "Lu"), (3,)),
    **dict.fromkeys(("In", "Au"), (3, 1)),
    **dict.fromkeys(("Eu", "Yb"), (3, 2)),
    **dict.fromkeys(("Zr", "Hf", "Th"), (4,)),
    **dict.fromkeys(("Ge", "Sn", "Pt"), (4, 2)),
    **dict.fromkeys(("F", "Cl", "Br", "I"), (-1,)),
    **dict.fromkeys(("Se", "Te"), (-2, 4, 6)),
    "O": (-2,),
    "S": (-2, 6, 4),
    "N": (-3, 5),
    "C": (4, -4),
    "Si": (4, -4),
    "P": (5, 3, -3),
    "As": (5, 3, -3),
    "Sb": (5, 3, -3),
    "Bi": (3, 5),
    "Pb": (2, 4),
    "Tl": (1, 3),
    "Cu": (2, 1),
    "Hg": (2, 1),
    "Ce": (4, 3),
    "Ti": (4, 3),
    "V": (5, 4, 3),
    "Nb": (5, 4),
    "Ta": (5,),
    "Cr": (3, 6),
    "Mo": (6, 4),
    "W": (6, 4),
    "Mn": (2, 3, 4, 7),
    "Fe": (3, 2),
    "Co": (2, 3),
    "Ru": (4, 5),
    "Ir": (4, 5),
    "Rh": (3, 4),
    "Pd": (2, 4),
    "Re": (7, 6),
    "Os": (4, 8),
    "U": (6, 4),
}
"""Common states of elements in compounds, the most usual first (Greenwood and Earnshaw,
Chemistry of the Elements, 2nd edition, 1997)."""

RANK_COST = 0.01
"""e an atom; how far from neutral a set of usual states may be before less usual ones
are preferred."""

MAX_SETS = 20_000
"""Sets of states that are compared."""


def coulomb_matrix(
    cell: Float[np.ndarray, "3 3"], positions: Float[np.ndarray, "sites 3"]
) -> Float[np.ndarray, "sites sites"]:
    """Return the energies between unit charges on sites and all their images.

    The energy of charges q is q · A q / 2 by Ewald's sum, with a uniform charge that
    makes the cell neutral and a surrounding conductor (de Leeuw, Perram, Smith, Proc.
    R. Soc. A 373, 27, 1980). Entries on the diagonal are those of a charge and its own
    images.

    Parameters
    ----------
    cell
        Vectors as rows, Å.
    positions
        Cartesian, Å; no two at one place.

    Returns
    -------
    Float[np.ndarray, "sites sites"]
        eV/e²

    Examples
    --------
    >>> salt = np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]])  # caesium chloride
    >>> A = coulomb_matrix(np.eye(3), salt)
    >>> q = np.array([1, -1])
    >>> round(float(-q @ A @ q / 2 / COULOMB * np.sqrt(3) / 2), 4)  # Madelung's number
    1.7627
    """
    n, volume = len(positions), abs(float(np.linalg.det(cell)))
    width = float(np.sqrt(np.pi)) * (n / volume**2) ** (1 / 6)  # both sums take as long
    matrix = np.full((n, n), -np.pi / (width**2 * volume))
    matrix[np.diag_indices(n)] -= 2 * width / np.sqrt(np.pi)
    crystal = Atoms(["H"] * n, positions, cell=cell, pbc=True)
    i, j, d = neighbour_list("ijd", crystal, DECAY / width)
    np.add.at(matrix, (i, j), erfc(width * d) / d)
    waves, sizes = _waves(cell, 2 * width * DECAY)
    weights = 4 * np.pi / volume * np.exp(-sizes / (4 * width**2)) / sizes
    phases = waves @ positions.T
    for part in (np.cos(phases), np.sin(phases)):
        matrix += part.T @ (weights[:, None] * part)
    return COULOMB * matrix


def _waves(
    cell: Float[np.ndarray, "3 3"], largest: float
) -> tuple[Float[np.ndarray, "waves 3"], Float[np.ndarray, "waves"]]:
    """Return the wave vectors up to a length, 1/Å, and their squares; zero left out."""
    reciprocal = 2 * np.pi * np.linalg.inv(cell).T
    most = np.floor(largest * np.linalg.norm(cell, axis=1) / (2 * np.pi)).astype(int)
    grid = np.stack(
        np.meshgrid(*(np.arange(-m, m + 1) for m in most), indexing="ij"), axis=-1
    ).reshape(-1, 3)
    waves = grid @ reciprocal
    sizes = (waves**2).sum(axis=1)
    is_kept = (sizes > 0) & (sizes <= largest**2)
    return waves[is_kept], sizes[is_kept]


def guess_charges(composition: Mapping[str, float]) -> dict[str, int] | None:
    """Return a usual oxidation state for each element that makes a cell most neutral.

    Parameters
    ----------
    composition
        Atoms of each element.

    Returns
    -------
    dict[str, int] | None
        e; none where an element has no usual state.

    Examples
    --------
    >>> guess_charges({"Li": 1.3, "Al": 0.3, "Ti": 1.7, "P": 3.0, "O": 12.0})
    {'Li': 1, 'Al': 3, 'Ti': 4, 'P': 5, 'O': -2}
    >>> guess_charges({"Na": 1.0, "He": 1.0})
    """
    symbols = list(composition)
    if not symbols or any(one not in OXIDATION_STATES for one in symbols):
        return None
    amounts = np.array([composition[one] for one in symbols])
    n = 4
    while np.prod([len(OXIDATION_STATES[one][:n]) for one in symbols]) > MAX_SETS:
        n -= 1
    choices = [list(enumerate(OXIDATION_STATES[one][:n])) for one in symbols]

    def cost(states: tuple[tuple[int, int], ...]) -> float:
        charge = abs(float(amounts @ [state for _, state in states])) / amounts.sum()
        return charge + RANK_COST * sum(rank for rank, _ in states)

    best = min(itertools.product(*choices), key=cost)
    return {one: state for one, (_, state) in zip(symbols, best, strict=True)}
