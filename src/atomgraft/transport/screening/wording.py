"""What a screen says in sentences."""

import math
import re

from atomgraft.page.wording import counted, number_text
from atomgraft.transport.distil.record import LOGARITHM
from atomgraft.transport.screening.record import Ranked, ScreenResult

READY = "of the conductivity of lithium, which ships with atomgraft"
"""What stands in place of the folder of a predictor."""

FAR = 1.0
"""Novelty beyond which predictions are told to be extrapolations."""


PLAIN = range(-1, 4)
"""Powers of ten that are not written out."""

NO_BREAK = "\u00a0"
"""A space at which no line ends."""

_POWERS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def is_logarithm(result: ScreenResult) -> bool:
    """Tell whether predictions are decimal logarithms of a property."""
    return result.target.startswith(LOGARITHM)


def property_of(result: ScreenResult) -> tuple[str, str]:
    """Return the name of the property that structures are ranked by, and its unit.

    That of a logarithm stands in parentheses behind the name: the other unit is that
    of errors.
    """
    if not is_logarithm(result):
        return result.target, result.unit
    name = result.target.removeprefix(LOGARITHM)
    found = re.fullmatch(r"(.+?) *\(([^()]+)\)", name)
    if found is None:
        return name, ""
    unit = re.sub(r"(?<=[^\W\d])-?\d+\b", _raised, found[2])
    return found[1], unit.replace(" ", NO_BREAK)


def _raised(found: re.Match[str]) -> str:
    return found[0].translate(_POWERS)


def power_text(logarithm: float) -> str:
    """Return ten to a power with two significant digits.

    Examples
    --------
    >>> power_text(-2.4), power_text(-0.58), power_text(-3.001), power_text(2.0)
    ('4.0 × 10⁻³', '0.26', '1.0 × 10⁻³', '100')
    """
    if not math.isfinite(logarithm):
        return "not finite"
    exponent = math.floor(logarithm)
    mantissa = f"{10 ** (logarithm - exponent):.1f}"
    if mantissa == "10.0":
        exponent, mantissa = exponent + 1, "1.0"
    if exponent in PLAIN:
        return number_text(10**logarithm, digits=2)
    return f"{mantissa} × 10{str(exponent).translate(_POWERS)}"


def predicted_text(value: float, result: ScreenResult) -> str:
    """Return a prediction without its unit; of a logarithm the property itself."""
    return power_text(value) if is_logarithm(result) else number_text(value)


def interval_text(one: Ranked, result: ScreenResult) -> str:
    """Return the interval that holds 68 % of materials of new groups."""
    low, _ = result.half_widths
    ends = (one.predicted - low, one.predicted + low)
    return "{} to {}".format(*(predicted_text(end, result) for end in ends))


def width_text(width: float, result: ScreenResult) -> str:
    """Return half of an interval: of a logarithm a factor up and down."""
    if is_logarithm(result):
        return f"a factor of {power_text(width)}"
    return f"± {number_text(width)} {result.unit}".rstrip()


def headline(result: ScreenResult) -> str:
    """Return how many were ranked, and which is first."""
    first = result.ranked[0]
    known = sum(is_near(one) for one in result.ranked)
    n = counted(len(result.ranked), "structure")
    return (
        f"{n} ranked by {property_of(result)[0]}. First is {first.name}"
        f" ({first.formula}):"
        f" {with_unit(first, result)}. {known} of them are similar to materials that"
        " the predictor knows."
    )


def value_text(one: Ranked, result: ScreenResult) -> str:
    """Return a prediction with its unit."""
    _, unit = property_of(result)
    return f"{predicted_text(one.predicted, result)} {unit}".strip()


def with_unit(one: Ranked, result: ScreenResult) -> str:
    """Return a prediction with the interval that holds 68 % of new groups.

    There is none where the predictor knows nothing similar.
    """
    value = value_text(one, result)
    if not is_near(one):
        return f"{value}, without an interval"
    return f"{value} (68 %: {interval_text(one, result)})"


def is_near(one: Ranked) -> bool:
    """Tell whether the predictor knows similar materials."""
    return one.novelty <= FAR and not one.unseen


def notices(result: ScreenResult) -> tuple[str, ...]:
    """Return what must be known of the list."""
    found: list[str] = []
    if result.predictor == READY:
        found.append(
            "No predictor was named. The one that ships is for the conductivity of"
            " lithium ions at room temperature."
        )
    found.append(f"Of the predictor: {result.expected}")
    if result.learned_ions and result.mobile not in result.learned_ions:
        found.append(
            f"The predictor has learned from {', '.join(result.learned_ions)} and not"
            f" from {result.mobile}: all predictions are extrapolations."
        )
    new = sum(not is_near(one) for one in result.ranked)
    if new:
        found.append(
            f"{counted(new, 'structure')} with elements that the predictor does not"
            " know, or far from all that it knows: intervals do not hold there."
        )
    mixed = sum(one.is_disordered for one in result.ranked)
    if mixed:
        found.append(
            f"{counted(mixed, 'structure')} with partial occupancies: features of atoms"
            " are means over ordered examples."
        )
    for one in result.left_out:
        name, detail = one.examples[0] if one.examples else ("", "")
        shown = f"; {name}: {detail}" if name else ""
        found.append(f"{counted(one.n, 'structure')} left out, {one.reason}{shown}.")
    return tuple(found)
