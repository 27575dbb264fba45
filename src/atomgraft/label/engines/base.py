"""The seam to engines: programs and potentials that label structures or move atoms."""

import abc
import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from ase import Atoms
from jaxtyping import Float
from pydantic import BaseModel, ValidationError

from atomgraft.core.errors import AtomgraftError, BadInputError
from atomgraft.core.provenance import fingerprint
from atomgraft.core.registry import Plugins, Registry
from atomgraft.core.specs import problems_of
from atomgraft.core.trust import NO_TRUST, Trust

CellTreatment = Literal["fixed", "relax", "pressure"]
"""What happens to the cell before atoms move: nothing; a relaxation; or a relaxation,
and then a run at zero pressure and the temperature asked, whose mean cell is taken."""

TRAJECTORY = "trajectory"
"""Name, without its ending, of the file or folder of a run."""

MULTIPLICITY = "multiplicity"
"""Key of a structure's ``info``: 2S + 1."""

MOMENTS = "initial_magmoms"
"""ASE's name of magnetic moments, Bohr magnetons."""

Tell = Callable[[str, int, int], None]
"""Called with the stage of a job, steps done and steps in all."""


Document = dict[str, Any]


def document_of(atoms: Atoms) -> Document:
    """Return a structure as JSON holds it, every digit kept; for ``Atoms(**...)``.

    Examples
    --------
    >>> document_of(Atoms("O", info={"multiplicity": 3, "note": 1}))["info"]
    {'multiplicity': 3}
    """
    document: Document = {
        "numbers": atoms.numbers.tolist(),
        "positions": atoms.positions.tolist(),
        "cell": atoms.cell.array.tolist(),
        "pbc": atoms.pbc.tolist(),
    }
    if atoms.has(MOMENTS):
        document["magmoms"] = atoms.arrays[MOMENTS].tolist()
    if MULTIPLICITY in atoms.info:
        document["info"] = {MULTIPLICITY: int(atoms.info[MULTIPLICITY])}
    return document


@dataclasses.dataclass(frozen=True, kw_only=True)
class Electrons:
    """Charge and spin of all structures.

    Parameters
    ----------
    charge
        e
    multiplicity
        2S + 1; none is that of each structure (`MULTIPLICITY` in its ``info``), or the
        singlet.
    has_spin
        The engine is told the multiplicity of a structure.
    """

    charge: int = 0
    multiplicity: int | None = None
    has_spin: bool = True

    def multiplicity_of(self, atoms: Atoms) -> int:
        """Return 2S + 1 of a structure."""
        own = atoms.info.get(MULTIPLICITY, 1)
        return own if self.multiplicity is None else self.multiplicity

    def problem(self, atoms: Atoms) -> str | None:
        """Return why electrons and spin do not go together; none if they do.

        Examples
        --------
        >>> Electrons().problem(Atoms("OH"))
        'it has 9 electrons, and no multiplicity was given'
        >>> Electrons(charge=-1).problem(Atoms("OH")) is None
        True
        >>> Electrons().problem(Atoms("OH", info={"multiplicity": 2})) is None
        True
        """
        n_electrons = int(atoms.numbers.sum()) - self.charge
        n_unpaired = self.multiplicity_of(atoms) - 1
        if n_unpaired < 0:
            return f"the multiplicity {n_unpaired + 1} is none: 2S + 1 is 1, 2, 3 ..."
        if n_electrons < max(1, n_unpaired):
            return f"it has {n_electrons} electrons"
        if (n_electrons - n_unpaired) % 2 == 0:
            return None
        if self.multiplicity is None and MULTIPLICITY not in atoms.info:
            return f"it has {n_electrons} electrons, and no multiplicity was given"
        return f"{n_electrons} electrons cannot have the multiplicity {n_unpaired + 1}"


class EngineFailureError(AtomgraftError):
    """An engine has no result for one job; the other jobs go on."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What an engine is made from.

    Parameters
    ----------
    argument
        What follows the colon of its name; empty without one.
    settings
        Of this engine, from the spec.
    trust
        Which checkpoints may run code.
    """

    argument: str = ""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    trust: Trust = dataclasses.field(default_factory=lambda: dict(NO_TRUST))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Labelled:
    """The labels of one structure.

    Parameters
    ----------
    energy
        eV, on the engine's own zero.
    forces
        eV/Å; none where the engine gives none.
    stress
        eV/Å³, tensile-positive, Voigt order; none where the engine gives none.
    seconds, cpu_seconds
        s, where another process has computed it that goes on; none otherwise.
    """

    energy: float
    forces: Float[np.ndarray, "atoms 3"] | None
    stress: Float[np.ndarray, "6"] | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Motion:
    """One run of molecular dynamics.

    Parameters
    ----------
    temperature
        K
    seed
        Of velocities and noise.
    timestep
        fs
    n_steps
        That are recorded.
    frame_every
        Steps between two frames.
    n_settle
        Steps before, at the same temperature; not recorded.
    repeats
        Of the structure along its cell vectors.
    cell
        What happens to the cell before.
    has_thermostat
        While it is recorded; without one the energy is conserved.
    wall_time
        s, after which the run is given up; none waits.
    """

    temperature: float
    seed: int
    timestep: float
    n_steps: int
    frame_every: int
    n_settle: int
    repeats: tuple[int, int, int] = (1, 1, 1)
    cell: CellTreatment = "relax"
    has_thermostat: bool = True
    wall_time: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Moved:
    """A run that came to its end.

    Parameters
    ----------
    file
        The trajectory, below the folder of the job; `read_trajectory` reads it.
    atoms
        The supercell that moved, with its cell of the recorded run.
    positions
        Of all frames, Å; unwrapped.
    temperature
        Mean kinetic temperature of the recorded run, K.
    notes
        What the user should know.
    """

    file: str
    atoms: Atoms
    positions: Float[np.ndarray, "frames atoms 3"]
    temperature: float
    notes: tuple[str, ...] = ()


class AbstractEngine(abc.ABC):
    """Labels structures, and may move atoms; one thread a process.

    An engine says beforehand what it does not take (`refusal`), and raises
    :class:`EngineFailureError` where a job that it took has no result. What may be gone
    by the next try (a process that was killed, a full disk) it raises as
    ``LostProcessError`` or ``StorageError``.

    Attributes
    ----------
    name
        As in the registry, with the argument.
    version
        Of the program, or of atomgraft and the weights.
    settings
        Everything that changes numbers, as JSON would hold it.
    treatments
        Of the cell that a run may ask for; empty: the engine does not move atoms.
    electrons
        Charge and spin; none where the engine does not know of electrons.
    takes_moments
        Initial magnetic moments of a structure change its numbers.
    """

    name: str
    version: str
    settings: Mapping[str, Any]
    treatments: frozenset[CellTreatment] = frozenset()
    electrons: Electrons | None = None
    takes_moments: bool = False

    @property
    def identity(self) -> str:
        """Hash of all that changes numbers of this engine."""
        parts = (self.name, self.version, json.dumps(self.settings, sort_keys=True))
        return fingerprint(one.encode() for one in parts)

    def try_out(self) -> None:  # noqa: B027 - most engines have nothing to try
        """Check once, before jobs are made, that the program takes the settings.

        Raises
        ------
        BadInputError
            It does not.
        """

    def assumptions(self, atoms: Atoms) -> tuple[str, ...]:
        """Return what is decided for a structure that a user should know of.

        Parameters
        ----------
        atoms
            Not refused.
        """
        return ()

    @abc.abstractmethod
    def refusal(self, atoms: Atoms) -> str | None:
        """Return why a structure cannot be computed, in words; none if it can.

        Parameters
        ----------
        atoms
            The structure.
        """

    @abc.abstractmethod
    def label(self, atoms: Atoms, wall_time: float | None = None) -> Labelled:
        """Return energy, forces and stress of a structure.

        Parameters
        ----------
        atoms
            Not refused.
        wall_time
            s, after which it is given up.

        Raises
        ------
        EngineFailureError
            There is no result.
        LostProcessError
            The process of the engine was killed.
        """

    def move(self, atoms: Atoms, motion: Motion, folder: Path, tell: Tell) -> Moved:
        """Run molecular dynamics, and leave a trajectory in a folder.

        An engine without `treatments` is never asked.

        Parameters
        ----------
        atoms
            The structure, not refused and not repeated.
        motion
            What is asked.
        folder
            Of the job, held by this process. What an earlier, killed call left there
            is gone on with, or done again.
        tell
            Is told how far the run is.

        Raises
        ------
        EngineFailureError
            The run blew up, or took too long.
        LostProcessError
            The process of the engine was killed.
        """
        raise NotImplementedError


EngineMaker = Callable[[Request], AbstractEngine]
"""Makes an engine, and raises BadInputError or MissingExtraError where it cannot."""

ENGINES = Registry[EngineMaker](
    "engine", Plugins[EngineMaker]("engine", "atomgraft.engines", callable)
)
"""By the name before the colon; the entry point ``atomgraft.engines`` adds to it."""

ENGINES.add_place("model", "atomgraft.label.engines.potentials:model_engine")
ENGINES.add_place("lammps", "atomgraft.label.engines.lammps:lammps_engine")
ENGINES.add_place("pmmcs", "atomgraft.label.engines.pmmcs:pmmcs_engine")
ENGINES.add_place("ase", "atomgraft.label.engines.calculators:ase_engine")
ENGINES.add_place("xtb", "atomgraft.label.engines.calculators:xtb_engine")
ENGINES.add_place("gpaw", "atomgraft.label.engines.dft:gpaw_engine")
ENGINES.add_place("vasp", "atomgraft.label.engines.dft:vasp_engine")
ENGINES.add_place("espresso", "atomgraft.label.engines.dft:espresso_engine")
ENGINES.add_place("pyscf", "atomgraft.label.engines.molecules:pyscf_engine")


def make_engine(
    name: str, settings: Mapping[str, Any], trust: Trust = NO_TRUST
) -> AbstractEngine:
    """Return an engine by its name.

    Parameters
    ----------
    name
        As in :data:`ENGINES`; what follows a colon is for the engine itself.
    settings
        Of this engine.
    trust
        Which checkpoints may run code.

    Raises
    ------
    BadInputError
        There is no such engine, or its settings cannot be used.
    MissingExtraError
        Its program is not installed.

    Examples
    --------
    >>> make_engine("model:pair:sw-si", {}).name
    'model:pair:sw-si'
    """
    kind, _, argument = name.partition(":")
    maker = ENGINES[kind]
    return maker(Request(argument=argument, settings=settings, trust=trust))


SettingsT = TypeVar("SettingsT", bound=BaseModel)


def checked_settings(
    kind: type[SettingsT], name: str, given: Mapping[str, Any], argument: str = ""
) -> SettingsT:
    """Return the settings of an engine.

    Parameters
    ----------
    kind
        Of the settings.
    name
        Of the engine.
    given
        Keys and values.
    argument
        What stands behind the colon of its name, where some of them come from.

    Raises
    ------
    BadInputError
        A key or a value cannot be used.
    """
    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        what = f"The settings of the engine {name}"
        where = "'settings' in the spec file"
        if argument:
            what = f"The engine {name}:{argument}, or its settings,"
            where = f"what stands behind '{name}:', or {where}"
        raise BadInputError(
            f"{what} cannot be used: {problems_of(error, kind)}.",
            f"Known keys: {', '.join(kind.model_fields)}.",
            f"Correct {where}.",
        ) from error


def refuse_settings(name: str, given: Mapping[str, Any], known: frozenset[str]) -> None:
    """Check the keys of an engine's settings.

    Parameters
    ----------
    name
        Of the engine.
    given
        Its settings.
    known
        Keys that it has.

    Raises
    ------
    BadInputError
        A key is unknown.
    """
    unknown = sorted(set(given) - known)
    if unknown:
        raise BadInputError(
            f"The engine {name} has no setting {', '.join(map(repr, unknown))}.",
            f"It has {', '.join(sorted(known)) or 'no settings'}.",
            "Correct 'settings' in the spec file, or leave them out.",
        )


def blown_up(what: str, reason: str) -> EngineFailureError:
    """Return the failure of a run that left the realm of numbers."""
    return EngineFailureError(
        f"The run of {what} blew up: {reason}.",
        "Expected finite energies and positions.",
        "Use a smaller --timestep, a longer --settle or a lower temperature.",
    )


def took_too_long(what: str, wall_time: float) -> EngineFailureError:
    """Return the failure of a job that exceeded its wall time."""
    return EngineFailureError(
        f"The job of {what} took longer than {wall_time:g} s of wall time.",
        "A job that takes longer is stopped and counts as failed.",
        "Raise --wall-time, and run again with --retry-failed.",
    )
