"""The readout in closed form: linear where it must be, regular where it can be."""

import numpy as np
import pytest
import torch
from ase.build import bulk

from atomgraft.adaptation import ridge as module
from atomgraft.adaptation.axes import Axes, WholeWeights
from atomgraft.adaptation.ridge import (
    Difference,
    RidgeUnits,
    put_readout,
    ridge,
    solve_readout,
)
from atomgraft.core.errors import BadInputError
from atomgraft.data.labels import set_labels
from atomgraft.data.partners import DISPLACEMENT, find_partners
from atomgraft.models.prediction import predict_structures
from tests.trials import NEEDS_SEVENN, adapted_by, in_precision, labelled_for

NAME = "sevennet:tiny:Si"
UNITS = RidgeUnits(energy=1.0, forces=1.0, energy_weight=1.0)
READOUT = Axes(moves=WholeWeights(roles=("readout",)))


def rows(n, k, seed=0, noise=0.0):
    rng = np.random.default_rng(seed)
    X, c = rng.normal(size=(n, k)), rng.normal(size=k)
    return X, X @ c + noise * rng.normal(size=n), c


def test_without_noise_the_coefficients_come_back():
    X, y, c = rows(60, 5)
    found, strength, freedom = ridge(X, y)
    assert found == pytest.approx(c, abs=1e-8)
    assert strength < 1e-6
    assert freedom == pytest.approx(5, abs=1e-4)


def test_it_solves_the_normal_equations():
    X, y, _ = rows(60, 5, noise=1.0)
    c, strength, freedom = ridge(X, y)
    shift = len(y) * strength * np.mean(X**2) * np.eye(5)
    assert c == pytest.approx(np.linalg.solve(X.T @ X + shift, X.T @ y))
    H = X @ np.linalg.solve(X.T @ X + shift, X.T)
    assert freedom == pytest.approx(np.trace(H))


def test_the_strength_has_the_smallest_score():
    X, y, _ = rows(40, 10, noise=2.0)
    _, strength, _ = ridge(X, y)
    n = len(y)

    def score(t):
        H = X @ np.linalg.solve(X.T @ X + n * t * np.mean(X**2) * np.eye(10), X.T)
        rest = n - module.INFLATION * np.trace(H)
        return n * ((y - H @ y) ** 2).sum() / rest**2

    assert score(strength) <= min(score(t) for t in module.STRENGTHS[::4]) * (1 + 1e-9)


def test_pure_noise_is_left_alone():
    X, y, _ = rows(50, 20)
    y = np.random.default_rng(1).normal(size=50)
    c, _, freedom = ridge(X, y)
    assert freedom < 5
    assert np.linalg.norm(X @ c) < 0.5 * np.linalg.norm(y)


def test_copies_count_once():
    X, y, _ = rows(40, 10, noise=2.0)
    c, strength, freedom = ridge(X, y)
    twice = np.concatenate([X, X]), np.concatenate([y, y])
    again, same, freedom_again = ridge(*twice, n=40.0)
    assert again == pytest.approx(c)
    assert (same, freedom_again) == pytest.approx((strength, freedom))
    assert ridge(*twice)[2] > 1.05 * freedom  # negative control: they pass for news


def test_energies_without_labels_say_nothing_of_columns_that_are_zero():
    X, y, c = rows(60, 3)
    wide = np.concatenate([X, np.zeros((60, 2))], axis=1)
    found, _, _ = ridge(wide, y)
    assert found == pytest.approx([*c, 0, 0], abs=1e-8)


def changed(potential, coefficients):
    """Return the potential with its readout changed along the directions."""
    other = potential.clone(dtype=torch.float64)
    with torch.no_grad():
        for name, directions in potential.readout_directions().items():
            step = torch.tensordot(coefficients, directions, dims=1)
            other.module.get_parameter(name).add_(step)
    return other


@pytest.fixture
def potential():
    return in_precision(NAME, torch.float64)


def coefficients_for(potential, seed=0):
    [directions] = potential.readout_directions().values()
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(len(directions), generator=generator, dtype=torch.float64)


@NEEDS_SEVENN
def test_atom_energies_are_affine_along_the_directions(potential):
    frames = labelled_for(potential, 2)
    c = coefficients_for(potential)
    ends = [
        list(predict_structures(changed(potential, t * c), frames))
        for t in (0.0, 1.0, 2.0)
    ]
    for zero, one, two in zip(*ends, strict=True):
        assert two.energy - one.energy == pytest.approx(one.energy - zero.energy)
        assert two.forces - one.forces == pytest.approx(
            one.forces - zero.forces, abs=1e-10
        )
        assert np.abs(one.forces - zero.forces).max() > 1e-4


@NEEDS_SEVENN
def test_labels_of_another_readout_are_learned_to_the_last_digit(potential):
    truth = changed(potential, coefficients_for(potential))
    frames = labelled_for(potential, 6)
    for frame, one in zip(frames, predict_structures(truth, frames), strict=True):
        set_labels(frame, energy=one.energy, forces=one.forces)
    adapted = adapted_by(READOUT, potential)
    fit = solve_readout(adapted.potential, frames[:4], UNITS)
    assert fit.residual_after < 1e-6 * fit.residual_before
    put_readout(adapted.movement, fit)
    for one, frame in zip(
        predict_structures(adapted.merged(), frames[4:]), frames[4:], strict=True
    ):
        assert one.forces == pytest.approx(frame.arrays["REF_forces"], abs=1e-4)


@NEEDS_SEVENN
@pytest.mark.parametrize("is_from_zero", [True, False])
def test_from_zero_the_readout_of_the_source_does_not_matter(potential, is_from_zero):
    """Noisy labels: what is not determined is zero, or the source's."""
    frames = labelled_for(potential, 3)
    rng = np.random.default_rng(3)
    for frame in frames:
        frame.arrays["REF_forces"] += rng.normal(0, 0.3, (len(frame), 3))
    found = []
    for source in (potential, changed(potential, coefficients_for(potential))):
        adapted = adapted_by(READOUT, source)
        fit = solve_readout(source, frames, UNITS, is_from_zero=is_from_zero)
        put_readout(adapted.movement, fit)
        model = adapted.merged()
        found.append([one.forces for one in predict_structures(model, frames)])
    differences = np.abs(np.concatenate(found[0]) - np.concatenate(found[1])).max()
    assert (differences < 1e-8) == is_from_zero


@NEEDS_SEVENN
def test_a_shift_of_all_energies_does_not_matter(potential):
    frames = labelled_for(potential, 3)
    plain = solve_readout(potential, frames, UNITS)
    for frame in frames:
        frame.info["REF_energy"] += 7.0 * len(frame)
    moved = solve_readout(potential, frames, UNITS)
    for name, change in plain.changes.items():
        assert torch.allclose(moved.changes[name], change, rtol=1e-6, atol=1e-9)


@NEEDS_SEVENN
def test_forces_alone_are_enough(potential):
    frames = labelled_for(potential, 3)
    for frame in frames:
        del frame.info["REF_energy"]
    fit = solve_readout(potential, frames, UNITS)
    assert fit.n_rows == sum(3 * len(frame) for frame in frames)
    assert fit.residual_after < fit.residual_before


@NEEDS_SEVENN
def test_no_labels_are_refused(potential):
    frames = [frame.copy() for frame in labelled_for(potential, 1)]
    for frame in frames:
        frame.info.clear()
        del frame.arrays["REF_forces"]
    with pytest.raises(BadInputError, match="No training structure has energies"):
        solve_readout(potential, frames, UNITS)


def test_a_model_without_a_linear_readout_is_refused():
    pair = in_precision("pair:sw-si", torch.float64)
    with pytest.raises(BadInputError, match=r"are not linear in a readout\."):
        solve_readout(pair, labelled_for(pair, 1), UNITS)


@NEEDS_SEVENN
def test_a_readout_that_stays_cannot_be_put_in(potential):
    axes = Axes(moves=WholeWeights(roles=("interaction",)))
    adapted = adapted_by(axes, potential)
    fit = solve_readout(potential, labelled_for(potential, 1), UNITS)
    with pytest.raises(BadInputError, match=r"is not trained as a whole\."):
        put_readout(adapted.movement, fit)


def displaced_pairs(potential, truth, rest, n=4):
    """Return frames at u and -u; their labels are those of another readout + rest."""
    crystal = bulk("Si", cubic=True)
    rng = np.random.default_rng(3)
    frames = []
    for _ in range(n):
        u = rng.normal(scale=0.02, size=(len(crystal), 3))
        for sign in (1, -1):
            frame = crystal.copy()
            frame.positions += sign * u
            frame.arrays[DISPLACEMENT] = sign * u
            frames.append(frame)
    for frame, one in zip(frames, predict_structures(truth, frames), strict=True):
        set_labels(frame, forces=one.forces + rest)
    return frames


@NEEDS_SEVENN
def test_forces_at_rest_do_not_matter_where_differences_are_fitted(potential):
    truth = changed(potential, coefficients_for(potential))
    rest = np.random.default_rng(4).normal(size=(8, 3))
    frames = displaced_pairs(potential, truth, rest)
    differences = {
        i: Difference(partner=one, weights=np.ones((8, 1)))
        for i, one in enumerate(find_partners(frames, "always"))
    }
    assert {one.partner.kind for one in differences.values()} == {"opposite"}
    fit = solve_readout(potential, frames, UNITS, differences)
    assert fit.residual_after < 1e-6 * fit.residual_before
    assert fit.n_rows == sum(3 * len(frame) for frame in frames)
    assert fit.n_counted == fit.n_rows / 2  # F(u) - F(-u) stands in both frames
    plain = solve_readout(potential, frames, UNITS)  # negative control
    assert plain.residual_after > 0.1 * plain.residual_before


@NEEDS_SEVENN
def test_a_frame_of_no_weight_says_nothing(potential):
    truth = changed(potential, coefficients_for(potential))
    frames = displaced_pairs(potential, truth, np.zeros((8, 3)), n=2)
    [first, *_] = find_partners(frames, "always")
    nothing = Difference(partner=first, weights=np.zeros((8, 1)))
    fit = solve_readout(potential, frames, UNITS, {0: nothing, 1: nothing})
    others = solve_readout(potential, frames[2:], UNITS)
    assert fit.n_rows == others.n_rows
    for name, change in others.changes.items():
        assert torch.allclose(fit.changes[name], change, rtol=1e-6, atol=1e-9)
