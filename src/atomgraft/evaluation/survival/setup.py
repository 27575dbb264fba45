"""From options and the files of a run to what every contestant does."""

from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.data.readers import read_structures
from atomgraft.data.sources import parse_source
from atomgraft.data.structure_files import read_structure
from atomgraft.evaluation.suite import Subject
from atomgraft.evaluation.survival.spec import SurvivalOptions
from atomgraft.evaluation.survival.system import common_crystal, repeated, system_of
from atomgraft.evaluation.survival.trials import FS_PER_PS, Plan

TIMESTEPS = ((3.0, 0.5), (20.0, 1.0))
"""Largest mass of the lightest element, u, and the timestep that goes with it, fs."""

TIMESTEP = 2.0
"""fs, for heavier elements."""

LOOK = 10.0
"""fs between two looks at a run."""

FEWEST_LOOKS = 5
"""Of a run at constant energy, for a slope."""


def frames_of(subject: Subject) -> list[Atoms]:
    """Return training and test frames; only their geometry counts here."""
    if not subject.files:
        return list(subject.structures)
    try:
        return read_structures(subject.files)
    except BadInputError as error:
        raise BadInputError(
            f"The suite md reads the structures of the run, and {error.came}",
            error.needed,
            "Repair the file; the suite needs no labels.",
        ) from error


def crystal_of(options: SurvivalOptions, frames: list[Atoms]) -> Atoms:
    """Return the crystal that was named, or the one that most frames are of.

    Raises
    ------
    BadInputError
        The file cannot be read, or there is no crystal among the frames.
    """
    if options.structure:
        return read_structure(parse_source(options.structure))
    found = common_crystal(frames)
    if found is None:
        raise BadInputError(
            "The suite md needs a crystal, and the run's files hold none.",
            "A structure that is periodic in all directions is needed.",
            "Name a file: --set md.structure=POSCAR",
        )
    return found


def plan_of(options: SurvivalOptions, crystal: Atoms) -> Plan:
    """Return what every contestant does; times are rounded to whole intervals."""
    atoms = repeated(crystal, options.atoms, options.supercell)
    lightest = float(atoms.get_masses().min())
    fitting = (step for mass, step in TIMESTEPS if lightest < mass)
    timestep = options.timestep or next(fitting, TIMESTEP)
    look = max(1, round(LOOK / timestep))
    looks = FS_PER_PS / (timestep * look)
    n_windows = max(1, round(options.time / options.window))
    per_window = max(1, round(options.time * looks / n_windows))
    n_looks = max(FEWEST_LOOKS, round(options.drift_time * looks))
    return Plan(
        system=system_of(atoms),
        temperatures=tuple(sorted(set(options.temperatures))),
        n_replicas=options.replicas,
        timestep=timestep,
        window=per_window * look,
        n_windows=n_windows,
        n_drift=min(n_looks, per_window * n_windows) * look
        if options.drift_time
        else 0,
        look_every=look,
    )
