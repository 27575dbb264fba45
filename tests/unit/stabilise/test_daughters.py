"""Trials, recognition and symmetry of daughters."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell

from atomgraft.core.errors import BadInputError
from atomgraft.lattice.harmonic import harmonic_of
from atomgraft.lattice.modulations import frozen_space
from atomgraft.lattice.order_parameters import directions_of
from atomgraft.lattice.supercells import prepare
from atomgraft.lattice.symmetry import (
    conventional,
    primitive_of,
    raise_errors_of_spglib,
    spglib_group,
    standardised,
)
from atomgraft.models.pair import lennard_jones
from atomgraft.models.prediction import predict_structures
from atomgraft.stabilise.daughters import (
    SAME_DISTANCE,
    is_same,
    neighbour_distances,
    symmetrised,
    trials_of,
)
from atomgraft.stabilise.descent import find_instabilities

ARGON = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=7.0)

CRYSTALS = {
    "silicon": bulk("Si", a=5.431),
    "rock salt": bulk("NaCl", "rocksalt", a=5.64),
    "wurtzite": bulk("ZnO", "wurtzite", a=3.25, c=5.2),
    "hcp": bulk("Mg"),
    "bcc": bulk("Fe", "bcc", a=2.87),
}


def energies(structures):
    found = predict_structures(ARGON, structures)
    return [
        one.energy / len(atoms) for one, atoms in zip(found, structures, strict=True)
    ]


def rattled(atoms, size, seed=0):
    moved = atoms.copy()
    moved.positions += size * np.random.default_rng(seed).standard_normal(
        (len(atoms), 3)
    )
    return moved


@pytest.mark.parametrize("name", CRYSTALS)
def test_a_crystal_is_itself_however_it_is_written(name):
    atoms = CRYSTALS[name]
    other = make_supercell(atoms, [[1, 1, 0], [0, 1, 0], [0, 0, 1]])
    other.rotate(37, (1, 2, 3), rotate_cell=True)
    other.positions += (0.3, 0.1, -0.7)
    other.wrap()
    other = other[np.random.default_rng(1).permutation(len(other))]
    assert is_same(atoms, other)
    assert is_same(atoms, primitive_of(make_supercell(atoms, np.diag([2, 1, 1]))))


@pytest.mark.parametrize("name", CRYSTALS)
def test_a_mirror_image_counts_as_the_same(name):
    atoms = rattled(CRYSTALS[name], 0.1)
    mirrored = Atoms(
        atoms.numbers, atoms.positions * (-1, 1, 1), cell=atoms.cell * (-1, 1, 1)
    )
    mirrored.pbc = True
    assert is_same(atoms, mirrored)


def test_stackings_of_one_density_are_different():
    """fcc and hcp have the same twelve neighbours; the shells beyond differ."""
    fcc = bulk("Ar", "fcc", a=5.3)
    hcp = bulk("Ar", "hcp", a=5.3 / 2**0.5, c=5.3 / 2**0.5 * (8 / 3) ** 0.5)
    double = make_supercell(fcc, [[1, 0, 0], [0, 1, 0], [0, 0, 2]])
    assert not is_same(double, hcp)


def test_other_elements_or_numbers_of_atoms_are_different():
    assert not is_same(bulk("Si"), bulk("Ge", a=5.43))
    assert not is_same(bulk("Si"), bulk("Si", cubic=True))


@pytest.mark.parametrize("strain", [0.5, 2.0])
def test_the_tolerance_is_of_distances(strain):
    """The farthest neighbour compared decides."""
    atoms = bulk("Ar", "fcc", a=5.3)
    farthest = neighbour_distances(atoms)[18, 18].max()
    other = atoms.copy()
    other.set_cell(
        atoms.cell * (1 + strain * SAME_DISTANCE / farthest), scale_atoms=True
    )
    assert is_same(atoms, other) == (strain < 1)


def test_little_noise_is_taken_off_and_much_is_kept():
    atoms = make_supercell(bulk("Ar", "fcc", a=5.3), np.diag([2, 1, 1]))
    shape, symprec = symmetrised(rattled(atoms, 1e-3), energies)
    assert spglib_group(shape, 1e-5) == ("Fm-3m", 225)
    assert len(shape) == 1
    assert symprec > 0
    shape, _ = symmetrised(rattled(atoms, 0.05), energies)
    assert spglib_group(shape, 1e-5)[1] < 20


def test_cells_of_spglib_are_primitive_and_conventional():
    atoms = bulk("Si", cubic=True)
    assert len(standardised(atoms, 1e-5)) == 2
    assert len(conventional(bulk("Si"), 1e-5)) == 8


def test_atoms_at_one_place_are_refused():
    atoms = Atoms("Ar2", positions=np.zeros((2, 3)), cell=np.eye(3) * 4, pbc=True)
    with pytest.raises(BadInputError, match="symmetry"):
        primitive_of(atoms)


@pytest.fixture(scope="module")
def simple_cubic():
    phonon = prepare(bulk("Ar", "sc", a=3.7), supercell=np.diag([2, 2, 2]))
    return harmonic_of(ARGON, phonon)


def test_trials_go_down_and_have_the_symmetry_that_is_left(simple_cubic):
    for instability in find_instabilities(simple_cubic):
        space = frozen_space(simple_cubic.phonon, instability)
        directions = directions_of(space.group)
        trials = trials_of(space, directions, energies)
        start = energies([primitive_of(space.supercell)])[0]
        assert len(trials) == len(directions)  # every one of these is even
        for trial in trials:
            assert energies([trial.atoms])[0] - start == pytest.approx(
                trial.energy / 1000
            )
            n_left = 48 * len(space.supercell) / trial.direction.n_domains
            assert n_left == pytest.approx(_order(trial.atoms) * _cells(space, trial))
        gains = [one.energy for one in trials]
        assert gains == sorted(gains)
        assert gains[-1] < 0


def _order(atoms):
    """Return the operations of the space group for each primitive cell."""
    import spglib

    raise_errors_of_spglib()
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    return len(spglib.get_symmetry(cell, symprec=1e-4)["rotations"])


def _cells(space, trial):
    return len(space.supercell) / len(trial.atoms)


def test_of_two_signs_that_differ_both_are_tried():
    """Along the three-fold axis of a tetrahedron the two ways are two crystals."""
    from itertools import permutations, product

    cubic = [
        np.eye(3)[list(order)] * np.array(signs)
        for order in permutations(range(3))
        for signs in product([1.0, -1.0], repeat=3)
    ]
    group = np.array([one for one in cubic if np.prod(one.sum(axis=1)) > 0])
    corner = next(one for one in directions_of(group) if not one.is_even)
    asked = []

    def record(structures):
        asked.append(len(structures))
        return [0.0] * len(structures)

    phonon = prepare(bulk("Si", a=5.431), supercell=np.diag([1, 1, 1]))
    from atomgraft.models.pair import stillinger_weber

    silicon = harmonic_of(stillinger_weber(["Si"]), phonon)
    from atomgraft.lattice.modulations import Instability

    result = silicon.phonon.run_qpoints([[0, 0, 0]], with_eigenvectors=True)
    optic = np.asarray(result.eigenvectors)[0][:, 3:].T.reshape(3, 2, 3)
    space = frozen_space(
        silicon.phonon,
        Instability(arms=np.zeros((1, 3)), frequency=-1.0, eigenvectors=(optic,)),
    )
    assert trials_of(space, [corner], record) == ()
    assert asked == [1, 2]  # the crystal itself, and both signs; neither went down
