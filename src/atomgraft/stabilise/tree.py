"""What a tree of distortions is made of, and how a crystal in it is recognised."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from ase import Atoms
from jaxtyping import Int

from atomgraft.lattice.harmonic import Harmonic
from atomgraft.lattice.modulations import Instability
from atomgraft.lattice.relaxation import Relaxation
from atomgraft.lattice.supercells import SYMPREC
from atomgraft.lattice.symmetry import primitive_of, spglib_group
from atomgraft.stabilise.daughters import (
    SAME_ENERGY,
    SYMPRECS,
    Trial,
    is_same,
    symmetrised,
)

if TYPE_CHECKING:
    from atomgraft.lattice.cells import Phonopy


@runtime_checkable
class Engine(Protocol):
    """What a descent asks of a potential."""

    def energies(self, structures: Sequence[Atoms]) -> list[float]:
        """Return energies per atom, eV."""
        ...

    def relax(self, atoms: Atoms, *, keep_symmetry: bool) -> Relaxation:
        """Return the relaxed crystal."""
        ...

    def vibrate(self, phonon: "Phonopy") -> Harmonic:
        """Return the force constants for displacements."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """The distortion that leads from one crystal to another."""

    parent: int
    daughter: int
    label: str
    instability: Instability
    trial: Trial


@dataclasses.dataclass(kw_only=True)
class Crystal:
    """One crystal of the tree.

    Parameters
    ----------
    number
        Its place in the tree.
    depth
        Distortions from the first.
    atoms
        Relaxed, primitive but for the first one.
    energy
        eV per atom.
    symprec
        Tolerance at which its symmetry was found, Å; zero if the crystal was not made
        exactly symmetric.
    space_group
        Symbol and number.
    relaxation
        How it was relaxed.
    harmonic
        Its force constants; none where it was not relaxed to the end.
    lowest
        Lowest frequency of the commensurate grid, THz.
    soft
        Its instabilities with their names.
    counts
        Of the trials of its daughters, by what became of them.
    notes
        What a reader must know.
    """

    number: int
    depth: int
    atoms: Atoms
    energy: float
    symprec: float
    space_group: tuple[str, int]
    relaxation: Relaxation
    harmonic: Harmonic | None = None
    lowest: float | None = None
    soft: tuple[tuple[str, Instability], ...] = ()
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(kw_only=True)
class Tree:
    """All crystals that were found, and the ways between them."""

    crystals: list[Crystal]
    steps: list[Step]


def first_crystal(found: Relaxation) -> Crystal:
    """Return the first crystal, in the cell that came.

    Parameters
    ----------
    found
        How it was relaxed with its symmetry.
    """
    before, after = found.groups
    notes = [] if found.is_converged else [_not_converged(found)]
    if before != after:
        notes.append(f"it was {before} before it was relaxed")
    return Crystal(
        number=0,
        depth=0,
        atoms=found.atoms,
        energy=found.energy / len(found.atoms),
        symprec=SYMPREC,
        space_group=spglib_group(found.atoms, SYMPREC),
        relaxation=found,
        notes=notes,
    )


def _not_converged(found: Relaxation) -> str:
    return (
        f"not converged after {found.n_steps} steps: the largest force is "
        f"{found.largest_force:.2g} eV/Å, and no phonons were computed"
    )


def recognised(number: int, depth: int, found: Relaxation, engine: Engine) -> Crystal:
    """Return a daughter; made exactly symmetric it is relaxed once more.

    Parameters
    ----------
    number
        Its place in the tree.
    depth
        Distortions from the first.
    found
        How it was relaxed without symmetry.
    engine
        A potential.
    """
    if not found.is_converged:
        atoms = primitive_of(found.atoms, SYMPRECS[-1])
        return Crystal(
            number=number,
            depth=depth,
            atoms=atoms,
            energy=found.energy / len(found.atoms),
            symprec=0.0,
            space_group=spglib_group(atoms, SYMPRECS[-1]),
            relaxation=found,
            notes=[_not_converged(found)],
        )
    shape, symprec = symmetrised(found.atoms, engine.energies)
    again = engine.relax(shape, keep_symmetry=True)
    return Crystal(
        number=number,
        depth=depth,
        atoms=again.atoms,
        energy=again.energy / len(again.atoms),
        symprec=symprec,
        space_group=spglib_group(again.atoms, SYMPREC),
        relaxation=dataclasses.replace(
            again, n_steps=found.n_steps + again.n_steps, groups=found.groups
        ),
    )


def known_crystal(tree: Tree, found: Crystal) -> Crystal | None:
    """Return the crystal of the tree that was found again, or none.

    Parameters
    ----------
    tree
        What there is.
    found
        A daughter.
    """
    primitive = primitive_of(found.atoms)
    for one in tree.crystals:
        same_group = one.space_group[1] == found.space_group[1]
        same_energy = abs(one.energy - found.energy) * 1000 < SAME_ENERGY
        if same_group and same_energy and is_same(primitive_of(one.atoms), primitive):
            return one
    return None


def supercell_rows(harmonic: Harmonic) -> Int[np.ndarray, "3 3"]:
    """Return the supercell of force constants, as rows of multiples of cell vectors."""
    return np.rint(np.asarray(harmonic.phonon.supercell_matrix).T).astype(int)
