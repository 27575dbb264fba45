"""Which contestant to take, whether to label more, and why: in words, from numbers."""

import math
from collections.abc import Sequence

import numpy as np

from atomgraft.evaluation import labels
from atomgraft.evaluation.score_table import figure
from atomgraft.evaluation.seed_summaries import SummaryTable, errors_by_seed
from atomgraft.evaluation.verdict import MIN_GAIN
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
    Outcome,
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
        self.errors = {name: one for name, one in errors.items() if one is not None}
        found = {name: table.choosing(name, self.n_labels) for name in self.errors}
        self.choosing = {name: one for name, one in found.items() if one is not None}
        self.can_choose = len(self.errors) == 1 or self.choosing.keys() == found.keys()
        self.ranked = (
            sorted(self.choosing, key=lambda name: self.choosing[name].value)
            if len(self.errors) > 1 and self.can_choose
            else list(self.errors)
        )

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

    def seeds(self, contestant: str) -> dict[int, float]:
        """Return the error that chooses at the largest size, by seed."""
        return self._by_seed(contestant, labels.VALIDATION)

    def judged_seeds(self, contestant: str) -> dict[int, float]:
        """Return the error on the test structures at the largest size, by seed."""
        return self._by_seed(contestant, labels.SUITE)

    def _by_seed(self, contestant: str, suite: str) -> dict[int, float]:
        found = errors_by_seed(self.cells, self.target, contestant, suite)
        return {
            seed: errors[self.n_labels]
            for seed, errors in sorted(found.items())
            if self.n_labels in errors
        }

    def ratio_interval(self, rival: str, leader: str) -> Interval | None:
        """Return the 95 % interval of rival's error over leader's, seed by seed.

        The same seed is the same training set, so the pairing removes what is easy or
        hard about it. The errors are those on the validation structures.
        """
        one, other = self.seeds(rival), self.seeds(leader)
        pairs = [(one[seed], other[seed]) for seed in one.keys() & other.keys()]
        if not pairs or any(value <= 0 for pair in pairs for value in pair):
            return None
        interval = student_interval(np.log([first / second for first, second in pairs]))
        if interval is None:
            return None
        return math.exp(interval[0]), math.exp(interval[1])

    def is_tied(self, rival: str, leader: str) -> bool:
        """Tell whether a rival is as good as the leader, for all that can be told."""
        one, best = self.choosing[rival], self.choosing[leader]
        if one.value > (1 + TIED) * best.value:
            return False
        interval = self.ratio_interval(rival, leader)
        if interval is not None:
            return interval[0] <= 1
        if one.interval is None or best.interval is None:
            return True
        return one.interval[0] <= best.interval[1]

    def is_behind(self, rival: str, choice: str) -> bool:
        """Tell whether chance alone would hardly put a rival behind the choice.

        Where there is no interval over seeds, every seed of the rival has to err more
        than every seed of the choice; one seed shows nothing.
        """
        interval = self.ratio_interval(rival, choice)
        if interval is not None:
            return interval[0] > 1
        theirs, mine = self.seeds(rival), self.seeds(choice)
        several = min(len(theirs), len(mine)) > 1
        return several and min(theirs.values()) > max(mine.values())

    def choice(self) -> str | None:
        """Return the one that forgets least among those that are as good as the best.

        Who is good is asked of the validation structures: whoever the test structures
        had picked would look better on them than it is. Without validation structures
        there is no choice, unless there is nobody to choose between. A model from fresh
        weights has nothing to forget and everything forgotten: it is chosen only if it
        is the best and alone.
        """
        if not self.can_choose:
            return None
        leader = self.ranked[0]
        if len(self.ranked) == 1:
            return leader
        tied = [name for name in self.ranked if self.is_tied(name, leader)]

        def forgotten(name: str) -> tuple[bool, float]:
            drift = self.table.drift(name, self.n_labels)
            return drift is None, math.inf if drift is None else drift.value

        return min(tied, key=forgotten)

    def is_clear_gain(self, choice: str, base: Score) -> bool:
        """Tell whether every seed is better than the base, beyond chance.

        Parameters
        ----------
        choice
            Whose.
        base
            Error of the base on the test structures.
        """
        seeds = self.judged_seeds(choice)
        if not all(error < base.value for error in seeds.values()):
            return False
        error = self.errors[choice]
        if error.interval is not None and error.interval_over == "seeds":
            return error.interval[1] < base.value
        changes = self._changes(choice)
        if changes:
            return all(high < 0 for _, high in changes)
        if error.interval is not None and base.interval is not None:
            return error.interval[1] < base.interval[0]
        return len(seeds) > 1

    def _changes(self, contestant: str) -> list[Interval]:
        """Return the intervals of the paired change from the base, one a seed."""
        asked = (labels.SUITE, self.target.quantity, f"{self.target.metric}_change")
        return [
            score.interval
            for cell in self.cells
            if (cell.contestant, cell.n_labels) == (contestant, self.n_labels)
            for score in cell.scores
            if (score.suite, score.quantity, score.metric) == asked
            and (score.model, score.group) == ("adapted", None)
            and score.interval is not None
        ]

    def n_validation(self) -> int:
        """Return the number of validation structures; zero without any."""
        return max(
            (
                score.n
                for cell in self.cells
                for score in cell.scores
                if score.suite == labels.VALIDATION
            ),
            default=0,
        )


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
    if not judge.errors:
        return nothing_yet(judge.cells)
    choice = judge.choice()
    if choice is None:
        return _no_choice(judge)
    rule, stop = stop_rule(judge.curves.get(choice), judge.target, more, worthwhile)
    outcome, headline = _conclusion(judge, choice)
    evidence = [
        *_chosen_by(judge, choice),
        *_leaders(judge, choice),
        *_forgetting(judge, choice),
        *stop,
        *_target_labels(judge.curves.get(choice), judge.target, target_error),
        *_caveats(judge),
    ]
    if outcome != "take":
        evidence.insert(0, f"{choice} has {_of(judge.errors[choice])}.")
    return Advice(
        choice=choice if outcome == "take" else None,
        outcome=outcome,
        headline=headline,
        sentences=tuple(evidence),
        more_labels=rule,
    )


def _conclusion(judge: Judge, choice: str) -> tuple[Outcome, str]:
    """Compare the choice with its base on the test structures, and say what to do."""
    error, base = judge.errors[choice], judge.base_error(choice)
    name, with_labels = _name(judge.target), f"with {_labels(judge.n_labels)}"
    if base is None:
        told = f"Take {choice}: {with_labels} its {name} is {_of(error)}."
        return "take", told + _rivals(judge, choice)
    gain = 1 - error.value / base.value if base.value else 0.0
    if gain <= 0:
        return "keep", (
            f"Keep the base: {with_labels}, {choice} does not lower its {name} of "
            f"{_of(base)}."
        )
    if gain < MIN_GAIN:
        return "keep", (
            f"Keep the base: {with_labels}, {choice} lowers its {name} of {_of(base)} "
            f"by {100 * gain:.2g} %, and {100 * MIN_GAIN:g} % is the least that counts "
            "as a gain."
        )
    against = f"{with_labels} its {name} is {_of(error)}; the base has {_of(base)}"
    if not judge.is_clear_gain(choice, base):
        return "unclear", (
            f"Unclear whether {choice} is better than the base: {against}. More seeds "
            "and more test structures would tell."
        )
    return "take", f"Take {choice}: {against}.{_rivals(judge, choice)}"


def _rivals(judge: Judge, choice: str) -> str:
    """Name those that the seeds do not tell from the choice."""
    if len(judge.ranked) == 1:
        return ""
    others = [name for name in judge.ranked if name != choice]
    close = [name for name in others if not judge.is_behind(name, choice)]
    if not close:
        return ""
    n_seeds = judge.errors[choice].n_seeds
    seeds = "one seed does" if n_seeds == 1 else f"{n_seeds} seeds do"
    return f" From {' and '.join(close)}, {seeds} not tell it."


def _no_choice(judge: Judge) -> Advice:
    """Say why nothing is recommended where only the test structures could choose."""
    found = [f"{name}: {_of(error)}." for name, error in judge.errors.items()]
    return Advice(
        choice=None,
        outcome="unclear",
        headline="No recommendation: there are no validation structures to choose on.",
        sentences=(
            "The test structures judge and must not choose: whoever they picked would "
            "look better on them than it is. Name other structures with --validation, "
            "or give a larger pool.",
            f"With {_labels(judge.n_labels)}, the {_name(judge.target)} on the test "
            "structures is:",
            *found,
            *_caveats(judge),
        ),
        more_labels="unclear",
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
        outcome="unclear",
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
    if row.interval is not None:
        return f"{value} [{figure(row.interval[0])}, {figure(row.interval[1])}]"
    if isinstance(row, Summary) and row.range is not None:
        low, high = map(figure, row.range)
        return f"{value} ({low} to {high} over {row.n_seeds} seeds)"
    return value


def _labels(n: int) -> str:
    return f"{n} label{'s' * (n != 1)}"


def _chosen_by(judge: Judge, choice: str) -> list[str]:
    """Say what the choice rests on, and what it cost."""
    if len(judge.ranked) == 1:
        return []
    errors = ", ".join(f"{name} {_of(judge.choosing[name])}" for name in judge.ranked)
    told = [
        f"Chosen by the error on {judge.n_validation()} validation structures, which "
        f"no cell trained on: {errors}. They are labels too, beside the "
        f"{judge.n_labels} of a training set."
    ]
    if choice != judge.ranked[0]:
        told.append(
            f"{choice} is not ahead there by its mean; among equals it forgets least."
        )
    return told


def _leaders(judge: Judge, choice: str) -> list[str]:
    """Compare the choice with every other contestant on the test structures."""
    told: list[str] = []
    mine = judge.errors[choice].value
    for name in judge.ranked:
        if name == choice:
            continue
        error = judge.errors[name]
        if judge.is_tied(name, judge.ranked[0]):
            verdict = "as good on validation, for all these seeds can tell"
        elif mine > 0:
            verdict = f"{figure(error.value / mine)} times as much"
        else:
            verdict = "more"
        told.append(f"{name}: {_of(error)}, {verdict}{_drift_words(judge, name)}.")
    return told


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
