"""Is a structure refused that would end a search in a crash, or in no memory?"""

import matscipy.neighbours
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.core.errors import BadInputError
from atomgraft.data import geometry
from atomgraft.data.geometry import (
    MAX_PAIRS,
    check_apart,
    check_crystal,
    check_geometry,
    check_neighbours,
)
from atomgraft.models import graph
from atomgraft.models.graph import find_neighbours


def silicon():
    return bulk("Si", a=5.431, cubic=True)


def cell(change):
    atoms = silicon()
    vectors = atoms.cell.array.copy()
    change(vectors)
    atoms.set_cell(vectors)
    return atoms


def scaled(factor):
    atoms = silicon()
    atoms.set_cell(atoms.cell.array * factor, scale_atoms=True)
    return atoms


def moved(i, value):
    atoms = silicon()
    atoms.positions[i] = value
    return atoms


def set_entry(i, j, value):
    def change(vectors):
        vectors[i, j] = value

    return change


WRONG = {
    "nan in the cell": cell(set_entry(0, 0, np.nan)),
    "inf in the cell": cell(set_entry(1, 2, np.inf)),
    "a huge vector": cell(set_entry(0, 0, 1e308)),
    "a flat cell": cell(set_entry(2, 2, 0.0)),
    "a skewed cell": cell(set_entry(0, 1, 1e5 - 1)),
    "a tiny cell": scaled(0.1),
    "a huge cell": scaled(1000.0),
    "nan in a position": moved(0, [np.nan, 0, 0]),
    "a huge position": moved(0, [1e30, 0, 0]),
    "two atoms on one site": moved(1, [0, 0, 0]),
    "an atom on an image": moved(1, [5.431, 0, 0.01]),
    "no cell": molecule("H2O"),
    "no atoms": Atoms(cell=[5, 5, 5], pbc=True),
    "an unknown element": Atoms("X", cell=[3, 3, 3], pbc=True),
}


NEED_A_SEARCH = {"two atoms on one site", "an atom on an image"}


@pytest.fixture
def searches(monkeypatch):
    """Return the list of searches for neighbours, which may take minutes."""
    begun = []

    def search(*given, **named):
        begun.append(given)
        return matscipy.neighbours.neighbour_list(*given, **named)

    for module in (geometry, graph):
        monkeypatch.setattr(module, "neighbour_list", search)
    return begun


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_crystal_is_refused_before_a_search(name, searches):
    with pytest.raises(BadInputError, match=r"^here"):
        check_crystal(WRONG[name], "here")
    assert len(searches) == (name in NEED_A_SEARCH)


@pytest.mark.parametrize(
    "atoms",
    [
        silicon(),
        bulk("Si", a=5.431),
        scaled(0.8),
        Atoms("H", cell=[20, 20, 20], pbc=True),
        Atoms("Si2", [[0, 0, 0], [1.3, 1.3, 1.3]], cell=[3, 3, 400], pbc=[1, 1, 0]),
    ],
)
def test_crystals_are_let_through(atoms, searches):
    """Negative control."""
    check_crystal(atoms, "here")
    assert len(searches) == 1
    check_neighbours(atoms, 6.0)


@pytest.mark.parametrize(
    "atoms",
    [
        Atoms("H10000", positions=np.zeros((10_000, 3))),
        Atoms("H10000", positions=np.zeros((10_000, 3)), cell=[50, 50, 50], pbc=True),
        Atoms("H2", positions=[[0, 0, 0], [9e4, 0, 0]]),
        Atoms("H", cell=[9e4, 9e4, 9e4], pbc=True),
        scaled(0.01),
    ],
)
def test_a_search_that_would_not_fit_is_refused_before_it_starts(atoms, searches):
    with pytest.raises(BadInputError, match="boxes fit in memory"):
        find_neighbours(atoms, 6.0)
    assert searches == []


@given(
    st.floats(0.6, 3.0),
    st.integers(1, 3),
    st.floats(2.0, 7.0),
    st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_the_estimate_is_near_what_is_found(scale, n, cutoff, pbc):
    atoms = scaled(scale).repeat(n)
    atoms.pbc = pbc
    found = find_neighbours(atoms, cutoff).edges.shape[1]
    assert _estimate(atoms, cutoff) >= 0.5 * found


def _estimate(atoms, cutoff):
    """Return the estimate, from a copy so dense that its message tells it."""
    import atomgraft.data.geometry as module

    limit, module.MAX_PAIRS = module.MAX_PAIRS, -1
    try:
        check_neighbours(atoms, cutoff)
    except BadInputError as error:
        return float(error.came.split("about ")[1].split()[0])
    finally:
        module.MAX_PAIRS = limit
        assert module.MAX_PAIRS == MAX_PAIRS
    raise AssertionError


@pytest.mark.parametrize("pbc", [(1, 1, 1), (1, 0, 1), (0, 0, 0)])
def test_a_frame_of_many_atoms_is_let_through(pbc):
    atoms = silicon().repeat(12)
    atoms.pbc = pbc
    check_geometry(atoms, "here")
    check_neighbours(atoms, 6.0)


def test_two_atoms_on_one_site_are_found_across_the_boundary():
    slanted = bulk("Si", a=5.43) * 3
    check_apart(slanted, "a crystal")
    slanted.rattle(0.1, seed=0)
    check_apart(slanted, "a hot crystal")
    near = slanted.copy()
    near.positions[5] = near.positions[0] + near.cell.array[1] + [0.0, 0.05, 0.1]
    with pytest.raises(BadInputError, match=r"atoms 0 and 5 are 0\.11 Å apart"):
        check_apart(near, "a frame")
    near.positions[5] += [0.0, 0.0, 0.2]
    check_apart(near, "a frame")
