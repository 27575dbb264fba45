"""Frozen waves: their cells, their displacements, and what symmetry does to them."""

import numpy as np
import pytest
from ase.build import bulk
from hypothesis import assume, given
from hypothesis import strategies as st

from atomgraft.lattice.harmonic import harmonic_of
from atomgraft.lattice.modulations import (
    Instability,
    frozen_space,
    same_q,
    star_of,
    stars,
    superlattice,
)
from atomgraft.lattice.order_parameters import directions_of, is_representation
from atomgraft.lattice.spectra import commensurate_modes
from atomgraft.lattice.supercells import prepare
from atomgraft.models.pair import lennard_jones, stillinger_weber
from atomgraft.models.prediction import predict_structures
from atomgraft.stabilise.descent import find_instabilities, q_label

ARGON = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=7.0)

THZ_SQUARED = 1.0364269656e-4 * (2 * np.pi) ** 2
"""(2π THz)² u in eV/Å²."""

CURVATURE = 0.02
"""Relative: what the anharmonic part does at the amplitudes here."""


@pytest.fixture(scope="module")
def simple_cubic():
    """Lennard-Jones atoms on a simple cubic lattice, which shears and buckles."""
    phonon = prepare(bulk("Ar", "sc", a=3.7), supercell=np.diag([2, 2, 2]))
    return harmonic_of(ARGON, phonon)


@pytest.fixture(scope="module")
def silicon():
    phonon = prepare(bulk("Si", a=5.431), supercell=np.diag([2, 2, 2]))
    return harmonic_of(stillinger_weber(["Si"]), phonon)


def as_instability(modes, index):
    """A mode with those of its frequency at its q-point, imaginary or not."""
    mode = modes[index]
    alike = [
        one.eigenvector
        for one in modes
        if same_q(one.q, mode.q) and abs(one.frequency - mode.frequency) < 1e-4
    ]
    return Instability(
        arms=mode.q[None],
        frequency=mode.frequency,
        eigenvectors=(np.array(alike),),
    )


rationals = st.sampled_from([0, 1 / 2, 1 / 3, 2 / 3, 1 / 4, 3 / 4, 1 / 6])


@given(q=st.lists(rationals, min_size=3, max_size=3))
def test_a_superlattice_is_the_smallest_that_holds_the_wave(q):
    q = np.array(q, dtype=float)
    rows = superlattice(q[None])
    phases = rows @ q
    assert np.abs(phases - np.rint(phases)).max() < 1e-9
    n_cells = round(np.linalg.det(rows))
    order = next(
        n for n in range(1, 100) if np.abs(n * q - np.rint(n * q)).max() < 1e-9
    )
    assert n_cells == order


@given(
    first=st.lists(rationals, min_size=3, max_size=3),
    second=st.lists(rationals, min_size=3, max_size=3),
)
def test_a_superlattice_holds_every_wave_of_several(first, second):
    q = np.array([first, second], dtype=float)
    assume(np.abs(q).max() > 0)
    phases = superlattice(q) @ q.T
    assert np.abs(phases - np.rint(phases)).max() < 1e-9


@pytest.mark.parametrize(
    ("q", "n_arms"),
    [
        ([0, 0, 0], 1),
        ([0.5, 0, 0], 3),
        ([0.5, 0.5, 0], 3),
        ([0.5, 0.5, 0.5], 1),
        ([0.25, 0, 0], 3),  # of q and -q only one
        ([0.25, 0.5, 0], 6),
        ([0.1, 0.2, 0.3], 24),
    ],
)
def test_stars_of_a_cubic_crystal(q, n_arms, simple_cubic):
    operations = simple_cubic.phonon.primitive_symmetry.symmetry_operations
    star = star_of(np.array(q, dtype=float), operations["rotations"])
    assert len(star) == n_arms
    assert len(stars([*star, -star[0]], operations["rotations"])) == 1


def test_a_wave_vector_is_itself_up_to_the_reciprocal_lattice():
    assert same_q(np.array([0.5, 0, 0]), np.array([-0.5, 1, 0]))
    assert not same_q(np.array([0.25, 0, 0]), np.array([-0.25, 0, 0]))


@pytest.mark.parametrize("index", range(0, 48, 3))
def test_displacements_are_those_of_phonopy(silicon, index):
    """phonopy's own modulation lies in the space of ours; its phase is free."""
    modes = commensurate_modes(silicon)
    mode = modes[index]
    if mode.frequency < 0.1:
        pytest.skip("a translation")
    space = frozen_space(silicon.phonon, as_instability(modes, index))
    theirs = silicon.phonon.run_modulations(
        [2, 2, 2], [[mode.q.tolist(), mode.band, 1.0, 0.0]]
    )
    displacements = np.asarray(theirs.modulations[0]).real
    places = np.asarray(theirs.supercell.positions)
    inverse = np.linalg.inv(space.supercell.cell.array)
    ours = np.array([_at(space, place, inverse) for place in places])
    weights = np.sqrt(silicon.phonon.primitive.masses[0])
    flat = ours.transpose(1, 0, 2).reshape(len(space.fields), -1)
    goal = displacements.ravel() * weights
    fitted = flat.T @ np.linalg.lstsq(flat.T, goal, rcond=None)[0]
    assert np.abs(fitted - goal).max() < 1e-6 * np.abs(goal).max()


def _at(space, place, inverse):
    """Return the fields at the atom of the small cell that a place is an image of."""
    apart = (space.supercell.positions - place) @ inverse
    apart -= np.rint(apart)
    return space.fields[:, np.linalg.norm(apart, axis=1).argmin()]


def test_symmetry_takes_the_waves_into_each_other(simple_cubic):
    for instability in find_instabilities(simple_cubic):
        space = frozen_space(simple_cubic.phonon, instability)
        assert len(space.fields) == len(instability.arms) * instability.degeneracy
        assert is_representation(space.group)
        for one, other in zip(space.group[:6], space.group[-6:], strict=True):
            product = one @ other
            assert np.abs(space.group - product).max(axis=(1, 2)).min() < 1e-6


def test_energy_along_a_frozen_wave_curves_as_its_frequency_says(simple_cubic):
    """E = ½ ω² Σ m u²: the wave is the mode, in whatever cell and of however many."""
    found = find_instabilities(simple_cubic)
    assert {q_label(simple_cubic, one) for one in found} >= {"X", "M"}
    for instability in found:
        space = frozen_space(simple_cubic.phonon, instability)
        for direction in directions_of(space.group):
            u = 0.01 * space.displacements(direction.amplitudes)
            cells = [space.supercell.copy() for _ in range(3)]
            cells[1].positions += u
            cells[2].positions -= u
            middle, up, down = (one.energy for one in predict_structures(ARGON, cells))
            masses = space.supercell.get_masses()[:, None]
            expected = (
                -THZ_SQUARED * instability.frequency**2 * float((masses * u**2).sum())
            )
            assert up + down - 2 * middle == pytest.approx(expected, rel=CURVATURE)


def test_a_stable_crystal_has_no_instabilities(silicon):
    assert find_instabilities(silicon) == ()


def test_the_threshold_decides_what_is_imaginary(simple_cubic):
    softest = find_instabilities(simple_cubic)[0].frequency
    assert find_instabilities(simple_cubic, threshold=-softest + 0.01) == ()
