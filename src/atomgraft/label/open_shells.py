"""Open shells of structures: initial moments and +U.

Elements of the d and f blocks can be magnetic: a calculation without spin gives an
iron oxide other forces, and says nothing. Starting moments are those of the structure
where it has any, otherwise high-spin values as the Materials Project starts with, all
parallel.
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from jaxtyping import Float

from atomgraft.models.levels import LevelOfTheory

FULL_SHELLS = frozenset({"Zn", "Cd", "Hg"})
"""Of the d block, and closed in every common compound."""

STARTS: Mapping[str, float] = MappingProxyType(
    {
        **dict.fromkeys(("V", "Cr", "Mn", "Fe", "Ni", "Mo", "W"), 5.0),
        "Ce": 1,
        "Pr": 2,
        "Nd": 3,
        "Pm": 4,
        "Sm": 5,
        "Eu": 7,
        "Gd": 7,
        "Tb": 6,
        "Dy": 5,
        "Ho": 4,
        "Er": 3,
        "Tm": 2,
        "Yb": 1,
        "Pa": 2,
        "U": 3,
        "Np": 4,
        "Pu": 5,
        "Am": 6,
        "Cm": 7,
    }
)
"""Bohr magnetons: transition metals as in the Materials Project, f shells by Hund's
rule for the ion of charge three (europium of charge two)."""

SMALL_START = 0.6
"""Bohr magnetons, for every other element of the d and f blocks; of the Materials
Project."""

OXYGEN_START = 1.0
"""Bohr magnetons, on atoms of an O2 molecule, a superoxide, and of a radical."""

OXYGEN_BOND = 1.36
"""Å; O2 has 1.21, a superoxide 1.33, and a peroxide, which is closed, 1.45 and more."""

HUBBARD: Mapping[str, float] = MappingProxyType(
    {
        "Co": 3.32,
        "Cr": 3.7,
        "Fe": 5.3,
        "Mn": 3.9,
        "Mo": 4.38,
        "Ni": 6.2,
        "V": 3.25,
        "W": 6.2,
    }
)
"""eV; the Materials Project's, on d shells, in oxides and fluorides alone."""


NOBLE_GASES = (0, 2, 10, 18, 36, 54, 86)
"""Atomic numbers; the first stands for no core."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class OpenShells:
    """Spin and +U settings of a calculation.

    Parameters
    ----------
    moments
        Where to start, Bohr magnetons; none for no spin.
    hubbard
        U of the d shells by element, eV; empty for none.
    words
        What was assumed, a sentence each; for the file and for the screen.
    is_asked
        A reader should look: there are open shells, or the user said otherwise.
    """

    moments: Float[np.ndarray, " atoms"] | None
    hubbard: Mapping[str, float]
    words: tuple[str, ...]
    is_asked: bool


def open_shell_elements(atoms: Atoms) -> list[str]:
    """Return the elements of the d and f blocks whose shells can be open.

    Parameters
    ----------
    atoms
        A structure.

    Examples
    --------
    >>> from ase.build import bulk
    >>> open_shell_elements(bulk("FeO", "rocksalt", a=4.3))
    ['Fe']
    """
    return sorted({one for one in atoms.symbols if _can_be_open(one)})


def _can_be_open(symbol: str) -> bool:
    number = atomic_numbers[symbol]
    is_d = any(first <= number <= first + 9 for first in (21, 39, 72, 104))
    is_f = 57 <= number <= 71 or 89 <= number <= 103
    return (is_d or is_f) and symbol not in FULL_SHELLS


def open_shells(
    atoms: Atoms,
    *,
    spin: bool | None = None,
    hubbard: bool | None = None,
    level: LevelOfTheory | None = None,
) -> OpenShells:
    """Decide on spin and +U of one structure.

    Parameters
    ----------
    atoms
        A structure, with moments or without.
    spin
        Whether it is spin-polarised; none decides by its elements and moments.
    hubbard
        Whether +U is used, by the Materials Project's rule; none does as the level.
    level
        That of the base; none is unknown.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.models.levels import level_of_theory
    >>> oxide = bulk("FeO", "rocksalt", a=4.3)
    >>> found = open_shells(oxide, level=level_of_theory("7net-0"))
    >>> found.moments.tolist(), dict(found.hubbard)
    ([5.0, 0.0], {'Fe': 5.3})
    >>> open_shells(bulk("Si")).moments is None
    True
    """
    moments, about_spin, is_open = _moments(atoms, spin=spin)
    used, about_hubbard = _hubbard(atoms, level, asked=hubbard)
    return OpenShells(
        moments=moments,
        hubbard=used,
        words=(about_spin, *about_hubbard),
        is_asked=is_open or spin is not None or bool(about_hubbard),
    )


def _moments(
    atoms: Atoms, *, spin: bool | None
) -> tuple[Float[np.ndarray, " atoms"] | None, str, bool]:
    """Return starting moments, what was assumed, and whether shells are open."""
    given = atoms.get_initial_magnetic_moments()
    elements = open_shell_elements(atoms)
    radicals = _radicals(atoms)
    is_open = bool(np.any(given) or elements or radicals.any())
    if spin is False:
        known = f", although {', '.join(elements)} can be magnetic" if elements else ""
        return None, f"Not spin-polarised, as requested{known}.", is_open
    if np.any(given):
        return (*_of_structure(given), is_open)
    if not is_open and not spin:
        odd = ""
        if int(atoms.numbers.sum()) % 2:
            odd = " The number of electrons is odd: unless it is a metal, use --spin."
        return None, f"Not spin-polarised: no open d or f shells.{odd}", bool(odd)
    starts = np.array(
        [
            STARTS.get(one, SMALL_START) if _can_be_open(one) else 0.0
            for one in atoms.symbols
        ]
    )
    starts[radicals & (starts == 0.0)] = OXYGEN_START
    if not starts.any():  # asked for, and nothing says where
        starts[:] = SMALL_START
    kinds = {
        f"{symbol} {start:g}"
        for symbol, start in zip(atoms.symbols, starts, strict=True)
        if start
    }
    text = (
        f"Spin-polarised, ferromagnetic start ({', '.join(sorted(kinds))} Bohr "
        "magnetons): for another order put moments into the structure "
        "(initial_magmoms); --no-spin leaves spin out."
    )
    return starts, text, True


def _of_structure(
    given: Float[np.ndarray, "..."],
) -> tuple[Float[np.ndarray, " atoms"], str]:
    """Return the moments of the structure as numbers along one axis."""
    if given.ndim == 1:
        return given, "Spin-polarised, starting with the moments of the structure."
    _, _, axes = np.linalg.svd(given, full_matrices=False)
    along = given @ axes[0]
    along = along * np.sign(along[np.abs(along).argmax()])
    return along, (
        "Spin-polarised. The moments of the structure are vectors; their "
        "components along the main axis are used. For a non-collinear calculation "
        "edit the inputs."
    )


def _radicals(atoms: Atoms) -> np.ndarray:
    """Tell which atoms belong to O2, to a superoxide, or to a molecule that is odd."""
    found = np.zeros(len(atoms), dtype=bool)
    oxygen = np.flatnonzero(atoms.numbers == atomic_numbers["O"])
    if len(oxygen) > 1:
        apart = atoms[oxygen].get_all_distances(mic=bool(atoms.pbc.any()))
        np.fill_diagonal(apart, np.inf)
        found[oxygen[apart.min(axis=1) < OXYGEN_BOND]] = True
    has_odd_number = bool(int(atoms.numbers.sum()) % 2)
    if not atoms.pbc.any() and (has_odd_number or len(atoms) == 1):
        heavy = atoms.numbers > 1
        found |= heavy if heavy.any() else np.ones(len(atoms), dtype=bool)
    return found


def _hubbard(
    atoms: Atoms, level: LevelOfTheory | None, *, asked: bool | None
) -> tuple[Mapping[str, float], tuple[str, ...]]:
    """Return U by element, and what was assumed."""
    present = set(atoms.symbols)
    values = {one: HUBBARD[one] for one in sorted(present & HUBBARD.keys())}
    if not values or not present & {"O", "F"}:
        return {}, (
            "No +U: the Materials Project uses none for these elements.",
        ) if asked else ()
    named = ", ".join(f"{one} {u:g}" for one, u in values.items())
    if asked is False:
        return {}, (f"No +U, as requested (Materials Project: {named} eV).",)
    if asked or (level is not None and level.has_hubbard):
        why = "as requested"
        if level is not None and level.has_hubbard:
            why = f"as in the training data of the base: {level.words}"
        return values, (
            f"+U of the Materials Project ({named} eV), {why}; --no-hubbard leaves it "
            "out.",
        )
    why = "The level of theory of the base is unknown"
    if level is not None:
        why = f"The training data of the base have no +U: {level.words}"
    return {}, (
        f"No +U. {why}; the Materials Project uses {named} eV here (--hubbard).",
    )


def valence_electrons(symbol: str) -> int:
    """Return how many electrons a pseudopotential of an open shell treats.

    Those outside the last noble gas, a filled f shell left out, and eight of the shell
    below for the d and f blocks. As a scale of starting moments it need not be exact.

    Parameters
    ----------
    symbol
        Chemical symbol.

    Examples
    --------
    >>> [valence_electrons(one) for one in ("O", "Fe", "W")]
    [6, 16, 14]
    """
    number = atomic_numbers[symbol]
    outside = number - max(one for one in NOBLE_GASES if one < number)
    has_full_f = 72 <= number <= 86 or number >= 104
    outside -= 14 if has_full_f else 0
    if _can_be_open(symbol):
        return outside + 8
    return outside - 10 if outside > 12 else outside


def quantum_number(symbol: str) -> int:
    """Return the principal quantum number of an element's d shell.

    Examples
    --------
    >>> quantum_number("Fe"), quantum_number("Mo"), quantum_number("W")
    (3, 4, 5)
    """
    number = atomic_numbers[symbol]
    return 3 if number < 39 else 4 if number < 72 else 5
