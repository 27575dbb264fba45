"""What is learned from which materials."""

import json
import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from atomgraft.core.outputs import identity_of
from atomgraft.core.provenance import fingerprint
from atomgraft.transport.features.motion import MotionChoice
from atomgraft.transport.predictors.scales import Scale


class DistilSpec(BaseModel):
    """Known materials, the property, and the methods that are compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    materials: Annotated[tuple[str, ...], Field(min_length=1)]
    """Tables (CSV), or files of structures whose frames carry the property."""
    target: str
    """Column, or key of a frame, with the property."""
    mobile: str
    """Symbol of the ion that moves, or the column or key that names it."""
    test: tuple[str, ...] = ()
    """Materials of the same kind that are predicted once, at the end."""
    unit: str = ""
    """Of errors in the report."""
    decades: bool = False
    """Learn and report the decimal logarithm of the property."""
    scale: Scale = "plain"
    """On which the property is fitted; errors are of the property itself."""
    name: str = "name"
    """Column or key that names a material."""
    group: tuple[str, ...] = ()
    """Columns or keys; materials that agree in any of them are never divided between
    training and validation. None: the elements of a material."""
    structures: str = ""
    """Path of the structure of a row of a table, with columns in braces:
    cifs/{ID}.cif; rows without a file have only their composition."""
    composition: str = "composition"
    """Column with the formula, where there is no structure."""
    lattice: tuple[str, ...] = ()
    """Columns of a, b, c (Å), alpha, beta and gamma (degrees)."""
    space_group: str = ""
    """Column of the number of the space group."""
    representatives: Annotated[int, Field(ge=1, le=50)] = 3
    """Ordered structures drawn for one with partial occupancies."""
    max_atoms: Annotated[int, Field(ge=1)] = 400
    """Of such a structure."""
    temperature: str = ""
    """Column or key with the temperature of the property, K; none: there is none.
    Runs of a folder of atomgraft label have theirs."""
    trajectory: str = ""
    """Path of the trajectory of a material, with columns or keys in braces:
    runs/{ID}.extxyz, or {trajectory}; what is empty, or of a pattern without a file,
    was not simulated."""
    step: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """fs between frames of trajectories; none takes it from the frames."""
    unwrapped: bool = False
    """Positions in trajectories follow atoms across the boundaries of the cell already;
    those of atomgraft label are known to."""
    motion: MotionChoice = "all"
    """What of the motion of ions a teacher sees."""
    privileged: tuple[str, ...] = ()
    """Columns or keys with numbers that a teacher sees, known for some of the materials
    that are learned from; beside motion, or in place of it."""
    teacher: str = ""
    """Folder of a result whose teacher saw motion: a student of it is compared."""
    features: tuple[str, ...] = ()
    """Blocks of features; none takes all that the materials allow."""
    model: str = ""
    """Name or file of a potential, or folder of a run, whose features of ions are
    added; none leaves them out."""
    methods: tuple[str, ...] = ()
    """Compared beside the controls; none takes all."""
    folds: Annotated[int, Field(ge=2, le=100)] = 10
    """Of the validation."""
    seeds: Annotated[int, Field(ge=1, le=50)] = 1
    """Divisions into folds."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the first division, and of methods that draw numbers."""
    cache: str = ""
    """Folder of computed features, which several calls may share; none keeps none."""

    @model_validator(mode="after")
    def _refuse_half_a_lattice(self) -> "DistilSpec":
        if len(self.lattice) not in {0, 6}:
            raise ValueError(
                f"lattice names {len(self.lattice)} columns; a, b, c, alpha, beta and "
                "gamma are six"
            )
        if self.trajectory and not self.temperature:
            raise ValueError(
                "trajectory is given without temperature; motion belongs to one: name"
                " the column or key with the temperature in K"
            )
        if self.decades and self.scale != "plain":
            raise ValueError("decades are a scale already; leave out scale")
        return self

    def identity(self) -> str:
        """Return a hash of everything that changes numbers."""
        document = self.model_dump(mode="json", exclude={"cache"})
        files = {
            key: [identity_of(one) for one in document[key]]
            for key in ("materials", "test")
        }
        return fingerprint([json.dumps(document | files, sort_keys=True).encode()])


def folder_of(spec: DistilSpec) -> Path:
    """Return the folder where none is named."""
    name = re.sub(r"[^\w-]+", "-", spec.target).strip("-")
    return Path(f"distil-{name or 'property'}")
