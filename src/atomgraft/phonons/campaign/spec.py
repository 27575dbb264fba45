"""The spec of a campaign: frozen, unknown keys refused."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from atomgraft.compare.spec import CompareSpec, Entrant, Way
from atomgraft.core.kernels import Kernels
from atomgraft.core.seeding import MAX_SEED
from atomgraft.core.specs import parsed
from atomgraft.core.yaml_files import read_settings
from atomgraft.phonons.campaign.record import FIXED, Mode
from atomgraft.phonons.spec import MeshCount, PhononSpec, Positive
from atomgraft.run.spec import RunSpec, require_named
from atomgraft.training.plan import Plan

CAMPAIGN_SPEC = "campaign.yaml"

HALF = 0.5
"""Share of a material's supercells that it is adapted on without a word."""

GROWS = frozenset({"recipes", "seeds", "details"})
"""Keys that say which cells a campaign has; it may grow along them."""

NEUTRAL = frozenset({"folder", "device", "max_atoms", "dft_hours"})
"""Keys that change no number of a cell."""

Labels = Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)]


class PhononCampaignSpec(BaseModel):
    """Vibrations of many materials under a base and what recipes make of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str
    """Calculations of phonopy, or structures; one a material."""
    base: Annotated[str, BeforeValidator(require_named)]
    """Name or file of a potential, or folder of a finished run."""
    head: str | None = None
    recipes: tuple[Entrant, ...] = ()
    """How the base is adapted; none judges the base alone."""
    mode: Mode = "each"
    """``each``: one adaptation a material, on a strict subset of its own supercells.
    ``all``: one for all, in folds, so that no material is judged by a model that has
    seen it."""
    labels: Labels | None = None
    """Supercells of a material to train on, as a number or a share below one. None
    takes half of them for ``each``, all of them for ``all``."""
    pseudo_labels: bool = True
    """With ``each``, supercells that are not trained on by their labels are by the
    base's response, times the number that fits the labelled ones best: atoms that no
    label displaces are held in place."""
    folds: Annotated[int, Field(ge=2)] = 4
    keeps_families: bool = False
    """Materials of one prototype and anion share a fold."""
    seeds: Annotated[
        tuple[Annotated[int, Field(ge=0, lt=MAX_SEED)], ...], Field(min_length=1)
    ] = (0,)
    """Each has its own order of training, and draws supercells, with pseudo-labels only
    among those that determine as much; folds are those of the first."""
    training: Plan = Plan()
    """The same budget for every adaptation."""
    dtype: Literal["float32", "float64"] = "float32"
    """Of training; vibrations are computed in float64."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    kernels: Kernels = "ours"
    """``upstream`` computes with the modules of MACE and SevenNet in place of
    atomgraft's faster ones."""
    length: Positive = 12.0
    """Å; least thickness of the supercell of a structure."""
    mesh: tuple[MeshCount, MeshCount, MeshCount] = (20, 20, 20)
    threshold: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    """THz; a crystal with a frequency below minus this is unstable."""
    symprec: Positive = 1e-5
    """Å"""
    max_atoms: Annotated[int, Field(ge=1)] | None = None
    """Atoms in one call of the model; none measures what fits."""
    details: Annotated[int, Field(ge=0, le=20)] = 3
    """Materials, worst first, of which the page shows bands."""
    dft_hours: Positive | None = None
    """CPU-hours of one displaced supercell by DFT, for the bill."""

    @field_validator("recipes")
    @classmethod
    def _refuse_taken_names(cls, given: tuple[Entrant, ...]) -> tuple[Entrant, ...]:
        names = [one.name.casefold() for one in given]
        if len(set(names)) < len(names):
            raise ValueError("two recipes have one name; give each a 'name'")
        taken = sorted(set(FIXED) & set(names))
        if taken:
            raise ValueError(f"a recipe cannot be called {', '.join(taken)}")
        return given

    @field_validator("seeds")
    @classmethod
    def _refuse_repeats(cls, given: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(given)) < len(given):
            raise ValueError("a seed is given twice")
        return given

    @model_validator(mode="after")
    def _refuse_impossible_runs(self) -> "PhononCampaignSpec":
        """Check that every recipe makes a valid run."""
        for entrant in self.recipes:
            self.run_of(entrant, self.base, seed=0, train=("supercells",))
        return self

    def run_of(
        self, entrant: Entrant, base: str, *, seed: int, train: tuple[str, ...]
    ) -> RunSpec:
        """Return the run of one adaptation.

        Parameters
        ----------
        entrant
            The recipe.
        base
            To start from.
        seed
            Of everything random.
        train
            Displaced supercells with forces.

        Raises
        ------
        BadInputError
            The recipe or its settings make no valid run.
        """
        runs = CompareSpec(
            base=(base,),
            head=self.head,
            train=("pool",),
            test=("test",),
            recipes=(entrant,),
            seeds=(seed,),
            training=self.training,
            dtype=self.dtype,
            device=self.device,
            kernels=self.kernels,
        )
        return runs.run_of(Way(base=base, entrant=entrant), seed=seed, train=train)

    def phonons_of(self, crystal: str) -> PhononSpec:
        """Return what is asked of one material's vibrations.

        Parameters
        ----------
        crystal
            Where it is.
        """
        return PhononSpec(
            crystal=crystal,
            models=(self.base,),
            head=self.head,
            kernels=self.kernels,
            length=self.length,
            mesh=self.mesh,
            threshold=self.threshold,
            symprec=self.symprec,
            max_atoms=self.max_atoms,
        )

    def frame(self) -> dict[str, Any]:
        """Return what all cells share: a campaign grows only inside it."""
        return self.model_dump(mode="json", exclude={*GROWS, *NEUTRAL})


def parse_campaign_spec(document: object, origin: str) -> PhononCampaignSpec:
    """Validate the spec of a campaign.

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
    >>> spec = parse_campaign_spec(
    ...     {"folder": "crystals", "base": "pair:sw-si", "recipes": ["full"]},
    ...     "this example",
    ... )
    >>> spec.mode, [one.name for one in spec.recipes]
    ('each', ['full'])
    """
    return parsed(
        PhononCampaignSpec, document, origin, title="a campaign", verb="campaign"
    )


def read_campaign_spec(path: Path) -> PhononCampaignSpec:
    """Read the spec of a campaign from YAML.

    Raises
    ------
    BadInputError
        The file cannot be read or is no valid spec.
    """
    return parse_campaign_spec(read_settings(path), str(path))


def campaign_spec_text(spec: PhononCampaignSpec) -> str:
    """Return the spec as YAML with every default written out."""
    document: dict[str, Any] = spec.model_dump(mode="json")
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
