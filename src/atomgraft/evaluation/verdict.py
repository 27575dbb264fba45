"""What a person should take away, in plain words, from the scores alone."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

from atomgraft.core.properties import Property
from atomgraft.evaluation import consistency, forgetting, labels, phonon_scores
from atomgraft.evaluation.score_table import ScoreTable, figure
from atomgraft.results.schema import Score, Verdict

Outcome = Literal["better", "worse", "unclear"]

NAMES = {
    Property.FORCES: "forces",
    Property.ENERGY: "energies",
    Property.STRESS: "stresses",
}
"""In the order in which people ask."""

FEW = 5
"""Held-out structures below which a bootstrap interval says little."""

LITTLE, MUCH = 0.5, 2.0
"""Drift of the forces in units of the base's error on the held-out forces: less
than half of it is little forgetting, more than twice is much."""

TOLERANCES = {Property.ENERGY: 0.01, Property.FORCES: 0.1, Property.STRESS: 0.001}
"""meV/atom, meV/Å, GPa: a thousand times the noise of the probes in float64, and
still too small to matter in molecular dynamics."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Judgement:
    """How the adapted model compares with the base on one quantity."""

    quantity: Property
    outcome: Outcome
    before: Score
    after: Score
    change: Score


def verdict(scores: Sequence[Score]) -> Verdict:
    """Judge the adapted model beside the base, and beside scratch if it is there.

    A quantity is better if the whole 95 % interval of the change of its mean
    absolute error, by paired bootstrap over the held-out structures, lies below
    zero. Energies are judged after the best shift per element was taken out where
    that can be told, because a new reference alone is no new knowledge.

    Parameters
    ----------
    scores
        As :func:`atomgraft.evaluation.suites.assess` returns them.

    Examples
    --------
    >>> verdict([]).took is None
    True
    """
    table = ScoreTable(scores)
    judgements = [one for name in NAMES if (one := _judge(table, name)) is not None]
    sentences = [_sentence(table, one) for one in judgements]
    if judgements and judgements[0].change.n < FEW:
        n = judgements[0].change.n
        sentences.append(
            f"Only {n} held-out structure{'s' * (n > 1)}: an interval says little "
            f"below {FEW}."
        )
    sentences += [*_scratch(table), *_phonons(table)]
    sentences += [*_forgetting(table), *_consistency(table)]
    outcomes = [one.outcome for one in judgements]
    took = all(one == "better" for one in outcomes) if outcomes else None
    return Verdict(
        took=took,
        is_partial=took is False and "better" in outcomes,
        headline=_headline(judgements),
        sentences=tuple(sentences),
    )


def _judge(table: ScoreTable, quantity: Property) -> _Judgement | None:
    for metric in ("mae_aligned", "mae"):
        before = table.find("base", labels.SUITE, quantity, metric)
        after = table.find("adapted", labels.SUITE, quantity, metric)
        change = table.find("adapted", labels.SUITE, quantity, f"{metric}_change")
        if before is not None and after is not None and change is not None:
            return _Judgement(
                quantity=quantity,
                outcome=_outcome(change),
                before=before,
                after=after,
                change=change,
            )
    return None


def _outcome(change: Score) -> Outcome:
    """Judge by the interval; one structure has none that means anything."""
    if change.interval is None or change.n < 2:
        return "unclear"
    low, high = change.interval
    return "better" if high < 0 else "worse" if low > 0 else "unclear"


def _headline(judgements: Sequence[_Judgement]) -> str:
    if not judgements:
        return (
            "Nothing held out yet: run 'atomgraft prove' with structures that were "
            "not trained on."
        )
    by_outcome = {
        outcome: [NAMES[one.quantity] for one in judgements if one.outcome == outcome]
        for outcome in ("better", "worse", "unclear")
    }
    said = [f"{_listed(who)} {what}" for what, who in by_outcome.items() if who]
    n_better = len(by_outcome["better"])
    start = "It did not take" if n_better == 0 else "It took in part"
    if n_better == len(judgements):
        start = "It took"
    first = judgements[0]
    return (
        f"{start}: {', '.join(said)} on {first.change.n} held-out structures "
        f"({NAMES[first.quantity]} {_arrow(first.before, first.after)})."
    )


def _sentence(table: ScoreTable, judgement: _Judgement) -> str:
    name = NAMES[judgement.quantity].capitalize()
    before, after, change = judgement.before, judgement.after, judgement.change
    is_aligned = change.metric == "mae_aligned_change"
    told = f"{name}{', best shift per element taken out' if is_aligned else ''}: "
    told += f"mean absolute error {_arrow(before, after)}, {judgement.outcome}"
    if change.interval is not None and change.n > 1:
        low, high = map(figure, change.interval)
        told += f" (95 % interval of the change {low} to {high})"
    raw = [
        table.find(model, labels.SUITE, judgement.quantity, "mae")
        for model in ("base", "adapted")
    ]
    if is_aligned and raw[0] is not None and raw[1] is not None:
        told += f"; with their own references {_arrow(raw[0], raw[1])}"
    return f"{told}."


def _phonons(table: ScoreTable) -> list[str]:
    """Compare frequencies with the base's, and with the base times one number."""
    suite, quantity = phonon_scores.SUITE, phonon_scores.FREQUENCIES
    before = table.find("base", suite, quantity, "mae")
    after = table.find("adapted", suite, quantity, "mae")
    if before is None or after is None:
        return []
    told = (
        f"Phonons of {_crystals(after.n)}: frequencies off by {_arrow(before, after)}"
    )
    scaled = table.find("base", suite, quantity, phonon_scores.OWN_SCALAR)
    if scaled is not None:
        one_number = (
            f"the base's force constants times one fitted number give "
            f"{figure(scaled.value)}"
        )
        learned = after.value < scaled.value
        told += f"; {one_number}, so that " + (
            "more was learned than a stiffness."
            if learned
            else "no more was learned than that number says."
        )
        return [told]
    return [f"{told}."]


def _crystals(n: int) -> str:
    return "one crystal" if n == 1 else f"{n} crystals"


def _scratch(table: ScoreTable) -> list[str]:
    """Compare with scratch on the first quantity that both were asked for."""
    for quantity, name in NAMES.items():
        adapted = table.find("adapted", labels.SUITE, quantity, "mae")
        scratch = table.find("scratch", labels.SUITE, quantity, "mae")
        if adapted is None or scratch is None:
            continue
        told = (
            f"From scratch the same data leave {name} at {figure(scratch.value)} "
            f"{scratch.unit}, against {figure(adapted.value)} adapted: "
        )
        return [told + _against_scratch(adapted, scratch)]
    return []


def _against_scratch(adapted: Score, scratch: Score) -> str:
    if adapted.interval is None or scratch.interval is None:
        return "without intervals, nothing more can be said."
    if adapted.interval[1] < scratch.interval[0]:
        return "the base is worth having."
    if scratch.interval[1] < adapted.interval[0]:
        return "here the base does not help."
    return "the intervals overlap, no clear difference."


def _forgetting(table: ScoreTable) -> list[str]:
    """Measure drift of forces, far from the training set where there is such."""
    suite, forces = forgetting.SUITE, Property.FORCES
    far = table.find("adapted", suite, forces, "drift", "far")
    drift = far or table.find("adapted", suite, forces, "drift")
    if drift is None:
        return []
    where = " without any trained element" if far is not None else ""
    moved = (
        f"on {drift.n} crystals{where} forces moved by {figure(drift.value)} "
        f"{drift.unit} from the base"
    )
    base = table.find("base", labels.SUITE, forces, "mae")
    if base is None or base.value == 0:
        told = f"Forgetting: {moved}"
    else:
        ratio = drift.value / base.value
        told = (
            f"{_amount(ratio)} was forgotten: {moved}, {figure(ratio)} times the "
            f"base's own error on the held-out forces"
        )
    worst = table.rows("adapted", suite, "worst")
    named = [row for row in worst if row.quantity == forces and row.group is not None]
    for row in named:
        told += f"; most in {_crystal_name(row)}, by {figure(row.value)} {row.unit}"
    return [f"{told}."]


def _amount(ratio: float) -> str:
    return "Little" if ratio < LITTLE else "Much" if ratio > MUCH else "Something"


def _crystal_name(row: Score) -> str:
    return (row.group or "").removeprefix("crystal:")


def _consistency(table: ScoreTable) -> list[str]:
    suite = consistency.SUITE
    slopes = table.rows("adapted", suite, "finite_difference")
    turns = table.rows("adapted", suite, "equivariance")
    told = [
        f"Do not trust this model in molecular dynamics: its "
        f"{NAMES[Property(row.quantity)]} are off by {figure(row.value)} {row.unit} "
        f"{what}."
        for rows, what in (
            (slopes, "from the derivative of the energy"),
            (turns, "when the crystal is turned"),
        )
        for row in rows
        if row.value > TOLERANCES[Property(row.quantity)]
    ]
    if told or not slopes:
        return told
    sizes = " and ".join(f"{figure(row.value)} {row.unit}" for row in slopes)
    return [f"Forces and stress are derivatives of the energy, to {sizes}."]


def _arrow(before: Score, after: Score) -> str:
    return f"{figure(before.value)} → {figure(after.value)} {after.unit}"


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)
