"""Force constants: what is taken off, what is refused, what scaling does."""

import numpy as np
import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.lattice.harmonic import harmonic_of, scaled, with_forces
from atomgraft.lattice.spectra import mesh_frequencies
from atomgraft.lattice.supercells import crystal
from tests.vibrations import (
    constants,
    displaced_salt,
    displaced_silicon,
    harmonic_salt,
    harmonic_silicon,
    shaken_silicon,
    silicon,
    silicon_law,
)

KINDS = ["one atom", "all atoms"]

MESH = (4, 4, 4)

ANHARMONIC = 0.06
"""THz; what atoms that move at once by 0.01 Å do to one another beyond harmonics."""


def frequencies(harmonic):
    return mesh_frequencies(harmonic, MESH).frequencies


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_of_forces_that_is_always_there_changes_nothing(kind):
    phonon = displaced_silicon() if kind == "one atom" else shaken_silicon()
    silicon = harmonic_silicon(kind)
    field = np.random.default_rng(0).normal(scale=0.1, size=(len(phonon.supercell), 3))
    same = with_forces(phonon, silicon.forces + field, undisplaced=field)
    np.testing.assert_allclose(constants(same), constants(silicon), atol=1e-9)
    assert same.residual == pytest.approx(np.linalg.norm(field, axis=1).max())
    other = with_forces(phonon, silicon.forces + field)  # the negative control
    assert np.abs(constants(other) - constants(silicon)).max() > 0.1
    assert other.residual is None


def test_both_kinds_of_displacement_find_the_same_crystal():
    one, other = (frequencies(harmonic_silicon(kind)) for kind in KINDS)
    np.testing.assert_allclose(one, other, atol=ANHARMONIC)
    assert np.abs(one - other).max() > 0  # two ways


def test_displacements_are_left_as_they_came():
    phonon = displaced_silicon()
    before = phonon.dataset
    first = harmonic_of(silicon_law(), phonon)
    second = with_forces(phonon, 2 * first.forces)
    assert "forces" not in phonon.dataset["first_atoms"][0]
    assert phonon.dataset == before
    np.testing.assert_allclose(first.phonon.forces, first.forces)
    np.testing.assert_allclose(second.phonon.forces, 2 * first.forces)
    np.testing.assert_allclose(constants(second), 2 * constants(first))


@pytest.mark.parametrize("factor", [0.25, 1.0, 4.0])
def test_frequencies_go_with_the_root_of_the_factor(factor):
    silicon = harmonic_silicon()
    before = frequencies(silicon)
    found = scaled(silicon, factor)
    np.testing.assert_allclose(
        frequencies(found), np.sqrt(factor) * before, atol=1e-6, rtol=1e-6
    )
    np.testing.assert_allclose(found.forces, factor * silicon.forces)
    assert found.drift == factor * silicon.drift
    np.testing.assert_array_equal(frequencies(silicon), before)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan")])
def test_a_factor_that_makes_no_crystal_is_refused(factor):
    with pytest.raises(ValueError, match="no crystal"):
        scaled(harmonic_silicon(), factor)


@pytest.mark.parametrize("shape", [(2, 16, 3), (1, 15, 3)])
def test_forces_of_other_supercells_are_refused(shape):
    with pytest.raises(BadInputError, match="Forces came for"):
        with_forces(displaced_silicon(), np.zeros(shape))


def test_displacements_that_do_not_span_the_crystal_are_refused():
    phonon = displaced_salt().replicate()
    whole = displaced_salt().dataset
    phonon.dataset = whole | {"first_atoms": whole["first_atoms"][:1]}
    with pytest.raises(BadInputError, match="do not determine"):
        with_forces(phonon, harmonic_salt().forces[:1])


def test_a_fit_with_more_unknowns_than_forces_is_refused():
    """Least squares would answer, with a crystal that is made up."""
    bent = silicon().repeat((1, 1, 2))
    bent.rattle(0.05, seed=1)  # no symmetry helps
    phonon = crystal(bent, np.diag([2, 2, 1]), "auto")

    def found(n_frames):
        phonon.generate_displacements(
            number_of_snapshots=n_frames, distance=1e-3, random_seed=1
        )
        return harmonic_of(silicon_law(), phonon)

    with pytest.raises(BadInputError, match="1 displaced supercells do not determine"):
        found(1)
    few, many = frequencies(found(12)), frequencies(found(24))
    np.testing.assert_allclose(few, many, atol=ANHARMONIC)
