"""Degree of forgetting, and the sentence about it."""

import dataclasses

from atomgraft.core.properties import Property
from atomgraft.evaluation import forgetting
from atomgraft.evaluation.score_table import ScoreTable, figure
from atomgraft.metrics.thresholds import METASTABLE, degree_of
from atomgraft.page.wording import relative_text
from atomgraft.records.scores import Degree, Score

NAMES = {
    Property.FORCES: "forces",
    Property.ENERGY: "energies",
    Property.STRESS: "stresses",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class LostAccuracy:
    """What the probe crystals say of forgetting.

    Parameters
    ----------
    share
        Drift over its scale, the largest of forces, energies and stresses; none where
        no scale is known.
    is_elsewhere
        The crystals hold no trained element: the change cannot be learning.
    sentence
        For the reader.
    """

    share: float | None
    is_elsewhere: bool
    sentence: str

    @property
    def degree(self) -> Degree | None:
        """The degree of forgetting."""
        return None if self.share is None else degree_of(self.share)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Drift:
    """The drift of one quantity, and the scale that it is measured by."""

    score: Score
    scale: float | None

    @property
    def share(self) -> float | None:
        """Drift over scale; none where the scale is missing or zero."""
        return self.score.value / self.scale if self.scale else None


def lost_accuracy(table: ScoreTable) -> LostAccuracy | None:
    """Judge the drift of the adapted model on the probe crystals.

    Crystals without any trained element are asked where there are such, all of them
    otherwise. Forces and stresses are measured by their mean absolute size under the
    base on the same crystals, energies by `METASTABLE`; where every crystal holds a
    trained element, energies do not count, because their zero is learned. How wrong
    the base was on the user's structures plays no part.

    Parameters
    ----------
    table
        Of one run.

    Returns
    -------
    :
        None where drift was not measured.
    """
    is_far = _score(table, Property.FORCES, "drift", "far") is not None
    group = "far" if is_far else None
    drifts = [
        _Drift(score=score, scale=_scale(table, quantity, group))
        for quantity in NAMES
        if (score := _score(table, quantity, "drift", group)) is not None
    ]
    if not drifts:
        return None
    shares = [one.share for one in drifts if one.share is not None]
    # without the forces, what is left would pass for the whole
    is_known = drifts[0].share is not None
    share = max(shares) if is_known else None
    return LostAccuracy(
        share=share,
        is_elsewhere=is_far or not _are_all_near(table),
        sentence=_sentence(table, drifts, share, is_far=is_far),
    )


def _score(
    table: ScoreTable, quantity: Property, metric: str, group: str | None
) -> Score | None:
    model = "base" if metric == "spread" else "adapted"
    return table.find(model, forgetting.SUITE, quantity, metric, group)


def _scale(table: ScoreTable, quantity: Property, group: str | None) -> float | None:
    if quantity is Property.ENERGY:
        return None if _are_all_near(table) else METASTABLE
    spread = _score(table, quantity, "spread", group)
    return None if spread is None else spread.value


def _are_all_near(table: ScoreTable) -> bool:
    near = _score(table, Property.FORCES, "drift", "near")
    everything = _score(table, Property.FORCES, "drift", None)
    return near is not None and everything is not None and near.n == everything.n


def _sentence(
    table: ScoreTable, drifts: list[_Drift], share: float | None, *, is_far: bool
) -> str:
    n = drifts[0].score.n
    crystals = f"{n} crystal{'s' * (n != 1)}"
    if is_far:
        crystals += " without any trained element"
    elif _are_all_near(table):
        crystals += " with a trained element (the base supports no others)"
    start = (
        "Forgetting cannot be rated: the scores lack the mean force of the base; "
        "run 'atomgraft prove' to measure it. The model"
        if share is None
        else f"{degree_of(share).capitalize()} forgetting: the model"
    )
    moved = ", ".join(map(_moved, drifts))
    of_map = _of_map(table, "far" if is_far else None)
    base = "the base before the element map" if of_map else "the base"
    return (
        f"{start} differs from {base} on {crystals} by {moved}{_worst(table)}{of_map}."
    )


def _of_map(table: ScoreTable, group: str | None) -> str:
    """Say how much of the drift an element map has caused before training."""
    alone = table.find("base", forgetting.SUITE, Property.FORCES, "drift", group)
    if alone is None or not alone.value:
        return ""
    return (
        f"; the element map alone changes forces there by {figure(alone.value)}"
        f" {alone.unit}"
    )


def _moved(drift: _Drift) -> str:
    score = drift.score
    quantity = Property(score.quantity)
    told = f"{figure(score.value)} {score.unit} in {NAMES[quantity]}"
    if drift.share is None or drift.scale is None:
        return told
    is_energy = quantity is Property.ENERGY
    what = "the range of metastable crystals" if is_energy else "the base's mean"
    scale = f"{figure(drift.scale)} {score.unit}"
    return f"{told} ({relative_text(drift.share)} {what}, {scale})"


def _worst(table: ScoreTable) -> str:
    rows = table.rows("adapted", forgetting.SUITE, "worst")
    named = [row for row in rows if row.quantity == Property.FORCES and row.group]
    return "".join(
        "; the largest drift of forces is in "
        f"{(row.group or '').removeprefix('crystal:')}, {figure(row.value)} "
        f"{row.unit}"
        for row in named
    )
