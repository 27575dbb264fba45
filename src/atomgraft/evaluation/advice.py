"""Which contestant to take, whether to label more, and why: in words, from numbers."""

import math
from collections.abc import Sequence

import numpy as np

from atomgraft.evaluation import labels
from atomgraft.evaluation.score_table import figure
from atomgraft.evaluation.seed_summaries import SummaryTable, errors_by_seed
from atomgraft.metrics.pareto import pareto_front
from atomgraft.metrics.power_law import FAR
from atomgraft.metrics.student import student_interval
from atomgraft.results.comparison import (
    Advice,
    Baseline,
    ComparedCell,
    Contestant,
    Curve,
    FrontPoint,
    Interval,
    StopRule,
    Summary,
    Target,
)
from atomgraft.results.schema import Score

TIED = 0.1
"""Share by which an error may exceed the best and still count as equal, if the seeds
cannot tell the two apart."""

FEW_STRUCTURES = 5
"""Held-out structures below which all of this says little."""

NAMES = {"forces": "force", "energy": "energy", "stress": "stress"}

BASE = "base"
"""Name of the base on the front; no contestant can have it together with drift zero."""


class Judge:
    """Everything that is known when advice is given.

    Parameters
    ----------
    cells
        The table.
    contestants
        Who takes part.
    baselines
        What the bases say without labels.
    target
        The error that decides.
    table
        Summaries over seeds.
    curves
        Power laws.
    """

    def __init__(
        self,
        *,
        cells: Sequence[ComparedCell],
        contestants: Sequence[Contestant],
        baselines: Sequence[Baseline],
        target: Target,
        table: SummaryTable,
        curves: Sequence[Curve],
    ) -> None:
        self.cells, self.target, self.table = cells, target, table
        self.contestants = {one.name: one for one in contestants}
        self.baselines = {one.base: one for one in baselines}
        self.curves = {one.contestant: one for one in curves}
        self.n_labels = table.largest() or 0
        errors = {name: table.error(name, self.n_labels) for name in self.contestants}
        known = {name: one for name, one in errors.items() if one is not None}
        self.ranked = sorted(known, key=lambda name: known[name].value)
        self.errors = known

    def base_error(self, contestant: str) -> Score | None:
        """Return the target error of the base that a contestant starts from."""
        baseline = self.baselines.get(self.contestants[contestant].base)
        return None if baseline is None else self._score_of(baseline)

    def _score_of(self, baseline: Baseline) -> Score | None:
        asked = (labels.SUITE, self.target.quantity, self.target.metric, None)
        for score in baseline.scores:
            if (score.suite, score.quantity, score.metric, score.group) == asked:
                return score
        return None

    def ratio_interval(self, rival: str, leader: str) -> Interval | None:
        """Return the 95 % interval of rival's error over leader's, seed by seed.

        The same seed is the same training set, so the pairing removes what is easy or
        hard about it.
        """
        found = [
            errors_by_seed(self.cells, self.target, name) for name in (rival, leader)
        ]
        pairs = [
            (found[0][seed][self.n_labels], found[1][seed][self.n_labels])
            for seed in sorted(found[0].keys() & found[1].keys())
            if all(self.n_labels in one[seed] for one in found)
        ]
        if any(one <= 0 for pair in pairs for one in pair):
            return None
        interval = student_interval(np.log([one / other for one, other in pairs]))
        if interval is None:
            return None
        return math.exp(interval[0]), math.exp(interval[1])

    def is_tied(self, rival: str, leader: str) -> bool:
        """Tell whether a rival is as good as the leader, for all that can be told."""
        one, best = self.errors[rival], self.errors[leader]
        if one.value > (1 + TIED) * best.value:
            return False
        interval = self.ratio_interval(rival, leader)
        if interval is not None:
            return interval[0] <= 1
        if one.interval is None or best.interval is None:
            return True
        return one.interval[0] <= best.interval[1]

    def choice(self) -> str:
        """Return the one that forgets least among those that are as good as the best.

        A model from fresh weights has nothing to forget and everything forgotten: it
        is chosen only if it is the best and alone.
        """
        leader = self.ranked[0]
        tied = [name for name in self.ranked if self.is_tied(name, leader)]

        def forgotten(name: str) -> tuple[bool, float]:
            drift = self.table.drift(name, self.n_labels)
            return drift is None, math.inf if drift is None else drift.value

        return min(tied, key=forgotten)


def front_points(judge: Judge) -> tuple[FrontPoint, ...]:
    """Return target error against forgetting at the largest size, and who is ahead.

    The bases stand among them: whoever is beaten by a base should not be used.

    Parameters
    ----------
    judge
        What is known.
    """
    points = [
        FrontPoint(
            contestant=name,
            error=error.value,
            error_interval=error.interval,
            drift=drift.value,
            drift_interval=drift.interval,
            is_on_front=False,
        )
        for name, error in judge.errors.items()
        if (drift := judge.table.drift(name, judge.n_labels)) is not None
    ]
    several = len(judge.baselines) > 1
    for base, score in _base_errors(judge).items():
        points.append(
            FrontPoint(
                contestant=f"{BASE} {base}" if several else BASE,
                error=score.value,
                error_interval=score.interval,
                drift=0.0,
                is_on_front=False,
            )
        )
    ahead = pareto_front(np.array([(p.error, p.drift) for p in points]).reshape(-1, 2))
    return tuple(
        point.model_copy(update={"is_on_front": bool(is_ahead)})
        for point, is_ahead in zip(points, ahead, strict=True)
    )


def _base_errors(judge: Judge) -> dict[str, Score]:
    found: dict[str, Score] = {}
    for name in judge.errors:
        score = judge.base_error(name)
        if score is not None:
            found.setdefault(judge.contestants[name].base, score)
    return found


def advise(
    judge: Judge, *, more: int, worthwhile: float, target_error: float | None = None
) -> Advice:
    """Return what to do, with its evidence.

    Parameters
    ----------
    judge
        What is known.
    more
        Labels in the next batch.
    worthwhile
        Share of the error that the next batch has to take away.
    target_error
        To reach, in the target's unit.
    """
    if not judge.ranked:
        return nothing_yet(judge.cells)
    choice = judge.choice()
    error, base = judge.errors[choice], judge.base_error(choice)
    rule, stop = stop_rule(judge.curves.get(choice), judge.target, more, worthwhile)
    evidence = [
        *_leaders(judge, choice),
        *_forgetting(judge, choice),
        *_selection(judge, choice),
        *stop,
        *_target_labels(judge.curves.get(choice), judge.target, target_error),
        *_caveats(judge),
    ]
    if base is not None and error.value >= base.value:
        return Advice(
            choice=None,
            headline=f"Keep the base: with {_labels(judge.n_labels)}, no recipe lowers "
            f"its {_name(judge.target)} of {_of(base)}.",
            sentences=(f"The best is {choice}, {_of(error)}.", *evidence),
            more_labels=rule,
        )
    against = "" if base is None else f"; the base has {_of(base)}"
    return Advice(
        choice=choice,
        headline=f"Take {choice}: with {_labels(judge.n_labels)} its "
        f"{_name(judge.target)} is {_of(error)}{against}.",
        sentences=tuple(evidence),
        more_labels=rule,
    )


def nothing_yet(cells: Sequence[ComparedCell]) -> Advice:
    """Return the advice where no cell has ended well.

    Parameters
    ----------
    cells
        Perhaps failed, perhaps open.
    """
    failed = [cell for cell in cells if cell.status == "failed"]
    sentences = tuple(dict.fromkeys(f"{c.name}: {c.reason}" for c in failed[:3]))
    return Advice(
        choice=None,
        headline="Every cell failed." if failed and len(failed) == len(cells)
        else "Nothing to recommend yet.",
        sentences=sentences or ("No cell of the table is done; run it again.",),
        more_labels="unclear",
    )  # fmt: skip


def _name(target: Target) -> str:
    aligned = (
        ", best shift per element taken out," if "aligned" in target.metric else ""
    )
    return f"mean absolute {NAMES[target.quantity]} error{aligned}"


def _of(row: Summary | Score) -> str:
    value = f"{figure(row.value)} {row.unit}"
    if row.interval is None:
        return value
    return f"{value} [{figure(row.interval[0])}, {figure(row.interval[1])}]"


def _labels(n: int) -> str:
    return f"{n} label{'s' * (n != 1)}"


def _leaders(judge: Judge, choice: str) -> list[str]:
    """Compare the choice with every other contestant."""
    told: list[str] = []
    mine = judge.errors[choice].value
    for name in judge.ranked:
        if name == choice:
            continue
        error = judge.errors[name]
        if judge.is_tied(name, judge.ranked[0]):
            verdict = "as good, for all these seeds can tell"
        elif mine > 0:
            verdict = f"{figure(error.value / mine)} times as much"
        else:
            verdict = "more"
        told.append(f"{name}: {_of(error)}, {verdict}{_drift_words(judge, name)}")
    is_best = choice == judge.ranked[0]
    tied = [n for n in judge.ranked[1:] if judge.is_tied(n, judge.ranked[0])]
    if tied and not is_best:
        told.insert(
            0, f"{choice} is not ahead by its mean; among equals it forgets least"
        )
    return [f"{one}." for one in told]


def _drift_words(judge: Judge, name: str) -> str:
    drift = judge.table.drift(name, judge.n_labels)
    return "" if drift is None else f"; drift {figure(drift.value)} {drift.unit}"


def _forgetting(judge: Judge, choice: str) -> list[str]:
    drift = judge.table.drift(choice, judge.n_labels)
    if drift is None:
        return []
    where = "without any trained element" if judge.target.drift_group == "far" else ""
    crystals = " ".join(f"On crystals {where}".split())
    return [f"{crystals} the forces of {choice} moved by {_of(drift)} from the base."]


def _selection(judge: Judge, choice: str) -> list[str]:
    """Say where the choice itself makes its number look better than it is."""
    rates = {
        one.factor
        for one in judge.contestants.values()
        if one.recipe == judge.contestants[choice].recipe
    }
    if len(rates) < 2:
        return []
    rate = figure(judge.contestants[choice].learning_rate)
    return [
        f"Its learning rate, {rate}, was chosen among {len(rates)} on these very test "
        "structures: expect slightly more on new ones."
    ]


def stop_rule(
    curve: Curve | None, target: Target, more: int, worthwhile: float
) -> tuple[StopRule, list[str]]:
    """Say whether the next batch of labels is worth it: more_labels, and the words.

    Stop where the law's gain for the next batch is below the share that was asked
    for; where it is above, but chance could have made it, only more seeds can tell.

    Parameters
    ----------
    curve
        Law of the recommended contestant.
    target
        Unit of its errors.
    more
        Labels in the next batch.
    worthwhile
        Share of the error that they have to take away.
    """
    share = f"{100 * worthwhile:g} %"
    if curve is None or curve.error_now is None:
        why = "no error is known" if curve is None else curve.reason
        return "unclear", [f"No law can be read: {why}."]
    if not curve.is_identified or curve.error_next is None:
        return _unidentified(curve, more, worthwhile)
    gain = 1 - curve.error_next / curve.error_now
    words = (
        f"{more} more labels should bring {figure(curve.error_now)} {target.unit} down "
        f"to {figure(curve.error_next)}{_range(curve.error_next_interval)} "
        f"({curve.reason}; exponent {figure(curve.exponent or 0)}"
        f"{_range(curve.exponent_interval)})."
    )
    if gain < worthwhile:
        return "stop", [
            words,
            f"Stop labelling: the next {more} labels would gain "
            f"{100 * gain:.1f} %, less than {share}.",
        ]
    if curve.error_next_interval and curve.error_next_interval[1] >= curve.error_now:
        return "unclear", [
            words,
            "The interval of that prediction reaches what there is already: run more "
            "seeds before paying for more labels.",
        ]
    until = curve.last_worthwhile
    end = "" if until is None or until <= curve.n_now else (
        f", and batches of {more} go on gaining that up to about {until:.0f} labels"
    )  # fmt: skip
    return "worthwhile", [
        words,
        f"More labels are worthwhile: the next {more} gain {100 * gain:.0f} %, more "
        f"than {share}{end}. Stop when a batch gains less.",
    ]


def _unidentified(
    curve: Curve, more: int, worthwhile: float
) -> tuple[StopRule, list[str]]:
    """Stop only if even the steepest law that the data allow gains too little."""
    told = f"No law can be read: {curve.reason}."
    if curve.exponent_interval is None:
        return "unclear", [told]
    steepest = max(0.0, curve.exponent_interval[1])
    most = 1 - (1 + more / curve.n_now) ** -steepest
    if most < worthwhile:
        return "stop", [
            told,
            f"Stop labelling: even the steepest fall that the data allow gains "
            f"{100 * most:.1f} % with the next {more}, less than "
            f"{100 * worthwhile:g} %.",
        ]
    return "unclear", [told, "More seeds, or more different sizes, would tell."]


def _range(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f" [{figure(interval[0])}, {figure(interval[1])}]"


def _target_labels(
    curve: Curve | None, target: Target, target_error: float | None
) -> list[str]:
    if curve is None or not curve.is_identified or target_error is None:
        return []
    asked = f"The error that was asked for, {figure(target_error)} {target.unit},"
    if curve.labels_for_target is None:
        return [
            f"{asked} is not in sight: more than {FAR:g} times the labels there are."
        ]
    ends = curve.labels_for_target_interval
    spread = "" if ends is None else f" (between {ends[0]:.0f} and {ends[1]:.0f})"
    return [
        f"{asked} should be reached at about {curve.labels_for_target:.0f} labels"
        f"{spread}."
    ]


def _caveats(judge: Judge) -> list[str]:
    told: list[str] = []
    n_test = min(
        (one.n for one in _base_errors(judge).values()), default=FEW_STRUCTURES
    )
    if n_test < FEW_STRUCTURES:
        told.append(f"Only {n_test} held-out structures judge all of this; take more.")
    if max(one.n_seeds for one in judge.errors.values()) == 1:
        told.append(
            "One seed: intervals are over test structures and know nothing of which "
            "structures were drawn to train on."
        )
    missing = [cell for cell in judge.cells if cell.status != "done"]
    if missing:
        told.append(
            f"{len(missing)} of {len(judge.cells)} cells are missing; they are listed "
            "with their reasons."
        )
    return told
