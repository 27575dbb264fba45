"""Units of a phonopy file, from the file and phonopy's tables.

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
    from phonopy.interface.calculator import calculator_info
    from phonopy.physical_units import get_calculator_physical_units

    tables = {name: get_calculator_physical_units(name) for name in calculator_info}
    program = document.get("phonopy") or document.get("phono3py") or {}
    calculator = program.get("calculator") if isinstance(program, dict) else None
    own = tables.get("vasp" if calculator is None else str(calculator).lower())
    if own is None:
        raise _unusable(source, f"the calculator {calculator!r}")
    stated = document.get("physical_unit") or {}
    if not isinstance(stated, dict):
        raise _unusable(source, f"physical_unit {stated!r}")
    length, force = (
        None if stated.get(key) is None else _unified(str(stated[key]))
        for key in ("length", "force")
    )
    if calculator is not None:
        for name, unit in ((length, own.length_unit), (force, own.force_unit)):
            if name is not None and name != _unified(unit):
                raise _unusable(source, f"{name} and the calculator {calculator}")
    elif length is not None and force is None and length != own.length_unit:
        raise _unusable(source, f"lengths in {length}, and no unit of force")
    lengths = {_unified(one.length_unit): one.distance_to_A for one in tables.values()}
    forces = {_unified(one.force_unit): one.force_to_eVperA for one in tables.values()}
    for kind, name, known in (("length", length, lengths), ("force", force, forces)):
        if name is not None and name not in known:
            raise _unusable(source, f"{kind} in {name}")
    return FileUnits(
        length=lengths[length or _unified(own.length_unit)],
        force=forces[force or _unified(own.force_unit)],
        energy=own.energy_to_eV,
    )


def _unified(name: str) -> str:
    """Return a unit as phonopy's tables spell it: ``au`` is Bohr."""
    return name.strip().lower().replace("bohr", "au").replace("å", "angstrom")


def _unusable(source: Source, what: str) -> BadInputError:
    return BadInputError(
        f"{source.path} states {what}.",
        "Expected a unit or a program in phonopy's tables; the two must agree.",
        "Correct it: calculator: qe is Bohr and Ry/Bohr; no calculator, or vasp, is "
        "Å and eV/Å.",
    )
