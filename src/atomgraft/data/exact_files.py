"""Labelled structures on disk to the last digit, so that a subset is what it was."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.storage import write_atomically
from atomgraft.data.differences import (
    CALCULATION,
    DISPLACEMENT,
    SYMMETRY_TOLERANCE,
)
from atomgraft.data.labels import (
    ENERGY,
    FORCES,
    STRESS,
    energy_of,
    forces_of,
    stress_of,
)
from atomgraft.data.splits import GROUP_KEYS

KEPT = ("config_type", CALCULATION, *GROUP_KEYS)
"""Entries of ``info``, besides labels, that mean something to atomgraft."""


MOMENTS = "initial_magmoms"
"""ASE's name for magnetic moments: numbers, or vectors."""


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
    write_atomically(path, "".join(_frame(atoms) for atoms in structures))


def _frame(atoms: Atoms) -> str:
    arrays = {FORCES: forces_of(atoms), DISPLACEMENT: atoms.arrays.get(DISPLACEMENT)}
    there = {name: one for name, one in arrays.items() if one is not None}
    if np.any(moments := atoms.get_initial_magnetic_moments()):
        there[MOMENTS] = moments.reshape(len(atoms), -1)
    rows = np.concatenate([atoms.positions, *there.values()], axis=1)
    widths = {name: one.shape[1] for name, one in there.items()}
    lines = [str(len(atoms)), _comment(atoms, widths)]
    lines += [
        f"{symbol} {_numbers(row)}"
        for symbol, row in zip(atoms.symbols, rows, strict=True)
    ]
    return "\n".join(lines) + "\n"


def _comment(atoms: Atoms, widths: Mapping[str, int]) -> str:
    parts: list[str] = []
    if atoms.cell.array.any():
        parts.append(f'Lattice="{_numbers(atoms.cell.array.ravel())}"')
    columns = "".join(f":{name}:R:{width}" for name, width in widths.items())
    parts.append(f"Properties=species:S:1:pos:R:3{columns}")
    energy, stress = energy_of(atoms), stress_of(atoms)
    if energy is not None:
        parts.append(f"{ENERGY}={energy!r}")
    if stress is not None:
        parts.append(f'{STRESS}="{_numbers(stress)}"')
    if SYMMETRY_TOLERANCE in atoms.info:
        parts.append(f"{SYMMETRY_TOLERANCE}={float(atoms.info[SYMMETRY_TOLERANCE])!r}")
    parts += [
        f"{key}={_quoted(str(atoms.info[key]))}" for key in KEPT if key in atoms.info
    ]
    parts.append(f'pbc="{" ".join("FT"[int(one)] for one in atoms.pbc)}"')
    return " ".join(parts)


def _numbers(values: Float[np.ndarray, " values"]) -> str:
    return " ".join(repr(float(one)) for one in values)


def _quoted(text: str) -> str:
    """Return text in quotes, its own quotes and line ends escaped as ASE reads them."""
    safe = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{safe}"'
