"""Writing a trajectory whose cell does not change, compressed."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.storage import write_atomically

N_DECIMALS = 5
"""Of positions, Å: thermal motion is a thousand times larger."""

LEVEL = 4
"""Of compression: half the time of the default, and nearly its size."""


def write_trajectory(
    path: Path,
    atoms: Atoms,
    positions: Float[np.ndarray, "frames atoms 3"],
    *,
    energies: Sequence[float] | Float[np.ndarray, " frames"],
    frame_every: int,
    timestep: float,
) -> None:
    """Write frames as gzipped extxyz, whole or not at all.

    Each frame has its step, time (fs) and potential energy (eV), as recordings of our
    own dynamics do.

    Parameters
    ----------
    path
        Ends in ``.extxyz.gz``.
    atoms
        Elements and cell.
    positions
        Å, unwrapped.
    energies
        eV, one a frame.
    frame_every
        Steps between two frames.
    timestep
        fs

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    cell = " ".join(f"{x:.10f}" for x in atoms.cell.array.ravel())
    head = f'Lattice="{cell}" Properties=species:S:1:pos:R:3 pbc="T T T"'
    number = f"%.{N_DECIMALS}f"
    rows = [f"{one} {number} {number} {number}" for one in atoms.symbols]
    form = "\n".join(rows)
    texts: list[str] = []
    for i, (frame, energy) in enumerate(zip(positions, energies, strict=True)):
        step = i * frame_every
        texts.append(
            f"{len(atoms)}\n{head} step={step} time={step * timestep} "
            f"potential_energy={energy:.8f}\n{form % tuple(frame.ravel())}\n"
        )
    write_atomically(path, gzip.compress("".join(texts).encode(), LEVEL, mtime=0))
