"""Summary of a campaign: accuracy of each contestant, and the cost.

The material is the unit that was drawn independently: seeds are averaged within it, and
intervals are over materials.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from atomgraft.evaluation.lost_accuracy import lost_accuracy
from atomgraft.evaluation.score_table import ScoreTable
from atomgraft.metrics.intervals import mean_interval, median_interval
from atomgraft.metrics.phonons import confusion
from atomgraft.phonons.campaign.record import (
    BASE,
    FIXED,
    GLOBAL_SCALAR,
    OWN_SCALAR,
    Bill,
    CampaignMaterial,
    CampaignRow,
    CampaignSummary,
    CampaignTraining,
    InstabilityCounts,
    Mode,
)


def factor_without(own: Mapping[str, float], material: str) -> float | None:
    """Return the scalar of the other materials: the median of their own ones.

    Parameters
    ----------
    own
        What the base's force constants need, by material.
    material
        Whose own number must not be in it.

    Returns
    -------
    :
        None where there is no other material.

    Examples
    --------
    >>> factor_without({"NaCl": 1.0, "MgO": 1.2, "Si": 1.4}, "Si")
    1.1
    """
    others = [value for name, value in own.items() if name != material]
    return statistics.median(others) if others else None


def summarise_campaign(
    rows: Sequence[CampaignRow],
    trainings: Sequence[CampaignTraining],
    threshold: float,
) -> tuple[CampaignSummary, ...]:
    """Sum every contestant up over the materials it was judged on.

    Parameters
    ----------
    rows
        Of all contestants.
    trainings
        Behind them.
    threshold
        THz; a crystal with a frequency below minus this is unstable.
    """
    base = errors_by_material(rows, BASE)
    contestants = dict.fromkeys(row.contestant for row in rows)
    found = (_summary(name, rows, trainings, threshold, base) for name in contestants)
    return tuple(one for one in found if one is not None)


def errors_by_material(
    rows: Iterable[CampaignRow], contestant: str
) -> dict[str, float]:
    """Return the frequency error of each judged material, the mean over seeds, THz.

    Parameters
    ----------
    rows
        Of all contestants.
    contestant
        Whose.
    """
    found: dict[str, list[float]] = {}
    for row in rows:
        if row.contestant == contestant and row.frequency_mae is not None:
            found.setdefault(row.material, []).append(row.frequency_mae)
    return {name: statistics.fmean(values) for name, values in found.items()}


def _summary(
    contestant: str,
    rows: Sequence[CampaignRow],
    trainings: Sequence[CampaignTraining],
    threshold: float,
    base: Mapping[str, float],
) -> CampaignSummary | None:
    own = [row for row in rows if row.contestant == contestant]
    errors = errors_by_material(own, contestant)
    if not errors:
        return None
    values = np.array(list(errors.values()))
    ones = np.ones(len(values))
    both = [name for name in errors if name in base]
    worst = max(errors, key=lambda name: errors[name])
    free = _means(own, "free_energy_error")
    slopes = _means(own, "slope", is_signed=True)
    drift, unit = _drift(contestant, trainings)
    return CampaignSummary(
        contestant=contestant,
        n_materials=len(errors),
        mean_mae=float(values.mean()),
        mean_interval=mean_interval(values, ones).interval,
        median_mae=float(np.median(values)),
        median_interval=median_interval(values),
        worst_mae=errors[worst],
        worst_material=worst,
        mean_free_energy_error=statistics.fmean(free) if free else None,
        n_free_energies=len(free),
        median_slope=statistics.median(slopes) if slopes else None,
        instability=count_instabilities(own, threshold),
        n_improved=None
        if contestant == BASE
        else sum(errors[name] < base[name] for name in both),
        n_compared=None if contestant == BASE else len(both),
        drift=drift,
        drift_unit=unit,
        forgotten=_forgotten(contestant, trainings),
        n_failed=sum(row.status in {"failed", "open"} for row in own),
    )


def _means(
    rows: Iterable[CampaignRow], quantity: str, *, is_signed: bool = False
) -> list[float]:
    """Return a quantity of each material that has it, the mean over seeds."""
    found: dict[str, list[float]] = {}
    for row in rows:
        value = getattr(row, quantity)
        if value is not None:
            found.setdefault(row.material, []).append(
                value if is_signed else abs(value)
            )
    return [statistics.fmean(values) for values in found.values()]


def count_instabilities(
    rows: Iterable[CampaignRow], threshold: float
) -> InstabilityCounts:
    """Count how the rows of one contestant answer 'is it unstable?'.

    Parameters
    ----------
    rows
        Of one contestant; those without a reference or without numbers do not count.
    threshold
        THz
    """
    said: dict[str, list[bool]] = {}
    true: dict[str, bool] = {}
    for row in rows:
        if row.is_stable is not None and row.is_stable_reference is not None:
            said.setdefault(row.material, []).append(not row.is_stable)
            true[row.material] = not row.is_stable_reference
    answers = [2 * sum(votes) >= len(votes) for votes in said.values()]
    counts = confusion(answers, list(true.values()))
    precision, recall, f1 = (
        None if np.isnan(one) else one
        for one in (counts.precision, counts.recall, counts.f1)
    )
    return InstabilityCounts(
        threshold=threshold,
        hits=counts.hits,
        false_alarms=counts.false_alarms,
        misses=counts.misses,
        rejections=counts.rejections,
        precision=precision,
        recall=recall,
        f1=f1,
    )


def _drift(
    contestant: str, trainings: Sequence[CampaignTraining]
) -> tuple[float | None, str]:
    """Return the mean drift of forces over the adaptations of a contestant."""
    if contestant in FIXED:
        return None, ""
    found = [
        score
        for one in trainings
        if one.contestant == contestant and (score := forces_drift(one)) is not None
    ]
    if not found:
        return None, ""
    return statistics.fmean(value for value, _ in found), found[0][1]


def _forgotten(contestant: str, trainings: Sequence[CampaignTraining]) -> float | None:
    """Return the mean share of what the base knew that adaptations have lost."""
    if contestant in FIXED:
        return None
    own = (one for one in trainings if one.contestant == contestant and one.drift)
    losses = [lost_accuracy(ScoreTable(one.drift)) for one in own]
    shares = [one.share for one in losses if one is not None]
    known = [share for share in shares if share is not None]
    return statistics.fmean(known) if known and len(known) == len(shares) else None


def forces_drift(training: CampaignTraining) -> tuple[float, str] | None:
    """Return how far an adaptation moved the forces on strange crystals, with its unit.

    Crystals without any trained element where there are some, else all of them.

    Parameters
    ----------
    training
        Finished or not.
    """
    rows = {
        one.group: (one.value, one.unit)
        for one in training.drift
        if (one.quantity, one.metric, one.model) == ("forces", "drift", "adapted")
    }
    return rows.get("far") or rows.get(None)


SECONDS_AN_HOUR = 3600.0


def bill_of(
    contestant: str,
    materials: Sequence[CampaignMaterial],
    rows: Sequence[CampaignRow],
    trainings: Sequence[CampaignTraining],
    *,
    mode: Mode | None,
    dft_hours: float | None,
) -> Bill | None:
    """Return the bill of the base, of labels it completes or of a recipe.

    Counted are the materials on which the contestant was judged. One adaptation for
    all is made once by whoever needs it, so that labels and hours of training are the
    mean over folds. The base takes no labels.

    Parameters
    ----------
    contestant
        The base, labels that it completes, or a recipe.
    materials, rows, trainings
        Of the campaign.
    mode
        One adaptation for each material, or one for all.
    dft_hours
        CPU-hours of one displaced supercell by DFT; none leaves DFT's hours out.

    Returns
    -------
    :
        None where the contestant was judged on nothing.
    """
    own = [
        row
        for row in rows
        if row.contestant == contestant and row.frequency_mae is not None
    ]
    judged = {row.material for row in own}
    needed = sum(one.n_supercells for one in materials if one.name in judged)
    if not needed:
        return None
    behind = {row.training for row in own}
    done = [one for one in trainings if one.name in behind]
    n_seeds = len({row.seed for row in own})
    n_times = _times(done, n_seeds, mode)
    used = sum(one.n_labels for one in done or own) / n_times
    adapting = sum(map(_hours, done)) / n_times
    evaluating = sum(map(_hours, own)) / n_seeds
    full, spent = None, None
    if dft_hours is not None:
        full, spent = needed * dft_hours, used * dft_hours + adapting + evaluating
    return Bill(
        contestant=contestant,
        n_materials=len(judged),
        supercells_needed=needed,
        supercells_used=used,
        supercells_saved=share_saved(float(needed), used),
        adaptation_hours=adapting,
        evaluation_hours=evaluating,
        full_hours=full,
        hours=spent,
        saved=None if full is None or spent is None else share_saved(full, spent),
    )


def _times(done: Sequence[CampaignTraining], n_seeds: int, mode: Mode | None) -> int:
    """Return how many times the adaptations were made over: seeds, and folds."""
    if mode == "all":
        return max(1, len(done))
    return n_seeds


def _hours(one: CampaignTraining | CampaignRow) -> float:
    return (one.seconds or 0.0) * (one.n_threads or 1) / SECONDS_AN_HOUR


def share_saved(full: float, spent: float) -> float | None:
    """Return the share of a cost that is saved; negative where more was spent.

    Parameters
    ----------
    full, spent
        In one unit; nothing can be saved where `full` is zero.

    Examples
    --------
    >>> share_saved(50.0, 4.0)
    0.92
    """
    return 1 - spent / full if full > 0 else None


def bills_of(
    contestants: Sequence[str],
    materials: Sequence[CampaignMaterial],
    rows: Sequence[CampaignRow],
    trainings: Sequence[CampaignTraining],
    *,
    mode: Mode | None,
    dft_hours: float | None,
) -> tuple[Bill, ...]:
    """Return the bills of the base, of the labels it completes and of all recipes.

    Parameters
    ----------
    contestants
        All of the campaign; scalings of the base need the reference they scale to and
        have no bill.
    materials, rows, trainings
        Of the campaign.
    mode
        One adaptation for each material, or one for all.
    dft_hours
        CPU-hours of one displaced supercell by DFT; none leaves DFT's hours out.
    """
    billed = [one for one in contestants if one not in {OWN_SCALAR, GLOBAL_SCALAR}]
    found = (
        bill_of(one, materials, rows, trainings, mode=mode, dft_hours=dft_hours)
        for one in billed
    )
    return tuple(one for one in found if one is not None)
