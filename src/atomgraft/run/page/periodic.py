"""Scores by element on the periodic table."""

import math
from collections.abc import Collection

from atomgraft.page.blocks import ElementCell, ElementMap, PeriodicTable, Table
from atomgraft.page.wording import count_text, counted, number_text
from atomgraft.run.page.tables import ComparisonRow, group_rows, score_text
from atomgraft.run.record import RunResult

_LAYOUT = """
H  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  He
Li Be .  .  .  .  .  .  .  .  .  .  B  C  N  O  F  Ne
Na Mg .  .  .  .  .  .  .  .  .  .  Al Si P  S  Cl Ar
K  Ca Sc Ti V  Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
Rb Sr Y  Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I  Xe
Cs Ba .  Hf Ta W  Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn
Fr Ra .  Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
.  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
.  .  La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu .
.  .  Ac Th Pa U  Np Pu Am Cm Bk Cf Es Fm Md No Lr .
"""

PLACES: dict[str, tuple[int, int]] = {
    symbol: (row, column)
    for row, line in enumerate(_LAYOUT.strip().splitlines(), start=1)
    for column, symbol in enumerate(line.split(), start=1)
    if symbol != "."
}
"""Row and column of each element, from 1; lanthanides and actinides below."""

_LAST_ROW_OF_MAIN = 7
_FIRST_ROW_OF_SERIES = 9


def forgetting_by_element(result: RunResult) -> PeriodicTable | None:
    """Return the adapted model's drift by element, or none if it was not measured."""
    rows = [
        row
        for row in group_rows(result, "forgetting", "element")
        if row.adapted is not None and row.group_name in PLACES
    ]
    labels = list(dict.fromkeys(row.label for row in rows))
    if not labels:
        return None
    trained = {
        symbol
        for card in result.data
        if card.role == "train"
        for symbol in card.elements
    }
    return PeriodicTable(
        name="forgetting",
        caption=(
            "How far the adapted model moved from the base on crystals that hold each "
            "element, on a logarithmic scale: the strip below shows which colour is "
            "far. Elements of the training data are outlined and are meant to move. "
            "Where another element has moved far, accuracy may be lost."
        ),
        maps=tuple(
            _element_map([row for row in rows if row.label == label], trained)
            for label in labels
        ),
        table=_table(rows),
    )


def _element_map(rows: list[ComparisonRow], trained: set[str]) -> ElementMap:
    measured = {row.group_name: row for row in rows}
    positive = [value for row in rows if (value := _drift(row)) > 0]
    low, high = (min(positive), max(positive)) if positive else (0.0, 0.0)
    first = rows[0]
    return ElementMap(
        quantity=f"{first.quantity}-{first.metric}",
        label=first.label,
        cells=tuple(
            _cell(
                symbol, measured.get(symbol), (low, high), is_trained=symbol in trained
            )
            for symbol in _drawn(measured)
        ),
        scale=(
            number_text(low, digits=2),
            number_text(math.sqrt(low * high), digits=2),
            f"{number_text(high, digits=2)} {first.unit}".strip(),
        ),
    )


def _drawn(measured: Collection[str]) -> list[str]:
    """Return the elements to draw: the series only where one was measured."""
    lowest = max(PLACES[symbol][0] for symbol in measured)
    last = lowest if lowest >= _FIRST_ROW_OF_SERIES else _LAST_ROW_OF_MAIN
    return [symbol for symbol, (row, _) in PLACES.items() if row <= last]


def _drift(row: ComparisonRow) -> float:
    return math.nan if row.adapted is None else row.adapted.value


def _cell(
    symbol: str,
    row: ComparisonRow | None,
    span: tuple[float, float],
    *,
    is_trained: bool,
) -> ElementCell:
    line, column = PLACES[symbol]
    value = math.nan if row is None else _drift(row)
    is_measured = row is not None and math.isfinite(value)
    spoken = f"{symbol}: not measured"
    if row is not None:
        size = counted(row.n, "crystal")
        spoken = f"{symbol}: {score_text(row.adapted)} {row.unit} over {size}"
    return ElementCell(
        symbol=symbol,
        row=line,
        column=column,
        text=number_text(value, digits=2) if is_measured else "",
        spoken=spoken,
        heat=heat(value, *span) if is_measured else None,
        is_trained=is_trained,
    )


def heat(value: float, low: float, high: float) -> float:
    """Return where a value lies between two others on a logarithmic scale, 0 to 1.

    Examples
    --------
    >>> heat(10.0, 1.0, 100.0), heat(0.0, 1.0, 100.0), heat(2.0, 2.0, 2.0)
    (0.5, 0.0, 0.0)
    """
    if value <= low or high <= low:
        return 0.0
    return round(min(1.0, math.log(value / low) / math.log(high / low)), 3)


def _table(rows: list[ComparisonRow]) -> Table:
    """Return all drifts, the largest first within a quantity."""
    labels = list(dict.fromkeys(row.label for row in rows))
    ranked = sorted(rows, key=lambda row: (labels.index(row.label), -_drift(row)))
    has_scratch = any(row.scratch is not None for row in rows)
    scratch = ("From scratch",) if has_scratch else ()
    return Table(
        caption="Drift from the base by element, the largest first.",
        columns=("Element", "Quantity", "Adapted", *scratch, "Crystals"),
        rows=tuple(
            (
                row.group_name,
                row.label,
                score_text(row.adapted),
                *((score_text(row.scratch),) if has_scratch else ()),
                count_text(row.n),
            )
            for row in ranked
        ),
        is_text=(True, True, *(False,) * (2 + has_scratch)),
    )
