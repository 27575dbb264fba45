"""The run that trains on the labels once all are there: ``label --then``."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from rich.console import Console

from atomgraft.core.errors import BadInputError
from atomgraft.core.trust import Trust
from atomgraft.label.labelling.plan import LabelPlan
from atomgraft.label.labelling.record import LabelResult, n_with
from atomgraft.label.labelling.work import ADAPTED, LABELS_FILE
from atomgraft.page.wording import counted
from atomgraft.run.adapt import adapt
from atomgraft.run.folders import inputs_of
from atomgraft.run.inputs import load_base
from atomgraft.run.places import refuse_other_runs, runs_of
from atomgraft.run.record import RunResult
from atomgraft.run.screen import training_screen
from atomgraft.run.spec import SPEC, RunSpec, parse_spec, with_accepted
from atomgraft.run.structures import read_files
from atomgraft.study.screen import calm
from atomgraft.training.devices import resolve_device

NOTHING = "No structure was labelled, so no model was trained."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Then:
    """A run whose training data are labelled first.

    Parameters
    ----------
    run
        Its spec, complete.
    folder
        Where it lives, inside the folder of the labels.
    labels
        The file that it waits for.
    """

    run: RunSpec
    folder: Path
    labels: str

    @property
    def words(self) -> str:
        """The run in words."""
        return f"{self.run.recipe} from {self.run.base_words} into {self.folder}"


def then_of(document: object, origin: str, out: Path) -> Then:
    """Return the run that trains on the labels of a folder.

    Parameters
    ----------
    document
        A run file. One without ``train`` trains on the labels.
    origin
        Where it came from, for messages.
    out
        Folder of the labels.

    Raises
    ------
    BadInputError
        It is no run, or one that does not train on the labels.

    Examples
    --------
    >>> given = {"base": "pair:sw-si", "recipe": "full"}
    >>> then_of(given, "this example", Path("runs/labels")).run.train
    ('runs/labels/labels.extxyz',)
    """
    labels = os.path.normpath(out / LABELS_FILE)
    is_filled = isinstance(document, dict) and document.get("train") is None
    given = document
    if is_filled:
        given = {**cast("dict[str, Any]", document), "train": [labels]}
    run = parse_spec(given, origin)
    folder = out / ADAPTED
    trained = [file for one, _ in runs_of(run, folder) for file in _trained_on(one)]
    named = [one for one in trained if _is_file(one, labels)]
    if not named:
        raise BadInputError(
            f"{origin} trains on {', '.join(run.train)}, and the labels will be in "
            f"{labels}.",
            "The run of --then trains on these labels.",
            f"Leave 'train' out, or name {labels} there or in a head.",
        )
    if is_filled and len(named) > 1:
        raise BadInputError(
            f"{origin} has no 'train', and names {labels} for another head or run.",
            "The labels are filled in where a file does not name them.",
            "Name the training data of the run with 'train'.",
        )
    return Then(run=run, folder=folder, labels=labels)


def _trained_on(run: RunSpec) -> Iterator[str]:
    """Yield the training files of a run and of its heads."""
    yield from run.train
    for head in run.heads.values():
        yield from head.train


def _is_file(name: str, path: str) -> bool:
    """Tell whether a name is that of a file, with or without chosen frames."""
    return os.path.realpath(path) in {
        os.path.realpath(one) for one in (name, name.rpartition("@")[0]) if one
    }


def refuse_then(
    then: Then, plan: LabelPlan, trust: Trust, *, fresh: bool = False
) -> None:
    """Check what can be checked of a run before there are labels.

    Parameters
    ----------
    then
        The run.
    plan
        Of the labelling.
    trust
        Which checkpoints may run code.
    fresh
        What is in the folder is to be removed.

    Raises
    ------
    BadInputError
        There will be no labels, the folder holds another run, or base, head or a file
        cannot be used.
    """
    if plan.spec.md is not None:
        raise BadInputError(
            "--then was given with molecular dynamics.",
            "Trajectories have no labels to train on.",
            "Leave out --md, or --then.",
        )
    if not fresh:
        try:
            refuse_other_runs(then.run, then.folder, fresh=False, read=inputs_of)
        except BadInputError as error:
            raise _kept(then, error) from error
    runs = [run for run, _ in runs_of(then.run, then.folder)]
    for run in runs:
        resolve_device(run.device)
        of_heads = [file for one in run.heads.values() for file in one.validation]
        files = [*_trained_on(run), *run.validation, *of_heads]
        there = [one for one in files if not _is_file(one, then.labels)]
        if there:
            read_files(run, there)
    first = runs[0]
    base = load_base(
        str(first.base), head=first.head, trust=trust, kernels=first.kernels
    )
    for head in first.heads.values():
        if head.source_head is not None:
            base.for_head(head.source_head)


def outcome_words(result: LabelResult) -> str:
    """Return what a labelling means for the run that waits for it.

    Parameters
    ----------
    result
        The index.
    """
    if not result.finished:
        return "The model is trained when all structures are labelled."
    if result.labels is None:
        return NOTHING
    n_done = n_with(result, "done")
    n_missing = len(result.jobs) - n_done
    left = f"; {counted(n_missing, 'structure')} without labels" if n_missing else ""
    return f"Training on {counted(n_done, 'labelled structure')}{left}."


def train(then: Then, screen: Console, trust: Trust) -> RunResult:
    """Train on the labels, or go on with it; what is finished is left as it is.

    Parameters
    ----------
    then
        The run.
    screen
        Where to show it.
    trust
        Which checkpoints may run code.

    Raises
    ------
    BadInputError
        The run cannot be trained on these labels, which are kept.
    """
    run = with_accepted(then.run, then.folder)
    screen.print(f"\n{then.words}", markup=False)
    try:
        with calm(), training_screen(screen) as shown:
            return adapt(run, then.folder, trust=trust, observer=shown)
    except BadInputError as error:
        raise _kept(then, error) from error


def _kept(then: Then, error: BadInputError) -> BadInputError:
    """Return a refusal of a run as one of ``--then``: its options are other ones."""
    if (then.folder / SPEC).exists():
        remedy = (
            f"Train it in another folder: atomgraft adapt, with --train {then.labels} "
            "and another --out. Or delete labels and run with --fresh."
        )
    else:
        remedy = (
            f"{error.remedy} Options of 'atomgraft adapt' are keys of the run file; "
            "labels are kept, and the same command continues."
        )
    return BadInputError(error.came, error.needed, remedy)
