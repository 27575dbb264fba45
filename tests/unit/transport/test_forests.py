"""Do stored trees predict what the forest predicts, missing features included?"""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra transport")

from atomgraft.transport.predictors.forests import LEAF, Forest


def forest(kind, n, **settings):
    from sklearn import ensemble

    return getattr(ensemble, kind)(n, random_state=0, **settings)


def examples(seed=0, n=120, missing=0.1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 7)) * 10.0 ** np.arange(-3, 4)
    y = np.sin(x[:, 2] * 100) + x[:, 3] + rng.normal(size=n) / 10
    x[rng.random(x.shape) < missing] = np.nan
    return x, y


@pytest.mark.parametrize("kind", ["ExtraTreesRegressor", "RandomForestRegressor"])
@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("leaf", [1, 5])
def test_trees_predict_what_the_forest_predicts(kind, missing, leaf):
    x, y = examples(missing=missing)
    model = forest(kind, 20, min_samples_leaf=leaf).fit(x, y)
    stored = Forest.restored(Forest.of(model).arrays())
    new, _ = examples(seed=1, n=500, missing=missing)
    for rows in (x, new):
        assert stored.predict(rows) == pytest.approx(model.predict(rows), abs=1e-6)


def test_a_row_on_a_threshold_goes_the_same_way():
    x, y = examples(missing=0.0)
    model = forest("RandomForestRegressor", 5).fit(x, y)
    stored = Forest.of(model)
    edges = x[:50].copy()
    for one in model.estimators_:
        tree = one.tree_
        inner = np.flatnonzero(tree.children_left != tree.children_right)[:50]
        for k, node in enumerate(inner):
            edges[k, tree.feature[node]] = tree.threshold[node]
    assert stored.predict(edges) == pytest.approx(model.predict(edges), abs=1e-6)


def test_a_tree_of_one_leaf_is_a_constant():
    model = forest("ExtraTreesRegressor", 3).fit(np.zeros((4, 1)), np.ones(4))
    stored = Forest.restored(Forest.of(model).arrays())
    assert stored.feature.tolist() == [LEAF] * 3
    assert stored.predict(np.array([[5.0], [np.nan]])).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("span", 1),
        ("span", 60000),
        ("roots", 10**6),
        ("roots", -1),
        ("number", None),
        ("feature", None),
    ],
)
def test_damaged_trees_are_refused(name, value):
    x, y = examples()
    arrays = Forest.of(forest("ExtraTreesRegressor", 2).fit(x, y)).arrays()
    one = arrays[name].copy()
    if value is None:
        arrays[name] = one[:-1]
    else:
        one[0] = value
        arrays[name] = one
    with pytest.raises(ValueError, match="damaged"):
        Forest.restored(arrays)
