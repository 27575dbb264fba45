"""The result of a campaign in words."""

import statistics

from atomgraft.metrics.thresholds import MIN_GAIN, degree_of
from atomgraft.page.wording import counted, number_text, relative_text
from atomgraft.phonons.campaign.record import (
    BASE,
    COMBINED,
    COMPLETED,
    GLOBAL_SCALAR,
    LABELS_ALONE,
    OWN_SCALAR,
    Bill,
    CampaignSummary,
    InstabilityCounts,
    PhononCampaign,
    best_recipe,
    chosen_errors,
    common_errors,
    summary_of,
    whole_recipes,
)

TITLES = {
    BASE: "Base",
    OWN_SCALAR: "Base × own scalar",
    GLOBAL_SCALAR: "Base × scalar of the others",
    COMPLETED: "Labels, completed by the base",
    LABELS_ALONE: "Labels, no model",
    COMBINED: "Base + labels",
}


BASELINES = {
    GLOBAL_SCALAR: "which fits one number only",
    OWN_SCALAR: "which fits one number only",
    COMPLETED: "which uses the same labels, and the base times one number for the rest",
    LABELS_ALONE: "which fits the same labels without a model",
    COMBINED: "which combines the same labels with the base, without training",
}


def title_of(contestant: str) -> str:
    """Return the display name of a contestant; recipes keep their own names."""
    return TITLES.get(contestant, contestant)


def headline(campaign: PhononCampaign) -> str:
    """Return what was found, in one sentence."""
    base, best = summary_of(campaign, BASE), best_recipe(campaign)
    if base is None:
        return _without_reference(campaign)
    if best is None:
        failed = "No adaptation has been evaluated. " if campaign.trainings else ""
        return (
            f"{failed}The mean frequency error of the base over "
            f"{counted(base.n_materials, 'material')} is "
            f"{number_text(base.mean_mae)} THz."
        )
    both = common_errors(campaign, best.contestant, BASE)
    if both is None:
        return f"{best.contestant} and the base were evaluated on different materials."
    mine, before, n = both
    share = 1 - mine / before if before else 0.0
    change = (
        f"{100 * share:.0f} % less than the base"
        if share >= MIN_GAIN
        else "hardly less than the base"
        if share > 0
        else "no less than the base"
    )
    return (
        f"The mean frequency error of {best.contestant} over "
        f"{counted(n, 'material')} is {number_text(mine)} THz, {change} "
        f"({number_text(before)} THz)."
    )


def _without_reference(campaign: PhononCampaign) -> str:
    judged = [row for row in campaign.rows if row.is_stable is not None]
    n_unstable = sum(row.is_stable is False for row in judged)
    if not judged:
        return "No material has been evaluated."
    verb = "is" if n_unstable == 1 else "are"
    return (
        f"{n_unstable} of {counted(len(judged), 'material')} {verb} unstable with "
        "the base; there are no reference forces."
    )


def sentences(campaign: PhononCampaign) -> tuple[str, ...]:
    """Return the sentences after the headline."""
    base, best = summary_of(campaign, BASE), best_recipe(campaign)
    if base is None:
        return ()
    found = [_instability_sentence(campaign, best or base)]
    if best is not None:
        found += _choice_sentences(campaign, best)
        found += [*_baseline_sentences(campaign, best), _improved_sentence(best)]
        bills = [b for b in campaign.bills if b.contestant == best.contestant]
        found += [bill_sentence(bill) for bill in bills]
        if best.drift is not None:
            found.append(
                "On other crystals its forces differ from the base by "
                f"{number_text(best.drift)} {best.drift_unit} on average. "
                f"{_forgetting_text(best)}"
            )
    return tuple(found)


def _forgetting_text(one: CampaignSummary) -> str:
    """Grade what was forgotten by the size of the base's own predictions."""
    if one.forgotten is None:
        return (
            "Forgetting cannot be rated: the mean force of the base there is unknown."
        )
    degree = degree_of(one.forgotten)
    told = (
        f"{degree.capitalize()} forgetting: the largest drift of forces, energies "
        f"and stresses is {relative_text(one.forgotten)} its scale"
    )
    if degree == "severe":
        return f"{told}. Use an adapted model only for the material it was adapted to."
    return f"{told}."


def _choice_sentences(campaign: PhononCampaign, best: CampaignSummary) -> list[str]:
    """Say what the best of several recipes owes to having been chosen here."""
    n_recipes = len(whole_recipes(campaign))
    if n_recipes < 2:
        return []
    found = chosen_errors(campaign)
    picked = f"{title_of(best.contestant)} is the best of {n_recipes} recipes on these"
    if not found:
        return [
            f"{picked} very labels, so its error is too low; with one material nothing "
            "better can be said."
        ]
    return [
        f"{picked} very materials. A recipe chosen for each by all others misses "
        f"frequencies by {number_text(statistics.fmean(found.values()))} THz."
    ]


def _instability_sentence(campaign: PhononCampaign, one: CampaignSummary) -> str:
    counts = one.instability
    n_unstable = counts.hits + counts.misses
    before = ""
    base = summary_of(campaign, BASE)
    if base is not None and base is not one:
        before = f"; the base: {f1_text(base.instability)}"
    return (
        f"{title_of(one.contestant)} predicts {counts.hits} of "
        f"{counted(n_unstable, 'unstable material')} to be unstable, with "
        f"{counted(counts.false_alarms, 'false alarm')} (F1 "
        f"{f1_text(counts)}{before}; unstable means below "
        f"−{number_text(counts.threshold)} THz)."
    )


def f1_text(counts: InstabilityCounts) -> str:
    """Return the F1 score, or words if nothing is unstable."""
    return "not defined" if counts.f1 is None else f"{counts.f1:.2f}"


def _baseline_sentences(campaign: PhononCampaign, best: CampaignSummary) -> list[str]:
    found: list[str] = []
    for name, has_learned in BASELINES.items():
        both = common_errors(campaign, best.contestant, name)
        if both is None:
            continue
        mine, theirs, _ = both
        verdict = "does not beat"
        if mine < theirs:
            is_large = mine <= (1 - MIN_GAIN) * theirs
            verdict = "beats" if is_large else "hardly beats"
        found.append(
            f"It {verdict} the baseline '{title_of(name)}', {has_learned} "
            f"({number_text(theirs)} THz)."
        )
    return found


def _improved_sentence(one: CampaignSummary) -> str:
    return (
        f"Better than the base on {one.n_improved} of "
        f"{counted(one.n_compared or 0, 'material')}."
    )


def share_text(share: float | None) -> str:
    """Return a saved share in percent, or words if the cost is higher."""
    if share is None:
        return "unknown"
    percent = round(100 * share)  # a whole number has no minus zero
    return f"{percent} %".replace("-", "−")


def bill_sentence(bill: Bill) -> str:
    """Return what was saved, in one sentence."""
    text = (
        f"It used {number_text(bill.supercells_used)} of "
        f"{bill.supercells_needed} DFT supercells that the full calculations need: "
        f"{share_text(bill.supercells_saved)} saved"
    )
    if bill.saved is not None:
        text += f", and {share_text(bill.saved)} of the CPU-hours"
    return text + "."
