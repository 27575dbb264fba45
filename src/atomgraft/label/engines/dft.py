"""VASP, Quantum ESPRESSO and GPAW as engines, with the inputs that ``select`` writes.

Each structure is a calculation in a temporary folder: inputs are written, the command
runs, and its output is read back and checked to be of this structure and converged.
"""

import functools
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, final

from ase import Atoms
from pydantic import BaseModel, ConfigDict, Field

from atomgraft.core.errors import BadInputError, MissingExtraError, reason_of
from atomgraft.core.provenance import file_fingerprint
from atomgraft.core.reading import read_text
from atomgraft.core.storage import is_file, write_atomically
from atomgraft.data.labels import energy_of, forces_of, stress_of
from atomgraft.label.collecting import OUTPUTS, labelled_by
from atomgraft.label.dft_inputs import PROGRAMS, DftSettings, pseudo_name
from atomgraft.label.engines.base import (
    AbstractEngine,
    Electrons,
    EngineFailureError,
    Labelled,
    Request,
    checked_settings,
)
from atomgraft.label.engines.outside import THREADS, version_of
from atomgraft.label.engines.programs import run_program
from atomgraft.label.open_shells import OpenShells, open_shells

COMMANDS = {"vasp": "vasp_std", "espresso": "pw.x -in pw.in", "gpaw": ""}
"""Where the settings give none; that of GPAW is this Python."""

LAUNCHERS = frozenset({"mpirun", "mpiexec", "srun", "nice", "env", "time", "taskset"})
"""Programs that start others, and change no number."""

PRINTED = {"espresso": "pw.out"}
"""File that what a program prints is read from."""


class GpawSettings(BaseModel):
    """Settings of the engine ``gpaw``, and of the others without their files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    functional: str = DftSettings.functional
    """PBE, PBEsol or LDA."""
    cutoff: Annotated[float, Field(gt=0)] = DftSettings.cutoff
    """eV; of plane waves."""
    k_spacing: Annotated[float, Field(gt=0)] = DftSettings.k_spacing
    """1/Å, with 2π; largest distance of k-points."""
    width: Annotated[float, Field(gt=0)] = DftSettings.width
    """eV; of the smearing."""
    spin: bool | None = None
    """Spin-polarised; none decides by elements and moments."""
    hubbard: bool = False
    """+U as in the Materials Project."""


class ProgramSettings(GpawSettings):
    """Settings of the engines ``vasp`` and ``espresso``."""

    command: str | None = None
    """Starts the program in its folder: vasp_std, mpirun -n 4 pw.x -in pw.in ..."""
    potentials: Annotated[dict[str, str], Field(min_length=1)]
    """The POTCAR or pseudopotential file of each element."""


def gpaw_engine(request: Request) -> AbstractEngine:
    """Return the engine ``gpaw``.

    Parameters
    ----------
    request
        With the keys of :class:`GpawSettings`.

    Raises
    ------
    BadInputError
        A setting cannot be used.
    MissingExtraError
        GPAW is not installed.
    """
    _refuse_argument("gpaw", request)
    chosen = checked_settings(GpawSettings, "gpaw", request.settings)
    versions = [version_of(one, "gpaw") for one in ("gpaw", "gpaw-data")]
    return DftEngine(
        program="gpaw",
        version=", ".join(versions),
        chosen=chosen,
        command=(sys.executable, "run_gpaw.py"),
        files={},
    )


def program_engine(name: str, request: Request) -> AbstractEngine:
    """Return the engine ``vasp`` or ``espresso``.

    Parameters
    ----------
    name
        Which of the two.
    request
        With the keys of :class:`ProgramSettings`.

    Raises
    ------
    BadInputError
        A setting cannot be used, or a file is not there.
    MissingExtraError
        The program is not found.
    """
    _refuse_argument(name, request)
    chosen = checked_settings(ProgramSettings, name, request.settings)
    command = _words(chosen.command or COMMANDS[name])
    program = shutil.which(command[0]) if command else None
    if program is None:
        raise MissingExtraError(
            f"The engine {name} finds no program {chosen.command or COMMANDS[name]!r}.",
            "Expected it in PATH, or with its whole path.",
            "Correct 'command' in the settings of the engine.",
        )
    return DftEngine(
        program=name,
        version=_programs_in(command),
        chosen=chosen,
        command=(program, *command[1:]),
        files=_checked_files(name, chosen.potentials),
    )


vasp_engine = functools.partial(program_engine, "vasp")
espresso_engine = functools.partial(program_engine, "espresso")


def _words(command: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise BadInputError(
            f"The command {command!r} cannot be read: {reason_of(error)}.",
            "Expected a program and its arguments.",
            "Correct 'command' in the settings of the engine.",
        ) from error


def _programs_in(command: tuple[str, ...]) -> str:
    """Return the programs of a command with hashes, without what only starts them."""
    found: list[str] = []
    for word in command:
        path = shutil.which(word)
        if path is not None and Path(word).name not in LAUNCHERS:
            stamp = Path(path).stat()
            digest = _hash_of(path, stamp.st_size, stamp.st_mtime_ns)
            found.append(f"{Path(word).name} {digest[:12]}")
    return ", ".join(found) or command[0]


@functools.lru_cache
def _hash_of(path: str, _: int, __: int) -> str:
    """Return the hash of a program, computed once as long as it does not change."""
    return file_fingerprint(Path(path))


def _refuse_argument(name: str, request: Request) -> None:
    if request.argument:
        raise BadInputError(
            f"The engine {name} was given {request.argument!r} behind a colon.",
            "Its functional, cutoff and k-points are settings.",
            "Put them under 'settings' in a spec file: atomgraft init label",
        )


def _checked_files(name: str, given: Mapping[str, str]) -> dict[str, Path]:
    files = {symbol: Path(one).absolute() for symbol, one in given.items()}
    for symbol, path in files.items():
        if not is_file(path):
            raise BadInputError(
                f"The potential of {symbol} for {name} is not there: {path}.",
                "Expected a file for each element; its licence does not allow "
                "including it here.",
                "Correct 'potentials' in the settings of the engine.",
            )
    return files


@final
class DftEngine(AbstractEngine):
    """Structures under a program of density-functional theory.

    Parameters
    ----------
    program
        Its name in the registry.
    version
        Of the program.
    chosen
        Settings.
    command
        That runs in the folder of the inputs.
    files
        Potential of each element; empty where the program has its own.
    """

    takes_moments = True

    def __init__(
        self,
        *,
        program: str,
        version: str,
        chosen: GpawSettings,
        command: tuple[str, ...],
        files: Mapping[str, Path],
    ) -> None:
        self.name, self.version = program, version
        self.electrons = Electrons(has_spin=False)
        self._settings = DftSettings(
            functional=chosen.functional,
            cutoff=chosen.cutoff,
            k_spacing=chosen.k_spacing,
            width=chosen.width,
            spin=chosen.spin,
            hubbard=chosen.hubbard,
            pseudo=".",
        )
        self._command, self._files = command, files
        hashes = {symbol: file_fingerprint(path) for symbol, path in files.items()}
        self.settings = chosen.model_dump(
            mode="json", exclude={"command", "potentials"}
        ) | {"potentials": hashes}

    def refusal(self, atoms: Atoms) -> str | None:
        """Return why a structure cannot be computed, in words; none if it can."""
        if atoms.cell.rank < 3:
            return (
                "it has no cell; a molecule needs one with vacuum "
                "(atoms.center(vacuum=6) in ASE)"
            )
        missing = sorted(set(atoms.get_chemical_symbols()) - set(self._files))
        if self._files and missing:
            return f"the settings name no potential of {', '.join(missing)}"
        return None

    def assumptions(self, atoms: Atoms) -> tuple[str, ...]:
        """Return what is assumed of spin and +U, where a structure asks for it."""
        shells = self._shells(atoms)
        return shells.words if shells.is_asked else ()

    def _shells(self, atoms: Atoms) -> OpenShells:
        settings = self._settings
        return open_shells(
            atoms, spin=settings.spin, hubbard=settings.hubbard, level=settings.level
        )

    def label(self, atoms: Atoms, wall_time: float | None = None) -> Labelled:
        """Return energy, forces and stress of a structure."""
        what = atoms.get_chemical_formula()
        with tempfile.TemporaryDirectory(prefix=f"atomgraft-{self.name}-") as place:
            folder = Path(place)
            self._write(folder, atoms)
            ended = run_program(
                self._command,
                folder,
                what,
                variables=os.environ | dict.fromkeys(THREADS, "1"),
                wall_time=wall_time,
            )
            if self.name in PRINTED:
                write_atomically(folder / PRINTED[self.name], ended.printed)
            outputs = [folder / one for one in OUTPUTS[self.name]]
            output = next((one for one in outputs if is_file(one)), None)
            if ended.code != 0 or output is None:
                raise EngineFailureError(
                    f"{self.name} ended with code {ended.code} for {what}: "
                    f"{ended.last_words}.",
                    f"Expected {outputs[0].name} of a finished calculation.",
                    "Check structure, settings and command; then --retry-failed.",
                )
            return _labels_in(output, atoms, folder)

    def _write(self, folder: Path, atoms: Atoms) -> None:
        settings = self._settings
        PROGRAMS[self.name](folder, atoms, settings, self._shells(atoms))
        symbols = sorted(set(atoms.get_chemical_symbols()))
        if self.name == "vasp":  # in the order of the POSCAR
            parts = [read_text(self._files[one]) for one in symbols]
            write_atomically(folder / "POTCAR", "".join(parts))
        elif self._files:
            for one in symbols:
                path = folder / pseudo_name(one, settings)
                write_atomically(path, read_text(self._files[one]))


def _labels_in(output: Path, atoms: Atoms, folder: Path) -> Labelled:
    """Return what an output holds; a failure where it is not of a finished run."""
    try:
        found = labelled_by(atoms, output)
    except BadInputError as error:
        came = error.came.replace(f"{folder}{os.sep}", "")
        raise EngineFailureError(came, error.needed, "See --retry-failed.") from error
    energy = energy_of(found)
    if energy is None:
        raise EngineFailureError(
            f"{output.name} holds no energy.",
            "Expected a finished calculation.",
            "Check the settings of the engine; then --retry-failed.",
        )
    stress = stress_of(found) if atoms.pbc.all() else None
    return Labelled(energy=energy, forces=forces_of(found), stress=stress)
