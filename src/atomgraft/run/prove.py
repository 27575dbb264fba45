"""The proof of a run: held-out errors, forgetting and consistency, side by side."""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from ase import Atoms
from ase.data import atomic_numbers

from atomgraft.adaptation.graft import GRAFT, load_graft, read_card, write_errors
from atomgraft.core.errors import AtomgraftError, BadInputError
from atomgraft.core.outputs import held
from atomgraft.core.provenance import now
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.data.checks.findings import refuse_errors
from atomgraft.data.checks.suite import check_against_base
from atomgraft.data.labels import structures_fingerprint
from atomgraft.data.readers import read_structures
from atomgraft.evaluation.crystals import shipped_crystals
from atomgraft.evaluation.rounding import METRIC as ROUNDING
from atomgraft.evaluation.suites import assess
from atomgraft.evaluation.verdict import verdict
from atomgraft.evaluation.weights import moved_weights
from atomgraft.lattice.forces import require_known
from atomgraft.models.base import AbstractPotential
from atomgraft.phonons.scores import SUITE as PHONONS
from atomgraft.phonons.scores import phonon_scores
from atomgraft.phonons.suite import prove_phonons, read_crystals
from atomgraft.records.scores import ModelName, MovedWeights, Score
from atomgraft.run.baseline import SCRATCH
from atomgraft.run.held_out import judging, read_held_out
from atomgraft.run.inputs import (
    data_card,
    knowledge_of,
    load_base,
    numbers_of,
    require_finished,
)
from atomgraft.run.record import RESULT, DataCard, RunResult
from atomgraft.run.spec import SPEC, RunSpec, parse_spec, read_spec
from atomgraft.run.structures import notices_of, read_files
from atomgraft.study.sessions import Clock, provenance
from atomgraft.training.devices import DeviceName, resolve_device

LABELS = "labels"
"""The suite that held-out structures answer."""

SAME_CHANGE = 1e-5
"""Share by which the movement of the same weights may differ between machines, where
low-rank deltas are multiplied out in another order."""


def prove(
    folder: Path,
    test: Sequence[str],
    *,
    device: DeviceName = "auto",
    default_labels: bool = False,
    trust: Trust = NO_TRUST,
    progress: Callable[[str, int, int], None] | None = None,
    notify: Callable[[str], None] | None = None,
) -> RunResult:
    """Judge a finished run and write the scores into its result.

    Base and adapted model are judged side by side, and the run in the subfolder
    ``scratch`` if there is one.

    Parameters
    ----------
    folder
        A run folder.
    test
        Files of held-out structures; none judges forgetting and consistency alone.
    device
        Where the models run.
    default_labels
        Read the test files by the default keys and units, not by those that the
        run's spec gives for its training files.
    trust
        Which checkpoints may run code.
    progress
        Called with what comes next, steps done and steps in all.
    notify
        Called with what the user should know of the held-out structures.

    Raises
    ------
    BadInputError
        The run has not finished, a file cannot be used, or test structures were
        trained on.
    """
    clock = Clock(started=now(), counter=time.perf_counter())
    require_finished(folder)
    with held(folder, None):
        spec, result = read_spec(folder / SPEC), RESULT.read(folder)
        _refuse_changed_spec(folder, spec, result)
        base = load_base(spec.base, head=spec.head, trust=trust)
        judge = _Judge(spec=spec, result=result, base=base, notify=notify or _ignore)
        structures = judge.held_out(test, default_labels=default_labels) if test else []
        models, shifts = _contestants(folder, base, spec, resolve_device(device))
        found = assess(
            models,
            structures,
            crystals=shipped_crystals(),
            reference_shifts=shifts,
            training_elements=numbers_of(result.data[0].elements),
            seed=spec.seed,
            progress=progress,
        )
        moved = moved_weights(models["base"], models["adapted"])
        result = judge.without_stale(moved)
        stands = not structures and any(one.suite == LABELS for one in result.scores)
        cards = tuple(one for one in result.data if one.role != "test" or stands)
        cards += (data_card("test", test, structures),) if structures else ()
        scores = _joined(result.scores if stands else (), found.scores)
        scores += tuple(one for one in result.scores if one.suite == PHONONS)
        earlier = (one for one in result.provenance if one.verb != "prove" or stands)
        session = provenance("prove", clock, models["base"].device, spec.dtype)
        result = result.model_copy(
            update={
                "data": cards,
                "scores": scores,
                "parity": result.parity if stands else found.parity,
                "moved": moved,
                "verdict": verdict(scores, moved=moved),
                "provenance": (*earlier, session),
            }
        )
        RESULT.write(folder, result)
        write_errors(folder / GRAFT, _card_errors(result))
        return result


def _joined(stored: Sequence[Score], new: Sequence[Score]) -> tuple[Score, ...]:
    """Return the scores of held-out labels that stand, before what is new.

    Their rounding stands with them: without it a change within it would count.
    """
    kept = (one for one in stored if one.suite == LABELS or one.metric == ROUNDING)
    return (*kept, *new)


def prove_vibrations(
    folder: Path,
    crystals: Sequence[str],
    *,
    test: Sequence[str] = (),
    device: DeviceName = "auto",
    trust: Trust = NO_TRUST,
    is_trial: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> RunResult:
    """Judge the vibrations of crystals and add them to the result of a run.

    Parameters
    ----------
    folder
        A run folder.
    crystals
        Structures and calculations of phonopy; none takes those among the run's files.
    test
        Files of held-out structures, which may be calculations of phonopy as well.
    device
        Where the models run.
    trust
        Which checkpoints may run code.
    is_trial
        Check that the crystals can be used, and return the result as it is.
    progress
        Called with what comes next, steps done and steps in all.

    Raises
    ------
    BadInputError
        The run has not finished, or a crystal cannot be used.
    """
    clock = Clock(started=now(), counter=time.perf_counter())
    require_finished(folder)
    with held(folder, None):
        spec, result = read_spec(folder / SPEC), RESULT.read(folder)
        chosen = read_crystals(crystals, (*spec.train, *test))
        base = load_base(spec.base, head=spec.head, trust=trust)
        require_known(base, [crystal.atoms for _, crystal in chosen])
        if is_trial:
            return result
        models, _ = _contestants(folder, base, spec, resolve_device(device))
        phonons = prove_phonons(models, chosen, progress=progress)
        rows = phonon_scores(phonons)
        moved = moved_weights(models["base"], models["adapted"])
        others = (one for one in result.scores if one.suite != PHONONS)
        scores = (*others, *rows)
        session = provenance("phonons", clock, models["base"].device, "float64")
        earlier = (one for one in result.provenance if one.verb != "phonons")
        result = result.model_copy(
            update={
                "scores": scores,
                "phonons": phonons,
                "moved": moved,
                "verdict": verdict(scores, moved=moved),
                "provenance": (*earlier, session),
            }
        )
        RESULT.write(folder, result)
        return result


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


def _ignore(_text: str) -> None:
    """Tell nobody."""


def _refuse_changed_spec(folder: Path, spec: RunSpec, result: RunResult) -> None:
    """Check that the spec on disk is the one that was run."""
    made_from = parse_spec(result.spec, str(folder))
    if spec.identity() != made_from.identity():
        raise BadInputError(
            f"{folder / SPEC} was changed after the run.",
            "A run is judged by the spec it was made from.",
            "Put the file back, or make a run of the new spec in another folder.",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Judge:
    """Reads the structures that judge, and sees that they are held out."""

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
        result, dropped, why = self.result, set[str](), ""
        if not _is_same(result.moved, moved):
            dropped |= {one.suite for one in result.scores}
            why = "the graft is another than the one they judged"
        elif any(self._has_changed(one) for one in result.data if one.role == "test"):
            dropped, why = {LABELS}, "their files have changed since"
        if not dropped:
            return result
        self.notify(
            f"Earlier answers are dropped ({', '.join(sorted(dropped))}): {why}."
        )
        has_labels = LABELS not in dropped
        return result.model_copy(
            update={
                "scores": tuple(
                    one for one in result.scores if one.suite not in dropped
                ),
                "data": tuple(
                    one for one in result.data if one.role != "test" or has_labels
                ),
                "parity": result.parity if has_labels else (),
                "phonons": () if PHONONS in dropped else result.phonons,
            }
        )

    def _has_changed(self, card: DataCard) -> bool:
        """Tell whether test files hold other structures now; gone ones do not."""
        is_there = False
        for read in (functools.partial(read_files, self.spec), read_structures):
            try:
                frames = judging(self.spec, read(card.files))
                found = structures_fingerprint(frames)
            except AtomgraftError:
                continue
            if found == card.fingerprint:
                return False
            is_there = True
        return is_there

    def held_out(self, files: Sequence[str], *, default_labels: bool) -> list[Atoms]:
        """Read and check the structures that judge."""
        read = read_held_out(
            self.spec, self.result, files, default_labels=default_labels
        )
        against = check_against_base(read.sets, knowledge_of(self.base))
        refuse_errors(against)
        for notice in (*read.notes, *notices_of((*read.findings, *against))):
            self.notify(notice)
        return read.structures


def _contestants(
    folder: Path, base: AbstractPotential, spec: RunSpec, device: torch.device
) -> tuple[dict[ModelName, AbstractPotential], dict[ModelName, Mapping[int, float]]]:
    """Return base, adapted and scratch models with their reference shifts."""
    base = base.clone(device=device)  # in its own precision, as grafts are pinned to it
    dtype = getattr(torch, spec.dtype)
    models: dict[ModelName, AbstractPotential] = {
        "base": base.clone(dtype=dtype, device=device)
    }
    shifts: dict[ModelName, Mapping[int, float]] = {}
    runs: dict[ModelName, Path] = {"adapted": folder, "scratch": folder / SCRATCH}
    for name, run in runs.items():
        graft = run / GRAFT
        if graft.is_file():
            models[name] = load_graft(graft, base).merged()
            stored = read_card(graft).reference_shifts
            shifts[name] = {atomic_numbers[key]: one for key, one in stored.items()}
    return models, shifts
