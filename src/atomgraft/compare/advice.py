"""Advice of a comparison in words: which recipe, and whether to label more."""

from collections.abc import Sequence

import numpy as np

from atomgraft.compare.judge import Judge, pareto_front
from atomgraft.compare.record import (
    Advice,
    ComparedCell,
    Contestant,
    Crossing,
    Curve,
    FrontPoint,
    Interval,
    Outcome,
    StopRule,
    Summary,
    Target,
)
from atomgraft.evaluation.score_table import figure, gain_text
from atomgraft.metrics.power_law import FAR
from atomgraft.metrics.thresholds import MIN_GAIN, degree_of
from atomgraft.page.wording import (
    count_text,
    counted,
    is_informative,
    relative_text,
    too_few,
)
from atomgraft.records.scores import Score

FEW_STRUCTURES = 5
"""Held-out structures below which all of this says little."""

NAMES = {"forces": "force", "energy": "energy", "stress": "stress"}

BASE = "base"
"""Name of the base on the front."""


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
    bases = _base_errors(judge)
    for base, (name, score) in bases.items():
        points.append(
            FrontPoint(
                contestant=f"{BASE} {base}" if len(bases) > 1 else BASE,
                error=score.value,
                error_interval=score.interval,
                drift=judge.base_drift(name),
                is_on_front=False,
            )
        )
    ahead = pareto_front(np.array([(p.error, p.drift) for p in points]).reshape(-1, 2))
    return tuple(
        point.model_copy(update={"is_on_front": bool(is_ahead)})
        for point, is_ahead in zip(points, ahead, strict=True)
    )


def _base_errors(judge: Judge) -> dict[str, tuple[str, Score]]:
    """Return the error of each base, and a contestant that starts from it."""
    found: dict[str, tuple[str, Score]] = {}
    for name in judge.errors:
        score = judge.base_error(name)
        if score is not None:
            found.setdefault(judge.contestants[name].start, (name, score))
    return found


def advise(
    judge: Judge,
    *,
    more: int,
    worthwhile: float,
    target_error: float | None = None,
    crossings: Sequence[Crossing] = (),
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
    crossings
        Up to how many labels element maps are worth it.
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
        *map(crossing_words, crossings),
        *_without_interval(judge, choice),
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


def crossing_words(found: Crossing) -> str:
    """Say up to how many labels a start from another element is worth it.

    Parameters
    ----------
    found
        Of :func:`~atomgraft.compare.crossings.crossings_of`.
    """
    one, rival = found.contestant, found.rival
    seeds = f"{found.n_seeds} seed{'s' * (found.n_seeds != 1)}"
    if not found.n_caught:
        return (
            f"{one} is better than {rival} at every size up to {found.largest} labels,"
            f" in {seeds}."
        )
    caught = f"in {found.n_caught} of {seeds}"
    if found.n_labels is None:
        return (
            f"{rival} catches up with {one} {caught}; in the others, {one} is better up"
            f" to {found.largest} labels."
        )
    ends = found.range
    spread = f" ({ends[0]:.0f} to {ends[1]:.0f})" if ends and found.n_caught > 1 else ""
    labels = counted(round(found.n_labels), "label")
    return (
        f"{rival} catches up with {one} at about {labels}{spread},"
        f" {caught}: the map is worth it below."
    )


def _conclusion(judge: Judge, choice: str) -> tuple[Outcome, str]:
    """Compare the choice with its base on the test structures, and say what to do."""
    error, base = judge.errors[choice], judge.base_error(choice)
    name, with_labels = _name(judge.target), f"with {_labels(judge.n_labels)}"
    if base is None:
        told = f"Take {choice}: {with_labels} its {name} is {_of(error)}."
        return "take", told + _rivals(judge, choice)
    gain = 1 - error.value / base.value if base.value else 0.0
    keep, the_base = _base_words(judge.contestants[choice])
    if gain <= 0:
        return "keep", (
            f"{keep}: {with_labels}, {choice} does not lower its {name} of {_of(base)}."
        )
    if gain < MIN_GAIN:
        return "keep", (
            f"{keep}: {with_labels}, {choice} lowers its {name} of {_of(base)} "
            f"by {gain_text(gain)}, and {100 * MIN_GAIN:g} % is the least that counts "
            "as a gain."
        )
    against = f"{with_labels} its {name} is {_of(error)}; {the_base} has {_of(base)}"
    if not judge.is_clear_gain(choice, base):
        return "unclear", (
            f"Unclear whether {choice} is better than {the_base}: {against}. Use more "
            "seeds and more test structures."
        )
    cost = _cost(judge, choice)
    return "take", f"Take {choice}: {against}.{cost}{_rivals(judge, choice)}"


def _base_words(choice: Contestant) -> tuple[str, str]:
    """Return how to speak of what a choice starts from."""
    if choice.element_map is None:
        return "Keep the base", "the base"
    mapped = f"the base with the map {choice.element_map}"
    return f"Take {mapped}, without training", mapped


def _cost(judge: Judge, choice: str) -> str:
    """Say in the headline that a choice may ruin what it was not trained for."""
    share = judge.forgotten(choice)
    if share is None or degree_of(share) != "severe":
        return ""
    if judge.forgets_elsewhere(choice):
        return " It is less accurate on other materials than the base."
    return (
        " Its predictions for other crystals of the same elements differ "
        "strongly from the base."
    )


def _rivals(judge: Judge, choice: str) -> str:
    """Name those that the seeds do not tell from the choice."""
    if len(judge.ranked) == 1:
        return ""
    others = [name for name in judge.ranked if name != choice]
    close = [name for name in others if not judge.is_behind(name, choice)]
    if not close:
        return ""
    n_seeds = judge.errors[choice].n_seeds
    seeds = "one seed" if n_seeds == 1 else f"{n_seeds} seeds"
    return f" With {seeds}, it cannot be distinguished from {' and '.join(close)}."


def _no_choice(judge: Judge) -> Advice:
    """Say why nothing is recommended where only the test structures could choose."""
    found = [f"{name}: {_of(error)}." for name, error in judge.errors.items()]
    return Advice(
        choice=None,
        outcome="unclear",
        headline="No recommendation: there are no validation structures to choose on.",
        sentences=(
            "The recipe is not chosen on the test structures, because its error on "
            "them would then be too low. Name other structures with --validation, "
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
        sentences=sentences or ("No cell has finished; run the same command again.",),
        more_labels="unclear",
    )  # fmt: skip


def _name(target: Target) -> str:
    aligned = (
        " (best shift per element subtracted)" if "aligned" in target.metric else ""
    )
    return f"mean absolute {NAMES[target.quantity]} error{aligned}"


def _of(row: Summary | Score) -> str:
    value = f"{figure(row.value)} {row.unit}"
    if row.interval is not None and is_informative(row.value, row.interval):
        return f"{value} [{figure(row.interval[0])}, {figure(row.interval[1])}]"
    if isinstance(row, Summary) and row.range is not None:
        low, high = map(figure, row.range)
        return f"{value} ({low} to {high} over {row.n_seeds} seeds)"
    if row.interval is not None:
        return f"{value} ({too_few('structures')})"
    return value


def _labels(n: int) -> str:
    return f"{n} label{'s' * (n != 1)}"


def _chosen_by(judge: Judge, choice: str) -> list[str]:
    """Say what the choice rests on, and what it cost."""
    if len(judge.ranked) == 1:
        return []
    errors = ", ".join(f"{name} {_of(judge.choosing[name])}" for name in judge.ranked)
    told = [
        f"The recipe was chosen by its error on {judge.n_validation()} validation "
        f"structures, which are not used for training: {errors}. These structures "
        f"are labelled as well, in addition to the {judge.n_labels} of a training "
        "set."
    ]
    if choice != judge.ranked[0]:
        told.append(
            f"{choice} does not have the lowest mean there; of the recipes that "
            "cannot be distinguished it forgets least."
        )
    return told


def _without_interval(judge: Judge, choice: str) -> list[str]:
    """Say why the test structures cannot tell, once for all seeds."""
    reasons = [one.no_interval for one in judge.changes(choice) if one.no_interval]
    return [
        f"The change from the base on the test structures has no interval: {reason}."
        for reason in dict.fromkeys(reasons)
    ]


def _leaders(judge: Judge, choice: str) -> list[str]:
    """Compare the choice with every other contestant on the test structures."""
    told: list[str] = []
    mine = judge.errors[choice].value
    for name in judge.ranked:
        if name == choice:
            continue
        error = judge.errors[name]
        if judge.is_tied(name, judge.ranked[0]):
            verdict = (
                "not distinguishable on the validation structures with these seeds"
            )
        elif mine > 0:
            verdict = f"{figure(error.value / mine)} times the error of {choice}"
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
    told = f"{crystals} the forces of {choice} differ from the base by {_of(drift)}"
    share = judge.forgotten(choice)
    if share is None:
        return [f"{told}."]
    degree = degree_of(share)
    return [
        f"{told}: {degree} forgetting. The largest drift of forces, energies and "
        f"stresses is {relative_text(share)} its scale."
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
        return "unclear", [f"No learning curve could be fitted: {why}."]
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
            f"Stop labelling: the next {counted(more, 'label')} would reduce the error"
            f" by {100 * gain:.1f} %, less than {share}.",
        ]
    if curve.error_next_interval and curve.error_next_interval[1] >= curve.error_now:
        return "unclear", [
            words,
            "The interval of that prediction includes the present error: run more "
            "seeds before you compute more labels.",
        ]
    until = curve.last_worthwhile
    end = _worthwhile_until(until, curve.n_now, more)
    return "worthwhile", [
        words,
        f"More labels are worthwhile: the next {more} should reduce the error by "
        f"{100 * gain:.0f} %, more than {share}{end}. Stop when a batch gains less.",
    ]


def _worthwhile_until(until: float | None, n_now: int, more: int) -> str:
    """Say up to how many labels a batch gains enough, as far as a law can be read."""
    if until is None or until <= n_now:
        return ""
    start = f", and further batches of {more} gain as much up to "
    if until > FAR * n_now:
        return f"{start}{FAR:g} times the labels there are, or more"
    return f"{start}about {count_text(round(until))} labels"


def _unidentified(
    curve: Curve, more: int, worthwhile: float
) -> tuple[StopRule, list[str]]:
    """Stop only if even the steepest law that the data allow gains too little."""
    told = f"No learning curve could be fitted: {curve.reason}."
    if curve.exponent_interval is None:
        return "unclear", [told]
    steepest = max(0.0, curve.exponent_interval[1])
    most = 1 - (1 + more / curve.n_now) ** -steepest
    if most < worthwhile:
        return "stop", [
            told,
            "Stop labelling: even the steepest learning curve within the interval "
            f"gains {100 * most:.1f} % with the next {more}, less than "
            f"{100 * worthwhile:g} %.",
        ]
    return "unclear", [told, "Use more seeds, or a wider range of sizes."]


def _range(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f" [{figure(interval[0])}, {figure(interval[1])}]"


def _target_labels(
    curve: Curve | None, target: Target, target_error: float | None
) -> list[str]:
    if curve is None or not curve.is_identified or target_error is None:
        return []
    asked = f"The target error, {figure(target_error)} {target.unit},"
    if curve.labels_for_target is None:
        return [f"{asked} needs more than {FAR:g} times the labels there are."]
    ends = curve.labels_for_target_interval
    if ends is None:
        return [
            f"{asked} is predicted at about {curve.labels_for_target:.0f} labels, "
            "but there are too few seeds for an interval: do not rely on it."
        ]
    return [
        f"{asked} is predicted at about {curve.labels_for_target:.0f} labels "
        f"(between {ends[0]:.0f} and {ends[1]:.0f})."
    ]


def _caveats(judge: Judge) -> list[str]:
    told: list[str] = []
    n_test = min(
        (one.n for _, one in _base_errors(judge).values()), default=FEW_STRUCTURES
    )
    if n_test < FEW_STRUCTURES:
        told.append(f"There are only {n_test} test structures; use more.")
    if max(one.n_seeds for one in judge.errors.values()) == 1:
        told.append(
            "There is one seed: intervals are over test structures and do not "
            "include the choice of training structures."
        )
    missing = [cell for cell in judge.cells if cell.status != "done"]
    if missing:
        told.append(
            f"{len(missing)} of {len(judge.cells)} cells have no result; the page "
            "lists them with their reasons."
        )
    return told
