"""From materials to a chosen, stored predictor."""

import dataclasses
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.stats import spearmanr

from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import examine, held
from atomgraft.core.progress import Progress
from atomgraft.core.provenance import file_fingerprint, fingerprint, now
from atomgraft.core.registry import unknown
from atomgraft.core.storage import is_file, write_atomically
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.metrics.intervals import mean_interval
from atomgraft.run.inputs import load_base
from atomgraft.study.sessions import Clock, provenance
from atomgraft.transport.distil.materials import (
    Collection,
    Known,
    collected,
    groups_of,
)
from atomgraft.transport.distil.record import (
    DISTIL,
    Answer,
    DistilResult,
    ErrorRecord,
    Interval,
    MethodRecord,
    MotionRecord,
    PredictionRecord,
)
from atomgraft.transport.distil.spec import DistilSpec
from atomgraft.transport.distil.wording import headline, notices
from atomgraft.transport.features.cache import FeatureCache
from atomgraft.transport.features.invariants import Invariants
from atomgraft.transport.features.ions import IonTable, ions_of
from atomgraft.transport.features.table import FeatureTable, blocks_with, describe
from atomgraft.transport.predictors.choice import (
    Examples,
    Fitted,
    learned,
    misses,
    validated,
)
from atomgraft.transport.predictors.methods import FORMULA, METHODS, Method, taught_by
from atomgraft.transport.predictors.stored import save_predictor
from atomgraft.transport.predictors.teachers import TEACHER, load_teacher, save_teacher
from atomgraft.transport.predictors.teaching import Teacher

CPU = torch.device("cpu")
FOLDS = "validation.json"
SHARES = (0.68, 0.95)

STARTS = (
    "taught",
    "kim2026",
    "from scratch",
    "structure start",
    "shuffled motion",
    "taught by the label",
)
"""What a student may start from."""

RELEVANT = 0.05
"""Of an error; a gain that is surely smaller is none."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Told:
    """Predictions of one method.

    Parameters
    ----------
    validation
        Of every division, without the group.
    test
        Of the fit to all materials that are learned from.
    fitted
        This fit.
    """

    validation: Float[np.ndarray, "seeds rows"]
    test: Float[np.ndarray, " test"]
    fitted: Fitted


def distil(
    spec: DistilSpec,
    folder: Path,
    *,
    trust: Trust = NO_TRUST,
    progress: Progress | None = None,
) -> DistilResult:
    """Compare methods on materials, choose one, and store it fitted to all of them.

    The call continues where an earlier one was stopped.

    Parameters
    ----------
    spec
        What is asked.
    folder
        Of result and predictor.
    trust
        Which checkpoints may run code.
    progress
        Called with what is done, steps done and steps in all.

    Raises
    ------
    BadInputError
        Something cannot be used as it is, or the folder holds another result.
    """
    clock = Clock(started=now(), counter=time.perf_counter())
    files = (*spec.materials, *spec.test)
    examine(folder, "distil", inputs=files)
    train = collected(spec.materials, spec)
    test = (
        collected(spec.test, spec) if spec.test else Collection(known=(), left_out={})
    )
    _refuse_known_tests(train, test)
    model = Invariants(load_base(spec.model, trust=trust)) if spec.model else None
    teacher = (
        load_teacher(Path(spec.teacher), model_hash(model)) if spec.teacher else None
    )
    identity = _identity(spec, (*train.known, *test.known), model)
    if (done := _finished(folder, identity)) is not None:
        return done
    table = _table(spec, train, test, model, progress)
    examples, asked = _examples(train, test, table)
    _refuse_no_scale(spec, examples)
    methods = _methods(spec, examples.table, teacher)
    with held(folder, "distil", inputs=files):
        told = {
            one.name: _told(spec, one, examples, asked, folder / FOLDS, progress)
            for one in methods
        }
        result = _result(spec, identity, train, test, examples, asked, told)
        if "taught" in told:
            taught = told["taught"].fitted.model.as_teacher()
            save_teacher(folder, taught, model_hash(model))
        save_predictor(
            folder,
            told[result.chosen].fitted,
            examples,
            seed=spec.seed,
            about=_about(result, train) | _origin(spec, model),
        )
        result = result.model_copy(
            update={"provenance": (provenance("distil", clock, CPU, "float64"),)}
        )
        DISTIL.write(folder, result)
    return result


def _identity(
    spec: DistilSpec, known: Sequence[Known], model: Invariants | None
) -> str:
    """Return a hash of the question, of what was read, and of the model's weights."""
    parts = [spec.identity(), model_hash(model)]
    parts += [one.material.fingerprint() for one in known]
    if spec.teacher:
        parts.append(file_fingerprint(Path(spec.teacher) / TEACHER))
    arrays = [one.material.motion for one in known if one.material.motion is not None]
    return fingerprint(
        [*(one.encode() for one in parts), *(one.tobytes() for one in arrays)]
    )


def model_hash(model: Invariants | None) -> str:
    """Return the hash of a model's weights; empty without a model."""
    return "" if model is None else model.potential.weights_hash()


def _about(result: DistilResult, train: Collection) -> dict[str, object]:
    """Return what the card of the predictor says of its property and examples."""
    elements = {symbol for one in train.known for symbol in one.material.amounts}
    return {
        "target": result.target,
        "unit": result.unit,
        "mobile": result.mobile,
        "elements": tuple(sorted(elements)),
        "half_widths": result.half_widths,
        "headline": result.headline,
    }


def _origin(spec: DistilSpec, model: Invariants | None) -> dict[str, object]:
    """Return which model the features are of."""
    if model is None:
        return {}
    return {"model": spec.model, "model_hash": model.potential.weights_hash()}


def _finished(folder: Path, identity: str) -> DistilResult | None:
    if not is_file(folder / DISTIL.file):
        return None
    stored = DISTIL.read(folder)
    if stored.identity != identity:
        raise BadInputError(
            f"{folder} holds a predictor from other materials or settings.",
            "A folder holds one predictor.",
            "Choose another folder with --out, or remove this one.",
        )
    return stored


def _refuse_no_scale(spec: DistilSpec, examples: Examples) -> None:
    if spec.scale != "plain" and (low := float(examples.targets.min())) <= 0:
        raise BadInputError(
            f"The smallest {spec.target} is {low:g}.",
            f"The scale {spec.scale} is for positive numbers.",
            "Leave out scale.",
        )


def _methods(
    spec: DistilSpec, table: FeatureTable, teacher: Teacher | None
) -> list[Method]:
    """Return the controls and the methods that were asked for.

    Where there is only the formula, methods on all features are those on the formula.
    Methods that need motion or a teacher are there where it is.
    """
    if missing := [one for one in spec.methods if one not in METHODS]:
        raise unknown("method", missing[0], [*METHODS])
    there = _there(table, teacher)
    return [
        one if teacher is None or "teacher" not in one.needs else _with(teacher, one)
        for one in METHODS.values()
        if (not one.needs or there & {*one.needs})
        and (one.is_control or not spec.methods or one.name in spec.methods)
        and (one.blocks is None or set(one.blocks) & set(table.blocks))
        and not _has_twin(one, table)
    ]


def _there(table: FeatureTable, teacher: Teacher | None) -> set[str]:
    """Return what methods may need, and have."""
    found = set() if teacher is None else {"teacher"}
    if table.ions is not None and table.ions.has_motion.any():
        found.add("motion")
    return found


def _with(teacher: Teacher, method: Method) -> Method:
    return taught_by(teacher) if method.name == "transferred" else method


def _has_twin(method: Method, table: FeatureTable) -> bool:
    """Tell whether a control on the formula is the same method on these features."""
    return (
        method.blocks is None
        and set(table.blocks) <= set(FORMULA)
        and any(
            one.blocks == FORMULA and one.make is method.make
            for one in METHODS.values()
        )
    )


def _refuse_known_tests(train: Collection, test: Collection) -> None:
    """Refuse test materials that are learned from.

    Raises
    ------
    BadInputError
        A structure and its hop, or a formula and its cell, are in both.
    """
    known = {one.material.fingerprint(): one.material.name for one in train.known}
    both = [
        (one.material.name, known[found])
        for one in test.known
        if (found := one.material.fingerprint()) in known
    ]
    if both:
        raise BadInputError(
            f"{len(both)} test materials are learned from: {both[0][0]} is the same as"
            f" {both[0][1]}.",
            "Expected materials that are in one of the two only.",
            "Remove them from the materials or from the test.",
        )


def _table(
    spec: DistilSpec,
    train: Collection,
    test: Collection,
    model: Invariants | None,
    progress: Progress | None,
) -> FeatureTable:
    """Return features of training materials, then test materials.

    Blocks that no training material has are left out.
    """
    materials = [one.material for one in (*train.known, *test.known)]
    blocks = blocks_with(model)
    names = spec.features or tuple(blocks)
    cache = FeatureCache(Path(spec.cache)) if spec.cache else None
    found = describe(materials, names, model=model, cache=cache, progress=progress)
    n_train = len(train.known)
    there = [
        name
        for name in names
        if np.isfinite(found.rows[:n_train, found.blocks[name]]).any()
    ]
    if spec.features and len(there) < len(names):
        absent = next(one for one in names if one not in there)
        raise BadInputError(
            f"No material has features of the block {absent!r}.",
            f"{absent} is {blocks[absent].summary}.",
            "Leave it out of features, or add what it needs.",
        )
    needs_ions = spec.teacher or any(one.motion is not None for one in materials)
    ions = ions_of(materials, model=model, progress=progress) if needs_ions else None
    return dataclasses.replace(found.of(there), ions=ions)


def _examples(
    train: Collection, test: Collection, table: FeatureTable
) -> tuple[Examples, Examples]:
    known = (*train.known, *test.known)
    all_of_them = Examples(
        table=table,
        targets=np.array([one.value for one in known]),
        groups=groups_of(known),
        weights=weights_of(known),
        is_limit=np.array([one.is_limit for one in known]),
    )
    rows = np.arange(len(known))
    n_train = len(train.known)
    return all_of_them.take(rows[:n_train]), all_of_them.take(rows[n_train:])


def weights_of(known: Sequence[Known]) -> Float[np.ndarray, " rows"]:
    """Return the weight of each row: a material at several temperatures counts once."""
    keys = [
        dataclasses.replace(one.material, temperature=None).fingerprint()
        if one.material.temperature is not None
        else str(index)
        for index, one in enumerate(known)
    ]
    counts = Counter(keys)
    return np.array([1.0 / counts[one] for one in keys])


def _told(
    spec: DistilSpec,
    method: Method,
    examples: Examples,
    asked: Examples,
    file: Path,
    progress: Progress | None,
) -> Told:
    """Return predictions of a method; those of finished divisions are read."""
    question = _question(spec, examples)
    stored = _stored(file, question)
    found = stored.setdefault(method.name, [])

    def tell(what: str, done: int, total: int) -> None:
        if progress is not None:
            progress(f"{what}: {method.name}", done, total)

    for k in range(len(found), spec.seeds):
        told = validated(
            method,
            examples,
            scale=spec.scale,
            n_folds=spec.folds,
            seed=spec.seed + k,
            tell=tell,
        )
        found.append(told.tolist())
        document = {"question": question, "predictions": stored}
        write_atomically(file, json.dumps(document))
    fitted = learned(method, examples, scale=spec.scale, seed=spec.seed)
    predicted = fitted.predict(asked.table) if len(asked) else np.zeros(0)
    return Told(validation=np.array(found), test=predicted, fitted=fitted)


def _question(spec: DistilSpec, examples: Examples) -> str:
    """Return a hash of everything that changes out-of-fold predictions."""
    plan = json.dumps([spec.scale, spec.folds, spec.seed, [*examples.table.columns]])
    arrays = (
        examples.table.rows,
        examples.targets,
        examples.groups,
        examples.weights,
        examples.is_limit,
        *_arrays(examples.table.ions),
    )
    return fingerprint([plan.encode(), *(one.tobytes() for one in arrays)])


def _arrays(ions: IonTable | None) -> tuple[np.ndarray, ...]:
    if ions is None:
        return ()
    return ions.rows, ions.owner, ions.share, ions.temperature, ions.motion


def _stored(file: Path, question: str) -> dict[str, list[list[float]]]:
    """Return finished divisions of a question; none where the file is of another."""
    try:
        document = json.loads(file.read_text()) if is_file(file) else {}
    except ValueError:  # damaged: computed again
        return {}
    if not isinstance(document, dict) or document.get("question") != question:
        return {}
    return document["predictions"]


def _result(
    spec: DistilSpec,
    identity: str,
    train: Collection,
    test: Collection,
    examples: Examples,
    asked: Examples,
    told: Mapping[str, Told],
) -> DistilResult:
    wrong = {
        name: np.mean([misses(row, examples) for row in one.validation], axis=0)
        for name, one in told.items()
    }
    order = sorted(told, key=lambda name: float(wrong[name].mean()))
    control = next(name for name in order if METHODS[name].is_control)
    missed = {name: misses(one.test, asked) for name, one in told.items()}
    rows = [
        _method(name, told[name], wrong, missed, control, examples, asked)
        for name in order
    ]
    best = told[order[0]]
    widths = half_widths(wrong[order[0]], examples.groups)
    n_motion = 0
    if examples.table.ions is not None:
        n_motion = int(examples.table.ions.has_motion.sum())
    result = DistilResult(
        identity=identity,
        n_motion=n_motion,
        motion=_answer(wrong, examples) if n_motion else None,
        unmet=_unmet(spec, told),
        target=f"log10 of {spec.target}" if spec.decades else spec.target,
        unit=spec.unit,
        mobile=tuple(sorted({one.material.mobile for one in train.known})),
        n_materials=len(examples),
        n_groups=len(np.unique(examples.groups)),
        n_shared=int(np.isin(asked.groups, examples.groups).sum()),
        n_limits=int(examples.is_limit.sum()),
        left_out={**train.left_out, **test.left_out},
        bare={**train.bare, **test.bare},
        blocks=tuple(examples.table.blocks),
        n_features=len(examples.table.columns),
        methods=tuple(rows),
        chosen=order[0],
        best_control=control,
        half_widths=widths,
        coverage=_coverage(missed[order[0]], widths),
        predictions=(
            *_predictions(train, examples, best.validation.mean(axis=0), is_test=False),
            *_predictions(test, asked, best.test, is_test=True),
        ),
        headline="",
    )
    said = {"headline": headline(result), "notices": notices(result)}
    return result.model_copy(update=said)


def _unmet(spec: DistilSpec, told: Mapping[str, Told]) -> tuple[str, ...]:
    """Return methods that were asked for and need what is not there."""
    return tuple(one for one in spec.methods if one not in told and METHODS[one].needs)


def _answer(
    wrong: Mapping[str, Float[np.ndarray, " rows"]], examples: Examples
) -> MotionRecord | None:
    """Return whether motion helps; none where the methods were not asked for."""
    there = [one for one in STARTS if one in wrong]
    if not {"taught", "shuffled motion"} <= {*there}:
        return None
    groups = examples.groups
    means = {one: float(wrong[one].mean()) for one in there}
    best = min(there, key=lambda one: means[one])
    second = min((one for one in there if one != best), key=lambda one: means[one])
    lead, lead_interval = _difference(wrong[second] - wrong[best], groups)
    gain, interval = _difference(wrong["shuffled motion"] - wrong["taught"], groups)
    return MotionRecord(
        best=best,
        second=second,
        lead=lead,
        lead_interval=lead_interval,
        gain=gain,
        interval=interval,
        answer=answer_of(interval, means["shuffled motion"]),
    )


def answer_of(interval: Interval | None, error: float) -> Answer:
    """Return whether motion helps, from the gain over shuffled motion.

    Parameters
    ----------
    interval
        Of the gain, 95 %.
    error
        With shuffled motion.

    Examples
    --------
    >>> answer_of((0.01, 0.1), 1.0), answer_of((-0.1, 0.01), 1.0)
    ('yes', 'no')
    >>> answer_of((-0.1, 0.2), 1.0), answer_of(None, 1.0)
    ('unresolved', 'unresolved')
    """
    if interval is None:
        return "unresolved"
    if interval[0] > 0:
        return "yes"
    return "no" if interval[1] < RELEVANT * error else "unresolved"


def _method(
    name: str,
    told: Told,
    wrong: Mapping[str, Float[np.ndarray, " rows"]],
    missed: Mapping[str, Float[np.ndarray, " test"]],
    control: str,
    examples: Examples,
    asked: Examples,
) -> MethodRecord:
    gain = test_gain = (None, None)
    if name != control:
        gain = _difference(wrong[control] - wrong[name], examples.groups)
        if len(asked):
            test_gain = _difference(missed[control] - missed[name], asked.groups)
    return MethodRecord(
        name=name,
        summary=METHODS[name].summary,
        is_control=METHODS[name].is_control,
        validation=_errors(wrong[name], told.validation.mean(axis=0), examples),
        against_control=gain[0],
        against_interval=gain[1],
        test=_errors(missed[name], told.test, asked) if len(asked) else None,
        test_against_control=test_gain[0],
        test_against_interval=test_gain[1],
        settings={key: str(value) for key, value in told.fitted.chosen.items()},
    )


def _errors(
    wrong: Float[np.ndarray, " rows"],
    predicted: Float[np.ndarray, " rows"],
    examples: Examples,
) -> ErrorRecord:
    exact = ~examples.is_limit
    varies = np.ptp(predicted[exact]) > 0 and np.ptp(examples.targets[exact]) > 0
    rank: Any = spearmanr(predicted[exact], examples.targets[exact]) if varies else None
    sure = mean_interval(wrong, np.ones(len(wrong)), clusters_of(examples.groups))
    return ErrorRecord(
        n=len(wrong),
        mean=float(wrong.mean()),
        interval=sure.interval,
        root_mean_square=float(np.sqrt((wrong**2).mean())),
        rank=None if rank is None else float(rank.statistic),
    )


def _difference(
    gain: Float[np.ndarray, " rows"], groups: Int[np.ndarray, " rows"]
) -> tuple[float, Interval | None]:
    found = mean_interval(gain, np.ones(len(gain)), clusters_of(groups), is_signed=True)
    return float(gain.mean()), found.interval


def clusters_of(groups: Int[np.ndarray, " rows"]) -> list[list[int]]:
    """Return the rows of each group."""
    return [np.flatnonzero(groups == one).tolist() for one in np.unique(groups)]


def half_widths(
    wrong: Float[np.ndarray, " rows"], groups: Int[np.ndarray, " rows"]
) -> tuple[float, float]:
    """Return half the widths of intervals that hold 68 and 95 % of new groups.

    Split conformal prediction (Lei et al., J. Am. Stat. Assoc. 113, 1094 (2018)) with
    out-of-fold errors as scores; every group weighs one, and one more stands for the
    new group.

    Parameters
    ----------
    wrong
        Absolute out-of-fold errors.
    groups
        Of each row.

    Examples
    --------
    >>> half_widths(np.arange(1.0, 100.0), np.arange(99))
    (68.0, 95.0)
    """
    _, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    weight = 1.0 / counts[place]
    order = np.argsort(wrong)
    passed = np.cumsum(weight[order]) / (len(counts) + 1)
    low, high = (
        float(wrong[order][min(np.searchsorted(passed, share - 1e-9), len(wrong) - 1)])
        for share in SHARES
    )
    return low, high


def _coverage(
    missed: Float[np.ndarray, " test"], widths: tuple[float, float]
) -> tuple[float, float] | None:
    if not len(missed):
        return None
    low, high = (float((missed <= width).mean()) for width in widths)
    return low, high


def _predictions(
    found: Collection,
    examples: Examples,
    predicted: Float[np.ndarray, " rows"],
    *,
    is_test: bool,
) -> list[PredictionRecord]:
    return [
        PredictionRecord(
            name=one.material.name,
            group=int(group),
            value=one.value,
            is_limit=one.is_limit,
            predicted=float(value),
            is_test=is_test,
        )
        for one, group, value in zip(
            found.known, examples.groups, predicted, strict=True
        )
    ]
