"""Where elements stand in the periodic table, and how warm they are drawn."""

import math
from collections.abc import Collection

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


def drawn(measured: Collection[str]) -> list[str]:
    """Return the elements to draw: the series only where one was measured.

    Parameters
    ----------
    measured
        Symbols, at least one.

    Examples
    --------
    >>> "La" in drawn(["Si"]), "La" in drawn(["Ce"])
    (False, True)
    """
    lowest = max(PLACES[symbol][0] for symbol in measured)
    last = lowest if lowest >= _FIRST_ROW_OF_SERIES else _LAST_ROW_OF_MAIN
    return [symbol for symbol, (row, _) in PLACES.items() if row <= last]


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
