"""Do features of ions and of their motion say what they should, in any frame?"""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from scipy.spatial.transform import Rotation

pytest.importorskip("pymatgen", reason="needs the extra transport")

from atomgraft.transport.features.ions import SITE, ions_of, packed, unpacked
from atomgraft.transport.features.motion import (
    COLUMNS,
    LAGS,
    MOMENTS,
    MSD,
    PERIODS,
    SPECTRUM,
    motion_features,
)
from atomgraft.transport.materials import Material

SAME = 1e-9
STEP = 0.1
N_MSD = len(MSD)


def walk(seed=0, n=400, copies=6, ions=3, size=0.2) -> np.ndarray:
    """Return random walks of ions in Å, frames first."""
    moves = np.random.default_rng(seed).normal(size=(n, copies, ions, 3))
    return np.cumsum(size * moves, axis=0)


def rocksalt() -> Atoms:
    atoms = bulk("LiF", "rocksalt", a=4.03, cubic=True)
    atoms.rattle(0.05, seed=0)
    return atoms


def material(atoms, motion=None, temperature=700.0) -> Material:
    return Material(
        name="LiF",
        amounts={"Li": 1.0, "F": 1.0},
        mobile="Li",
        structures=(atoms,),
        temperature=temperature,
        motion=motion,
    )


@pytest.mark.parametrize("choice", COLUMNS)
def test_motion_does_not_depend_on_frame_or_order(choice):
    paths = walk()
    turned = paths @ Rotation.random(rng=1).as_matrix().T + [3.0, -1.0, 7.0]
    mixed = turned[:, ::-1]  # copies of an ion are all as good as each other
    found, other = (motion_features(one, STEP, choice) for one in (paths, mixed))
    assert found.shape == (3, len(COLUMNS[choice]))
    np.testing.assert_allclose(found, other, atol=SAME)
    permuted = motion_features(paths[:, :, [2, 0, 1]], STEP, choice)
    np.testing.assert_allclose(found[[2, 0, 1]], permuted, atol=SAME)
    faster = motion_features(2 * paths, STEP, choice)
    assert not np.allclose(found, faster, equal_nan=True, atol=0.01)


def test_a_random_walk_has_its_mean_square_displacement():
    size = 0.2
    found = motion_features(walk(n=3000, copies=20, size=size), STEP, "msd")
    for k, lag in enumerate(LAGS[:6]):
        wanted = np.log10(3 * size**2 * lag / STEP)
        np.testing.assert_allclose(found[:, k], wanted, atol=0.05)
        # displacements of a random walk are Gaussian
        np.testing.assert_allclose(found[:, N_MSD + k], 0.0, atol=0.05)


def test_rare_hops_are_not_gaussian():
    rng = np.random.default_rng(0)
    hops = (rng.random((2000, 20, 1, 1)) < 0.01) * rng.normal(size=(2000, 20, 1, 3))
    found = motion_features(np.cumsum(hops, axis=0), STEP, "msd")
    assert found[0, N_MSD] > 1.0
    assert len(MOMENTS) == N_MSD


def test_an_oscillation_is_in_the_band_of_its_period():
    period, amplitude = 1.0, 0.5
    times = STEP * np.arange(1024)
    path = np.zeros((1024, 1, 1, 3))
    path[:, 0, 0, 1] = amplitude * np.sin(2 * np.pi * times / period)
    found = motion_features(path, STEP, "spectrum")[0]
    band = int(np.searchsorted(PERIODS, period)) - 1
    assert int(np.nanargmax(found)) == band
    assert PERIODS[band] < period < PERIODS[band + 1]


def test_what_a_run_cannot_tell_is_not_a_number():
    found = motion_features(walk(n=60), STEP, "all")
    assert found.shape[1] == len(SPECTRUM) + 2 * N_MSD
    # six picoseconds hold no period of ten, and no window of five
    assert np.isnan(found[:, len(SPECTRUM) - 1]).all()
    assert np.isnan(found[:, len(SPECTRUM) + 6 :][:, : N_MSD - 6]).all()
    coarse = motion_features(walk(n=60), 1.0, "msd")
    assert np.isnan(coarse[:, 0]).all()
    assert np.isfinite(coarse).any()


def test_ions_do_not_depend_on_frame_order_and_cell():
    atoms = rocksalt()
    moved = atoms.copy()
    moved.rotate(40.0, (1, 2, 3), rotate_cell=True)
    moved.positions += [0.3, 1.0, -2.0]
    moved = moved[[5, 2, 7, 0, 1, 6, 3, 4]]
    larger = make_supercell(atoms, np.diag([2, 1, 1]))
    found = [ions_of([material(one)]) for one in (atoms, moved, larger)]
    assert found[0].columns == SITE
    order = [np.lexsort(one.rows.round(3).T) for one in found]
    for one, by in zip(found[1:], order[1:], strict=True):
        rows = one.rows[by], found[0].rows[order[0]]
        np.testing.assert_allclose(*rows, atol=1e-3)
        np.testing.assert_allclose(one.share.sum(), 1.0)


def test_equal_ions_are_one_row_with_the_mean_of_their_motion():
    atoms = bulk("LiF", "rocksalt", a=4.03, cubic=True)
    motion = np.arange(8.0).reshape(4, 2)
    found = ions_of([material(atoms, motion), material(atoms)])
    assert found.share.tolist() == [1.0, 1.0]
    assert found.motion[0].tolist() == [3.0, 4.0]
    assert found.has_motion.tolist() == [True, False]
    assert found.has_ions.tolist() == [True, True]


def test_materials_are_taken_with_their_ions():
    parts = [rocksalt(), bulk("LiCl", "rocksalt", a=5.1, cubic=True), rocksalt()]
    motion = np.random.default_rng(0).normal(size=(4, 2))
    whole = ions_of(
        [material(one, motion, 100.0 * k) for k, one in enumerate(parts, 1)]
    )
    taken = whole.take(np.array([2, 1]))
    assert taken.temperature.tolist() == [300.0, 200.0]
    assert len(taken) == 2
    np.testing.assert_array_equal(taken.rows[taken.owner == 1], whole.rows[4:5])
    assert not taken.without_motion().has_motion.any()
    bare = Material(name="b", amounts={"Li": 1.0}, mobile="Li")
    assert ions_of([bare, material(parts[0])]).has_ions.tolist() == [False, True]


def test_ions_are_kept_as_one_row_and_read_again():
    one = ions_of([material(rocksalt())])
    again = unpacked([packed(one), packed(one)], one.columns, 700.0)
    np.testing.assert_array_equal(again.take(np.array([1])).rows, one.rows)
    assert again.temperature.tolist() == [700.0, 700.0]
    assert np.isnan(unpacked([packed(one)], one.columns, None).temperature[0])
