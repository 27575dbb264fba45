"""Structures from Monte Carlo with the model's energies.

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
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.units import kB
from jaxtyping import Bool, Float

from atomgraft.core.errors import AtomgraftError
from atomgraft.core.progress import Progress
from atomgraft.data.rehearsal.disturbances import are_apart, bare
from atomgraft.label.proposals import Proposal
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import predict_structures

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
