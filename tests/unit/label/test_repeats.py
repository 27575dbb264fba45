"""Is a supercell what was asked for, or refused?"""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from atomgraft.core.errors import BadInputError
from atomgraft.label.work import MAX_ATOMS, repeated


def test_a_supercell_keeps_the_crystal_and_nothing_else():
    silicon = bulk("Si", cubic=True)
    silicon.info["REF_energy"] = -1.0
    made = repeated(silicon, (2, 1, 3))
    assert len(made) == 6 * len(silicon)
    assert made.get_volume() == pytest.approx(6 * silicon.get_volume())
    assert np.array_equal(made.cell.lengths(), silicon.cell.lengths() * [2, 1, 3])
    assert made.info == {}


@pytest.mark.parametrize("repeats", [(0, 1, 1), (1, -1, 1), (MAX_ATOMS, 2, 1)])
def test_what_is_no_supercell_is_refused(repeats):
    with pytest.raises(BadInputError, match="A supercell of"):
        repeated(bulk("Si"), repeats)


def test_an_open_direction_is_not_repeated():
    slab = Atoms("Si", cell=(3, 3, 0), pbc=(True, True, False))
    assert len(repeated(slab, (2, 2, 1))) == 4
    with pytest.raises(BadInputError, match="periodic in 2 directions"):
        repeated(slab, (1, 1, 2))
