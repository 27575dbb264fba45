"""What every method of the registry keeps, and what controls may not see."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra transport")

from atomgraft.core.errors import BadInputError
from atomgraft.transport.features.table import FeatureTable
from atomgraft.transport.predictors import choice
from atomgraft.transport.predictors.choice import Examples
from atomgraft.transport.predictors.methods import FORMULA, METHODS, preparation
from atomgraft.transport.predictors.scales import SCALES

BLOCKS = {"composition": slice(0, 3), "lattice": slice(3, 5), "sites": slice(5, 9)}
N = 40
ON_ROWS = tuple(one for one in METHODS if not METHODS[one].sees_ions)
SAME = 1e-9


def table(seed=0, n=N) -> FeatureTable:
    return FeatureTable(
        rows=np.random.default_rng(seed).normal(size=(n, 9)),
        columns=tuple(f"x{i}" for i in range(9)),
        blocks=BLOCKS,
    )


def known(seed=0) -> Examples:
    rows = table(seed)
    targets = rows.rows[:, 0] + rows.rows[:, 6] + 3.0
    return Examples(
        table=rows,
        targets=targets,
        groups=np.arange(N) // 2,
        weights=np.ones(N),
        is_limit=np.zeros(N, dtype=bool),
    )


def fitted(name, examples=None, seed=0):
    method = METHODS[name]
    settings = method.candidates[0]
    return choice.fit(method, examples or known(), settings, scale="plain", seed=seed)


@pytest.mark.parametrize("name", ON_ROWS)
def test_the_same_seed_predicts_the_same(name):
    new = table(1, 10)
    one, two = (fitted(name).predict(new) for _ in range(2))
    np.testing.assert_allclose(one, two, atol=SAME)


@pytest.mark.parametrize("name", ON_ROWS)
def test_predictions_follow_their_rows(name):
    new = table(1, 10)
    order = np.random.default_rng(0).permutation(10)
    turned = dataclasses.replace(new, rows=new.rows[order])
    model = fitted(name)
    np.testing.assert_allclose(
        model.predict(new)[order], model.predict(turned), atol=SAME
    )


def with_other_sites(one: FeatureTable) -> FeatureTable:
    rows = one.rows.copy()
    rows[:, BLOCKS["sites"]] += 2.0
    return dataclasses.replace(one, rows=rows)


@pytest.mark.parametrize("name", ON_ROWS)
def test_controls_of_the_formula_do_not_see_structures(name):
    model, new = fitted(name), table(1, 10)
    apart = np.abs(model.predict(new) - model.predict(with_other_sites(new))).max()
    is_blind = name == "constant" or METHODS[name].blocks == FORMULA
    assert (apart < SAME) == is_blind


@pytest.mark.parametrize("name", ON_ROWS)
def test_methods_work_where_there_is_only_the_formula(name):
    one = known()
    short = dataclasses.replace(one, table=one.table.of(["composition"]))
    model = fitted(name, short)
    assert np.isfinite(model.predict(short.table)).all()


@pytest.mark.parametrize("name", ON_ROWS)
def test_every_candidate_can_be_fitted(name):
    one = known()
    for settings in METHODS[name].candidates:
        model = choice.fit(METHODS[name], one, settings, scale="plain", seed=0)
        assert np.isfinite(model.predict(one.table)).all()


def test_the_constant_is_the_median():
    one = known()
    told = fitted("constant").predict(table(1, 3))
    np.testing.assert_allclose(told, np.median(one.targets))


def test_a_feature_without_a_value_anywhere_does_no_harm():
    one = known()
    rows = one.table.rows.copy()
    rows[:, 7] = np.nan
    empty = dataclasses.replace(one, table=dataclasses.replace(one.table, rows=rows))
    for name in ON_ROWS:
        model = fitted(name, empty)
        assert np.isfinite(model.predict(empty.table)).all(), name


def test_a_feature_that_never_changes_does_no_harm():
    one = known()
    rows = one.table.rows.copy()
    rows[:, 7] = 4.0
    flat = dataclasses.replace(one, table=dataclasses.replace(one.table, rows=rows))
    for name in ON_ROWS:
        model = fitted(name, flat)
        assert np.isfinite(model.predict(flat.table)).all(), name


def test_prepared_features_have_no_outliers():
    one = table()
    rows = one.rows.copy()
    rows[0, 0] = 1e9
    ready = preparation(METHODS["ridge"], N).fit(rows)
    assert np.abs(ready.transform(rows)).max() < 6.0
    raw = preparation(METHODS["trees"], N).fit(rows)
    np.testing.assert_array_equal(raw.transform(rows), rows)


def test_the_pair_takes_the_settings_of_its_parts():
    one = known()
    pair, _ = choice.choose(METHODS["kernel and trees"], one, scale="plain", seed=0)
    kernel, _ = choice.choose(METHODS["kernel ridge"], one, scale="plain", seed=0)
    trees, _ = choice.choose(METHODS["trees"], one, scale="plain", seed=0)
    assert pair == {
        **{f"kernel__{key}": value for key, value in kernel.items()},
        **{f"trees__{key}": value for key, value in trees.items()},
    }


def test_the_chosen_settings_have_the_smallest_error():
    one = known()
    method = METHODS["ridge"]
    settings, error = choice.choose(method, one, scale="plain", seed=0)
    errors = []
    for candidate in method.candidates:
        alone = dataclasses.replace(method, candidates=(candidate, candidate))
        errors.append(choice.choose(alone, one, scale="plain", seed=0)[1])
    assert error == pytest.approx(min(errors))
    assert settings == method.candidates[int(np.argmin(errors))]


def test_settings_are_chosen_without_what_is_held_out():
    # targets of held-out groups are changed: predictions for them must not move
    one = known()
    method = METHODS["ridge"]
    before = choice.validated(method, one, scale="plain", n_folds=5, seed=0)
    for train, held in choice.folds(one.groups, 5, 0):
        targets = one.targets.copy()
        targets[held] = -100.0
        other = dataclasses.replace(one, targets=targets)
        after = choice.learned(method, other.take(train), scale="plain", seed=0)
        told = after.predict(other.take(held).table)
        np.testing.assert_allclose(told, before[held], atol=SAME)


def test_weights_count_where_a_method_takes_them():
    one = known()
    weights = np.ones(N)
    weights[:5] = 20.0
    heavy = dataclasses.replace(one, weights=weights)
    new = table(1, 10)
    for name in ON_ROWS:
        method = METHODS[name]
        apart = np.abs(fitted(name).predict(new) - fitted(name, heavy).predict(new))
        counts = method.takes_weights and name not in {"constant", "kernel and trees"}
        if counts:
            assert apart.max() > SAME, name
        if not method.takes_weights:
            assert apart.max() < SAME, name


@pytest.mark.parametrize("name", SCALES)
def test_scales_lead_there_and_back(name):
    values = np.array([0.01, 0.5, 3.0, 120.0])
    scale = SCALES[name]
    np.testing.assert_allclose(scale.back(scale.there(values)), values)


def test_a_square_is_never_negative():
    assert SCALES["sqrt"].back(np.array([-0.3])) == 0.0


def test_blocks_are_named_and_ordered():
    one = table()
    part = one.of(["sites", "composition"])
    assert part.columns == ("x5", "x6", "x7", "x8", "x0", "x1", "x2")
    assert part.blocks == {"sites": slice(0, 4), "composition": slice(4, 7)}
    np.testing.assert_array_equal(part.rows[:, 4:], one.rows[:, :3])
    with pytest.raises(BadInputError, match="sites"):
        one.of(["site"])


def test_limits_have_no_error_below():
    one = known()
    limited = dataclasses.replace(one, is_limit=np.ones(N, dtype=bool))
    below, above = one.targets - 1.0, one.targets + 1.0
    np.testing.assert_allclose(choice.misses(below, limited), 0.0)
    np.testing.assert_allclose(choice.misses(above, limited), 1.0)
    np.testing.assert_allclose(choice.misses(below, one), 1.0)


def test_progress_counts_folds():
    told = []
    choice.validated(
        METHODS["constant"],
        known(),
        scale="plain",
        n_folds=5,
        seed=0,
        tell=lambda *words: told.append(words),
    )
    assert told == [("validation", k, 5) for k in range(1, 6)]
