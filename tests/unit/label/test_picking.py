"""Does farthest-point sampling cover, and does each rule do what it says?"""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from atomgraft.core.errors import BadInputError
from atomgraft.label.picking import RULES, pick
from tests.unit.label.crystals import rng

POOLS = arrays(
    float,
    st.tuples(st.integers(2, 9), st.integers(1, 3)),
    elements=st.floats(-10, 10, width=32),
)


def radius(features, chosen):
    """Return how far the worst covered structure is from the nearest chosen one."""
    gaps = np.linalg.norm(features[:, None] - features[chosen][None], axis=-1)
    return gaps.min(axis=1).max()


@given(features=POOLS)
def test_each_is_nearer_than_the_one_before(features):
    picks = pick(features, len(features), generator=rng())
    distances = [one.distance for one in picks[1:]]
    assert all(a >= b for a, b in itertools.pairwise(distances))
    assert sorted(one.index for one in picks) == list(range(len(features)))


@given(features=POOLS, data=st.data())
def test_the_distance_is_what_is_left_uncovered(features, data):
    count = data.draw(st.integers(1, len(features) - 1))
    picks = pick(features, count + 1, generator=rng())
    chosen = [one.index for one in picks[:-1]]
    assert picks[-1].distance == pytest.approx(radius(features, chosen), abs=1e-9)


@given(features=POOLS, data=st.data())
def test_the_cover_is_at_most_twice_the_best(features, data):
    """Gonzalez's bound, against all choices there are."""
    count = data.draw(st.integers(1, min(3, len(features))))
    picks = pick(features, count, generator=rng())
    best = min(
        radius(features, list(some))
        for some in itertools.combinations(range(len(features)), count)
    )
    assert radius(features, [one.index for one in picks]) <= 2 * best + 1e-6


def test_random_choice_covers_worse():
    """Negative control: on a crowd with a few outliers."""
    crowd = np.concatenate([rng().normal(size=(200, 2)), 20 * np.eye(2), [[-20.0, 0]]])
    far = [one.index for one in pick(crowd, 4, generator=rng())]
    assert {200, 201, 202} <= set(far)
    worse = [
        radius(
            crowd,
            [one.index for one in pick(crowd, 4, rule="random", generator=rng(i))],
        )
        for i in range(10)
    ]
    assert min(worse) > radius(crowd, far)


def test_known_structures_are_kept_away_from():
    line = np.arange(10.0)[:, None]
    [first] = pick(line, 1, known=np.array([[9.0]]), generator=rng())
    assert (first.index, first.distance) == (0, 9.0)
    [alone] = pick(line, 1, known=np.zeros((0, 1)), generator=rng())
    assert alone.distance == 4.5


def test_disagreement_alone_and_with_distance():
    line = np.array([[0.0], [0.1], [5.0]])
    doubt = np.array([1.0, 0.9, 0.5])

    def chosen(rule):
        picks = pick(line, 2, rule=rule, disagreement=doubt, generator=rng())
        return [one.index for one in picks]

    assert chosen("disagreement") == [0, 1]
    assert chosen("both") == [0, 2] or chosen("both") == [2, 0]


@pytest.mark.parametrize("rule", RULES)
def test_no_structure_comes_twice_and_the_seed_decides(rule):
    same = np.zeros((6, 2))

    def chosen(seed):
        picks = pick(same, 6, rule=rule, disagreement=np.ones(6), generator=rng(seed))
        return [one.index for one in picks]

    assert sorted(chosen(0)) == list(range(6))
    assert chosen(3) == chosen(3)
    assert (chosen(1) != chosen(2)) == (rule == "random")


@pytest.mark.parametrize("count", [0, -1, 4])
def test_more_than_there_are_is_refused(count):
    with pytest.raises(BadInputError, match="were to be chosen from 3"):
        pick(np.zeros((3, 1)), count, generator=rng())


def test_disagreement_needs_two_models():
    with pytest.raises(BadInputError, match="one model"):
        pick(np.zeros((3, 1)), 1, rule="both", generator=rng())


@given(features=POOLS)
def test_knowing_nothing_is_the_same_as_no_known_structures(features):
    """The mean of the pool stands in for the first choice alone."""
    count = len(features)
    nothing = np.zeros((0, features.shape[1]))
    plain = pick(features, count, generator=rng())
    assert pick(features, count, known=nothing, generator=rng()) == plain


@given(features=POOLS, data=st.data())
def test_known_structures_are_as_if_chosen_before(features, data):
    """Choosing on from some choices gives the choices that would have followed."""
    count = data.draw(st.integers(1, len(features) - 1))
    whole = pick(features, len(features), generator=rng())
    first, rest = whole[:count], whole[count:]
    known = features[[one.index for one in first]]
    again = pick(features, len(rest), known=known, generator=rng())
    assert again[0].distance == pytest.approx(rest[0].distance)
    assert again[0].distance >= max(one.distance for one in again) - 1e-9


@given(features=POOLS, scale=st.sampled_from([0.5, 2.0, 4.0]))
def test_choices_do_not_depend_on_units(features, scale):
    """Distances scale along; ties that rounding breaks are left out."""
    plain = pick(features, len(features), generator=rng())
    scaled = pick(scale * features, len(features), generator=rng())
    assert [one.index for one in scaled] == [one.index for one in plain]
    for one, other in zip(plain, scaled, strict=True):
        assert other.distance == pytest.approx(scale * one.distance)


def test_a_duplicate_of_something_known_comes_last():
    pool = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    picks = pick(pool, 3, known=pool[[1]], generator=rng())
    assert [one.index for one in picks] == [2, 0, 1]
    assert [one.distance for one in picks] == [5.0, 3.0, 0.0]


def test_equal_doubt_leaves_both_to_the_distance():
    features = rng().normal(size=(12, 3))
    alone = pick(features, 12, generator=rng())
    both = pick(
        features, 12, rule="both", disagreement=np.full(12, 0.5), generator=rng()
    )
    assert both == alone


def test_no_doubt_is_never_chosen_before_doubt():
    features = rng().normal(size=(12, 3))
    doubt = np.where(np.arange(12) % 3 == 0, 0.2, 0.0)
    for rule in ("disagreement", "both"):
        picks = pick(features, 4, rule=rule, disagreement=doubt, generator=rng())
        assert {one.index for one in picks} == {0, 3, 6, 9}
