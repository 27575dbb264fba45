"""Does each kind give what was asked for, whatever else is asked for?"""

import numpy as np
import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.label.kinds import KINDS, Amounts, parse_kinds, propose
from tests.unit.label.crystals import silicon, sw

pytestmark = pytest.mark.slow


def proposed(kinds, seed=0):
    return propose(silicon(), sw(), kinds, Amounts(), seed=seed)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_makes_structures_and_says_how_far(kind):
    made, _ = proposed({kind: 2})
    assert {one.kind for one in made} == {kind}
    assert len(made) == (1 if kind == "displacements" else 2)
    for one in made:
        assert one.amplitude > 0
        assert one.unit in {"Å", "K", "1"}
        assert not np.allclose(one.atoms.positions, silicon().positions, atol=1e-4)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kind_does_not_depend_on_its_company(kind):
    alone, _ = proposed({kind: 2})
    everything, _ = proposed(dict.fromkeys(KINDS, 2))
    own = [one for one in everything if one.kind == kind]
    for one, other in zip(alone, own, strict=True):
        assert np.array_equal(one.atoms.positions, other.atoms.positions)


def test_fewer_displacements_than_asked_for_are_told():
    _, notices = proposed({"displacements": 5})
    [told] = notices
    assert "1 of the 5 requested displaced supercells are proposed: symmetry" in told


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_cluster_is_rattled_and_nothing_else(kind):
    cluster = silicon()
    cluster.pbc = False
    if "rattle" in kind:
        made, _ = propose(cluster, sw(), {kind: 1}, Amounts(), seed=0)
        assert len(made) == 1
        return
    with pytest.raises(BadInputError, match="periodic in 0 directions"):
        propose(cluster, sw(), {kind: 1}, Amounts(), seed=0)


def test_unknown_kinds_are_answered():
    with pytest.raises(BadInputError, match="Did you mean 'rattle'"):
        parse_kinds(["ratle"])


@pytest.mark.parametrize("names", [[], ["rattle", "rattle"]])
def test_each_kind_comes_once(names):
    with pytest.raises(BadInputError, match="Expected one or more of"):
        parse_kinds(names)


@pytest.mark.parametrize(
    "wrong",
    [
        {"amplitudes": (0.0,)},
        {"strains": (-0.01,)},
        {"temperature": 0.0},
        {"distance": float("nan")},
    ],
)
def test_amounts_are_positive(wrong):
    with pytest.raises(BadInputError, match="above zero"):
        Amounts(**wrong)
