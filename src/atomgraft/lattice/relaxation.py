"""Relaxation of atoms and cell, with or without the space group."""

import dataclasses
from typing import Any

import numpy as np
from ase import Atoms

from atomgraft.core.errors import AtomgraftError, BadInputError, reason_of
from atomgraft.lattice.forces import require_known
from atomgraft.lattice.supercells import SYMPREC, require_crystal
from atomgraft.lattice.symmetry import raise_errors_of_spglib, spglib_group
from atomgraft.models.base import AbstractPotential
from atomgraft.models.calculator import GraftCalculator

FMAX = 1e-4
"""eV/Å; a tenth of what a displacement of 0.01 Å does in a soft crystal."""

MAX_STEPS = 500

ROUNDS = 2
"""The neighbours and the strain's reference are taken anew from where it stopped."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Relaxation:
    """Where a crystal came to rest.

    Parameters
    ----------
    atoms
        The relaxed crystal.
    energy
        eV
    is_converged
        Every force, and the stress times the volume over the number of atoms, is
        below the threshold.
    largest_force
        eV/Å
    n_steps
        Steps taken.
    groups
        Space group before and after.
    """

    atoms: Atoms
    energy: float
    is_converged: bool
    largest_force: float
    n_steps: int
    groups: tuple[str, str]


def space_group(atoms: Atoms, symprec: float = SYMPREC) -> str:
    """Return symbol and number of the space group; ``P1 (1)`` where none is found.

    Parameters
    ----------
    atoms
        Periodic in all directions.
    symprec
        Å

    Examples
    --------
    >>> from ase.build import bulk
    >>> space_group(bulk("Si"))
    'Fd-3m (227)'
    """
    symbol, number = spglib_group(atoms, symprec)
    return f"{symbol} ({number})"


def relax(
    atoms: Atoms,
    potential: AbstractPotential,
    *,
    keep_symmetry: bool = True,
    fixed_cell: bool = False,
    fixed_volume: bool = False,
    fmax: float = FMAX,
    max_steps: int = MAX_STEPS,
) -> Relaxation:
    """Relax atoms and cell.

    Parameters
    ----------
    atoms
        Periodic in all directions; not changed.
    potential
        In float64, or forces cannot be brought below 1e-3 eV/Å.
    keep_symmetry
        Project forces, stress and steps on what the space group leaves free.
    fixed_cell
        Move the atoms alone.
    fixed_volume
        Let the cell change its shape alone.
    fmax
        eV/Å
    max_steps
        Steps after which it is given up, with what there is.

    Raises
    ------
    BadInputError
        The potential does not know an element, or the structure is no crystal.
    AtomgraftError
        The crystal fell apart.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.models.pair import stillinger_weber
    >>> found = relax(bulk("Si", a=5.5), stillinger_weber(["Si"]))
    >>> found.is_converged, round(float(found.atoms.cell.lengths()[0]) * 2**0.5, 3)
    (True, 5.431)
    """
    require_known(potential, [atoms])
    require_crystal(atoms)
    before = space_group(atoms)
    moving = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    moving.calc = GraftCalculator(potential)
    n_steps = 0
    is_converged = False
    for _ in range(ROUNDS):
        is_converged, taken = _descend(
            moving,
            (keep_symmetry, fixed_cell, fixed_volume),
            fmax,
            max_steps - n_steps,
        )
        n_steps += taken
        if not is_converged or taken == 0 or n_steps >= max_steps:
            break
    energy = float(moving.get_potential_energy())
    largest = float(
        np.linalg.norm(moving.get_forces(apply_constraint=False), axis=1).max()
    )
    relaxed = Atoms(moving.numbers, moving.positions, cell=moving.cell, pbc=True)
    _refuse_broken(atoms, relaxed, energy)
    return Relaxation(
        atoms=relaxed,
        energy=energy,
        is_converged=is_converged,
        largest_force=largest,
        n_steps=n_steps,
        groups=(before, space_group(relaxed)),
    )


def _descend(
    moving: Atoms,
    fixed: tuple[bool, bool, bool],
    fmax: float,
    max_steps: int,
) -> tuple[bool, int]:
    """Do one round of BFGS; return whether it converged, and its steps.

    Fixed are, or are not, the symmetry, the cell, and its volume.
    """
    from ase.constraints import FixSymmetry
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    keep_symmetry, fixed_cell, fixed_volume = fixed
    moving.set_constraint()
    if keep_symmetry:
        raise_errors_of_spglib()
        moving.set_constraint(FixSymmetry(moving, symprec=SYMPREC))
    target: Any = moving
    if not fixed_cell:
        target = FrechetCellFilter(moving, constant_volume=fixed_volume)
    optimizer = BFGS(target, logfile=None, maxstep=0.1)
    try:
        is_converged = bool(optimizer.run(fmax=fmax, steps=max_steps))
    except (ValueError, np.linalg.LinAlgError) as error:
        raise AtomgraftError(
            f"The relaxation of {moving.get_chemical_formula()} broke down: "
            f"{reason_of(error)}.",
            "Expected a relaxation in which the crystal stays intact.",
            "Check the forces of the model, or use --no-relax.",
        ) from error
    moving.set_constraint()
    return is_converged, int(optimizer.nsteps)


def _refuse_broken(before: Atoms, after: Atoms, energy: float) -> None:
    ratio = after.cell.volume / before.cell.volume
    if not np.isfinite(energy) or not 0.5 < ratio < 2:
        raise AtomgraftError(
            f"{before.get_chemical_formula()} fell apart during relaxation: its "
            f"volume became {ratio:.2g} times the initial one.",
            "Expected a model with which the crystal stays intact.",
            "Check the units of the structure, or use --no-relax.",
        )


def refuse_other_group(found: Relaxation, name: str) -> None:
    """Check that a relaxation that was to keep the space group has kept it.

    Raises
    ------
    BadInputError
        It has not.
    """
    before, after = found.groups
    if before != after:
        raise BadInputError(
            f"{name} is {before}, and became {after} when it was relaxed.",
            "The displacements depend on the space group, which must not change.",
            "Give the structure with positions to at least five digits, or use "
            "--no-relax.",
        )
