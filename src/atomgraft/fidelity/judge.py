"""What follows from the models of a study: rows, lines and answers."""

import dataclasses
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from atomgraft.evaluation import labels
from atomgraft.fidelity.plan import SOURCE
from atomgraft.fidelity.record import Answer, Claim, Interval, Line, Model, Row, Target
from atomgraft.fidelity.spec import ALONE
from atomgraft.metrics.intervals import student_interval, student_quantile
from atomgraft.metrics.log_lines import (
    FEWEST_POINTS,
    LineTest,
    LogLine,
    compare_lines,
    fit_log_line,
    points_at_floor,
)
from atomgraft.page.wording import counted, number_text
from atomgraft.records.scores import Score

FINE_TUNING, MULTI_HEAD, ALL_HEADS, DELTA = (
    "fine-tuning",
    "multi-head",
    "all-heads",
    "delta",
)

BY_CHANCE = 0.05
"""Sources that differ by more than chance have lines of their own."""

RESOLVED = math.log(1.2)
"""Sources have one line if offsets of theirs are known to within this and do not differ
by more than chance."""

FULL = "full"

SMALLEST = 0.01
"""Relative; a smaller difference is none."""

FEWEST_SEEDS = 3
"""Fewer seeds answer nothing."""


def target_of(models: Sequence[Model], wanted: str) -> Target | None:
    """Return the error that is shown, or none where no model of the target is done.

    Parameters
    ----------
    models
        All of the study.
    wanted
        A quantity, or ``auto``: forces before energies.
    """
    known = {
        (score.quantity, score.metric): score
        for model in models
        if model.strategy != SOURCE
        for score in model.scores
        if (score.suite, score.group) == (labels.SUITE, None)
    }
    order = ("forces", "energy") if wanted == "auto" else (wanted,)
    for quantity in order:
        for metric in ("mae_aligned", "mae"):
            if (quantity, metric) in known:
                unit = known[quantity, metric].unit
                return Target(quantity=quantity, metric=metric, unit=unit)
    return None


def error_of(model: Model, target: Target, which: str = "adapted") -> float | None:
    """Return the error of a model on held-out structures of its level, or none.

    Parameters
    ----------
    model
        Trained, or not done yet.
    target
        Which error.
    which
        ``base`` is the model before this training.
    """
    found = [one.value for one in model.scores if _answers(one, target, which)]
    return found[0] if found else None


def _answers(score: Score, target: Target, which: str) -> bool:
    said = (score.model, score.suite, score.quantity, score.metric, score.group)
    return said == (which, labels.SUITE, target.quantity, target.metric, None)


Key = tuple[str, str, str, str | None, int, str, int]


def _key(one: Model) -> Key:
    return (
        one.strategy,
        one.base,
        one.recipe,
        one.source,
        one.n_source,
        one.kept,
        one.n_target,
    )


class Errors:
    """Errors of all models that are done, by what they are and by seed.

    Parameters
    ----------
    models
        All of the study.
    target
        Which error.
    """

    def __init__(self, models: Sequence[Model], target: Target) -> None:
        self.by_key: dict[Key, dict[int, float]] = defaultdict(dict)
        self.before: dict[Key, dict[int, float]] = defaultdict(dict)
        for one in models:
            value, before = (error_of(one, target, w) for w in ("adapted", "base"))
            if one.status == "done" and value is not None and value > 0:
                self.by_key[_key(one)][one.seed] = value
                if one.starts_from and before:
                    self.before[_key(one)][one.seed] = before

    def alone(self, key: Key) -> Mapping[int, float]:
        """Return the errors of the target alone beside a model, by seed."""
        found = [
            seeds
            for other, seeds in self.by_key.items()
            if (other[0], other[1], other[6]) == (ALONE, key[1], key[6])
        ]
        return found[0] if found else {}

    def source(self, key: Key) -> Mapping[int, float]:
        """Return the errors of the source's models that a model starts from."""
        if key[0] != FINE_TUNING:
            return {}
        found = [
            seeds
            for other, seeds in self.by_key.items()
            if other[0] == SOURCE and (other[1], *other[3:6]) == (key[1], *key[3:6])
        ]
        return found[0] if found else {}


def rows_of(errors: Errors) -> list[Row]:
    """Return one row for each model over its seeds; points at a floor are not marked.

    Parameters
    ----------
    errors
        Of all models.
    """
    return [_row(errors, key) for key in errors.by_key]


def _row(errors: Errors, key: Key) -> Row:
    strategy, base, recipe, source, n_source, kept, n_target = key
    seeds = errors.by_key[key]
    values = np.log(list(seeds.values()))
    interval = student_interval(values)
    ratios = [] if strategy in {SOURCE, ALONE} else _ratios(seeds, errors.alone(key))
    before = errors.before.get(key, {})
    return Row(
        strategy=strategy,
        base=base,
        recipe=recipe,
        source=source,
        n_source=n_source,
        kept=kept,
        n_target=n_target,
        value=_middle(seeds.values()),
        interval=interval and (math.exp(interval[0]), math.exp(interval[1])),
        range=_range(list(seeds.values())),
        n_seeds=len(seeds),
        over_alone=_middle(ratios) if ratios else None,
        over_alone_range=_range(ratios),
        source_error=_middle([errors.source(key)[s] for s in seeds])
        if seeds.keys() <= errors.source(key).keys()
        else None,
        untrained=_middle(before.values()) if before else None,
    )


def _ratios(seeds: Mapping[int, float], others: Mapping[int, float]) -> list[float]:
    return [seeds[seed] / others[seed] for seed in sorted(seeds) if seed in others]


def _middle(values: Iterable[float]) -> float:
    return math.exp(float(np.mean(np.log(list(values)))))


def _range(values: Sequence[float]) -> Interval | None:
    return (min(values), max(values)) if len(values) > 1 else None


def with_lines(rows: Sequence[Row]) -> tuple[list[Row], list[Line]]:
    """Return rows with points at a floor marked, and the lines through the others.

    A line joins models that differ in their source and its size alone: of each base,
    and of all bases together; of all sources, and of each.

    Parameters
    ----------
    rows
        Of :func:`rows_of`.
    """
    settings: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        if row.strategy == FINE_TUNING and row.source_error:
            settings[row.recipe, row.kept, row.n_target].append(i)
    marked, lines = list(rows), []
    for members in settings.values():
        x = np.array([rows[i].source_error or 1.0 for i in members])
        y = np.array([rows[i].value for i in members])
        limited = points_at_floor(x, y)
        for i, is_at in zip(members, limited, strict=True):
            marked[i] = rows[i].model_copy(update={"is_at_floor": bool(is_at)})
        mine = [marked[i] for i in members]
        bases = list(dict.fromkeys(row.base for row in mine))
        names = list(dict.fromkeys(row.source for row in mine))
        lines += [
            _line(mine, base, name)
            for base in [None, *(bases if len(bases) > 1 else [])]
            for name in [None, *(names if len(names) > 1 else [])]
        ]
    return marked, lines


def _line(rows: Sequence[Row], base: str | None, source: str | None) -> Line:
    mine = [
        row
        for row in rows
        if (base is None or row.base == base)
        and (source is None or row.source == source)
    ]
    used = [row for row in mine if not row.is_at_floor]
    x = np.array([row.source_error or 1.0 for row in used])
    y = np.array([row.value for row in used])
    found: LogLine | None = None
    if len(set(x.tolist())) >= FEWEST_POINTS:
        found = fit_log_line(x, y)
        reason = f"least squares of the logarithms of {len(used)} models"
    else:
        reason = f"{len(used)} models are too few for a line"
    return Line(
        base=base,
        recipe=rows[0].recipe,
        kept=rows[0].kept,
        n_target=rows[0].n_target,
        source=source,
        n_points=len(used),
        n_at_floor=len(mine) - len(used),
        slope=found and found.slope,
        slope_interval=found and found.slope_interval,
        amplitude=found and found.amplitude,
        r_squared=found and found.r_squared,
        reason=reason,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Versus:
    """Two kinds of models that differ in one respect.

    Parameters
    ----------
    question
        What is asked.
    first, second
        Their names in sentences.
    picks
        Whether a model is one of the first, or of the second kind.
    same
        What has to agree between a pair. The answer is yes where the first has smaller
        errors.
    """

    question: str
    first: str
    second: str
    picks: tuple[Callable[[Key], bool], Callable[[Key], bool]]
    same: Callable[[Key], object]


def _all_but(*positions: int) -> Callable[[Key], object]:
    return lambda key: tuple(v for i, v in enumerate(key) if i not in positions)


def _of(strategy: str, **more: object) -> Callable[[Key], bool]:
    places = {"recipe": 2, "source": 3, "kept": 5}
    return lambda key: (
        key[0] == strategy
        and all(key[places[name]] == value for name, value in more.items())
    )


def questions(rows: Sequence[Row]) -> list[Versus]:
    """Return the questions that the models of a study can answer.

    Parameters
    ----------
    rows
        Of the study.
    """
    found: list[Versus] = []
    strategies = {row.strategy for row in rows}
    own = [row for row in rows if row.strategy not in {SOURCE, ALONE}]
    kinds = {row.kept for row in own if row.n_source}
    whole = {"kept": "all"} if "all" in kinds else {}
    found += [
        Versus(
            question=f"Does {way} from {name} help?",
            first=f"{way} from {name}",
            second="the target alone",
            picks=(_of(way, source=name, **whole), _of(ALONE)),
            same=lambda key: (key[1], key[6]),
        )
        for way, name in dict.fromkeys((row.strategy, row.source) for row in own)
    ]
    tuned = [row for row in rows if row.strategy == FINE_TUNING]
    kept = {row.kept for row in tuned}
    for less in ("energy", "forces"):
        if {"all", less} <= kept:
            other = "forces" if less == "energy" else "energies"
            found.append(
                Versus(
                    question=f"Are the source's {other} needed?",
                    first="sources with all labels",
                    second="sources with energies alone"
                    if less == "energy"
                    else "sources with forces alone",
                    picks=(_of(FINE_TUNING, kept="all"), _of(FINE_TUNING, kept=less)),
                    same=_all_but(5),
                )
            )
    recipes = dict.fromkeys(row.recipe for row in tuned)
    found += [
        Versus(
            question=f"Is {FULL} better than {one}?",
            first=FULL,
            second=one,
            picks=(_of(FINE_TUNING, recipe=FULL), _of(FINE_TUNING, recipe=one)),
            same=_all_but(2),
        )
        for one in recipes
        if FULL in recipes and one != FULL
    ]
    most = FULL if FULL in recipes else next(iter(recipes), "")
    tuned_fully = _of(FINE_TUNING, recipe=most)
    tuned_on_all = _of(FINE_TUNING, recipe=most, kept="all")
    pairs = [
        (MULTI_HEAD, FINE_TUNING, tuned_fully, _all_but(0, 2)),
        (ALL_HEADS, MULTI_HEAD, _of(MULTI_HEAD), _all_but(0, 2, 3)),
        (DELTA, FINE_TUNING, tuned_on_all, _all_but(0, 2, 4, 5)),
    ]
    found += [
        Versus(
            question=f"Is {first} better than {second}?",
            first=first,
            second=second,
            picks=(_of(first), picked),
            same=same,
        )
        for first, second, picked, same in pairs
        if {first, second} <= strategies
    ]
    return found


def answered(one: Versus, errors: Errors) -> Claim | None:
    """Return the answer to a question, or none where there is no pair.

    The ratio of errors is a geometric mean over settings and seeds. Settings share
    structures and rivals, and count once for each seed: the 95 % interval is that of
    Student over the seeds, of at least three, on the logarithms. Where it contains one,
    or there are fewer seeds, nothing is resolved.

    Parameters
    ----------
    one
        The question.
    errors
        Of all models.
    """
    found = _Ratios()
    for a, b in itertools.product(errors.by_key, errors.by_key):
        if one.picks[0](a) and one.picks[1](b) and one.same(a) == one.same(b):
            found.add(errors.by_key[a], errors.by_key[b])
    if not found.settings:
        return None
    side = found.side()
    answer: Answer = "not resolved"
    if side:
        answer = "yes" if side < 0 else "no"
    sentence = (
        f"Error of {one.first} over that of {one.second}: {found.text()}, over"
        f" {counted(len(found.settings), 'setting')} and"
        f" {counted(len(found.seeds), 'seed')}."
    )
    return Claim(question=one.question, answer=answer, sentence=sentence)


class _Ratios:
    """Ratios of errors by setting and by seed."""

    def __init__(self) -> None:
        self.settings: list[float] = []
        self.seeds: dict[int, list[float]] = defaultdict(list)

    def add(self, first: Mapping[int, float], second: Mapping[int, float]) -> None:
        """Take note of two kinds of models in one setting."""
        shared = sorted(first.keys() & second.keys())
        for seed in shared:
            self.seeds[seed].append(first[seed] / second[seed])
        if shared:
            self.settings.append(_middle(first[s] / second[s] for s in shared))

    def interval(self) -> Interval | None:
        """Return the 95 % interval over seeds, or none for a few."""
        logs = np.log([_middle(one) for one in self.seeds.values()])
        if len(logs) < FEWEST_SEEDS:
            return None
        deviation = float(np.std(logs, ddof=1)) / math.sqrt(len(logs))
        half = student_quantile(len(logs) - 1) * deviation
        middle = float(logs.mean())
        return math.exp(middle - half), math.exp(middle + half)

    def side(self) -> int:
        """Return on which side of one the ratio is: -1, 1, or 0 if that is not sure."""
        ends = self.interval()
        is_small = abs(math.log(_middle(self.settings))) < SMALLEST
        if ends is None or is_small:
            return 0
        return -1 if ends[1] < 1 else 1 if ends[0] > 1 else 0

    def text(self) -> str:
        """Return the mean with its interval, or the range of a few seeds."""
        every = [_middle(one) for one in self.seeds.values()]
        middle, ends = number_text(_middle(every)), self.interval()
        if ends is not None:
            return f"{middle} [{number_text(ends[0])}, {number_text(ends[1])}]"
        if len(every) == 1:
            return middle
        low, high = min(every), max(every)
        return f"{middle} ({number_text(low)} to {number_text(high)})"


def line_claims(rows: Sequence[Row], lines: Sequence[Line]) -> list[Claim]:
    """Return whether one line serves all sources, for each recipe and labels kept.

    Parameters
    ----------
    rows
        With points at the floor marked.
    lines
        Of :func:`with_lines`.
    """
    found: list[Claim] = []
    for line in lines:
        if line.source is not None or line.base is not None:
            continue
        used = [
            row
            for row in rows
            if row.strategy == FINE_TUNING
            and (row.recipe, row.kept, row.n_target)
            == (line.recipe, line.kept, line.n_target)
            and row.source_error
            and not row.is_at_floor
        ]
        groups = [str(row.source) for row in used]
        if len(set(groups)) < 2:
            continue
        found_lines = compare_lines(
            np.array([row.source_error or 1.0 for row in used]),
            np.array([row.value for row in used]),
            groups,
            [row.base for row in used],
        )
        answer: Answer = "not resolved"
        if found_lines is not None and line.slope is not None:
            if found_lines.chance < BY_CHANCE:
                answer = "no"
            elif found_lines.widest < RESOLVED:
                answer = "yes"
        kept = "" if line.kept == "all" else f", {line.kept} kept"
        found.append(
            Claim(
                question=f"Does one line serve all sources ({line.recipe}{kept}, "
                f"{line.n_target} labels of the target)?",
                answer=answer,
                sentence=_line_sentence(line, found_lines),
            )
        )
    return found


def _line_sentence(line: Line, lines: LineTest | None) -> str:
    if line.slope is None:
        return f"No line: {line.reason}."
    ends = line.slope_interval
    interval = f" [{number_text(ends[0])}, {number_text(ends[1])}]" if ends else ""
    parts = [
        f"Slope {number_text(line.slope)}{interval}",
        f"R² {line.r_squared or 0.0:.3f}",
        f"{line.n_points} models",
    ]
    parts += [f"{line.n_at_floor} at the floor left out"] if line.n_at_floor else []
    said = ", ".join(parts) + "."
    if lines is None:
        return f"{said} Too few models to compare the lines of sources."
    return (
        f"{said} If all sources had one line, theirs would differ by as much with a"
        f" probability of {lines.chance:.2g}. Offsets of sources are known to within a"
        f" factor of {math.exp(lines.widest):.2f}."
    )
