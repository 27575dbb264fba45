"""The shape of ``stabilise.json``: a tree of crystals, each a distortion of another.

Crystals lie in a flat list and name each other by number. Frequencies are in THz,
imaginary ones negative; energies in meV per atom against the first crystal, so that
negative is more stable.
"""

import json
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from atomgraft.core.errors import BadInputError
from atomgraft.core.storage import is_file, is_folder, write_atomically
from atomgraft.results.phonons import Matrix
from atomgraft.results.schema import BaseCard, Provenance

INSTABILITIES_VERSION = 1

STABILISE = "stabilise.json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class StructureRecord(_Record):
    """A crystal that can be read without anything but JSON."""

    symbols: tuple[str, ...]
    cell: Matrix
    """Å, vectors as rows."""
    positions: tuple[tuple[float, float, float], ...]
    """Å"""


class SoftSpace(_Record):
    """Imaginary modes that belong together by symmetry."""

    label: str
    """Of the q-point: Γ, X ... or its components."""
    arms: tuple[tuple[float, float, float], ...]
    """The star; of q and -q one; in reciprocal vectors of the primitive cell."""
    frequency: float
    """THz, negative."""
    degeneracy: int
    """Modes of this frequency at one q-point."""


class CrystalRecord(_Record):
    """One crystal of the tree."""

    number: int
    depth: int
    """Distortions from the first crystal by the way it was found first."""
    structure: StructureRecord
    file: str
    """Its file without suffix, ``structures/01-P4mm``."""
    space_group: str
    space_group_number: int
    symprec: float
    """Å; at which its symmetry was found. Zero: it was not made exactly symmetric."""
    energy: float
    """eV per atom"""
    energy_change: float
    """Against the first crystal, meV/atom."""
    volume_change: float
    """Against the first crystal, per cent."""
    is_converged: bool
    largest_force: float
    """eV/Å"""
    n_steps: int
    is_stable: bool | None
    """No imaginary mode on the commensurate grid; none where no phonons were found."""
    lowest_frequency: float | None
    """THz, on the commensurate grid."""
    soft: tuple[SoftSpace, ...] = ()
    """Softest first."""
    supercell: Matrix | None = None
    """Of the phonons; rows of multiples of the cell that was displaced."""
    n_atoms_supercell: int | None = None
    counts: dict[str, int] = {}
    """What became of its trials: relaxed, fell back, known, fell apart, left out."""
    notes: tuple[str, ...] = ()


class StepRecord(_Record):
    """The distortion that leads from one crystal to another."""

    parent: int
    daughter: int
    label: str
    frequency: float
    """Of the mode in the parent, THz."""
    direction: str
    """Of the order parameter, ``(a,a,0)``."""
    amplitudes: tuple[float, ...]
    """The same as a unit vector in the space of the star's modes."""
    n_domains: int
    """Directions that are equal by symmetry."""
    is_fixed: bool
    """Symmetry fixes the direction; otherwise it is one of many."""
    amplitude: float
    """Of the atom that moves most where the energy was lowest on the line, Å."""
    line_energy: float
    """There, against the parent, meV/atom, atoms and cell not relaxed."""
    trial_space_group: str
    energy_change: float
    """Of the daughter against the parent, meV/atom."""
    is_first: bool
    """The daughter was found by this step, and not known before."""


class StabiliseSettings(_Record):
    """Everything that decides the numbers, pinned."""

    depth: int
    max_daughters: int
    threshold: float
    """THz"""
    supercell: Matrix
    """Of the first crystal, rows of multiples of the cell that was given."""
    length: float
    """Å; smallest height of the daughters' supercells."""
    fmax: float
    """eV/Å"""
    max_steps: int
    displacement: float
    """Å"""
    amplitudes: tuple[float, ...]
    """Å"""
    symprecs: tuple[float, ...]
    """Å"""
    same_energy: float
    """meV/atom"""
    same_distance: float
    """Å"""
    dtype: str


class StabiliseResult(_Record):
    """The tree of distortions of one crystal under one model."""

    schema_version: Annotated[int, Field(ge=1)] = INSTABILITIES_VERSION
    name: str
    formula: str
    finished: bool
    identity: str
    """Hash of crystal, model and settings."""
    model: BaseCard
    settings: StabiliseSettings
    crystals: tuple[CrystalRecord, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    headline: str = ""
    notices: tuple[str, ...] = ()
    provenance: tuple[Provenance, ...] = ()

    def best(self) -> CrystalRecord | None:
        """Return the crystal of lowest energy among those relaxed to the end."""
        done = [one for one in self.crystals if one.is_converged]
        return min(done, key=lambda one: one.energy, default=None)

    def best_stable(self) -> CrystalRecord | None:
        """Return the stable crystal of lowest energy, or none."""
        stable = [one for one in self.crystals if one.is_stable]
        return min(stable, key=lambda one: one.energy, default=None)


def write_instabilities(folder: Path, result: StabiliseResult) -> Path:
    """Write a tree into its folder, whole or not at all.

    Raises
    ------
    StorageError
        The folder cannot be written; an older one is left as it was.
    """
    path = folder / STABILISE
    write_atomically(path, result.model_dump_json(indent=1) + "\n")
    return path


def read_instabilities(folder: Path) -> StabiliseResult:
    """Read the tree of a folder.

    Raises
    ------
    BadInputError
        There is none, it is broken, or it comes from a newer atomgraft.
    """
    path = folder / STABILISE if is_folder(folder) else folder
    if not is_file(path):
        raise BadInputError(
            f"{folder} holds no {STABILISE}.",
            "A folder made by 'atomgraft stabilise' is needed.",
            "Run 'atomgraft stabilise' or check the path.",
        )
    try:
        document = json.loads(path.read_text())
        _refuse_unknown_version(document)
        return StabiliseResult.model_validate(document)
    except (json.JSONDecodeError, UnicodeDecodeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise BadInputError(
            f"{path} is not a readable result: {reason}.",
            "A file as atomgraft wrote it is needed.",
            "Remove it and run 'atomgraft stabilise' again; what was computed is kept.",
        ) from error


def _refuse_unknown_version(document: object) -> None:
    known = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    version = known.get("schema_version")
    if type(version) is not int or version != INSTABILITIES_VERSION:  # no True
        raise BadInputError(
            f"The result has schema version {version!r}.",
            f"This atomgraft reads version {INSTABILITIES_VERSION}.",
            "Update atomgraft: pip install -U atomgraft.",
        )
