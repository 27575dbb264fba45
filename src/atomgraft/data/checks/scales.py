"""Checks of units, signs and orders of labels against the base model.

For each mistake that people make (`mistakes`), the label x is put right and its
distance from the base's y is d = |x - y| / (|x| + |y|): 0 where they are equal, 1 where
they are opposite or of another size. A mistake is reported where it brings the labels
close and the labels as they stand are far, in all structures or in a part of them.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.units import EV_PER_A3_IN_GPA
from atomgraft.data.canonical import LABEL_RIVALS, LABEL_UNITS
from atomgraft.data.checks.energy_scales import check_energy_scale
from atomgraft.data.checks.findings import Finding, named, place_of, places
from atomgraft.data.checks.mistakes import (
    FORCE_MISTAKES,
    NEAR,
    STRESS_MISTAKES,
    Mistake,
    length,
    unneeded_options,
    without_options,
)
from atomgraft.data.checks.predicted import Compared, Triple, compared_forces
from atomgraft.data.checks.regression import Regression, regressions
from atomgraft.data.checks.shears import check_shears, order_remedy
from atomgraft.data.labels import forces_of, stress_of

FITS = 0.3
"""Distance below which a mistake explains the labels."""

BETTER = 0.5
"""A mistake must be closer than this fraction of the distance as it stands."""

TIE = 1.25
"""Mistakes within this factor of the best are named beside it."""

SOFT = 0.1
"""Distance of two mistakes from each other that the softness of a base may hide: labels
that differ by a fifth. Such are rydberg/bohr and hartree/Å, meV/Å and kJ/mol/nm, and
GPa and a virial in cells of about 160 Å³. Both are named."""

RIVALS = "Check the output of the calculation to see which one it is."

CORRELATED = 0.9
"""Correlation from which the slope against a base says how soft the base is."""

NEAR_FIT = 0.12
"""Of the logarithm: a factor close to 1 must be met so well by the slope."""

MIN_PART = 2
"""Structures of a part whose labels are wrong by a factor close to 1."""

MIN_OTHERS, APART = 4, 3.0
"""Structures beside a few of another slope, and how much less their own slopes vary."""

SURE = 0.2
"""A mistake that brings a single structure so close is reported."""

FAR = 4.0
"""Factors beyond it cannot come from the base; closer ones are not judged by frame."""

STRONG = 0.02
"""eV/Å³ (3 GPa); below it the sign of the stress of one frame may be the base's error,
as its cell may be at rest at another volume."""

SAME_SIZE = 0.01
"""Relative: components that differ by less are of one size, smaller ones are zero."""

MIN_CENTRED = 4
"""Structures from which stresses are also compared without their means."""

MIN_SIZE = {"forces": 1e-3, "force responses": 1e-4, "stress": 1e-3}
"""eV/Å and eV/Å³ (0.16 GPa): a base value below it says nothing about a scale. In the
response to a displacement what is not converged drops out."""

CODES = {"forces": "forces", "force responses": "forces", "stress": "stress"}
"""What findings are filed under."""

Distances = Float[np.ndarray, " structures"]


def check_scales(compared: Compared) -> Iterator[Finding]:
    """Find energies, forces and stresses of another unit, sign or order.

    Parameters
    ----------
    compared
        Labels and predictions.
    """
    lines = {line.quantity: line for line in regressions(compared)}
    yield from check_energy_scale(compared, _slope_of(lines.get("forces")))
    softness = _slope_of(lines.get("energy"))
    forces = compared_forces(compared)
    for quantity, triples in (
        ("forces", forces.plain),
        ("force responses", forces.responses),
    ):
        yield from _Trial(
            quantity, triples, FORCE_MISTAKES, compared.base, softness
        ).findings()
    pairs = zip(compared.structures, compared.predictions, strict=True)
    stresses = [
        (atoms, label, prediction.stress)
        for atoms, prediction in pairs
        if (label := stress_of(atoms)) is not None and atoms.cell.rank == 3
    ]
    trial = _Trial("stress", stresses, STRESS_MISTAKES, compared.base)
    found = list(trial.findings())
    yield from found
    if not any(one.severity == "error" for one in found):
        yield from check_shears(stresses, compared.base)
    yield from _check_rivals(compared)


def _slope_of(line: Regression | None) -> float | None:
    """Return a slope that says something, else none."""
    if line is None or line.slope is None or line.n_free < MIN_CENTRED:
        return None
    return line.slope if (line.correlation or 0.0) > CORRELATED else None


class _Trial:
    """Labels of one quantity, and how close each mistake brings them to the base.

    A base that is soft in energies (`softness`: the slope of their labels against it)
    is so in forces.
    """

    def __init__(
        self,
        quantity: str,
        triples: Sequence[Triple],
        mistakes: Sequence[Mistake],
        base: str,
        softness: float | None = None,
    ) -> None:
        sizes = [float(np.sqrt(np.mean(said**2))) for _, _, said in triples]
        is_telling = [
            size >= MIN_SIZE[quantity] and bool(np.any(triple[1]))
            for size, triple in zip(sizes, triples, strict=True)
        ]
        labelled = [atoms for atoms, _, _ in triples]
        mistakes = (*mistakes, *unneeded_options(CODES[quantity], labelled))
        self.quantity, self.base, self.mistakes = quantity, base, mistakes
        self.triples = [
            one for one, is_in in zip(triples, is_telling, strict=True) if is_in
        ]
        self.sizes = np.array(
            [size for size, is_in in zip(sizes, is_telling, strict=True) if is_in]
        )
        self.n_labelled = sum(bool(np.any(label)) for _, label, _ in triples)
        self.largest = max(sizes, default=0.0)
        self.softness = softness
        is_soft = softness is not None and 1 / NEAR < softness < NEAR
        soft = softness if softness is not None and is_soft else 1.0
        self.as_it_stands = self._far(None)
        self.distances = {one.name: self._far(one, soft) for one in mistakes}

    def _far(self, mistake: Mistake | None, soft: float = 1.0) -> Distances:
        """Return how far labels that are put right are from the base times a number."""
        found = np.ones(len(self.triples))
        for i, (atoms, label, said) in enumerate(self.triples):
            if mistake is None:
                found[i] = _distance(label, said)
            elif (right := mistake.put_right(atoms, label)) is not None:
                found[i] = _distance(right, soft * said)
        return found

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong with the labels."""
        if not self.triples:
            if self.n_labelled and self.quantity == "stress":
                yield self._untested()
            return
        if self.quantity != "stress" and self._has_one_size():
            if float(np.median(self.as_it_stands)) > 2 * FITS:
                yield self._of_one_size()
            return
        strong = self.sizes >= np.median(self.sizes)  # there the sign is sure
        best = self._best(strong)
        if best is None or not self._is_plausible(best):
            best = self._near()
        if best is not None:
            yield self._finding(best, ~self._fit_as_they_stand(best))
            return
        parts = list(self._wrong_in_parts())
        yield from parts
        far = float(np.median(self.as_it_stands[strong]))
        if not parts and far > 2 * FITS:
            yield self._untested() if self._is_of_base() else self._strange(strong, far)

    def _has_one_size(self) -> bool:
        """Tell whether there is one structure, with forces of one size but for signs.

        One number is as far from the base as its error; no unit follows from it.
        """
        if len(self.triples) > 1:
            return False
        sizes = np.concatenate([np.abs(label).ravel() for _, label, _ in self.triples])
        shares = sizes / sizes.max()
        return bool(((shares < SAME_SIZE) | (shares > 1 - SAME_SIZE)).all())

    def _fit_as_they_stand(self, mistake: Mistake) -> np.ndarray:
        """Tell which structures stand in a file that is right, beside wrong ones."""
        files = np.array(
            [place_of(atoms).rpartition(", frame ")[0] for atoms, _, _ in self.triples]
        )
        right = np.zeros(len(files), dtype=bool)
        for file in np.unique(files):
            its = files == file
            now = float(np.median(self.as_it_stands[its]))
            then = float(np.median(self.distances[mistake.name][its]))
            right[its] = now < min(FITS, BETTER * then)
        return right & ~right.all()

    def _is_of_base(self) -> bool:
        """Tell whether a distance of stresses may come from the base's own zero."""
        labels = [float(np.sqrt(np.mean(label**2))) for _, label, _ in self.triples]
        is_small = float(np.median(labels)) < STRONG
        return self.quantity == "stress" and self._is_weak() and is_small

    def _is_weak(self) -> bool:
        """Tell whether stresses are so small that the base's own zero decides."""
        return float(np.median(self.sizes)) < STRONG

    def _best(self, strong: np.ndarray) -> Mistake | None:
        """Return the mistake that explains the labels, a simple one if it can."""
        medians = {
            name: float(np.median(one[strong])) for name, one in self.distances.items()
        }
        far = float(np.median(self.as_it_stands[strong]))
        best = None
        for has_order in (False, True):
            tried = [one for one in self.mistakes if one.has_order == has_order]
            if not tried:
                continue
            found = self._plainest(tried, medians)
            limit = far if best is None else medians[best.name]
            is_sure = (
                not has_order or strong.sum() > 1 or medians[found.name] < SURE / 2
            )
            if medians[found.name] < min(FITS, BETTER * limit) and is_sure:
                best = found
        return best

    def _plainest(
        self, tried: Sequence[Mistake], medians: Mapping[str, float]
    ) -> Mistake:
        """Return the closest mistake; a unit before a virial that looks the same."""
        closest = min(tried, key=lambda one: medians[one.name])
        alike = [
            one
            for one in tried
            if one.factor is not None
            and medians[one.name] < FITS
            and self._are_alike(one, closest)
        ]
        if closest.factor is not None or not alike:
            return closest
        return min(alike, key=lambda one: medians[one.name])

    def _are_alike(self, one: Mistake, other: Mistake) -> bool:
        """Tell whether the base is too soft to tell two mistakes apart."""
        apart = [
            _distance(one.right(label, atoms), other.right(label, atoms))
            for atoms, label, _ in self.triples
        ]
        return float(np.median(apart)) < SOFT

    def _is_plausible(self, mistake: Mistake) -> bool:
        """Tell whether a mistake is more than an error of the base."""
        if self.quantity == "stress":
            return self._holds_without_means(mistake)
        return not mistake.is_near  # those are judged by slope

    def _near(self) -> Mistake | None:
        """Return the mistake of a factor close to 1 that the slope shows.

        Where energies say how soft the base is, forces are as soft; else the slope
        itself must be that of the mistake.
        """
        near = [one for one in self.mistakes if one.is_near and not one.has_order]
        slopes = self._slopes()
        is_clear = float(np.median(self._correlations())) > CORRELATED
        if not near or not is_clear or (slopes <= 0).any():
            return None
        logs = np.log(slopes)
        if float(np.median(np.abs(logs - np.median(logs)))) > NEAR_FIT:
            return None
        slope = float(np.log(np.median(slopes) / (self.softness or 1.0)))
        best = min(near, key=lambda one: abs(slope - np.log(one.factor or 1.0)))
        off = abs(slope - float(np.log(best.factor or 1.0)))
        is_met = off < NEAR_FIT and off < BETTER * abs(slope)
        return best if is_met else None

    def _correlations(self) -> Distances:
        """Return the cosine of labels and predictions of each structure."""
        return np.array(
            [
                float(np.sum(x * y) / (np.linalg.norm(x) * np.linalg.norm(y)))
                for _, x, y in self.triples
            ]
        )

    def _slopes(self) -> Distances:
        """Return the slope of the labels of each structure against the base."""
        return np.array(
            [float(np.sum(x * y) / np.sum(y * y)) for _, x, y in self.triples]
        )

    def _holds_without_means(self, mistake: Mistake) -> bool:
        """Tell whether a mistake explains also how stresses vary.

        The base's cell may be at rest at another volume, which shifts all stresses.
        """
        factor = mistake.factor
        if factor is None or abs(np.log(abs(factor))) > np.log(FAR):
            return True
        if len(self.triples) < MIN_CENTRED:
            return not self._is_weak()
        label = np.stack([one for _, one, _ in self.triples])
        said = np.stack([one for _, _, one in self.triples])
        right = np.stack([mistake.right(one, atoms) for atoms, one, _ in self.triples])
        as_read, put_right = (
            _distance(one - one.mean(axis=0), said - said.mean(axis=0))
            for one in (label, right)
        )
        limit = min(FITS, BETTER * as_read) if self._is_weak() else as_read
        return put_right < limit

    def _wrong_in_parts(self) -> Iterator[Finding]:
        """Yield parts of a set that are wrong in one way, the others being right."""
        right = self.as_it_stands < FITS
        if 2 * right.sum() > len(right):  # the others say how soft the base is
            soft = float(np.median(self._slopes()[right]))
            self.distances = {one.name: self._far(one, soft) for one in self.mistakes}
        close = {
            one.name: self._close(one) for one in self.mistakes if not one.has_order
        }
        left = np.ones(len(self.triples), dtype=bool)
        groups: dict[str, np.ndarray] = {}
        while close and (
            most := max(int((one & left).sum()) for one in close.values())
        ):
            names = [name for name, one in close.items() if (one & left).sum() == most]
            best = min(
                names, key=lambda one: float(np.median(self.distances[one][close[one]]))
            )
            groups[best] = close[best] & left
            left &= ~close[best]
        groups |= self._of_two_scales(left)
        right = ~np.any([*groups.values(), ~left], axis=0)
        if not self._are_right(right):
            return
        for name, chosen in groups.items():
            if chosen.sum() > 1 or float(self.distances[name][chosen][0]) < SURE:
                [mistake] = [one for one in self.mistakes if one.name == name]
                yield self._finding(mistake, chosen)

    def _close(self, mistake: Mistake) -> np.ndarray:
        """Return which structures a mistake explains by itself."""
        distances = self.distances[mistake.name]
        is_close = distances < np.minimum(FITS, BETTER * self.as_it_stands)
        is_sure = [self._is_sure(mistake, i) for i in range(len(self.triples))]
        return is_close & np.array(is_sure, dtype=bool)

    def _are_right(self, others: np.ndarray) -> bool:
        """Tell whether the base is good enough to say that others are right."""
        return bool(others.any()) and float(np.median(self.as_it_stands[others])) < FITS

    def _is_sure(self, mistake: Mistake, i: int) -> bool:
        """Tell whether one structure says enough about a mistake."""
        if mistake.is_near:
            return False
        if self.quantity != "stress":
            return True
        factor = mistake.factor
        is_far = factor is None or max(abs(factor), 1 / abs(factor)) > FAR
        return is_far or bool(self.sizes[i] > STRONG)

    def _of_two_scales(self, left: np.ndarray) -> dict[str, np.ndarray]:
        """Return structures whose slopes differ from the others' by a near factor.

        Parameters
        ----------
        left
            Those that no other factor explains.
        """
        slopes = self._slopes()[left]
        near = [one for one in self.mistakes if one.is_near and not one.has_order]
        if len(slopes) < 2 * MIN_PART or (slopes <= 0).any() or not near:
            return {}
        logs = np.log(slopes)
        if alone := self._of_other_slope(logs, near, left):
            return alone
        order = np.argsort(logs)
        i = int(np.argmax(np.diff(logs[order])))
        is_low = np.zeros(len(logs), dtype=bool)
        is_low[order[: i + 1]] = True
        for mistake in near:
            assert mistake.factor is not None  # near ones have a factor
            wrong = is_low if mistake.factor < 1 else ~is_low
            apart = float(np.median(logs[wrong]) - np.median(logs[~wrong]))
            spread = max(float(np.ptp(logs[is_low])), float(np.ptp(logs[~is_low])))
            wanted = float(np.log(mistake.factor))
            is_met = abs(apart - wanted) < NEAR_FIT and spread < BETTER * abs(wanted)
            if is_met and min(is_low.sum(), (~is_low).sum()) >= MIN_PART:
                return {mistake.name: _within(left, wrong)}
        return {}

    def _of_other_slope(
        self, logs: Distances, near: Sequence[Mistake], left: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Return the few structures whose slope is that of the others times a factor.

        The slopes of the others must vary far less than the factor.
        """
        off = logs - np.median(logs)
        for mistake in near:
            wanted = float(np.log(mistake.factor or 1.0))
            chosen = np.abs(off - wanted) < NEAR_FIT
            is_clear = self._correlations()[left][chosen] > CORRELATED
            others = np.abs(off[~chosen])
            is_apart = len(others) > MIN_OTHERS and others.max() < abs(wanted) / APART
            if chosen.any() and is_clear.all() and is_apart:
                return {mistake.name: _within(left, chosen)}
        return {}

    def _finding(self, best: Mistake, chosen: np.ndarray) -> Finding:
        distances = {
            one.name: float(np.median(self.distances[one.name][chosen]))
            for one in self.mistakes
        }
        closest = distances[best.name]
        to_base = float(np.median(self._far(best)[chosen]))
        rivals = [
            one.name
            for one in self.mistakes
            if one.has_order == best.has_order
            and one.name != best.name
            and distances[one.name]
            < (FITS if self._are_alike(one, best) else TIE * closest)
        ]
        frames = places(self.triples[i][0] for i in np.flatnonzero(chosen))
        far = float(np.median(self.as_it_stands[chosen]))
        slope = float(np.median(self._slopes()[chosen]))
        n_all = len(self.triples)
        is_part = len(frames) < n_all
        quantity = CODES[self.quantity]
        structures = [atoms for atoms, _, _ in self.triples]
        remedy = best.remedy
        if best.has_order:
            remedy = order_remedy(self.triples, remedy)
        if rivals:
            remedy = f"{remedy.rstrip('.')}. {RIVALS}"
        if not (best.is_order_alone and all(map(_keeps_order, structures))):
            remedy = without_options(quantity, structures) or remedy
        return Finding(
            severity="error",
            code=f"{quantity}-scale",
            message=f"The {self.quantity} labels look like {best.name}"
            + (f" (or {', or '.join(rivals)})" if rivals else "")
            + f" in {len(frames)} of {n_all} structures compared ({named(frames)}):"
            f" put right they are {to_base:.2f} away from {self.base}, and {far:.2f} as"
            " they stand (0 equal, 1 opposite or of another size; slope of labels"
            f" against base {slope:.3g}).",
            remedy="If only these frames are wrong, convert them: an option holds for"
            f" all files. Otherwise: {remedy}"
            if is_part
            else remedy,
            frames=frames,
            number=slope,
        )

    def _untested(self) -> Finding:
        gpa = f"{EV_PER_A3_IN_GPA * self.largest:.2g}"
        return Finding(
            severity="note",
            code="stress-untested",
            message=f"The stress that {self.base} predicts for {self.n_labelled}"
            f" structures with a stress label is at most {gpa} GPa (root mean square"
            " of six components), too little to tell the sign of the labels.",
            remedy="Compare one value with the calculation's own output: eV/Å³, tension"
            " positive.",
            number=self.n_labelled,
            unit="structures",
        )

    def _of_one_size(self) -> Finding:
        return Finding(
            severity="note",
            code="forces-untested",
            message="The forces of the only structure with forces do not agree with"
            f" {self.base}, but symmetry makes all components of one size: their unit"
            " cannot be told.",
            remedy="Compare one value with the calculation's own output, in eV/Å.",
            number=1,
            unit="structure",
        )

    def _strange(self, strong: np.ndarray, far: float) -> Finding:
        structures = [atoms for atoms, _, _ in self.triples]
        frames = places(structures[i] for i in np.flatnonzero(strong))
        slope = float(np.median(self._slopes()[strong]))
        return Finding(
            severity="warning",
            code=f"{CODES[self.quantity]}-disagrees",
            message=f"The {self.quantity} labels do not agree with {self.base}: "
            f"median distance {far:.2f} (0 equal, 1 opposite or of another "
            f"size), slope of labels against base {slope:.3g}, in "
            f"{len(frames)} structures ({named(frames)}); no known unit, "
            "sign or order explains it.",
            remedy=without_options(CODES[self.quantity], structures)
            or "Compare the labels with the output of the calculation; check the "
            "order of atoms, the orientation of the cell and the level of "
            "theory.",
            frames=frames,
            number=far,
        )


def _keeps_order(atoms: Atoms) -> bool:
    """Tell whether the components were read as they stand in the file."""
    return "--stress-order" not in atoms.info.get(LABEL_UNITS, {})


def _within(some: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return which of all are chosen, where a choice was made among some."""
    found = some.copy()
    found[some] = chosen
    return found


def _distance(x: np.ndarray, y: np.ndarray) -> float:
    total = length(x) + length(y)
    return length(x - y) / total if total else 0.0


def _check_rivals(compared: Compared) -> Iterator[Finding]:
    """Find frames with two labels of which the one that was not read fits."""
    found: dict[tuple[str, str], list[tuple[Triple, np.ndarray]]] = defaultdict(list)
    for atoms, said in zip(compared.structures, compared.predictions, strict=True):
        for quantity, rivals in atoms.info.get(LABEL_RIVALS, {}).items():
            label = {"forces": forces_of, "stress": stress_of}.get(quantity)
            for key, rival in rivals.items():
                if label is not None and (read := label(atoms)) is not None:
                    base = said.forces if quantity == "forces" else said.stress
                    found[quantity, key].append(((atoms, read, base), rival))
    for (quantity, key), pairs in found.items():
        read = np.median([_distance(label, base) for (_, label, base), _ in pairs])
        other = np.median([_distance(rival, base) for (_, _, base), rival in pairs])
        if other < min(FITS, BETTER * read):
            frames = places(atoms for (atoms, _, _), _ in pairs)
            yield Finding(
                severity="warning",
                code="other-label-fits",
                message=f"Of two labels for the {quantity}, {key}, which was not read,"
                f" is {other:.2f} away from {compared.base}, and the one that was read"
                f" {read:.2f} (0 equal, 1 opposite or of another size;"
                f" {named(frames)}).",
                remedy=f"Read it with --{quantity}-key {key}",
                frames=frames,
                number=float(other),
            )
