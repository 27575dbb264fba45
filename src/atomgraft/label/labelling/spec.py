"""The spec of labelling: frozen, unknown keys refused."""

from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from atomgraft.core.seeding import MAX_SEED
from atomgraft.core.specs import parsed
from atomgraft.label.engines.base import CellTreatment

LABEL_SPEC = "label.yaml"

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=MAX_SEED)]

FEMTOSECONDS = 1000.0
"""In a picosecond."""

GROWS = frozenset({"structures", "representatives"})
"""Keys along which a folder may grow."""

NEUTRAL = frozenset({"wall_time"})
"""Keys that change no number of a job."""


class MotionSpec(BaseModel):
    """Molecular dynamics of every structure at every temperature."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperatures: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """K"""
    time: Positive = 100.0
    """ps, of the recorded run."""
    settle: Positive = 10.0
    """ps before, at the same temperature; not recorded."""
    timestep: Positive = 2.0
    """fs; with hydrogen 0.5."""
    every: Positive = 100.0
    """fs between two frames."""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)
    """Of velocities and noise; one run each."""
    atoms: Annotated[int, Field(ge=1, le=100_000)] = 200
    """At least so many in the supercell."""
    cell: CellTreatment = "relax"
    """``relax``: relaxed before; ``pressure``: relaxed, then the mean cell of a run at
    zero pressure and the temperature (engines of LAMMPS); ``fixed``: as it is."""
    thermostat: bool = True
    """While it is recorded; without one the energy is conserved."""
    mobile: tuple[str, ...] = ()
    """Elements that do not belong to the framework; none: the monovalent cations."""
    max_framework_msd: Positive = 1.0
    """Å²; a run in which every element of the framework has moved further is molten."""

    @field_validator("temperatures", "seeds")
    @classmethod
    def _refuse_repeats(cls, given: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(given)) < len(given):
            raise ValueError("a value is given twice")
        return given

    @property
    def n_steps(self) -> int:
        """Steps that are recorded: a whole number of frames."""
        return max(1, round(self.time * FEMTOSECONDS / self.every)) * self.frame_every

    @property
    def frame_every(self) -> int:
        """Steps between two frames."""
        return max(1, round(self.every / self.timestep))

    @property
    def n_settle(self) -> int:
        """Steps before."""
        return max(1, round(self.settle * FEMTOSECONDS / self.timestep))


class LabelSpec(BaseModel):
    """Which structures an engine labels, or moves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    structures: Annotated[tuple[str, ...], Field(min_length=1)]
    """Files (extxyz, CIF, POSCAR ...), or folders of such files."""
    representatives: Annotated[int, Field(ge=0, le=50)] = 0
    """Ordered structures drawn for one with partial occupancies (CIF; needs gemmi);
    zero leaves it out."""
    engine: str
    """``model:NAME``, ``xtb``, ``pyscf:METHOD/BASIS``, ``gpaw``, ``vasp``,
    ``espresso``, ``ase:MODULE.CLASS``, ``pmmcs``, ``lammps``, or that of a plug-in."""
    settings: dict[str, Any] = {}
    """Of the engine."""
    md: MotionSpec | None = None
    """Molecular dynamics that writes trajectories; none labels the structures."""
    wall_time: Positive | None = None
    """s, after which a job is given up; none waits."""

    def frame(self) -> dict[str, Any]:
        """Return what all jobs share: a folder grows only inside it."""
        hidden = {*GROWS, *NEUTRAL}
        document = self.model_dump(mode="json", exclude=hidden)
        if document["md"] is not None:
            for key in ("temperatures", "seeds", "max_framework_msd"):
                del document["md"][key]
        return document


def parse_label_spec(document: object, origin: str) -> LabelSpec:
    """Validate what was asked.

    Parameters
    ----------
    document
        A mapping, as read from YAML.
    origin
        Where it came from, for messages.

    Raises
    ------
    BadInputError
        A key is unknown, missing or has a wrong value; each is named.

    Examples
    --------
    >>> spec = parse_label_spec(
    ...     {
    ...         "structures": ["a.cif"],
    ...         "engine": "pmmcs",
    ...         "md": {"temperatures": [1000], "time": 1},
    ...     },
    ...     "this example",
    ... )
    >>> spec.md.n_steps, spec.md.frame_every
    (500, 50)
    """
    return parsed(LabelSpec, document, origin, title="a labelling", verb="label")


def label_spec_text(spec: LabelSpec) -> str:
    """Return the spec as YAML with every default written out."""
    document: dict[str, Any] = spec.model_dump(mode="json")
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
