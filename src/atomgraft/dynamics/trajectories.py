"""Trajectories of this and other programs, read through ASE, and unwrapped."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from jaxtyping import Float

from atomgraft.core.errors import BadInputError, reason_of
from atomgraft.core.reading import expanded, format_suffix, plain_name, read_lines
from atomgraft.data.geometry import check_geometry

FORMATS = {
    ".extxyz": "extxyz",
    ".xyz": "extxyz",
    ".traj": "traj",
    ".dump": "lammps-dump-text",
    ".lammpstrj": "lammps-dump-text",
}
"""ASE's name by the end of a file's name; XDATCAR is known by its own."""


def read_trajectory(
    path: Path | str,
    *,
    elements: Sequence[str] | None = None,
    spelling: str = "elements=['Si', 'O', ...]",
) -> list[Atoms]:
    """Read the frames of one trajectory: one system, in order of time.

    Parameters
    ----------
    path
        extxyz, ASE ``.traj``, ``XDATCAR`` of VASP, or a text dump of LAMMPS
        (``.dump``, ``.lammpstrj``; lengths in Å); plain or compressed.
    elements
        Of a LAMMPS dump that numbers its atom types: the element of type 1, 2 ...
    spelling
        How `elements` are given, for messages.

    Returns
    -------
    :
        Positions as the file has them; :func:`unwrapped` follows atoms across the
        boundaries of the cell.

    Raises
    ------
    BadInputError
        The file cannot be read, its frames are of different systems, a frame has
        numbers that are not finite or a cell that does not span its periodic
        directions, or a dump does not number its atoms.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "run.extxyz"
    ...     ase.io.write(path, [Atoms("H"), Atoms("H")])
    ...     len(read_trajectory(path))
    2
    """
    path = Path(path)
    name = format_of(path)
    frames = _read(path, name)
    columns = _columns_of(path) if name == "lammps-dump-text" else frozenset()
    if name == "lammps-dump-text" and columns.isdisjoint({"element", "mass"}):
        frames = [_with_elements(one, elements, path, spelling) for one in frames]
    elif elements is not None:
        raise BadInputError(
            f"Elements were given for {path}, which contains its elements.",
            "Only dumps of LAMMPS number their atom types.",
            f"Leave {spelling} out.",
        )
    check_same_system(frames, str(path))
    return frames


def format_of(path: Path) -> str:
    """Return ASE's name for the format of a trajectory.

    Raises
    ------
    BadInputError
        The name tells none that is read.

    Examples
    --------
    >>> format_of(Path("run/XDATCAR.gz")), format_of(Path("md.lammpstrj"))
    ('vasp-xdatcar', 'lammps-dump-text')
    """
    if "xdatcar" in plain_name(path).lower():
        return "vasp-xdatcar"
    found = FORMATS.get(format_suffix(path))
    if found is None:
        raise BadInputError(
            f"{path} has no known trajectory format, by its name.",
            f"Read are {', '.join(FORMATS)} and XDATCAR.",
            "Rename the file, or convert it: ase convert FILE run.extxyz",
        )
    return found


def _read(path: Path, name: str) -> list[Atoms]:
    with expanded(path) as plain, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = ase.io.read(plain, index=":", format=name)
        except Exception as error:
            reason = reason_of(error, with_kind=True)
            raise BadInputError(
                f"{path} cannot be read as {name}: {reason}.",
                "Expected a complete, undamaged trajectory.",
                "Check that the file name matches the content.",
            ) from error
    frames = [one for one in found if isinstance(one, Atoms)]
    if not frames:
        raise BadInputError(
            f"{path} holds no frames.", "Expected at least one.", "Check the file."
        )
    return frames


def _columns_of(path: Path) -> frozenset[str]:
    """Return what every frame of a dump says of its atoms; refuse one without numbers.

    LAMMPS writes atoms in any order, which changes in a run: only ``id`` tells which
    atom is which.
    """
    found: frozenset[str] | None = None
    for line in read_lines(path):
        if not line.startswith("ITEM: ATOMS"):
            continue
        columns = frozenset(line.split()[2:])
        if "id" not in columns:
            raise BadInputError(
                f"The atoms of {path} have no column id.",
                "Rows of a dump are in any order, and only id tells which atom is "
                "which.",
                "Write it: dump 1 all custom 10 md.dump id type x y z, and read the "
                "new file.",
            )
        found = columns if found is None else found & columns
    return found or frozenset()


def _with_elements(
    atoms: Atoms, elements: Sequence[str] | None, path: Path, spelling: str
) -> Atoms:
    """Return a frame whose atomic numbers are types with the elements of these."""
    numbers = atoms.numbers
    if elements is None:
        raise BadInputError(
            f"{path} numbers its atom types {sorted(set(numbers.tolist()))} and names "
            "no elements.",
            "Expected the element of every type.",
            f"Give them in the order of the types: {spelling}",
        )
    table = [atomic_numbers.get(one, 0) for one in elements]
    if 0 in table:
        raise BadInputError(
            f"{elements[table.index(0)]} is no chemical symbol; the elements given are "
            f"{list(elements)}.",
            "Expected one chemical symbol for each type.",
            f"Give them in the order of the types: {spelling}",
        )
    if numbers.min() < 1:
        raise BadInputError(
            f"{path} has an atom of type {numbers.min()}.",
            "LAMMPS numbers its atom types from 1.",
            "Check the file, and the order of its columns.",
        )
    if numbers.max() > len(table):
        raise BadInputError(
            f"{path} has atom types up to {numbers.max()}; the elements given are "
            f"{list(elements)}.",
            "Expected one chemical symbol for each type.",
            f"Give them in the order of the types: {spelling}",
        )
    named = atoms.copy()
    named.numbers = np.array(table)[numbers - 1]
    if "momenta" in atoms.arrays:  # of the masses that ASE takes types for
        named.set_velocities(atoms.get_velocities())
    return named


def check_same_system(frames: Sequence[Atoms], place: str) -> None:
    """Refuse frames that are not of one system, or that no potential could see.

    Raises
    ------
    BadInputError
        Elements or periodic directions differ between frames; a position, a cell or a
        momentum is not finite; or a cell does not span its periodic directions.
    """
    for i, one in enumerate(frames):
        check_geometry(one, f"Frame {i} of {place}")
        if not np.isfinite(one.arrays.get("momenta", 0.0)).all():
            raise BadInputError(
                f"Frame {i} of {place} has momenta that are not finite.",
                "Expected numbers.",
                "Repair the frame, or leave its momenta out of the file.",
            )
        same = np.array_equal(one.numbers, frames[0].numbers)
        if not same or (one.pbc != frames[0].pbc).any():
            raise BadInputError(
                f"Frame {i} of {place} is of {one.get_chemical_formula()}, frame 0 of "
                f"{frames[0].get_chemical_formula()}, or their order or periodic "
                "directions differ.",
                "The frames of one trajectory have the same atoms in the same order.",
                "Give the frames of one run only.",
            )


def unwrapped(frames: Sequence[Atoms]) -> Float[np.ndarray, "frames atoms 3"]:
    """Return positions that follow each atom across the boundaries of the cell.

    Between two frames every atom takes the shortest way, in fractional coordinates;
    so frames must be close enough that no atom moves by half a cell between them.
    Cells may change; positions that are unwrapped already stay as they are.

    Parameters
    ----------
    frames
        Of one system, in order of time.

    Returns
    -------
    :
        Å; the first frame as it is.

    Examples
    --------
    >>> frames = [
    ...     Atoms("H", positions=[[x, 0, 0]], cell=[4, 4, 4], pbc=True)
    ...     for x in (3.5, 0.0, 0.5)
    ... ]
    >>> unwrapped(frames)[:, 0, 0].tolist()
    [3.5, 4.0, 4.5]
    """
    check_same_system(frames, "the trajectory")
    cells = np.array([one.cell.complete().array for one in frames])
    positions = np.array([one.positions for one in frames])
    fractions = np.linalg.solve(
        cells.transpose(0, 2, 1), positions.transpose(0, 2, 1)
    ).transpose(0, 2, 1)
    crossed = -np.round(np.diff(fractions, axis=0)) * frames[0].pbc
    turns = np.cumsum(crossed, axis=0)
    found = positions.copy()
    found[1:] += turns @ cells[1:]
    return found
