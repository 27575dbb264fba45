"""Which elements the structures at the top of a list have, and which are known."""

import collections
import math
import re
import statistics
from collections.abc import Callable, Mapping

from atomgraft.page.blocks import ElementCell, ElementMap, PeriodicTable, Table
from atomgraft.page.elements import PLACES, drawn
from atomgraft.page.wording import MISSING, counted, number_text
from atomgraft.transport.screening.record import Ranked, ScreenResult
from atomgraft.transport.screening.wording import is_logarithm, property_of

LEAST_BEST, MOST_BEST = 10, 100
"""Structures that count as the best: a tenth of the list within these bounds."""

Values = Mapping[str, float]
"""By element."""


def n_best(n: int) -> int:
    """Return how many of a list count as the best.

    Examples
    --------
    >>> n_best(4), n_best(50), n_best(500), n_best(9000)
    (4, 10, 50, 100)
    """
    return min(n, MOST_BEST, max(LEAST_BEST, math.ceil(n / 10)))


def elements_of(formula: str) -> tuple[str, ...]:
    """Return the elements of a formula.

    Examples
    --------
    >>> elements_of("Li5.5PS4.5Cl1.5")
    ('Li', 'P', 'S', 'Cl')
    """
    return tuple(dict.fromkeys(re.findall(r"[A-Z][a-z]?", formula)))


def element_table(result: ScreenResult) -> PeriodicTable:
    """Return the periodic table of a list.

    Parameters
    ----------
    result
        The list.
    """
    n = n_best(len(result.ranked))
    best, every = counts(result.ranked[:n]), counts(result.ranked)
    means = _means(result)
    first, (name, _) = f"Among the first {n}", property_of(result)
    mean = f"Mean log10 of {name}" if is_logarithm(result) else f"Mean of {name}"
    every_spoken = {one: counted(k, "structure") for one, k in every.items()}
    maps = (
        _map(result, "best", first, {one: float(best[one]) for one in every}, str_of),
        _map(result, "mean", mean, means, number_text),
        _map(
            result,
            "all",
            "All structures",
            {k: float(v) for k, v in every.items()},
            str_of,
        ),
    )
    return PeriodicTable(
        name="elements",
        caption=(
            f"Elements of the first {n} structures, and of all. Those of the materials"
            " that the predictor has learned from are outlined; for others, predictions"
            " are extrapolations."
        ),
        maps=maps,
        table=_table(result, best, every_spoken, means, n),
    )


def str_of(value: float) -> str:
    """Return a count as text."""
    return f"{value:.0f}"


def counts(rows: tuple[Ranked, ...]) -> collections.Counter[str]:
    """Return the number of structures with each element.

    Parameters
    ----------
    rows
        Of the list.
    """
    return collections.Counter(
        symbol for one in rows for symbol in elements_of(one.formula)
    )


def _means(result: ScreenResult) -> Values:
    found: dict[str, list[float]] = {}
    for one in result.ranked:
        for symbol in elements_of(one.formula):
            found.setdefault(symbol, []).append(one.predicted)
    return {symbol: statistics.fmean(values) for symbol, values in found.items()}


def _map(
    result: ScreenResult,
    quantity: str,
    label: str,
    values: Values,
    text: Callable[[float], str],
) -> ElementMap:
    shown = {one: value for one, value in values.items() if one in PLACES}
    low, high = min(shown.values()), max(shown.values())
    is_plain = quantity == "mean" and not is_logarithm(result)
    unit = result.unit if is_plain else ""
    known = set(result.elements)
    cells = tuple(
        ElementCell(
            symbol=symbol,
            row=PLACES[symbol][0],
            column=PLACES[symbol][1],
            text=text(shown[symbol]) if symbol in shown else "",
            spoken=_spoken(symbol, label, shown, text, unit, is_known=symbol in known),
            heat=_share(shown[symbol], low, high) if symbol in shown else None,
            is_trained=symbol in known,
        )
        for symbol in drawn(shown)
    )
    ends = (text(low), text((low + high) / 2), f"{text(high)} {unit}".strip())
    return ElementMap(quantity=quantity, label=label, cells=cells, scale=ends)


def _spoken(
    symbol: str,
    label: str,
    shown: Values,
    text: Callable[[float], str],
    unit: str,
    *,
    is_known: bool,
) -> str:
    known = "known to the predictor" if is_known else "not known to the predictor"
    if symbol not in shown:
        return f"{symbol}: in no structure, {known}"
    value = f"{text(shown[symbol])} {unit}".strip()
    return f"{symbol}: {label[:1].lower()}{label[1:]} {value}, {known}"


def _share(value: float, low: float, high: float) -> float:
    return round((value - low) / (high - low), 3) if high > low else 0.0


def _table(
    result: ScreenResult,
    best: Mapping[str, int],
    every: Mapping[str, str],
    means: Values,
    n: int,
) -> Table:
    order = sorted(every, key=lambda one: (-best.get(one, 0), one))
    known = set(result.elements)
    return Table(
        caption="The same numbers, the most frequent among the first structures first.",
        columns=("Element", f"Among the first {n}", "In all", "Mean", "Known"),
        rows=tuple(
            (
                one,
                str(best.get(one, 0)),
                every[one],
                number_text(means[one]) if one in means else MISSING,
                "yes" if one in known else "no",
            )
            for one in order
        ),
        is_text=(True, False, False, False, True),
    )
