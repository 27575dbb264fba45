"""Do labels and model combine as the closed form says, and with honest deviations?"""

import dataclasses

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.spacegroup import crystal as crystal_of

from atomgraft.core.errors import BadInputError
from atomgraft.lattice.forces import forces_of_supercells
from atomgraft.lattice.harmonic import compact_constants as compact
from atomgraft.lattice.harmonic import harmonic_of, with_constants
from atomgraft.lattice.posterior import (
    Labels,
    at_rest_directions,
    combined,
    labels_alone,
    prior_shapes,
)
from atomgraft.lattice.spectra import mesh_frequencies, thermal_curves
from atomgraft.lattice.supercells import ideal_supercell, prepare
from atomgraft.lattice.symmetric_basis import symmetric_basis
from atomgraft.lattice.uncertainty import frequency_deviations, uncertainty
from atomgraft.models.pair import stillinger_weber
from tests.vibrations import displaced_salt, harmonic_salt

MESH, COARSE = (4, 4, 4), (2, 2, 2)
CUBIC = bulk("Si", a=5.431)
TRIGONAL = crystal_of(
    "Si", [(0.45, 0.1, 0.2)], spacegroup=152, cellpar=[5.2, 5.2, 5.6, 90, 90, 120]
)
"""Atoms in general places: forces at rest have three free directions."""


def phonon_of(atoms, n=2):
    return prepare(atoms, supercell=np.diag([n, n, n if len(atoms) < 6 else 1]))


def displacements(phonon, n, *, seed=0, size=0.01):
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(n, len(phonon.supercell), 3))
    return size * found / np.linalg.norm(found, axis=2, keepdims=True)


def forces_at(potential, phonon, moved):
    cells = [ideal_supercell(phonon)]
    for one in moved:
        cells.append(ideal_supercell(phonon))
        cells[-1].positions += one
    return forces_of_supercells(potential, cells)


def harmonic_forces(basis, constants, moved):
    return (basis.responses(moved) @ basis.numbers_of(constants)).reshape(moved.shape)


@pytest.mark.parametrize("atoms", [CUBIC, TRIGONAL], ids=["cubic", "trigonal"])
def test_basis_holds_the_force_constants_of_a_model(atoms):
    phonon = phonon_of(atoms)
    constants = np.asarray(
        harmonic_of(stillinger_weber(["Si"]), phonon).phonon.force_constants
    )
    basis = symmetric_basis(phonon)
    found = basis.constants_of(basis.numbers_of(constants))
    assert np.abs(found - constants).max() < 0.02 * np.abs(constants).max()
    again = basis.constants_of(basis.numbers_of(found))
    assert np.abs(again - found).max() < 1e-9


@pytest.mark.parametrize("atoms", [CUBIC, TRIGONAL], ids=["cubic", "trigonal"])
def test_responses_are_forces_of_the_force_constants(atoms):
    from phonopy.harmonic.force_constants import compact_fc_to_full_fc

    phonon = phonon_of(atoms)
    basis = symmetric_basis(phonon)
    numbers = np.random.default_rng(1).normal(size=basis.size)
    moved = displacements(phonon, 2)
    whole = compact_fc_to_full_fc(phonon.primitive, basis.constants_of(numbers))
    expected = -np.einsum("ijab,fjb->fia", whole, moved)
    assert np.allclose(basis.responses(moved) @ numbers, expected.ravel(), atol=1e-12)
    assert np.abs(whole - whole.transpose(1, 0, 3, 2)).max() < 1e-9
    assert np.abs(whole.sum(axis=1)).max() < 1e-9


def test_numbers_are_orthonormal_over_the_whole_matrix():
    phonon = phonon_of(CUBIC)
    basis = symmetric_basis(phonon)
    for i in range(basis.size):
        compact = basis.constants_of(np.eye(basis.size)[i])
        copies = len(phonon.supercell) / len(phonon.primitive)
        assert (compact**2).sum() * copies == pytest.approx(1.0)
        assert basis.numbers_of(compact) == pytest.approx(np.eye(basis.size)[i])


def test_precision_is_that_of_independent_pairs():
    """The sum over pairs of different atoms, of squares over variances."""
    phonon = phonon_of(TRIGONAL)
    basis = symmetric_basis(phonon)
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=basis.size)
    compact = basis.constants_of(numbers)
    first = np.asarray(phonon.primitive.p2s_map)
    distances = ideal_supercell(phonon).get_all_distances(mic=True)[first]
    weights = np.where(distances > 0, np.exp(-distances), 7.0)
    order = [row for row, _ in basis.rows]  # of first atoms
    assert sorted(order) == list(range(len(basis.first_atoms)))
    by_first = np.zeros((len(basis.first_atoms), basis.n_atoms))
    for row, (i, t) in enumerate(basis.rows):
        by_first[i] = weights[row][basis.images[t]]
    found = numbers @ basis.precision(by_first) @ numbers
    squares = np.where(distances > 0, weights, 0.0) * (compact**2).sum(axis=(2, 3))
    copies = len(phonon.supercell) / len(phonon.primitive)
    assert found == pytest.approx(squares.sum() * copies)


def test_forces_at_rest_are_in_the_directions_that_symmetry_allows():
    phonon = phonon_of(TRIGONAL)
    forces = forces_of_supercells(stillinger_weber(["Si"]), [ideal_supercell(phonon)])[
        0
    ]
    assert np.abs(forces).max() > 0.1
    found = at_rest_directions(phonon).reshape(-1, forces.size)
    assert len(found) == 3
    assert np.allclose(found @ found.T, np.eye(3), atol=1e-12)
    assert np.allclose(found.T @ (found @ forces.ravel()), forces.ravel(), atol=1e-9)


def test_diamond_allows_no_forces_at_rest():
    assert len(at_rest_directions(phonon_of(CUBIC))) == 0


@pytest.mark.parametrize(
    ("atoms", "left"), [(CUBIC, 0.02), (TRIGONAL, 0.2)], ids=["cubic", "trigonal"]
)
def test_one_label_brings_a_wrong_model_to_the_truth(atoms, left):
    """The trigonal crystal has more free force constants than a label has forces."""
    softer = {"Si": (1.8, 2.0951, 31.0)}
    true = stillinger_weber(["Si"])
    model = stillinger_weber(["Si"], parameters=softer)
    phonon = phonon_of(atoms)
    moved = displacements(phonon, 1)
    seen = forces_at(model, phonon, moved)
    base, reference = harmonic_of(model, phonon), harmonic_of(true, phonon)
    labels = Labels(
        displacements=moved,
        forces=forces_at(true, phonon, moved)[1:],  # with forces at rest
        responses=seen[1:] - seen[0],
        at_rest=at_rest_directions(phonon),
    )
    basis = symmetric_basis(phonon)
    found = combined(basis, np.asarray(base.phonon.force_constants), labels)
    errors = [
        np.abs(
            mesh_frequencies(one, MESH).frequencies
            - mesh_frequencies(reference, MESH).frequencies
        ).mean()
        for one in (base, with_constants(base, found.constants()))
    ]
    assert errors[1] < left * errors[0]


def test_labels_of_the_model_itself_change_nothing():
    model = stillinger_weber(["Si"])
    phonon = phonon_of(CUBIC)
    moved = displacements(phonon, 1)
    seen = forces_at(model, phonon, moved)
    constants = np.asarray(harmonic_of(model, phonon).phonon.force_constants)
    labels = Labels(displacements=moved, forces=seen[1:], responses=seen[1:] - seen[0])
    found = combined(symmetric_basis(phonon), constants, labels)
    assert np.abs(found.constants() - constants).max() < 1e-6
    assert found.scale == pytest.approx(1.0, abs=1e-6)


def test_a_model_that_is_soft_throughout_is_scaled():
    phonon = phonon_of(CUBIC)
    harmonic = harmonic_of(stillinger_weber(["Si"]), phonon)
    constants = np.asarray(harmonic.phonon.force_constants)
    basis = symmetric_basis(phonon)
    moved = displacements(phonon, 1)
    true = harmonic_forces(basis, constants, moved)
    labels = Labels(displacements=moved, forces=1.25 * true, responses=true)
    found = combined(basis, constants, labels)
    assert np.allclose(found.constants(), 1.25 * constants, atol=0.02)


def one_atom_moved(phonon, atom):
    moved = np.zeros((1, len(phonon.supercell), 3))
    moved[0, atom, 0] = 0.01
    return moved


def test_no_common_factor_for_atoms_that_no_label_moves():
    """Both kinds are too soft by a quarter; labels move one of them alone."""
    phonon = displaced_salt()
    basis = symmetric_basis(phonon)
    constants = compact(harmonic_salt())
    first, second = (int(one) for one in phonon.primitive.p2s_map)
    scales = []
    for moved in (
        one_atom_moved(phonon, first),
        np.concatenate([one_atom_moved(phonon, one) for one in (first, second)]),
    ):
        true = harmonic_forces(basis, constants, moved)
        labels = Labels(displacements=moved, forces=1.25 * true, responses=true)
        found = combined(basis, constants, labels)
        scales.append(found.scale)
        own = found.constants()[1, second] / constants[1, second]
    assert scales[0] == 1.0
    assert scales[1] == pytest.approx(1.25, abs=0.02)
    assert np.diag(own) == pytest.approx(1.25, abs=0.02)


def test_labels_alone_say_how_much_they_leave_open():
    phonon = phonon_of(TRIGONAL)
    basis = symmetric_basis(phonon)
    potential = stillinger_weber(["Si"])
    counts = []
    for n in (1, 12):
        moved = displacements(phonon, n)
        forces = forces_at(potential, phonon, moved)
        labels = Labels(displacements=moved, forces=forces[1:] - forces[0])
        counts.append(labels_alone(basis, labels)[1])
    n_equations = 3 * (len(phonon.supercell) - 1)  # they add up to zero
    assert counts[0] >= basis.size - n_equations > 0
    assert counts[1] == 0


def test_labels_alone_are_symfc_s_least_squares():
    from phonopy.interface.symfc import SymfcFCSolver

    phonon = phonon_of(CUBIC)
    moved = displacements(phonon, 2)
    forces = forces_at(stillinger_weber(["Si"]), phonon, moved)
    forces = forces[1:] - forces[0]
    labels = Labels(displacements=moved, forces=forces)
    found, n_free = labels_alone(symmetric_basis(phonon), labels)
    solver = SymfcFCSolver(
        phonon.supercell, displacements=moved, forces=forces, symmetry=phonon.symmetry
    )
    solver.run(orders=[2])
    expected = solver.force_constants[2][np.asarray(phonon.primitive.p2s_map)]
    assert n_free == 0
    assert np.allclose(found, expected, atol=1e-8)


def known_posterior(phonon, spread):
    """Return a posterior whose covariance is known, around a model's constants."""
    constants = np.asarray(
        harmonic_of(stillinger_weber(["Si"]), phonon).phonon.force_constants
    )
    moved = displacements(phonon, 1)
    seen = forces_at(stillinger_weber(["Si"]), phonon, moved)
    labels = Labels(displacements=moved, forces=seen[1:], responses=seen[1:] - seen[0])
    found = combined(symmetric_basis(phonon), constants, labels)
    rng = np.random.default_rng(3)
    size = found.basis.size
    factor = spread * rng.normal(size=(size, size))
    return dataclasses.replace(found, factor=factor, correction=np.zeros(size))


def test_deviations_are_those_of_drawn_force_constants():
    phonon = phonon_of(CUBIC)
    posterior = known_posterior(phonon, 0.01)
    harmonic = harmonic_of(stillinger_weber(["Si"]), phonon)
    mesh = mesh_frequencies(harmonic, COARSE)
    found = uncertainty(harmonic, posterior, mesh, temperature=300.0)
    rng = np.random.default_rng(4)
    frequencies, energies = [], []
    for _ in range(60):
        drawn = rng.normal(size=posterior.factor.shape[1])
        numbers = posterior.factor @ drawn
        one = with_constants(
            harmonic, posterior.prior + posterior.basis.constants_of(numbers)
        )
        frequencies.append(mesh_frequencies(one, COARSE).frequencies)
        energies.append(thermal_curves(one, COARSE, (300.0,)).free_energy[0])
    expected = np.std(frequencies, axis=0)
    clear = expected > 1e-3
    assert np.allclose(found.frequencies[clear] / expected[clear], 1, atol=0.35)
    assert np.abs(found.frequencies[~clear] - expected[~clear]).max() < 1e-3
    assert found.free_energy == pytest.approx(np.std(energies), rel=0.35)
    assert found.instability < 1e-6
    along = frequency_deviations(harmonic, posterior, mesh.q_points)
    assert np.array_equal(along, found.frequencies)


def test_a_mode_about_zero_may_be_imaginary():
    phonon = phonon_of(CUBIC)
    harmonic = harmonic_of(stillinger_weber(["Si"]), phonon)
    mesh = mesh_frequencies(harmonic, MESH)
    wide = known_posterior(phonon, 3.0)
    found = uncertainty(harmonic, wide, mesh, temperature=300.0)
    assert 0.05 < found.instability < 0.5


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Force constants are drawn from priors of both shapes, labels have noise."""
    phonon = phonon_of(CUBIC, 3)
    basis = symmetric_basis(phonon)
    harmonic = harmonic_of(stillinger_weber(["Si"]), phonon)
    constants = np.asarray(harmonic.phonon.force_constants)
    roots = [root for _, root in prior_shapes(basis, constants)]
    rng = np.random.default_rng(5)
    z = []
    for seed in range(40):
        drawn = roots[seed % 2] @ rng.normal(size=basis.size)
        true = constants + basis.constants_of(drawn)
        moved = displacements(phonon, 1, seed=seed)
        model = harmonic_forces(basis, constants, moved)
        exact = harmonic_forces(basis, true, moved)
        labels = Labels(
            displacements=moved,
            forces=exact + 0.002 * rng.normal(size=exact.shape),
            responses=model,
        )
        found = combined(basis, constants, labels)
        apart = basis.numbers_of(found.constants() - true)
        covariance = found.factor @ found.factor.T
        z.append(apart / np.sqrt(np.diag(covariance)))
    assert 0.6 < np.mean(np.abs(z) < 1) < 0.76
    assert 0.9 < np.mean(np.abs(z) < 2) < 0.98


def test_distant_pairs_keep_the_model_s_force_constants():
    phonon = phonon_of(CUBIC)
    harmonic = harmonic_of(stillinger_weber(["Si"]), phonon)
    constants = np.asarray(harmonic.phonon.force_constants)
    moved = displacements(phonon, 1)
    basis = symmetric_basis(phonon)
    true = harmonic_forces(basis, constants, moved)
    labels = Labels(displacements=moved, forces=1.2 * true, responses=true)
    near = symmetric_basis(phonon, cutoff=3.0)
    assert near.size < basis.size
    found = combined(near, constants, labels).constants()
    distances = ideal_supercell(phonon).get_all_distances(mic=True)
    far = distances[np.asarray(phonon.primitive.p2s_map)] > 3.0
    assert np.array_equal(found[far], constants[far])
    assert not np.allclose(found[~far], constants[~far])


def test_a_basis_beyond_memory_is_refused(monkeypatch):
    monkeypatch.setattr("atomgraft.lattice.symmetric_basis.MOST_FUNCTIONS", 3)
    with pytest.raises(BadInputError, match="--cutoff"):
        symmetric_basis(phonon_of(CUBIC))


def test_responses_must_be_there():
    phonon = phonon_of(CUBIC)
    moved = displacements(phonon, 1)
    constants = np.zeros((2, len(phonon.supercell), 3, 3))
    labels = Labels(displacements=moved, forces=moved)
    with pytest.raises(ValueError, match="responses"):
        combined(symmetric_basis(phonon), constants, labels)


def test_labels_that_are_forces_at_rest_alone_are_refused():
    rng = np.random.default_rng(0)
    alone = Atoms(
        "Si4", scaled_positions=rng.random((4, 3)), cell=[5, 5.5, 6, 80, 95, 105]
    )
    alone.pbc = True
    phonon = prepare(alone, supercell=np.eye(3, dtype=int))
    moved = displacements(phonon, 1)
    labels = Labels(
        displacements=moved,
        forces=rng.normal(size=moved.shape),
        responses=np.zeros_like(moved),
        at_rest=at_rest_directions(phonon),
    )
    basis = symmetric_basis(phonon)
    with pytest.raises(BadInputError, match="forces on the undisplaced crystal"):
        labels_alone(basis, labels)
    with pytest.raises(BadInputError, match="forces on the undisplaced crystal"):
        combined(basis, np.zeros((4, 4, 3, 3)), labels)


def test_frames_added_a_few_at_a_time_are_all_of_them(monkeypatch):
    phonon = phonon_of(TRIGONAL)
    basis = symmetric_basis(phonon)
    model = stillinger_weber(["Si"])
    constants = compact(harmonic_of(model, phonon))
    moved = displacements(phonon, 5)
    seen = forces_at(model, phonon, moved)
    noise = np.random.default_rng(1).normal(scale=0.01, size=moved.shape)
    labels = Labels(
        displacements=moved,
        forces=seen[1:] + noise,
        responses=seen[1:] - seen[0],
        at_rest=at_rest_directions(phonon),
    )
    whole = combined(basis, constants, labels)
    monkeypatch.setattr("atomgraft.lattice.posterior.AT_ONCE", 1)
    parts = combined(basis, constants, labels)
    assert np.allclose(parts.constants(), whole.constants(), atol=1e-8)
    assert parts.noise == pytest.approx(whole.noise)
    assert parts.noise == pytest.approx(0.01, rel=0.25)
