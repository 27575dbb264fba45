"""Writing labelled structures with all digits."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress
from jaxtyping import Float

from atomgraft.core.storage import write_atomically
from atomgraft.data.label_keys import VOIGT
from atomgraft.data.labels import (
    ENERGY,
    FORCES,
    STRESS,
    energy_of,
    forces_of,
    stress_of,
)
from atomgraft.data.partners import (
    CALCULATION,
    DISPLACEMENT,
    SYMMETRY_TOLERANCE,
)
from atomgraft.data.splits import GROUP_KEYS

KEPT = ("config_type", CALCULATION, *GROUP_KEYS)
"""Entries of ``info``, besides labels, that mean something to atomgraft."""


MOMENTS = "initial_magmoms"
"""ASE's name for magnetic moments: numbers, or vectors."""

OF_ASE = frozenset({"numbers", "positions"})

OF_FRAME, BY_ATOM = ("energy", "free_energy", "stress"), ("forces",)
"""Results of a calculator that are labels."""

MOVE_MASK = "move_mask"
"""ASE's name for the column of atoms that are free."""

KINDS = {"f": "R", "i": "I", "u": "I", "b": "L"}
"""Kinds of numbers, by numpy's letter, and their letter in extended XYZ."""

_KEY = re.compile(r"(?!Lattice$|Properties$|pbc$)[^\s=\"':]+")


def write_exactly(path: Path, structures: Sequence[Atoms]) -> None:
    """Write extended XYZ that reads back with the same bits, whole or not at all.

    ASE writes eight decimals, which makes every structure a slightly different one;
    here each number has as many digits as it needs. Kept are geometry, magnetic
    moments, labels, displacements and the entries of ``info`` in `KEPT`.

    Parameters
    ----------
    path
        Ends in ``.extxyz``.
    structures
        With labels under the canonical keys.

    Raises
    ------
    StorageError
        The file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from atomgraft.data.readers import read_structures
    >>> third = Atoms("H", positions=[[1 / 3, 0, 0]], info={"REF_energy": -1 / 3})
    >>> with TemporaryDirectory() as folder:
    ...     write_exactly(Path(folder) / "one.extxyz", [third])
    ...     [again] = read_structures([Path(folder) / "one.extxyz"])
    >>> float(again.positions[0, 0]), again.info["REF_energy"]
    (0.3333333333333333, -0.3333333333333333)
    """
    write_atomically(path, raw_text([_reduced(atoms) for atoms in structures]))


def raw_text(structures: Sequence[Atoms]) -> str:
    """Return extended XYZ that reads back as the structures themselves would.

    Labels stay under the keys they have, results of a calculator stand beside them,
    and constrained atoms are marked, so that whatever the readers and checks ask has
    the same answer. Kept are numbers and truth values of each atom, and of ``info``
    also texts and vectors.

    Parameters
    ----------
    structures
        As a user has them; not changed.

    Examples
    --------
    >>> print(raw_text([Atoms("H", info={"energy": -1 / 3, "head": "PBE"})]), end="")
    1
    Properties=species:S:1:pos:R:3 energy=-0.3333333333333333 head="PBE" pbc="F F F"
    H 0.0 0.0 0.0
    """
    return "".join(map(_frame, structures))


def _frame(atoms: Atoms) -> str:
    results = {} if atoms.calc is None else dict(atoms.calc.results)
    by_atom = {key: results[key] for key in BY_ATOM if results.get(key) is not None}
    by_atom |= {k: v for k, v in atoms.arrays.items() if k not in OF_ASE}
    if atoms.constraints:
        held = np.unique([i for one in atoms.constraints for i in one.get_indices()])
        by_atom[MOVE_MASK] = ~np.isin(np.arange(len(atoms)), held)
    columns = {
        key: np.asarray(one).reshape(len(atoms), -1)
        for key, one in by_atom.items()
        if _KEY.fullmatch(key) and np.asarray(one).dtype.kind in KINDS
    }
    layout = "".join(
        f":{key}:{KINDS[one.dtype.kind]}:{one.shape[1]}" for key, one in columns.items()
    )
    parts = (
        [] if not atoms.cell.array.any() else [_entry("Lattice", atoms.cell.array.T)]
    )
    parts.append(f"Properties=species:S:1:pos:R:3{layout}")
    whole = {key: results[key] for key in OF_FRAME if results.get(key) is not None}
    stress = whole.get("stress")
    if stress is not None and np.size(stress) == len(VOIGT):  # in ASE's order
        whole["stress"] = voigt_6_to_full_3x3_stress(stress)
    named = {**whole, **atoms.info}
    parts += [_entry(key, one) for key, one in named.items() if _KEY.fullmatch(key)]
    parts.append(_entry("pbc", atoms.pbc))
    lines = [str(len(atoms)), " ".join(one for one in parts if one)]
    for i, symbol in enumerate(atoms.symbols):
        words = [symbol, _numbers(atoms.positions[i])]
        words += [_text(value) for one in columns.values() for value in one[i]]
        lines.append(" ".join(words))
    return "\n".join(lines) + "\n"


def _entry(key: str, value: object) -> str:
    """Return an entry of the comment line, matrices column by column as ASE has it.

    Nothing is returned for what is neither text nor numbers.
    """
    if isinstance(value, str):
        return f"{key}={_quoted(value)}"
    if not isinstance(
        value, bool | int | float | list | tuple | np.ndarray | np.generic
    ):
        return ""
    try:
        array = np.asarray(value)
    except ValueError:  # lists of several lengths
        return ""
    if array.dtype.kind not in KINDS or not array.size:
        return ""
    if not array.ndim:
        return f"{key}={_text(array.ravel()[0])}"
    return f'{key}="{" ".join(map(_text, array.ravel(order="F")))}"'


def _text(value: np.generic) -> str:
    """Return a number with all its digits, or a truth value."""
    plain = value.item()
    return "FT"[plain] if isinstance(plain, bool) else repr(plain)


def _reduced(atoms: Atoms) -> Atoms:
    """Return a structure with what means something to atomgraft, and nothing else."""
    plain = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    arrays = {FORCES: forces_of(atoms), DISPLACEMENT: atoms.arrays.get(DISPLACEMENT)}
    if np.any(moments := atoms.get_initial_magnetic_moments()):
        arrays[MOMENTS] = moments
    plain.arrays |= {
        name: np.asarray(one, dtype=float)
        for name, one in arrays.items()
        if one is not None
    }
    info = {ENERGY: energy_of(atoms), STRESS: stress_of(atoms)}
    if SYMMETRY_TOLERANCE in atoms.info:
        info[SYMMETRY_TOLERANCE] = float(atoms.info[SYMMETRY_TOLERANCE])
    info |= {key: str(atoms.info[key]) for key in KEPT if key in atoms.info}
    plain.info = {key: one for key, one in info.items() if one is not None}
    return plain


def _numbers(values: Float[np.ndarray, " values"]) -> str:
    return " ".join(repr(float(one)) for one in values)


def _quoted(text: str) -> str:
    """Return text in quotes, its own quotes and line ends escaped as ASE reads them."""
    safe = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{safe}"'
