"""Elements that start from others: donors found, scales fitted, weights copied."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols, covalent_radii
from scipy.optimize import minimize_scalar

from atomgraft.adaptation.axes import AUTO, FIT, ElementMap
from atomgraft.core.errors import BadInputError
from atomgraft.data.labels import forces_of
from atomgraft.models.base import AbstractPotential
from atomgraft.models.elements import with_donors
from atomgraft.models.prediction import predict_structures

LENGTHS = np.linspace(0.8, 1.25, 10)
"""Where a length scale is looked for, before the best of them is refined."""

WITHIN = (LENGTHS[0] + 0.01, LENGTHS[-1] - 0.01)
"""Between these ends a fitted length scale counts as found."""

DIGITS = 4
"""Decimals of a fitted scale: machines that round differently find the same."""

LEAST_FORCE = 1e-2
"""eV/Å; smaller forces are those of a crystal at its sites, up to convergence."""

MOST_FRAMES = 50
"""Structures to which scales are fitted, evenly spread where there are more."""

ELECTRONEGATIVITY = {
    "H": 2.20, "Li": 0.98, "Be": 1.57, "B": 2.04, "C": 2.55, "N": 3.04, "O": 3.44,
    "F": 3.98, "Na": 0.93, "Mg": 1.31, "Al": 1.61, "Si": 1.90, "P": 2.19, "S": 2.58,
    "Cl": 3.16, "K": 0.82, "Ca": 1.00, "Sc": 1.36, "Ti": 1.54, "V": 1.63, "Cr": 1.66,
    "Mn": 1.55, "Fe": 1.83, "Co": 1.88, "Ni": 1.91, "Cu": 1.90, "Zn": 1.65,
    "Ga": 1.81, "Ge": 2.01, "As": 2.18, "Se": 2.55, "Br": 2.96, "Rb": 0.82,
    "Sr": 0.95, "Y": 1.22, "Zr": 1.33, "Nb": 1.6, "Mo": 2.16, "Tc": 1.9, "Ru": 2.2,
    "Rh": 2.28, "Pd": 2.20, "Ag": 1.93, "Cd": 1.69, "In": 1.78, "Sn": 1.96,
    "Sb": 2.05, "Te": 2.1, "I": 2.66, "Cs": 0.79, "Ba": 0.89, "La": 1.10, "Hf": 1.3,
    "Ta": 1.5, "W": 2.36, "Re": 1.9, "Os": 2.2, "Ir": 2.20, "Pt": 2.28, "Au": 2.54,
    "Hg": 2.00, "Tl": 1.62, "Pb": 2.33, "Bi": 2.02,
}  # fmt: skip
"""Pauling's scale, as tabulated by A. L. Allred, J. Inorg. Nucl. Chem. 17, 215
(1961)."""

RADIUS_STEP, NEGATIVITY_STEP = 0.1, 0.2
"""Relative difference of radii, and difference of electronegativities, that count the
same between elements equally many groups away."""

MAIN_GROUPS = (1, 2, *range(13, 19))
"""Without transition metals."""

FAR = 18
"""Groups from hydrogen to all others: it is no alkali metal."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AppliedMap:
    """An element map with everything decided.

    Parameters
    ----------
    donors
        Chemical symbol of the donor, by that of the element.
    length, energy
        Scales; 1 leaves them.
    notes
        Why a donor was taken, and what was fitted, in words.
    """

    donors: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    length: float = 1.0
    energy: float = 1.0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no run has decided: a damaged file."""
        symbols = {*self.donors, *self.donors.values()}
        are_known = all(atomic_numbers.get(one, 0) > 0 for one in symbols)
        if not (are_known and 0.5 <= self.length <= 2 and 0.1 <= self.energy <= 10):
            raise ValueError(
                f"an element map of {dict(self.donors)}, length {self.length:g}, energy"
                f" {self.energy:g} is none"
            )

    def apply(self, potential: AbstractPotential) -> AbstractPotential:
        """Return the potential that an adaptation starts from.

        Parameters
        ----------
        potential
            Not changed.

        Raises
        ------
        BadInputError
            The adapter cannot add an element, or not scale lengths.
        """
        mapped = potential
        if self.donors:
            numbers = {
                atomic_numbers[element]: atomic_numbers[donor]
                for element, donor in self.donors.items()
            }
            mapped = with_donors(mapped, numbers)
        if (self.length, self.energy) != (1.0, 1.0):
            mapped = mapped.rescaled(length=self.length, energy=self.energy)
        mapped.card = dataclasses.replace(mapped.card, is_mapped=True)
        return mapped

    def document(self) -> dict[str, Any]:
        """Return the map as it is kept in files."""
        return dataclasses.asdict(self)


def decide_map(
    wanted: ElementMap,
    base: AbstractPotential,
    structures: Sequence[Atoms],
    others: Sequence[Atoms] = (),
) -> AppliedMap:
    """Find the donors and the scales that a map leaves open.

    Parameters
    ----------
    wanted
        As it was asked for.
    base
        The model whose elements are donors.
    structures
        With labels, for scales that are fitted.
    others
        Further structures to train on.

    Raises
    ------
    BadInputError
        The base lacks a donor, or there are no forces to fit to.
    """
    donors, notes = _donors(wanted, base)
    if base.element_constants and donors:
        notes.append(
            f"{', '.join(donors)} keeps its own {' and '.join(base.element_constants)}."
        )
    present = {
        int(number) for atoms in (*structures, *others) for number in atoms.numbers
    }
    absent = [one for one in donors if atomic_numbers[one] not in present]
    if absent:
        notes.append(
            f"{', '.join(absent)} is mapped, but in no training structure: it keeps "
            "the weights of the donor, except those that all elements share."
        )
    length, energy = wanted.length, wanted.energy
    if FIT in {length, energy}:
        mapped = AppliedMap(donors=donors).apply(base)
        length, energy = fitted_scales(mapped, structures, length=length, energy=energy)
        notes.append(
            f"Fitted to forces: length scale {length:g}, energy scale {energy:g}."
        )
        if wanted.length == FIT and not WITHIN[0] < length < WITHIN[1]:
            notes.append(
                f"The length scale is at the end of the range that was searched,"
                f" {LENGTHS[0]:g} to {LENGTHS[-1]:g}: the forces do not determine it."
                " Give the ratio of lattice constants, such as --map Si:Ge@1.04."
            )
    elif (length, energy) != (1.0, 1.0):
        notes.append(
            f"Lengths are multiplied by {length:g}, interaction energies by {energy:g}."
        )
    if (length, energy) != (1.0, 1.0):
        notes.append(
            "The scales hold for all elements of the base, so predictions for other"
            " materials change as well. Forgetting is measured from the base before the"
            " map."
        )
    return AppliedMap(
        donors=donors, length=float(length), energy=float(energy), notes=tuple(notes)
    )


def _donors(
    wanted: ElementMap, base: AbstractPotential
) -> tuple[dict[str, str], list[str]]:
    """Return the donor of each element, with a note on each."""
    notes: list[str] = []
    donors: dict[str, str] = {}
    for element, donor in wanted.elements.items():
        if donor == AUTO:
            trained = base.elements - base.card.untrained
            donor, reason = most_similar(element, trained, wanted.elements)
            notes.append(reason)
        elif atomic_numbers[donor] in base.card.untrained:
            raise BadInputError(
                f"The map takes {element} from {donor}, on which {base.card.name} was"
                " never trained: its weights there are random.",
                "A donor must be an element that the base was trained on.",
                f"Choose another, or let it be found: --map auto:{element}",
            )
        elif atomic_numbers[donor] not in base.elements:
            raise BadInputError(
                f"The map takes {element} from {donor}, which {base.card.name} does "
                "not support.",
                "A donor must be an element of the base.",
                f"Choose another, or use --map auto:{element}",
            )
        else:
            notes.append(f"{element} takes the weights of {donor}.")
        donors[element] = donor
    return donors, notes


def most_similar(
    element: str, known: frozenset[int], others: Mapping[str, str]
) -> tuple[str, str]:
    """Return the donor that chemistry suggests, and why.

    Parameters
    ----------
    element
        Chemical symbol.
    known
        Atomic numbers of the base.
    others
        Elements that are mapped themselves, and cannot be donors.

    Raises
    ------
    BadInputError
        No element of the base can be compared with it.

    Examples
    --------
    >>> most_similar("Ge", frozenset({6, 14, 31, 33}), {})[0]
    'Si'
    """
    symbols = [chemical_symbols[number] for number in sorted(known)]
    candidates = [
        one
        for one in symbols
        if one not in others and one != element and one in ELECTRONEGATIVITY
    ]
    if not candidates or element not in ELECTRONEGATIVITY:
        raise BadInputError(
            f"No donor for {element} can be found among {', '.join(symbols)}.",
            "Group, radius and electronegativity of both must be known.",
            f"Name one: --map DONOR:{element}",
        )
    donor = min(candidates, key=lambda one: _distance(element, one))
    group = group_of(donor)
    is_same = _groups_between(element, donor) == 0
    return donor, (
        f"{element} takes the weights of {donor}: "
        + (f"the same group ({group})" if is_same else f"group {group}")
        + f", covalent radius {_radius(donor):.2f} and {_radius(element):.2f} Å, "
        f"electronegativity {ELECTRONEGATIVITY[donor]:g} and "
        f"{ELECTRONEGATIVITY[element]:g}."
    )


def _distance(one: str, other: str) -> tuple[int, float]:
    """Return by how many groups elements differ, and then by how much else.

    Elements of one group react alike, whatever their radius; that comes first.
    """
    radii = abs(np.log(_radius(one) / _radius(other))) / RADIUS_STEP
    apart = abs(ELECTRONEGATIVITY[one] - ELECTRONEGATIVITY[other])
    return _groups_between(one, other), float(radii + apart / NEGATIVITY_STEP)


def _groups_between(one: str, other: str) -> int:
    """Return the difference of groups, of main groups without transition metals."""
    if "H" in {one, other}:
        return FAR
    groups = (group_of(one), group_of(other))
    if set(groups) <= set(MAIN_GROUPS):
        first, second = map(MAIN_GROUPS.index, groups)
        return abs(first - second)
    return abs(groups[0] - groups[1])


def _radius(symbol: str) -> float:
    return float(covalent_radii[atomic_numbers[symbol]])


def group_of(symbol: str) -> int:
    """Return the group of the periodic table, 1 to 18; lanthanides and actinides are 3.

    Examples
    --------
    >>> [group_of(one) for one in ("H", "He", "C", "Ge", "Fe", "La", "Gd", "Pb")]
    [1, 18, 14, 14, 8, 3, 3, 14]
    """
    number = atomic_numbers[symbol]
    if number == 1:
        return 1
    for start, end in ((2, 10), (10, 18), (18, 36), (36, 54), (54, 86), (86, 118)):
        if start < number <= end:
            place, length = number - start, end - start
            break
    else:
        return 18  # helium
    if length == 8:
        return place if place <= 2 else place + 10
    if length == 32 and place > 2:
        return 3 if place <= 17 else place - 14
    return place


def fitted_scales(
    base: AbstractPotential,
    structures: Sequence[Atoms],
    *,
    length: float | str,
    energy: float | str,
) -> tuple[float, float]:
    """Return length and energy scale that bring forces closest to the labels.

    Forces of the scaled model are energy / length · F₀(x / length). For each length the
    energy follows from linear least squares.

    Parameters
    ----------
    base
        It knows all elements of the structures.
    structures
        With forces.
    length, energy
        A number stays, ``fit`` is found.

    Raises
    ------
    BadInputError
        No structure has forces, or all forces are zero.
    """
    known = [
        (atoms, forces)
        for atoms in structures
        if (forces := forces_of(atoms)) is not None
    ]
    if not known:
        raise BadInputError(
            "A scale is to be fitted, but no training structure has forces.",
            "Scales are fitted to forces.",
            "Give a number, such as the ratio of lattice constants.",
        )
    spread = np.linspace(0, len(known) - 1, min(len(known), MOST_FRAMES)).round()
    chosen = [known[int(i)] for i in spread]
    labels = np.concatenate([forces.ravel() for _, forces in chosen])
    if np.abs(labels).max() < LEAST_FORCE:
        raise BadInputError(
            "A scale is to be fitted, but the forces of all training structures are "
            f"zero (the largest component is {np.abs(labels).max():.2g} eV/Å).",
            "Scales are fitted to forces of atoms that are displaced from their sites.",
            "Add such a structure, or give the ratio of lattice constants: --map"
            " Si:Ge@1.04",
        )

    def at(trial: float) -> tuple[float, float]:
        """Return the mean squared error at a length, and the energy scale."""
        told = predict_structures(base, [_shrunk(atoms, trial) for atoms, _ in chosen])
        forces = np.concatenate([one.forces.ravel() for one in told]) / trial
        square = float(forces @ forces)
        best = float(labels @ forces) / square if square else 1.0
        factor = best if energy == FIT else float(energy)
        return float(((labels - factor * forces) ** 2).mean()), factor

    if length == FIT:
        errors = [at(one)[0] for one in LENGTHS]
        middle = int(np.argmin(errors))
        step = LENGTHS[1] - LENGTHS[0]
        found = minimize_scalar(
            lambda one: at(one)[0],
            bounds=(
                max(LENGTHS[middle] - step, LENGTHS[0]),
                min(LENGTHS[middle] + step, LENGTHS[-1]),
            ),
            method="bounded",
            options={"xatol": 0.1 ** (DIGITS + 1)},
        )
        scale = round(float(found.x), DIGITS)
    else:
        scale = float(length)
    factor = round(at(scale)[1], DIGITS)
    if energy == FIT and not 0.1 <= factor <= 10:
        raise BadInputError(
            f"The forces fit best with an energy scale of {factor:g} (length scale"
            f" {scale:g}).",
            "A scale between 0.1 and 10 is needed: the base's forces must point the way"
            " of the labels, and be of their size.",
            "Check the units of the labels, choose another donor, or give the scale.",
        )
    return scale, factor


def _shrunk(atoms: Atoms, length: float) -> Atoms:
    cell = atoms.cell.array / length
    return Atoms(atoms.numbers, atoms.positions / length, cell=cell, pbc=atoms.pbc)
