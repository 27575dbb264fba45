"""What a comparison knows: who leads, who is clear of the base, what nothing beats."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from atomgraft.compare.record import (
    Baseline,
    ComparedCell,
    Contestant,
    Curve,
    Interval,
    Target,
)
from atomgraft.compare.seed_summaries import SummaryTable, errors_by_seed
from atomgraft.evaluation import forgetting, labels
from atomgraft.evaluation.lost_accuracy import LostAccuracy, lost_accuracy
from atomgraft.evaluation.score_table import ScoreTable
from atomgraft.metrics.intervals import student_interval
from atomgraft.records.scores import Score

TIED = 0.1
"""Share by which an error may exceed the best and still count as equal, if the seeds
cannot tell the two apart."""


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
        self.baselines = {(one.base, one.n_labels): one for one in baselines}
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
        """Return the target error of the base that a contestant starts from.

        Of a base whose scales are fitted, that of the largest size.
        """
        asked = (labels.SUITE, self.target.quantity, self.target.metric, None)
        return self._of_base(contestant, asked)

    def base_drift(self, contestant: str) -> float:
        """Return the drift of that base from the one before its element map."""
        asked = (forgetting.SUITE, "forces", "drift", self.target.drift_group)
        found = self._of_base(contestant, asked)
        return 0.0 if found is None else found.value

    def _of_base(
        self, contestant: str, asked: tuple[str, str, str, str | None]
    ) -> Score | None:
        one = self.contestants[contestant]
        size = self.n_labels if one.is_fitted else None
        baseline = self.baselines.get((one.start, size))
        for score in () if baseline is None else baseline.scores:
            if (score.suite, score.quantity, score.metric, score.group) == asked:
                return score
        return None

    def base_seeds(self, contestant: str) -> dict[int, float]:
        """Return the error of the base on the test structures, by seed of its cell."""
        asked = (labels.SUITE, self.target.quantity, self.target.metric, None)
        return {
            cell.seed: score.value
            for cell in self.cells
            if (cell.contestant, cell.n_labels) == (contestant, self.n_labels)
            for score in cell.scores
            if score.model == "base"
            and (score.suite, score.quantity, score.metric, score.group) == asked
        }

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

        Seeds say nothing of other test structures: where these are too few, or too
        much alike, for the change on them to have an interval, nothing is clear. Nor is
        it of energies from which no shift could be taken out: new reference energies
        alone may have changed them.

        Parameters
        ----------
        choice
            Whose.
        base
            Error of the base on the test structures.
        """
        seeds, bases = self.judged_seeds(choice), self.base_seeds(choice)
        shares = [
            error / bases.get(seed, base.value) if bases.get(seed, base.value) else 1.0
            for seed, error in seeds.items()
        ]
        if not all(one < 1 for one in shares):
            return False
        error, changes = self.errors[choice], self.changes(choice)
        are_raw = (self.target.quantity, self.target.metric) == ("energy", "mae")
        if are_raw or any(one.interval is None for one in changes):
            return False
        if error.interval is not None and error.interval_over == "seeds":
            ends = student_interval(np.log(shares))
            return ends is not None and ends[1] < 0
        intervals = [one.interval for one in changes if one.interval is not None]
        if intervals:
            return all(high < 0 for _, high in intervals)
        if error.interval is not None and base.interval is not None:
            return error.interval[1] < base.interval[0]
        return len(seeds) > 1

    def changes(self, contestant: str) -> list[Score]:
        """Return the paired change from the base on the test structures, one a seed."""
        asked = (labels.SUITE, self.target.quantity, f"{self.target.metric}_change")
        return [
            score
            for cell in self.cells
            if (cell.contestant, cell.n_labels) == (contestant, self.n_labels)
            for score in cell.scores
            if (score.suite, score.quantity, score.metric) == asked
            and (score.model, score.group) == ("adapted", None)
        ]

    def forgotten(self, contestant: str) -> float | None:
        """Return the mean share of what the base knew that a contestant has lost.

        None where drift was not measured, or its scale is not known.
        """
        losses = self._losses(contestant)
        shares = [one.share for one in losses if one.share is not None]
        return float(np.mean(shares)) if shares else None

    def forgets_elsewhere(self, contestant: str) -> bool:
        """Tell whether drift is that of crystals about which nothing was learned."""
        return any(one.is_elsewhere for one in self._losses(contestant))

    def _losses(self, contestant: str) -> list[LostAccuracy]:
        losses = [
            lost_accuracy(ScoreTable(cell.scores))
            for cell in self.cells
            if (cell.contestant, cell.n_labels) == (contestant, self.n_labels)
            and cell.status == "done"
        ]
        return [one for one in losses if one is not None]

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


def pareto_front(points: Float[np.ndarray, "points 2"]) -> Bool[np.ndarray, " points"]:
    """Tell which points no other point dominates; smaller is better in both columns.

    A point dominates another if it is no worse in both columns and better in one
    (Pareto's order; Miettinen, Nonlinear Multiobjective Optimization, 1999, def.
    2.2.1). Equal points do not dominate each other. A point with NaN is on no front
    and dominates nothing.

    Parameters
    ----------
    points
        One row each, in any units.

    Examples
    --------
    >>> pareto_front(np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 2.5]])).tolist()
    [True, True, False]
    """
    is_on_front = np.zeros(len(points), dtype=bool)
    known = np.flatnonzero(~np.isnan(points).any(axis=1))
    # by the first column, ties by the second: only what came before can dominate
    order = known[np.lexsort((points[known, 1], points[known, 0]))]
    lowest, holder = np.inf, np.inf
    for i in order:
        first, second = points[i]
        is_on_front[i] = second < lowest or (second == lowest and first == holder)
        if second < lowest:
            lowest, holder = second, first
    return is_on_front
