"""What a phonon calculation was asked to do: frozen, unknown keys refused."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

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
            raise ValueError("a model is named twice")
        return models

    def document(self) -> dict[str, Any]:
        """Return everything that changes numbers."""
        document = self.model_dump(mode="json", exclude={"max_atoms"})
        return document | {"crystal": identity_of(self.crystal)}

    def identity(self) -> str:
        """Return a hash of everything that changes numbers."""
        return fingerprint([json.dumps(self.document(), sort_keys=True).encode()])
