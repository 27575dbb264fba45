"""Known mistakes in units, signs and orders of labels, with their remedies."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.data.canonical import LABEL_KEYS, LABEL_UNITS
from atomgraft.data.label_keys import (
    ENERGY_UNITS,
    FORCES_UNITS,
    PER_ATOM,
    STRESS_ORDERS,
    STRESS_UNITS,
    VIRIAL_KEYS,
    VOIGT,
)

Values = Float[np.ndarray, "..."]

NEAR = 3.0
"""A factor closer to 1 than this may be the softness of a base model."""

SAME = 0.1
"""Of a label: what would change it by less is no mistake; a volume in Å³ may be close
to the number of GPa in an eV/Å³."""

CONVERTED = ("GPa", "kbar", "bar")
"""Units of a stress that people convert twice."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mistake:
    """A known way in which labels are wrong.

    Parameters
    ----------
    name
        What the labels then are, in words.
    right
        Label and structure to the right label, as the file is read now.
    remedy
        What to do about it.
    factor
        Ratio of label to right label where it is one number; none otherwise.
    has_order
        Components stand in another order as well.
    is_order_alone
        The order is all that is wrong.
    of_virial
        It can happen to labels of a virial's name alone (true), to others alone
        (false), or to both (none).
    """

    name: str
    right: Callable[[Values, Atoms], Values]
    remedy: str
    factor: float | None = None
    has_order: bool = False
    is_order_alone: bool = False
    of_virial: bool | None = None

    def put_right(self, atoms: Atoms, label: Values) -> Values | None:
        """Return the right label where the mistake can have happened, and changes it.

        Parameters
        ----------
        atoms
            Knows the key that the label was read from.
        label
            As it was read.
        """
        key = atoms.info.get(LABEL_KEYS, {}).get("stress")
        if self.of_virial is not None and (key in VIRIAL_KEYS) != self.of_virial:
            return None
        right = self.right(label, atoms)
        return right if length(right - label) > SAME * length(label) else None

    @property
    def is_near(self) -> bool:
        """Whether the factor is so close to 1 that a soft base may have it too."""
        return self.factor is not None and 1 / NEAR < self.factor < NEAR


def length(values: Values) -> float:
    """Return the root of the sum of squares, faster than numpy for few numbers.

    Examples
    --------
    >>> length(np.array([[3.0], [4.0]]))
    5.0
    """
    return math.sqrt(np.vdot(values, values))


def typed(option: str, unit: str) -> str:
    """Return an option as it is typed; a value with a minus sign needs ``=``.

    Examples
    --------
    >>> typed("--stress-unit", "-kbar")
    '--stress-unit=-kbar'
    """
    return f"{option}={unit}" if unit.startswith("-") else f"{option} {unit}"


_SCALES = {
    "energy": ("--energy-unit", "eV", ENERGY_UNITS),
    "forces": ("--forces-unit", "eV/A", FORCES_UNITS),
    "stress": ("--stress-unit", "eV/A^3", STRESS_UNITS),
}


def unneeded_options(quantity: str, structures: Iterable[Atoms]) -> tuple[Mistake, ...]:
    """Return the mistake of a unit that was given for labels in the default unit.

    Parameters
    ----------
    quantity
        ``energy``, ``forces`` or ``stress``.
    structures
        As they were read.
    """
    option, default, units = _SCALES[quantity]
    given = {atoms.info.get(LABEL_UNITS, {}).get(option) for atoms in structures}
    return tuple(
        Mistake(
            name=f"labels in {spoken(default)} that were read with"
            f" {typed(option, unit)}",
            right=lambda label, atoms, unit=unit: (
                label / units[unit] / (len(atoms) if unit.endswith(PER_ATOM) else 1)
            ),
            remedy=f"Read the file without {option}",
            factor=None if unit.endswith(PER_ATOM) else units[unit],
        )
        for unit in sorted(given & units.keys())
    )


def without_options(quantity: str, structures: Iterable[Atoms]) -> str | None:
    """Return what to do first where labels were read with options that may be wrong.

    Every mistake is a factor or an order beside the one that was asked for, so none
    of their remedies holds on top of an option.

    Parameters
    ----------
    quantity
        ``energy``, ``forces`` or ``stress``.
    structures
        As they were read.

    Returns
    -------
    :
        None where the labels were read without options.
    """
    given = {
        typed(option, unit)
        for atoms in structures
        for option, unit in atoms.info.get(LABEL_UNITS, {}).items()
        if option.startswith(f"--{quantity}-")
    }
    if not given:
        return None
    return (
        f"Leave out {' and '.join(sorted(given))} and check again: the labels were"
        " converted with it before they were compared."
    )


def spoken(unit: str) -> str:
    """Return a unit as people say it.

    Examples
    --------
    >>> spoken("Ha/bohr")
    'hartree/bohr'
    """
    names = {"Ha": "hartree", "Ry": "rydberg", "A": "Å"}
    return "/".join(names.get(part, part) for part in unit.split("/"))


def _volume(atoms: Atoms) -> float:
    return abs(float(np.linalg.det(atoms.cell.array))) or 1.0


def _force_mistakes() -> Iterator[Mistake]:
    for unit, factor in FORCES_UNITS.items():
        if unit != "eV/A":
            is_gradient = factor < 0
            bare = spoken(unit.removeprefix("-"))
            yield Mistake(
                name=f"gradients in {bare}" if is_gradient else f"forces in {bare}",
                right=lambda label, _, c=factor: label * c,
                remedy=f"Read the file with {typed('--forces-unit', unit)}"
                " (energies may need their own unit).",
                factor=1 / factor,
            )


def _energy_mistakes() -> Iterator[Mistake]:
    for unit, factor in ENERGY_UNITS.items():
        if unit == "eV":
            continue
        is_per_atom = unit.endswith(PER_ATOM)
        bare = spoken(unit.removesuffix(PER_ATOM))
        sign = "of the opposite sign" if factor < 0 else f"in {bare}"
        yield Mistake(
            name=f"energies per atom {'' if bare == 'eV' else sign}".rstrip()
            if is_per_atom
            else f"energies {sign}",
            right=lambda label, atoms, c=factor, n=is_per_atom: (
                label * c * (len(atoms) if n else 1)
            ),
            remedy=f"Read the file with {typed('--energy-unit', unit)}",
            factor=None if is_per_atom else 1 / factor,
        )


def _stress_scales() -> Iterator[Mistake]:
    """Yield wrong units, signs and kinds of stresses; the first is no mistake."""
    for unit, factor in STRESS_UNITS.items():
        sign = " (compression positive)" if factor < 0 else ""
        yield Mistake(
            name=f"a stress in {unit}{sign}",
            right=lambda label, _, c=factor: label * c,
            remedy=f"Read the file with {typed('--stress-unit', unit)}",
            factor=1 / factor,
            of_virial=False,
        )
        yield Mistake(
            name=f"a stress in {unit}{sign} under a virial's name",
            right=lambda label, atoms, c=factor: -label * _volume(atoms) * c,
            remedy="Rename the key to REF_stress, and read the file with"
            f" {typed('--stress-unit', unit)}",
            of_virial=True,
        )
    for unit in CONVERTED:
        yield Mistake(
            name=f"a stress in eV/A^3 that was converted from {unit}",
            right=lambda label, _, c=STRESS_UNITS[unit]: label / c,
            remedy="Read the file without --stress-unit. If there was none, the file"
            f" was converted twice: multiply by {1 / STRESS_UNITS[unit]:.6g}.",
            factor=STRESS_UNITS[unit],
            of_virial=False,
        )
    yield from _virials()


def _virials() -> Iterator[Mistake]:
    yield Mistake(
        name="a virial (minus volume times stress, eV) under a stress's name",
        right=lambda label, atoms: -label / _volume(atoms),
        remedy="Read the file with --stress-unit virial",
        of_virial=False,
    )
    yield Mistake(
        name="plus volume times stress, eV, under a stress's name",
        right=lambda label, atoms: label / _volume(atoms),
        remedy="Read the file with --stress-unit=-virial",
        of_virial=False,
    )
    yield Mistake(
        name="a virial of the opposite sign (plus volume times stress, eV)",
        right=lambda label, _: -label,
        remedy="Read the file with --stress-unit=-virial",
        factor=-1.0,
        of_virial=True,
    )
    for unit in ("Ha", "Ry", "kcal/mol"):
        for sign in (1, -1):
            yield Mistake(
                name=f"a virial in {spoken(unit)}"
                + (" of the opposite sign" if sign < 0 else ""),
                right=lambda label, _, c=sign * ENERGY_UNITS[unit]: label * c,
                remedy=f"Multiply the virials by {sign * ENERGY_UNITS[unit]:.6g} and"
                " write the file again.",
                factor=sign / ENERGY_UNITS[unit],
                of_virial=True,
            )


def _orders() -> dict[str, tuple[list[int], str]]:
    """Return places of the right components in those read, and what to do, by name."""
    found = {
        f"the order {' '.join(order)}": (
            [order.index(one) for one in VOIGT],
            f"--stress-order {name}",
        )
        for name, order in STRESS_ORDERS.items()
        if name != "voigt"
    }
    vasp = STRESS_ORDERS["vasp"]
    found["the order xx yy zz yz xz xy, which was not wanted"] = (
        [VOIGT.index(one) for one in vasp],
        "no --stress-order",
    )
    return found


def _stress_mistakes() -> Iterator[Mistake]:
    scales = list(_stress_scales())
    yield from scales[1:]
    for place, (order, option) in _orders().items():
        for scale in scales:
            is_unit = scale is not scales[0]
            yield Mistake(
                name=f"{scale.name if is_unit else 'a stress'} with its six components"
                f" in {place}",
                right=lambda label, atoms, right=scale.right, order=order: right(
                    label[order], atoms
                ),
                remedy=f"{scale.remedy.rstrip('.')} and {option}"
                if is_unit
                else f"Read the file with {option}",
                factor=scale.factor,
                has_order=True,
                is_order_alone=not is_unit and not option.startswith("no "),
                of_virial=scale.of_virial if is_unit else None,
            )


FORCE_MISTAKES = tuple(_force_mistakes())
STRESS_MISTAKES = tuple(_stress_mistakes())
ENERGY_MISTAKES = tuple(_energy_mistakes())
