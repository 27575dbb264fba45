"""Signs and units of forces and stresses, told by comparison with the base model.

A label x in the wrong unit is c times the right value, c known for every mistake
people make. For each candidate c the distance between x / c and the base's y is
d = |x / c - y| / (|x / c| + |y|), from 0 (equal) to 1 (opposite), its median taken
over structures. A mistake is reported where another candidate fits well and the
label as it stands does not.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.units import (
    BOHR_IN_ANGSTROM,
    EV_PER_A3_IN_GPA,
    EV_PER_A3_IN_KBAR,
    HARTREE_IN_EV,
    RYDBERG_IN_EV,
)
from atomgraft.data.checks.comparison import Compared, Triple, compared_forces
from atomgraft.data.checks.findings import Finding, named, places
from atomgraft.data.labels import stress_of

FITS = 0.3
"""Median distance below which a candidate explains the labels."""

BETTER = 0.5
"""A candidate must be closer than this fraction of the distance as it stands."""

TIE = 1.25
"""Candidates within this factor of the best are named beside it."""

MIN_SIZE = {"forces": 1e-3, "force responses": 1e-4, "stress": 1e-3}
"""eV/Å and eV/Å³ (0.16 GPa): a base value below it says nothing about a scale. In the
response to a displacement what is not converged drops out."""

CODES = {"forces": "forces", "force responses": "forces", "stress": "stress"}
"""What findings are filed under."""

KCAL_PER_MOL_IN_EV = 0.0433641153
KJ_PER_MOL_IN_EV = KCAL_PER_MOL_IN_EV / 4.184


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mistake:
    """A known wrong scale.

    Parameters
    ----------
    name
        What the labels then are, in words.
    scale
        Their ratio to the right value, for a cell of the given volume (Å³).
    remedy
        What to do about it.
    """

    name: str
    scale: Callable[[float], float]
    remedy: str


RIGHT = Mistake(name="right", scale=lambda _: 1.0, remedy="")


def _force_mistakes() -> Iterator[Mistake]:
    """Yield wrong units of forces, with both signs."""
    units = {
        "eV/Å": 1.0,
        "hartree/bohr": BOHR_IN_ANGSTROM / HARTREE_IN_EV,
        "rydberg/bohr": BOHR_IN_ANGSTROM / RYDBERG_IN_EV,
        "kcal/mol/Å": 1 / KCAL_PER_MOL_IN_EV,
        "kJ/mol/Å": 1 / KJ_PER_MOL_IN_EV,
        "kJ/mol/nm": 10 / KJ_PER_MOL_IN_EV,
        "meV/Å": 1000.0,
    }
    for unit, factor in units.items():
        for sign in (1, -1):
            what = f"forces in {unit}" if sign > 0 else f"gradients in {unit}"
            if (unit, sign) != ("eV/Å", 1):
                yield Mistake(
                    name=what,
                    scale=lambda _, c=sign * factor: c,
                    remedy=f"Divide the forces by {sign * factor:.6g} and read the"
                    " file again (energies may need their own factor).",
                )


def _stress_mistakes() -> Iterator[Mistake]:
    """Yield wrong units and signs of stresses and virials."""
    per = {"eV/A^3": 1.0, "GPa": EV_PER_A3_IN_GPA, "kbar": EV_PER_A3_IN_KBAR}
    for unit, factor in per.items():
        for sign in ("", "-"):
            c = -factor if sign else factor
            if c != 1:
                yield Mistake(
                    name=f"a stress in {sign}{unit}"
                    + (" (compression positive)" if sign else ""),
                    scale=lambda _, c=c: c,
                    remedy=f"Read the file with the stress unit {sign}{unit}.",
                )
            yield Mistake(
                name=f"a stress in {sign}{unit} under a virial's name",
                scale=lambda volume, c=c: -c / volume,
                remedy="Rename the key to REF_stress, and read the file with the"
                f" stress unit {sign}{unit}.",
            )
    for unit, factor in list(per.items())[1:]:
        yield Mistake(
            name=f"a stress in eV/A^3 that was converted from {unit}",
            scale=lambda _, c=factor: 1 / c,
            remedy="Read the file without a stress unit.",
        )
    yield Mistake(
        name="a virial (minus volume times stress, eV) under a stress's name",
        scale=lambda volume: -volume,
        remedy="Read the file with the stress unit virial.",
    )
    yield Mistake(
        name="plus volume times stress, eV",
        scale=lambda volume: volume,
        remedy="Divide the labels by the volume and store them as REF_stress.",
    )


FORCE_MISTAKES = tuple(_force_mistakes())
STRESS_MISTAKES = tuple(_stress_mistakes())


def check_scales(compared: Compared) -> Iterator[Finding]:
    """Find forces and stresses of another sign or unit than they should have."""
    pairs = zip(compared.structures, compared.predictions, strict=True)
    stresses = [
        (atoms, label, prediction.stress)
        for atoms, prediction in pairs
        if (label := stress_of(atoms)) is not None and atoms.cell.rank == 3
    ]
    forces = compared_forces(compared)
    yield from _check("forces", forces.plain, FORCE_MISTAKES, compared.base)
    responses = forces.responses
    yield from _check("force responses", responses, FORCE_MISTAKES, compared.base)
    yield from _check("stress", stresses, STRESS_MISTAKES, compared.base)


def _check(
    quantity: str,
    triples: Sequence[Triple],
    mistakes: Sequence[Mistake],
    base: str,
) -> Iterator[Finding]:
    telling = _telling(triples, MIN_SIZE[quantity])
    if not telling:
        if triples and quantity == "stress":
            yield _silent(len(triples), base)
        return
    as_it_stands = _distance(telling, RIGHT)
    distances = {mistake.name: _distance(telling, mistake) for mistake in mistakes}
    best = min(mistakes, key=lambda mistake: distances[mistake.name])
    closest = distances[best.name]
    if closest < FITS and closest < BETTER * as_it_stands:
        rivals = [
            name
            for name, distance in distances.items()
            if distance < TIE * closest and name != best.name
        ]
        frames = places(atoms for atoms, _, _ in telling)
        yield Finding(
            severity="error",
            code=f"{CODES[quantity]}-scale",
            message=f"The {quantity} labels look like {best.name}"
            + (f" (or {', '.join(rivals)})" if rivals else "")
            + f": so read they are {closest:.2f} away from {base}, and"
            f" {as_it_stands:.2f} as they stand (0 equal, 1 opposite; median of"
            f" {len(telling)} structures: {named(frames)}).",
            remedy=best.remedy,
            frames=frames,
            number=as_it_stands,
        )
    elif as_it_stands > 2 * FITS:
        yield _strange(quantity, telling, as_it_stands, base)


def _telling(triples: Sequence[Triple], min_size: float) -> list[Triple]:
    """Keep the half with the largest base values, where the sign is sure."""
    sizes = [float(np.sqrt(np.mean(base**2))) for _, _, base in triples]
    if not sizes:
        return []
    limit = max(float(np.median(sizes)), min_size)
    return [
        triple
        for triple, size in zip(triples, sizes, strict=True)
        if size >= limit and np.any(triple[1])
    ]


def _distance(triples: Sequence[Triple], mistake: Mistake) -> float:
    def one(atoms: Atoms, label: Float[np.ndarray, "..."], base: np.ndarray) -> float:
        volume = abs(float(np.linalg.det(atoms.cell.array)))
        right = label / mistake.scale(volume or 1.0)
        total = np.linalg.norm(right) + np.linalg.norm(base)
        return float(np.linalg.norm(right - base) / total)

    return float(np.median([one(*triple) for triple in triples]))


def _silent(n_structures: int, base: str) -> Finding:
    return Finding(
        severity="note",
        code="stress-untested",
        message=f"In none of {n_structures} structures does {base} see a stress above"
        " 0.16 GPa, so sign and unit of the stress labels cannot be tested.",
        remedy="Compare one value with the calculation's own output: eV/Å³, tension"
        " positive.",
        number=n_structures,
    )


def _strange(
    quantity: str, triples: Sequence[Triple], distance: float, base: str
) -> Finding:
    frames = places(atoms for atoms, _, _ in triples)
    return Finding(
        severity="warning",
        code=f"{CODES[quantity]}-disagrees",
        message=f"The {quantity} labels have little to do with {base}: median distance"
        f" {distance:.2f} (0 equal, 1 opposite) in {len(triples)} structures, and no"
        " known unit or sign explains it.",
        remedy="Check the label against the calculation's own output; the order of"
        " atoms, the orientation of the cell and the level of theory.",
        frames=frames,
        number=distance,
    )
