"""Which modes of a crystal are imaginary, and which belong together by symmetry."""

from fractions import Fraction

import numpy as np
from ase import Atoms
from jaxtyping import Complex, Float, Int

from atomgraft.core.errors import BadInputError
from atomgraft.lattice.harmonic import Harmonic
from atomgraft.lattice.modulations import Instability, same_q, stars
from atomgraft.lattice.spectra import commensurate_modes, named_points
from atomgraft.lattice.supercells import supercell_by_length

THRESHOLD = 0.1
"""THz; a mode below minus this is imaginary, one above it is noise."""

GRID_LENGTH = 7.5
"""Å; frequencies of the commensurate grid are those of the forces in a supercell of any
size, so it only has to reach the boundary of the zone."""

DEGENERATE = 0.02
"""THz; frequencies closer than this are one."""


def boundary_supercell(
    unitcell: Atoms, length: float = GRID_LENGTH
) -> Int[np.ndarray, "3 3"]:
    """Return a diagonal supercell whose grid holds the boundary of the zone.

    Along a vector that is repeated at all, it is repeated an even number of times:
    three cells hold Γ and a third of the way, and miss what doubles the cell.

    Parameters
    ----------
    unitcell
        Periodic in all directions.
    length
        Smallest distance between opposite faces, Å.

    Examples
    --------
    >>> from ase.build import bulk
    >>> boundary_supercell(bulk("Po", "sc", a=3.3)).diagonal().tolist()
    [4, 4, 4]
    """
    counts = supercell_by_length(unitcell, length).diagonal()
    return np.diag([n if n == 1 else n + n % 2 for n in counts])


def lowest_frequency(harmonic: Harmonic) -> float:
    """Return the lowest frequency of the commensurate grid, THz.

    Parameters
    ----------
    harmonic
        A crystal with force constants.
    """
    return min(mode.frequency for mode in commensurate_modes(harmonic))


def find_instabilities(
    harmonic: Harmonic, threshold: float = THRESHOLD
) -> tuple[Instability, ...]:
    """Return the imaginary modes of the commensurate grid, softest first.

    Modes of one frequency at one q-point are one instability, together with their
    like on the other arms of the star.

    Parameters
    ----------
    harmonic
        A crystal with force constants.
    threshold
        THz; modes below minus this count.
    """
    soft = [one.q for one in commensurate_modes(harmonic) if one.frequency < -threshold]
    operations = harmonic.phonon.primitive_symmetry.symmetry_operations
    found = [
        instability
        for star in stars(soft, operations["rotations"])
        for instability in _of_star(harmonic, star, threshold)
    ]
    return tuple(sorted(found, key=lambda one: one.frequency))


def _of_star(
    harmonic: Harmonic, star: Float[np.ndarray, "arms 3"], threshold: float
) -> list[Instability]:
    result = harmonic.phonon.run_qpoints(star, with_eigenvectors=True)
    frequencies = np.asarray(result.frequencies)
    assert result.eigenvectors is not None
    vectors = np.asarray(result.eigenvectors)
    instabilities = []
    first = frequencies[0]
    band = 0
    while band < len(first) and first[band] < -threshold:
        size = 1
        while (
            band + size < len(first)
            and first[band + size] - first[band + size - 1] < DEGENERATE
            and first[band + size] < -threshold
        ):
            size += 1
        bands = slice(band, band + size)
        instabilities.append(
            Instability(
                arms=star,
                frequency=float(first[bands].mean()),
                eigenvectors=tuple(_modes(one[:, bands]) for one in vectors),
            )
        )
        band += size
    return instabilities


def _modes(
    columns: Complex[np.ndarray, "components modes"],
) -> Complex[np.ndarray, "modes atoms 3"]:
    return np.ascontiguousarray(columns.T).reshape(columns.shape[1], -1, 3)


def q_label(harmonic: Harmonic, instability: Instability) -> str:
    """Return the name of a q-point (Γ, X, M ...), or its components as fractions.

    Parameters
    ----------
    harmonic
        The crystal it belongs to.
    instability
        Any arm of its star may be the one that has a name.
    """
    try:
        points = named_points(harmonic)["point_coords"]
    except BadInputError:  # it has no names for it
        points = {}
    for name, point in points.items():
        for arm in instability.arms:
            q = np.array(point)
            if same_q(q, arm) or same_q(-q, arm):
                return name.replace("GAMMA", "Γ")
    parts = (Fraction(float(x)).limit_denominator(24) for x in instability.arms[0])
    return "(" + ", ".join(str(one) for one in parts) + ")"
