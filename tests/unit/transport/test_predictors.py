"""Do methods fit what they should, and does validation keep groups apart?"""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra transport")

from atomgraft.core.errors import BadInputError
from atomgraft.transport.features.table import FeatureTable
from atomgraft.transport.predictors import choice, stored
from atomgraft.transport.predictors.choice import Examples
from atomgraft.transport.predictors.kernel import BlockKernel
from atomgraft.transport.predictors.methods import METHODS

FAST = ("constant", "composition ridge", "ridge", "kernel ridge")
TIGHT = 1e-8
ON_ROWS = tuple(one for one in METHODS if not METHODS[one].sees_ions)

ABOUT = {
    "target": "barrier",
    "unit": "eV",
    "mobile": ("Li",),
    "elements": ("Li", "O"),
    "half_widths": (0.1, 0.2),
    "headline": "",
}


def examples(targets, rows, groups=None) -> Examples:
    n, width = rows.shape
    return Examples(
        table=FeatureTable(
            rows=rows,
            columns=tuple(f"x{i}" for i in range(width)),
            blocks={"composition": slice(0, 2), "sites": slice(2, width)},
        ),
        targets=np.asarray(targets, dtype=float),
        groups=np.arange(n) if groups is None else np.asarray(groups),
        weights=np.ones(n),
        is_limit=np.zeros(n, dtype=bool),
    )


def smooth(n=60, seed=0) -> Examples:
    rows = np.random.default_rng(seed).normal(size=(n, 5))
    return examples(rows[:, 2] + 0.5 * rows[:, 0] ** 2, rows)


def test_the_gaussian_kernel_is_that_of_scikit_learn():
    from sklearn.kernel_ridge import KernelRidge

    one = smooth(61)
    middle = np.median(one.targets)
    ours = BlockKernel(kind="gauss", length=1.5, ridge=0.1)
    ours.fit(one.table.rows, one.targets)
    theirs = KernelRidge(kernel="rbf", gamma=1 / (5 * 1.5**2), alpha=0.1)
    theirs.fit(one.table.rows, one.targets - middle)
    new = np.random.default_rng(1).normal(size=(7, 5))
    np.testing.assert_allclose(
        ours.predict(new), theirs.predict(new) + middle, atol=TIGHT
    )


def test_a_row_of_weight_two_counts_as_two_rows():
    one = smooth(20)
    twice = np.concatenate([one.table.rows, one.table.rows[:1]])
    weights = np.ones(20)
    weights[0] = 2.0
    weighted = BlockKernel().fit(one.table.rows, one.targets, weights)
    repeated = BlockKernel().fit(twice, np.append(one.targets, one.targets[0]))
    new = np.random.default_rng(1).normal(size=(7, 5))
    np.testing.assert_allclose(weighted.predict(new), repeated.predict(new), atol=TIGHT)


def test_a_block_without_weight_is_not_seen():
    one = smooth()
    blocks = {"a": slice(0, 2), "b": slice(2, 5)}
    blind = BlockKernel(blocks=blocks, weights={"b": 0.0})
    blind.fit(one.table.rows, one.targets)
    changed = one.table.rows.copy()
    changed[:, 2:] = 0.0
    np.testing.assert_allclose(
        blind.predict(one.table.rows), blind.predict(changed), atol=TIGHT
    )
    changed[:, 0] += 1.0
    assert np.abs(blind.predict(one.table.rows) - blind.predict(changed)).max() > 0.1


def test_groups_are_never_divided():
    groups = np.random.default_rng(0).integers(0, 12, size=80)
    for train, held in choice.folds(groups, 5, seed=0):
        assert not set(groups[train]) & set(groups[held])
    assert sorted(np.concatenate([h for _, h in choice.folds(groups, 5, 0)])) == [
        *range(80)
    ]


def test_few_groups_are_refused():
    with pytest.raises(BadInputError, match="3 groups"):
        choice.folds(np.array([0, 0, 1, 1, 2]), 5, seed=0)


@pytest.mark.parametrize("name", ["ridge", "kernel ridge"])
def test_what_identifies_a_group_says_nothing_of_another(name):
    # every group has its own place and its own target: within groups all is known
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 6)
    places, values = rng.normal(size=(12, 5)) * 3, rng.normal(size=12)
    rows = places[groups] + 0.01 * rng.normal(size=(72, 5))
    known = examples(values[groups], rows, groups)
    alone = dataclasses.replace(known, groups=np.arange(72))
    method = METHODS[name]
    apart, together = (
        np.abs(
            choice.validated(method, one, scale="plain", n_folds=6, seed=0)
            - one.targets
        ).mean()
        for one in (known, alone)
    )
    spread = np.abs(values - np.median(values)).mean()
    assert apart > 0.7 * spread
    assert name == "ridge" or together < 0.1 * spread


@pytest.mark.parametrize("name", FAST)
def test_nothing_is_learned_where_there_is_nothing(name):
    rows = np.random.default_rng(0).normal(size=(80, 5))
    noise = examples(np.random.default_rng(1).normal(size=80), rows)
    told = choice.validated(METHODS[name], noise, scale="plain", n_folds=5, seed=0)
    constant = np.abs(noise.targets - np.median(noise.targets)).mean()
    assert np.abs(told - noise.targets).mean() > 0.9 * constant


def test_methods_learn_what_is_there():
    one = smooth(120)
    told = choice.validated(
        METHODS["kernel ridge"], one, scale="plain", n_folds=5, seed=0
    )
    constant = np.abs(one.targets - np.median(one.targets)).mean()
    assert np.abs(told - one.targets).mean() < 0.5 * constant


def test_missing_features_are_filled_in():
    one = smooth()
    rows = one.table.rows.copy()
    rows[::3, 4] = np.nan
    holed = dataclasses.replace(one, table=dataclasses.replace(one.table, rows=rows))
    for name in ON_ROWS:
        fitted = choice.fit(
            METHODS[name],
            holed,
            METHODS[name].candidates[0],
            scale="plain",
            seed=0,
        )
        assert np.isfinite(fitted.predict(holed.table)).all(), name


def test_a_limit_pulls_down_and_not_up():
    # the true values of limits are far below; the others are on a line
    rows = np.linspace(-2, 2, 60)[:, None] * np.ones((60, 5))
    rows = rows + 0.01 * np.random.default_rng(0).normal(size=rows.shape)
    truth = rows[:, 0]
    is_limit = truth < -1
    known = examples(np.where(is_limit, -1.0, truth), rows)
    limited = dataclasses.replace(known, is_limit=is_limit)
    method = METHODS["ridge"]
    as_values, as_limits = (
        choice.fit(method, one, {"alpha": 1e-3}, scale="plain", seed=0)
        for one in (known, limited)
    )
    lowest = known.take(np.array([0])).table
    assert as_limits.predict(lowest)[0] < as_values.predict(lowest)[0] - 0.05
    far_below = choice.misses(np.full(60, -5.0), limited)
    assert not far_below[is_limit].any()
    assert far_below[~is_limit].all()


@pytest.mark.parametrize("scale", ["plain", "log", "sqrt"])
def test_predictions_are_in_the_unit_of_the_targets(scale):
    one = smooth()
    positive = dataclasses.replace(one, targets=np.exp(one.targets))
    fitted = choice.learned(METHODS["kernel ridge"], positive, scale=scale, seed=0)
    told = fitted.predict(positive.table)
    assert np.corrcoef(told, positive.targets)[0, 1] > 0.9
    assert 0.5 < np.median(told) / np.median(positive.targets) < 2.0


def stored_in(folder, name="kernel ridge"):
    one = smooth()
    fitted = choice.learned(METHODS[name], one, scale="plain", seed=0)
    stored.save_predictor(folder, fitted, one, seed=0, about=ABOUT)
    return one, fitted


@pytest.mark.parametrize("name", ["ridge", "kernel ridge", "trees"])
def test_a_stored_predictor_predicts_the_same(tmp_path, name):
    _, fitted = stored_in(tmp_path, name)
    found = stored.load_predictor(tmp_path)
    new = smooth(30, seed=2).table
    np.testing.assert_allclose(found.predict(new), fitted.predict(new), atol=TIGHT)
    assert not list(tmp_path.glob("*.pkl"))


def test_what_is_far_from_all_examples_is_new(tmp_path):
    one, _ = stored_in(tmp_path)
    found = stored.load_predictor(tmp_path)
    far = dataclasses.replace(one.table, rows=one.table.rows + 20.0)
    assert found.novelty(far).min() > 3.0
    assert (found.novelty(one.table) < TIGHT).all()


def test_a_changed_predictor_is_refused(tmp_path):
    stored_in(tmp_path)
    card = tmp_path / "predictor.json"
    text = card.read_text()
    card.write_text(text.replace('"kernel ridge"', '"kernel rigde"'))
    with pytest.raises(BadInputError, match="kernel ridge"):
        stored.load_predictor(tmp_path)
    card.write_text(text.replace('"checks": [\n', '"checks": [\n  12.5,\n'))
    with pytest.raises(BadInputError, match="other numbers"):
        stored.load_predictor(tmp_path)
    card.write_text(text)
    (tmp_path / stored.EXAMPLES).write_bytes(b"nothing")
    with pytest.raises(BadInputError, match="cannot be read"):
        stored.load_predictor(tmp_path)
    (tmp_path / stored.EXAMPLES).unlink()
    with pytest.raises(BadInputError, match="Copy the whole folder"):
        stored.load_predictor(tmp_path)
