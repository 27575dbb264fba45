"""What a screen says in sentences."""

from atomgraft.page.wording import counted, number_text
from atomgraft.transport.screening.record import Ranked, ScreenResult

READY = "of the conductivity of lithium, which ships with atomgraft"
"""What stands in place of the folder of a predictor."""

FAR = 1.0
"""Novelty beyond which predictions are told to be extrapolations."""


def headline(result: ScreenResult) -> str:
    """Return how many were ranked, and which is first."""
    first = result.ranked[0]
    known = sum(is_near(one) for one in result.ranked)
    n = counted(len(result.ranked), "structure")
    return (
        f"{n} ranked by {result.target}. First is {first.name} ({first.formula}):"
        f" {with_unit(first, result)}. {known} of them are similar to materials that"
        " the predictor knows."
    )


def with_unit(one: Ranked, result: ScreenResult) -> str:
    """Return a prediction with the interval that holds 68 % of new groups."""
    width = number_text(result.half_widths[0], digits=2)
    return f"{number_text(one.predicted)} ± {width} {result.unit}".strip()


def is_near(one: Ranked) -> bool:
    """Tell whether the predictor knows similar materials."""
    return one.novelty <= FAR and not one.unseen


def notices(result: ScreenResult) -> tuple[str, ...]:
    """Return what must be known of the list."""
    found: list[str] = []
    if result.predictor == READY:
        found.append(
            "No predictor was named. The one that ships is for the conductivity of"
            " lithium ions at room temperature, in powers of ten of S/cm."
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
