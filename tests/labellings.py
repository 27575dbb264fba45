"""An index of trajectories as its file holds it, made without any engine."""

from atomgraft.label.labelling.record import (
    EngineRecord,
    JobRecord,
    LabelResult,
    MaterialRecord,
)
from tests.comparisons import HOSTILE, session

ENGINE = EngineRecord(
    name="pmmcs", version="LAMMPS 2025", settings={"cutoff": 5.5}, identity="e" * 64
)


def material(name, **more):
    given = {"name": name, "file": f"{name}.cif", "formula": name, "n_atoms": 8}
    return MaterialRecord(**given | more)


def run_of(name, **more):
    given = {
        "name": f"{name}-1000K-s0-0123456789",
        "material": name,
        "status": "done",
        "path": f"cells/{name}/trajectory.extxyz.gz",
        "seconds": 140.0,
        "cpu_seconds": 70.0,
        "n_atoms": 400,
        "temperature": 1000.0,
        "mean_temperature": 1001.0,
        "seed": 0,
        "n_frames": 1001,
        "density": 3.2,
        "mobile": ("Li",),
        "framework_msd": 0.05,
        "msd": {"Li": 4.5, "O": 0.05},
    }
    return JobRecord(**given | more)


MOLTEN = run_of("Li3PO4", status="molten", reason="Its framework has moved.")

FAILED = JobRecord(
    name="LiAlO2-1000K-s0-9876543210",
    material="LiAlO2",
    status="failed",
    reason="The run blew up.",
    temperature=1000.0,
    seed=0,
)


def labelling_of(*, task="trajectories", jobs=None, finished=True):
    """Return an index with a run of each kind, and a structure that was left out."""
    return LabelResult(
        name="<b>motion</b>",
        task=task,
        spec={"engine": "pmmcs"},
        engine=ENGINE,
        materials=(
            *(material(one) for one in ("Li2O", "Li3PO4", "LiAlO2")),
            material("LiCl", reason=f"PMMCS has no parameters for Cl {HOSTILE}"),
        ),
        jobs=(run_of("Li2O"), MOLTEN, FAILED) if jobs is None else jobs,
        finished=finished,
        notices=("1 of 4 structures are left out.",),
        provenance=(session(),),
    )
