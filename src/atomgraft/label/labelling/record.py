"""The layout of ``label.json``: the index of labels or trajectories.

Paths are as seen from the folder of the record. Temperatures are in K, times in ps,
intervals in fs, densities in g/cm³, mean square displacements in Å².
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from atomgraft.records.documents import Provenance, Record, RecordFile

LABEL_VERSION = 1

Status = Literal["done", "molten", "failed", "open"]
"""``molten``: the run came to its end, and its framework did not stay together."""

Task = Literal["labels", "trajectories"]


class EngineRecord(Record):
    """What computed."""

    name: str
    version: str
    settings: dict[str, Any]
    identity: str
    """Hash of the three."""


class MaterialRecord(Record):
    """One structure."""

    name: str
    """Unique; used everywhere else."""
    file: str
    """Its name, with the frame where there are several."""
    formula: str
    n_atoms: int
    reason: str | None = None
    """Why it was left out; none where it was not."""


class JobRecord(Record):
    """One labelled structure, or one run."""

    name: str
    """Of its folder in ``cells``."""
    material: str
    status: Status
    reason: str | None = None
    """Why it has no result, or is molten."""
    path: str | None = None
    """The trajectory, or the labelled structure."""
    seconds: float | None = None
    """Wall time of the engine."""
    cpu_seconds: float | None = None
    """CPU time of the engine, its processes included."""
    n_atoms: int | None = None
    """That moved, or were labelled."""
    temperature: float | None = None
    """K, as asked."""
    mean_temperature: float | None = None
    """K, of the recorded run."""
    seed: int | None = None
    n_frames: int | None = None
    density: float | None = None
    mobile: tuple[str, ...] = ()
    """Elements that do not belong to the framework."""
    framework_msd: float | None = None
    """Of all atoms of the framework; see `msd`."""
    msd: dict[str, float] = Field(default_factory=dict)
    """By element, between the mean positions in the first and in the last fifth of the
    run, the drift of the framework removed; vibrations are averaged out."""
    energy: float | None = None
    """eV, of a labelled structure."""
    notes: tuple[str, ...] = ()


class LabelResult(Record):
    """What ``atomgraft label`` leaves in its folder."""

    label_version: Annotated[int, Field(ge=1)] = LABEL_VERSION
    name: str
    task: Task
    spec: dict[str, Any]
    """What was asked, every default written out."""
    engine: EngineRecord
    materials: tuple[MaterialRecord, ...]
    jobs: tuple[JobRecord, ...]
    labels: str | None = None
    """The file of all labelled structures."""
    finished: bool
    """No job is left that another call may finish."""
    notices: tuple[str, ...] = ()
    provenance: tuple[Provenance, ...]


LABELS = RecordFile(
    file="label.json",
    record=LabelResult,
    version=LABEL_VERSION,
    version_key="label_version",
    upgrades={},
    title="index of labels",
    command="atomgraft label",
    broken="Run 'atomgraft label' again: finished jobs are kept.",
)


def n_with(result: LabelResult, status: Status) -> int:
    """Return how many jobs have a status."""
    return sum(one.status == status for one in result.jobs)
