"""Does a fold leave out what it says, whole?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from atomgraft.core.errors import BadInputError
from atomgraft.phonons.campaign.materials import balanced_folds

GROUPS = some.lists(some.sampled_from("abcdefgh"), min_size=4, max_size=30).filter(
    lambda groups: len(set(groups)) >= 3
)


def rng(seed=0):
    return np.random.default_rng(seed)


@given(GROUPS, some.integers(0, 5))
def test_a_group_is_on_one_side_and_no_fold_is_empty(groups, seed):
    folds = balanced_folds(groups, 3, rng(seed))
    assert set(folds) == {0, 1, 2}
    for name in set(groups):
        assert len({f for f, g in zip(folds, groups, strict=True) if g == name}) == 1


def test_strangers_are_dealt_out_evenly():
    folds = balanced_folds([str(i) for i in range(53)], 4, rng())
    assert sorted(folds.count(i) for i in range(4)) == [13, 13, 13, 14]


def test_the_seed_decides():
    names = [str(i) for i in range(20)]
    assert balanced_folds(names, 4, rng(1)) == balanced_folds(names, 4, rng(1))
    assert balanced_folds(names, 4, rng(1)) != balanced_folds(names, 4, rng(2))


def test_more_folds_than_groups_are_refused():
    with pytest.raises(BadInputError, match="2 groups") as caught:
        balanced_folds(["a", "b", "a"], 3, rng())
    assert "--folds" in caught.value.remedy
