"""Shears of a stress in the order of another program, where a pressure hides them."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from atomgraft.data.canonical import SIX_COMPONENTS
from atomgraft.data.checks.comparison import Triple
from atomgraft.data.checks.findings import Finding, named, places
from atomgraft.data.label_keys import STRESS_ORDERS, VOIGT

TELLING = 3e-4
"""eV/Å³ (0.05 GPa); shears of the base below it, rms, say nothing."""

MIN_STRUCTURES = 3

FAR = 0.4
"""Distance of the shears as they stand from which they are wrong: where two of three
have changed places it is 0.58, where all have, 0.71."""

CLOSE = 0.2
"""Distance of the shears in another order below which that order is meant."""

Shears = Float[np.ndarray, "structures 3"]


def check_shears(stresses: Sequence[Triple], base: str) -> Iterator[Finding]:
    """Find shears in another order; the rest of the stress may be right.

    Parameters
    ----------
    stresses
        Structures, labels and what the base says, eV/Å³.
    base
        Its name.
    """
    telling = [
        one
        for one in stresses
        if np.any(one[1][3:]) and float(np.sqrt(np.mean(one[2][3:] ** 2))) > TELLING
    ]
    if len(telling) < MIN_STRUCTURES:
        return
    labels = np.stack([label for _, label, _ in telling])
    said = np.stack([one[3:] for _, _, one in telling])
    far = _distance(labels[:, 3:], said)
    distances = {
        name: _distance(labels[:, [order.index(one) for one in VOIGT[3:]]], said)
        for name, order in STRESS_ORDERS.items()
        if name != "voigt" and order[:3] == VOIGT[:3]
    }
    best = min(distances, key=lambda name: distances[name])
    if far > FAR and distances[best] < min(CLOSE, far / 2):
        frames = [atoms for atoms, _, _ in telling]
        yield Finding(
            severity="error",
            code="stress-scale",
            message="The shears of the stress labels look like those of six components"
            f" in the order {' '.join(STRESS_ORDERS[best])} in {len(frames)} structures"
            f" ({named(places(frames))}): put right they are {distances[best]:.2f} away"
            f" from {base}, and {far:.2f} as they stand (0 equal, 1 opposite or of"
            " another size).",
            remedy=order_remedy(telling, f"Read the file with --stress-order {best}"),
            frames=places(frames),
            number=far,
        )


def order_remedy(triples: Sequence[Triple], remedy: str) -> str:
    """Return what to do about an order: an option holds for six components alone.

    Parameters
    ----------
    triples
        Structures whose stress is in another order.
    remedy
        What to do where six numbers were read.
    """
    if any(atoms.info.get(SIX_COMPONENTS) for atoms, _, _ in triples):
        return remedy
    return (
        "The file holds matrices whose shears are in the wrong places: correct the"
        " program that wrote them, or write six components."
    )


def _distance(x: Shears, y: Shears) -> float:
    total = float(np.linalg.norm(x) + np.linalg.norm(y))
    return float(np.linalg.norm(x - y)) / total if total else 1.0
