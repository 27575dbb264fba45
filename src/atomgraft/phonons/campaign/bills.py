"""What the vibrations of many materials cost with an adapted model, and without."""

from collections.abc import Sequence

from atomgraft.phonons.campaign.record import (
    GLOBAL_SCALAR,
    OWN_SCALAR,
    Bill,
    CampaignMaterial,
    CampaignRow,
    CampaignTraining,
    Mode,
)

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
