"""The spec of a run: frozen, validated, unknown keys refused."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, WrapValidator, model_validator

from atomgraft.adaptation.axes import SOURCE, TARGET, Axes, References, map_named
from atomgraft.adaptation.recipes import RECIPES
from atomgraft.core.errors import BadInputError
from atomgraft.core.kernels import Kernels
from atomgraft.core.outputs import identity_of
from atomgraft.core.properties import Property
from atomgraft.core.provenance import fingerprint
from atomgraft.core.seeding import MAX_SEED
from atomgraft.core.specs import changes, listed, parsed
from atomgraft.core.yaml_files import read_settings
from atomgraft.data.label_keys import LABEL_OPTIONS, LabelOptions
from atomgraft.training.plan import AS_OFTEN, Knobs, Plan

SPEC = "spec.yaml"

BASE = "base"
"""Subfolder of the run that makes the base, where it is part of the spec."""

MAX_RUNS = 16
"""Runs that may start from each other; every one is loaded inside the next."""

REHEARSAL = "rehearsal"
"""The stream of what is rehearsed."""


ONE_OR_MORE = frozenset({"train", "validation", "accept"})
"""Keys that take one text for a list of one."""

RESERVED_HEADS = frozenset({TARGET, SOURCE, REHEARSAL})


class HeadSpec(BaseModel):
    """A further level of theory, trained beside the target."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: tuple[str, ...] = ()
    """Files of labelled structures; frames of the target's files that carry
    ``head=NAME`` are taken as well."""
    validation: tuple[str, ...] = ()
    source_head: str | None = None
    """The head of the base it starts from; none is the one the run starts from."""
    references: References = True
    """As ``axes.starts.references``, of this head."""
    knobs: Knobs = AS_OFTEN
    """How often it is seen, how much it counts, and its unit of energy error."""

    @model_validator(mode="before")
    @classmethod
    def _accept_one_file(cls, given: Any) -> Any:  # noqa: ANN401 - before validation
        return _with_tuples(given) if isinstance(given, dict) else given


def _name_or_run(given: Any, _: object) -> "str | RunSpec":  # noqa: ANN401 - before validation
    """Take a mapping for a run; its problems are named below the key ``base``."""
    if isinstance(given, dict):
        return RunSpec.model_validate(given)
    if isinstance(given, str | RunSpec):
        return given
    raise ValueError(
        "expected a name, a file, the folder of a run, or the keys of a run"
    )


def require_named(given: Any) -> Any:  # noqa: ANN401 - before validation
    """Refuse a run as the base of something else than a run.

    Raises
    ------
    ValueError
        A base holds the keys of a run.
    """
    several = given if isinstance(given, list | tuple) else [given]
    if any(isinstance(one, dict | RunSpec) for one in several):
        raise ValueError(
            "expected a name, a file or the folder of a run; only 'adapt' and 'plan' "
            "train a base first (atomgraft adapt base.yaml --out runs/base makes one)"
        )
    return given


class RunSpec(BaseModel):
    """One run, complete: the same spec gives the same numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Annotated["str | RunSpec", WrapValidator(_name_or_run)]
    """Name or file of the potential to start from, or folder of a finished run; or the
    keys of a run of its own, which is trained first, in the folder ``base``."""
    head: str | None = None
    """Modality of a multi-fidelity base."""
    train: Annotated[tuple[str, ...], Field(min_length=1)]
    """Files of labelled structures; ``file@0:10`` chooses frames."""
    validation: tuple[str, ...] = ()
    """Files that decide which weights are kept; without validation those of the last
    step are."""
    validation_fraction: Annotated[float, Field(ge=0, lt=1)] | Literal["auto"] = "auto"
    """Share split off where no validation file is given; ``auto``: none, whatever the
    number of structures, but a tenth where ``training.patience`` may end a run."""
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
    """Codes of warnings about the data that do not stop the run."""
    targets: dict[Property, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}
    """Largest error that is good enough, by quantity: ``energy`` in meV/atom (best
    shift per element taken out), ``forces`` in meV/Å, ``stress`` in GPa."""
    heads: dict[str, HeadSpec] = {}
    """Further levels of theory by name; what each owns stands in ``axes.owns``."""
    knobs: Knobs = AS_OFTEN
    """Those of the target, beside other heads and what is rehearsed."""
    recipe: str
    """A named recipe; ``custom`` takes `axes` as they are."""
    axes: Axes
    """What moves, pulls back, is rehearsed, and how it starts."""
    training: Plan = Plan()
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    """Peak of the schedule."""
    seed: Annotated[int, Field(ge=0, lt=MAX_SEED)] = 0
    dtype: Literal["float32", "float64"] = "float32"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    kernels: Kernels = "ours"
    """``upstream`` computes with the modules of MACE and SevenNet in place of
    atomgraft's faster ones."""

    @model_validator(mode="before")
    @classmethod
    def _fill_from_recipe(cls, given: Any) -> Any:  # noqa: ANN401 - before validation
        return _filled(given) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _refuse_contradiction(self) -> "RunSpec":
        """Check that a named recipe is what the axes say, but for their numbers."""
        taken = RESERVED_HEADS & self.heads.keys()
        if taken:
            raise ValueError(f"a head cannot be called {', '.join(sorted(taken))}")
        ratios = [self.knobs.ratio, *(one.knobs.ratio for one in self.heads.values())]
        if not any(ratios):
            raise ValueError(
                "the ratios of all heads are zero, so that no structure would be used"
            )
        if not isinstance(self.base, str):
            known = {None, self.base.head, *self.base.heads}
            if self.head not in known:
                raise ValueError(
                    f"the run that makes the base has no head '{self.head}'"
                )
        if self.n_runs > MAX_RUNS:
            raise ValueError(
                f"{self.n_runs} runs start from each other, and at most {MAX_RUNS} may"
            )
        if self.recipe in RECIPES:
            named = _skeleton(RECIPES[self.recipe].axes)
            if _skeleton(self.axes) != named:
                raise ValueError(
                    f"the axes are not those of the recipe '{self.recipe}'; call it "
                    "'custom'"
                )
        return self

    @property
    def n_runs(self) -> int:
        """How many runs are trained: this one, and those that its base is made by."""
        return 1 if isinstance(self.base, str) else 1 + self.base.n_runs

    @property
    def base_words(self) -> str:
        """The base in words: its name, or the run that makes it."""
        if isinstance(self.base, str):
            return self.base
        return f"a run on {', '.join(map(identity_of, self.base.train))}"

    def identity(self) -> str:
        """Return a hash of everything that changes numbers."""
        document = self.document(without={"device"})
        return fingerprint([json.dumps(document, sort_keys=True).encode()])

    def document(self, *, without: set[str]) -> dict[str, Any]:
        """Return what identifies a run; later keys stand in it where they are used.

        Parameters
        ----------
        without
            Keys that change no number.
        """
        document = self.model_dump(mode="json", exclude=without)
        if "base" in document and not isinstance(self.base, str):
            document["base"] = self.base.document(without=without)
        for key in ("train", "validation"):
            document[key] = [identity_of(one) for one in document[key]]
        if self.training.differences == "auto":  # as before there was a choice
            del document["training"]["differences"]
        if self.axes.starts.map is None:
            del document["axes"]["starts"]["map"]
        for key in LATER_KEYS:
            if document.get(key) is None:
                document.pop(key, None)
        for key in ("accept", "targets"):  # change no number
            document.pop(key, None)
        return document

    def plain_targets(self) -> dict[str, float]:
        """Return the targets as they stand in a record."""
        return {quantity.value: one for quantity, one in self.targets.items()}

    def labels(self) -> LabelOptions:
        """Return what the run says of the labels in its files."""
        return LabelOptions(**{key: getattr(self, key) for key in LABEL_OPTIONS})


LATER_KEYS = ("energy_unit", "forces_unit", "stress_order")
"""Keys that identify a run where they are used, and were not there from the start."""

FREE = {
    "moves": {"rank", "alpha"},
    "pulls": {"strength", "count", "share"},
    "rehearses": {"count", "ratio", "weight", "own_readout"},
    "starts": {"references", "map"},
}
"""Numbers that a user may turn without leaving a named recipe, by axis."""


def _skeleton(axes: Axes) -> dict[str, Any]:
    """Return the axes without the numbers that a user may turn."""
    document = axes.model_dump(mode="json", exclude={"owns"})
    for axis, numbers in FREE.items():
        for number in numbers & (document[axis] or {}).keys():
            del document[axis][number]
    return document


def _filled(given: dict[Any, Any]) -> dict[Any, Any]:
    """Complete axes and learning rate from the recipe; keys may still be anything."""
    filled = _with_tuples(given)
    name = filled.get("recipe", "custom")
    if name == "custom":
        if "recipe" not in filled and filled.get("axes") is None:
            raise ValueError("'recipe' is missing; for example 'recipe: full'")
        filled["recipe"] = name
        return filled
    if RECIPES.is_retired(str(name)) and filled.get("axes") is not None:
        return filled  # a run of before: its spec says everything
    recipe = RECIPES[str(name)]
    filled["axes"] = _axes_of(filled.get("axes"), recipe.axes.model_dump())
    if filled.get("learning_rate") is None:
        filled["learning_rate"] = recipe.learning_rate
    if recipe.steps is not None:
        training = filled.get("training") or {}
        if isinstance(training, dict) and training.get("steps") is None:
            filled["training"] = {**training, "steps": recipe.steps}
    return filled


def _axes_of(given: object, known: dict[str, Any]) -> object:
    """Return a recipe's axes with those that are given, and with their ``starts``."""
    if given is None:
        return known
    if not isinstance(given, dict) or "moves" in given:
        return given  # complete, or refused
    starts = given.get("starts")
    if isinstance(starts, dict):
        given = {**given, "starts": {**known["starts"], **starts}}
    return {**known, **given}


def _with_tuples(given: dict[Any, Any]) -> dict[Any, Any]:
    """Take one file name for a list of one."""
    return {
        key: (one,) if key in ONE_OR_MORE and isinstance(one, str) else one
        for key, one in given.items()
    }


def parse_spec(document: object, origin: str) -> RunSpec:
    """Validate a spec.

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
    """
    return parsed(RunSpec, document, origin, title="a run", verb="adapt", schema="run")


SHORT = {
    "steps": ("training", "steps"),
    "batch_size": ("training", "batch_size"),
    "differences": ("training", "differences"),
    "rank": ("axes", "moves", "rank"),
    "references": ("axes", "starts", "references"),
    "map": ("axes", "starts", "map"),
}
"""Where a key inside a group stands that an option sets by its last name."""


def with_short(run: RunSpec, given: Mapping[str, Any], origin: str) -> RunSpec:
    """Return a run with keys of `SHORT` set.

    Parameters
    ----------
    run
        Without them.
    given
        Values by short name; none stands for a key that is left as it is.
    origin
        Where they came from, for messages.

    Raises
    ------
    BadInputError
        The run has no such key, or not with this value.
    """
    document = run.model_dump(mode="json")
    for name, value in given.items():
        if value is None:
            continue
        *groups, key = SHORT[name]
        group = document
        for part in groups:
            group = group[part]
        is_map = name == "map" and isinstance(value, str)
        group[key] = map_named(value) if is_map else value
    return parse_spec(document, origin)


def read_spec(path: Path) -> RunSpec:
    """Read a spec from YAML.

    Raises
    ------
    BadInputError
        The file cannot be read or is no valid spec.
    """
    return parse_spec(read_settings(path), str(path))


def refuse_many_runs(depth: int) -> None:
    """Check how deep a run lies in those that start from it.

    Raises
    ------
    BadInputError
        Deeper than there may be runs: a base that holds itself has no end.
    """
    if depth >= MAX_RUNS:
        raise BadInputError(
            f"base= holds more than {MAX_RUNS} runs, or itself.",
            f"At most {MAX_RUNS} runs may start from each other.",
            "Train the first ones alone, and name the folder of the last as the base.",
        )


def refuse_other_spec(folder: Path, spec: RunSpec) -> None:
    """Check that a folder holds no run of another spec.

    Parameters
    ----------
    folder
        Of a run, if it is there.
    spec
        The run that would be written into it.

    Raises
    ------
    BadInputError
        It does.
    """
    if not (folder / SPEC).exists():
        return
    stored = read_spec(folder / SPEC)
    if stored.identity() != spec.identity():
        both = (one.document(without={"device"}) for one in (stored, spec))
        differing = changes(*both)
        raise BadInputError(
            f"{folder} contains a run with a different spec: {listed(differing)}.",
            "A folder holds one run.",
            "Choose another folder with --out, or use --fresh to delete the old run."
            + _kept_base(folder, stored, spec),
        )


def _kept_base(folder: Path, stored: RunSpec, spec: RunSpec) -> str:
    """Say how a base that is part of both specs is used again."""
    bases = stored.base, spec.base
    same = {one if isinstance(one, str) else one.identity() for one in bases}
    if any(isinstance(one, str) for one in bases) or len(same) > 1:
        return ""
    return f" In another folder, 'base: {folder / BASE}' uses its base again."


def with_accepted(spec: RunSpec, folder: Path) -> RunSpec:
    """Return a run with the warnings accepted when it was begun in a folder.

    Parameters
    ----------
    spec
        The run.
    folder
        Where it may have been begun; a folder of anybody else's accepts nothing, and
        is refused by whoever writes into it.
    """
    try:
        stored = read_spec(folder / SPEC)
    except BadInputError:
        return spec
    if stored.identity() != spec.identity():
        return spec
    accepted = dict.fromkeys((*stored.accept, *spec.accept))
    base = spec.base
    return spec.model_copy(
        update={
            "accept": tuple(accepted),
            "base": base
            if isinstance(base, str)
            else with_accepted(base, folder / BASE),
        }
    )


def spec_text(spec: RunSpec) -> str:
    """Return the spec as YAML with every default written out."""
    document = spec.model_dump(mode="json")
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


SCRATCH = "scratch"
"""Subfolder of the run from fresh weights, if one was asked for."""


def scratch_spec(spec: RunSpec) -> RunSpec:
    """Return the spec of the same run from fresh weights, at a rate that suits them.

    Parameters
    ----------
    spec
        The run to stand beside.
    """
    recipe = RECIPES["scratch"]
    wanted = spec.axes.starts.map
    starts = recipe.axes.starts.model_copy(
        update={"map": wanted and wanted.without_scales()}
    )
    return spec.model_copy(
        update={
            "recipe": "scratch",
            "axes": recipe.axes.model_copy(update={"starts": starts}),
            "learning_rate": recipe.learning_rate,
        }
    )
