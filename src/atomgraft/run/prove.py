"""The test of a run: held-out errors, forgetting and consistency."""

import dataclasses
import functools
import time
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import torch
from ase import Atoms
from ase.data import atomic_numbers

from atomgraft.adaptation.graft import GRAFT, load_graft, read_card, write_errors
from atomgraft.core.errors import AtomgraftError, BadInputError
from atomgraft.core.kernels import KernelName
from atomgraft.core.outputs import held
from atomgraft.core.progress import Progress
from atomgraft.core.provenance import now
from atomgraft.core.trust import Trust
from atomgraft.data.checks.findings import refuse_errors
from atomgraft.data.checks.suite import check_against_base
from atomgraft.data.labels import structures_fingerprint
from atomgraft.data.readers import read_structures
from atomgraft.data.sources import PREFIX
from atomgraft.evaluation.suite import (
    OWN_HEAD,
    AbstractSuite,
    Answers,
    Contestants,
    HeadSubject,
    Subject,
)
from atomgraft.evaluation.verdict import verdict
from atomgraft.models.base import REFERENCE_ENERGIES, AbstractPotential
from atomgraft.page.wording import position
from atomgraft.records.documents import Provenance
from atomgraft.records.scores import ModelName, MovedWeights
from atomgraft.run.held_out import HeldOut, judging, judging_heads, read_held_out
from atomgraft.run.inputs import (
    data_card,
    load_base,
    numbers_of,
    require_finished,
    source_of,
    sources_of,
)
from atomgraft.run.places import moved_along, specs_today
from atomgraft.run.record import RESULT, DataCard, RunResult
from atomgraft.run.spec import SCRATCH, SPEC, RunSpec, parse_spec, read_spec
from atomgraft.run.starts import knowledge_of
from atomgraft.run.structures import notices_of, read_files, without_lone_atoms
from atomgraft.run.suites import (
    HEADS,
    LABELS,
    OF_THE_PAGE,
    SuiteSettings,
    chosen_suites,
    options_of,
    sentences_of,
    suites_of,
)
from atomgraft.study.sessions import Clock, provenance
from atomgraft.training.devices import DeviceName, resolve_device


def moved_weights(base: AbstractPotential, model: AbstractPotential) -> MovedWeights:
    """Compare the weights of a model with those of the base it started from.

    Parameters
    ----------
    base, model
        Of one architecture.

    Examples
    --------
    >>> from atomgraft.models.pair import lennard_jones
    >>> argon = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=8.5)
    >>> moved_weights(argon, argon.clone()).n_moved
    0
    """
    references = frozenset(base.roles.get(REFERENCE_ENERGIES, ()))
    n_weights, n_moved, change, size = 0, 0, 0.0, 0.0
    moved = dict(model.module.named_parameters())
    for name, weight in base.module.named_parameters():
        if name in references:
            continue
        before = weight.detach().double().cpu()
        after = moved[name].detach().double().cpu()
        n_weights += before.numel()
        n_moved += int((after != before).sum())
        change += float(((after - before) ** 2).sum())
        size += float(torch.sum(before**2))
    return MovedWeights(
        n_weights=n_weights,
        n_moved=n_moved,
        relative_change=(change / size) ** 0.5 if size else 0.0,
    )


DEFAULT_SUITES: SuiteSettings = MappingProxyType({})

EARLIER = {"prove": (LABELS, "forgetting", "consistency"), "phonons": ("phonons",)}
"""What commands have answered that did not yet say when, by their verb."""

ORDER = (*OF_THE_PAGE,)
"""Of suites in a result; others follow."""

T = TypeVar("T")

SAME_CHANGE = 1e-5
"""Share by which the movement of the same weights may differ between machines, where
low-rank deltas are multiplied out in another order."""


def _ignore(_text: str) -> None:
    """Ignore the message."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Watch:
    """Who is told how a proof goes.

    Parameters
    ----------
    progress
        Called with what comes next, steps done and steps in all.
    notify
        Called with what the user should know of the held-out structures.
    """

    progress: Progress | None = None
    notify: Callable[[str], None] = _ignore


@dataclasses.dataclass(frozen=True, kw_only=True)
class Origin:
    """The model that a run started from.

    Parameters
    ----------
    base
        Where it is; none looks where the run says.
    trust
        Which checkpoints may run code.
    kernels
        Whose code computes its layers, and those of its grafts; none are the run's.
    """

    base: str | None = None
    kernels: KernelName | None = None
    trust: Trust = dataclasses.field(default_factory=dict[str, str])


def prove(
    folder: Path,
    test: Sequence[str] = (),
    *,
    suites: SuiteSettings = DEFAULT_SUITES,
    device: DeviceName = "auto",
    default_labels: bool = False,
    origin: Origin | None = None,
    watch: Watch | None = None,
) -> RunResult:
    """Judge a finished run and write the scores into its result.

    Base and adapted model are judged side by side, and the run in the subfolder
    ``scratch`` if there is one. Answers of suites that are not asked stay.

    Parameters
    ----------
    folder
        A run folder.
    test
        Files of held-out structures. Frames that name a further head judge it, and the
        option ``head`` of the suite ``heads`` says that all of them do.
    suites
        Which suites, with their options; none asks for labels where there are held-out
        structures, for forgetting and for consistency.
    device
        Where the models run.
    default_labels
        Read the test files by the default keys and units, not by those that the
        run's spec gives for its training files.
    origin
        Where the base is, and which checkpoints may run code.
    watch
        Who is told what comes next, and what to know of the held-out structures.

    Raises
    ------
    BadInputError
        The run has not finished, a file or an option cannot be used, or test
        structures were trained on.
    """
    watch, origin = watch or Watch(), origin or Origin()
    clock = Clock(started=now(), counter=time.perf_counter())
    require_finished(folder)
    with held(folder, None):
        spec, result = read_spec(folder / SPEC), RESULT.read(folder)
        _refuse_changed_spec(folder, spec, result)
        head = suites.get(HEADS, {}).get("head")
        choose = functools.partial(
            chosen_suites,
            tuple(suites),
            has_test=bool(test) and head is None,
            has_heads=bool(test) and bool(spec.heads),
        )
        names = choose(answered=_answered(result))
        options_of(names, suites)  # before a model is loaded
        kernels = origin.kernels or spec.kernels
        *before, base = sources_of(
            folder, base=origin.base, trust=origin.trust, kernels=kernels
        )
        judge = _Judge(
            folder=folder, spec=spec, result=result, base=base, notify=watch.notify
        )
        read = (
            judge.held_out(test, origin.base, default_labels=default_labels, head=head)
            if test
            else HeldOut(structures=[], heads={}, findings=(), notes=())
        )
        structures = read.structures
        trained = tuple(specs_today(spec, result.made_in, folder)[0].train)
        subject = Subject(
            files=(*trained, *test),
            training_files=trained,
            structures=structures,
            elements=_trained_elements(result),
            base=base,
            load=functools.partial(load_base, trust=origin.trust, kernels=kernels),
            heads=_head_subjects(result, read),
        )
        asked = suites_of(names, subject, suites)
        models, shifts, heads = _contestants(judge, origin, resolve_device(device))
        same = {"dtype": models["base"].dtype, "device": models["base"].device}
        contestants = Contestants(
            models=models,
            reference_shifts=shifts,
            seed=spec.seed,
            folder=folder,
            original=before[0].clone(**same) if before else None,
            heads=heads,
        )
        moved = moved_weights(models["base"], models["adapted"])
        result = judge.without_stale(moved)
        names = choose(answered=_answered(result))
        left = [name for name in names if name not in asked]
        asked |= suites_of(left, subject, suites)
        found = {
            name: _beside_earlier(result, one, one.ask(contestants, watch.progress))
            for name, one in asked.items()
        }
        for sentence in _lost(result, found):
            watch.notify(sentence)
        result = _with_answers(result, found)
        cards = _test_cards(test, read)
        result = result.model_copy(update={"data": _with_cards(result.data, cards)})
        session = provenance("prove", clock, models["base"].device, spec.dtype, kernels)
        further = sentences_of(result.scores)
        result = result.model_copy(
            update={
                "spec": result.spec | {"targets": spec.plain_targets()},
                "moved": moved,
                "verdict": verdict(result.scores, moved=moved, further=further),
                "provenance": (*_still_needed(result, names), session),
                "asked": _without(result.asked, names)
                | dict.fromkeys(names, session.started),
            }
        )
        RESULT.write(folder, result)
        write_errors(folder / GRAFT, _card_errors(result))
        return result


def _head_subjects(result: RunResult, read: HeldOut) -> dict[str, HeadSubject]:
    """Return what is known of each head of a run that has several."""
    if not result.heads:
        return {}
    trained = {one.head: one for one in result.data if one.role == "train"}
    return {
        name or OWN_HEAD: HeadSubject(
            structures=read.heads.get(name, ()) if name else (),
            n_trained=card.n_structures,
            n_trained_forces=card.n_forces,
        )
        for name, card in trained.items()
    }


def _test_cards(files: Sequence[str], read: HeldOut) -> list[DataCard]:
    """Describe the test structures of each head."""
    found = {None: read.structures, **read.heads}
    return [
        data_card("test", files, structures, head=name)
        for name, structures in found.items()
        if structures
    ]


def _with_cards(
    known: Sequence[DataCard], cards: Sequence[DataCard]
) -> tuple[DataCard, ...]:
    """Return cards in which those of test structures of some heads are replaced."""
    heads = {one.head for one in cards}
    kept = (one for one in known if one.role != "test" or one.head not in heads)
    return (*kept, *cards)


def _trained_elements(result: RunResult) -> set[int]:
    """Return the elements that any head of a run was trained on."""
    trained = (one for one in result.data if one.role == "train")
    return numbers_of([symbol for one in trained for symbol in one.elements])


def _answered(result: RunResult) -> set[str]:
    """Return the suites of which anything stands in a result."""
    scored = {one.suite for one in result.scores}
    return scored | {*result.details, *result.unanswered, *result.asked}


def _lost(result: RunResult, found: Mapping[str, Answers]) -> list[str]:
    """Say which suites had scores of which the new answers have none."""
    sentences: list[str] = []
    for name, answers in found.items():
        before = {one.quantity for one in result.scores if one.suite == name}
        lost = sorted(before - {one.quantity for one in answers.scores})
        if lost:
            sentences.append(
                f"The suite {name!r} had scores of {', '.join(lost)}, and has none "
                "this time: they are no longer in the result. Ask again with what it "
                "was asked before to have them back."
            )
    return sentences


def _beside_earlier(
    result: RunResult, suite: AbstractSuite, answers: Answers
) -> Answers:
    """Return answers with the rows of before that a suite keeps beside them."""
    earlier = [one for one in result.scores if one.suite == suite.name]
    kept = suite.kept(earlier, answers.scores)
    return dataclasses.replace(answers, scores=(*kept, *answers.scores))


def _with_answers(result: RunResult, found: Mapping[str, Answers]) -> RunResult:
    """Return a result in which the answers of suites stand for earlier ones."""
    for name, answers in found.items():
        wrong = {one.suite for one in answers.scores} - {name}
        if wrong:
            raise AtomgraftError(
                f"The suite {name!r} returned scores of other suites: "
                f"{', '.join(sorted(wrong))}.",
                "Every score must carry the name of its suite.",
                "Report this to its authors.",
            )
    kept = [one for one in result.scores if one.suite not in found]
    order = (*ORDER, *found)
    new = [one for answers in found.values() for one in answers.scores]
    details = {name: one.details for name, one in found.items() if one.details}
    unanswered = {name: one.unanswered for name, one in found.items() if one.unanswered}
    scores = sorted((*kept, *new), key=lambda one: position(order, one.suite))
    return result.model_copy(
        update={
            "scores": tuple(scores),
            "details": _without(result.details, found) | details,
            "unanswered": _without(result.unanswered, found) | unanswered,
        }
    )


def _without(kept: Mapping[str, T], gone: Container[str]) -> dict[str, T]:
    return {name: one for name, one in kept.items() if name not in gone}


def _still_needed(result: RunResult, names: Sequence[str]) -> list[Provenance]:
    """Return the sessions of which some answers stand beside those of `names`."""
    stand = _answered(result) - set(names)
    when = {result.asked.get(name) for name in stand}
    unknown = stand - set(result.asked)  # results of versions that did not say
    return [
        one
        for one in result.provenance
        if one.verb not in EARLIER
        or one.started in when
        or unknown & set(EARLIER[one.verb])
    ]


def _card_errors(result: RunResult) -> dict[str, dict[str, float | str]]:
    """Return what a graft's card says of its held-out errors."""
    return {
        one.quantity: {"mae": one.value, "unit": one.unit, "n": one.n}
        for one in result.scores
        if (one.model, one.suite, one.metric) == ("adapted", "labels", "mae")
        and one.group is None
    }


def _is_same(one: MovedWeights | None, other: MovedWeights) -> bool:
    """Tell whether weights have moved as they had; unknown means yes."""
    if one is None:
        return True
    change = abs(one.relative_change - other.relative_change)
    return change <= SAME_CHANGE * other.relative_change


def _refuse_changed_spec(folder: Path, spec: RunSpec, result: RunResult) -> None:
    """Check that the spec on disk is the one that was run."""
    made_from = parse_spec(result.spec, str(folder))
    if spec.identity() != made_from.identity():
        raise BadInputError(
            f"{folder / SPEC} was changed after the run.",
            "A run is tested with the spec it was trained with.",
            "Restore the file, or make a run with the new spec in another folder.",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Judge:
    """Reads the structures that judge, and sees that they are held out."""

    folder: Path
    spec: RunSpec
    result: RunResult
    base: AbstractPotential
    notify: Callable[[str], None]

    def without_stale(self, moved: MovedWeights) -> RunResult:
        """Return the result without answers that no longer belong to the run.

        Parameters
        ----------
        moved
            What the weights are today.
        """
        result = self.result
        gone = [one for one in result.data if one.role == "test"]
        if not _is_same(result.moved, moved):
            dropped, why = _answered(result), "the graft has changed since"
        else:
            gone = list(filter(self._has_changed, gone))
            dropped = {LABELS for one in gone if one.head is None}
            dropped |= {HEADS} & _answered(result) if gone else set()
            why = "their files have changed since"
        if not dropped:
            return result
        self.notify(
            f"Earlier results are discarded ({', '.join(sorted(dropped))}): {why}."
        )
        return result.model_copy(
            update={
                "scores": tuple(
                    one for one in result.scores if one.suite not in dropped
                ),
                "data": tuple(one for one in result.data if one not in gone),
                "details": _without(result.details, dropped),
                "unanswered": _without(result.unanswered, dropped),
                "asked": _without(result.asked, dropped),
            }
        )

    def _has_changed(self, card: DataCard) -> bool:
        """Tell whether test files hold other structures now; gone ones do not."""
        is_there = False
        for read in (functools.partial(read_files, self.spec), read_structures):
            try:
                frames = read(self._places(card))
            except AtomgraftError:
                continue
            if card.fingerprint in self._fingerprints(frames, card.head):
                return False
            is_there = True
        return is_there

    def _fingerprints(self, frames: list[Atoms], head: str | None) -> set[str]:
        """Return those of what test files may have given a head to judge."""
        if head is None:
            return {structures_fingerprint(judging(self.spec, frames))}
        marked = judging_heads(self.spec, frames).get(head, [])
        return {
            structures_fingerprint(one)
            for one in (marked, without_lone_atoms(frames)[0])
        }

    def _places(self, card: DataCard) -> list[str]:
        """Return where test files are; another working directory has others."""
        made = self.result.made_in
        return [
            one
            if one.startswith(PREFIX) or not made
            else moved_along(one, made, self.folder)
            for one in card.files
        ]

    def held_out(
        self,
        files: Sequence[str],
        base: str | None,
        *,
        default_labels: bool,
        head: str | None,
    ) -> HeldOut:
        """Read and check the structures that judge."""
        read = read_held_out(
            self.spec,
            self.result,
            files,
            folder=self.folder,
            base=base,
            default_labels=default_labels,
            head=head,
        )
        against = check_against_base(read.sets, knowledge_of(self.base, spec=self.spec))
        refuse_errors(against)
        for notice in (*read.notes, *notices_of((*read.findings, *against))):
            self.notify(notice)
        return read


def _contestants(
    judge: _Judge, origin: Origin, device: torch.device
) -> tuple[
    dict[ModelName, AbstractPotential],
    dict[ModelName, Mapping[int, float]],
    dict[str, AbstractPotential],
]:
    """Return base, adapted and scratch models, their reference shifts, further heads.

    A scratch model of mapped elements has its own source: no scale of the map.
    """
    folder, base = judge.folder, judge.base
    dtype = getattr(torch, judge.spec.dtype)
    models: dict[ModelName, AbstractPotential] = {
        "base": base.clone(dtype=dtype, device=device)
    }
    shifts: dict[ModelName, Mapping[int, float]] = {}
    heads: dict[str, AbstractPotential] = {}
    runs: dict[ModelName, Path] = {"adapted": folder, "scratch": folder / SCRATCH}
    for name, run in runs.items():
        graft = run / GRAFT
        if graft.is_file():
            card = read_card(graft)
            source = base  # in its own precision, as grafts are pinned to it
            if name == "scratch" and base.weights_hash() != card.base_hash:
                source = source_of(
                    run, base=origin.base, trust=origin.trust, kernels=base.kernels
                )
            adapted = load_graft(graft, source.clone(device=device))
            models[name] = adapted.merged()
            if name == "adapted":
                heads = {one: adapted.merged(one) for one in card.heads}
            stored = card.reference_shifts
            shifts[name] = {atomic_numbers[key]: one for key, one in stored.items()}
    return models, shifts, heads
