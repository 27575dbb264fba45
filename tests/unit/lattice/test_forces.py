"""Forces of many supercells in few calls are those of one call for each."""

import numpy as np
import pytest
import torch

from atomgraft.core.errors import AtomgraftError, BadInputError
from atomgraft.lattice.forces import forces_of_supercells
from atomgraft.lattice.supercells import displaced_supercells
from atomgraft.models.calculator import GraftCalculator
from atomgraft.models.pair import stillinger_weber
from tests.trials import NEEDS_SEVENN, in_precision
from tests.vibrations import salt, shaken_silicon, silicon_law

SAME = 1e-10
"""eV/Å; sums in another order, in float64."""

FLOAT32 = 1e-4
"""eV/Å; SevenNet's own calculator runs in float32."""


def one_by_one(calculator, supercells):
    found = []
    for atoms in supercells:
        alone = atoms.copy()
        alone.calc = calculator
        found.append(alone.get_forces())
    return np.array(found)


def tiny():
    return in_precision("sevennet:tiny:Si", torch.float64)


@pytest.mark.parametrize(
    "potential", [silicon_law, pytest.param(tiny, marks=NEEDS_SEVENN)]
)
@pytest.mark.parametrize("max_atoms", [1, 40, None])
def test_batches_are_the_calculator_one_by_one(potential, max_atoms):
    supercells = displaced_supercells(shaken_silicon())
    found = forces_of_supercells(potential(), supercells, max_atoms=max_atoms)
    expected = one_by_one(GraftCalculator(potential()), supercells)
    np.testing.assert_allclose(found, expected, atol=SAME)
    assert np.abs(found).max() > 1e-6  # otherwise the test says nothing
    assert np.abs(found[0] - found[1]).max() > 1e-6  # and the order nothing


@pytest.mark.slow
@NEEDS_SEVENN
def test_they_are_those_of_the_frameworks_own_calculator():
    from sevenn.calculator import SevenNetCalculator

    supercells = displaced_supercells(shaken_silicon())[:2]
    potential = in_precision("7net-0", torch.float64)
    found = forces_of_supercells(potential, supercells)
    own = SevenNetCalculator("7net-0", device="cpu")
    np.testing.assert_allclose(found, one_by_one(own, supercells), atol=FLOAT32)


def test_progress_is_told_call_by_call():
    told = []
    supercells = displaced_supercells(shaken_silicon())
    forces_of_supercells(
        silicon_law(),
        supercells,
        max_atoms=32,
        progress=lambda n, n_all: told.append((n, n_all)),
    )
    assert told == [(0, 4), (2, 4), (4, 4)]


def test_an_element_that_the_model_does_not_know_is_told():
    with pytest.raises(BadInputError, match=r"contains Na, Cl.*does not support them"):
        forces_of_supercells(silicon_law(), [salt()])


def test_forces_that_are_not_finite_are_told():
    broken = stillinger_weber(["Si"]).clone(dtype=torch.float64)
    with torch.no_grad():
        for one in broken.module.parameters():
            one.fill_(float("nan"))
    supercells = displaced_supercells(shaken_silicon())
    with pytest.raises(AtomgraftError, match="not finite in supercell 0"):
        forces_of_supercells(broken, supercells)
