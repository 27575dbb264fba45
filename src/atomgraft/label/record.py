"""The layout of ``select.json``."""

from typing import Annotated, Any

from pydantic import Field

from atomgraft.records.documents import Record, RecordFile
from atomgraft.run.record import BaseCard, Provenance

SELECTION_VERSION = 1


class CrystalCard(Record):
    """The structure that proposals were made from."""

    file: str
    formula: str
    n_atoms: int
    """Of the supercell that was displaced."""
    supercell: tuple[int, int, int]
    """Repeats of the structure in the file."""
    fingerprint: str


class PoolCard(Record):
    """How many structures of one kind there were to choose from."""

    kind: str
    n: int
    n_chosen: int


class DescriptorCard(Record):
    """What distances between structures mean."""

    words: str
    n_features: int
    """Of one atom; a structure has mean and standard deviation of each, by element."""
    is_models_own: bool
    """False: the model offers no features, and a general description took their
    place."""


class ChosenStructure(Record):
    """One structure to label, in the order of choice."""

    number: int
    """From 1; the name of its folder of inputs."""
    index: int
    """Its place in the pool."""
    kind: str
    amplitude: float | None
    """How far it was moved; none where nobody knows."""
    unit: str
    """Of the amplitude: Å, K, or 1 for a strain."""
    note: str
    formula: str
    n_atoms: int
    distance: float
    """To the nearest chosen or known before it, in units of the pool's spread."""
    max_force: float
    """Largest force on an atom that the model predicts, eV/Å."""
    disagreement: float | None = None
    """Of the models about its forces, eV/Å; none with one model."""
    expected_error: float | None = None
    """Of frequencies with this label and those before it, THz; mean absolute, none by
    other rules than that of phonons."""


class PoolPoint(Record):
    """One structure of the pool on the map."""

    x: float
    y: float
    kind: str
    number: int | None = None
    """Of the chosen; none was not chosen."""


class PoolMap(Record):
    """The pool on the plane of its largest spread."""

    shares: tuple[float, float]
    """Of the variance along each axis."""
    points: tuple[PoolPoint, ...]
    known: tuple[tuple[float, float], ...] = ()
    """Structures that have labels already."""


class SelectionResult(Record):
    """What ``atomgraft select`` leaves in its folder."""

    selection_version: Annotated[int, Field(ge=1)] = SELECTION_VERSION
    spec: dict[str, Any]
    """What was asked, every default written out."""
    crystal: CrystalCard
    model: BaseCard
    committee: tuple[BaseCard, ...] = ()
    """Further models, for disagreement."""
    pool: tuple[PoolCard, ...]
    n_known: int
    """Structures with labels from which the chosen keep away."""
    descriptor: DescriptorCard
    chosen: tuple[ChosenStructure, ...]
    expected_error: float | None = None
    """Of frequencies before these labels, THz; none by other rules."""
    map: PoolMap
    inputs: tuple[str, ...]
    """Programs that inputs were written for."""
    notices: tuple[str, ...]
    """What the user should know."""
    provenance: Provenance


SELECTION = RecordFile(
    file="select.json",
    record=SelectionResult,
    version=SELECTION_VERSION,
    version_key="selection_version",
    upgrades={},
    title="selection",
    command="atomgraft select",
    broken="Make the selection again: atomgraft select.",
)
