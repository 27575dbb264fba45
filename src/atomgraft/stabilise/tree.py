"""A tree of distortions: its crystals, their recognition, and its file."""

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from ase import Atoms
from ase.io import write
from jaxtyping import Int, Num

from atomgraft.core.storage import make_folder, write_atomically
from atomgraft.lattice.harmonic import Harmonic
from atomgraft.lattice.modulations import Instability
from atomgraft.lattice.relaxation import Relaxation
from atomgraft.lattice.supercells import SYMPREC
from atomgraft.lattice.symmetry import primitive_of, spglib_group
from atomgraft.phonons.record import Matrix
from atomgraft.stabilise.daughters import (
    SAME_ENERGY,
    SYMPRECS,
    Trial,
    is_same,
    symmetrised,
)
from atomgraft.stabilise.record import (
    CrystalRecord,
    SoftSpace,
    StabiliseResult,
    StepRecord,
    StructureRecord,
)

if TYPE_CHECKING:
    from atomgraft.lattice.supercells import Phonopy


@runtime_checkable
class Engine(Protocol):
    """Relaxations and phonons for a descent."""

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
        notes.append(f"it was {before} before relaxation")
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


STRUCTURES = "structures"

FORMATS = (("extxyz", ".extxyz"), ("vasp", ".vasp"))
"""ASE's name of the format, and what its file ends in."""


def crystal_records(tree: Tree) -> tuple[CrystalRecord, ...]:
    """Return the crystals of a tree as they go to disk.

    Parameters
    ----------
    tree
        The first crystal is the one that energies and volumes refer to.
    """
    return tuple(_crystal_record(one, tree.crystals[0]) for one in tree.crystals)


def _crystal_record(one: Crystal, root: Crystal) -> CrystalRecord:
    harmonic = one.harmonic
    return CrystalRecord(
        number=one.number,
        depth=one.depth,
        structure=_structure(one.atoms),
        file=f"{STRUCTURES}/{file_name(one)}",
        space_group=one.space_group[0],
        space_group_number=one.space_group[1],
        symprec=one.symprec,
        energy=one.energy,
        energy_change=(one.energy - root.energy) * 1000,
        volume_change=(_volume(one) / _volume(root) - 1) * 100,
        is_converged=one.relaxation.is_converged,
        largest_force=one.relaxation.largest_force,
        n_steps=one.relaxation.n_steps,
        is_stable=None if harmonic is None else not one.soft,
        lowest_frequency=one.lowest,
        soft=tuple(
            SoftSpace(
                label=label,
                arms=matrix_of(space.arms),
                frequency=space.frequency,
                degeneracy=space.degeneracy,
            )
            for label, space in one.soft
        ),
        supercell=None if harmonic is None else matrix_of(supercell_rows(harmonic)),
        n_atoms_supercell=None if harmonic is None else len(harmonic.phonon.supercell),
        counts=one.counts,
        notes=tuple(one.notes),
    )


def _volume(one: Crystal) -> float:
    return float(one.atoms.cell.volume) / len(one.atoms)


def file_name(one: Crystal) -> str:
    """Return the name of a crystal's files, without suffix."""
    group = one.space_group[0].replace("/", "_")
    return f"{one.number:02d}-{group}"


def _structure(atoms: Atoms) -> StructureRecord:
    return StructureRecord(
        symbols=tuple(atoms.get_chemical_symbols()),
        cell=matrix_of(atoms.cell.array),
        positions=matrix_of(atoms.positions),
    )


def matrix_of(rows: Num[np.ndarray, "rows 3"]) -> Matrix:
    """Return an array of three columns as plain numbers."""
    return tuple((float(a), float(b), float(c)) for a, b, c in rows)


def step_records(tree: Tree) -> tuple[StepRecord, ...]:
    """Return the ways between the crystals as they go to disk.

    Parameters
    ----------
    tree
        A crystal may be reached in several ways; the first one says so.
    """
    met: set[int] = set()
    records: list[StepRecord] = []
    for step in tree.steps:
        records.append(_step_record(step, tree, is_first=step.daughter not in met))
        met.add(step.daughter)
    return tuple(records)


def _step_record(step: Step, tree: Tree, *, is_first: bool) -> StepRecord:
    parent, daughter = tree.crystals[step.parent], tree.crystals[step.daughter]
    direction = step.trial.direction
    return StepRecord(
        parent=step.parent,
        daughter=step.daughter,
        label=step.label,
        frequency=step.instability.frequency,
        direction=direction.name,
        amplitudes=tuple(float(one) for one in direction.amplitudes),
        n_domains=direction.n_domains,
        is_fixed=direction.is_fixed,
        amplitude=step.trial.amplitude,
        line_energy=step.trial.energy,
        trial_space_group=step.trial.space_group,
        energy_change=(daughter.energy - parent.energy) * 1000,
        is_first=is_first and step.daughter != 0,
    )


def write_structures(folder: Path, tree: Tree) -> None:
    """Write every crystal as extended XYZ and as a POSCAR.

    Parameters
    ----------
    folder
        Of the tree; the files go into a folder in it.
    tree
        What there is.
    """
    make_folder(folder / STRUCTURES)
    for one in tree.crystals:
        for kind, ending in FORMATS:
            stream = io.StringIO()
            order = np.argsort(one.atoms.numbers, kind="stable")
            atoms = one.atoms[order]
            if kind == "extxyz":
                atoms.info = {
                    "space_group": one.space_group[0],
                    "energy_per_atom": one.energy,
                }
            write(stream, atoms, format=kind)
            path = folder / STRUCTURES / (file_name(one) + ending)
            write_atomically(path, stream.getvalue())


def headline(result: StabiliseResult) -> str:
    """Say in one sentence where the crystal goes.

    Parameters
    ----------
    result
        Finished or not.
    """
    root = result.crystals[0]
    if root.is_stable is None:
        return (
            f"The relaxation of {result.formula} did not converge; its stability "
            "is unknown."
        )
    if root.is_stable:
        return f"{result.formula} in {root.space_group} is stable."
    best = result.best_stable()
    if best is None and not result.finished:
        return f"{result.formula} in {root.space_group} is unstable."
    if best is None:
        return (
            f"{result.formula} in {root.space_group} is unstable, and no stable "
            f"crystal was found within {result.settings.depth} distortions."
        )
    return (
        f"{result.formula} in {root.space_group} is unstable; the most stable crystal "
        f"found is {best.space_group}, {-best.energy_change:.1f} meV/atom below it."
    )


def notices_of(result: StabiliseResult) -> tuple[str, ...]:
    """Return notices for the reader of the tree.

    Parameters
    ----------
    result
        Finished or not.
    """
    found: list[str] = []
    lost = [one for one in result.crystals if not one.is_converged]
    if lost:
        names = ", ".join(f"{one.number} ({one.space_group})" for one in lost)
        found.append(f"Not converged, and not followed further: crystal {names}.")
    left_out = sum(one.counts.get("left out", 0) for one in result.crystals)
    if left_out:
        found.append(
            f"{left_out} trials of higher energy were left out; --max-daughters "
            f"{result.settings.max_daughters} sets how many are relaxed."
        )
    deep = [
        one
        for one in result.crystals
        if one.is_stable is False and one.depth >= result.settings.depth
    ]
    if deep:
        names = ", ".join(f"{one.number} ({one.space_group})" for one in deep)
        found.append(
            f"Still unstable at --depth {result.settings.depth}, where the search "
            f"ends: crystal {names}."
        )
    best, stable = result.best(), result.best_stable()
    if best is not None and stable is not None and best.number != stable.number:
        found.append(
            f"The crystal of lowest energy, {best.number} ({best.space_group}), is "
            "not stable: a lower one exists that was not found."
        )
    return tuple(found)
