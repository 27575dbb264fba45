"""What moves: copies of systems with seeds and thermostats, and where they are."""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from ase import Atoms, units
from jaxtyping import Bool, Float, Int

from atomgraft.core.errors import BadInputError
from atomgraft.core.seeding import derived_seed, numpy_generator

FRICTION = 0.01
"""1/fs; a thermostat that acts within 0.1 ps."""

KELVIN = float(units.kB)
"""1 K in eV."""

ACCELERATION = float(units.fs**2)
"""1 eV/Å/u in Å/fs²."""

MOVING = -1
"""In place of the step at which a replica stopped."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Replica:
    """One system, and how it is to move.

    Parameters
    ----------
    atoms
        Where it starts; momenta in it count, none are zero. :func:`heated` draws them.
    seed
        Of its noise, which does not depend on the replicas beside it.
    temperature
        Of its thermostat (NVT), K; none lets it keep its energy (NVE).
    friction
        Of its thermostat, 1/fs.
    """

    atoms: Atoms
    seed: int = 0
    temperature: float | None = None
    friction: float = FRICTION

    @property
    def damping(self) -> float:
        """The friction that acts, 1/fs: none without a temperature."""
        return 0.0 if self.temperature is None else self.friction

    def noise(self, step: int) -> Float[np.ndarray, "atoms 3"]:
        """Return the standard normal noise of one step: a function of seed and step.

        A generator that counts needs no state of its own, so that a run can be
        resumed at any step.
        """
        key = derived_seed(self.seed, "thermostat")
        source = np.random.Philox(key=key, counter=np.array([0, step, 0, 0], np.uint64))
        return np.random.Generator(source).standard_normal((len(self.atoms), 3))


@dataclasses.dataclass(frozen=True, kw_only=True)
class State:
    """Where all replicas are, one after the other; nothing else changes in a run.

    Parameters
    ----------
    step
        Steps done.
    positions
        Å, float64; atoms that leave the cell are not brought back.
    velocities
        Å/fs
    forces
        eV/Å, at these positions.
    energies
        Potential energy of each replica, eV.
    stopped
        The step after which each replica moved no more; `MOVING` while it moves.
    """

    step: int
    positions: Float[np.ndarray, "atoms 3"]
    velocities: Float[np.ndarray, "atoms 3"]
    forces: Float[np.ndarray, "atoms 3"]
    energies: Float[np.ndarray, " replicas"]
    stopped: Int[np.ndarray, " replicas"]

    @property
    def is_moving(self) -> Bool[np.ndarray, " replicas"]:
        """Which replicas move."""
        return self.stopped == MOVING

    def with_stopped(self, replicas: Sequence[int]) -> "State":
        """Return the state in which further replicas have stopped here."""
        stopped = self.stopped.copy()
        stopped[[i for i in replicas if stopped[i] == MOVING]] = self.step
        return dataclasses.replace(self, stopped=stopped)


def heated(atoms: Atoms, temperature: float, seed: int) -> Atoms:
    """Return a structure with momenta drawn at a temperature, at rest as a whole.

    Parameters
    ----------
    atoms
        Not changed.
    temperature
        K. From a crystal's sites, half of the kinetic energy becomes potential
        energy: draw at twice the temperature that is wanted.
    seed
        Of the draw.

    Raises
    ------
    BadInputError
        The temperature is no number, or negative.

    Examples
    --------
    >>> from ase.build import bulk
    >>> hot = heated(bulk("Si", cubic=True), 300.0, seed=1)
    >>> bool(np.allclose(hot.get_momenta().sum(axis=0), 0))
    True
    """
    if not (np.isfinite(temperature) and temperature >= 0):
        raise BadInputError(
            f"Velocities were asked for at {temperature} K.",
            "Expected a number that is not negative.",
            "Give the temperature in K.",
        )
    hot = atoms.copy()
    noise = numpy_generator(seed, "velocities").standard_normal((len(atoms), 3))
    masses = atoms.get_masses()[:, None]
    momenta = np.sqrt(masses * KELVIN * temperature) * noise
    hot.set_momenta(momenta - masses / masses.sum() * momenta.sum(axis=0))
    return hot


def places_of(replicas: Sequence[Replica]) -> list[slice]:
    """Return where the atoms of each replica stand among all.

    Examples
    --------
    >>> places_of([Replica(atoms=Atoms("H2")), Replica(atoms=Atoms("H3"))])
    [slice(0, 2, None), slice(2, 5, None)]
    """
    bounds = np.cumsum([0, *(len(one.atoms) for one in replicas)]).tolist()
    return [slice(*pair) for pair in itertools.pairwise(bounds)]


def kinetic_energies(
    replicas: Sequence[Replica], state: State
) -> Float[np.ndarray, " replicas"]:
    """Return the kinetic energy of each replica, eV."""
    found = [
        0.5
        * float((one.atoms.get_masses()[:, None] * state.velocities[place] ** 2).sum())
        for one, place in zip(replicas, places_of(replicas), strict=True)
    ]
    return np.array(found) / ACCELERATION


def temperatures(
    replicas: Sequence[Replica], state: State
) -> Float[np.ndarray, " replicas"]:
    """Return 2 E_kin / (3 N k) of each replica, K."""
    n_atoms = np.array([len(one.atoms) for one in replicas])
    return kinetic_energies(replicas, state) / (1.5 * n_atoms * KELVIN)


def frame(replica: Replica, place: slice, state: State) -> Atoms:
    """Return a replica as it is now, with ASE's momenta.

    Parameters
    ----------
    replica
        Which.
    place
        Of its atoms, from :func:`places_of`.
    state
        Of all replicas.
    """
    now = Atoms(
        replica.atoms.numbers,
        state.positions[place],
        cell=replica.atoms.cell,
        pbc=replica.atoms.pbc,
        masses=replica.atoms.get_masses(),
    )
    now.set_velocities(state.velocities[place] / units.fs)
    return now


def check_replicas(replicas: Sequence[Replica]) -> None:
    """Refuse replicas that cannot move.

    Raises
    ------
    BadInputError
        There is none, a temperature or a friction is no positive number, or atoms are
        held fixed: all atoms move here.
    """
    if not replicas:
        raise BadInputError(
            "No replica was given.", "Expected at least one.", "Add a structure."
        )
    for i, one in enumerate(replicas):
        if one.atoms.constraints:
            kinds = sorted({type(each).__name__ for each in one.atoms.constraints})
            raise BadInputError(
                f"Replica {i} has constraints ({', '.join(kinds)}).",
                "All atoms move here; none can be held fixed.",
                "Take them off (atoms.set_constraint()) if all atoms may move, or run "
                "it with ASE and the calculator of the model.",
            )
        given = {"temperature": one.temperature or 0.0, "friction": one.friction}
        for name, value in given.items():
            if not (np.isfinite(value) and value >= 0):
                raise BadInputError(
                    f"The {name} of replica {i} is {value}.",
                    "Expected a number that is not negative.",
                    "Give temperatures in K and frictions in 1/fs.",
                )
