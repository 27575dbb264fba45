"""Does every command end in order, and in time, whatever a file holds?"""

import collections

import pytest

from tests.attacked import QUICK, SLOW, attack, make_kit


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    place = tmp_path_factory.mktemp("kit")
    make_kit(place)
    return place


def faults(outcomes):
    """Return what went wrong, each kind once with its number and an example."""
    found = collections.defaultdict(list)
    for one in outcomes:
        if one.fault is not None:
            found[one.fault, one.told[:160]].append(one)
    return [
        f"{len(same)} x {fault} (input {same[0].case}: {same[0].command}, with"
        f" {same[0].file} damaged) {told}"
        for (fault, told), same in found.items()
    ]


@pytest.mark.slow
def test_500_damaged_files(kit, tmp_path):
    outcomes = list(attack(kit, tmp_path, QUICK, range(500)))
    assert faults(outcomes) == []
    assert len(outcomes) == 500
    codes = collections.Counter(one.code for one in outcomes)
    assert min(codes[0], codes[2]) > 50  # some damage is harmless, most is not


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("first", range(1000, 2000, 500))
def test_1000_damaged_files(first, kit, tmp_path):
    outcomes = list(attack(kit, tmp_path, (*QUICK, *SLOW), range(first, first + 500)))
    assert faults(outcomes) == []
    assert len(outcomes) == 500
