"""The commands of a run from Python, with objects."""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast, final

from atomgraft.adaptation.graft import GRAFT
from atomgraft.core.errors import BadInputError
from atomgraft.core.kernels import KernelName, kernels_named
from atomgraft.core.storage import is_folder
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.data.label_keys import LABEL_OPTIONS, LabelOptions
from atomgraft.models.base import AbstractPotential
from atomgraft.models.calculator import GraftCalculator
from atomgraft.page.wording import counted
from atomgraft.records.scores import Verdict
from atomgraft.run import adapt as adapting
from atomgraft.run import prove as proving
from atomgraft.run.folders import inputs_of
from atomgraft.run.inputs import load_base, merged_run, require_finished
from atomgraft.run.merge import exported_note, write_merged
from atomgraft.run.page import PAGE, write_page
from atomgraft.run.page.document import key_facts
from atomgraft.run.places import refuse_other_runs
from atomgraft.run.record import RESULT, RunResult
from atomgraft.run.screen import main_scores, training_screen
from atomgraft.run.spec import (
    SHORT,
    SPEC,
    RunSpec,
    parse_spec,
    read_spec,
    refuse_many_runs,
    with_accepted,
    with_short,
)
from atomgraft.run.suites import SUITES, takes_several
from atomgraft.study.notebook import (
    Frames,
    Given,
    about_arguments,
    card,
    frame_of,
    refuse_unknown,
)
from atomgraft.study.options import trust_of
from atomgraft.study.screen import (
    calm,
    console,
    device_name,
    print_notice,
    stage_screen,
)
from atomgraft.training.devices import resolve_device

ORIGIN = "The call of adapt()"

RECIPE = "lora"
"""The strategy of a run that names none."""

RATE = "lr"
"""Short for `learning_rate`, as on the command line."""

ADAPT_KEYS = frozenset({*RunSpec.model_fields, *SHORT, RATE})


@final
@dataclasses.dataclass(frozen=True)
class Base:
    """A potential to start from.

    Parameters
    ----------
    name
        As it was given.
    potential
        Loaded, in its own precision.
    head
        Of a multi-fidelity model.
    trust
        Which checkpoints may run code.
    kernels
        Whose code computes its layers.
    """

    name: str
    potential: AbstractPotential = dataclasses.field(repr=False)
    head: str | None = None
    trust: Trust = dataclasses.field(default_factory=dict, repr=False, compare=False)
    kernels: KernelName = "ours"

    def calculator(self, device: str = "auto") -> GraftCalculator:
        """Return it as a calculator of ASE.

        Parameters
        ----------
        device
            ``auto``, ``cpu`` or ``cuda``.
        """
        return _calculator(self.potential, device)

    def _repr_html_(self) -> str:
        n_weights = sum(one.numel() for one in self.potential.module.parameters())
        facts = [
            f"{self.potential.card.framework}, {counted(n_weights, 'weight')}, "
            f"{counted(len(self.potential.elements), 'element')}",
            f"Licence: {self.potential.card.licence}",
        ]
        return card(self.name, facts)


@final
@dataclasses.dataclass(frozen=True)
class Proof:
    """What a run was found to be worth.

    Parameters
    ----------
    folder
        Of the run.
    result
        Everything that is known of it.
    """

    folder: Path
    result: RunResult = dataclasses.field(repr=False)

    @property
    def verdict(self) -> Verdict:
        """Headline, sentences, and whether the adaptation took."""
        return self.result.verdict

    @property
    def page(self) -> Path:
        """The page, one HTML file."""
        return self.folder / PAGE

    def to_frame(self) -> Any:  # noqa: ANN401 - pandas is loaded only here
        """Return every score as a row of a pandas DataFrame."""
        return frame_of([one.model_dump() for one in self.result.scores])

    def _repr_html_(self) -> str:
        said = (*self.verdict.sentences, f"Page: {self.page}")
        return card(self.verdict.headline, said, *main_scores(self.result))


@final
@dataclasses.dataclass(frozen=True)
class Run:
    """An adaptation in its folder.

    Parameters
    ----------
    folder
        Where it is.
    trust
        Which checkpoints may run code.
    base
        Where its base is today, if it was moved.
    """

    folder: Path
    trust: Trust = dataclasses.field(default_factory=dict, repr=False, compare=False)
    base: str | None = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def result(self) -> RunResult:
        """Everything that is known of the run, as its ``result.json`` has it now."""
        with about_arguments():
            return RESULT.read(self.folder)

    @property
    def finished(self) -> bool:
        """Whether training came to its end; else call ``adapt`` again."""
        return (self.folder / GRAFT).is_file() and self.result.finished

    def prove(
        self,
        test: Given | None = None,
        suites: Sequence[str] | Mapping[str, Mapping[str, Any]] = (),
        *,
        device: str = "auto",
        default_labels: bool = False,
        progress: bool = True,
    ) -> Proof:
        """Judge the run, and write its page.

        Parameters
        ----------
        test
            Held-out structures: files or a list of `Atoms`.
        suites
            Names of suites, or names with options, such as
            ``{"phonons": {"crystal": "POSCAR"}}``; none asks the usual ones.
        device
            ``auto``, ``cpu`` or ``cuda``.
        default_labels
            Read test labels by the default keys and units, not by the run's.
        progress
            Show a bar and notices.

        Raises
        ------
        BadInputError
            The run is not finished, something cannot be read, or a test structure was
            trained on.
        """
        with about_arguments():
            require_finished(self.folder)
            spec = read_spec(self.folder / SPEC)
            labels = LabelOptions() if default_labels else spec.labels()
            frames = Frames(self.folder, **labels)
            files = () if test is None else frames.named(test, "test")
            chosen = _suites(suites, frames)
            screen = console(quiet=not progress)
            with frames.written(None), calm(), stage_screen(screen) as show:
                result = proving.prove(
                    self.folder,
                    files,
                    suites=chosen,
                    device=device_name(device),
                    default_labels=default_labels,
                    origin=proving.Origin(base=self.base, trust=self.trust),
                    watch=proving.Watch(
                        progress=show, notify=lambda text: print_notice(screen, text)
                    ),
                )
            write_page(self.folder, result)
        return Proof(self.folder, result)

    def calculator(
        self, device: str = "auto", *, head: str | None = None
    ) -> GraftCalculator:
        """Return the adapted model as a calculator of ASE.

        Parameters
        ----------
        device
            ``auto``, ``cpu`` or ``cuda``.
        head
            A further head of the run; none is the one that it was made for.
        """
        with about_arguments():
            require_finished(self.folder)
            merged = merged_run(
                self.folder,
                base=self.base,
                head=head,
                trust=self.trust,
                kernels=read_spec(self.folder / SPEC).kernels,
            )
        return _calculator(merged, device)

    def merge(
        self,
        out: Path | str | None = None,
        *,
        head: str | None = None,
        share: float = 1.0,
        overwrite: bool = False,
    ) -> Path:
        """Write the adapted model as a plain file of its framework; return the file.

        Parameters
        ----------
        out
            The file; none is in the folder of the run.
        head
            A further head of the run.
        share
            Of the way from the base to the adapted weights, 0 to 1.
        overwrite
            Replace a file of that name, if it is no input.

        Raises
        ------
        BadInputError
            The run is not finished, or the file cannot be written as it is named.
        """
        with about_arguments():
            if not 0 <= share <= 1:
                raise BadInputError(
                    f"share is {share}.",
                    "Expected a number from 0 (the base) to 1 (the adapted model).",
                    "Leave it out for the adapted model.",
                )
            require_finished(self.folder)
            with calm():
                merged = merged_run(
                    self.folder,
                    base=self.base,
                    head=head,
                    share=share,
                    trust=self.trust,
                )
                path = write_merged(
                    merged,
                    self.folder,
                    None if out is None else Path(out),
                    overwrite=overwrite,
                    base=self.base,
                )
        if note := exported_note(merged):
            print_notice(console(), note)
        return path

    def _repr_html_(self) -> str:
        if not (self.folder / RESULT.file).is_file():
            return card(str(self.folder), ["Training was stopped before its end."])
        result = self.result
        rows = [[name, text] for name, text in key_facts(result)]
        said = (f"Folder: {self.folder}", *result.verdict.sentences)
        return card(result.verdict.headline, said, (), rows)


def load(
    name: str | Path,
    *,
    head: str | None = None,
    trust: bool = False,
    kernels: str = "ours",
) -> Base:
    """Load a potential to start from.

    Parameters
    ----------
    name
        A published name such as ``7net-0``, a file, or the folder of a finished run.
    head
        Of a multi-fidelity model.
    trust
        Let the file run code when it is loaded; only if you know who made it.
    kernels
        ``ours``, or ``upstream``: compute with the modules of MACE and SevenNet.

    Raises
    ------
    BadInputError
        There is no such potential, or it cannot be read.

    Examples
    --------
    >>> load("pair:sw-si").name
    'pair:sw-si'
    """
    with about_arguments():
        allowed = trust_of(trust, (), [str(name)])
        chosen = kernels_named(kernels)
        with calm():
            potential = load_base(str(name), head=head, trust=allowed, kernels=chosen)
    return Base(str(name), potential, head, allowed, chosen)


def open_run(
    folder: Path | str,
    *,
    base: Path | str | None = None,
    trust: str | Sequence[str] = (),
) -> Run:
    """Return a run that is there, finished or not.

    Parameters
    ----------
    folder
        Of the run.
    base
        Where its base is today, if it was moved.
    trust
        Files that may run code when they are loaded, such as the run's base.

    Raises
    ------
    BadInputError
        There is no run.
    """
    with about_arguments():
        if not (Path(folder) / SPEC).is_file():
            what = "holds no run" if is_folder(Path(folder)) else "does not exist"
            raise BadInputError(
                f"{folder} {what}.",
                "Expected the folder of a run with its spec.yaml.",
                "Check the path.",
            )
        files = [trust] if isinstance(trust, str) else list(trust)
        allowed = trust_of(False, files, ())  # noqa: FBT003
    return Run(Path(folder), allowed, None if base is None else str(base))


def adapt(
    base: Base | Run | RunSpec | Mapping[str, Any] | str | Path,
    train: Given,
    *,
    out: str | Path,
    recipe: str = RECIPE,
    validation: Given | None = None,
    fresh: bool = False,
    progress: bool = True,
    **keys: Any,  # noqa: ANN401 - validated by the spec
) -> Run:
    """Adapt a model to labelled structures; call it again to go on after a stop.

    Parameters
    ----------
    base
        What `load` returned, a run, or a name; or the arguments of a run that makes
        the base and is trained first, such as ``{"base": ..., "train": ...}``.
    train, validation
        Files, or a list of `Atoms` with labels under ``REF_`` keys or in a
        calculator; those are kept in ``inputs`` of the folder.
    out
        Folder of the run.
    recipe
        A named strategy.
    fresh
        Throw away what an earlier run left in the folder.
    progress
        Show what moves, a bar and notices.
    keys
        Any other key of a run file, and ``steps``, ``batch_size``, ``differences``,
        ``rank``, ``references`` and ``lr`` as on the command line.

    Raises
    ------
    BadInputError
        Something cannot be used as it is, or a warning was not accepted
        (``accept=CODE``).
    """
    with about_arguments():
        refuse_unknown("adapt()", keys, ADAPT_KEYS)
        own = {"train": train, "validation": validation, "recipe": recipe}
        folder = Path(out)
        asked = _asked(base, {**own, **keys}, folder)
        spec = asked.spec if fresh else with_accepted(asked.spec, folder)
        refuse_other_runs(spec, folder, fresh=fresh, read=inputs_of)
        screen = console(quiet=not progress)
        with contextlib.ExitStack() as stack:
            for frames in asked.frames:
                stack.enter_context(frames.written("adapt"))
            stack.enter_context(calm())
            shown = stack.enter_context(training_screen(screen))
            adapting.adapt(spec, folder, trust=asked.trust, fresh=fresh, observer=shown)
    return Run(folder, asked.trust)


@dataclasses.dataclass(frozen=True)
class _Asked:
    """The run that arguments mean.

    Parameters
    ----------
    spec
        Complete.
    trust
        Which checkpoints may run code.
    frames
        Structures among the arguments, of this run and of those that make its base.
    """

    spec: RunSpec
    trust: Trust
    frames: tuple[Frames, ...]


def _asked(base: object, keys: dict[str, Any], folder: Path, group: str = "") -> _Asked:
    """Return the run that a base and other arguments mean.

    Parameters
    ----------
    base, keys
        As `adapt` takes them.
    folder
        Of the last run, which keeps all structures.
    group
        What stands before the names of arguments, in messages: ``base.``.
    """
    labels = {key: keys.get(key) for key in LABEL_OPTIONS}
    frames = Frames(folder, **cast("Any", labels))
    below = _below(base, folder, f"{group}base")
    if below is None:
        source = _base_of(base, keys.pop("head", None), f"{group}base")
        start: dict[str, Any] = {"base": source.name, "head": source.head}
        start["kernels"] = source.kernels
        trust, others = source.trust, ()
    else:
        start, trust, others = {"base": below.spec}, below.trust, below.frames
    for name in ("train", "validation"):
        structures = keys.pop(name, None)
        if name == "train" or structures is not None:
            stem = f"{group}{name}".replace(".", "-")
            named = frames.named(structures, f"{group}{name}", stem=stem)
            start[name] = named
    origin = f"The argument {group[:-1]} of adapt()" if group else ORIGIN
    return _Asked(_spec(start, keys, origin), trust, (*others, frames))


def _below(base: object, folder: Path, argument: str) -> _Asked | None:
    """Return the run that makes a base, if the base is one that is to be made."""
    if isinstance(base, RunSpec):
        return _Asked(base, NO_TRUST, ())
    if not isinstance(base, Mapping):
        return None
    refuse_many_runs(argument.count("."))
    keys = {"recipe": RECIPE, **cast("Mapping[str, Any]", base)}
    refuse_unknown(argument, keys, ADAPT_KEYS)
    missing = [key for key in ("base", "train") if keys.get(key) is None]
    if missing:
        example = "{'base': 'sevennet:mini:Si', 'train': 'cheap.extxyz'}"
        raise BadInputError(
            f"{argument} is a run without {' and '.join(missing)}.",
            "A run that makes a base needs a base and training structures of its own.",
            f"Give for example {argument}={example}.",
        )
    return _asked(keys.pop("base", None), keys, folder, f"{argument}.")


def _spec(given: dict[str, Any], keys: dict[str, Any], origin: str) -> RunSpec:
    """Return the run that arguments mean."""
    if RATE in keys and "learning_rate" in keys:
        raise BadInputError(
            "lr and learning_rate were both given.",
            "They are the same.",
            "Leave one out.",
        )
    named = {("learning_rate" if key == RATE else key): v for key, v in keys.items()}
    short = {key: named.pop(key) for key in SHORT if key in named}
    there = {key: one for key, one in {**given, **named}.items() if one is not None}
    return with_short(parse_spec(there, origin), short, origin)


@dataclasses.dataclass(frozen=True)
class Source:
    """A model that is named: potentials are loaded by the verb itself."""

    name: str
    head: str | None
    trust: Trust
    base: str | None = None
    """Of a run, where its base is today, if it was moved."""
    kernels: KernelName | None = None


def source_of(model: object, argument: str) -> Source:
    """Return what an argument names as a model.

    Parameters
    ----------
    model
        A `Base`, a `Run`, or a name.
    argument
        Its name, for messages.

    Raises
    ------
    BadInputError
        It is something else.
    """
    if isinstance(model, Base):
        return Source(model.name, model.head, model.trust, kernels=model.kernels)
    if isinstance(model, Run):
        return Source(str(model.folder), None, model.trust, model.base)
    if isinstance(model, str | Path):
        return Source(str(model), None, NO_TRUST)
    raise BadInputError(
        f"{argument} is of type {type(model).__name__}.",
        "Expected a model: its name, what load() returned, or a run.",
        f"Give for example {argument}='7net-0'.",
    )


def _base_of(base: object, head: str | None, argument: str) -> Source:
    source = source_of(base, argument)
    if head is None or head == source.head:
        return source
    if source.head is not None:
        raise BadInputError(
            f"{argument} has the head {source.head}, and head={head!r} was given.",
            "A run starts from one head.",
            "Leave head= out, or load the base with that head.",
        )
    return dataclasses.replace(source, head=head)


def _suites(
    asked: Sequence[str] | Mapping[str, Mapping[str, Any]], frames: Frames
) -> dict[str, dict[str, Any]]:
    """Return suites with their options, structures among them as files."""
    names = [asked] if isinstance(asked, str) else list(asked)
    for name in names:
        SUITES[name]
    if not isinstance(asked, Mapping):
        return {name: {} for name in names}
    return frames.options(asked, takes_several)


def _calculator(potential: AbstractPotential, device: str) -> GraftCalculator:
    with about_arguments():
        place = resolve_device(device_name(device))
    return GraftCalculator(potential.clone(device=place))
