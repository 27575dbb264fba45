"""Lattice thermal conductivity in the relaxation-time approximation.

phono3py solves the linearised Boltzmann equation for phonons that scatter each other
three at a time (Togo, Chaput and Tanaka, Phys. Rev. B 91, 094306 (2015)); each mode
relaxes by itself. Boundaries, defects and scattering of four phonons are not in it.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.lattice.third_order import Anharmonic

MESH = (11, 11, 11)
"""q-points along the reciprocal vectors of the primitive cell."""

ROOM = 300.0
"""K; the temperature of the mode conductivities."""

TEMPERATURES = (100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 800.0, 1000.0)
"""K"""

UNSTABLE = 0.1
"""THz; a frequency below minus this on the mesh, and there is no conductivity."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Conductivity:
    """Lattice thermal conductivity of a crystal, mode by mode.

    Parameters
    ----------
    temperatures
        K
    conductivity
        xx, yy, zz, yz, xz, xy, W/m/K.
    mesh
        q-points along the reciprocal vectors of the primitive cell.
    frequencies
        On the irreducible q-points, ascending, THz.
    mode_conductivity
        What the modes contribute to the mean of the diagonal at 300 K, every q-point
        that an irreducible one stands for included, W/m/K; sums to that mean.
    q_weights
        How many q-points each stands for.
    has_isotopes
        Scattering by the natural mix of isotopes is in.
    """

    temperatures: Float[np.ndarray, " points"]
    conductivity: Float[np.ndarray, "points 6"]
    mesh: tuple[int, int, int]
    frequencies: Float[np.ndarray, "q bands"]
    mode_conductivity: Float[np.ndarray, "q bands"]
    q_weights: Float[np.ndarray, " q"]
    has_isotopes: bool

    @property
    def mean_at_room(self) -> float:
        """Mean of the diagonal at 300 K, W/m/K."""
        return float(self.mode_conductivity.sum())


def conductivity_of(
    crystal: Anharmonic,
    mesh: Sequence[int] = MESH,
    temperatures: Sequence[float] = TEMPERATURES,
    *,
    with_isotopes: bool = False,
) -> Conductivity:
    """Return the conductivity over temperature, integrated by tetrahedra.

    Parameters
    ----------
    crystal
        With force constants of second and third order.
    mesh
        q-points along the reciprocal vectors of the primitive cell.
    temperatures
        K, above zero.
    with_isotopes
        Add scattering by the natural mix of isotopes (Tamura, Phys. Rev. B 27, 858
        (1983)).

    Raises
    ------
    BadInputError
        A temperature is not above zero, or there are none.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.lattice.harmonic import harmonic_of
    >>> from atomgraft.lattice.supercells import prepare
    >>> from atomgraft.lattice.third_order import anharmonic_of
    >>> from atomgraft.models.pair import stillinger_weber
    >>> potential = stillinger_weber(["Si"])
    >>> phonon = prepare(bulk("Si", a=5.431), supercell=np.diag([2, 2, 2]))
    >>> crystal = anharmonic_of(potential, harmonic_of(potential, phonon))
    >>> found = conductivity_of(crystal, (3, 3, 3), (300.0,))
    >>> bool(np.isclose(found.conductivity[0, :3].mean(), found.mean_at_room))
    True
    """
    if not temperatures or min(temperatures) <= 0:
        raise BadInputError(
            f"The conductivity was requested at {list(temperatures)} K.",
            "At 0 K, without scattering, it is infinite.",
            "Give temperatures above zero.",
        )
    wanted = sorted({float(T) for T in temperatures} | {ROOM})
    phonons = crystal.phonons
    phonons.mesh_numbers = list(mesh)
    # Γ's acoustic modes are zero on every machine
    phonons.init_phph_interaction(exclude_gamma_acoustic=True)
    phonons.run_thermal_conductivity(temperatures=wanted, is_isotope=with_isotopes)
    solved = phonons.thermal_conductivity
    assert solved is not None
    tensor, modes = np.asarray(solved.kappa)[0], np.asarray(solved.mode_kappa)[0]
    is_asked = np.isin(wanted, [float(T) for T in temperatures])
    x, y, z = (int(n) for n in mesh)
    room = modes[wanted.index(ROOM), ..., :3].mean(axis=-1) / (x * y * z)
    return Conductivity(
        temperatures=np.array(wanted)[is_asked],
        conductivity=np.array(tensor[is_asked]),
        mesh=(x, y, z),
        frequencies=np.array(solved.frequencies, dtype=float),
        mode_conductivity=room,
        q_weights=np.array(solved.grid_weights, dtype=float),
        has_isotopes=with_isotopes,
    )
