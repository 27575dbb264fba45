"""From options and the files of a run to what every contestant does."""

import dataclasses
import math

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from atomgraft.core.errors import BadInputError
from atomgraft.dynamics.mover import OWN
from atomgraft.evaluation.motion.record import SUITE
from atomgraft.evaluation.motion.spec import MotionOptions
from atomgraft.evaluation.moving import FS_PER_PS, fitting_timestep
from atomgraft.evaluation.systems import REACH, System, repeated, system_of
from atomgraft.metrics.spectra import frequencies
from atomgraft.models.memory import require_memory

BIN = 0.05
"""Å, of radial distributions."""

ANGLE_BIN = 2.0
"""Degrees, of angular distributions."""

VELOCITIES = 4.0
"""fs between two velocities of the autocorrelation: frequencies up to 125 THz."""

CONFIGURATIONS = 40.0
"""fs between two configurations of which distances and angles are measured, or ..."""

MOST_CONFIGURATIONS = 250
"""... as many of them, evenly spaced over a longer run."""

GUARD = 10.0
"""fs between two looks while the system melts or settles."""

BYTES_OF_A_VECTOR = 2 * 3 * 8
"""A velocity or position in double precision, and its copy on the way to the disk."""

WEAK_FRICTION = 5e-4
"""1/fs, while properties are measured: lines of the spectrum are broadened by 0.08 THz,
less than the window does."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Condition:
    """One temperature, of the crystal or of its melt.

    Parameters
    ----------
    temperature
        K
    is_melt
        The crystal was melted before.
    """

    temperature: float
    is_melt: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What every contestant does.

    Parameters
    ----------
    system
        The crystal.
    conditions
        Crystal first, melts after it.
    n_replicas
        Seeds of each condition.
    timestep
        fs
    melt
        K at which the crystal is melted; none: it is not.
    n_melt, n_settle, n_steps
        Steps of melting, of the run before anything is measured, and of that in which
        it is.
    look_every
        Steps between two velocities.
    sample_every
        Velocities between two configurations; a multiple of it are all steps.
    n_window
        Velocities in a window of the autocorrelation; even.
    reach
        Å, where radial distributions end.
    engine
        What makes the steps.
    """

    system: System
    conditions: tuple[Condition, ...]
    n_replicas: int
    timestep: float
    melt: float | None
    n_melt: int
    n_settle: int
    n_steps: int
    look_every: int
    sample_every: int
    n_window: int
    reach: float
    engine: str = OWN

    def steps_of_runs(self) -> list[int]:
        """Return how many steps each run makes, if it does not fail."""
        held = [self.n_settle + self.n_steps] * len(self.conditions) * self.n_replicas
        molten = [] if self.melt is None else [self.n_melt] * self.n_replicas
        return molten + held

    @property
    def interval(self) -> float:
        """Time between two velocities, fs."""
        return self.timestep * self.look_every

    @property
    def sample_interval(self) -> float:
        """Time between two configurations, fs."""
        return self.interval * self.sample_every

    @property
    def n_samples(self) -> int:
        """Configurations of a run."""
        return self.n_steps // (self.look_every * self.sample_every)

    @property
    def frequencies(self) -> Float[np.ndarray, " frequencies"]:
        """THz, of spectra."""
        return frequencies(self.n_window, self.interval)

    @property
    def edges(self) -> Float[np.ndarray, " edges"]:
        """Of the bins of g(r), Å."""
        return BIN * np.arange(round(self.reach / BIN) + 1)

    @property
    def elements(self) -> tuple[str, ...]:
        """Of the crystal, each once, by their symbols."""
        return tuple(sorted(set(self.system.atoms.symbols)))

    @property
    def kinds(self) -> Int[np.ndarray, " atoms"]:
        """Which of the elements each atom is."""
        return kinds_of(self.system.atoms)


def kinds_of(atoms: Atoms) -> Int[np.ndarray, " atoms"]:
    """Return the place of each atom's element among the sorted symbols.

    Examples
    --------
    >>> kinds_of(Atoms("SiO2")).tolist()
    [1, 0, 0]
    """
    symbols = list(atoms.symbols)
    names = sorted(set(symbols))
    return np.array([names.index(one) for one in symbols])


def plan_of(
    options: MotionOptions, crystal: Atoms, *, has_trajectory: bool = False
) -> Plan:
    """Return what every contestant does; times are rounded to whole intervals.

    Parameters
    ----------
    options
        What the user has chosen.
    crystal
        Its unit cell.
    has_trajectory
        A trajectory is the reference. Where the crystal is melted it is that of the
        melt, and only the melt is run.

    Raises
    ------
    BadInputError
        The supercell is too small, or the window too long to be kept.
    """
    atoms = repeated(crystal, options.atoms, options.supercell, suite=SUITE)
    timestep = options.timestep or fitting_timestep(atoms)
    look = max(1, round(VELOCITIES / timestep))
    interval = look * timestep
    n_window = max(4, 2 * round(options.window * FS_PER_PS / interval / 2))
    n_looks = max(n_window, round(options.time * FS_PER_PS / interval))
    sample = max(
        1, round(CONFIGURATIONS / interval), math.ceil(n_looks / MOST_CONFIGURATIONS)
    )
    n_looks = sample * math.ceil(n_looks / sample)
    guard = guard_steps(timestep)

    def steps(picoseconds: float) -> int:
        return guard * max(1, round(picoseconds * FS_PER_PS / timestep / guard))

    conditions = _conditions(options, has_trajectory=has_trajectory)
    n_kept = n_window + n_looks // sample
    n_vectors = n_kept * len(atoms) * options.replicas * len(conditions)
    require_memory(
        n_vectors * BYTES_OF_A_VECTOR,
        f"Keeping a window of {options.window:g} ps of all runs",
        "Shorten it: --set motion.window=2",
    )
    return Plan(
        system=system_of(atoms, suite=SUITE),
        conditions=conditions,
        n_replicas=options.replicas,
        timestep=timestep,
        melt=options.melt,
        n_melt=0 if options.melt is None else steps(options.melt_time),
        n_settle=steps(options.settle),
        n_steps=n_looks * look,
        look_every=look,
        sample_every=sample,
        n_window=n_window,
        reach=_reach(options, atoms),
        engine=options.engine,
    )


def guard_steps(timestep: float) -> int:
    """Return the steps between two looks while the system melts or settles."""
    return max(1, round(GUARD / timestep))


def _conditions(
    options: MotionOptions, *, has_trajectory: bool
) -> tuple[Condition, ...]:
    temperatures = sorted(set(options.temperatures))
    phases = [False] if options.melt is None else [False, True]
    if has_trajectory and options.melt is not None:
        phases = [True]
    return tuple(
        Condition(temperature=T, is_melt=is_melt)
        for is_melt in phases
        for T in temperatures
    )


def half_height(atoms: Atoms) -> float:
    """Return half of the smallest distance between opposite faces of a cell, Å.

    Up to there an atom and its own images are counted once.

    Examples
    --------
    >>> half_height(Atoms("H", cell=[4.0, 6.0, 8.0], pbc=True))
    2.0
    """
    return float((1 / np.linalg.norm(atoms.cell.reciprocal().array, axis=1)).min()) / 2


def _reach(options: MotionOptions, atoms: Atoms) -> float:
    most = half_height(atoms)
    if options.r_max is not None and options.r_max > most + BIN / 2:
        raise BadInputError(
            f"motion.r_max is {options.r_max:g} Å, and the supercell of "
            f"{atoms.get_chemical_formula()} holds spheres of {most:.3g} Å.",
            "Farther away, an atom would be paired with its own periodic images.",
            "Take a larger supercell, --set motion.atoms=N, or a shorter motion.r_max.",
        )
    reach = min(options.r_max or REACH, most)
    return BIN * max(1, int(reach / BIN + 1e-9))
