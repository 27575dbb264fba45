"""Properties of elements, from pymatgen's tables."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from atomgraft.core.errors import BadInputError, MissingExtraError

PROPERTIES = (
    "atomic number",
    "group",
    "period",
    "electronegativity",
    "atomic radius",
    "ionic radius",
    "ionisation energy",
    "highest charge",
    "lowest charge",
    "Mendeleev number",
)
"""Radii in Å, the energy in eV; charges are common oxidation states."""

UNKNOWN = (0.0, 0.0, 0.0, 2.0, 1.5, 1.0, 8.0, 0.0, 0.0, 0.0)
"""Where a table has no value; in the order of PROPERTIES."""

SOFTNESS = 0.37
"""Å; the decay of a bond valence with the bond length (Brown and Altermatt, Acta
Crystallogr. B 41, 244 (1985))."""

ANIONS = ("F", "O", "Cl", "N", "Br", "I", "S", "Se", "Te", "As", "P", "C", "H")
"""Candidates, by falling readiness to take electrons."""

HALIDES = frozenset({"F", "O", "Cl", "Br", "I"})
"""And oxygen: elements that take electrons in nearly every compound."""


@functools.cache
def _element(symbol: str) -> Any:  # noqa: ANN401 - of an extra
    try:
        from pymatgen.core import Element
    except ImportError as error:
        raise MissingExtraError(
            "Predictors of transport need pymatgen, which is not installed here.",
            "Expected the extra transport.",
            "pip install 'atomgraft[transport]'",
        ) from error
    try:
        return Element(symbol)
    except ValueError as error:
        raise BadInputError(
            f"{symbol!r} is no chemical element.",
            "Expected a chemical symbol.",
            "Correct the composition.",
        ) from error


@functools.cache
def properties(symbol: str) -> tuple[float, ...]:
    """Return the properties of an element, in the order of PROPERTIES.

    Parameters
    ----------
    symbol
        Chemical symbol.

    Raises
    ------
    BadInputError
        There is no such element.
    MissingExtraError
        pymatgen is not installed.
    """
    one = _element(symbol)
    charges = one.common_oxidation_states or (0,)
    found = (
        one.Z,
        one.group,
        one.row,
        one.X,
        one.atomic_radius,
        ionic_radius(symbol),
        one.ionization_energy,
        max(charges),
        min(charges),
        one.mendeleev_no,
    )
    return tuple(
        usual if value is None or not np.isfinite(float(value)) else float(value)
        for value, usual in zip(found, UNKNOWN, strict=True)
    )


@functools.cache
def ionic_radius(symbol: str) -> float:
    """Return the mean ionic radius of an element, Å; else its atomic radius.

    Raises
    ------
    BadInputError
        There is no such element.
    """
    one = _element(symbol)
    return float(one.average_ionic_radius) or float(one.atomic_radius or UNKNOWN[5])


@functools.cache
def charge(symbol: str) -> float:
    """Return the highest common oxidation state of an element, e.

    Raises
    ------
    BadInputError
        There is no such element.
    """
    return properties(symbol)[PROPERTIES.index("highest charge")]


@functools.cache
def bond_length(first: str, second: str) -> float:
    """Return the length of a bond of valence one, Å.

    O'Keeffe and Brese, J. Am. Chem. Soc. 113, 3226 (1991), equation 4: two parameters
    of each element. Where the table has none, the sum of atomic radii.

    Raises
    ------
    BadInputError
        There is no such element.
    """
    elements = _element(first), _element(second)
    from pymatgen.analysis.bond_valence import BV_PARAMS

    if any(one not in BV_PARAMS for one in elements):
        return sum(float(one.atomic_radius or UNKNOWN[4]) for one in elements)
    (r1, c1), (r2, c2) = ((BV_PARAMS[e]["r"], BV_PARAMS[e]["c"]) for e in elements)
    apart = (np.sqrt(c1) - np.sqrt(c2)) ** 2
    return float(r1 + r2 - r1 * r2 * apart / (c1 * r1 + c2 * r2))


def anions_of(symbols: Iterable[str]) -> frozenset[str]:
    """Return the elements of a compound that take electrons.

    Halogens and oxygen do; sulphur, its group and nitrogen do where there is neither
    fluorine nor oxygen; of others, the most electronegative one.

    Parameters
    ----------
    symbols
        Elements of the compound.

    Examples
    --------
    >>> sorted(anions_of(["Li", "P", "S", "Cl"]))
    ['Cl', 'S']
    >>> sorted(anions_of(["Li", "P"]))
    ['P']
    """
    there = set(symbols)
    halides = there & HALIDES
    if there & {"F", "O"}:
        return frozenset(halides)
    softer = there & {"S", "Se", "Te", "N"}
    if halides | softer:
        return frozenset(halides | softer)
    return frozenset(next(([one] for one in ANIONS if one in there), []))


def statistics(
    amounts: Mapping[str, float],
) -> Float[np.ndarray, " statistics"]:
    """Return weighted mean and spread, minimum and maximum of all properties.

    Parameters
    ----------
    amounts
        Of each element, in any unit.

    Raises
    ------
    BadInputError
        There is no such element.
    """
    table = np.array([properties(one) for one in amounts])
    weights = np.array([*amounts.values()], dtype=float)
    mean = np.average(table, axis=0, weights=weights)
    spread = np.sqrt(np.average((table - mean) ** 2, axis=0, weights=weights))
    return np.concatenate([mean, spread, table.min(axis=0), table.max(axis=0)])


STATISTICS = tuple(
    f"{which} {name}"
    for which in ("mean", "spread of", "lowest", "highest")
    for name in PROPERTIES
)
"""Names of what `statistics` returns."""
