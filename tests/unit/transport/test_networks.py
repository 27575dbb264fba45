"""Do networks on bags of ions compute what their formulas say?"""

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn", reason="needs the extra transport")

from atomgraft.transport.features.ions import IonTable
from atomgraft.transport.predictors import networks
from atomgraft.transport.predictors.networks import (
    DECODER,
    FARTHEST,
    WIDTH,
    Bags,
    Noise,
    Scaling,
)
from atomgraft.transport.predictors.teaching import Student

SINGLE = 1e-5
ONES = np.ones(200)


def table(owner, *, seed=0, width=3, temperature=None) -> IonTable:
    owner = np.asarray(owner)
    rng = np.random.default_rng(seed)
    n = int(owner.max()) + 1
    return IonTable(
        rows=rng.normal(size=(len(owner), width)),
        columns=tuple(f"x{k}" for k in range(width)),
        owner=owner,
        share=1.0 / np.bincount(owner)[owner],
        temperature=np.full(n, np.nan) if temperature is None else temperature,
        motion=rng.normal(size=(len(owner), 2)),
    )


def test_columns_are_standardised_and_unknown_values_are_the_mean():
    rows = np.random.default_rng(0).normal(3.0, 2.0, size=(200, 2))
    rows[::4, 1] = np.nan
    scaling = Scaling.of(rows, ONES)
    found = scaling(rows)
    known = np.isfinite(rows[:, 1])
    np.testing.assert_allclose(found[:, 0].mean(), 0.0, atol=1e-9)
    np.testing.assert_allclose(found[known, 1].std(), 1.0, atol=1e-9)
    assert not found[~known, 1].any()
    far = scaling(np.array([[1e9, np.nan]]))
    assert far.tolist() == [[FARTHEST, 0.0]]


def test_a_column_that_does_not_vary_says_nothing():
    constant = np.column_stack([np.full(200, 7.3), np.full(200, np.nan)])
    scaling = Scaling.of(constant, ONES)
    # neither where it was measured nor where it is another number
    assert not scaling(constant).any()
    assert not scaling(constant + 100.0).any()


def test_a_row_of_weight_two_counts_as_two():
    rows = np.random.default_rng(0).normal(size=(5, 2))
    weight = np.array([2.0, 1.0, 1.0, 1.0, 1.0])
    once = Scaling.of(np.concatenate([rows[:1], rows]), np.ones(6))
    twice = Scaling.of(rows, weight)
    np.testing.assert_allclose(twice.mean, once.mean)
    np.testing.assert_allclose(twice.spread, once.spread)


def test_means_are_over_the_ions_of_each_material():
    ions = table([0, 0, 0, 1, 2, 2])
    h = torch.randn(2, 6, WIDTH, generator=torch.Generator().manual_seed(0))
    found = Bags.of(ions).mean(h)
    assert found.shape == (2, 3, WIDTH)
    torch.testing.assert_close(found[:, 0], h[:, :3].mean(dim=1))
    torch.testing.assert_close(found[:, 1], h[:, 3])
    torch.testing.assert_close(found[:, 2], h[:, 4:].mean(dim=1))


def test_the_scale_of_h_does_not_matter():
    # a penalty on the encoder would have no effect
    ions = table([0, 0, 1])
    weights = networks.fresh(4, 1, 0)
    h = torch.randn(1, 3, WIDTH, generator=torch.Generator().manual_seed(0))
    first, scaled, moved = (
        networks.decoded(weights, one, Bags.of(ions))
        for one in (h, 100 * h, h + torch.arange(WIDTH))
    )
    torch.testing.assert_close(first, scaled, atol=1e-3, rtol=0)
    assert (first - moved).abs().max() > SINGLE


def test_a_decoder_may_follow_any_of_its_members():
    weights = networks.fresh(4, 3, 0)
    for one in weights.values():
        assert len(one) == 3
        torch.testing.assert_close(one[0], one[2])
    assert {*weights} == {"w", *DECODER}
    assert {*networks.fresh(2, 3, 1, encoder="p")} == {"p"}
    other = networks.fresh(4, 1, 1)
    assert (weights["w"][0] - other["w"][0]).abs().max() > SINGLE


def test_noise_is_that_of_its_member_and_leaves_the_ones():
    x = networks.with_ones(np.zeros((500, 2)))
    w = torch.ones(2, 3, WIDTH)
    found = Noise(torch.tensor([0.0, 0.5]), seed=0).product(x, w)
    torch.testing.assert_close(found[0], x @ w[0])
    # two columns with noise of one half each
    assert float(found[1, :, 0].std()) == pytest.approx(0.5 * 2**0.5, rel=0.1)
    assert float(found[1].mean()) == pytest.approx(1.0, abs=0.1)


def test_members_are_trained_as_if_they_were_alone():
    rng = np.random.default_rng(0)
    x = networks.tensor(rng.normal(size=(40, 3)))
    y = networks.tensor(rng.normal(size=40))
    weight = networks.tensor(rng.random((2, 40)))

    def fitted(members):
        def loss(weights):
            told = (x @ weights["w"]).sum(dim=2)
            return networks.absolute_error(told, y, weight[members])

        start = networks.fresh(3, len(members), 0, encoder="w2")
        return networks.trained(
            {"w": start["w2"]}, loss, steps=30, rates={"w": 0.05}, seen_at=(0, 30)
        )

    both, kept = fitted([0, 1])
    alone, _ = fitted([1])
    torch.testing.assert_close(both["w"][1], alone["w"][0], atol=SINGLE, rtol=0)
    assert (both["w"][0] - both["w"][1]).abs().max() > SINGLE
    torch.testing.assert_close(kept[1]["w"], both["w"])
    assert (kept[0]["w"] - both["w"]).abs().max() > SINGLE


def test_the_temperature_of_a_material_is_seen():
    owner = np.repeat(np.arange(24), 2)
    temperature = np.where(np.arange(24) % 2, 1500.0, 1000.0)
    ions = table(owner, temperature=temperature)
    targets = temperature / 500.0
    student = Student(start="scratch").fit(ions, targets)
    told = student.predict(ions)
    assert np.abs(told - targets).max() < 0.3
    blind = table(owner)
    told = Student(start="scratch").fit(blind, targets).predict(blind)
    assert np.abs(told - targets).mean() > 0.3


def test_no_group_is_divided_where_steps_are_chosen(monkeypatch):
    from atomgraft.transport.predictors import teaching

    seen = []
    monkeypatch.setattr(
        teaching, "_divided", lambda groups, n, seed: seen.append(groups) or groups % n
    )
    ions = table(np.arange(24))
    groups = np.arange(24) // 4
    Student(start="scratch").fit(ions, np.arange(24.0), groups=groups)
    assert all((one == groups).all() for one in seen)
