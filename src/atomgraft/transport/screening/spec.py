"""Which structures are screened, by what."""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from atomgraft.core.outputs import identity_of
from atomgraft.core.provenance import fingerprint


class ScreenSpec(BaseModel):
    """Structures, a predictor, and what counts as best."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    structures: Annotated[tuple[str, ...], Field(min_length=1)]
    """Files or folders: CIF, POSCAR, extended XYZ, ASE databases."""
    predictor: str = ""
    """Folder made by `atomgraft distil`; none takes the one that ships with atomgraft,
    of the conductivity of lithium."""
    mobile: str = ""
    """Symbol of the ion that moves; none takes that of the predictor, if it is one."""
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """K; of the predicted property, where the predictor has learned several."""
    best: Literal["highest", "lowest"] = "highest"
    """Which predictions come first."""
    representatives: Annotated[int, Field(ge=1, le=50)] = 3
    """Ordered structures drawn for one with partial occupancies; predictions are for
    the mean of their features."""
    max_atoms: Annotated[int, Field(ge=1)] = 400
    """Of such a structure."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the drawing."""
    cache: str = ""
    """Folder of computed features, which several screens may share; none takes one
    within the output folder."""

    def identity(self) -> str:
        """Return a hash of everything that changes numbers, contents of files apart."""
        document = self.model_dump(mode="json", exclude={"cache"})
        named = {"structures": [identity_of(one) for one in self.structures]}
        return fingerprint([json.dumps(document | named, sort_keys=True).encode()])
