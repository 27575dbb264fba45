"""spglib behind one door: cells on which it crashes get no answer."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from atomgraft.data.space_groups import cell_of, searched, space_group


def test_a_crystal_has_as_many_operations_as_its_group():
    rotations, translations = space_group(bulk("Si"), 1e-4)
    assert rotations.shape == (48, 3, 3)
    assert translations.shape == (48, 3)


@pytest.mark.parametrize(
    "change",
    [
        lambda lattice, places: places.__setitem__((0, 0), np.nan),
        lambda lattice, places: places.__setitem__((1, 2), np.inf),
        lambda lattice, places: lattice.__setitem__(slice(None), 1.0),
        lambda lattice, places: lattice.__setitem__(slice(None), 0.0),
        lambda lattice, places: lattice.__setitem__((0, 0), np.nan),
        lambda lattice, places: places.__setitem__(1, places[0]),
    ],
    ids=["no number", "infinite", "flat", "no cell", "no length", "one place"],
)
def test_what_is_no_crystal_has_no_answer(change):
    lattice, places, numbers = cell_of(bulk("Si", cubic=True))
    change(lattice := lattice.copy(), places)
    for search in ("get_symmetry_dataset", "standardize_cell"):
        assert searched(search, (lattice, places, numbers), 1e-4) is None


def test_a_molecule_has_none():
    rotations, _ = space_group(Atoms("CO", positions=[[0, 0, 0], [0, 0, 1.1]]), 1e-4)
    assert len(rotations) == 0
