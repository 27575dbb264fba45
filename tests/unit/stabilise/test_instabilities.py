"""Imaginary modes: as many as the supercell's own Hessian has, at places with names."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.cell import Cell
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.lattice.harmonic import harmonic_of
from atomgraft.lattice.modulations import Instability, same_q
from atomgraft.lattice.supercells import prepare
from atomgraft.models.pair import lennard_jones, stillinger_weber
from atomgraft.stabilise.descent import (
    boundary_supercell,
    find_instabilities,
    lowest_frequency,
    q_label,
)

ARGON = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=7.0)

THZ = 15.633302
"""Of the root of 1 eV/Å²/u."""

CRYSTALS = {
    "simple cubic": (bulk("Ar", "sc", a=3.7), 2),
    "body-centred": (bulk("Ar", "bcc", a=4.2), 2),
    "face-centred": (bulk("Ar", "fcc", a=5.3), 2),
    "a third of the way": (bulk("Ar", "sc", a=3.7), 3),
    "slanted": (
        Atoms("Ar", cell=[3.7, 3.9, 4.1, 80, 85, 95], pbc=True),
        [[2, 1, 0], [0, 2, 0], [0, 0, 3]],
    ),
}
"""A crystal and its supercell; a matrix that is not symmetric tells rows from columns.
"""


def vibrating(atoms, n):
    matrix = np.diag([n, n, n]) if isinstance(n, int) else np.array(n)
    return harmonic_of(ARGON, prepare(atoms, supercell=matrix))


@pytest.fixture(scope="module", params=CRYSTALS)
def harmonic(request):
    return vibrating(*CRYSTALS[request.param])


@pytest.fixture(scope="module")
def simple_cubic():
    return vibrating(*CRYSTALS["simple cubic"])


def frequencies_of_supercell(harmonic):
    """Diagonalise the Hessian of the whole supercell: every commensurate mode, THz."""
    phonon = harmonic.phonon
    constants = np.asarray(phonon.force_constants)
    primitive, n = phonon.primitive, len(phonon.supercell)
    if len(constants) < n:  # rows of the primitive cell alone
        from phonopy.harmonic.force_constants import compact_fc_to_full_fc

        constants = compact_fc_to_full_fc(primitive, constants)
    roots = np.sqrt(np.asarray(phonon.supercell.masses))
    scaled = constants / roots[:, None, None, None] / roots[None, :, None, None]
    hessian = scaled.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n)
    squares = np.linalg.eigvalsh((hessian + hessian.T) / 2)
    return THZ * np.sign(squares) * np.sqrt(np.abs(squares))


def n_waves(instability):
    """Count real waves; one that is not its own opposite has a sine and a cosine."""
    opposites = [1 if same_q(arm, -arm) else 2 for arm in instability.arms]
    return sum(opposites) * instability.degeneracy


def test_imaginary_modes_are_all_those_of_the_supercell(harmonic):
    """The independent answer has no q-points, no stars and no symmetry."""
    soft = frequencies_of_supercell(harmonic)
    found = find_instabilities(harmonic, 0.1)
    assert sum(map(n_waves, found)) == np.sum(soft < -0.1)


def test_the_lowest_frequency_is_that_of_the_supercell(harmonic):
    lowest = frequencies_of_supercell(harmonic).min()
    assert lowest_frequency(harmonic) == pytest.approx(lowest, abs=2e-3)


def test_the_softest_comes_first_and_is_the_lowest(simple_cubic):
    found = [one.frequency for one in find_instabilities(simple_cubic)]
    assert found == sorted(found)
    assert found[0] == pytest.approx(lowest_frequency(simple_cubic), abs=1e-3)


def test_arms_of_a_star_have_one_frequency(simple_cubic):
    """Every arm is asked on its own; symmetry must give the same answer."""
    for one in find_instabilities(simple_cubic):
        for arm, vectors in zip(one.arms, one.eigenvectors, strict=True):
            result = simple_cubic.phonon.run_qpoints(arm[None])
            near = np.abs(np.asarray(result.frequencies)[0] - one.frequency) < 0.02
            assert near.sum() == one.degeneracy == len(vectors)


def test_eigenvectors_are_orthonormal_and_solve_the_dynamical_matrix(simple_cubic):
    phonon = simple_cubic.phonon
    for one in find_instabilities(simple_cubic):
        for arm, vectors in zip(one.arms, one.eigenvectors, strict=True):
            flat = vectors.reshape(len(vectors), -1)
            assert np.allclose(flat.conj() @ flat.T, np.eye(len(flat)), atol=1e-8)
            result = phonon.run_qpoints(arm[None], with_dynamical_matrices=True)
            matrix = np.asarray(result.dynamical_matrices)[0]
            square = -((one.frequency / THZ) ** 2)
            assert np.allclose(matrix @ flat.T, square * flat.T, atol=1e-5)


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 5.0])
def test_nothing_above_the_threshold_counts(simple_cubic, threshold):
    found = find_instabilities(simple_cubic, threshold)
    assert all(one.frequency < -threshold for one in found)
    assert len(found) <= len(find_instabilities(simple_cubic, 0.0))
    if threshold > 1:
        assert found == ()


def test_a_crystal_at_rest_has_none():
    """Negative control: the close-packed crystal of the same potential."""
    assert find_instabilities(vibrating(*CRYSTALS["face-centred"])) == ()


def at(q):
    q = np.array(q, dtype=float)
    return Instability(
        arms=q[None], frequency=-1.0, eigenvectors=(np.zeros((1, 1, 3), dtype=complex),)
    )


@pytest.mark.parametrize(
    ("q", "label"),
    [
        ((0, 0, 0), "Γ"),
        ((0, 0.5, 0), "X"),
        ((0.5, 0.5, 0), "M"),
        ((0.5, 0.5, 0.5), "R"),
        ((-0.5, 0.5, -0.5), "R"),  # the same up to a reciprocal vector
        ((1, 0, -1), "Γ"),
        ((1 / 3, 0, 0), "(1/3, 0, 0)"),
        ((0.25, 0.25, 0.125), "(1/4, 1/4, 1/8)"),
    ],
)
def test_points_of_the_cube_have_their_names(q, label, simple_cubic):
    assert q_label(simple_cubic, at(q)) == label


def test_any_arm_may_be_the_one_with_a_name(simple_cubic):
    arms = np.array([[0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]])
    vectors = (np.zeros((1, 1, 3), dtype=complex),) * 3
    star = Instability(arms=arms, frequency=-1.0, eigenvectors=vectors)
    assert q_label(simple_cubic, star) == "X"


def test_the_zone_boundary_of_bcc_is_called_n():
    soft = find_instabilities(vibrating(*CRYSTALS["body-centred"]))
    harmonic = vibrating(*CRYSTALS["body-centred"])
    assert "N" in [q_label(harmonic, one) for one in soft]


lengths = st.floats(2.0, 12.0)


@given(sides=st.tuples(lengths, lengths, lengths), length=st.floats(1.0, 20.0))
def test_a_boundary_supercell_is_long_enough_and_doubles(sides, length):
    atoms = bulk("Po", "sc", a=3.0)
    atoms.set_cell(Cell(np.diag(sides)), scale_atoms=True)
    counts = boundary_supercell(atoms, length).diagonal()
    for n, side in zip(counts, sides, strict=True):
        assert n * side > length - 1e-6
        assert n == 1 or n % 2 == 0
        assert n <= 2 or (n - 2) * side < length  # no smaller even one would do


def test_three_cells_would_miss_what_doubles_the_cell():
    """Negative control: why the count is even."""
    odd = vibrating(*CRYSTALS["a third of the way"])
    boundary = [one for one in find_instabilities(odd) if np.any(one.arms % 1 == 0.5)]
    assert boundary == []
    even = vibrating(*CRYSTALS["simple cubic"])
    assert any(np.any(np.abs(one.arms) == 0.5) for one in find_instabilities(even))


def test_silicon_has_three_modes_of_no_frequency_and_none_below():
    phonon = prepare(bulk("Si", a=5.431), supercell=np.diag([2, 2, 2]))
    harmonic = harmonic_of(stillinger_weber(["Si"]), phonon)
    frequencies = frequencies_of_supercell(harmonic)
    assert np.sum(np.abs(frequencies) < 0.01) == 3
    assert find_instabilities(harmonic) == ()
