"""The shape of ``select.json``: which structures to label, and why these."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from atomgraft.core.errors import BadInputError
from atomgraft.core.json_files import read_json
from atomgraft.core.storage import is_file, is_folder, write_atomically
from atomgraft.results.documents import validated
from atomgraft.results.schema import BaseCard, Provenance

SELECTION = "select.json"

SELECTION_VERSION = 1


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class CrystalCard(_Record):
    """The structure that proposals were made from."""

    file: str
    formula: str
    n_atoms: int
    """Of the supercell that was displaced."""
    supercell: tuple[int, int, int]
    """Repeats of the structure in the file."""
    fingerprint: str


class PoolCard(_Record):
    """How many structures of one kind there were to choose from."""

    kind: str
    n: int
    n_chosen: int


class DescriptorCard(_Record):
    """What distances between structures mean."""

    words: str
    n_features: int
    """Of one atom; a structure has mean and standard deviation of each, by element."""
    is_models_own: bool
    """False: the model offers no features, and a general description took their
    place."""


class ChosenStructure(_Record):
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


class PoolPoint(_Record):
    """One structure of the pool on the map."""

    x: float
    y: float
    kind: str
    number: int | None = None
    """Of the chosen; none was not chosen."""


class PoolMap(_Record):
    """The pool on the plane of its largest spread."""

    shares: tuple[float, float]
    """Of the variance along each axis."""
    points: tuple[PoolPoint, ...]
    known: tuple[tuple[float, float], ...] = ()
    """Structures that have labels already."""


class SelectionResult(_Record):
    """What ``atomgraft select`` leaves in its folder."""

    selection_version: Annotated[int, Field(ge=1, le=SELECTION_VERSION)] = (
        SELECTION_VERSION
    )
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
    map: PoolMap
    inputs: tuple[str, ...]
    """Programs that inputs were written for."""
    notices: tuple[str, ...]
    """What the user should know."""
    provenance: Provenance


def write_selection(folder: Path, result: SelectionResult) -> Path:
    """Write the result of a selection, whole or not at all.

    Raises
    ------
    StorageError
        The folder cannot be written.
    """
    path = folder / SELECTION
    write_atomically(path, result.model_dump_json(indent=1) + "\n")
    return path


def has_selection(folder: Path) -> bool:
    """Tell whether a folder holds the result of a selection.

    Examples
    --------
    >>> has_selection(Path("nowhere"))
    False
    """
    return is_file(folder / SELECTION)


def read_selection(folder: Path) -> SelectionResult:
    """Read the result of a selection.

    Parameters
    ----------
    folder
        The folder, or the file in it.

    Raises
    ------
    BadInputError
        There is none, it is broken, or it comes from a newer atomgraft.
    """
    path = folder / SELECTION if is_folder(folder) else folder
    if not is_file(path):
        raise BadInputError(
            f"{folder} holds no {SELECTION}.",
            "The folder of an 'atomgraft select' is needed.",
            "Check the path, or make one: atomgraft select --out NEW_FOLDER",
        )
    remedy = "Make the selection again: atomgraft select."
    document = read_json(path, title="selection", remedy=remedy)
    return validated(SelectionResult, document, str(path), "selection", remedy)
