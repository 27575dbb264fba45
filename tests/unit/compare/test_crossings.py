"""Is the number of labels found at which fresh weights catch up?"""

import math

import pytest

from atomgraft.compare.advice import crossing_words
from atomgraft.compare.crossings import catches_up, crossings_of
from atomgraft.compare.record import ComparedCell, Contestant, Target
from atomgraft.records.scores import Score

TARGET = Target(
    quantity="forces", metric="mae", unit="meV/Å", drift_group=None, drift_unit=""
)
SIZES = (1, 10, 100)


def contestant(name, *, element_map=None, is_fresh=False):
    return Contestant(
        name=name,
        base="si",
        recipe=name,
        learning_rate=1.0,
        factor=1.0,
        element_map=element_map,
        is_fresh=is_fresh,
    )


def cells(name, errors):
    """Return done cells: one row of errors a seed."""
    return [
        ComparedCell(
            name=f"{name}-{n}-{seed}",
            contestant=name,
            n_labels=n,
            seed=seed,
            status="done",
            scores=(
                Score(
                    model="adapted",
                    suite="labels",
                    quantity="forces",
                    metric="mae",
                    value=value,
                    unit="meV/Å",
                    n=5,
                ),
            ),
        )
        for seed, row in enumerate(errors)
        for n, value in zip(SIZES, row, strict=True)
    ]


def found(mapped, fresh, *, rival_is_fresh=True):
    who = [
        contestant("full Si:Ge", element_map="Si:Ge"),
        contestant("scratch", element_map="Si:Ge", is_fresh=rival_is_fresh),
    ]
    table = [*cells("full Si:Ge", mapped), *cells("scratch", fresh)]
    return crossings_of(table, who, TARGET)


@pytest.mark.parametrize("power", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("at", [2.0, 37.0, 80.0])
def test_two_power_laws_cross_where_they_cross(power, at):
    flat = [3.0] * 3
    falling = [3.0 * (n / at) ** -power for n in SIZES]
    assert catches_up(SIZES, flat, falling) == pytest.approx(at)


def test_the_last_crossing_counts():
    assert catches_up(SIZES, [2, 2, 2], [1, 4, 1]) == pytest.approx(10**1.5)
    assert catches_up(SIZES, [2, 2, 2], [1, 1, 1]) == 1
    assert math.isinf(catches_up(SIZES, [2, 2, 2], [1, 1, 3]))


def test_the_median_of_the_seeds_is_told():
    falling = [[30 * (n / at) ** -0.5 for n in SIZES] for at in (20.0, 40.0, 80.0)]
    [one] = found([[30.0] * 3] * 3, falling)
    assert one.n_labels == pytest.approx(40)
    assert one.range == pytest.approx((20, 80))
    assert crossing_words(one) == (
        "scratch catches up with full Si:Ge at about 40 labels (20 to 80), in 3 of 3"
        " seeds: the map is worth it below."
    )


def test_who_never_catches_up_is_told():
    [one] = found([[30.0] * 3] * 2, [[90.0, 60.0, 40.0]] * 2)
    assert (one.n_labels, one.n_caught, one.range) == (None, 0, None)
    assert "at every size up to 100 labels, in 2 seeds" in crossing_words(one)


def test_a_minority_is_told():
    [one] = found([[30.0] * 3] * 3, [[90.0, 60.0, 40.0]] * 2 + [[90.0, 60.0, 20.0]])
    assert (one.n_labels, one.n_caught) == (None, 1)
    assert "in 1 of 3 seeds" in crossing_words(one)


def test_without_fresh_weights_there_is_nothing_to_cross():
    assert found([[30.0] * 3], [[90.0, 60.0, 20.0]], rival_is_fresh=False) == ()


def test_errors_of_zero_say_nothing():
    [one] = found([[2.0, 2.0, 0.0]], [[4.0, 1.0, 0.0]])
    assert one.largest == 10
    assert one.n_labels == pytest.approx(10**0.5)
    assert found([[0.0] * 3], [[1.0] * 3]) == ()
