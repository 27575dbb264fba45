"""Constant pressure, one replica at a time, by ASE's integrator."""

import dataclasses
import math
import warnings
from collections.abc import Iterator

from ase import Atoms, units

from atomgraft.core.errors import BadInputError, MissingExtraError
from atomgraft.core.seeding import numpy_generator
from atomgraft.core.units import EV_PER_A3_IN_GPA
from atomgraft.dynamics.replicas import FRICTION, Replica, check_replicas
from atomgraft.lattice.forces import require_known
from atomgraft.models.base import AbstractPotential
from atomgraft.models.calculator import GraftCalculator


@dataclasses.dataclass(frozen=True, kw_only=True)
class Barostat:
    """How the cell follows the pressure.

    Parameters
    ----------
    pressure
        GPa; kinetic contribution included.
    time
        Of its fluctuations, fs.
    keeps_shape
        Whether the cell changes its volume alone.
    """

    pressure: float = 0.0
    time: float = 1000.0
    keeps_shape: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no number."""
        if not (math.isfinite(self.pressure) and 0 < self.time < math.inf):
            raise BadInputError(
                f"The barostat has a pressure of {self.pressure} GPa and a time of "
                f"{self.time} fs.",
                "Expected finite numbers, and a time above zero.",
                "Use Barostat(pressure=0.0, time=1000.0), for example.",
            )


def at_pressure(
    replica: Replica,
    potential: AbstractPotential,
    barostat: Barostat,
    *,
    timestep: float,
    n_steps: int,
    frame_every: int = 10,
) -> Iterator[Atoms]:
    """Yield frames of a run at constant temperature and pressure (NPT).

    The integrator is ASE's ``LangevinBAOAB`` with a Langevin barostat (Quigley &
    Probert, J. Chem. Phys. 120, 11432, 2004) on our calculator.

    Parameters
    ----------
    replica
        With a temperature and a friction above zero, and periodic in all directions.
    potential
        In float64, so that stresses are smooth.
    barostat
        How the cell follows the pressure.
    timestep
        fs
    n_steps
        In all.
    frame_every
        Steps between two frames; the first frame comes before the first step. All
        have ``step`` and ``time``, fs, in ``info``.

    Raises
    ------
    BadInputError
        The replica has no temperature, no friction or no cell, atoms of it are held
        fixed, a number is not positive, or the potential does not know it.
    MissingExtraError
        This ASE has no such integrator.
    """
    check_replicas([replica])
    if not 0 < timestep < math.inf or min(n_steps, frame_every) < 1:
        raise BadInputError(
            f"The timestep is {timestep} fs, with {n_steps} steps and a frame every "
            f"{frame_every}.",
            "Expected positive numbers.",
            "Use timestep=2.0, n_steps=1000 and frame_every=10, for example.",
        )
    require_known(potential, [replica.atoms])
    if replica.temperature is None or not replica.atoms.pbc.all():
        raise BadInputError(
            f"{replica.atoms.get_chemical_formula()} has no temperature, or is not "
            "periodic in all directions.",
            "Both are needed at constant pressure.",
            "Give the replica a temperature, and a crystal or a liquid in a cell.",
        )
    if replica.friction == 0:
        raise BadInputError(
            f"{replica.atoms.get_chemical_formula()} has a temperature, and a friction "
            "of 0 couples it to no thermostat.",
            "Expected a friction above 0: runs at constant pressure are at constant "
            "temperature.",
            f"Leave it out for {FRICTION:g} / fs. For constant energy, use "
            "atomgraft.dynamics.mover.BatchedMover at constant volume.",
        )
    try:
        from ase.md.langevinbaoab import LangevinBAOAB
    except ImportError as error:
        raise MissingExtraError(
            "The installed version of ASE has no LangevinBAOAB.",
            "Runs at constant pressure use it.",
            "pip install --upgrade ase",
        ) from error
    atoms = replica.atoms.copy()
    atoms.calc = GraftCalculator(potential)
    with warnings.catch_warnings():  # that the mass of the cell follows from its time
        warnings.simplefilter("ignore")
        integrator = LangevinBAOAB(
            atoms,
            timestep * units.fs,
            temperature_K=replica.temperature,
            externalstress=-barostat.pressure / EV_PER_A3_IN_GPA,
            hydrostatic=barostat.keeps_shape,
            T_tau=units.fs / replica.friction,
            P_tau=barostat.time * units.fs,
            rng=numpy_generator(replica.seed, "barostat"),
        )
    for done in range(0, n_steps + 1, frame_every):
        if done:
            integrator.run(frame_every)
        now = atoms.copy()
        now.info |= {"step": done, "time": done * timestep}
        yield now
