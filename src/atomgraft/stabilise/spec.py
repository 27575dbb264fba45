"""The spec of a descent: frozen, unknown keys refused."""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from atomgraft.core.kernels import Kernels
from atomgraft.core.provenance import fingerprint

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Row = tuple[int, int, int]


class StabiliseSpec(BaseModel):
    """One crystal and one model, complete: the same spec, the same tree."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    crystal: str
    """A structure, or a calculation of phonopy, of which geometry and supercell are
    taken."""
    model: str
    """Name or file of a potential, or folder of a finished run."""
    head: str | None = None
    depth: Annotated[int, Field(ge=0, le=10)] = 3
    """Distortions one after the other."""
    max_daughters: Annotated[int, Field(ge=1)] = 6
    """Trials relaxed for each crystal, lowest energy first."""
    threshold: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    """THz; a mode below minus this is imaginary."""
    supercell: tuple[Row, Row, Row] | None = None
    """Of the first crystal, rows of multiples of its cell vectors; none takes that of
    the calculation, or follows `length`."""
    length: Positive | None = None
    """Å; smallest distance between opposite faces of supercells. None takes 7.5 Å for
    the first crystal where it has no supercell, and what that one has for its
    daughters."""
    fmax: Positive = 1e-4
    """eV/Å; relaxations end below it."""
    max_steps: Annotated[int, Field(ge=1)] = 500
    """Of one relaxation."""
    distance: Positive = 0.01
    """Å"""
    dtype: Literal["float32", "float64"] = "float64"
    kernels: Kernels = "ours"
    """``upstream`` computes with the modules of MACE and SevenNet in place of
    atomgraft's faster ones."""
    max_atoms: Annotated[int, Field(ge=1)] | None = None
    """Atoms in one call of the model; none measures what fits."""

    def identity(self, *parts: str) -> str:
        """Return a hash of everything that changes numbers, and of more.

        Parameters
        ----------
        parts
            Hashes of the files behind it.
        """
        document = self.model_dump(mode="json", exclude={"max_atoms", "crystal"})
        text = json.dumps(document, sort_keys=True)
        return fingerprint(one.encode() for one in (text, *parts))
