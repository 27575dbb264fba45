"""Under which names and in which unit the labels of a file stand."""

import dataclasses

from atomgraft.core.errors import BadInputError
from atomgraft.core.units import EV_PER_A3_IN_GPA, EV_PER_A3_IN_KBAR

ENERGY_KEYS = ("REF_energy", "energy")
FORCES_KEYS = ("REF_forces", "forces")
STRESS_KEYS = ("REF_stress", "stress")
VIRIAL_KEYS = ("REF_virial", "REF_virials", "virial", "virials")
"""Names that are read unless others are given, the first that is there wins.
A stress wins over a virial of the same rank (``REF_`` before plain)."""

VIRIAL_UNIT = "virial"

STRESS_UNITS = {
    "eV/A^3": 1.0,
    "GPa": 1 / EV_PER_A3_IN_GPA,
    "kbar": 1 / EV_PER_A3_IN_KBAR,
    "-eV/A^3": -1.0,
    "-GPa": -1 / EV_PER_A3_IN_GPA,
    "-kbar": -1 / EV_PER_A3_IN_KBAR,
}
"""Unit to the factor that makes eV/Å³ of it; a minus sign in front says that
compression is positive, as VASP prints it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelKeys:
    """How the labels of a file are named.

    Parameters
    ----------
    energy
        Key of the total energy, eV; none takes the known names.
    forces
        Key of the forces, eV/Å; none takes the known names.
    stress
        Key of the stress; none takes the known names.
    stress_unit
        One of `STRESS_UNITS`, or ``virial`` for a virial in eV (-volume times
        stress, as GAP and MACE write it). None is eV/Å³ for a stress key and eV
        for a virial key.
    """

    energy: str | None = None
    forces: str | None = None
    stress: str | None = None
    stress_unit: str | None = None

    def __post_init__(self) -> None:
        known = (*STRESS_UNITS, VIRIAL_UNIT)
        if self.stress_unit is not None and self.stress_unit not in known:
            raise BadInputError(
                f"'{self.stress_unit}' is not a known unit of stress.",
                f"Known: {', '.join(known)}; a minus sign means that compression is"
                " positive.",
                "Choose one of them.",
            )

    def given(self) -> dict[str, str]:
        """Return the keys that the user named, by quantity."""
        named = {"energy": self.energy, "forces": self.forces, "stress": self.stress}
        return {name: key for name, key in named.items() if key is not None}
