"""Does the next label leave what the closed form says, and is it the best one?"""

import numpy as np
import pytest
from ase.build import bulk

from atomgraft.lattice.design import MEAN, Candidates, best_supercells
from atomgraft.lattice.harmonic import compact_constants, harmonic_of, with_constants
from atomgraft.lattice.posterior import (
    Labels,
    at_rest_directions,
    combined,
    unlabelled,
)
from atomgraft.lattice.spectra import mesh_frequencies
from atomgraft.lattice.supercells import all_displacements, prepare
from atomgraft.lattice.symmetric_basis import symmetric_basis
from atomgraft.lattice.uncertainty import deviation_of_frequency, seen_by_modes
from atomgraft.models.pair import stillinger_weber

MESH = (3, 3, 3)
SHARE = 0.1


@pytest.fixture(scope="module")
def silicon():
    phonon = prepare(bulk("Si", a=5.431), supercell=np.diag([2, 2, 2]))
    harmonic = harmonic_of(stillinger_weber(["Si"]), phonon)
    basis = symmetric_basis(phonon)
    prior = unlabelled(basis, compact_constants(harmonic), share=SHARE)
    return harmonic, prior, mesh_frequencies(harmonic, MESH)


def candidates(phonon, noises, *, size=0.03):
    """Return the phonon calculation's own supercell, and random ones."""
    rng = np.random.default_rng(0)
    n = len(noises) - 1
    moved = size * rng.normal(size=(n, len(phonon.supercell), 3))
    return Candidates(
        displacements=np.concatenate([all_displacements(phonon)[:1], moved]),
        noises=np.array(noises),
        at_rest=at_rest_directions(phonon),
    )


def left_by(silicon, given, chosen):
    """Return the expected error by the precision matrix of all labels at once."""
    harmonic, prior, mesh = silicon
    values, vectors = np.linalg.eigh(prior.factor @ prior.factor.T)
    precision = (vectors / values) @ vectors.T
    for i in chosen:
        X = prior.basis.responses(given.displacements[i : i + 1])
        precision = precision + X.T @ X / given.noises[i] ** 2
    covariance = np.linalg.inv(precision)
    inverse = np.linalg.pinv(prior.factor)
    deviations = []
    for squares, seen in zip(
        *seen_by_modes(harmonic, prior, mesh.q_points), strict=True
    ):
        rows = seen @ inverse
        sigma = np.sqrt(np.einsum("mi,ij,mj->m", rows, covariance, rows))
        deviations.append(deviation_of_frequency(squares, sigma))
    return MEAN * float(np.average(np.mean(deviations, axis=1), weights=mesh.weights))


def test_errors_are_those_of_all_labels_at_once(silicon):
    given = candidates(silicon[0].phonon, [1e-3, 2e-3, 1e-3, 5e-3])
    design = best_supercells(*silicon, given, count=4)
    order = [one.index for one in design.steps]
    assert sorted(order) == [0, 1, 2, 3]
    assert design.before == pytest.approx(left_by(silicon, given, []))
    for n, step in enumerate(design.steps, start=1):
        expected = left_by(silicon, given, order[:n])
        assert step.error == pytest.approx(expected, rel=1e-6)
    errors = [design.before, *(one.error for one in design.steps)]
    assert (np.diff(errors) < 0).all()


def test_of_two_alike_the_precise_one_comes_first(silicon):
    given = candidates(silicon[0].phonon, [1e-3, 1e-2, 1e-3])
    given.displacements[1] = given.displacements[2]
    order = [one.index for one in best_supercells(*silicon, given, count=3).steps]
    assert order.index(2) < order.index(1)


def test_what_moves_every_atom_is_worth_more_than_one_atom(silicon):
    given = candidates(silicon[0].phonon, [1e-3, 1e-3])
    [first] = best_supercells(*silicon, given, count=1).steps
    assert first.index == 1
    loud = candidates(silicon[0].phonon, [1e-3, 10.0])  # the negative control
    [first] = best_supercells(*silicon, loud, count=1).steps
    assert first.index == 0


def test_what_gains_nothing_is_not_chosen(silicon):
    given = candidates(silicon[0].phonon, [1e-3, 1e-3, 1e3])
    assert len(best_supercells(*silicon, given, count=3).steps) == 2
    nothing = candidates(silicon[0].phonon, [1e3, 1e3])
    assert best_supercells(*silicon, nothing, count=2).steps == ()


def test_enough_is_enough(silicon):
    given = candidates(silicon[0].phonon, [1e-3] * 5)
    every = best_supercells(*silicon, given, count=5)
    target = every.steps[1].error
    design = best_supercells(*silicon, given, count=5, target=target)
    assert design.steps == every.steps[:2]
    assert best_supercells(*silicon, given, count=5, target=99.0).steps == ()


def test_a_label_does_what_was_expected_of_it(silicon):
    """Crystals drawn from the prior, labelled and combined: the mean error is right.

    Eight numbers make all frequencies, so that the mean of a crystal has a spread of
    two thirds, and that of sixty crystals one of 9 %.
    """
    harmonic, prior, mesh = silicon
    noise = 1e-3
    given = candidates(harmonic.phonon, [noise, noise])
    [step] = best_supercells(*silicon, given, count=1).steps
    u = given.displacements[[step.index]]
    rng = np.random.default_rng(1)
    start = (prior.basis.responses(u) @ prior.basis.numbers_of(prior.prior)).reshape(
        u.shape
    )
    before, after = [], []
    for _ in range(60):
        apart = prior.factor @ rng.normal(size=prior.factor.shape[1])
        forces = start + (prior.basis.responses(u) @ apart).reshape(u.shape)
        forces = forces + rng.normal(scale=noise, size=u.shape)
        truth = prior.prior + prior.basis.constants_of(apart)
        true = mesh_frequencies(with_constants(harmonic, truth), MESH)
        labels = Labels(
            displacements=u,
            forces=forces,
            responses=start,
            at_rest=at_rest_directions(harmonic.phonon),
        )
        found = combined(prior.basis, prior.prior, labels).constants()
        best = mesh_frequencies(with_constants(harmonic, found), MESH)
        before.append(difference(mesh, true))
        after.append(difference(best, true))
    design = best_supercells(*silicon, given, count=1)
    assert np.mean(before) == pytest.approx(design.before, rel=0.3)
    assert np.mean(after) == pytest.approx(step.error, rel=0.3)


def difference(one, other):
    apart = np.abs(one.frequencies - other.frequencies).mean(axis=1)
    return float(np.average(apart, weights=one.weights))
