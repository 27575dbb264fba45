"""What suites share that put a crystal in motion: which one, and under which models."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.progress import Count, Progress, counting, part
from atomgraft.core.seeding import derived_seed
from atomgraft.core.storage import is_file
from atomgraft.data.canonical import CONSTRAINED
from atomgraft.data.readers import read_structures
from atomgraft.data.sources import parse_source
from atomgraft.data.structure_files import read_structure
from atomgraft.dynamics.recording import STATE, refuse_others_file
from atomgraft.evaluation.suite import BASE_ITSELF, Contestants, Subject
from atomgraft.evaluation.systems import common_crystal
from atomgraft.lattice.forces import forces_of_supercells, require_known
from atomgraft.models.base import AbstractPotential
from atomgraft.models.loading import OtherFileError, load_potential
from atomgraft.models.memory import require_room
from atomgraft.page.wording import duration_text
from atomgraft.records.scores import ModelName

FS_PER_PS = 1000.0

TRAJECTORIES = "[0-9]*.extxyz"
"""Names of what replicas write."""

TIMESTEPS = ((3.0, 0.5), (20.0, 1.0))
"""Largest mass of the lightest element, u, and the timestep that goes with it, fs."""

TIMESTEP = 2.0
"""fs, for heavier elements."""

Result = TypeVar("Result")

Trial = Callable[[AbstractPotential, int, Path | None, Count | None], Result]
"""Puts the crystal in motion under a model, with a seed, in a folder."""


def frames_of(subject: Subject, suite: str) -> list[Atoms]:
    """Return the training frames; only their geometry counts here.

    What is held out has no part in it, so that the answer does not depend on which
    files a proof names.

    Parameters
    ----------
    subject
        What is judged.
    suite
        That reads them, for messages.

    Raises
    ------
    BadInputError
        A file cannot be read.
    """
    if not subject.files:
        return list(subject.structures)
    try:
        return read_structures(subject.training_files or subject.files)
    except BadInputError as error:
        raise BadInputError(
            f"The suite {suite} reads the structures of the run, and {error.came}",
            error.needed,
            "Repair the file; the suite needs no labels.",
        ) from error


def crystal_of(structure: str, frames: list[Atoms], suite: str) -> Atoms:
    """Return the crystal that was named, or the one that most frames are of.

    Parameters
    ----------
    structure
        A file; empty looks among the frames.
    frames
        That the run was trained on.
    suite
        That moves it, for messages.

    Raises
    ------
    BadInputError
        The file cannot be read, there is no crystal among the frames, or atoms of the
        crystal are held fixed.
    """
    option = f"{suite}.structure"
    if structure:
        return read_structure(parse_source(structure), moves_as=option)
    found = common_crystal(frames)
    if found is None:
        raise BadInputError(
            f"The suite {suite} needs a crystal, and the run's training files hold "
            "none.",
            "A structure that is periodic in all directions is needed.",
            f"Name a file: --set {option}=POSCAR",
        )
    if CONSTRAINED in found.info:
        raise BadInputError(
            f"Most training frames of {found.get_chemical_formula()}, the crystal of "
            f"the suite {suite}, hold atoms fixed.",
            "In molecular dynamics all atoms move; none can be held fixed.",
            f"Name a file of a crystal that may move: --set {option}=POSCAR",
        )
    return found


def fitting_timestep(atoms: Atoms) -> float:
    """Return a timestep that suits the lightest element, fs.

    Examples
    --------
    >>> fitting_timestep(Atoms("Si")), fitting_timestep(Atoms("OH"))
    (2.0, 0.5)
    """
    lightest = float(atoms.get_masses().min())
    return next((step for mass, step in TIMESTEPS if lightest < mass), TIMESTEP)


def run_all(
    suite: str,
    contestants: Contestants,
    reference: AbstractPotential | None,
    trial: Trial[Result],
    cost: tuple[Atoms, Sequence[int]],
    progress: Progress | None = None,
) -> tuple[dict[ModelName, Result], Result | None]:
    """Say what it costs, and put the crystal in motion under all contestants.

    All contestants have the same seeds.

    Parameters
    ----------
    suite
        Whose folder keeps the work, if the contestants have one.
    contestants
        Each runs once.
    reference
        A model that they are compared with, with seeds of its own; it runs first.
    trial
        What each of them does.
    cost
        The supercell, and the steps of each run of one model.
    progress
        Called with who runs, steps done and steps of all.

    Returns
    -------
    :
        Results by model, and that of the reference.
    """
    runs: list[tuple[str, AbstractPotential, int]] = [
        (name, model, contestants.seed) for name, model in contestants.models.items()
    ]
    if reference is not None:
        seed = derived_seed(contestants.seed, "reference")
        runs.insert(0, ("reference", reference, seed))
    tell_cost(suite, [model for _, model, _ in runs], *cost, progress)
    if contestants.folder is not None:
        own = contestants.folder / suite
        check_folders(own, [name for name, _, _ in runs], len(cost[0]))
    found: dict[str, Result] = {}
    for k, (name, model, seed) in enumerate(runs):
        tell = counting(part(progress, k, len(runs)), f"{suite}: {name}")
        place = contestants.folder
        folder = None if place is None else place / suite / name
        found[name] = trial(model, seed, folder, tell)
    return {name: found[name] for name in contestants.models}, found.get("reference")


def check_folders(whole: Path, names: Sequence[str], n_atoms: int) -> None:
    """Check where runs will be written, before the first of them begins.

    Parameters
    ----------
    whole
        Of the suite.
    names
        Of the folders in it.
    n_atoms
        That move in each run.

    Raises
    ------
    BadInputError
        A folder is a link or a file, or holds a trajectory of something else.
    """
    for folder in (whole, *(whole / name for name in names)):
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            kind = "link" if folder.is_symlink() else "file"
            raise BadInputError(
                f"{folder} is a {kind}.",
                "Trajectories are written to a plain folder of this name.",
                "Move it elsewhere.",
            )
        if folder == whole:
            continue
        for path in sorted(folder.rglob(TRAJECTORIES)):
            if not is_file(path.with_name(STATE)):
                refuse_others_file(path, n_atoms)


def reference_for(
    contestants: Contestants, loaded: AbstractPotential | None, *, is_base: bool
) -> AbstractPotential | None:
    """Return the model that contestants are compared with, on their device.

    Parameters
    ----------
    contestants
        With the base.
    loaded
        The model that the user named; none: no other one.
    is_base
        The user named the base itself.
    """
    base = contestants.models["base"]
    if loaded is not None:
        return loaded.clone(device=base.device)
    return base if is_base else None


def named_reference(
    name: str, subject: Subject, atoms: Atoms, *, remedy: str
) -> AbstractPotential | None:
    """Load the model that an option names as the reference.

    Parameters
    ----------
    name
        Empty, or ``base``: no further model.
    subject
        Knows how models are loaded.
    atoms
        All elements that the model must support.
    remedy
        What else to do with a file that is no potential, for messages.

    Returns
    -------
    :
        The potential, or none.

    Raises
    ------
    BadInputError
        There is no such model, it cannot be read, or it lacks an element.
    """
    if name in {"", BASE_ITSELF}:
        return None
    try:
        found = (subject.load or load_potential)(name)
    except OtherFileError as error:
        further = f"{error.remedy} {remedy}"
        raise OtherFileError(error.came, error.needed, further) from error
    except BadInputError as error:
        if not Path(name).is_dir():
            raise
        raise BadInputError(
            f"{name} is a folder, and no run that can be the reference: {error.came}",
            "A reference is a model: a name, a file, or the folder of a finished run.",
            f"Check the path. {remedy}",
        ) from error
    require_known(found, [atoms])
    return found


def tell_cost(
    suite: str,
    models: Sequence[AbstractPotential],
    atoms: Atoms,
    steps: Sequence[int],
    progress: Progress | None = None,
) -> None:
    """Say how long all runs will take, after one timed call of each model.

    Parameters
    ----------
    suite
        That moves the crystal.
    models
        Each makes all runs.
    atoms
        The supercell.
    steps
        Of each run of one model.
    progress
        Is told; none: no call is timed.

    Raises
    ------
    BadInputError
        A call does not fit in memory.
    """
    for model in models:
        require_room(model, atoms)
    if progress is None:
        return
    seconds = sum(_seconds_of_call(one, atoms) for one in models) * sum(steps)
    progress(
        f"{suite}: {len(steps)} runs of {len(atoms)} atoms under each of"
        f" {len(models)} models, at most about {duration_text(seconds)}",
        0,
        0,
    )


def _seconds_of_call(potential: AbstractPotential, atoms: Atoms) -> float:
    """Return the time of one call; the first one sets up what later ones use."""
    forces_of_supercells(potential, [atoms], max_atoms=len(atoms))
    start = time.perf_counter()
    forces_of_supercells(potential, [atoms], max_atoms=len(atoms))
    return time.perf_counter() - start
