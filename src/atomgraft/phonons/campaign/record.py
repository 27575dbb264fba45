"""The layout of ``campaign.json``.

Frequencies are in THz, imaginary ones negative; free energies in meV per atom at 300 K.
One row stands for one material under one contestant: the base, its force constants
times one number (its own, or that of the other materials), the labels completed by the
base, or a recipe that adapted it.
"""

import statistics
from typing import Annotated, Any, Literal

from pydantic import Field

from atomgraft.metrics.thresholds import MIN_GAIN, degree_of
from atomgraft.phonons.record import PhononResult
from atomgraft.records.documents import Provenance, Record, RecordFile
from atomgraft.records.scores import FEWEST, Score, with_sureness
from atomgraft.run.record import BaseCard

CAMPAIGN_VERSION = 3

BASE, OWN_SCALAR, GLOBAL_SCALAR = "base", "own scalar", "global scalar"
"""Contestants that stand in every table; the others are recipes."""

COMPLETED = "completed base"
"""The labels that a recipe is given, and for the other supercells the base's forces
times the one number that fits the labels."""

LABELS_ALONE, COMBINED = "labels alone", "base + labels"
"""The same labels fitted without a model, and combined with the base in closed form:
what they are worth without any training."""

OF_LABELS = (COMPLETED, LABELS_ALONE, COMBINED)

FIXED = (BASE, OWN_SCALAR, GLOBAL_SCALAR, *OF_LABELS)

Interval = tuple[float, float]

Status = Literal["done", "failed", "open", "left out"]
"""``left out``: nothing was tried, for a reason known beforehand."""

Mode = Literal["each", "all"]
"""One adaptation for each material, or one for all in leave-out folds."""


class CampaignMaterial(Record):
    """One crystal of the folder."""

    name: str
    """Unique; used everywhere else."""
    file: str
    """Where it was read, as seen from the folder of materials."""
    formula: str
    elements: tuple[str, ...]
    space_group: str
    family: str
    """Prototype and anion: ``ABC3 Pm-3m (221) O``."""
    fold: int | None = None
    """From zero: the fold that leaves it out."""
    has_reference: bool
    """It came with forces on displaced supercells."""
    n_supercells: int
    """Displaced supercells that the full calculation takes; none for a structure."""
    n_atoms_supercell: int
    content: str
    """Hash of what was read."""
    reason: str | None = None
    """Why it is left out, in words."""


class CampaignTraining(Record):
    """One adaptation."""

    name: str
    """Its folder under ``cells``."""
    contestant: str
    seed: int
    materials: tuple[str, ...]
    """Of which it has seen labels."""
    n_labels: int
    """Displaced supercells it was trained on."""
    n_pseudo: int = 0
    """Further supercells that it was trained on as the base answers them, scaled."""
    sources: tuple[str, ...]
    """These supercells, by file and number; all of the file without a number."""
    status: Status
    reason: str | None = None
    n_trainable: int | None = None
    n_steps: int | None = None
    seconds: float | None = None
    """Of training."""
    n_threads: int | None = None
    drift: tuple[Score, ...] = ()
    """How far it moved from the base on crystals it was not trained for, and the size
    of the base's forces and stresses there."""


class CampaignRow(Record):
    """One material under one contestant."""

    material: str
    contestant: str
    seed: int | None = None
    """Of the adaptation or of the labels; none for the base and its scalings."""
    training: str | None = None
    """The adaptation that is judged."""
    status: Status
    reason: str | None = None
    """Why there are no numbers, in words."""
    n_labels: int = 0
    """Supercells of this material that the contestant has seen."""
    factor: float | None = None
    """What the base's force constants were multiplied with."""
    frequency_mae: float | None = None
    """THz, over the mesh, sorted at each q."""
    maximum_error: float | None = None
    """THz"""
    slope: float | None = None
    """Of forces against the reference's; below one is too soft."""
    free_energy_error: float | None = None
    """At 300 K, signed; none where either crystal is unstable."""
    minimum: float | None = None
    """Lowest frequency on the mesh."""
    mean: float | None = None
    """Over the mesh."""
    is_stable: bool | None = None
    minimum_reference: float | None = None
    mean_reference: float | None = None
    is_stable_reference: bool | None = None
    seconds: float | None = None
    """Of forces and spectra; those of the base, where it completes labels."""
    n_threads: int | None = None


class InstabilityCounts(Record):
    """How 'is it unstable?' was answered; a hit is an unstable crystal that was found.

    With several seeds a crystal is called unstable where at least half of them say so.
    """

    threshold: float
    """THz; a crystal with a frequency below minus this is unstable."""
    hits: int
    false_alarms: int
    misses: int
    rejections: int
    precision: float | None
    recall: float | None
    f1: float | None


class CampaignSummary(Record):
    """One contestant over the materials it was judged on, seeds averaged first."""

    contestant: str
    n_materials: int
    mean_mae: float
    mean_interval: Interval | None
    """95 %, over materials; none for fewer than five."""
    median_mae: float
    median_interval: Interval | None
    worst_mae: float
    worst_material: str
    mean_free_energy_error: float | None = None
    """Mean absolute error at 300 K over the materials that have one."""
    n_free_energies: int = 0
    median_slope: float | None = None
    instability: InstabilityCounts
    n_improved: int | None = None
    """Materials with a smaller error than the base's; none for the base itself."""
    n_compared: int | None = None
    """Materials on which both were judged."""
    drift: float | None = None
    """Mean drift of forces over its adaptations, far from the trained elements where
    there are such crystals."""
    drift_unit: str = ""
    forgotten: float | None = None
    """Drift over its scale, the largest of forces, energies and stresses, the mean of
    its adaptations; none where it was not measured or no scale is known."""
    n_failed: int = 0
    """Rows without numbers."""


class Bill(Record):
    """What the vibrations of the judged materials cost under one contestant."""

    contestant: str
    n_materials: int
    supercells_needed: int
    """Of DFT, by the full finite-displacement calculation of all of them."""
    supercells_used: float
    """Of DFT, as labels; of one for all, the mean over folds; mean over seeds."""
    supercells_saved: float | None
    """Share."""
    adaptation_hours: float
    """CPU-hours; of one for all, the mean over folds; mean over seeds."""
    evaluation_hours: float
    """CPU-hours; mean over seeds."""
    full_hours: float | None = None
    """CPU-hours of the full calculation by DFT; none where its cost is not known."""
    hours: float | None = None
    """CPU-hours of labels by DFT, adaptation and evaluation."""
    saved: float | None = None
    """Share of CPU-hours; negative where the detour costs more."""


class PhononCampaign(Record):
    """The result of a campaign; written by ``campaign phonons``."""

    schema_version: Annotated[int, Field(ge=1)] = CAMPAIGN_VERSION
    kind: Literal["phonons"] = "phonons"
    name: str
    finished: bool
    """Every cell is done, or failed for a reason that will not go away."""
    mode: Mode | None
    """None where nothing was adapted."""
    spec: dict[str, Any]
    base: BaseCard
    contestants: tuple[str, ...]
    materials: tuple[CampaignMaterial, ...]
    trainings: tuple[CampaignTraining, ...]
    rows: tuple[CampaignRow, ...]
    summaries: tuple[CampaignSummary, ...]
    bills: tuple[Bill, ...]
    details: tuple[PhononResult, ...] = ()
    """Bands of the worst materials, under base and best recipe beside DFT."""
    dft_hours: float | None = None
    """CPU-hours of one displaced supercell by DFT, as the user stated them."""
    notices: tuple[str, ...] = ()
    provenance: tuple[Provenance, ...] = ()
    """One entry for each call."""


def _with_sureness(known: dict[str, Any]) -> dict[str, Any]:
    """Version 2 has no interval over fewer than five materials."""
    trainings = [
        one | {"drift": with_sureness(one.get("drift", []))}
        for one in known.get("trainings", [])
    ]
    none = {"mean_interval": None, "median_interval": None}
    summaries = [
        row | none if row["n_materials"] < FEWEST else row
        for row in known.get("summaries", [])
    ]
    return known | {
        "schema_version": 2,
        "trainings": trainings,
        "summaries": summaries,
    }


def _with_forgotten(known: dict[str, Any]) -> dict[str, Any]:
    """Version 3 has what was forgotten as a share of what the base predicts."""
    return known | {"schema_version": 3}


CAMPAIGN = RecordFile(
    file="campaign.json",
    record=PhononCampaign,
    version=CAMPAIGN_VERSION,
    upgrades={1: _with_sureness, 2: _with_forgotten},
    title="campaign",
    command="atomgraft campaign phonons",
    broken=(
        "Run the same 'atomgraft campaign phonons' again; finished cells are kept."
    ),
)


def mean_of(rows: list[CampaignRow], quantity: str) -> float | None:
    """Return the mean of a quantity over rows that have it, or none."""
    values = [v for row in rows if (v := getattr(row, quantity)) is not None]
    return statistics.fmean(values) if values else None


def rows_of(
    campaign: PhononCampaign, material: str, contestant: str
) -> list[CampaignRow]:
    """Return the rows of a material under a contestant, one a seed."""
    wanted = (material, contestant)
    return [row for row in campaign.rows if (row.material, row.contestant) == wanted]


def judging(campaign: PhononCampaign) -> str:
    """Return by whom cases are ordered: the best recipe, or the base without any."""
    best = best_recipe(campaign)
    return BASE if best is None else best.contestant


def materials_by_error(campaign: PhononCampaign) -> list[CampaignMaterial]:
    """Return the materials, the worst under the best recipe first; unjudged last."""
    who = judging(campaign)

    def key(one: CampaignMaterial) -> tuple[bool, float]:
        error = mean_of(rows_of(campaign, one.name, who), "frequency_mae")
        return error is None, -(error or 0.0)

    return sorted(campaign.materials, key=key)


def summary_of(campaign: PhononCampaign, contestant: str) -> CampaignSummary | None:
    """Return the summary of a contestant, or none where it was judged on nothing."""
    found = (one for one in campaign.summaries if one.contestant == contestant)
    return next(found, None)


def best_recipe(campaign: PhononCampaign) -> CampaignSummary | None:
    """Return the recipe with the smallest mean error, or none without any.

    Only recipes that were judged on the most materials count: one that failed on the
    hard ones has no smaller error.
    """
    return min(whole_recipes(campaign), key=lambda one: one.mean_mae, default=None)


def whole_recipes(campaign: PhononCampaign) -> list[CampaignSummary]:
    """Return the recipes that were judged on the most materials."""
    recipes = [one for one in campaign.summaries if one.contestant not in FIXED]
    most = max((one.n_materials for one in recipes), default=0)
    return [one for one in recipes if one.n_materials == most]


def chosen_errors(campaign: PhononCampaign) -> dict[str, float]:
    """Return the error on each material of the recipe that the others choose, THz.

    Whichever recipe is best on some materials looks better there than it is. So each
    material is judged by the recipe with the smallest mean error on all others. With
    one recipe there is no choice; with several and one material, none can be made.
    """
    recipes = {
        one.contestant: _errors(campaign, one.contestant)
        for one in whole_recipes(campaign)
    }
    if len(recipes) == 1:
        return next(iter(recipes.values()))
    shared = sorted(set.intersection(*map(set, recipes.values()))) if recipes else []
    found: dict[str, float] = {}
    for material in shared if len(shared) > 1 else ():
        means = {
            name: statistics.fmean(errors[one] for one in shared if one != material)
            for name, errors in recipes.items()
        }
        found[material] = recipes[min(means, key=lambda name: means[name])][material]
    return found


def is_beaten(campaign: PhononCampaign, contestant: str) -> bool:
    """Tell whether what a recipe brings beats a contestant, by a gain that counts.

    Where nothing can be compared, it does: not every campaign has every baseline.

    Parameters
    ----------
    campaign
        With rows.
    contestant
        The base, or a baseline.
    """
    mine, theirs = chosen_errors(campaign), _errors(campaign, contestant)
    both = mine.keys() & theirs.keys()
    if not both:
        return True
    totals = [sum(part[name] for name in both) for part in (mine, theirs)]
    return totals[0] <= (1 - MIN_GAIN) * totals[1]


def common_errors(
    campaign: PhononCampaign, one: str, other: str
) -> tuple[float, float, int] | None:
    """Return the mean errors of two contestants where both were judged, THz.

    Parameters
    ----------
    campaign
        With rows.
    one, other
        Contestants.

    Returns
    -------
    :
        Both errors and the number of materials; none without a common one.
    """
    found = (_errors(campaign, one), _errors(campaign, other))
    both = sorted(found[0].keys() & found[1].keys())
    if not both:
        return None
    first, second = (statistics.fmean(part[name] for name in both) for part in found)
    return first, second, len(both)


def _errors(campaign: PhononCampaign, contestant: str) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for row in campaign.rows:
        if row.contestant == contestant and row.frequency_mae is not None:
            values.setdefault(row.material, []).append(row.frequency_mae)
    return {name: statistics.fmean(part) for name, part in values.items()}


def is_lost(one: CampaignSummary) -> bool:
    """Return whether forgetting is severe or unknown."""
    if one.drift is None:
        return False
    return one.forgotten is None or degree_of(one.forgotten) == "severe"
