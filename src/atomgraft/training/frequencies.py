"""Errors of force differences, counted as the errors of frequencies they stand for.

A displacement u of some atoms, with masses M, is a trial vector of the dynamical
matrix D (Born and Huang, Dynamical Theory of Crystal Lattices, 1954),

    e = M^(1/2) u / |M^(1/2) u|,      ω² = e·D e = -u·F / |M^(1/2) u|²,

with F the response in forces. An error δF of the response is one of D e, and changes
ω² along no unit vector by more than its length, so that to first order

    |δω| <= |M^(-1/2) δF| / (2 (-u·F)^(1/2)).

The right-hand side is the error of a frame, THz. Stiff and soft crystals, heavy and
light atoms, small and large supercells count by what they do to frequencies.
"""

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.data.differences import DISPLACEMENT
from atomgraft.data.labels import forces_of

THZ = 15.633302
"""Of one (eV/(Å² u))^(1/2), over 2π."""

SOFTEST = 0.5
"""THz; a softer or unstable displacement counts as if it had this frequency."""


def frequency_of(atoms: Atoms) -> float:
    """Return the frequency of a frame's displacement, THz, `SOFTEST` at least.

    Parameters
    ----------
    atoms
        With an array `DISPLACEMENT`, and differences for its force labels.

    Examples
    --------
    >>> from atomgraft.data.labels import set_labels
    >>> atoms = Atoms("C")
    >>> atoms.arrays[DISPLACEMENT] = np.array([[0.01, 0, 0]])
    >>> set_labels(atoms, forces=np.array([[-0.2, 0, 0]]))
    >>> round(frequency_of(atoms), 2)  # (20 eV/Å² / 12.011 u)^(1/2)
    20.17
    """
    work, inertia = _work_and_inertia(atoms)
    return max(SOFTEST, THZ * max(0.0, work / inertia) ** 0.5)


def frequency_weights(atoms: Atoms) -> Float[np.ndarray, "atoms 1"]:
    """Return what an error in the force of each atom makes of the frequency.

    Parameters
    ----------
    atoms
        With an array `DISPLACEMENT`, and differences for its force labels.

    Returns
    -------
    :
        THz per eV/Å; a frame's error is the length of forces times weights.
    """
    _, inertia = _work_and_inertia(atoms)
    root = inertia**0.5 * frequency_of(atoms) / THZ  # (-u·F)^(1/2), floored
    return THZ / (2 * root * np.sqrt(atoms.get_masses()[:, None]))


def _work_and_inertia(atoms: Atoms) -> tuple[float, float]:
    """Return -u·F, eV, and u·M u, Å² u."""
    u, forces = atoms.arrays[DISPLACEMENT], forces_of(atoms)
    assert forces is not None  # a difference has them
    inertia = float(np.sum(atoms.get_masses()[:, None] * u**2))
    return float(-np.sum(u * forces)), inertia
