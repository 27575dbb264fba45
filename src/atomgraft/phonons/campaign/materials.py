"""The materials of a campaign: phonopy calculations or structures in a folder."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from atomgraft.core.errors import BadInputError
from atomgraft.core.storage import is_folder
from atomgraft.data.force_sets import (
    ForceSets,
    is_phonopy_calculation,
    read_force_sets,
)
from atomgraft.data.labels import structures_fingerprint
from atomgraft.data.readers import read_structures
from atomgraft.lattice.relaxation import space_group
from atomgraft.lattice.supercells import crystal
from atomgraft.lattice.symmetry import has_unlike_supercell
from atomgraft.phonons.campaign.record import CampaignMaterial
from atomgraft.phonons.crystals import LABELLED, read_crystal
from atomgraft.phonons.supercell_choice import Team, teams_of

if TYPE_CHECKING:
    from atomgraft.lattice.supercells import Phonopy

STRUCTURES = (".cif", ".vasp", ".poscar", ".xsf", *LABELLED)
"""Endings of files that are read as a structure; ``POSCAR`` and ``CONTCAR`` too."""

ANIONS = (
    *("F", "O", "Cl", "N", "Br", "I", "S", "Se", "Te"),
    *("P", "As", "Sb", "Bi", "C", "Si", "Ge", "B", "H"),
)
"""The first of these that a material holds beside another element is its anion."""

MOST_NAMED = 5
"""Names in a message; more are counted."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Material:
    """One crystal of the folder.

    Parameters
    ----------
    card
        What the result says of it.
    path
        Where it is.
    has_own_labels
        Training can read its displaced supercells from its own file; otherwise they
        are written anew beside the results.
    teams
        Its displaced supercells, in the order of the file.
    is_magnetic
        Its file has magnetic moments.
    has_unlike_supercell
        The supercell of its file has another point group than the primitive cell.
    """

    card: CampaignMaterial
    path: str
    has_own_labels: bool
    teams: tuple[Team, ...] = ()
    is_magnetic: bool = False
    has_unlike_supercell: bool = False

    @property
    def can_be_answered(self) -> bool:
        """The base can stand in for labels: one atom is displaced at once, not far."""
        return bool(self.teams) and self.teams[0].displaced is not None

    @property
    def name(self) -> str:
        """Unique in the campaign, and the name of a file."""
        return self.card.name


def read_materials(
    folder: Path, *, symprec: float, known: frozenset[int]
) -> tuple[tuple[Material, ...], tuple[str, ...]]:
    """Read every calculation and structure of a folder.

    Parameters
    ----------
    folder
        One material a file, or a subfolder with a calculation of phonopy.
    symprec
        Tolerance of the symmetry search, Å.
    known
        Atomic numbers that the base knows; a material with another one is marked, and
        the campaign goes on without it.

    Returns
    -------
    materials
        By name.
    notices
        What was passed over.

    Raises
    ------
    BadInputError
        There is none, one cannot be read, or two have one name.
    """
    if not is_folder(folder):
        raise BadInputError(
            f"{folder} is no folder.",
            "Expected a folder of phonopy calculations or structures.",
            "For one crystal use: atomgraft phonons FILE --model BASE",
        )
    paths, skipped = _sorted_out(folder)
    if not paths:
        raise BadInputError(
            f"{folder} contains no phonopy calculation and no structure.",
            "Expected files such as phonopy_params.yaml, *.yaml.xz, POSCAR or "
            "*.cif, or subfolders with one calculation each.",
            "Check the path.",
        )
    found = [_material(path, folder, symprec, known) for path in paths]
    _refuse_same_names(found)
    notices = [f"Not read in {folder.name}: {listed(skipped)}."] if skipped else []
    return tuple(found), (*notices, *_of_symmetry(found))


def _of_symmetry(found: Sequence[Material]) -> Iterator[str]:
    """Say which materials have less symmetry than their lattice."""
    magnetic = [one.name for one in found if one.is_magnetic]
    if magnetic:
        yield (
            f"The symmetry used is that with magnetic moments: {listed(magnetic)}. "
            "The models do not use moments."
        )
    unlike = [one.name for one in found if one.has_unlike_supercell]
    if unlike:
        yield (
            "The supercell and the primitive cell have different point groups, so "
            f"that equivalent q-points differ in frequency: {listed(unlike)}."
        )


def _sorted_out(folder: Path) -> tuple[list[Path], list[str]]:
    """Return what can be a material, and the names of what cannot."""
    entries = sorted(one for one in folder.iterdir() if not one.name.startswith("."))
    kept = [one for one in entries if _is_material(one)]
    return kept, [one.name for one in entries if one not in kept]


def _is_material(path: Path) -> bool:
    if is_phonopy_calculation(path):
        return True
    name = path.name.upper()
    is_named = name.startswith(("POSCAR", "CONTCAR"))
    return not path.is_dir() and (is_named or path.suffix.lower() in STRUCTURES)


def listed(names: Sequence[str]) -> str:
    """Return names for a message; many are counted.

    Examples
    --------
    >>> listed(["a", "b"])
    'a, b'
    """
    shown = ", ".join(names[:MOST_NAMED])
    n_more = len(names) - MOST_NAMED
    return f"{shown} and {n_more} more" if n_more > 0 else shown


def _material(
    path: Path, folder: Path, symprec: float, known: frozenset[int]
) -> Material:
    sets, atoms = _read(path, symprec)
    unknown = sorted({int(Z) for Z in atoms.numbers} - known)
    symbols = ", ".join(chemical_symbols[Z] for Z in unknown)
    group = space_group(atoms, symprec)
    card = CampaignMaterial(
        name=_name(path),
        file=str(path.relative_to(folder)),
        formula=atoms.get_chemical_formula(empirical=True),
        elements=tuple(sorted(set(atoms.get_chemical_symbols()))),
        space_group=group,
        family=family_of(atoms, group),
        has_reference=sets is not None,
        n_supercells=0 if sets is None else len(sets.forces),
        n_atoms_supercell=len(atoms) if sets is None else len(sets.ideal),
        content=structures_fingerprint([atoms]) if sets is None else sets.content,
        reason=f"The base does not support {symbols}." if unknown else None,
    )
    phonon = None if sets is None else _built(sets, symprec)
    return Material(
        card=card,
        path=str(path.resolve()),
        has_own_labels=sets is not None and _has_own_labels(path, sets),
        teams=() if sets is None else teams_of(sets.ideal, sets.displacements, symprec),
        is_magnetic=bool(np.any(atoms.get_initial_magnetic_moments())),
        has_unlike_supercell=phonon is not None and has_unlike_supercell(phonon),
    )


def _built(sets: ForceSets, symprec: float) -> "Phonopy | None":
    """Return the crystal of displaced supercells; none where it cannot be built.

    Its own cell of the campaign says why, and the others go on.
    """
    try:
        return crystal(
            sets.unit_cell, sets.supercell_matrix, sets.primitive_matrix, symprec
        )
    except BadInputError:
        return None


def _read(path: Path, symprec: float) -> tuple[ForceSets | None, Atoms]:
    """Return the displaced supercells, where there are any, and the unit cell."""
    if is_phonopy_calculation(path):
        sets = read_force_sets(path)
        return sets, sets.unit_cell
    found = read_crystal(str(path), symprec=symprec)
    sets = None if found.reference is None else found.reference.sets
    return sets, found.atoms


def _name(path: Path) -> str:
    stem = path.name if path.is_dir() else path.name.partition(".")[0]
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", stem) or "crystal"


def _has_own_labels(path: Path, sets: ForceSets) -> bool:
    """Tell whether the reader of training sets finds these very supercells."""
    if path.is_dir() or not is_phonopy_calculation(path):
        return False
    try:
        [first] = read_structures([f"{path}@0"])
    except BadInputError:  # forces stand in another file
        return False
    forces = first.arrays.get("REF_forces")
    return forces is not None and bool(np.array_equal(forces, sets.forces[0]))


def family_of(atoms: Atoms, group: str) -> str:
    """Return prototype and anion of a crystal: who is in one family is no stranger.

    Parameters
    ----------
    atoms
        A unit cell.
    group
        Its space group.

    Examples
    --------
    >>> from ase.build import bulk
    >>> family_of(bulk("NaCl", "rocksalt", a=5.6), "Fm-3m (225)")
    'AB Fm-3m (225) Cl'
    """
    prototype, _, _ = atoms.symbols.formula.stoichiometry()
    present = set(atoms.get_chemical_symbols())
    anion = next((one for one in ANIONS if one in present), None)
    if anion is None or len(present) == 1:
        return f"{prototype} {group}"
    return f"{prototype} {group} {anion}"


def _refuse_same_names(found: Iterable[Material]) -> None:
    counts = Counter(one.name for one in found)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise BadInputError(
            f"Two materials have the name {twice[0]}.",
            "A material, and its result folders, are named by the part of the file "
            "name before the first dot.",
            "Rename one of the files.",
        )


def balanced_folds(
    groups: Sequence[str], n_folds: int, rng: np.random.Generator
) -> tuple[int, ...]:
    """Deal members out to folds of about equal size; a group is never torn apart.

    Parameters
    ----------
    groups
        The group of each member; members of one group share a fold.
    n_folds
        Two at least.
    rng
        Decides the order in which groups are dealt out.

    Returns
    -------
    :
        The fold of each member, from zero; no fold is empty.

    Raises
    ------
    BadInputError
        There are fewer groups than folds.

    Examples
    --------
    >>> folds = balanced_folds(["a", "b", "a", "c"], 2, np.random.default_rng(0))
    >>> folds[0] == folds[2], sorted(set(folds))
    (True, [0, 1])
    """
    names = sorted(set(groups))
    if len(names) < n_folds:
        raise BadInputError(
            f"{n_folds} folds were requested, and the materials form {len(names)} "
            "groups that must stay together.",
            "Each fold needs at least one group.",
            f"Use --folds {len(names)} or fewer."
            if len(names) > 1
            else "Give more materials.",
        )
    shuffled = [names[i] for i in rng.permutation(len(names))]
    sizes = {name: sum(one == name for one in groups) for name in names}
    filled = [0] * n_folds
    fold_of: dict[str, int] = {}
    for name in sorted(shuffled, key=lambda one: -sizes[one]):  # stable: order kept
        fold = int(np.argmin(filled))
        fold_of[name] = fold
        filled[fold] += sizes[name]
    return tuple(fold_of[one] for one in groups)
