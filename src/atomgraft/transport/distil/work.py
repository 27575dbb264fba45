"""From materials to a chosen, stored predictor."""

import dataclasses
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import examine, held
from atomgraft.core.progress import Progress
from atomgraft.core.provenance import file_fingerprint, fingerprint, now
from atomgraft.core.registry import unknown
from atomgraft.core.storage import is_file, write_atomically
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.run.inputs import load_base
from atomgraft.study.sessions import Clock, provenance
from atomgraft.transport.distil.judge import Told, judged
from atomgraft.transport.distil.materials import (
    Collection,
    Known,
    collected,
    groups_of,
)
from atomgraft.transport.distil.record import (
    DISTIL,
    DistilResult,
)
from atomgraft.transport.distil.spec import DistilSpec
from atomgraft.transport.features.cache import FeatureCache
from atomgraft.transport.features.invariants import Invariants
from atomgraft.transport.features.ions import IonTable, ions_of
from atomgraft.transport.features.table import FeatureTable, blocks_with, describe
from atomgraft.transport.predictors.choice import (
    Examples,
    learned,
    validated,
)
from atomgraft.transport.predictors.methods import FORMULA, METHODS, Method, taught_by
from atomgraft.transport.predictors.stored import save_predictor
from atomgraft.transport.predictors.teachers import TEACHER, load_teacher, save_teacher
from atomgraft.transport.predictors.teaching import Teacher

CPU = torch.device("cpu")
FOLDS = "validation.json"


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
        result = judged(spec, identity, train, test, examples, asked, told)
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
