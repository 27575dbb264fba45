"""The spec of a comparison: frozen, validated, unknown keys refused."""

import dataclasses
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

from atomgraft.adaptation.axes import ElementMap
from atomgraft.adaptation.recipes import RECIPES
from atomgraft.core.kernels import Kernels
from atomgraft.core.seeding import MAX_SEED
from atomgraft.core.specs import parsed
from atomgraft.core.yaml_files import read_settings
from atomgraft.data.label_keys import LABEL_OPTIONS, LabelOptions
from atomgraft.run.spec import (
    LATER_KEYS,
    RunSpec,
    parse_spec,
    require_named,
)
from atomgraft.training.plan import Plan

COMPARE_SPEC = "compare.yaml"

DEFAULT_RECIPES = ("lora", "full", "readout", "scratch")

GRID = frozenset({"recipes", "maps", "sizes", "learning_rate_factors", "seeds"})
"""Keys that say which cells a campaign has; it may grow along them."""

QUESTIONS = frozenset({"quantity", "more_labels", "target_error", "worthwhile"})
"""Keys that say what is asked of the cells, and change none of them."""

RESERVED = frozenset(
    {
        "base", "head", "train", "validation", "validation_fraction", "recipe", "seed",
        "dtype", "device", "kernels",
    }
)  # fmt: skip
"""Keys of a run that the comparison sets itself, the same for all recipes."""

Texts = Annotated[tuple[str, ...], Field(min_length=1)]
Unique = Field(min_length=1)


class Entrant(BaseModel):
    """A recipe that takes part, with settings of its own if it needs any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
    """Under which it appears everywhere."""
    recipe: str
    """A named recipe, or ``custom``."""
    settings: dict[str, Any] = {}
    """Keys of a run file that hold for it alone: ``axes``, ``learning_rate`` ..."""

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, given: Any) -> Any:  # noqa: ANN401 - before validation
        if isinstance(given, str):
            return {"name": given, "recipe": given}
        if isinstance(given, dict) and "name" not in given and "recipe" in given:
            return {"name": given["recipe"], **given}
        return given

    @model_validator(mode="after")
    def _refuse_reserved(self) -> "Entrant":
        taken = sorted(RESERVED & self.settings.keys())
        if taken:
            raise ValueError(
                f"{', '.join(taken)} must be the same for all recipes; set it "
                "outside 'recipes'"
            )
        return self


@dataclasses.dataclass(frozen=True, kw_only=True)
class Way:
    """One way to adapt: a point on every axis of `AXES`.

    Parameters
    ----------
    base
        To start from.
    entrant
        The recipe.
    factor
        Times the recipe's own learning rate.
    map
        Elements that start from others; none leaves the recipe as it is.
    """

    base: str
    entrant: Entrant
    factor: float = 1.0
    map: ElementMap | None = None


class CompareSpec(BaseModel):
    """One comparison, complete: recipes x sizes x learning rates x seeds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Annotated[Texts, BeforeValidator(require_named)]
    """Potentials to start from."""
    head: str | None = None
    """Modality of a multi-fidelity base."""
    train: Texts
    """The pool that training sets are drawn from; ``file@0:10`` chooses frames."""
    test: Texts
    """Held-out structures, the same for every cell."""
    validation: tuple[str, ...] = ()
    """Files whose errors decide which contestant is recommended; none keeps a share of
    the pool aside. They decide nothing else: every cell keeps the weights of its last
    step."""
    validation_fraction: Annotated[float, Field(ge=0, lt=1)] | Literal["auto"] = "auto"
    """Share of the pool that is kept aside where no validation file is given; ``auto``:
    a fifth, five structures at least, none of a pool of fewer than ten."""
    energy_key: str | None = None
    forces_key: str | None = None
    stress_key: str | None = None
    energy_unit: str | None = None
    """Unit of the energy labels where they are not eV, the total of the cell."""
    forces_unit: str | None = None
    """Unit and sign of the force labels where they are not eV/Å."""
    stress_unit: str | None = None
    """Unit and sign of the stress labels where they are not eV/Å³, tensile-positive."""
    stress_order: str | None = None
    """Order of six stress components where it is not xx yy zz yz xz xy."""
    accept: tuple[str, ...] = ()
    """Codes of warnings about the data that do not stop the comparison."""
    recipes: Annotated[tuple[Entrant, ...], Unique] = tuple(
        Entrant(name=name, recipe=name) for name in DEFAULT_RECIPES
    )
    maps: tuple[ElementMap | None, ...] = ()
    """Element maps to try, such as ``Si:Ge`` and ``Si:Ge@fit``; ``none`` is the base as
    it is. Fresh weights take room for new elements from the first."""
    sizes: (
        Annotated[tuple[Annotated[int, Field(ge=1)], ...], Unique] | Literal["auto"]
    ) = "auto"
    """Numbers of labelled structures; ``auto`` doubles up to the whole pool."""
    learning_rate_factors: Annotated[
        tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...], Unique
    ] = (1.0,)
    """Times each recipe's own learning rate."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=MAX_SEED)], ...], Unique] = (
        0,
        1,
        2,
    )
    """Each draws its own training sets and its own order."""
    training: Plan = Plan()
    """The same budget for every cell."""
    dtype: Literal["float32", "float64"] = "float32"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    kernels: Kernels = "ours"
    """``upstream`` computes with the modules of MACE and SevenNet in place of
    atomgraft's faster ones."""
    quantity: Literal["auto", "energy", "forces", "stress"] = "auto"
    """By which to compare; ``auto``: forces where the test set has them."""
    more_labels: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Size of the next batch of labels; ``auto``: half the largest size."""
    target_error: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """An error to reach: meV/Å, meV/atom or GPa."""
    worthwhile: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Share of the error that the next batch has to take away, or labelling stops."""

    @model_validator(mode="before")
    @classmethod
    def _single_is_list(cls, given: Any) -> Any:  # noqa: ANN401 - before validation
        if not isinstance(given, dict):
            return given
        several = ("base", "train", "test", "validation", "recipes", "sizes", "seeds")
        several = (*several, "accept", "maps")
        alone = {
            key: (given[key],)
            for key in (*several, "learning_rate_factors")
            if isinstance(given.get(key), str | int | float) and given[key] != "auto"
        }
        several_maps = {**given, **alone}.get("maps", ())
        if not isinstance(several_maps, list | tuple):
            return {**given, **alone}
        maps = tuple(None if one == "none" else one for one in several_maps)
        return {**given, **alone, "maps": maps}

    @field_validator("sizes", "seeds", "learning_rate_factors", "base", "maps")
    @classmethod
    def _refuse_repeats(cls, given: Any) -> Any:  # noqa: ANN401 - several fields
        known = [one.words if isinstance(one, ElementMap) else one for one in given]
        if len(set(known)) < len(known) and given != "auto":
            raise ValueError("a value stands there twice")
        return given

    @field_validator("recipes")
    @classmethod
    def _refuse_same_names(cls, given: tuple[Entrant, ...]) -> tuple[Entrant, ...]:
        names = [one.name.casefold() for one in given]
        if len(set(names)) < len(names):
            raise ValueError("two recipes have one name; give each a 'name'")
        return given

    @model_validator(mode="after")
    def _refuse_impossible_cells(self) -> "CompareSpec":
        """Check that every recipe makes a valid run."""
        for entrant in self.recipes:
            run = self.run_of(Way(base=self.base[0], entrant=entrant), seed=0)
            if run.training.patience is not None:
                raise ValueError(
                    "all cells make the same number of steps and keep the last "
                    "weights; leave 'patience' out"
                )
        scaled, fresh = self.unused_scales()
        if len(fresh) == len(self.recipes) and scaled:
            raise ValueError(
                f"no recipe uses the scale of {', '.join(scaled)}: fresh weights "
                "cannot; leave the scale out, or add a recipe such as full"
            )
        return self

    def unused_scales(self) -> tuple[list[str], list[str]]:
        """Return maps with scales, and recipes that do not use them, in words."""
        maps = [one for one in self.maps if one is not None]
        scaled = [one.words for one in maps if one != one.without_scales()]
        return scaled, [one.name for one in self.recipes if self._is_fresh(one)]

    def _is_fresh(self, entrant: Entrant) -> bool:
        run = self.run_of(Way(base=self.base[0], entrant=entrant), seed=0)
        return run.axes.starts.weights == "fresh"

    def run_of(
        self, way: Way, *, seed: int, train: tuple[str, ...] = ("pool",)
    ) -> RunSpec:
        """Return the run of one cell: the same protocol for every number of labels.

        Everything in `train` is trained on, and the weights of the last step are kept:
        a model of ten labels whose weights twenty others have picked would not say what
        ten labels bring.

        Parameters
        ----------
        way
            Base, recipe and learning rate.
        seed
            Of everything random.
        train
            Files with labels under the canonical keys.

        Raises
        ------
        BadInputError
            The recipe or its settings make no valid run.
        """
        entrant = way.entrant
        settings = dict(entrant.settings)
        document = {
            "base": way.base,
            "head": self.head,
            "train": train,
            "validation_fraction": 0.0,
            "recipe": entrant.recipe,
            "training": self._budget(entrant, settings.pop("training", None)),
            "seed": seed,
            "dtype": self.dtype,
            "device": self.device,
            "kernels": self.kernels,
            **settings,
        }
        run = parse_spec(document, f"The recipe '{entrant.name}'")
        scaled: dict[str, Any] = run.model_dump()
        scaled["learning_rate"] = way.factor * run.learning_rate
        if way.map is not None:
            scaled["axes"]["starts"]["map"] = way.map.model_dump()
        return parse_spec(scaled, f"The recipe '{entrant.name}' x {way.factor:g}")

    def _budget(self, entrant: Entrant, own: object) -> object:
        """Return the plan of a recipe: everybody's, but for what is its own.

        A recipe that is solved in closed form brings its number of steps.
        """
        if own is not None and not isinstance(own, dict):
            return own  # no plan: refused with the rest
        plan = self.training.model_dump()
        if self.brings_steps(entrant):
            del plan["steps"]
        return {**plan, **(own or {})}

    def brings_steps(self, entrant: Entrant) -> bool:
        """Tell whether a recipe has a number of steps of its own."""
        known = entrant.recipe in RECIPES
        return known and RECIPES[entrant.recipe].steps is not None

    def factors_of(self, entrant: Entrant) -> tuple[float, ...]:
        """Return the learning rates to try, as factors; one where no step is made.

        Parameters
        ----------
        entrant
            The recipe.
        """
        run = self.run_of(Way(base=self.base[0], entrant=entrant), seed=0)
        return self.learning_rate_factors if run.training.steps else (1.0,)

    def maps_of(self, entrant: Entrant) -> tuple[ElementMap | None, ...]:
        """Return the element maps to try; fresh weights need room and nothing else.

        Parameters
        ----------
        entrant
            The recipe.
        """
        if self._is_fresh(entrant):
            rooms = (one.without_scales() for one in self.maps if one is not None)
            return (next(filter(None, rooms), None),)
        return self.maps or (None,)

    def labels(self) -> LabelOptions:
        """Return what the comparison says of the labels in its files."""
        return LabelOptions(**{key: getattr(self, key) for key in LABEL_OPTIONS})

    def frame(self) -> dict[str, Any]:
        """Return what all cells share: a comparison grows only inside it."""
        hidden = {*GRID, *QUESTIONS, "device", "accept"}
        document = self.model_dump(mode="json", exclude=hidden)
        for key in LATER_KEYS:
            if document[key] is None:
                del document[key]
        return document


def parse_compare_spec(document: object, origin: str) -> CompareSpec:
    """Validate the spec of a comparison.

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
    >>> spec = parse_compare_spec(
    ...     {"base": "pair:sw-si", "train": "a.xyz", "test": "b.xyz", "seeds": 4},
    ...     "this example",
    ... )
    >>> [one.name for one in spec.recipes], spec.seeds
    (['lora', 'full', 'readout', 'scratch'], (4,))
    """
    return parsed(CompareSpec, document, origin, title="a comparison", verb="compare")


def read_compare_spec(path: Path) -> CompareSpec:
    """Read the spec of a comparison from YAML.

    Raises
    ------
    BadInputError
        The file cannot be read or is no valid spec.
    """
    return parse_compare_spec(read_settings(path), str(path))


def compare_spec_text(spec: CompareSpec) -> str:
    """Return the spec as YAML with every default written out."""
    document = spec.model_dump(mode="json")
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
