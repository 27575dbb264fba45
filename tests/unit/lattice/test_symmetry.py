"""Space groups of textbooks, and cells that stay the crystal they were."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell

from atomgraft.core.errors import BadInputError
from atomgraft.lattice.symmetry import (
    EXACT_SYMPREC,
    conventional,
    images_of_atoms,
    primitive_of,
    spglib_group,
    standardised,
)
from atomgraft.stabilise.daughters import is_same

TABLE = {
    "Fd-3m": (bulk("Si"), 227, 2, 8),
    "Fm-3m": (bulk("Ar", "fcc", a=5.3), 225, 1, 4),
    "Im-3m": (bulk("Fe", "bcc", a=2.87), 229, 1, 2),
    "Pm-3m": (bulk("CsCl", "cesiumchloride", a=4.1), 221, 2, 2),
    "F-43m": (bulk("GaAs", "zincblende", a=5.65), 216, 2, 8),
    "P6_3/mmc": (bulk("Mg"), 194, 2, 2),
    "P6_3mc": (bulk("ZnO", "wurtzite", a=3.25, c=5.2, u=0.38), 186, 4, 4),
}
"""Number, atoms of the primitive and of the conventional cell; International Tables."""


@pytest.fixture(params=TABLE)
def group(request):
    return request.param


def test_groups_are_those_of_the_tables(group):
    atoms, number, *_ = TABLE[group]
    assert spglib_group(atoms, 1e-4) == (group, number)


def test_cells_have_the_atoms_of_the_tables(group):
    atoms, _, n_primitive, n_conventional = TABLE[group]
    assert len(primitive_of(atoms)) == n_primitive
    assert len(standardised(atoms, 1e-4)) == n_primitive
    assert len(conventional(atoms, 1e-4)) == n_conventional


def test_a_supercell_is_its_primitive_cell_again(group):
    atoms, number, n_primitive, _ = TABLE[group]
    matrix = np.array([[1, 1, 0], [0, 2, 1], [0, 0, 1]])
    larger = make_supercell(atoms, matrix)
    found = primitive_of(larger)
    assert len(found) == n_primitive
    assert is_same(found, primitive_of(atoms))
    assert spglib_group(larger, 1e-4)[1] == number
    volume = atoms.get_volume() / len(atoms)
    assert found.get_volume() / len(found) == pytest.approx(volume)


def test_the_primitive_cell_is_not_turned():
    """Its lattice vectors are lattice vectors of what came."""
    turned = bulk("Si", cubic=True)
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    inside = turned.cell.scaled_positions(primitive_of(turned).cell.array)
    assert np.allclose(4 * inside, np.rint(4 * inside), atol=1e-6)
    assert not np.allclose(inside, 0)


def test_a_lost_atom_of_symmetry_is_seen_and_a_wide_tolerance_forgives_it():
    atoms = bulk("Si", cubic=True)
    atoms.positions[0, 0] += 2e-3
    assert spglib_group(atoms, 1e-4)[1] < 227
    assert spglib_group(atoms, 1e-1) == ("Fd-3m", 227)
    exact = standardised(atoms, 1e-1)
    assert spglib_group(exact, 1e-6) == ("Fd-3m", 227)


def test_no_symmetry_is_p1():
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.2, rng=np.random.RandomState(0))
    assert spglib_group(atoms, 1e-5) == ("P1", 1)


@pytest.mark.parametrize("make", [primitive_of, lambda a: conventional(a, 1e-3)])
def test_what_has_no_symmetry_to_find_is_refused(make):
    twice = Atoms("Ar2", positions=np.zeros((2, 3)), cell=[4, 4, 4], pbc=True)
    with pytest.raises(BadInputError, match="symmetry of Ar2 cannot be found") as told:
        make(twice)
    assert "Expected atoms at distinct positions, in a cell with a volume." in str(
        told.value
    )
    assert spglib_group(twice, 1e-3) == ("P1", 1)


@pytest.mark.parametrize(
    ("moments", "images"),
    [
        (None, [2, 2]),
        ([2.0, 2.0], [2, 2]),
        ([2.0, 1.0], [1, 1]),
        ([2.0, -2.0], [2, 2]),
        ([[0.0, 0.0, 2.0], [0.0, 0.0, 2.0]], [2, 2]),
        ([[0.0, 0.0, 2.0], [0.0, 1.0, 0.0]], [1, 1]),
    ],
)
def test_atoms_of_one_orbit_are_images_unless_their_moments_differ(moments, images):
    iron = Atoms("Fe2", positions=[(0, 0, 0), (1.435,) * 3], cell=[2.87] * 3, pbc=True)
    iron.set_initial_magnetic_moments(moments)
    assert images_of_atoms(iron, EXACT_SYMPREC).tolist() == images
