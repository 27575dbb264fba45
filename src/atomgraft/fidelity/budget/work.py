"""From the pilot results of a study to a mixture of labels."""

import dataclasses
import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import examine, held
from atomgraft.core.provenance import now
from atomgraft.fidelity.budget.laws import Law, fit_law, means_of
from atomgraft.fidelity.budget.mixtures import (
    Mixture,
    Way,
    affordable,
    best_of,
    gain_of,
    placed,
)
from atomgraft.fidelity.budget.record import (
    BUDGET,
    Budget,
    Experiment,
    LawRecord,
    MixtureRecord,
)
from atomgraft.fidelity.budget.spec import BudgetSpec
from atomgraft.fidelity.budget.wording import headline_of
from atomgraft.fidelity.judge import DELTA, error_of
from atomgraft.fidelity.plan import SOURCE
from atomgraft.fidelity.record import FIDELITY, Fidelity, Model, Target
from atomgraft.fidelity.spec import ALONE
from atomgraft.fidelity.wording import WAYS
from atomgraft.metrics.intervals import student_quantile
from atomgraft.study.sessions import Clock, provenance

TARGET = "target"
HOUR = 3600.0
"""s"""

WORTH = 0.005
"""Relative decrease of the error below which no experiment is advised."""

N_LOOKED = 4
"""Ways, the best so far, for which further experiments are looked at."""

TRIED = 6
"""Numbers of labels of each level that further experiments may have."""


@dataclasses.dataclass(frozen=True)
class _Key:
    """A way to use labels, as it stands in a study."""

    strategy: str
    recipe: str
    source: str | None
    kept: str

    @property
    def words(self) -> str:
        """Its name."""
        parts = [WAYS[self.strategy]]
        parts += [f"from {self.source}"] if self.source else []
        parts += [f"({self.recipe})"] if self.strategy == "fine-tuning" else []
        parts += [f"{self.kept} alone"] if self.kept != "all" else []
        return " ".join(parts)


def spend(spec: BudgetSpec, folder: Path) -> Budget:
    """Return the mixture of labels with the smallest predicted error, and write it.

    Parameters
    ----------
    spec
        What is asked.
    folder
        Of the result.

    Raises
    ------
    BadInputError
        The study has too few results for a law, or the cost of a label is not known.
    StorageError
        The folder cannot be written.
    """
    clock = Clock(started=now(), counter=time.perf_counter())
    examine(folder, "budget", inputs=(spec.study,))
    study = FIDELITY.read(Path(spec.study))
    result = advise(spec, study, folder.resolve().name)
    with held(folder, "budget", inputs=(spec.study,)):
        session = provenance("budget", clock, torch.device("cpu"), "float64")
        result = result.model_copy(update={"provenance": (session,)})
        BUDGET.write(folder, result)
    return result


def advise(spec: BudgetSpec, study: Fidelity, name: str) -> Budget:
    """Return the mixture of labels with the smallest predicted error.

    Parameters
    ----------
    spec
        What is asked.
    study
        With pilot results.
    name
        Of the result.

    Raises
    ------
    BadInputError
        The study has too few results for a law, or the cost of a label is not known.
    """
    target = _target_of(study)
    base = _base_of(spec, study)
    costs = _costs(spec, study)
    models = [one for one in study.models if one.base == base]
    ways, left_out = _ways(models, target, costs)
    seconds = spec.cpu_hours * HOUR
    found = {key: affordable(way, seconds) for key, way in ways.items()}
    for key in [key for key in found if not found[key]]:
        way = ways[key]
        fewest = way.n[0] * way.cost + way.n_source[0] * way.source_cost
        left_out[key.words] = (
            f"the fewest labels that were measured cost {fewest / HOUR:.3g} h"
        )
        del found[key]
    if not found:
        raise BadInputError(
            f"Nothing can be said of {spec.cpu_hours:g} h with the results in"
            f" {spec.study}: " + "; ".join(f"{k}: {v}" for k, v in left_out.items()),
            "A law needs the target alone with at least three numbers of labels, and"
            " for a source at least two numbers of its labels with each of two of the"
            " target's.",
            "Add sizes to the study (atomgraft fidelity FOLDER --size ... --source-size"
            " ...), or give more hours.",
        )
    bests = {key: best_of(mixtures) for key, mixtures in found.items()}
    order = sorted(
        ((one, key) for key, one in bests.items() if one is not None),
        key=lambda pair: pair[0].log_error,
    )
    best, best_key = order[0]
    experiment = _experiment(
        {key: ways[key] for _, key in order[:N_LOOKED]},
        best,
        (seconds, spec.pilot_share * seconds),
        _noise(models, target),
    )
    records = tuple(_mixture(one, key) for one, key in order)
    alone = next((one for one in records if one.way == WAYS[ALONE]), None)
    own = next((one for one, key in order if key.strategy == ALONE), None)
    headline, sentences = headline_of(
        records[0],
        alone,
        experiment,
        target.unit,
        is_resolved=own is None or _is_resolved(best, own),
    )
    return Budget(
        name=name,
        spec=spec.model_dump(mode="json"),
        base=base,
        quantity=target.quantity,
        unit=target.unit,
        costs=costs,
        laws=tuple(_law(way, key, models, target) for key, way in ways.items()),
        left_out=left_out,
        best=_mixture(best, best_key),
        mixtures=records,
        curve=tuple(_mixture(one, best_key) for one in found[best_key]),
        experiment=experiment,
        headline=headline,
        sentences=sentences,
        provenance=(),
    )


def _is_resolved(one: Mixture, other: Mixture) -> bool:
    """Tell whether two predicted errors differ by more than two standard deviations."""
    spread = math.hypot(one.deviation, other.deviation)
    return abs(one.log_error - other.log_error) > 2 * spread


def _target_of(study: Fidelity) -> Target:
    if study.target is None:
        raise BadInputError(
            f"{study.name} has no finished model of the target.",
            "Expected a study with results.",
            "Continue it with: atomgraft fidelity FOLDER",
        )
    return study.target


def _base_of(spec: BudgetSpec, study: Fidelity) -> str:
    bases = list(dict.fromkeys(one.base for one in study.models))
    if spec.base is None and len(bases) == 1:
        return bases[0]
    if spec.base not in bases:
        came = "names no base" if spec.base is None else f"names {spec.base!r}"
        raise BadInputError(
            f"The budget {came}, and the study has {', '.join(bases)}.",
            "A law belongs to one base.",
            f"Choose one: --base {bases[0]}",
        )
    return spec.base


def _costs(spec: BudgetSpec, study: Fidelity) -> dict[str, float]:
    """Return the processor time of a label of each level, s."""
    names = [one.name for one in study.levels]
    unknown = sorted(spec.costs.keys() - set(names))
    if unknown:
        raise BadInputError(
            f"The study has no level {unknown[0]!r}.",
            f"It has {', '.join(names)}.",
            f"Give the cost of one of these: --cost {names[0]}=SECONDS",
        )
    known = {one.name: spec.costs.get(one.name, one.seconds) for one in study.levels}
    missing = [name for name, cost in known.items() if cost is None]
    if missing:
        raise BadInputError(
            f"The cost of a label of {missing[0]!r} is not known: its structures were"
            " not labelled by atomgraft.",
            "Expected the processor time of one label, in seconds.",
            " ".join(f"--cost {name}=SECONDS" for name in missing),
        )
    return {name: cost for name, cost in known.items() if cost is not None}


def _errors(
    models: Sequence[Model], target: Target
) -> dict[_Key, dict[tuple[int, int], list[float]]]:
    found: dict[_Key, dict[tuple[int, int], list[float]]] = {}
    for one in models:
        value = error_of(one, target)
        if one.strategy == SOURCE or one.status != "done" or not value:
            continue
        key = _Key(one.strategy, one.recipe, one.source, one.kept)
        places = found.setdefault(key, defaultdict(list))
        places[one.n_target, one.n_source].append(value)
    return found


def _ways(
    models: Sequence[Model], target: Target, costs: Mapping[str, float]
) -> tuple[dict[_Key, Way], dict[str, str]]:
    """Return ways with a law, and why others have none."""
    errors = _errors(models, target)
    alone = next((e for key, e in errors.items() if key.strategy == ALONE), {})
    ways: dict[_Key, Way] = {}
    left_out: dict[str, str] = {}
    for key, own in errors.items():
        has_source = key.strategy not in {ALONE, DELTA}
        law = fit_law(means_of({**alone, **own} if has_source else own))
        if law is None:
            left_out[key.words] = f"{len(own)} settings are too few for a law"
            continue
        sizes = [n for n, _ in own]
        many = [n for _, n in own]
        names = key.source.split("+") if key.source else []
        cheap = sum(costs[name] for name in names)
        ways[key] = Way(
            name=key.words,
            law=law,
            cost=costs[TARGET] + (cheap if key.strategy == DELTA else 0.0),
            source_cost=cheap if has_source else 0.0,
            n=(min(sizes), max(sizes)),
            n_source=(min(many), max(many)) if has_source else (0, 0),
        )
    return ways, left_out


def _experiment(
    ways: Mapping[_Key, Way],
    best: Mixture,
    sums: tuple[float, float],
    noise: float,
) -> Experiment | None:
    """Return the experiment that is expected to lower the final error most.

    What it costs is taken from the sum. The ways that are best so far are looked at.
    """
    seconds, limit = sums
    found: tuple[float, Mixture, _Key] | None = None
    for key, way in ways.items():
        for one in _tries(way, limit):
            left = seconds - one.seconds
            mixtures = [m for other in ways.values() for m in affordable(other, left)]
            if not any(m.way is way for m in mixtures):
                continue
            seen = math.hypot(noise, way.law.scatter)
            loss = min(m.log_error for m in mixtures) - best.log_error
            gain = gain_of(one, mixtures, seen) - loss
            if found is None or gain > found[0]:
                found = gain, one, key
    if found is None or found[0] < WORTH:
        return None
    gain, one, key = found
    return Experiment(
        way=one.way.name,
        source=key.source,
        n_target=one.n,
        n_source=one.n_source,
        cpu_hours=one.seconds / HOUR,
        gain=1 - math.exp(-gain),
    )


def _tries(way: Way, seconds: float) -> list[Mixture]:
    """Return experiments that a sum buys: numbers of labels on a grid."""
    n = _grid(way.n)
    n_source = _grid(way.n_source) if way.has_source else [0]
    pairs = [
        (a, b)
        for a in n
        for b in n_source
        if a * way.cost + b * way.source_cost <= seconds
    ]
    if not pairs:
        return []
    return placed(way, [a for a, _ in pairs], [b for _, b in pairs])


def _grid(ends: tuple[int, int]) -> list[int]:
    """Return numbers from the fewest that were measured to four times the most."""
    low, high = ends[0], 4 * ends[1]
    steps = [i / (TRIED - 1) for i in range(TRIED)]
    return sorted({round(low * (high / low) ** step) for step in steps})


def _noise(models: Sequence[Model], target: Target) -> float:
    """Return the scatter of seeds, of logarithms: pooled over all settings."""
    squares, n_free = 0.0, 0
    for places in _errors(models, target).values():
        for values in places.values():
            logs = [math.log(value) for value in values]
            middle = sum(logs) / len(logs)
            squares += sum((one - middle) ** 2 for one in logs)
            n_free += len(logs) - 1
    return math.sqrt(squares / n_free) if n_free else 0.1


def _mixture(one: Mixture, key: _Key) -> MixtureRecord:
    return MixtureRecord(
        way=key.words,
        source=key.source,
        n_target=one.n,
        n_source=one.n_source,
        cpu_hours=one.seconds / HOUR,
        error=one.error,
        interval=one.interval,
        is_measured_range=one.is_measured_range,
    )


def _law(way: Way, key: _Key, models: Sequence[Model], target: Target) -> LawRecord:
    law = way.law
    has_source = len(law.parameters) > 2
    rate = math.exp(float(law.parameters[3])) if has_source else None
    return LawRecord(
        way=key.words,
        source=key.source,
        amplitude=math.exp(float(law.parameters[0])),
        alpha=float(law.parameters[1]),
        alpha_interval=_interval(law, 1),
        gamma=float(law.parameters[2]) if has_source else None,
        gamma_interval=_interval(law, 2) if has_source else None,
        rate=rate,
        is_per_label=has_source and law.power == 1.0,
        n_settings=len(_errors(models, target)[key]),
        scatter=law.scatter,
        left_out=law.left_out if math.isfinite(law.left_out) else None,
    )


def _interval(law: Law, i: int) -> tuple[float, float]:
    half = student_quantile(law.n_free) * math.sqrt(float(law.covariance[i, i]))
    middle = float(law.parameters[i])
    return middle - half, middle + half
