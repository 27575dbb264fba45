"""Mean-squared displacements and overlaps, against counting by hand."""

import numpy as np
import pytest

from atomgraft.transport.diffusivity.windows import (
    N_WINDOWS,
    displacements_of,
    overlaps,
    window_lengths,
)
from tests.hopping import brownian, hops


def all_windows(path, n):
    """Return the displacement in each window of a length, one after the other."""
    return np.array([path[i + n] - path[i] for i in range(len(path) - n)])


def test_the_msd_is_the_mean_over_windows_and_ions():
    path = brownian(40, 5, seed=1)
    data = displacements_of([path], 0.5)
    for i, n in enumerate(data.windows):
        squares = (all_windows(path, n) ** 2).sum(axis=2)
        assert data.mean[i] == pytest.approx(squares.mean())
        assert data.by_particle[i] == pytest.approx(squares.mean(axis=0))
        assert data.spread[i] == pytest.approx(squares.var())
    assert data.times == pytest.approx(0.5 * data.windows)


def test_the_tensor_has_the_msd_as_its_trace_and_rotates_with_the_ions():
    path = brownian(60, 8, seed=2, axes=(1.0, 0.2, 0.0))
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    before = displacements_of([path], 1.0)
    after = displacements_of([path @ turn.T], 1.0)
    assert after.mean == pytest.approx(before.mean)
    assert after.tensor == pytest.approx(turn @ before.tensor @ turn.T)
    assert after.spread == pytest.approx(before.spread)


def test_axes_add_up():
    path = hops(80, 6, rate=0.05, seed=3)
    whole = displacements_of([path], 1.0)
    axes = [displacements_of([path], 1.0, axis=i) for i in range(3)]
    assert sum(one.mean for one in axes) == pytest.approx(whole.mean)
    assert axes[1].tensor[:, 1, 1] == pytest.approx(axes[1].mean)


def test_translated_and_permuted_ions_are_the_same():
    path = hops(80, 6, rate=0.05, seed=4)
    order = np.random.default_rng(0).permutation(6)
    moved = path[:, order] + np.array([1.0, -2.0, 3.0])
    first, second = displacements_of([path], 1.0), displacements_of([moved], 1.0)
    assert second.mean == pytest.approx(first.mean)
    assert second.by_particle == pytest.approx(first.by_particle[:, order])


def test_runs_are_averaged_by_length_and_ions():
    runs = [brownian(60, 4, seed=5), brownian(120, 4, seed=6)]
    both = displacements_of(runs, 1.0)
    alone = [displacements_of([one], 1.0) for one in runs]
    assert (both.windows == alone[0].windows).all()
    expected = (60 * alone[0].mean[0] + 120 * alone[1].mean[0]) / 180
    assert both.mean[0] == pytest.approx(expected)
    assert both.by_particle.shape[1] == 8
    assert both.n_frames == (60, 120)


def test_windows_are_distinct_and_at_most_half_the_run():
    found = window_lengths(10_001)
    assert found[0] == 1
    assert found[-1] == 5000
    assert N_WINDOWS - 3 <= len(found) <= N_WINDOWS
    assert (np.diff(found) > 0).all()
    assert window_lengths(3).tolist() == [1]


def shared_frames(i, n, j, m):
    return max(0, min(i + n, j + m) - max(i, j))


def ends_of(i, n, j, m):
    """Return how the ends of two windows coincide: alike counts plus, unlike minus."""
    alike = (i == j) + (i + n == j + m)
    return alike - (i == j + m) - (i + n == j)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 3), (2, 5), (4, 4), (3, 8)])
def test_overlaps_are_those_counted_by_hand(n, m):
    n_frames = 17
    windows = np.array(sorted({n, m}))
    found = overlaps(windows, n_frames)
    pairs = [
        (shared_frames(i, n, j, m), ends_of(i, n, j, m))
        for i in range(n_frames - n)
        for j in range(n_frames - m)
    ]
    shared = np.array([one for one, _ in pairs], dtype=float)
    ends = np.array([one for _, one in pairs], dtype=float)
    assert found.squares[0, -1] == pytest.approx((shared**2).mean())
    assert found.lengths[0, -1] == pytest.approx(shared.mean())
    assert found.ends[0, -1] == pytest.approx((ends * shared).mean())
    assert found.corners[0, -1] == pytest.approx((ends**2).mean())
    assert found.squares == pytest.approx(found.squares.T)
