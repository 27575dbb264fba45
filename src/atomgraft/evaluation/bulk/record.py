"""What the suite of bulk properties leaves for the page."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from atomgraft.records.documents import Record
from atomgraft.records.scores import ModelName

SUITE = "bulk"

ERROR, CHANGE = "relative_error", "relative_change"
"""Metrics of the scores: against the reference, and against the base."""

SAME = 1.0
"""% of the reference value; errors that differ by less are alike. Converged DFT
calculations with different settings differ by as much."""

STABILITY = ("elastic_tensor", "smallest_eigenvalue")
"""Quantity and metric of the score of Born's criterion."""

UNITS = {
    "volume": "Å³/atom",
    "bulk_modulus": "GPa",
    "bulk_modulus_derivative": "1",
    "shear_modulus": "GPa",
    "young_modulus": "GPa",
}
"""Of properties by their names; others by the form of their names."""

_FORMS = {
    r"C[1-6]{2}": "GPa",
    r"vacancy_[A-Z][a-z]?(_\d+)?": "eV",
    r"surface_(-?\d){3}": "J/m²",
}

Effect = Literal["better", "worse", "unclear"]


class Curve(Record):
    """Energy over volume of one model."""

    model: ModelName
    volumes: tuple[float, ...]
    """Å³ per atom."""
    energies: tuple[float, ...]
    """eV per atom."""


class Property(Record):
    """One property of one crystal."""

    name: str
    unit: str
    values: dict[ModelName, float]
    reference: float | None = None

    def deviation(self, model: ModelName) -> float | None:
        """Return the distance from the reference, % of it; none without either."""
        if self.reference is None or model not in self.values:
            return None
        return 100 * abs(self.values[model] / self.reference - 1)

    def change(self, model: ModelName) -> float | None:
        """Return the distance from the base, % of its value; none without either."""
        base = self.values.get("base")
        if not base or model not in self.values:
            return None
        return 100 * abs(self.values[model] / base - 1)

    def effect(self, model: ModelName) -> Effect | None:
        """Compare a model's error with the base's; none where one is not known."""
        own, base = self.deviation(model), self.deviation("base")
        return None if own is None or base is None else effect_of(base, own)


class BulkRecord(Record):
    """One crystal."""

    name: str
    """As the user named it; the formula where it came from the training frames."""
    formula: str
    space_group: str
    properties: tuple[Property, ...]
    curves: tuple[Curve, ...]
    smallest: dict[ModelName, float]
    """GPa; smallest eigenvalue of the elastic tensor. Below zero: not stable."""
    failures: tuple[str, ...]
    """What could not be computed, in words."""
    settings: dict[str, str]


def records_of(details: Mapping[str, Any]) -> tuple[BulkRecord, ...]:
    """Return what a proof has left of this suite."""
    return tuple(BulkRecord.model_validate(one) for one in details.get("crystals", ()))


def unit_of(name: str) -> str | None:
    """Return the unit of a property; none where there is no such property.

    Examples
    --------
    >>> unit_of("C44"), unit_of("surface_110"), unit_of("hardness")
    ('GPa', 'J/m²', None)
    """
    if name in UNITS:
        return UNITS[name]
    return next((u for form, u in _FORMS.items() if re.fullmatch(form, name)), None)


def effect_of(base: float, own: float) -> Effect:
    """Compare two errors in % of the reference.

    Examples
    --------
    >>> effect_of(12.0, 3.0), effect_of(3.0, 3.5), effect_of(3.0, 12.0)
    ('better', 'unclear', 'worse')
    """
    if abs(base - own) < SAME:
        return "unclear"
    return "better" if own < base else "worse"


def counted_effects(effects: Sequence[Effect]) -> str:
    """Return how many properties became better and worse.

    Examples
    --------
    >>> counted_effects(["better", "worse", "better"])
    '2 better, 1 worse, 0 unclear'
    """
    order: tuple[Effect, ...] = ("better", "worse", "unclear")
    return ", ".join(f"{effects.count(one)} {one}" for one in order)
