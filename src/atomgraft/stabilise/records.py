"""A tree of crystals as it goes to disk: records, structure files, words."""

import io
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import write
from jaxtyping import Num

from atomgraft.core.storage import make_folder, write_atomically
from atomgraft.phonons.record import Matrix
from atomgraft.stabilise.record import (
    CrystalRecord,
    SoftSpace,
    StabiliseResult,
    StepRecord,
    StructureRecord,
)
from atomgraft.stabilise.tree import Crystal, Step, Tree, supercell_rows

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
        return f"{result.formula} did not relax; nothing can be said of its stability."
    if root.is_stable:
        return f"{result.formula} in {root.space_group} is stable: nothing to do."
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
    """Return what a reader must know before using the tree.

    Parameters
    ----------
    result
        Finished or not.
    """
    found: list[str] = []
    lost = [one for one in result.crystals if not one.is_converged]
    if lost:
        names = ", ".join(f"{one.number} ({one.space_group})" for one in lost)
        found.append(f"Not relaxed to the end, and not followed: crystal {names}.")
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
            f"Still unstable where --depth {result.settings.depth} ends the search: "
            f"crystal {names}."
        )
    best, stable = result.best(), result.best_stable()
    if best is not None and stable is not None and best.number != stable.number:
        found.append(
            f"The lowest crystal of all, {best.number} ({best.space_group}), is not "
            "stable: something lower exists that was not reached."
        )
    return tuple(found)
