"""From options and the files of a run to what every contestant does."""

from ase import Atoms

from atomgraft.evaluation.moving import FS_PER_PS, fitting_timestep
from atomgraft.evaluation.survival.spec import SurvivalOptions
from atomgraft.evaluation.survival.trials import Plan
from atomgraft.evaluation.systems import repeated, system_of

LOOK = 10.0
"""fs between two looks at a run."""

FEWEST_LOOKS = 5
"""Of a run at constant energy, for a slope."""


def plan_of(options: SurvivalOptions, crystal: Atoms) -> Plan:
    """Return what every contestant does; times are rounded to whole intervals."""
    atoms = repeated(crystal, options.atoms, options.supercell)
    timestep = options.timestep or fitting_timestep(atoms)
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
        engine=options.engine,
    )
