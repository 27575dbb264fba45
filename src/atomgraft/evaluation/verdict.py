"""The verdict on a model in words, from the scores."""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Literal

from atomgraft.core.properties import Property
from atomgraft.evaluation import consistency, labels
from atomgraft.evaluation.lost_accuracy import NAMES, LostAccuracy, lost_accuracy
from atomgraft.evaluation.score_table import ScoreTable, arrow, figure, gain_text
from atomgraft.metrics.thresholds import MIN_GAIN
from atomgraft.page.wording import WIDEST, too_few
from atomgraft.records.scores import MovedWeights, Score, Verdict

Outcome = Literal[
    "better", "slightly better", "unchanged", "unclear", "slightly worse", "worse"
]

OUTCOMES: tuple[Outcome, ...] = (
    "better",
    "slightly better",
    "worse",
    "slightly worse",
    "unclear",
    "unchanged",
)
"""In the order of the headline."""

TOLERANCES = {Property.ENERGY: 0.01, Property.FORCES: 0.1, Property.STRESS: 0.001}
"""meV/atom, meV/Å, GPa: a thousand times the noise of the probes in float64, and
still too small to matter in molecular dynamics."""


SATURATED = {
    "interval": None,
    "no_interval": "there are as many independent compositions as structures, so "
    "that new reference energies alone could explain the change",
}
"""What a change of energies is worth where no shift can be taken out."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Judgement:
    """How the adapted model compares with the base on one quantity."""

    quantity: Property
    outcome: Outcome
    before: Score
    after: Score
    change: Score
    noise: float
    """In the unit of the scores: a smaller change is rounding."""

    @property
    def gain(self) -> float:
        """Share of the base's error that is gone; negative where it grew."""
        return 1 - self.after.value / self.before.value if self.before.value else 0.0


def verdict(
    scores: Sequence[Score],
    *,
    moved: MovedWeights | None = None,
    further: Sequence[str] = (),
) -> Verdict:
    """Judge the adapted model beside the base, and beside scratch if it is there.

    A quantity is better if the whole 95 % interval of the change of its mean
    absolute error, over the held-out structures, lies below zero, and the error fell
    by `MIN_GAIN` at least. A change within the rounding of the predictions is none.
    Energies are judged after the best shift per element was taken out where that can
    be told, because a new reference alone is no new knowledge. A model of which no
    weight has moved has learned nothing, whatever its errors are.

    Parameters
    ----------
    scores
        As :func:`atomgraft.evaluation.suites.assess` returns them.
    moved
        How many weights differ from the base's; none where that is not known.
    further
        Sentences of further suites.

    Examples
    --------
    >>> verdict([]).took is None
    True
    """
    table = ScoreTable(scores)
    judgements = [one for name in NAMES if (one := _judge(table, name)) is not None]
    lost = lost_accuracy(table)
    sentences = [*_unmoved(moved), *(_sentence(table, one) for one in judgements)]
    sentences += _without_interval(judgements)
    sentences += [*_scratch(table), *further]
    sentences += [] if lost is None else [lost.sentence]
    sentences += _consistency(table)
    outcomes = [one.outcome for one in judgements] if _has_moved(moved) else []
    took = bool(outcomes) and all(one == "better" for one in outcomes)
    return Verdict(
        took=took if judgements else None,
        is_partial=not took and "better" in outcomes,
        is_unclear=_is_unclear(outcomes),
        forgetting=None if lost is None else lost.degree,
        headline=_headline(judgements, moved, lost),
        sentences=tuple(sentences),
    )


def _has_moved(moved: MovedWeights | None) -> bool:
    return moved is None or moved.n_moved > 0


def _judge(table: ScoreTable, quantity: Property) -> _Judgement | None:
    for metric in ("mae_aligned", "mae"):
        before = table.find("base", labels.SUITE, quantity, metric)
        after = table.find("adapted", labels.SUITE, quantity, metric)
        change = table.find("adapted", labels.SUITE, quantity, f"{metric}_change")
        if before is not None and after is not None and change is not None:
            if quantity is Property.ENERGY and metric == "mae":
                change = change.model_copy(update=SATURATED)
            noise = _noise(table, quantity)
            return _Judgement(
                quantity=quantity,
                outcome=_outcome(before, change, noise),
                before=before,
                after=after,
                change=change,
                noise=noise,
            )
    return None


def _noise(table: ScoreTable, quantity: Property) -> float:
    """Return how well a change is known: a mean error is off by its rounding at most.

    Zero where it was not measured, as in results of older versions.
    """
    rows = [
        table.find(model, labels.SUITE, quantity, consistency.ROUNDING)
        for model in ("base", "adapted")
    ]
    return sum((row.value for row in rows if row is not None), 0.0)


def _outcome(before: Score, change: Score, noise: float) -> Outcome:
    """Judge by the interval and by the size; without an interval nothing is clear."""
    if abs(change.value) <= noise:
        return "unchanged"
    if change.interval is None:
        return "unclear"
    low, high = change.interval
    is_large = abs(change.value) >= MIN_GAIN * before.value
    if high < 0:
        return "better" if is_large else "slightly better"
    if low > 0:
        return "worse" if is_large else "slightly worse"
    return "unclear"


def _headline(
    judgements: Sequence[_Judgement],
    moved: MovedWeights | None,
    lost: LostAccuracy | None,
) -> str:
    if not judgements:
        return (
            "Not tested yet: run 'atomgraft prove' with structures that were not "
            "used for training."
        )
    by_outcome: dict[Outcome, list[str]] = {
        outcome: [NAMES[one.quantity] for one in judgements if one.outcome == outcome]
        for outcome in OUTCOMES
    }
    said = [f"{_listed(who)} {what}" for what, who in by_outcome.items() if who]
    first = judgements[0]
    start = _start(by_outcome, moved) + _aside(by_outcome, moved, lost)
    return (
        f"{start}: {', '.join(said)} on {first.change.n} held-out structures "
        f"({NAMES[first.quantity]} {arrow(first.before, first.after)})."
    )


def _start(by_outcome: dict[Outcome, list[str]], moved: MovedWeights | None) -> str:
    there = {outcome for outcome, names in by_outcome.items() if names}
    if not _has_moved(moved):
        return "Nothing was learned: no weight changed"
    if there == {"better"}:
        return "It took"
    if "better" in there:
        return "It took in part"
    if there == {"unchanged"}:
        return "Nothing changed"
    if _is_unclear(there):
        return "It is unclear whether it took"
    if there <= {"slightly better", "unchanged", "slightly worse"}:
        return "It changed little, too little to count as taken"
    return "It did not take"


def _is_unclear(outcomes: Collection[str]) -> bool:
    """Tell whether more held-out structures could still show a gain."""
    return "unclear" in outcomes and not {"better", "worse"} & set(outcomes)


def _aside(
    by_outcome: dict[Outcome, list[str]],
    moved: MovedWeights | None,
    lost: LostAccuracy | None,
) -> str:
    """Name what was paid for a gain."""
    has_gain = bool(by_outcome["better"]) and _has_moved(moved)
    if not has_gain or lost is None or lost.degree != "severe":
        return ""
    if lost.is_elsewhere:
        return ", and lost accuracy elsewhere"
    return ", with large changes on other crystals"


def _unmoved(moved: MovedWeights | None) -> list[str]:
    if moved is None or moved.n_moved:
        return []
    return [
        f"None of the {moved.n_weights} weights differs from the base; only "
        "reference energies can have changed."
    ]


def _sentence(table: ScoreTable, judgement: _Judgement) -> str:
    name = NAMES[judgement.quantity].capitalize()
    before, after, change = judgement.before, judgement.after, judgement.change
    is_aligned = change.metric == "mae_aligned_change"
    told = f"{name}{' (best shift per element subtracted)' if is_aligned else ''}: "
    told += f"mean absolute error {arrow(before, after)}, {judgement.outcome}"
    told += _why(judgement)
    if change.interval is not None:
        told += f" ({_interval_words(judgement)})"
    raw = [
        table.find(model, labels.SUITE, judgement.quantity, "mae")
        for model in ("base", "adapted")
    ]
    if is_aligned and raw[0] is not None and raw[1] is not None:
        told += f"; before subtraction {arrow(raw[0], raw[1])}"
    return f"{told}."


def _interval_words(judgement: _Judgement) -> str:
    """Give the interval of the change, or say that it is too wide to mean anything."""
    change = judgement.change
    ends = change.interval or (0.0, 0.0)
    widest = WIDEST * max(judgement.before.value, judgement.after.value)
    if not max(map(abs, ends)) <= widest:
        return f"{too_few(change.independent or 'structures')} of the change"
    low, high = map(figure, ends)
    return f"95 % interval of the change {low} to {high}{_over(change)}"


def _over(change: Score) -> str:
    """Say over how many independent things an interval is."""
    if change.n_independent is None:
        return ""
    return f", over {change.n_independent} {change.independent}"


def _without_interval(judgements: Sequence[_Judgement]) -> list[str]:
    """Say once for all quantities of one kind why their changes have no interval."""
    reasons: dict[str, list[str]] = {}
    for one in judgements:
        if one.change.no_interval is not None:
            reasons.setdefault(one.change.no_interval, []).append(NAMES[one.quantity])
    return [
        f"No interval for the change of {_listed(names)}: {reason}."
        for reason, names in reasons.items()
    ]


def _why(judgement: _Judgement) -> str:
    """Say what an outcome rests on besides the interval."""
    if judgement.outcome == "unchanged":
        return (
            f": the change is within the rounding of the predictions, "
            f"{figure(judgement.noise)} {judgement.change.unit}"
        )
    if judgement.outcome == "slightly better":
        return (
            f": {gain_text(judgement.gain)} lower, and {100 * MIN_GAIN:g} % is the "
            "least that counts as a gain"
        )
    return ""


def _scratch(table: ScoreTable) -> list[str]:
    """Compare with scratch on the first quantity that both were asked for."""
    for quantity, name in NAMES.items():
        adapted = table.find("adapted", labels.SUITE, quantity, "mae")
        scratch = table.find("scratch", labels.SUITE, quantity, "mae")
        if adapted is None or scratch is None:
            continue
        told = (
            f"Trained from scratch on the same data, the error of {name} is "
            f"{figure(scratch.value)} {scratch.unit}; adapted, it is "
            f"{figure(adapted.value)}: "
        )
        return [told + _against_scratch(adapted, scratch)]
    return []


def _against_scratch(adapted: Score, scratch: Score) -> str:
    if adapted.interval is None or scratch.interval is None:
        return "there are no intervals to compare."
    if adapted.interval[1] < scratch.interval[0]:
        return "starting from the base helps."
    if scratch.interval[1] < adapted.interval[0]:
        return "starting from the base does not help."
    return "the intervals overlap, no clear difference."


def _consistency(table: ScoreTable) -> list[str]:
    suite = consistency.SUITE
    slopes = table.rows("adapted", suite, "finite_difference")
    turns = table.rows("adapted", suite, "equivariance")
    told = [
        "Do not use this model for molecular dynamics: its "
        f"{NAMES[Property(row.quantity)]} deviate by {figure(row.value)} {row.unit} "
        f"{what}."
        for rows, what in (
            (slopes, "from the derivative of the energy"),
            (turns, "when the crystal is rotated"),
        )
        for row in rows
        if row.value > TOLERANCES[Property(row.quantity)]
    ]
    if told or not slopes:
        return told
    sizes = " and ".join(f"{figure(row.value)} {row.unit}" for row in slopes)
    return [f"Forces and stress are derivatives of the energy, to {sizes}."]


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)
