"""Relaxation: to where forces vanish, with the space group kept, or marked."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk

from atomgraft.core.errors import AtomgraftError, BadInputError
from atomgraft.lattice.relaxation import FMAX, refuse_other_group, relax, space_group
from atomgraft.models.calculator import GraftCalculator
from atomgraft.models.pair import lennard_jones
from tests.vibrations import AT_REST, salt, silicon, silicon_law

pytestmark = pytest.mark.slow

DIAMOND = "Fd-3m (227)"


@pytest.mark.parametrize("a", [5.3, 5.6])
def test_silicon_comes_to_rest_where_it_must(a):
    crystal = bulk("Si", a=a, cubic=True)
    before = crystal.copy()
    found = relax(crystal, silicon_law())
    assert found.is_converged
    np.testing.assert_allclose(found.atoms.cell.lengths(), AT_REST, atol=1e-3)
    assert found.groups == (DIAMOND, DIAMOND)
    assert found.largest_force < FMAX
    assert 0 < found.n_steps < 100
    assert crystal == before  # what was given is not changed


def test_forces_and_stress_vanish_for_the_calculator_too():
    atoms = bulk("Si", "diamond", a=5.5)
    atoms.positions[1] += [0.05, 0.05, 0.05]  # R3m: positions are free along z
    found = relax(atoms, silicon_law(), keep_symmetry=True)
    assert found.is_converged
    relaxed = found.atoms.copy()
    relaxed.calc = GraftCalculator(silicon_law())
    assert np.abs(relaxed.get_forces()).max() < FMAX
    per_atom = np.abs(relaxed.get_stress()).max() * relaxed.get_volume() / 2
    assert per_atom < 2 * FMAX
    assert found.energy == pytest.approx(relaxed.get_potential_energy())


def test_a_fixed_cell_stays():
    atoms = bulk("Si", a=5.6, cubic=True)
    atoms.rattle(0.02, seed=0)
    found = relax(atoms, silicon_law(), fixed_cell=True, keep_symmetry=False)
    assert found.is_converged
    np.testing.assert_array_equal(found.atoms.cell.array, atoms.cell.array)
    free = relax(atoms, silicon_law(), keep_symmetry=False)  # the negative control
    assert abs(free.atoms.cell.volume - atoms.cell.volume) > 1.0


def test_too_few_steps_are_marked():
    found = relax(silicon(5.6), silicon_law(), max_steps=1)
    assert not found.is_converged
    assert found.n_steps == 1


def test_a_crystal_at_rest_takes_no_step():
    rested = relax(silicon(), silicon_law()).atoms
    found = relax(rested, silicon_law())
    assert found.is_converged
    assert found.n_steps == 0


def test_a_group_that_changes_is_refused():
    """Digits that were lost: what comes back is more symmetric than what was given."""
    atoms = bulk("Si", cubic=True)
    atoms.rattle(1e-3, seed=0)
    found = relax(atoms, silicon_law(), keep_symmetry=False)
    assert found.groups[0] == "P1 (1)"
    changed = dataclasses.replace(found, groups=("P1 (1)", DIAMOND))
    with pytest.raises(BadInputError, match=r"is P1 \(1\), and became Fd-3m \(227\)"):
        refuse_other_group(changed, "silicon")
    refuse_other_group(dataclasses.replace(found, groups=(DIAMOND, DIAMOND)), "silicon")


def test_a_crystal_that_is_held_by_nothing_is_refused():
    """Two layers of argon far apart collapse: the volume is another one."""
    law = lennard_jones(["Ar"], epsilon=[0.5], sigma=[1.2], cutoff=6.0)
    far = bulk("Ar", "fcc", a=5.0)
    with pytest.raises(AtomgraftError, match="fell apart"):
        relax(far, law.clone(dtype=torch.float64))


@pytest.mark.parametrize(
    ("atoms", "match"),
    [
        (Atoms("Si2", [[0, 0, 0], [0, 0, 2.3]]), "periodic in 0 directions"),
        (Atoms("Si2", cell=[4, 4, 4], pbc=True), "are at the same position."),
        (salt(), "does not support"),
    ],
    ids=["molecule", "coincident", "element"],
)
def test_what_cannot_be_relaxed_is_refused(atoms, match):
    with pytest.raises(BadInputError, match=match):
        relax(atoms, silicon_law())


def test_the_space_group_is_that_of_spglib_to_a_tolerance():
    atoms = bulk("Si", cubic=True)
    atoms.positions[0, 0] += 1e-3
    assert space_group(atoms) != DIAMOND
    assert space_group(atoms, symprec=0.01) == DIAMOND


FIRST = """
import warnings
warnings.simplefilter("error")
from ase.build import bulk
from atomgraft.lattice.relaxation import space_group
print(space_group(bulk("Si")), space_group(bulk("Si") + bulk("Si")), sep="; ")
{}
print(space_group(bulk("Si")), space_group(bulk("Si") + bulk("Si")), sep="; ")
"""
"""Atoms on one place have no group; spglib says so in its own way."""


def test_the_space_group_does_not_depend_on_who_was_imported_before():
    """phonopy tells spglib to raise where it would have warned."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST.format("import phonopy.structure.symmetry")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [f"{DIAMOND}; P1 (1)"] * 2
