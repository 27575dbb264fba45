"""Check for shear components in the order of another program."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from atomgraft.core.units import EV_PER_A3_IN_GPA
from atomgraft.data.canonical import LABEL_UNITS, SIX_COMPONENTS
from atomgraft.data.checks.findings import Finding, named, place_of, places
from atomgraft.data.checks.predicted import Triple
from atomgraft.data.label_keys import STRESS_ORDERS, VOIGT

TELLING = 2e-5
"""eV/Å³ (3 MPa); shears of the base below it, rms, are those of its rounding."""

NEGLIGIBLE = 6e-5
"""eV/Å³ (0.01 GPa); shears that differ by less may stand in any order."""

MIN_STRUCTURES = 2
"""Three shears of one structure may agree by chance."""

FAR = 0.4
"""Distance of the shears as they stand from which they are wrong: where two of three
have changed places it is 0.58, where all have, 0.71."""

CLOSE = 0.2
"""Distance of the shears in another order below which that order is meant."""

Shears = Float[np.ndarray, "structures 3"]


def check_shears(stresses: Sequence[Triple], base: str) -> Iterator[Finding]:
    """Find shears in another order, in all files or in one; say if none can be told.

    Parameters
    ----------
    stresses
        Structures, labels and what the base says, eV/Å³.
    base
        Its name.
    """
    labelled = [one for one in stresses if float(np.ptp(one[1][3:])) > NEGLIGIBLE]
    files: dict[str, list[Triple]] = defaultdict(list)
    for one in labelled:
        files[place_of(one[0]).rpartition(", frame ")[0]].append(one)
    found = _other_order(labelled, base)
    some = [_other_order(one, base) for one in files.values()]
    is_mixed = any(_is_right(one) for one in files.values())
    if len(files) > 1 and any(some) and (found is None or is_mixed):
        yield from (one for one in some if one is not None)
        return
    if found is not None:
        yield found
    elif labelled and not _is_right(labelled):
        yield from _untold(labelled, base)


def _other_order(stresses: Sequence[Triple], base: str) -> Finding | None:
    """Return that the shears stand in another order, if they do."""
    telling = _telling(stresses)
    far, distances = _distances(telling)
    best = min(distances, key=lambda name: distances[name])
    is_other = far > FAR and distances[best] < min(CLOSE, far / 2)
    if len(telling) < MIN_STRUCTURES or not is_other:
        return None
    frames = places(atoms for atoms, _, _ in telling)
    return Finding(
        severity="error",
        code="stress-scale",
        message="The shears of the stress labels look like those of six components"
        f" in the order {' '.join(STRESS_ORDERS[best])} in {len(frames)} structures"
        f" ({named(frames)}): put right they are {distances[best]:.2f} away from"
        f" {base}, and {far:.2f} as they stand (0 equal, 1 opposite or of another"
        " size; each structure counts the same).",
        remedy=order_remedy(telling, f"Read the file with --stress-order {best}"),
        frames=frames,
        number=far,
    )


def _is_right(stresses: Sequence[Triple]) -> bool:
    """Tell whether shears agree with the base in the order they stand in alone."""
    far, distances = _distances(_telling(stresses))
    return far < min(FAR, min(distances.values()) / 2)


def _untold(stresses: Sequence[Triple], base: str) -> Iterator[Finding]:
    six = [
        atoms
        for atoms, _, _ in stresses
        if atoms.info.get(SIX_COMPONENTS)
        and "--stress-order" not in atoms.info.get(LABEL_UNITS, {})
    ]
    if six:
        largest = max(float(np.abs(said[3:]).max()) for _, _, said in stresses)
        yield Finding(
            severity="note",
            code="stress-order-untested",
            message="The order of the shear components cannot be told in"
            f" {len(six)} structures with six components ({named(places(six))}): the"
            f" shears that {base} predicts, {EV_PER_A3_IN_GPA * largest:.2g} GPa at"
            " most, do not decide.",
            remedy="They are read as xx yy zz yz xz xy. VASP prints xx yy zz xy yz zx:"
            " if this was copied, read the file with --stress-order vasp",
            frames=places(six),
            number=len(six),
            unit="structures",
        )


def _telling(stresses: Sequence[Triple]) -> list[Triple]:
    """Return those of which the base predicts shears."""
    return [
        one for one in stresses if float(np.sqrt(np.mean(one[2][3:] ** 2))) > TELLING
    ]


def _distances(telling: Sequence[Triple]) -> tuple[float, dict[str, float]]:
    """Return how far shears are from the base, as they stand and in other orders.

    Each structure counts the same, or one large shear would decide.
    """
    sizes = [float(np.linalg.norm(said[3:])) for _, _, said in telling]
    said = [one[3:] / size for (_, _, one), size in zip(telling, sizes, strict=True)]
    labels = [one[3:] / size for (_, one, _), size in zip(telling, sizes, strict=True)]
    x, y = np.array(labels).reshape(-1, 3), np.array(said).reshape(-1, 3)
    return _distance(x, y), {
        name: _distance(x[:, [order.index(one) - 3 for one in VOIGT[3:]]], y)
        for name, order in STRESS_ORDERS.items()
        if name != "voigt" and order[:3] == VOIGT[:3]
    }


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
