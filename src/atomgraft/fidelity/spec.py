"""The spec of a study of levels of theory: frozen, validated, unknown keys refused."""

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

from atomgraft.compare.spec import CompareSpec, Entrant, parse_compare_spec
from atomgraft.core.kernels import Kernels
from atomgraft.core.seeding import MAX_SEED
from atomgraft.core.specs import parsed
from atomgraft.core.yaml_files import read_settings
from atomgraft.data.label_keys import LABEL_OPTIONS, LabelOptions
from atomgraft.models.presets import split_preset
from atomgraft.run.spec import RESERVED_HEADS, RunSpec, parse_spec, require_named
from atomgraft.training.plan import Plan

FIDELITY_SPEC = "fidelity.yaml"

Strategy = Literal["fine-tuning", "multi-head", "all-heads", "delta"]
"""How labels of a source are used for the target."""

ALONE = "alone"
"""The target's labels without any source: always in the table."""

Kept = Literal["all", "forces", "energy"]
"""Which labels of a source are used."""

Texts = Annotated[tuple[str, ...], Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]

ONE_OR_MORE = frozenset(
    {
        "base", "train", "test", "accept", "source_sizes", "sizes", "keep",
        "strategies", "recipes", "seeds",
    }
)  # fmt: skip
"""Keys that take one value for a list of one."""

GRID = frozenset(
    {"source_sizes", "sizes", "keep", "strategies", "recipes", "seeds", "sources"}
)
"""Keys that say which cells a study has; it may grow along them."""


class SourceSpec(BaseModel):
    """Labels of another level of theory."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: Texts
    """Files of labelled structures. Those with a geometry of the target's test set are
    never trained on: they measure the source's own error."""
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Processor time of one label, s; none takes what ``label`` has measured."""
    energy_key: str | None = None
    forces_key: str | None = None
    stress_key: str | None = None
    energy_unit: str | None = None
    forces_unit: str | None = None
    stress_unit: str | None = None
    stress_order: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_files(cls, given: Any) -> Any:  # noqa: ANN401 - before validation
        if isinstance(given, str):
            return {"train": (given,)}
        if isinstance(given, list | tuple):
            return {"train": given}
        if isinstance(given, dict) and isinstance(given.get("train"), str):
            return {**given, "train": (given["train"],)}
        return given

    def labels(self) -> dict[str, str | None]:
        """Return what the source says of the labels in its files."""
        return {key: getattr(self, key) for key in LABEL_OPTIONS}


class FidelitySpec(BaseModel):
    """One study, complete: sources x sizes x labels kept x strategies x seeds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Annotated[Texts, BeforeValidator(require_named)]
    """Models to start from: fresh weights such as ``sevennet:mini:H,C,O``, or
    pretrained ones."""
    head: str | None = None
    """Modality of a multi-fidelity base."""
    train: Texts
    """The pool of structures with labels of the target."""
    test: Texts
    """Held-out structures of the target; no source trains on their geometries."""
    sources: Annotated[dict[str, SourceSpec], Field(min_length=1)]
    """Other levels of theory by name: files, or ``train`` with keys and units."""
    energy_key: str | None = None
    forces_key: str | None = None
    stress_key: str | None = None
    energy_unit: str | None = None
    """Unit of the target's energies where they are not eV, the total of the cell."""
    forces_unit: str | None = None
    """Unit and sign of the target's forces where they are not eV/Å."""
    stress_unit: str | None = None
    """Unit and sign of the target's stresses where they are not eV/Å³."""
    stress_order: str | None = None
    """Order of six stress components where it is not xx yy zz yz xz xy."""
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Processor time of one label of the target, s; none takes what was measured."""
    accept: tuple[str, ...] = ()
    """Codes of warnings about the data that do not stop the study."""
    source_sizes: (
        Annotated[tuple[Count, ...], Field(min_length=1)] | Literal["auto"]
    ) = "auto"
    """Numbers of structures of a source; ``auto`` doubles up to the smallest source."""
    sizes: Annotated[tuple[Count, ...], Field(min_length=1)] | Literal["auto"] = "auto"
    """Numbers of structures of the target; ``auto`` doubles up to the whole pool."""
    keep: Annotated[tuple[Kept, ...], Field(min_length=1)] = ("all",)
    """Labels of the sources that are used: ``all``, ``forces``, ``energy``."""
    strategies: Annotated[tuple[Strategy, ...], Field(min_length=1)] = (
        "fine-tuning",
        "multi-head",
    )
    """``fine-tuning`` trains on the source, then on the target; ``multi-head`` on both
    at once with a head for each; ``all-heads`` on all sources and the target; ``delta``
    learns the difference between target and source, which is computed again for each
    structure. The target alone is always trained, too."""
    recipes: Annotated[tuple[Entrant, ...], Field(min_length=1)] = (
        Entrant(name="full", recipe="full"),
    )
    """What moves in fine-tuning."""
    pretraining: Entrant | None = None
    """The recipe of the source's model, of the target alone, of several heads and of
    the difference. None draws fresh weights (``scratch``) where the base is a preset
    such as ``sevennet:mini:H,C,O``, and trains all weights of any other (``full``)."""
    source_training: Plan = Plan(steps=2000)
    """Steps of the source's model. Models that are trained in one go get these and
    those of ``training``."""
    training: Plan = Plan()
    """Steps of fine-tuning."""
    seeds: Annotated[
        tuple[Annotated[int, Field(ge=0, lt=MAX_SEED)], ...], Field(min_length=1)
    ] = (0, 1, 2)
    """Each draws its own training sets and its own order."""
    quantity: Literal["auto", "energy", "forces"] = "auto"
    """The error that is shown; ``auto``: forces where the test set has them."""
    dtype: Literal["float32", "float64"] = "float32"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    kernels: Kernels = "ours"
    """``upstream`` computes with the modules of MACE and SevenNet in place of
    atomgraft's faster ones."""

    @model_validator(mode="before")
    @classmethod
    def _single_is_list(cls, given: Any) -> Any:  # noqa: ANN401 - before validation
        if not isinstance(given, dict):
            return given
        alone = {
            key: (given[key],)
            for key in ONE_OR_MORE
            if isinstance(given.get(key), str | int | float) and given[key] != "auto"
        }
        return {**given, **alone}

    @field_validator("base", "source_sizes", "sizes", "keep", "strategies", "seeds")
    @classmethod
    def _refuse_repeats(cls, given: Any) -> Any:  # noqa: ANN401 - several fields
        if given != "auto" and len(set(given)) < len(given):
            raise ValueError("a value stands there twice")
        return given

    @field_validator("recipes")
    @classmethod
    def _refuse_same_names(cls, given: tuple[Entrant, ...]) -> tuple[Entrant, ...]:
        names = [one.name.casefold() for one in given]
        if len(set(names)) < len(names):
            raise ValueError("two recipes have one name; give each a 'name'")
        return given

    @field_validator("sources")
    @classmethod
    def _refuse_names(cls, given: dict[str, SourceSpec]) -> dict[str, SourceSpec]:
        for name in given:
            is_plain = name and all(c.isalnum() or c in "._-" for c in name)
            if not is_plain or not name[0].isalnum():
                raise ValueError(
                    f"the source {name!r}: a name has letters, digits, '.', '_', '-'"
                )
            if name in RESERVED_HEADS or name == ALONE:
                raise ValueError(f"a source cannot be called {name!r}")
        if len({name.casefold() for name in given}) < len(given):
            raise ValueError("names of sources differ in more than their case")
        return given

    @model_validator(mode="after")
    def _refuse_impossible_cells(self) -> "FidelitySpec":
        """Check that every cell makes a valid run."""
        for plan in (self.training, self.source_training):
            if plan.patience is not None:
                raise ValueError(
                    "all cells make the same number of steps and keep the last "
                    "weights; leave 'patience' out"
                )
        if "all-heads" in self.strategies and len(self.sources) < 2:
            raise ValueError(
                "'all-heads' trains several sources at once and needs two sources; "
                "with one, 'multi-head' is the same"
            )
        if "fine-tuning" in self.strategies:
            for entrant in self.recipes:
                run = self.run_of(entrant, self.base[0], ("a",), 0, plan=self.training)
                if run.axes.starts.weights == "fresh":
                    raise ValueError(
                        f"the recipe '{entrant.name}' draws fresh weights, so that "
                        "nothing of a source is left; the target alone is in the table"
                    )
        for base in self.base:
            self.run_of(self.first(base), base, ("a",), 0, plan=self.together)
        return self

    def first(self, base: str) -> Entrant:
        """Return the recipe of everything that starts from a base.

        Parameters
        ----------
        base
            One of the study's.

        Examples
        --------
        >>> spec = FidelitySpec(base="7net-0", train="a", test="b", sources={"c": "d"})
        >>> spec.first("7net-0").recipe, spec.first("sevennet:tiny:H,C").recipe
        ('full', 'scratch')
        """
        if self.pretraining is not None:
            return self.pretraining
        _, elements = split_preset(base)
        recipe = "scratch" if elements else "full"
        return Entrant(name=recipe, recipe=recipe)

    @property
    def together(self) -> Plan:
        """The plan of models that are trained in one go: as many steps as two runs."""
        steps = self.source_training.steps + self.training.steps
        return self.source_training.model_copy(update={"steps": steps})

    def run_of(
        self,
        entrant: Entrant,
        base: str,
        train: tuple[str, ...],
        seed: int,
        *,
        plan: Plan,
        heads: dict[str, str] | None = None,
        is_tuning: bool = False,
    ) -> RunSpec:
        """Return the run of one cell; the weights of its last step are kept.

        Parameters
        ----------
        entrant
            Recipe with settings.
        base
            To start from.
        train
            Files with labels under the canonical keys.
        seed
            Of everything random.
        plan
            The budget.
        heads
            Files of further levels of theory, by name.
        is_tuning
            The base is the model of a source, which has no modality to choose.

        Raises
        ------
        BadInputError
            The recipe or its settings make no valid run.
        """
        settings = dict(entrant.settings)
        own = settings.pop("training", None)
        document = {
            "base": base,
            "train": train,
            "validation_fraction": 0.0,
            "recipe": entrant.recipe,
            "training": {**plan.model_dump(), **own}
            if isinstance(own, dict)
            else own or plan.model_dump(),
            "seed": seed,
            "dtype": self.dtype,
            "device": self.device,
            "kernels": self.kernels,
            "heads": {name: {"train": file} for name, file in (heads or {}).items()},
            **settings,
        }
        if not is_tuning:
            document["head"] = self.head
        return parse_spec(document, f"The recipe '{entrant.name}'")

    def labels(self) -> LabelOptions:
        """Return what the study says of the labels of the target."""
        return LabelOptions(**{key: getattr(self, key) for key in LABEL_OPTIONS})

    def level(self, source: str | None) -> CompareSpec:
        """Return one level of theory as the comparison that reads and checks it.

        Parameters
        ----------
        source
            Its name; none is the target.
        """
        told = self if source is None else self.sources[source]
        document = {
            "base": self.base,
            "head": self.head,
            "train": told.train,
            "test": self.test if source is None else told.train,
            "validation_fraction": 0.0,
            "recipes": (self.first(self.base[0]),),
            "accept": self.accept,
            "dtype": self.dtype,
            "device": self.device,
            "kernels": self.kernels,
            **told.labels(),
        }
        return parse_compare_spec(document, source or "The target")

    def frame(self) -> dict[str, Any]:
        """Return what all cells share: a study grows only inside it."""
        hidden = {*GRID, "device", "accept", "quantity", "seconds"}
        document = self.model_dump(mode="json", exclude=hidden)
        document["sources"] = {
            name: one.model_dump(mode="json", exclude={"seconds"})
            for name, one in self.sources.items()
        }
        return document


def parse_fidelity_spec(document: object, origin: str) -> FidelitySpec:
    """Validate the spec of a study of levels of theory.

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
    >>> spec = parse_fidelity_spec(
    ...     {
    ...         "base": "sevennet:tiny:H,C,O",
    ...         "train": "dft.xyz",
    ...         "test": "held-out.xyz",
    ...         "sources": {"xtb": "xtb.xyz"},
    ...     },
    ...     "this example",
    ... )
    >>> spec.strategies, spec.sources["xtb"].train
    (('fine-tuning', 'multi-head'), ('xtb.xyz',))
    """
    return parsed(
        FidelitySpec, document, origin, title="a study of levels", verb="fidelity"
    )


def read_fidelity_spec(path: Path) -> FidelitySpec:
    """Read the spec of a study from YAML.

    Raises
    ------
    BadInputError
        The file cannot be read or is no valid spec.
    """
    return parse_fidelity_spec(read_settings(path), str(path))


def fidelity_spec_text(spec: FidelitySpec) -> str:
    """Return the spec as YAML with every default written out."""
    document = spec.model_dump(mode="json")
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
