"""Thermal expansion in the quasi-harmonic approximation.

At each of some volumes the crystal is harmonic, and frequencies depend on temperature
by way of the volume alone. Volumes with imaginary modes have no free energy and are
left out with a word. A potential sees neighbours up to its cutoff: where a shell of
them comes to lie behind it as the crystal expands, frequencies can jump, and the fit
takes the jump for physics; this is said. The non-analytical term of polar crystals is
not in: it moves optic branches next to Γ, and Born charges are known at one volume at
most.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from atomgraft.core.errors import BadInputError
from atomgraft.core.progress import Count
from atomgraft.lattice.equilibrium import (
    Equilibrium,
    equilibrium_over_temperature,
    minimum_of,
    temperature_grid,
)
from atomgraft.lattice.harmonic import Harmonic, harmonic_of
from atomgraft.lattice.relaxation import FMAX, Relaxation, refuse_other_group, relax
from atomgraft.lattice.spectra import (
    MeshFrequencies,
    mesh_frequencies,
    thermal_curves,
)
from atomgraft.lattice.supercells import DISTANCE, SYMPREC, prepare
from atomgraft.models.base import AbstractPotential
from atomgraft.models.graph import find_neighbours

STRAINS = (-0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.04, 0.05)
"""Of the volume; crystals expand, so there is more room on that side."""

TEMPERATURES = tuple(float(T) for T in range(0, 1001, 50))
"""K"""

FEWEST = 5
"""Volumes that a fit of four parameters needs to leave a residual."""

UNSTABLE = 0.1
"""THz; a volume with a frequency below minus this on the mesh is left out."""

STILL = 0.01
"""THz; below it a mode is one of the three acoustic ones at Γ."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuasiharmonicSettings:
    """How a crystal is expanded.

    Parameters
    ----------
    supercell
        Supercell vectors as rows of multiples of the cell vectors.
    primitive
        phonopy's ``primitive_matrix``; ``auto`` finds the primitive cell.
    mesh
        q-points along the reciprocal vectors of the primitive cell.
    temperatures
        K, ascending.
    strains
        Of the volume of the relaxed cell.
    relax_shape
        Relax the shape of the cell at each volume; scale all its vectors alike
        otherwise. For cubic crystals it is the same.
    distance
        Length of a displacement, Å.
    fmax
        Where relaxation ends, eV/Å.
    symprec
        Tolerance of the symmetry search, Å.
    threshold
        A frequency below minus this leaves a volume out, THz.
    """

    supercell: Int[np.ndarray, "3 3"]
    primitive: Float[np.ndarray, "3 3"] | Literal["auto"] = "auto"
    mesh: tuple[int, int, int] = (20, 20, 20)
    temperatures: tuple[float, ...] = TEMPERATURES
    strains: tuple[float, ...] = STRAINS
    relax_shape: bool = True
    distance: float = DISTANCE
    fmax: float = FMAX
    symprec: float = SYMPREC
    threshold: float = UNSTABLE


@dataclasses.dataclass(frozen=True, kw_only=True)
class Quasiharmonic:
    """A crystal over temperature at zero pressure; volumes and energies per atom.

    Parameters
    ----------
    volumes
        Where phonons were computed, Å³ per atom.
    energies
        There, without vibrations, eV/atom.
    dropped_volumes
        Left out of the fit, Å³ per atom.
    static_volume
        Of the lowest energy without vibrations, Å³ per atom; none if that is outside.
    equilibrium
        Over temperature.
    shape
        What became of the shape of the cell.
    n_atoms_supercell
        Atoms of the supercells.
    notices
        What a reader must know.
    """

    volumes: Float[np.ndarray, " volumes"]
    energies: Float[np.ndarray, " volumes"]
    dropped_volumes: Float[np.ndarray, " dropped"]
    static_volume: float | None
    equilibrium: Equilibrium
    shape: Literal["relaxed", "scaled"]
    n_atoms_supercell: int
    notices: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Volume:
    """The crystal at one volume."""

    relaxation: Relaxation
    harmonic: Harmonic
    lowest: float
    """THz"""
    mean: float
    """Geometric mean of the frequencies, THz."""
    n_neighbours: int
    """Within the cutoff, of all atoms of the cell."""
    fault: str | None

    @property
    def per_atom(self) -> float:
        return self.relaxation.atoms.cell.volume / len(self.relaxation.atoms)

    @property
    def energy(self) -> float:
        return self.relaxation.energy / len(self.relaxation.atoms)


def quasiharmonic(
    potential: AbstractPotential,
    unitcell: Atoms,
    settings: QuasiharmonicSettings,
    *,
    max_atoms: int | None = None,
    progress: Count | None = None,
) -> Quasiharmonic:
    """Return volume, expansion, bulk modulus and heat capacity over temperature.

    The crystal is relaxed first, so that the strains are around the potential's own
    volume; then atoms, and the shape of the cell, are relaxed at each fixed volume.

    Parameters
    ----------
    potential
        In float64.
    unitcell
        Periodic in all directions; not changed.
    settings
        Volumes, supercell, mesh and temperatures.
    max_atoms
        Largest number of atoms in one call of the model; none measures.
    progress
        Called with volumes done and volumes in all.

    Raises
    ------
    BadInputError
        Fewer than five volumes are given, or are left where those with imaginary modes
        are taken out; the relaxation does not converge or changes the space group; or
        the equilibrium volume is outside the volumes at every temperature.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.models.pair import stillinger_weber
    >>> found = quasiharmonic(
    ...     stillinger_weber(["Si"]),
    ...     bulk("Si", a=5.431),
    ...     QuasiharmonicSettings(
    ...         supercell=np.diag([2, 2, 2]), mesh=(6, 6, 6), temperatures=(0.0, 300.0)
    ...     ),
    ... )
    >>> cold, warm = found.equilibrium.expansion
    >>> bool(cold == 0 and 5e-6 < warm < 2e-5)
    True
    """
    _refuse_few(settings)
    start = relax(unitcell, potential, fmax=settings.fmax)
    _require_rest(start, unitcell)
    volumes: list[_Volume] = []
    strains = sorted(set(settings.strains))
    if progress is not None:
        progress(0, len(strains))
    for strain in strains:
        volumes.append(_at_strain(potential, start.atoms, strain, settings, max_atoms))
        if progress is not None:
            progress(len(volumes), len(strains))
    kept = [one for one in volumes if one.fault is None]
    notices = [one.fault for one in volumes if one.fault is not None]
    notices += _jumps(kept, potential.cutoff)
    if len(kept) < FEWEST:
        raise BadInputError(
            f"{len(kept)} of {len(volumes)} volumes can be used. {' '.join(notices)}",
            f"Expected at least {FEWEST}.",
            "Give other strains of the volume; a crystal that is unstable at every "
            "volume has no quasi-harmonic expansion.",
        )
    dropped = [one.per_atom for one in volumes if one.fault is not None]
    return _fitted(kept, np.array(dropped), settings, notices)


def _refuse_few(settings: QuasiharmonicSettings) -> None:
    if len(set(settings.strains)) < FEWEST or min(settings.strains) <= -0.5:
        raise BadInputError(
            f"The strains of the volume are {list(settings.strains)}.",
            f"Expected at least {FEWEST} different strains, all above -0.5.",
            "Leave them out for nine from -3 % to +5 %.",
        )
    if not settings.temperatures or min(settings.temperatures) < 0:
        raise BadInputError(
            f"Expansion was requested at {list(settings.temperatures)} K.",
            "Expected temperatures of at least 0 K.",
            "Give one or more temperatures.",
        )


def _require_rest(start: Relaxation, unitcell: Atoms) -> None:
    name = unitcell.get_chemical_formula()
    refuse_other_group(start, name)
    if not start.is_converged:
        raise BadInputError(
            f"The relaxation of {name} stopped after {start.n_steps} steps with a force"
            f" of {start.largest_force:.2g} eV/Å.",
            "The volumes are chosen around the relaxed one.",
            "Relax the structure, or allow a larger force.",
        )


def _at_strain(
    potential: AbstractPotential,
    start: Atoms,
    strain: float,
    settings: QuasiharmonicSettings,
    max_atoms: int | None,
) -> _Volume:
    atoms = start.copy()
    atoms.set_cell(start.cell.array * (1 + strain) ** (1 / 3), scale_atoms=True)
    relaxation = relax(
        atoms,
        potential,
        fixed_cell=not settings.relax_shape,
        fixed_volume=settings.relax_shape,
        fmax=settings.fmax,
    )
    phonon = prepare(
        relaxation.atoms,
        supercell=settings.supercell,
        primitive=settings.primitive,
        distance=settings.distance,
        symprec=settings.symprec,
    )
    harmonic = harmonic_of(potential, phonon, max_atoms=max_atoms)
    found = mesh_frequencies(harmonic, settings.mesh)
    lowest = float(found.frequencies.min())
    fault = _fault(relaxation, lowest, settings.threshold)
    return _Volume(
        relaxation=relaxation,
        harmonic=harmonic,
        lowest=lowest,
        mean=_geometric_mean(found),
        n_neighbours=len(find_neighbours(relaxation.atoms, potential.cutoff).edges[0]),
        fault=fault and f"Left out at {strain:+.1%} of the volume: {fault}.",
    )


def _geometric_mean(found: MeshFrequencies) -> float:
    """Return the geometric mean of what moves, THz; zero where nothing does."""
    moving = found.frequencies > STILL
    if not moving.any():
        return 0.0
    weights = np.broadcast_to(found.weights[:, None], moving.shape)[moving]
    logarithms = np.log(found.frequencies[moving])
    return float(np.exp(np.average(logarithms, weights=weights)))


def _jumps(kept: Sequence[_Volume], cutoff: float) -> list[str]:
    """Say where neighbours cross the cutoff and frequencies rise with the volume."""
    return [
        f"Between {less.per_atom:.3f} and {more.per_atom:.3f} Å³ per atom a shell of "
        f"neighbours crosses the model's cutoff of {cutoff:g} Å, and frequencies rise "
        f"by {more.mean / less.mean - 1:.1%} on average where they should fall: the "
        "expansion is that of the cutoff as much as of the crystal."
        for less, more in itertools.pairwise(kept)
        if less.n_neighbours != more.n_neighbours and more.mean > less.mean
    ]


def _fault(relaxation: Relaxation, lowest: float, threshold: float) -> str | None:
    """Return why a volume cannot be used, or none."""
    before, after = relaxation.groups
    if before != after:
        return f"{before} became {after}"
    if not relaxation.is_converged:
        return f"a force of {relaxation.largest_force:.2g} eV/Å is left"
    if lowest < -threshold:
        return f"a mode has {lowest:.2f} THz"
    return None


def _fitted(
    kept: Sequence[_Volume],
    dropped: Float[np.ndarray, " dropped"],
    settings: QuasiharmonicSettings,
    notices: list[str],
) -> Quasiharmonic:
    grid = temperature_grid(settings.temperatures)
    volumes = np.array([one.per_atom for one in kept])
    energies = np.array([one.energy for one in kept])
    static = minimum_of(volumes, energies)
    found = equilibrium_over_temperature(
        volumes,
        energies,
        [thermal_curves(one.harmonic, settings.mesh, grid) for one in kept],
        settings.temperatures,
    )
    where = f"{volumes.min():.3f} to {volumes.max():.3f} Å³ per atom"
    if len(found.temperatures) == 0:
        raise BadInputError(
            f"At no temperature is the equilibrium volume within {where}.",
            "Phonons are needed at smaller and larger volumes.",
            "Give more and larger strains of the volume.",
        )
    if found.outside:
        listed = ", ".join(f"{T:g}" for T in found.outside)
        notices = [
            *notices,
            f"At {listed} K the equilibrium volume is not within {where}: these "
            "temperatures were left out.",
        ]
    return Quasiharmonic(
        volumes=volumes,
        energies=energies,
        dropped_volumes=dropped,
        static_volume=None if static is None else static[0],
        equilibrium=found,
        shape="relaxed" if settings.relax_shape else "scaled",
        n_atoms_supercell=len(kept[0].harmonic.phonon.supercell),
        notices=tuple(notices),
    )
