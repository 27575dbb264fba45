"""Check for energies in another unit or per atom, against the base model.

Reference energies are fitted first, so that what is compared is how energies vary
between structures of one composition: no zero of energy can hide a wrong unit.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from jaxtyping import Bool, Float

from atomgraft.data.checks.findings import Finding, named, place_of, places
from atomgraft.data.checks.mistakes import (
    ENERGY_MISTAKES,
    NEAR,
    Mistake,
    unneeded_options,
    without_options,
)
from atomgraft.data.checks.predicted import Compared
from atomgraft.data.checks.regression import interaction_energies
from atomgraft.data.labels import energy_of, forces_of

FITS = 0.3
"""Distance below which a mistake explains the labels: 0 equal, 1 opposite or of
another size."""

BETTER = 0.5
"""A mistake must be closer than this fraction of the distance as it stands."""

SOFT = 0.05
"""Mistakes that come as close as the best within this are named beside it: a base may
be as soft. In cells of four atoms kcal/mol and kJ/mol per atom differ by 5 %."""

RIVALS = ". Check the output of the calculation to see which one it is."

CONVERT = "Convert these frames: an option holds for all files."

STRANGE = 0.6
"""Distance from which energies have little to do with the base."""

MIN_STRANGE = 5
"""Energies that must then be left when reference energies are fitted."""

MIN_FREE = 3
"""Energies that must be left when reference energies are fitted: fewer always agree."""

MIN_SPREAD = 1e-3
"""eV/atom; predictions that vary by less (rms) say nothing about a unit."""

CORRELATED = 0.9
"""Correlation that a factor close to 1 needs."""

NEAR_FIT = 0.12
"""Of the logarithm: a factor close to 1 must be met so well by the slope."""

PER_ATOM_ALONE = "energies per atom"
"""The one mistake whose factor may be close to 1: cells of two or three atoms."""

TRIMMED = 0.2
"""Share of structures, those that fit worst, that do not count."""

GAP = 5.0
"""A gap in energies per atom so many times their spread on both sides parts a set."""

NORMAL = 2.0
"""Slopes up to this factor from 1 may be the softness of a base."""

SAME_ZERO = 0.1
"""eV/atom; labels this close to the base have its unit and its zero of energy."""

OTHER_ZERO = 1.0
"""eV/atom; labels further from the base have not."""

TRAPEZOID = 0.15
"""Of the logarithm: error of the work along a straight line, as the base shows it."""

SAME_CELL = 1e-3
"""Å; cells that differ by more need work of the stress."""

Values = Float[np.ndarray, " structures"]


class _Energies:
    """Labels and predictions of structures, and how close mistakes bring them."""

    def __init__(self, compared: Compared, softness: float | None) -> None:
        is_soft = softness is not None and 1 / NEAR < softness < NEAR
        self.softness = softness if softness is not None and is_soft else 1.0
        triples = [
            (atoms, label, said.energy)
            for atoms, said in zip(
                compared.structures, compared.predictions, strict=True
            )
            if (label := energy_of(atoms))  # zeros are placeholders
        ]
        self.structures = [atoms for atoms, _, _ in triples]
        self.labels = np.array([label for _, label, _ in triples])
        self.base = np.array([said for _, _, said in triples])
        self.mistakes = (
            *ENERGY_MISTAKES,
            *unneeded_options("energy", self.structures),
        )

    def __len__(self) -> int:
        return len(self.structures)

    def right(self, mistake: Mistake, chosen: Bool[np.ndarray, " n"]) -> Values:
        """Return labels of which those chosen are put right."""
        return np.array(
            [
                float(mistake.right(np.asarray(label), atoms)) if is_chosen else label
                for label, atoms, is_chosen in zip(
                    self.labels, self.structures, chosen, strict=True
                )
            ]
        )

    def distance(
        self, labels: Values, *, trimmed: bool = True, soft: float = 1.0
    ) -> float:
        """Return how far labels are from the base when references are fitted.

        Parameters
        ----------
        labels
            Total energies, eV.
        trimmed
            The worst `TRIMMED` of the structures do not count.
        soft
            Number by which predictions are multiplied.
        """
        kept = np.arange(len(self))
        n_kept = max(MIN_FREE + 2, int(np.ceil((1 - TRIMMED) * len(self))))
        if trimmed and n_kept < len(self):
            [off], _ = interaction_energies(self.structures, labels - soft * self.base)
            kept = np.sort(np.argsort(np.abs(off), kind="stable")[:n_kept])
        structures = [self.structures[i] for i in kept]
        (x, y), _ = interaction_energies(structures, self.base[kept], labels[kept])
        total = np.linalg.norm(soft * x) + np.linalg.norm(y)
        return float(np.linalg.norm(soft * x - y) / total) if total else 0.0

    def free(self) -> int:
        """Return how many energies are left when references are fitted."""
        _, rank = interaction_energies(self.structures, self.base)
        return len(self) - rank

    def spread(self) -> float:
        """Return how much predictions vary beyond their composition, eV/atom."""
        [x], _ = interaction_energies(self.structures, self.base)
        return float(np.sqrt(np.mean(x**2)))

    def factor(self, mistake: Mistake) -> float:
        """Return the ratio of label to right label, typical of these structures."""
        right = self.right(mistake, np.ones(len(self), dtype=bool))
        return float(np.median(self.labels / right))

    def is_near(self, mistake: Mistake, limit: float = NEAR) -> bool:
        """Tell whether the ratio of label to right label is typically close to 1."""
        return 1 / limit < self.factor(mistake) < limit

    def line(self, labels: Values) -> tuple[float, float]:
        """Return slope and correlation of labels against predictions."""
        (x, y), _ = interaction_energies(self.structures, self.base, labels)
        size = float(np.linalg.norm(x) * np.linalg.norm(y))
        return float(x @ y / (x @ x)), float(x @ y) / size if size else 0.0


def check_energy_scale(compared: Compared, softness: float | None) -> Iterator[Finding]:
    """Find energies per atom, in another unit or of another sign, in all or a part.

    Parameters
    ----------
    compared
        Labels and predictions.
    softness
        Slope of the forces against the base where they correlate: a base that is
        too soft is so in energies too.
    """
    energies = _Energies(compared, softness)
    if not len(energies):
        return
    if energies.free() < MIN_FREE or energies.spread() < MIN_SPREAD:
        yield from _of_few(energies, compared, softness)
        return
    everything = np.ones(len(energies), dtype=bool)
    as_it_stands = energies.distance(energies.labels)
    found = _explained(energies, everything, as_it_stands)
    found = [one for one in found if not energies.is_near(one)]
    found = found or _near(energies, softness)
    closest = energies.distance(energies.right(found[0], everything)) if found else 1.0
    untrimmed = energies.distance(energies.labels, trimmed=False)
    part = _best_part(energies, untrimmed) if untrimmed > FITS else None
    if part is not None and part.distance < BETTER * closest:
        yield _finding(part.mistakes, energies, part.chosen, untrimmed, compared.base)
    elif found:
        yield _finding(found, energies, everything, as_it_stands, compared.base)
    elif as_it_stands > STRANGE and energies.free() >= MIN_STRANGE:
        yield _strange(energies, as_it_stands, compared.base)


def _explained(
    energies: _Energies, chosen: Bool[np.ndarray, " n"], as_it_stands: float
) -> list[Mistake]:
    """Return the mistakes that explain the labels, the best first."""
    distances = {
        mistake.name: energies.distance(
            energies.right(mistake, chosen),
            trimmed=bool(chosen.all()),
            soft=energies.softness,
        )
        for mistake in energies.mistakes
    }
    closest = min(distances.values())
    if closest >= FITS or closest >= BETTER * as_it_stands:
        return []
    ranked = sorted(energies.mistakes, key=lambda one: distances[one.name])
    return [
        one
        for one in ranked
        if distances[one.name] < min(FITS, closest + SOFT)
        and distances[one.name] < BETTER * as_it_stands
    ]


def _strange(energies: _Energies, distance: float, base: str) -> Finding:
    frames = places(energies.structures)
    slope, correlation = energies.line(energies.labels)
    return Finding(
        severity="warning",
        code="energies-disagree",
        message=f"The energies do not agree with {base}: distance {distance:.2f} (0 "
        "equal, 1 opposite or of another size; without reference "
        f"energies), slope {slope:.3g}, correlation {correlation:.3f}, in "
        f"{len(frames)} structures; no known unit explains it.",
        remedy="Check that each energy belongs to its structure and comes from a "
        "finished calculation.",
        frames=frames,
        number=distance,
    )


def _near(energies: _Energies, softness: float | None) -> list[Mistake]:
    """Return the mistake of a factor close to 1 that the slope shows.

    Where forces say how soft the base is, energies are as soft. Such are energies per
    atom in cells of two or three atoms, and in kcal/mol per atom in cells of 8.
    In cells of 23 those have the size of totals in eV, and no slope shows them.
    Energies that agree with the base as they stand are right, whatever forces say.
    """
    everything = np.ones(len(energies), dtype=bool)
    as_read, how_clear = energies.line(energies.labels)
    if how_clear > CORRELATED and abs(np.log(as_read)) < NEAR_FIT:
        return []
    fitting: dict[float, Mistake] = {}
    for mistake in filter(energies.is_near, energies.mistakes):
        is_alone = mistake.name == PER_ATOM_ALONE
        if softness is None and energies.is_near(mistake, NORMAL) and not is_alone:
            continue
        put_right, clearer = energies.line(energies.right(mistake, everything))
        if put_right <= 0 or clearer < max(CORRELATED, how_clear - 0.01):
            continue
        off, before = (
            abs(float(np.log(one / (softness or 1.0)))) if one > 0 else np.inf
            for one in (put_right, as_read)
        )
        if off < min(NEAR_FIT, BETTER * before):
            fitting[off] = mistake
    return [fitting[min(fitting)]] if fitting else []


def _of_few(
    energies: _Energies, compared: Compared, softness: float | None
) -> Iterator[Finding]:
    """Judge energies that are too few, or vary too little, to fit reference energies.

    Their totals may be those of the base in another unit. Else energies are compared
    with the work of the forces, which have no zero.
    """
    sizes = np.array([len(atoms) for atoms in energies.structures])

    def off(labels: Values) -> Values:
        return np.abs(labels - energies.base) / sizes

    as_it_stands = off(energies.labels)
    other = as_it_stands > SAME_ZERO
    if not other.any():
        return
    everything = np.ones(len(energies), dtype=bool)
    work = _work_ratio(energies, compared) if softness is not None else None
    if work is not None and 1 / NORMAL < work < NORMAL:
        return
    for mistake in energies.mistakes:
        if energies.is_near(mistake, NORMAL):
            continue
        closest = float(off(energies.right(mistake, other)).max())
        if closest < SAME_ZERO and as_it_stands[other].min() > OTHER_ZERO:
            yield _of_unit(
                energies,
                mistake,
                other,
                f"so read they are within {closest:.2g} eV/atom of {compared.base}, and"
                f" up to {as_it_stands.max():.3g} eV/atom away as they stand",
            )
            return
        ratio = (work or 0.0) / energies.factor(mistake)
        if ratio > 0 and abs(np.log(ratio)) < NEAR_FIT:
            yield _of_unit(
                energies,
                mistake,
                everything,
                f"their differences are {work:.3g} times the work of the forces along"
                f" the way, where the unit makes {energies.factor(mistake):.3g}",
            )
            return
    yield Finding(
        severity="note",
        code="energy-untested",
        message="Whether the energies are totals in eV cannot be told: of"
        f" {len(energies)} energies compared, {energies.free()} numbers are left when"
        f" reference energies are fitted, and those of {compared.base} vary by"
        f" {1000 * energies.spread():.2g} meV/atom (rms) beyond their composition.",
        remedy="Compare one value with the calculation's own output: the total, in eV;"
        " or give more structures of the same composition.",
        number=len(energies),
        unit="energies",
    )


def _of_unit(
    energies: _Energies, mistake: Mistake, chosen: Bool[np.ndarray, " n"], why: str
) -> Finding:
    frames = places(energies.structures[i] for i in np.flatnonzero(chosen))
    return Finding(
        severity="error",
        code="energy-scale",
        message=f"The energies look like {mistake.name} in {len(frames)} of"
        f" {len(energies)} structures compared: {why} ({named(frames)}).",
        remedy=without_options("energy", energies.structures) or mistake.remedy
        if chosen.all()
        else f"{CONVERT} {_conversion(mistake)}",
        frames=frames,
        number=energies.factor(mistake),
    )


def _work_ratio(energies: _Energies, compared: Compared) -> float | None:
    """Return differences of energies over minus the work of the forces, if they tell.

    The work is taken along the straight line between two frames of one cell, where
    the base's own energies and forces agree on it.
    """
    said = {
        id(atoms): one
        for atoms, one in zip(compared.structures, compared.predictions, strict=True)
    }
    ratios: list[float] = []
    last: dict[bytes, int] = {}
    for i, atoms in enumerate(energies.structures):
        j = last.get(atoms.numbers.tobytes())
        last[atoms.numbers.tobytes()] = i
        if j is None:
            continue
        other = energies.structures[j]
        forces, others = forces_of(atoms), forces_of(other)
        is_same = np.allclose(atoms.cell.array, other.cell.array, 0, SAME_CELL)
        if forces is None or others is None or not is_same:
            continue
        way, _ = find_mic(atoms.positions - other.positions, atoms.cell, atoms.pbc)  # pyright: ignore[reportArgumentType] - it takes three
        mean = (said[id(atoms)].forces + said[id(other)].forces) / 2
        work = -float(np.sum(mean * way))
        change = float(energies.base[i] - energies.base[j])
        is_large = abs(change) > MIN_SPREAD * len(atoms)
        labelled = -float(np.sum((forces + others) / 2 * way))
        is_alike = change * work > 0 and abs(np.log(change / work)) < TRAPEZOID
        if is_large and is_alike and labelled:
            ratios.append(float(energies.labels[i] - energies.labels[j]) / labelled)
    return float(np.median(ratios)) if ratios else None


class _Part(NamedTuple):
    """Structures whose labels are wrong beside the others."""

    distance: float
    mistakes: list[Mistake]
    chosen: Bool[np.ndarray, " n"]


def _best_part(energies: _Energies, as_it_stands: float) -> _Part | None:
    """Return the part of the set that a mistake explains best beside the others."""
    best: _Part | None = None
    for chosen in _parts(energies):
        found = _explained(energies, chosen, as_it_stands)
        if found:
            right = energies.right(found[0], chosen)
            distance = energies.distance(right, trimmed=False)
            if best is None or distance < best.distance:
                best = _Part(distance, found, chosen)
    return best


def _parts(energies: _Energies) -> Iterator[Bool[np.ndarray, " n"]]:
    """Yield parts of a set: frames of one file, head or kind, and sides of gaps."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, atoms in enumerate(energies.structures):
        groups["file", place_of(atoms).rpartition(", frame ")[0]].append(i)
        for key in ("head", "config_type"):
            groups[key, str(atoms.info.get(key))].append(i)
    n_atoms = np.array([len(atoms) for atoms in energies.structures])
    offsets = (energies.labels - energies.base) / n_atoms
    for low in _low_sides(offsets):
        groups["low", str(len(low))] = low
        groups["high", str(len(low))] = sorted(set(range(len(offsets))) - set(low))
    for members in groups.values():
        if 0 < len(members) < len(energies):
            chosen = np.zeros(len(energies), dtype=bool)
            chosen[members] = True
            yield chosen


def _low_sides(offsets: Values) -> Iterator[list[int]]:
    """Yield what lies below each wide gap."""
    order = np.argsort(offsets, kind="stable")
    gaps = np.diff(offsets[order])
    typical = float(np.median(gaps)) if len(gaps) else 0.0
    for i in np.argsort(-gaps)[:2]:
        if gaps[i] > GAP * max(typical, MIN_SPREAD):
            yield order[: i + 1].tolist()


def _finding(
    found: Sequence[Mistake],
    energies: _Energies,
    chosen: Bool[np.ndarray, " n"],
    as_it_stands: float,
    base: str,
) -> Finding:
    best, *rivals = found
    structures: list[Atoms] = [
        atoms
        for atoms, is_chosen in zip(energies.structures, chosen, strict=True)
        if is_chosen
    ]
    is_part = not chosen.all()
    closest = energies.distance(energies.right(best, chosen), trimmed=not is_part)
    others = f" (or {', or '.join(one.name for one in rivals)})" if rivals else ""
    frames = places(structures)
    where = (
        f"in {len(structures)} of {len(energies)} structures compared"
        if is_part
        else f"slope of labels against {base} {_slope(energies, best)}"
    )
    return Finding(
        severity="error",
        code="energy-scale",
        message=f"The energies look like {best.name}{others}: {where}; so read they are"
        f" {closest:.2f} away from {base}, and {as_it_stands:.2f} as they stand (0"
        f" equal, 1 opposite or of another size; without reference energies;"
        f" {named(frames)}).",
        remedy=f"{CONVERT} {_conversion(best)}"
        if is_part
        else without_options("energy", structures)
        or f"{best.remedy}{RIVALS if rivals else ''}",
        frames=frames,
        number=energies.line(energies.labels)[0],
    )


def _slope(energies: _Energies, mistake: Mistake) -> str:
    slope = f"{energies.line(energies.labels)[0]:.4g}"
    if mistake.factor is not None or len(set(map(len, energies.structures))) == 1:
        return f"{slope}, of the unit {energies.factor(mistake):.4g}"
    return slope


def _conversion(mistake: Mistake) -> str:
    if mistake.factor is None:
        return "Multiply their energies by the number of atoms (and by its unit)."
    return f"Divide their energies by {mistake.factor:.6g}."
