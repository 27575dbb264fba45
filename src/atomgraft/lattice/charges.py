"""Born effective charges: reading, assigning and checking.

They split longitudinal and transverse optic modes at Γ. Charges of another cell, in
another order or of another orientation do the same, by a wrong amount, and nothing in
the frequencies says so; but they do not add up to zero, and the symmetry of the crystal
is not theirs.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from atomgraft.core.errors import BadInputError, foreign
from atomgraft.core.reading import read_text
from atomgraft.data.force_sets import ForceSets
from atomgraft.data.phonopy_files import BornCharges, charge_factor
from atomgraft.data.phonopy_units import ANGSTROM_EV, FileUnits

if TYPE_CHECKING:
    from phono3py import Phono3py
    from phonopy import Phonopy

DOUBTFUL_SUM = 0.02
"""Of the sum of the charges' sizes. Plane waves and k-points of common density leave
up to 0.05 e in the sum over two ions of charge one."""

WRONG_SUM = 0.1
"""Of the same; charges that miss an atom or a sign leave more."""

WRONG_SYMMETRY = 0.1
"""e, and this share of the largest charge: where phonopy calls the symmetry of Born
charges largely broken."""

LARGEST_CHARGE = 50.0
"""e; ferroelectric perovskites reach 10."""

DIELECTRIC = (0.99, 1e4)
"""Of a crystal, at high frequency: electrons screen, and an insulator's do so less
than a metal's."""

MAX_BYTES = 16 * 1024**2


def read_born(
    phonon: "Phonopy | Phono3py", path: Path, units: FileUnits = ANGSTROM_EV
) -> BornCharges:
    """Read Born charges and dielectric constant of a crystal.

    Parameters
    ----------
    phonon
        The crystal.
    path
        phonopy's BORN file.
    units
        Of the factor in it, which is that of the calculation.

    Raises
    ------
    BadInputError
        The file cannot be read, or is of another cell.
    """
    from phonopy.file_IO import parse_BORN_from_strings

    text, n_atoms = read_text(path, max_bytes=MAX_BYTES), len(phonon.primitive)
    with foreign(
        lambda reason: BadInputError(
            f"{path} gives no Born charges for a primitive cell of {n_atoms} atoms: "
            f"{reason}.",
            "Expected phonopy's BORN file of this crystal: the dielectric constant "
            "and the charges of the symmetry-distinct atoms.",
            "Make it again with phonopy-vasp-born, or leave it out.",
        )
    ):
        found = parse_BORN_from_strings(
            text, phonon.primitive, symprec=phonon.symmetry.tolerance
        )
    return BornCharges(
        charges=np.asarray(found["born"]),
        dielectric=np.asarray(found["dielectric"]),
        factor=charge_factor(found.get("factor"), units, str(path)),
    )


def put_known_charges(
    phonon: "Phonopy | Phono3py", sets: ForceSets, born: Path | None
) -> None:
    """Give a crystal the charges of a BORN file, or those that its calculation has.

    Parameters
    ----------
    phonon
        Changed in place.
    sets
        The calculation.
    born
        phonopy's BORN file, if there is one; it takes precedence.

    Raises
    ------
    BadInputError
        The file cannot be read, or the charges cannot be those of this crystal.
    """
    if born is not None:
        put_charges(phonon, read_born(phonon, born, sets.units), str(born))
    elif sets.born is not None:
        put_charges(phonon, sets.born, sets.name)


def put_charges(phonon: "Phonopy | Phono3py", born: BornCharges, name: str) -> None:
    """Give a crystal its Born charges.

    Parameters
    ----------
    phonon
        Changed in place.
    born
        Of the atoms of its primitive cell.
    name
        Where they come from, for messages.

    Raises
    ------
    BadInputError
        They cannot be those of this crystal.
    """
    what = _fault(phonon, born)
    if what is not None:
        raise BadInputError(
            f"{name}: {what}.",
            "Expected Born charges of the atoms of this primitive cell, in its "
            "order and orientation; they must add up to zero and have its symmetry.",
            "Make them again for this cell (phonopy-vasp-born), or leave them out.",
        )
    params: Any = {
        "born": born.charges,
        "dielectric": born.dielectric,
        "factor": born.factor,
    }
    if born.method is not None:
        params["method"] = born.method
    phonon.nac_params = params


def _fault(phonon: "Phonopy | Phono3py", born: BornCharges) -> str | None:
    """Return why charges cannot be those of a crystal; none if they can."""
    n_atoms = len(phonon.primitive)
    if born.charges.shape != (n_atoms, 3, 3) or born.dielectric.shape != (3, 3):
        return f"{len(born.charges)} charges for a primitive cell of {n_atoms} atoms"
    if not all(np.isfinite(one).all() for one in (born.charges, born.dielectric)):
        return "charges or a dielectric constant that are not finite"
    largest = float(np.abs(born.charges).max())
    if largest > LARGEST_CHARGE:
        return f"a charge of {largest:.3g} e"
    epsilon = np.linalg.eigvalsh((born.dielectric + born.dielectric.T) / 2)
    if epsilon[0] < DIELECTRIC[0] or epsilon[-1] > DIELECTRIC[1]:
        return f"a dielectric constant of {epsilon[0]:.3g} to {epsilon[-1]:.3g}"
    total, share = _sum(born.charges)
    if share > WRONG_SUM:
        return (
            f"Born charges that add up to {total:.3g} e, {share:.0%} of their sizes, "
            "and not to zero"
        )
    apart = _from_symmetric(phonon, born)
    if apart > max(WRONG_SYMMETRY, WRONG_SYMMETRY * largest):
        return f"Born charges that are {apart:.2g} e from having the crystal's symmetry"
    return None


def _sum(charges: Float[np.ndarray, "atoms 3 3"]) -> tuple[float, float]:
    """Return the largest element of the sum, e, and its share of the charges' sizes."""
    total = float(np.abs(charges.sum(axis=0)).max())
    sizes = float(np.abs(charges).max(axis=(1, 2)).sum())
    return total, total / sizes if sizes else 0.0


def _from_symmetric(phonon: "Phonopy | Phono3py", born: BornCharges) -> float:
    """Return how far charges are from their average over the symmetry, e."""
    from phonopy.structure.symmetry import symmetrize_borns_and_epsilon

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is measured here
        found, _ = symmetrize_borns_and_epsilon(
            born.charges,
            born.dielectric,
            phonon.primitive,
            symprec=phonon.symmetry.tolerance,
        )
    return float(np.abs(found - born.charges).max())


def charge_doubts(phonon: "Phonopy") -> Iterator[str]:
    """Yield what a reader must know of a crystal's Born charges.

    Parameters
    ----------
    phonon
        With charges, or without.
    """
    if phonon.nac_params is None:
        return
    total, share = _sum(np.asarray(phonon.nac_params["born"]))
    if share > DOUBTFUL_SUM:
        yield (
            f"The Born charges add up to {total:.2g} e, {share:.0%} of their sizes, and"
            " not to zero: acoustic modes next to Γ, and the splitting of optic ones, "
            "are off by as much. Converge them (k-points, cutoff), or make them again "
            "with phonopy-vasp-born, which enforces the sum."
        )
