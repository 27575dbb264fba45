"""Small crystals under fast potentials, and calculations as phonopy writes them."""

import functools

import numpy as np
import torch
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from atomgraft.lattice.harmonic import harmonic_of
from atomgraft.lattice.relaxation import relax
from atomgraft.lattice.supercells import crystal, displaced_supercells, prepare
from atomgraft.models.pair import lennard_jones, stillinger_weber

AT_REST = 5.431
"""Å; the lattice constant of Stillinger-Weber silicon, to 1e-3."""

BORN = """14.4
2.4 0 0 0 2.4 0 0 0 2.4
{0} 0 0 0 {0} 0 0 0 {0}
-{0} 0 0 0 -{0} 0 0 0 -{0}
"""
"""phonopy's file for a crystal of two ions, their charge to be filled in."""


@functools.cache
def silicon_law():
    return stillinger_weber(["Si"]).clone(dtype=torch.float64)


@functools.cache
def salt_law(factor=1.0):
    """Return a law for rock salt; its ions have no charges."""
    law = lennard_jones(
        ["Na", "Cl"],
        epsilon=[0.1 * factor, 0.2 * factor],
        sigma=[1.464, 3.535],  # small ions in the holes between large ones
        cutoff=6.0,
    )
    return law.clone(dtype=torch.float64)


def silicon(a=AT_REST):
    return bulk("Si", a=a)


@functools.cache
def salt():
    """Return rock salt where its law has it at rest; not to be changed."""
    return relax(bulk("NaCl", "rocksalt", a=5.6), salt_law()).atoms


@functools.cache
def displaced_silicon(n=2):
    """Return silicon with one atom displaced; not to be changed."""
    return prepare(silicon(), supercell=np.diag([n, n, n]))


@functools.cache
def shaken_silicon(n_frames=4):
    """Return silicon with all atoms displaced at random; not to be changed."""
    phonon = crystal(silicon(), np.diag([2, 2, 2]), "auto")
    phonon.generate_displacements(
        number_of_snapshots=n_frames, distance=0.01, random_seed=1
    )
    return phonon


@functools.cache
def harmonic_silicon(kind="one atom", n=2):
    phonon = displaced_silicon(n) if kind == "one atom" else shaken_silicon()
    return harmonic_of(silicon_law(), phonon)


@functools.cache
def displaced_salt():
    return prepare(salt(), supercell=np.diag([2, 2, 2]))


@functools.cache
def harmonic_salt(factor=1.0):
    return harmonic_of(salt_law(factor), displaced_salt())


def constants(harmonic):
    return np.asarray(harmonic.phonon.force_constants)


def save(phonon, path, *, has_forces=True):
    """Let phonopy write its file, with forces or with displacements alone."""
    settings = {
        "force_sets": has_forces,
        "displacements": True,
        "force_constants": False,
    }
    phonon.save(str(path), settings=settings)
    return path


def outputs_of(harmonic, folder):
    """Write the displaced supercells with their forces, as outputs of calculations."""
    files = []
    for i, atoms in enumerate(displaced_supercells(harmonic.phonon)):
        atoms.calc = SinglePointCalculator(
            atoms, energy=-float(i), forces=harmonic.forces[i]
        )
        files.append(folder / f"output-{i}.extxyz")
        write(files[-1], atoms)
    return files


def write_force_sets(dataset, filename):
    """Let phonopy write its FORCE_SETS, of either kind."""
    from phonopy.file_IO import write_FORCE_SETS

    write_FORCE_SETS(dataset, filename=filename)
