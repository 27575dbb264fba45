"""Crystals displaced by the model's own physics: Monte Carlo, and soft phonon modes.

The modes are those of the supercell at Gamma: all modes of the crystal whose wave
vectors fit into the supercell, each a pattern of real displacements. The softest of
them are populated, because they move most in the material, and because a model that is
wrong about vibrations is most often wrong there. In the harmonic approximation the
normal coordinate of a mode at temperature T is normally distributed with

    <Q²> = ħ / 2ω · coth(ħω / 2kT),

zero-point motion included. A mode that is flat or has an imaginary frequency has no
such width: all of those together are displaced, in a random direction among them, until
the atom that moves most has moved by a stated length.

Plain Gaussian displacements raise stiff directions as far as soft ones, and reach
energies that the material never visits. Rattling by Monte Carlo refuses what is
improbable: Eriksson, Fransson and Erhart (Adv. Theory Simul. 2, 1800184 (2019)) move
one atom after the other and refuse short distances. Here a move is refused by the
Metropolis criterion on the model's energy, so that the structures are a sample of the
classical canonical ensemble at the temperature, and where atoms come closer than in
matter. Moves are those of hybrid Monte Carlo (Duane, Kennedy, Pendleton and Roweth,
Phys. Lett. B 195, 216 (1987)): a few leapfrog steps along the forces, with fresh
momenta. All structures are walked side by side, in batches.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from ase import Atoms, units
from ase.units import kB
from jaxtyping import Bool, Float

from atomgraft.core.errors import AtomgraftError
from atomgraft.core.progress import Progress
from atomgraft.data.rehearsal.disturbances import are_apart, bare
from atomgraft.label.proposals import N_DRAWS, Proposal, too_close
from atomgraft.lattice.harmonic import harmonic_of
from atomgraft.lattice.supercells import ideal_supercell, prepare
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import predict_structures

SHARE = 1 / 3
"""Of the modes, the softest, that are populated."""

FLAT = 0.5
"""THz below which a mode counts as flat: its thermal width would say nothing."""

HBAR = units._hbar * units.J * units.s  # noqa: SLF001 - ASE has no other name for it
"""eV times ASE's unit of time, Å·√(u/eV)."""

THZ = 1e-12 * units.s / (2 * math.pi)
"""Angular frequency in ASE's unit to frequency in THz."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Modes:
    """The vibrations that fit into a supercell, translations left out, softest first.

    Parameters
    ----------
    crystal
        The supercell, nothing displaced.
    frequencies
        THz; negative where imaginary.
    patterns
        Displacements of all atoms for a normal coordinate of one, 1/√u.
    """

    crystal: Atoms
    frequencies: Float[np.ndarray, " modes"]
    patterns: Float[np.ndarray, "modes atoms 3"]


def modes_of(crystal: Atoms, potential: AbstractPotential, distance: float) -> Modes:
    """Return the vibrations of a supercell under a potential, in float64.

    Parameters
    ----------
    crystal
        The supercell, periodic in all directions.
    potential
        In any precision.
    distance
        Finite displacement, Å.

    Raises
    ------
    BadInputError
        The structure is not periodic, or the potential does not know an element.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.models.pair import stillinger_weber
    >>> silicon = bulk("Si", a=5.431)
    >>> modes_of(silicon, stillinger_weber(["Si"]), 0.01).frequencies.round(1).tolist()
    [17.8, 17.8, 17.8]
    """
    phonon = prepare(
        crystal, supercell=np.eye(3, dtype=int), primitive=np.eye(3), distance=distance
    )
    accurate = potential.clone(dtype=torch.float64, device=potential.device)
    constants = np.asarray(harmonic_of(accurate, phonon).phonon.force_constants)
    return _diagonalised(ideal_supercell(phonon), constants)


def along_soft_modes(
    modes: Modes,
    temperature: float,
    amplitudes: Sequence[float],
    n: int,
    generator: np.random.Generator,
) -> Iterator[Proposal]:
    """Yield structures displaced along the softest modes.

    Parameters
    ----------
    modes
        Of the model itself.
    temperature
        At which modes of positive frequency are populated, K.
    amplitudes
        Displacement of the atom that moves most along flat and imaginary modes, Å;
        used in turn.
    n
        How many.
    generator
        Source of the normal coordinates.

    Raises
    ------
    BadInputError
        The temperature brings atoms onto each other.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.models.pair import stillinger_weber
    >>> modes = modes_of(bulk("Si", a=5.431), stillinger_weber(["Si"]), 0.01)
    >>> rng = np.random.default_rng(0)
    >>> [one.note for one in along_soft_modes(modes, 300.0, (0.1,), 1, rng)]
    ['1 modes up to 17.8 THz']
    """
    for i in range(n):
        yield _populated(modes, temperature, amplitudes[i % len(amplitudes)], generator)


def _diagonalised(
    crystal: Atoms, constants: Float[np.ndarray, "atoms atoms 3 3"]
) -> Modes:
    """Return the modes in the space that translations leave."""
    roots = np.repeat(crystal.get_masses() ** 0.5, 3)
    n = len(roots)
    matrix = constants.transpose(0, 2, 1, 3).reshape(n, n) / np.outer(roots, roots)
    shifts = roots[:, None] * np.tile(np.eye(3), (n // 3, 1))
    basis = np.linalg.svd(shifts)[0][:, 3:]
    squares, vectors = np.linalg.eigh(basis.T @ (matrix + matrix.T) @ basis / 2)
    patterns = (basis @ vectors) / roots[:, None]
    return Modes(
        crystal=crystal,
        frequencies=THZ * np.sign(squares) * np.abs(squares) ** 0.5,
        patterns=patterns.T.reshape(-1, n // 3, 3),
    )


def _populated(
    modes: Modes, temperature: float, amplitude: float, generator: np.random.Generator
) -> Proposal:
    is_flat = modes.frequencies < FLAT
    n_soft = max(int(is_flat.sum()), math.ceil(SHARE * len(modes.frequencies)))
    stiff = np.flatnonzero(~is_flat)
    thermal = stiff[stiff < n_soft]
    flat = np.flatnonzero(is_flat)
    for _ in range(N_DRAWS):
        Q = generator.normal(size=len(thermal))
        Q *= normal_widths(modes.frequencies[thermal], temperature)
        moved = np.tensordot(Q, modes.patterns[thermal], axes=1)
        moved = moved + _unstable(modes.patterns[flat], amplitude, generator)
        atoms = bare(modes.crystal)
        atoms.positions = atoms.positions + moved
        if are_apart(atoms):
            return Proposal(
                atoms=atoms,
                kind="modes",
                amplitude=temperature,
                unit="K",
                note=_note(modes, thermal.tolist(), flat.tolist(), amplitude),
            )
    raise too_close("modes", f"{temperature:g} K and {amplitude:g} Å")


def normal_widths(
    frequencies: Float[np.ndarray, " modes"], temperature: float
) -> Float[np.ndarray, " modes"]:
    """Return the standard deviation of normal coordinates, Å·√u.

    Parameters
    ----------
    frequencies
        Positive, THz.
    temperature
        K

    Examples
    --------
    >>> widths = normal_widths(np.array([1.0, 2.0]), 1e5)
    >>> round(float(widths[0] / widths[1]), 3)
    2.0
    """
    omega = frequencies / THZ
    ratio = HBAR * omega / (2 * units.kB * temperature)
    return (HBAR / (2 * omega * np.tanh(ratio))) ** 0.5


def _unstable(
    patterns: Float[np.ndarray, "modes atoms 3"],
    amplitude: float,
    generator: np.random.Generator,
) -> Float[np.ndarray, "atoms 3"]:
    """Return a random direction among some modes, its largest displacement given."""
    if not len(patterns):
        return np.zeros(patterns.shape[1:])
    moved = np.tensordot(generator.normal(size=len(patterns)), patterns, axes=1)
    return moved * amplitude / np.linalg.norm(moved, axis=1).max()


def _note(
    modes: Modes, thermal: Sequence[int], flat: Sequence[int], amplitude: float
) -> str:
    parts = []
    if len(flat):
        lowest = modes.frequencies[flat[0]]
        parts.append(
            f"{len(flat)} flat or imaginary modes from {lowest:.2f} THz by"
            f" {amplitude:g} Å"
        )
    if len(thermal):
        parts.append(
            f"{len(thermal)} modes up to {modes.frequencies[thermal[-1]]:.1f} THz"
        )
    return ", ".join(parts)


N_MOVES = 8
"""Moves of each walker: soft modes of a crystal forget the start in about three."""

N_LEAPS = (5, 10)
"""Fewest and most leapfrog steps of a move, drawn anew for each, so that no mode
comes back to where it started every time."""

STEP = 0.1
"""First leapfrog step, Å/√eV with unit masses: the stiffest bond of silicon turns by
half a radian."""

WANTED = (0.65, 0.9)
"""Share of accepted moves of all walkers between which the step stays as it is. A step
that follows the moves before it bends the ensemble a little, less with more walkers;
the tests see equipartition kept to a few percent with 48."""

Configurations = Float[np.ndarray, "walkers atoms 3"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _State:
    positions: Configurations
    energies: Float[np.ndarray, " walkers"]
    forces: Configurations


def monte_carlo_rattled(
    crystal: Atoms,
    potential: AbstractPotential,
    temperature: float,
    n: int,
    generator: np.random.Generator,
    progress: Progress | None = None,
) -> tuple[list[Proposal], float]:
    """Return structures of the classical canonical ensemble of a model.

    Parameters
    ----------
    crystal
        Where every walker starts; its cell stays.
    potential
        Gives energies and forces.
    temperature
        K
    n
        How many structures; as many walkers, each independent of the others.
    generator
        Source of momenta and decisions.
    progress
        Called after each move.

    Returns
    -------
    list[Proposal]
        The structures, centre of mass at rest.
    float
        Share of the moves that were accepted.

    Raises
    ------
    AtomgraftError
        No move at all was accepted: the model makes no sense of this crystal.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.models.pair import stillinger_weber
    >>> made, share = monte_carlo_rattled(
    ...     bulk("Si"), stillinger_weber(["Si"]), 300.0, 2, np.random.default_rng(0)
    ... )
    >>> len(made), 0.5 < share <= 1
    (2, True)
    """
    walk = _Walk(
        crystal=crystal,
        potential=potential,
        energy=kB * temperature,
        generator=generator,
    )
    state = walk.evaluated(np.stack([crystal.positions] * n))
    step, n_accepted = STEP, 0
    for i in range(N_MOVES):
        state, is_accepted = walk.moved(state, step)
        n_accepted += int(is_accepted.sum())
        share = float(is_accepted.mean())
        step *= 0.6 if share < WANTED[0] else 1.2 if share > WANTED[1] else 1.0
        if progress is not None:
            progress("Monte Carlo sampling", i + 1, N_MOVES)
    if not n_accepted:
        raise _stuck(crystal, potential, temperature)
    proposals = [
        Proposal(
            atoms=_placed(crystal, positions),
            kind="mc-rattle",
            amplitude=temperature,
            unit="K",
        )
        for positions in state.positions
    ]
    return proposals, n_accepted / (N_MOVES * n)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Walk:
    """Hybrid Monte Carlo with unit masses."""

    crystal: Atoms
    potential: AbstractPotential
    energy: float
    """kT, eV."""
    generator: np.random.Generator

    def moved(
        self, state: _State, step: float
    ) -> tuple[_State, Bool[np.ndarray, " walkers"]]:
        """Move every walker, or leave it where it is."""
        momenta = self._momenta(state.positions.shape)
        start = state.energies + _kinetic(momenta)
        new = state
        for _ in range(int(self.generator.integers(N_LEAPS[0], N_LEAPS[1] + 1))):
            momenta = momenta + step / 2 * new.forces
            new = self.evaluated(new.positions + step * momenta)
            momenta = momenta + step / 2 * new.forces
        rise = np.nan_to_num(new.energies + _kinetic(momenta) - start, nan=np.inf)
        chance = np.exp(-np.clip(rise, 0, None) / self.energy)
        is_accepted = self.generator.random(len(chance)) < chance
        is_accepted &= [
            are_apart(_placed(self.crystal, one)) for one in _finite(new.positions)
        ]
        return _chosen(is_accepted, new, state), is_accepted

    def evaluated(self, positions: Configurations) -> _State:
        """Return energies and forces of all walkers."""
        structures = [_placed(self.crystal, one) for one in _finite(positions)]
        found = list(predict_structures(self.potential, structures))
        forces = np.stack([one.forces for one in found])
        return _State(
            positions=positions,
            energies=np.array([one.energy for one in found]),
            forces=forces - forces.mean(axis=1, keepdims=True),
        )

    def _momenta(self, shape: Sequence[int]) -> Configurations:
        """Draw momenta of unit masses; the whole does not drift."""
        momenta = self.generator.normal(scale=self.energy**0.5, size=tuple(shape))
        return momenta - momenta.mean(axis=1, keepdims=True)


def _chosen(accepted: Bool[np.ndarray, " walkers"], new: _State, old: _State) -> _State:
    where = accepted[:, None, None]
    return _State(
        positions=np.where(where, new.positions, old.positions),
        energies=np.where(accepted, new.energies, old.energies),
        forces=np.where(where, new.forces, old.forces),
    )


def _kinetic(momenta: Configurations) -> Float[np.ndarray, " walkers"]:
    return (momenta**2).sum(axis=(1, 2)) / 2


def _finite(positions: Configurations) -> Configurations:
    """Return positions that a neighbour search survives; such a move is refused."""
    return np.clip(np.nan_to_num(positions), -1e4, 1e4)


def _placed(crystal: Atoms, positions: Float[np.ndarray, "atoms 3"]) -> Atoms:
    atoms = bare(crystal)
    atoms.positions = positions
    return atoms


def _stuck(
    crystal: Atoms, potential: AbstractPotential, temperature: float
) -> AtomgraftError:
    return AtomgraftError(
        f"Of {N_MOVES} moves at {temperature:g} K of {crystal.get_chemical_formula()}, "
        f"{potential.card.name} accepted none.",
        "Expected a model with smooth energies, and atoms that are not too close "
        "at the start.",
        "Leave the kind mc-rattle out, or use another model.",
    )
