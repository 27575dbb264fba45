"""The tables of a campaign: summary, worst cases, cost."""

import dataclasses
from collections.abc import Sequence

from atomgraft.page.blocks import Table
from atomgraft.page.wording import MISSING, number_text, signed_text, value_text
from atomgraft.phonons.campaign.record import (
    BASE,
    FIXED,
    Bill,
    CampaignMaterial,
    CampaignRow,
    CampaignSummary,
    PhononCampaign,
    judging,
    materials_by_error,
    mean_of,
    rows_of,
)
from atomgraft.phonons.campaign.wording import share_text, title_of
from atomgraft.records.scores import Score

SHORT = (0, 1, 2, 3, 8, 9, 10)
"""Columns of the summary that fit a terminal."""


def short_summary_table(campaign: PhononCampaign) -> Table | None:
    """Return the summary in as many columns as a terminal is wide, or none."""
    table = summary_table(campaign)
    if table is None:
        return None
    return dataclasses.replace(
        table,
        columns=tuple(table.columns[i] for i in SHORT),
        rows=tuple(tuple(row[i] for i in SHORT) for row in table.rows),
        is_text=tuple(table.is_text[i] for i in SHORT),
    )


def summary_table(campaign: PhononCampaign) -> Table | None:
    """Return one row a contestant, or none before anything was judged."""
    if not campaign.summaries:
        return None
    threshold = number_text(campaign.summaries[0].instability.threshold)
    return Table(
        caption=(
            "Errors of frequencies over the mesh in THz, with 95 % intervals over "
            "materials. Precision, recall and F1 are for the prediction of "
            f"instability (a frequency below −{threshold} THz). Drift is the mean "
            "change of forces on crystals that were not used for training."
        ),
        columns=(
            "Contestant",
            "Materials",
            "Mean MAE",
            "Median MAE",
            "Median slope",
            "|ΔF| 300 K, meV/atom (stable)",
            "Precision",
            "Recall",
            "F1",
            "Better than base",
            "Drift, meV/Å",
        ),
        rows=tuple(_summary_row(one) for one in campaign.summaries),
        is_text=(True, *(False,) * 10),
    )


def _summary_row(one: CampaignSummary) -> tuple[str, ...]:
    counts = one.instability
    improved = (
        MISSING if one.n_improved is None else f"{one.n_improved} of {one.n_compared}"
    )
    return (
        title_of(one.contestant),
        str(one.n_materials),
        value_text(one.mean_mae, one.mean_interval, over="materials"),
        value_text(one.median_mae, one.median_interval, over="materials"),
        _text(one.median_slope),
        _free_energy(one),
        _text(counts.precision),
        _text(counts.recall),
        _text(counts.f1),
        improved,
        _text(one.drift),
    )


def _free_energy(one: CampaignSummary) -> str:
    """Return the mean, and of how many materials: contestants differ in those."""
    mean = one.mean_free_energy_error
    return MISSING if mean is None else f"{number_text(mean)} ({one.n_free_energies})"


def _text(value: float | None) -> str:
    return MISSING if value is None else number_text(value)


def confusion_table(campaign: PhononCampaign) -> Table | None:
    """Return how each contestant answers 'is it unstable?', in counts."""
    if not campaign.summaries:
        return None
    return Table(
        caption=(
            "Counts of materials. A hit is an unstable crystal predicted to be "
            "unstable, a false alarm a stable one predicted to be unstable. Of "
            "several seeds, at least half must agree."
        ),
        columns=("Contestant", "Hits", "False alarms", "Misses", "Stable, agreed"),
        rows=tuple(
            (
                title_of(one.contestant),
                str(one.instability.hits),
                str(one.instability.false_alarms),
                str(one.instability.misses),
                str(one.instability.rejections),
            )
            for one in campaign.summaries
        ),
        is_text=(True, False, False, False, False),
    )


def worst_table(campaign: PhononCampaign, *, most: int | None = None) -> Table | None:
    """Return one row a material, worst first.

    Parameters
    ----------
    campaign
        With rows.
    most
        Rows that are shown; none shows all.
    """
    materials = materials_by_error(campaign)[:most]
    if not materials:
        return None
    shown = [one for one in campaign.contestants if one == BASE or one not in FIXED]
    who = judging(campaign)
    return Table(
        caption=(
            "Frequency error (MAE, THz) of each material, sorted by that of "
            f"{title_of(who)}; the largest error of one frequency; the lowest "
            "frequency on the mesh, of the model and of DFT."
        ),
        columns=(
            "Material",
            "Formula",
            *(title_of(one) for one in shown),
            "Largest",
            "Lowest",
            "Lowest, DFT",
            "Stability",
        ),
        rows=tuple(_case(campaign, one, shown, who) for one in materials),
        is_text=(True, True, *(False,) * len(shown), False, False, False, True),
    )


def _case(
    campaign: PhononCampaign, one: CampaignMaterial, shown: list[str], who: str
) -> tuple[str, ...]:
    rows = rows_of(campaign, one.name, who)
    errors = (
        mean_of(rows_of(campaign, one.name, name), "frequency_mae") for name in shown
    )
    lowest = mean_of(rows, "minimum"), mean_of(rows, "minimum_reference")
    return (
        one.name,
        one.formula,
        *map(_text, errors),
        _text(mean_of(rows, "maximum_error")),
        *(MISSING if v is None else signed_text(v, n_decimals=2) for v in lowest),
        _stability(rows),
    )


def _stability(rows: list[CampaignRow]) -> str:
    found = [row for row in rows if row.is_stable is not None]
    if not found:
        return next((row.reason or row.status for row in rows), MISSING)
    said = 2 * sum(row.is_stable is False for row in found) >= len(found)
    word = "unstable" if said else "stable"
    true = found[0].is_stable_reference
    if true is None:
        return word
    return f"{word}, as in DFT" if true != said else f"{word}, unlike DFT"


def bill_table(campaign: PhononCampaign) -> Table | None:
    """Return what the vibrations cost with each contestant, or none without any."""
    if not campaign.bills:
        return None
    has_hours = campaign.dft_hours is not None
    end = ("DFT alone", "In all", "Saved") if has_hours else ()
    return Table(
        caption=_bill_caption(campaign),
        columns=(
            "Contestant",
            "Materials",
            "Supercells needed",
            "Used as labels",
            "Saved",
            "Adaptation, CPU-h",
            "Evaluation, CPU-h",
            *end,
        ),
        rows=tuple(_bill_row(one, has_hours=has_hours) for one in campaign.bills),
        is_text=(True, *(False,) * (6 + len(end))),
    )


def _bill_caption(campaign: PhononCampaign) -> str:
    text = (
        "DFT supercells that the full finite-displacement calculations of the judged "
        "materials need, and those that were used as labels. "
    )
    if campaign.mode == "all":
        text += (
            "One adaptation serves all materials: labels and hours are means over "
            "folds. "
        )
    if campaign.dft_hours is None:
        return text + ("The CPU-hours of DFT are unknown; give them with --dft-hours.")
    hours = number_text(campaign.dft_hours)
    return text + (
        f"DFT takes {hours} CPU-hours per supercell (--dft-hours), for supercells "
        "of any size."
    )


def _bill_row(one: Bill, *, has_hours: bool) -> tuple[str, ...]:
    hours = (_text(one.full_hours), _text(one.hours), share_text(one.saved))
    return (
        title_of(one.contestant),
        str(one.n_materials),
        str(one.supercells_needed),
        number_text(one.supercells_used),
        share_text(one.supercells_saved),
        number_text(one.adaptation_hours),
        number_text(one.evaluation_hours),
        *(hours if has_hours else ()),
    )


def missing_table(campaign: PhononCampaign) -> Table | None:
    """Return the rows without numbers and why, or none if there are none."""
    rows = tuple(
        (row.material, title_of(row.contestant), row.status, row.reason or "")
        for row in campaign.rows
        if row.status != "done"
    )
    if not rows:
        return None
    return Table(
        caption="Materials without a result, and the reason.",
        columns=("Material", "Contestant", "State", "Reason"),
        rows=rows,
        is_text=(True, True, True, True),
    )


def training_table(campaign: PhononCampaign) -> Table | None:
    """Return the adaptations with their labels and drift, or none without any."""
    if not campaign.trainings:
        return None
    return Table(
        caption=(
            "Every adaptation: its training materials, its labelled supercells (+ "
            "those with pseudo-labels, the scaled predictions of the base), and "
            "the drift of forces on other crystals."
        ),
        columns=("Adaptation", "Materials", "Labels", "Seconds", "Drift", "State"),
        rows=tuple(
            (
                one.name.removeprefix("train--"),
                str(len(one.materials)),
                f"{one.n_labels} + {one.n_pseudo}"
                if one.n_pseudo
                else f"{one.n_labels}",
                _text(one.seconds),
                _drift_text(one.drift),
                one.status,
            )
            for one in campaign.trainings
        ),
        is_text=(True, False, False, False, False, True),
    )


def _drift_text(scores: Sequence[Score]) -> str:
    found = {
        one.group: f"{number_text(one.value)} {one.unit}"
        for one in scores
        if (one.quantity, one.metric) == ("forces", "drift")
    }
    return found.get("far") or found.get(None) or MISSING
