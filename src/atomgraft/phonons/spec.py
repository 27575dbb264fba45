"""What a phonon calculation was asked to do, and what its options mean."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from atomgraft.core.kernels import Kernels
from atomgraft.core.outputs import identity_of
from atomgraft.core.provenance import fingerprint

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
MeshCount = Annotated[int, Field(ge=1, le=200)]
Row = tuple[int, int, int]


class PhononSpec(BaseModel):
    """One crystal, one or several models, complete: the same spec, the same numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    crystal: str
    """A structure, a calculation of phonopy, or frames of one supercell of which the
    first is undisplaced."""
    models: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names or files of potentials, or folders of finished runs; the first is the base
    of the baselines."""
    head: str | None = None
    outputs: tuple[str, ...] = ()
    """FORCE_SETS or outputs of the calculations, where the crystal's file has no
    forces."""
    born: str | None = None
    """phonopy's BORN file."""
    labels: tuple[str, ...] = ()
    """Labelled supercells of this crystal; each model is combined with them."""
    cutoff: Positive | None = None
    """Å; with labels: pairs further apart keep the model's force constants."""
    supercell: tuple[Row, Row, Row] | None = None
    """Supercell vectors as rows of multiples of the cell vectors; none follows
    `length`."""
    length: Positive = 12.0
    """Å; smallest distance between opposite faces of the supercell."""
    relax: bool | Literal["auto"] = "auto"
    """``auto``: a structure is relaxed under each model, the geometry of a reference is
    kept."""
    distance: Positive = 0.01
    """Å"""
    mesh: tuple[MeshCount, MeshCount, MeshCount] = (20, 20, 20)
    temperature_max: Annotated[float, Field(ge=100, le=5000)] = 1000.0
    """K"""
    threshold: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    """THz; a crystal with a frequency below minus this is unstable."""
    global_factor: Positive | None = None
    """What the base's force constants need according to other materials; none takes
    the known one of a known base."""
    symprec: Positive = 1e-5
    """Å"""
    expansion: bool = False
    """Quasi-harmonic thermal expansion."""
    conductivity: bool = False
    """Lattice thermal conductivity; needs phono3py."""
    pair_cutoff: Positive | None = None
    """Å; pairs further apart are not displaced together for the third order."""
    conductivity_mesh: tuple[MeshCount, MeshCount, MeshCount] = (11, 11, 11)
    dtype: Literal["float32", "float64"] = "float64"
    kernels: Kernels = "ours"
    """``upstream`` computes with the modules of MACE and SevenNet in place of
    atomgraft's faster ones."""
    max_atoms: Annotated[int, Field(ge=1)] | None = None
    """Atoms in one call of the model; none measures what fits."""

    @field_validator("models")
    @classmethod
    def _refuse_twins(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(models)) < len(models):
            raise ValueError("a model is given twice")
        return models

    @model_validator(mode="after")
    def _refuse_labels_elsewhere(self) -> "PhononSpec":
        """Check that labels meet the geometry that they belong to."""
        if self.labels and self.relax is True:
            raise ValueError(
                "'labels' belong to the geometry of the crystal's file; leave 'relax' "
                "out"
            )
        if self.labels and (self.expansion or self.conductivity):
            raise ValueError(
                "'labels' are combined with harmonic phonons alone; compute 'expansion'"
                " and 'conductivity' without them"
            )
        if self.cutoff is not None and not self.labels:
            raise ValueError("'cutoff' limits the fit to labels; give 'labels'")
        return self

    def document(self) -> dict[str, Any]:
        """Return everything that changes numbers."""
        left_out = {"max_atoms"} | (set() if self.labels else {"labels", "cutoff"})
        document = self.model_dump(mode="json", exclude=left_out)
        named: dict[str, Any] = {"crystal": identity_of(self.crystal)}
        if self.labels:
            named["labels"] = [identity_of(one) for one in self.labels]
        return document | named

    def identity(self) -> str:
        """Return a hash of everything that changes numbers."""
        return fingerprint([json.dumps(self.document(), sort_keys=True).encode()])


def stem_of(crystal: str) -> str:
    """Return a name for the folder of a crystal's results."""
    name = Path(crystal.partition("@")[0]).name.partition(".")[0]
    return re.sub(r"[^\w-]+", "-", name) or "crystal"


def numbers_of(text: str, option: str, counts: set[int]) -> list[int]:
    """Return the whole numbers of an option; one stands for all three.

    Raises
    ------
    BadInputError
        They are not whole, or not as many as are wanted.
    """
    from atomgraft.core.errors import BadInputError

    parts = text.replace(",", " ").replace("x", " ").split()
    if len(parts) not in counts or not all(
        re.fullmatch(r"-?\d{1,9}", one, re.ASCII) for one in parts
    ):
        wanted = " or ".join(str(one) for one in sorted(counts))
        raise BadInputError(
            f"{option} was given as {text[:60]!r}.",
            f"Expected {wanted} whole numbers of up to nine digits.",
            f"For example: {option} '2 2 2'.",
        )
    numbers = [int(one) for one in parts]
    return numbers * 3 if len(numbers) == 1 else numbers


def rows_of(text: str) -> list[list[int]]:
    """Return a supercell from one, three or nine numbers."""
    numbers = numbers_of(text, "--supercell", {1, 3, 9})
    if len(numbers) == 9:
        return [numbers[:3], numbers[3:6], numbers[6:]]
    return [[n if i == j else 0 for j in range(3)] for i, n in enumerate(numbers)]
