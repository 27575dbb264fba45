"""Reading finished labels of a selection back."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from jaxtyping import Int

from atomgraft.core.errors import BadInputError
from atomgraft.core.storage import is_file
from atomgraft.data.canonical import UNCONVERGED
from atomgraft.data.labels import energy_of, forces_of, set_labels, stress_of
from atomgraft.data.readers import read_structures
from atomgraft.label.dft_inputs import FOLDER

OUTPUTS = {
    "vasp": ("vasprun.xml", "OUTCAR"),
    "espresso": ("pw.out", "pw.pwo"),
    "gpaw": ("label.extxyz",),
}
"""Files that a program leaves when it has finished, the best first."""

SAME_PLACE = 0.01
"""Å by which a labelled atom may differ from the proposed one: what formats round."""


class UnconvergedOutputError(BadInputError):
    """The electrons of a calculation did not converge."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Collected:
    """What was read back.

    Parameters
    ----------
    structures
        Labelled, atoms in the order of the proposals.
    missing
        Numbers of the structures without a finished output; the first is 1.
    program
        Which program labelled them.
    unconverged
        Numbers of the structures whose electrons did not converge, with the reasons.
    """

    structures: tuple[Atoms, ...]
    missing: tuple[int, ...]
    program: str
    unconverged: dict[int, str] = dataclasses.field(default_factory=dict)


def collect(folder: Path, proposals: Sequence[Atoms]) -> Collected:
    """Read the labels of a selection back, as many as there are.

    Parameters
    ----------
    folder
        Of the selection; it holds ``label/001`` and so on.
    proposals
        The chosen structures, in order.

    Raises
    ------
    BadInputError
        There are none yet, they come from several programs, an output cannot be
        read, or it belongs to another structure.
    """
    found = {
        i: output
        for i in range(1, len(proposals) + 1)
        if (output := _output(folder / FOLDER / f"{i:03d}")) is not None
    }
    programs = sorted({program for program, _ in found.values()})
    if len(programs) != 1:
        raise _not_one_program(folder, programs)
    structures: list[Atoms] = []
    unconverged: dict[int, str] = {}
    for i, (_, path) in sorted(found.items()):
        try:
            structures.append(labelled_by(proposals[i - 1], path))
        except UnconvergedOutputError as error:
            unconverged[i] = error.came
    missing = tuple(i for i in range(1, len(proposals) + 1) if i not in found)
    return Collected(
        structures=tuple(structures),
        missing=missing,
        program=programs[0],
        unconverged=unconverged,
    )


def _output(place: Path) -> tuple[str, Path] | None:
    """Return program and file of a finished calculation.

    Raises
    ------
    BadInputError
        Two programs have labelled the structure.
    """
    there = [
        (program, place / program / name)
        for program, names in OUTPUTS.items()
        for name in names
        if is_file(place / program / name)
    ]
    programs = sorted({program for program, _ in there})
    if len(programs) > 1:
        raise _not_one_program(place, programs)
    return there[0] if there else None


def labelled_by(proposal: Atoms, path: Path) -> Atoms:
    """Return a structure with the labels of an output, atoms in its own order.

    Parameters
    ----------
    proposal
        The structure.
    path
        Output of a static calculation of it.

    Raises
    ------
    BadInputError
        It cannot be read, belongs to another structure, or its electrons did not
        converge.
    """
    frames = read_structures([path])
    if len(frames) != 1:
        raise BadInputError(
            f"{path} holds {len(frames)} ionic steps.",
            "Expected a static calculation of one proposed structure.",
            "Run it with the inputs that were written (no relaxation).",
        )
    [frame] = frames
    if UNCONVERGED in frame.info:
        raise UnconvergedOutputError(
            f"The electrons of {path} did not converge: {frame.info[UNCONVERGED]}.",
            "Expected a converged energy; forces of others may be far off.",
            "Run it again with more steps or another mixing, or move the output away.",
        )
    order = _order(proposal, frame, path)
    atoms = proposal.copy()
    forces = forces_of(frame)
    set_labels(
        atoms,
        energy=energy_of(frame),
        forces=None if forces is None else forces[order],
        stress=stress_of(frame),
    )
    return atoms


def _order(proposal: Atoms, frame: Atoms, path: Path) -> Int[np.ndarray, " atoms"]:
    """Return which atom of a labelled frame each proposed atom is."""
    is_same = sorted(proposal.numbers) == sorted(frame.numbers)
    if is_same and np.allclose(proposal.cell.array, frame.cell.array, atol=SAME_PLACE):
        pbc: Any = proposal.cell.rank == 3  # programs wrap molecules in boxes, too
        vectors = frame.positions[None] - proposal.positions[:, None]
        flat, _ = find_mic(vectors.reshape(-1, 3), proposal.cell, pbc)
        distances = np.linalg.norm(flat, axis=1).reshape(len(proposal), -1)
        distances[proposal.numbers[:, None] != frame.numbers[None]] = np.inf
        order = distances.argmin(axis=1)
        is_map = len(set(order.tolist())) == len(proposal)
        if is_map and distances.min(axis=1).max() < SAME_PLACE:
            return order
    raise BadInputError(
        f"{path} is a calculation of a different structure than the proposed one.",
        f"Expected the same species, cell and positions (within {SAME_PLACE:g} Å).",
        "Put each output into the folder of its own input.",
    )


def _not_one_program(place: Path, programs: Sequence[str]) -> BadInputError:
    if programs:
        return BadInputError(
            f"{place} holds outputs of {' and '.join(programs)}.",
            "A set of labels must have one level of theory.",
            "Move the outputs of the other program to another folder.",
        )
    names = ", ".join(f"{key}/{one[0]}" for key, one in OUTPUTS.items())
    return BadInputError(
        f"{place} holds no finished output.",
        f"Expected {names} in a folder such as {FOLDER}/001.",
        "Run the calculations first; see the notes printed when the inputs were "
        "written.",
    )
