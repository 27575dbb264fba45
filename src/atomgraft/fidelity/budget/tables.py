"""The tables of a budget."""

from atomgraft.fidelity.budget.record import Budget, LawRecord, MixtureRecord
from atomgraft.page.blocks import Table
from atomgraft.page.wording import (
    MISSING,
    count_text,
    duration_text,
    number_text,
    value_text,
)


def mixture_table(budget: Budget) -> Table:
    """Return the best mixture of each way."""
    return Table(
        caption=(
            f"The best that {budget.spec['cpu_hours']:g} h buy with each way to use"
            f" labels: predicted error of {budget.quantity}, {budget.unit}, with its"
            " 95 % interval. An extrapolated mixture has more or fewer labels than the"
            " pilot measured."
        ),
        columns=(
            "Way",
            "Labels of the target",
            "Labels of the source",
            "Time (h)",
            f"Error ({budget.unit})",
            "Extrapolated",
        ),
        rows=tuple(map(_mixture_cells, budget.mixtures)),
        is_text=(True, False, False, False, False, True),
    )


def _mixture_cells(one: MixtureRecord) -> tuple[str, ...]:
    return (
        one.way,
        count_text(one.n_target),
        count_text(one.n_source) if one.n_source else MISSING,
        number_text(one.cpu_hours),
        value_text(one.error, one.interval, over="settings"),
        "no" if one.is_measured_range else "yes",
    )


def law_table(budget: Budget) -> Table:
    """Return the laws with their intervals."""
    return Table(
        caption=(
            "error = amplitude × n^(−alpha) × (1 + N / (rate × n))^(−gamma) with n"
            " labels of the target and N of the source. Where the rate is not for each"
            " label, N / rate stands in place of N / (rate × n). Scatter: of settings"
            " around the law. Left out: error in predicting a setting that was not"
            " fitted."
        ),
        columns=("Way", "Alpha", "Gamma", "Rate", "Settings", "Scatter", "Left out"),
        rows=tuple(map(_law_cells, budget.laws)),
        is_text=(True, False, False, True, False, False, False),
    )


def _law_cells(law: LawRecord) -> tuple[str, ...]:
    rate = MISSING
    if law.rate is not None:
        rate = f"{number_text(law.rate)}{' for each label' if law.is_per_label else ''}"
    return (
        law.way,
        value_text(law.alpha, law.alpha_interval, over="settings"),
        MISSING
        if law.gamma is None
        else value_text(law.gamma, law.gamma_interval, over="settings"),
        rate,
        count_text(law.n_settings),
        f"{100 * law.scatter:.1f} %",
        MISSING if law.left_out is None else f"{100 * law.left_out:.1f} %",
    )


def cost_table(budget: Budget) -> Table:
    """Return the cost of a label of each level."""
    return Table(
        caption="Processor time of one label.",
        columns=("Level", "Time"),
        rows=tuple((name, duration_text(s)) for name, s in budget.costs.items()),
        is_text=(True, False),
    )


def left_out_table(budget: Budget) -> Table | None:
    """Return ways without a law and why, or none."""
    if not budget.left_out:
        return None
    return Table(
        caption="Ways about which nothing can be said.",
        columns=("Way", "Reason"),
        rows=tuple(budget.left_out.items()),
        is_text=(True, True),
    )
