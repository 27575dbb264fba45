"""Do whole numbers of atoms stay as near to the occupancies as they can?"""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from atomgraft.data.disorder.compositions import EMPTY, Shares, whole_counts

shares = st.lists(st.integers(0, 20), min_size=4, max_size=4).filter(any)


def made(sites, numbers):
    total = sum(numbers)
    return Shares(
        sites,
        {k - 1: n / total for k, n in enumerate(numbers) if n},
    )


@settings(max_examples=60, deadline=None)
@given(
    sets=st.lists(st.tuples(st.integers(1, 12), shares), min_size=1, max_size=4),
    multiple=st.integers(1, 4),
    with_charges=st.booleans(),
)
def test_sites_are_filled_and_totals_are_nearest(sets, multiple, with_charges):
    sets = [made(*one) for one in sets]
    charges = np.array([1.0, 3.0, -2.0]) if with_charges else None
    found = whole_counts(sets, multiple, 3, charges)
    for one, counts in zip(sets, found.counts, strict=True):
        assert sum(counts.values()) == multiple * one.n_sites
        for species, n in counts.items():
            assert abs(n - multiple * one.n_sites * one.shares[species]) < 1.01
    for got, wanted in zip(found.totals, found.wanted, strict=True):
        assert abs(got - wanted) < 1.01


def test_without_charges_a_total_is_the_nearest_number():
    sets = [Shares(1, {0: 0.3, EMPTY: 0.7}), Shares(1, {0: 0.3, EMPTY: 0.7})]
    assert whole_counts(sets, 1, 1).totals == (1,)  # and not 0, though each would be


def test_a_neutral_composition_is_preferred():
    framework = Shares(10, {1: 0.75, 2: 0.25})  # Ti and Al
    lithium = Shares(10, {0: 0.43, EMPTY: 0.57})
    oxygen = Shares(20, {3: 1.0})
    charges = np.array([1.0, 4.0, 3.0, -2.0])
    sets = [framework, lithium, oxygen]
    free, neutral = (
        np.array(whole_counts(sets, 1, 4, one).totals) for one in (None, charges)
    )
    assert abs(charges @ neutral) < abs(charges @ free) or charges @ free == 0
    assert abs(charges @ neutral) <= 2
