"""PMMCS, the force field of Pedone and others for oxides, run by LAMMPS.

A. Pedone, G. Malavasi, M. C. Menziani, A. N. Cormack and U. Segre, J. Phys. Chem. B
110, 11780 (2006): rigid ions with partial charges, and between oxygen and every ion

    V(r) = D [(1 - exp(-a (r - r0)))² - 1] + C / r¹²

with parameters fitted to the crystals of 28 cations. The numbers below are those of
the paper's table as two public collections give them (pyiron_glass / amorphouspy for
all cations; for Be, Na, K, Ca, Sr, Ti, Zr, Al, Si, P and O also input files of other
groups), and the lattice constants of the binary oxides that follow from them are
compared with experiment in ``benchmarks/transport/pmmcs_crystals.py``.

Coulomb forces are damped and shifted (Fennell and Gezelter, J. Chem. Phys. 124, 234104,
2006; damping 0.25 / Å, cutoff 8 Å), the rest is cut at 5.5 Å and shifted in energy, as
is usual with this force field. The charge of an ion does not depend on its
surroundings, so a crystal has to be neutral with these charges: cobalt, nickel and
manganese are divalent, copper and silver monovalent, and iron is what the crystal
needs.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from ase import Atoms

from atomgraft.label.engines.base import AbstractEngine, Request, refuse_settings
from atomgraft.label.engines.lammps import LammpsEngine, PairSetup

OXYGEN = "O"

DAMPING, COULOMB_CUTOFF, CUTOFF = 0.25, 8.0, 5.5
"""1/Å, Å, Å"""

NEUTRAL = 1e-6
"""e; partial charges are multiples of 0.6."""


class Ion(NamedTuple):
    """Parameters of an ion with oxygen: e, eV, 1/Å, Å, eV Å¹²."""

    charge: float
    D: float
    a: float
    r0: float
    C: float


IONS: Mapping[str, Ion] = {
    "O": Ion(-1.2, 0.042395, 1.379316, 3.618701, 22.0),
    "Li": Ion(0.6, 0.001114, 3.429506, 2.681360, 1.0),
    "Na": Ion(0.6, 0.023363, 1.763867, 3.006315, 5.0),
    "K": Ion(0.6, 0.011612, 2.062605, 3.305308, 5.0),
    "Cu": Ion(0.6, 0.090720, 3.802168, 2.055405, 1.0),
    "Ag": Ion(0.6, 0.088423, 3.439162, 2.265956, 1.0),
    "Be": Ion(1.2, 0.239919, 2.527420, 1.815405, 1.0),
    "Mg": Ion(1.2, 0.038908, 2.281000, 2.586153, 5.0),
    "Ca": Ion(1.2, 0.030211, 2.241334, 2.923245, 5.0),
    "Sr": Ion(1.2, 0.019623, 1.886000, 3.328330, 3.0),
    "Ba": Ion(1.2, 0.065011, 1.547596, 3.393410, 5.0),
    "Mn": Ion(1.2, 0.029658, 1.997543, 2.852075, 3.0),
    "Co": Ion(1.2, 0.012958, 2.361272, 2.756282, 3.0),
    "Ni": Ion(1.2, 0.029356, 2.679137, 2.500754, 3.0),
    "Zn": Ion(1.2, 0.001221, 3.150679, 2.851850, 1.0),
    "Fe": Ion(1.2, 0.078171, 1.822638, 2.658163, 2.0),
    "Fe3+": Ion(1.8, 0.418981, 1.620376, 2.382183, 2.0),
    "Al": Ion(1.8, 0.361581, 1.900442, 2.164818, 0.9),
    "Cr": Ion(1.8, 0.399561, 1.785079, 2.340810, 1.0),
    "Sc": Ion(1.8, 0.000333, 3.144445, 3.200000, 2.6),
    "Nd": Ion(1.8, 0.014580, 1.825100, 3.398717, 3.0),
    "Gd": Ion(1.8, 0.000132, 2.013000, 4.351589, 3.0),
    "Er": Ion(1.8, 0.040448, 2.294078, 2.837722, 3.0),
    "Si": Ion(2.4, 0.340554, 2.006700, 2.100000, 1.0),
    "Ti": Ion(2.4, 0.024235, 2.254703, 2.708943, 1.0),
    "Zr": Ion(2.4, 0.206237, 2.479675, 2.436997, 1.0),
    "Ge": Ion(2.4, 0.158118, 2.294230, 2.261313, 5.0),
    "Sn": Ion(2.4, 0.079400, 2.156770, 2.633076, 3.0),
    "P": Ion(3.0, 0.831326, 2.585833, 1.800790, 1.0),
}
"""By element; trivalent iron is an ion of its own."""

FERRIC = "Fe3+"


def ions_of(atoms: Atoms) -> dict[str, str] | None:
    """Return the ion of each element, so that the structure is neutral.

    Parameters
    ----------
    atoms
        Of elements in `IONS`.

    Returns
    -------
    :
        None where no choice of ions is neutral.

    Examples
    --------
    >>> ions_of(Atoms("Fe2O3"))
    {'Fe': 'Fe3+', 'O': 'O'}
    >>> ions_of(Atoms("LiCoO2")) is None  # trivalent cobalt is not in the table
    True
    """
    counts = Counter(atoms.get_chemical_symbols())
    for iron in ("Fe", FERRIC):
        ions = {one: iron if one == "Fe" else one for one in counts}
        total = sum(IONS[ions[one]].charge * n for one, n in counts.items())
        if abs(total) < NEUTRAL * len(atoms):
            return ions
    return None


def refusal_of(atoms: Atoms) -> str | None:
    """Return why the force field does not describe a structure; none if it does.

    Examples
    --------
    >>> refusal_of(Atoms("LiCl"))
    'PMMCS has no parameters for Cl'
    >>> refusal_of(Atoms("LiCoO2"))
    'CoLiO2 is not neutral with the ions of PMMCS'
    """
    elements = sorted(set(atoms.get_chemical_symbols()))
    strange = [one for one in elements if one not in IONS]
    if strange:
        return f"PMMCS has no parameters for {', '.join(strange)}"
    if OXYGEN not in elements:
        return f"{atoms.get_chemical_formula()} is no oxide"
    if ions_of(atoms) is None:
        formula = atoms.get_chemical_formula(mode="metal", empirical=True)
        return f"{formula} is not neutral with the ions of PMMCS"
    return None


def setup_of(atoms: Atoms) -> PairSetup:
    """Return types, charges and pair lines for LAMMPS.

    Parameters
    ----------
    atoms
        Not refused.
    """
    ions = ions_of(atoms)
    assert ions is not None  # it was not refused
    elements = sorted(ions, key=lambda one: (one == OXYGEN, one))
    last = len(elements)
    lines = [
        f"pair_style hybrid/overlay coul/dsf {DAMPING} {COULOMB_CUTOFF} "
        f"pedone {CUTOFF}",
        "pair_coeff * * coul/dsf",
    ]
    for i, element in enumerate(elements, start=1):
        ion = IONS[ions[element]]
        lines.append(f"pair_coeff {i} {last} pedone {ion.D} {ion.a} {ion.r0} {ion.C}")
    lines.append("pair_modify pair pedone shift yes")
    return PairSetup(
        elements=tuple(elements),
        charges=tuple(IONS[ions[one]].charge for one in elements),
        lines=tuple(lines),
    )


def pmmcs_engine(request: Request) -> AbstractEngine:
    """Return the engine ``pmmcs``.

    Parameters
    ----------
    request
        It has no settings.

    Raises
    ------
    BadInputError
        There are settings.
    MissingExtraError
        LAMMPS is not installed.
    """
    given = dict(request.settings) | (
        {request.argument: None} if request.argument else {}
    )
    refuse_settings("pmmcs", given, frozenset())
    settings = {
        "force_field": "Pedone 2006",
        "ions": {name: list(ion) for name, ion in IONS.items()},
        "coulomb": [DAMPING, COULOMB_CUTOFF],
        "cutoff": CUTOFF,
    }
    return LammpsEngine(
        name="pmmcs", settings=settings, refuse=refusal_of, setup=setup_of
    )
