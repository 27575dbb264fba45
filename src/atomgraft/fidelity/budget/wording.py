"""A budget in words."""

from atomgraft.fidelity.budget.record import Experiment, MixtureRecord
from atomgraft.page.wording import count_text, number_text, value_text


def labels_text(one: MixtureRecord | Experiment) -> str:
    """Return numbers of labels in words."""
    said = f"{count_text(one.n_target)} labels of the target"
    if one.n_source:
        said += f" and {count_text(one.n_source)} of {one.source}"
    return said


def headline_of(
    best: MixtureRecord,
    alone: MixtureRecord | None,
    experiment: Experiment | None,
    unit: str,
    *,
    is_resolved: bool,
) -> tuple[str, tuple[str, ...]]:
    """Return the advice in a line, and in some sentences.

    Parameters
    ----------
    best
        Mixture.
    alone
        The best that labels of the target alone can do; none without a law.
    experiment
        The next one, if one is worth it.
    unit
        Of the error.
    is_resolved
        Whether the target alone is known to be worse.
    """
    headline = f"Buy {labels_text(best)}: {best.way}."
    shown = value_text(best.error, best.interval, over="settings")
    sentences = [
        f"Predicted error: {shown} {unit}, for {number_text(best.cpu_hours)} h of"
        " processor time."
    ]
    if alone is not None and alone.way != best.way:
        own = value_text(alone.error, alone.interval, over="settings")
        sentences.append(
            f"The target alone: {count_text(alone.n_target)} labels, {own} {unit}."
        )
        if not is_resolved:
            sentences.append("The pilot does not resolve which of the two is better.")
    if not best.is_measured_range:
        sentences.append(
            "These numbers of labels lie outside what the pilot measured: the law is"
            " extrapolated."
        )
    if experiment is None:
        sentences.append("No further pilot experiment is worth its cost.")
    else:
        sentences.append(
            f"Measure {experiment.way} with {labels_text(experiment)} first"
            f" ({number_text(experiment.cpu_hours)} h of the sum): choosing again after"
            f" it is expected to lower the error by {100 * experiment.gain:.1f} %."
        )
    return headline, tuple(sentences)
