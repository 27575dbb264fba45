"""Trajectories of known materials, and folders of `atomgraft label` with runs.

The motion of an ion of the structure is that of all its copies in the larger cell of
the run: the run holds the atoms of the structure once or several times, copy after
copy, as `atomgraft label` and ASE repeat a cell.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.core.storage import is_folder
from atomgraft.label.labelling.framework import Displacements, displacements
from atomgraft.label.labelling.materials import read_materials
from atomgraft.label.labelling.record import LABELS, JobRecord, LabelResult
from atomgraft.transport.diffusivity.groups import single_run
from atomgraft.transport.diffusivity.motion import Motion, read_motion
from atomgraft.transport.diffusivity.spec import DiffusivitySpec
from atomgraft.transport.features.motion import MotionChoice, motion_features

MEASURED = ("msd", "diffusivity")
"""Properties that are measured in the trajectory where a material does not give them:
mean square displacement between the ends of the run, Å², and D*, cm²/s."""

JOB_FILE = "trajectory_file"
"""Key of the path, in rows of a folder of `atomgraft label`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """The trajectory of one material.

    Parameters
    ----------
    motion
        Of its atoms.
    spec
        How it was read.
    mobile
        Symbol of the ion.
    """

    motion: Motion
    spec: DiffusivitySpec
    mobile: str

    def features(
        self, atoms: Atoms, choice: MotionChoice
    ) -> Float[np.ndarray, "ions features"]:
        """Return features of the motion of the mobile ions of a structure.

        Parameters
        ----------
        atoms
            The structure of the material.
        choice
            Which features.

        Raises
        ------
        BadInputError
            The run is not of this structure.
        """
        symbols = atoms.get_chemical_symbols()
        n_copies = len(self.motion.symbols) // max(len(symbols), 1)
        if [*self.motion.symbols] != symbols * n_copies or not n_copies:
            raise BadInputError(
                f"{self.motion.file} has {len(self.motion.symbols)} atoms, and the"
                f" structure {atoms.get_chemical_formula()} has {len(symbols)}.",
                "Expected the atoms of the structure in its order, once or several"
                " times, copy after copy.",
                "Give the structure from which the run was started.",
            )
        frames = len(self.motion.positions)
        copies = self.motion.positions.reshape(frames, n_copies, len(symbols), 3)
        ions = [k for k, one in enumerate(symbols) if one == self.mobile]
        return motion_features(copies[:, :, ions], self.motion.step, choice)

    def displacements(self) -> Displacements:
        """Return how far elements have moved between the ends of the run."""
        atoms = Atoms([*self.motion.symbols])
        return displacements(atoms, self.motion.positions, (self.mobile,))

    def measured(self, what: str) -> str:
        """Return a property of `MEASURED` as a table would give it; limits with "<"."""
        if what == "msd":
            return f"{self.displacements().by_element[self.mobile]:.10g}"
        found = single_run(self.motion, self.spec)[self.mobile]
        if found.value is not None:
            return f"{found.value.median:.10g}"
        return "" if found.limit is None else f"<{found.limit:.10g}"


def read_run(
    path: Path,
    mobile: str,
    temperature: float,
    *,
    step: float | None = None,
    is_unwrapped: bool = False,
) -> Run:
    """Read a trajectory.

    Parameters
    ----------
    path
        Of the file.
    mobile
        Symbol of the ion.
    temperature
        K
    step
        fs between frames; none takes it from them.
    is_unwrapped
        Positions follow atoms across the boundaries of the cell already.

    Raises
    ------
    BadInputError
        It cannot be read or analysed as it is: one frame, no such ion, frames too far
        apart ...
    """
    spec = DiffusivitySpec(
        files=(str(path),),
        mobile=(mobile,),
        temperature=(temperature,),
        step=() if step is None else (step,),
        unwrapped=is_unwrapped,
    )
    found = Run(motion=read_motion(spec, 0), spec=spec, mobile=mobile)
    if found.displacements().is_molten(spec.melt_limit):
        raise BadInputError(
            f"The framework of {path} has moved by more than {spec.melt_limit:g} Å²: it"
            " is molten, or not stable.",
            "Expected a solid in which one ion moves.",
            "Leave the trajectory out.",
        )
    return found


def is_runs(path: Path) -> bool:
    """Tell whether a path is a folder of `atomgraft label`."""
    return is_folder(path) and LABELS.is_at(path)


Row = Mapping[str, Any]


def rows_of_runs(
    folder: Path, left_out: dict[str, str]
) -> Iterator[tuple[str, Row, tuple[Atoms, ...]]]:
    """Yield runs of a folder of `atomgraft label`, with their structures.

    Keys of a row: material, ion, temperature, msd (of the ion, Å²), and the file.

    Parameters
    ----------
    folder
        Of the index.
    left_out
        Gets runs that are molten, failed or not done, with their reasons.

    Raises
    ------
    BadInputError
        The folder holds labels and no trajectories, or the structures that were
        labelled are not where they were.
    """
    result = LABELS.read(folder)
    if result.task != "trajectories":
        raise BadInputError(
            f"{folder} holds labels and no trajectories.",
            "Expected a folder made by 'atomgraft label --md'.",
            "Give its labels.extxyz as a file of structures.",
        )
    known = _structures(folder, result)
    for job in result.jobs:
        name = f"{job.material}@{job.temperature:g}K"
        if job.status != "done" or job.path is None:
            left_out[name] = (job.reason or f"its run is {job.status}").rstrip(".")
            continue
        yield name, _row(job, folder), (known[job.material],)


def _structures(folder: Path, result: LabelResult) -> dict[str, Atoms]:
    sources = tuple(result.spec["structures"])
    try:
        found = _read(sources)
    except BadInputError as error:
        raise BadInputError(
            f"The structures behind {folder} cannot be read: {error.came}",
            "Expected them where 'atomgraft label' read them.",
            "Put them back, or name the trajectories in a table.",
        ) from error
    wanted = {one.material for one in result.jobs}
    if missing := wanted - found.keys():
        raise BadInputError(
            f"The structures behind {folder} are other ones: there is no"
            f" {min(missing)}.",
            "Expected them where 'atomgraft label' read them.",
            "Put them back, or name the trajectories in a table.",
        )
    return found


@functools.lru_cache(maxsize=4)
def _read(sources: tuple[str, ...]) -> dict[str, Atoms]:
    return {one.name: one.atoms for one in read_materials(sources)}


def _row(job: JobRecord, folder: Path) -> Row:
    row: dict[str, Any] = {
        "name": job.material,
        "material": job.material,
        "ion": job.mobile[0] if len(job.mobile) == 1 else "",
        "temperature": job.temperature,
        JOB_FILE: str(folder / str(job.path)),
    }
    if row["ion"]:
        row["msd"] = job.msd[row["ion"]]
    return row
