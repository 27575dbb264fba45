"""Names, units and component orders of labels in files."""

import dataclasses
from collections.abc import Iterable
from typing import TypedDict

from atomgraft.core.errors import BadInputError
from atomgraft.core.units import (
    BOHR_IN_ANGSTROM,
    EV_IN_MEV,
    EV_PER_A3_IN_GPA,
    EV_PER_A3_IN_KBAR,
    HARTREE_IN_EV,
    KCAL_PER_MOL_IN_EV,
    KJ_PER_MOL_IN_EV,
    RYDBERG_IN_EV,
)

ENERGY_KEYS = ("REF_energy", "energy")
FORCES_KEYS = ("REF_forces", "forces")
STRESS_KEYS = ("REF_stress", "stress")
VIRIAL_KEYS = ("REF_virial", "REF_virials", "virial", "virials")
"""Names that are read unless others are given, the first that is there wins.
A stress wins over a virial of the same rank (``REF_`` before plain)."""

PER_ATOM = "/atom"
"""Behind a unit of energy: the label is the total divided by the number of atoms."""

_ENERGIES = {
    "eV": 1.0,
    "meV": 1 / EV_IN_MEV,
    "Ha": HARTREE_IN_EV,
    "Ry": RYDBERG_IN_EV,
    "kcal/mol": KCAL_PER_MOL_IN_EV,
    "kJ/mol": KJ_PER_MOL_IN_EV,
}

ENERGY_UNITS = {
    **_ENERGIES,
    "-eV": -1.0,
    **{unit + PER_ATOM: factor for unit, factor in _ENERGIES.items()},
    "-eV/atom": -1.0,
}
"""Unit to the factor that makes eV of it; `PER_ATOM` units also times the atoms."""

_FORCES = {
    "eV/A": 1.0,
    "meV/A": 1 / EV_IN_MEV,
    "eV/nm": 0.1,
    "eV/bohr": 1 / BOHR_IN_ANGSTROM,
    "Ha/bohr": HARTREE_IN_EV / BOHR_IN_ANGSTROM,
    "Ry/bohr": RYDBERG_IN_EV / BOHR_IN_ANGSTROM,
    "Ha/A": HARTREE_IN_EV,
    "Ry/A": RYDBERG_IN_EV,
    "kcal/mol/A": KCAL_PER_MOL_IN_EV,
    "kJ/mol/A": KJ_PER_MOL_IN_EV,
    "kJ/mol/nm": KJ_PER_MOL_IN_EV / 10,
}

FORCES_UNITS = {
    **_FORCES,
    **{f"-{unit}": -factor for unit, factor in _FORCES.items()},
}
"""Unit to the factor that makes eV/Å of it; a minus sign is for gradients."""

VIRIAL_UNIT = "virial"
"""Minus the volume times the stress, eV; with a minus sign, plus."""

_STRESSES = {
    "eV/A^3": 1.0,
    "GPa": 1 / EV_PER_A3_IN_GPA,
    "MPa": 1e-3 / EV_PER_A3_IN_GPA,
    "kbar": 1 / EV_PER_A3_IN_KBAR,
    "bar": 1e-3 / EV_PER_A3_IN_KBAR,
    "Pa": 1e-9 / EV_PER_A3_IN_GPA,
    "Ha/bohr^3": HARTREE_IN_EV / BOHR_IN_ANGSTROM**3,
    "Ry/bohr^3": RYDBERG_IN_EV / BOHR_IN_ANGSTROM**3,
}

STRESS_UNITS = {
    **_STRESSES,
    **{f"-{unit}": -factor for unit, factor in _STRESSES.items()},
}
"""Unit to the factor that makes eV/Å³ of it; a minus sign in front says that
compression is positive, as VASP prints it."""

VOIGT = ("xx", "yy", "zz", "yz", "xz", "xy")
"""Order of six components of a stress, here and in ASE."""

STRESS_ORDERS = {
    "voigt": VOIGT,
    "vasp": ("xx", "yy", "zz", "xy", "yz", "xz"),
    "lammps": ("xx", "yy", "zz", "xy", "xz", "yz"),
    "upper": ("xx", "xy", "xz", "yy", "yz", "zz"),
    "lower": ("xx", "xy", "yy", "xz", "yz", "zz"),
}
"""Orders that programs write, by name."""


class LabelOptions(TypedDict, total=False):
    """What a user may say of the labels of a file, under the names of the options."""

    energy_key: str | None
    forces_key: str | None
    stress_key: str | None
    energy_unit: str | None
    forces_unit: str | None
    stress_unit: str | None
    stress_order: str | None


LABEL_OPTIONS = tuple(LabelOptions.__annotations__)
"""Their names."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelKeys:
    """How the labels of a file are named, and what their numbers mean.

    Parameters
    ----------
    energy_key
        Key of the total energy; none takes the known names.
    forces_key
        Key of the forces; none takes the known names.
    stress_key
        Key of the stress; none takes the known names.
    energy_unit
        One of `ENERGY_UNITS`; none is eV.
    forces_unit
        One of `FORCES_UNITS`; none is eV/Å.
    stress_unit
        One of `STRESS_UNITS`, or ``virial`` for a virial in eV (-volume times
        stress, as GAP and MACE write it), ``-virial`` for its opposite. None is
        eV/Å³ for a stress key and eV for a virial key.
    stress_order
        Order of six components: a name of `STRESS_ORDERS` or the components
        themselves (``xx,yy,zz,xy,yz,zx``). None is Voigt's.
    """

    energy_key: str | None = None
    forces_key: str | None = None
    stress_key: str | None = None
    energy_unit: str | None = None
    forces_unit: str | None = None
    stress_unit: str | None = None
    stress_order: str | None = None

    def __post_init__(self) -> None:
        stresses = (*STRESS_UNITS, VIRIAL_UNIT, f"-{VIRIAL_UNIT}")
        _require_known(self.energy_unit, ENERGY_UNITS, "energy")
        _require_known(self.forces_unit, FORCES_UNITS, "forces")
        _require_known(self.stress_unit, stresses, "stress")
        if self.stress_order is not None:
            components(self.stress_order)

    def given(self) -> dict[str, str]:
        """Return the keys that the user named, by quantity."""
        named = {
            "energy": self.energy_key,
            "forces": self.forces_key,
            "stress": self.stress_key,
        }
        return {name: key for name, key in named.items() if key is not None}

    def units(self) -> dict[str, str]:
        """Return the units and the order that the user gave, by option."""
        given = {
            "--energy-unit": self.energy_unit,
            "--forces-unit": self.forces_unit,
            "--stress-unit": self.stress_unit,
            "--stress-order": self.stress_order,
        }
        return {option: unit for option, unit in given.items() if unit is not None}


def components(order: str) -> tuple[str, ...]:
    """Return the six components in the order that a text means.

    Parameters
    ----------
    order
        A name of `STRESS_ORDERS`, or six components with commas or spaces between.

    Raises
    ------
    BadInputError
        It is neither.

    Examples
    --------
    >>> components("xx yy zz xy yz zx") == components("vasp")
    True
    """
    if order in STRESS_ORDERS:
        return STRESS_ORDERS[order]
    parts = tuple("".join(sorted(one)) for one in order.replace(",", " ").split())
    if sorted(parts) == sorted(VOIGT):
        return parts
    raise BadInputError(
        f"'{order}' is not an order of stress components.",
        f"Known: {', '.join(STRESS_ORDERS)}; or the six components themselves.",
        "For example: --stress-order xx,yy,zz,xy,yz,zx",
    )


def _require_known(unit: str | None, known: Iterable[str], quantity: str) -> None:
    if unit is None or unit in known:
        return
    sign = {
        "energy": "",
        "forces": "; a minus sign is for gradients",
        "stress": "; a minus sign means that compression is positive",
    }[quantity]
    raise BadInputError(
        f"'{unit}' is not a known unit of {quantity}.",
        f"Known: {', '.join(known)}{sign}.",
        "Choose one of them.",
    )
