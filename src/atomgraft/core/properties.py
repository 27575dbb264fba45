"""The properties that a potential predicts: names, shapes and units."""

import dataclasses
import enum

from atomgraft.core.units import EV_IN_MEV, EV_PER_A3_IN_GPA


class Property(enum.StrEnum):
    """A property that a potential predicts."""

    ENERGY = "energy"
    FORCES = "forces"
    STRESS = "stress"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PropertyRow:
    """How one property is stored, shown and compared.

    Parameters
    ----------
    label
        The extended-XYZ key of its reference value.
    unit
        Internal unit.
    report_unit
        Unit in tables and figures.
    report_factor
        Multiplies an internal value into the report unit. Energies are divided
        by the number of atoms first.
    """

    label: str
    unit: str
    report_unit: str
    report_factor: float


PROPERTIES: dict[Property, PropertyRow] = {
    Property.ENERGY: PropertyRow(
        label="REF_energy",
        unit="eV",
        report_unit="meV/atom",
        report_factor=EV_IN_MEV,
    ),
    Property.FORCES: PropertyRow(
        label="REF_forces",
        unit="eV/Å",
        report_unit="meV/Å",
        report_factor=EV_IN_MEV,
    ),
    Property.STRESS: PropertyRow(
        label="REF_stress",
        unit="eV/Å³",
        report_unit="GPa",
        report_factor=EV_PER_A3_IN_GPA,
    ),
}
"""Stress is tensile-positive in ASE's Voigt order: xx, yy, zz, yz, xz, xy."""
