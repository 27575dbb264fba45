"""The units of a phonopy file: what it states, and phonopy's own tables say.

phonopy keeps lengths and forces in the units of the program that computed them: Bohr
and Ry/Bohr for Quantum ESPRESSO, for example. The file names the program
(``phonopy: {calculator: qe}``), the units (``physical_unit``), or both.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from atomgraft.core.errors import BadInputError
from atomgraft.data.sources import Source


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileUnits:
    """What the numbers of a file are multiplied by.

    Parameters
    ----------
    length
        Å
    force
        eV/Å
    energy
        eV
    """

    length: float = 1.0
    force: float = 1.0
    energy: float = 1.0

    @property
    def charge_factor(self) -> float:
        """Å eV: what phonopy's factor of the non-analytical term is multiplied by.

        It is e²/4πε₀ in the unit of force constants times the length cubed.
        """
        return self.force * self.length**2


ANGSTROM_EV = FileUnits()
"""Å, eV/Å and eV: nothing is converted."""


def units_of(document: Mapping[str, Any], source: Source) -> FileUnits:
    """Return the units of a file, from phonopy's tables.

    Parameters
    ----------
    document
        Content of a phonopy or phono3py file.
    source
        Where it came from.

    Raises
    ------
    BadInputError
        The file names a program or a unit that phonopy does not know, contradicts
        itself, or states the unit of lengths and not that of forces.
    """
    calculator = _calculator(document, source)
    stated = document.get("physical_unit") or {}
    if not isinstance(stated, dict):
        raise _unusable(source, f"physical_unit {stated!r}")
    length, force = (
        None if stated.get(key) is None else _unified(str(stated[key]))
        for key in ("length", "force")
    )
    table = _table(calculator)
    if calculator is not None:
        for name, own in ((length, table.length_unit), (force, table.force_unit)):
            if name is not None and name != _unified(own):
                raise _unusable(source, f"{name} and the calculator {calculator}")
    elif length is not None and force is None and length != table.length_unit:
        raise _unusable(source, f"lengths in {length}, and no unit of force")
    return FileUnits(
        length=_factor("length", length, source) or table.distance_to_A,
        force=_factor("force", force, source) or table.force_to_eVperA,
        energy=table.energy_to_eV,
    )


def _unified(name: str) -> str:
    """Return a unit as phonopy's tables spell it: ``au`` is Bohr."""
    return name.strip().lower().replace("bohr", "au").replace("å", "angstrom")


def _programs() -> tuple[str, ...]:
    from phonopy.interface.calculator import calculator_info

    return tuple(calculator_info)


def _table(calculator: str | None) -> Any:  # noqa: ANN401 - phonopy's own
    from phonopy.physical_units import get_calculator_physical_units

    return get_calculator_physical_units(calculator)


def _calculator(document: Mapping[str, Any], source: Source) -> str | None:
    program = document.get("phonopy") or document.get("phono3py") or {}
    name = program.get("calculator") if isinstance(program, dict) else None
    if name is None:
        return None
    if not isinstance(name, str) or name.lower() not in _programs():
        raise _unusable(source, f"the calculator {name!r}")
    return name.lower()


def _factor(kind: str, name: str | None, source: Source) -> float | None:
    """Return what a unit is in Å or in eV/Å; none where none is stated."""
    if name is None:
        return None
    for program in _programs():
        table = _table(program)
        if kind == "length" and _unified(table.length_unit) == name:
            return float(table.distance_to_A)
        if kind == "force" and _unified(table.force_unit) == name:
            return float(table.force_to_eVperA)
    raise _unusable(source, f"{kind} in {name}")


def _unusable(source: Source, what: str) -> BadInputError:
    return BadInputError(
        f"{source.path} states {what}.",
        "A unit, or a program, that phonopy has in its tables is needed, and the two "
        "must agree.",
        "Correct it: calculator: qe is Bohr and Ry/Bohr; no calculator, or vasp, is "
        "Å and eV/Å.",
    )
