"""Do ordered examples keep composition and distances, and say what they lose?"""

import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.geometry import get_distances
from hypothesis import given, settings
from hypothesis import strategies as st

from atomgraft.data.disorder import arrangements
from atomgraft.data.disorder.average import (
    AverageStructure,
    Occupant,
    Site,
    average_of,
    closest_distance,
)
from atomgraft.data.disorder.ordering import Exclusion, ordered


def average(sites, cell=4.0):
    """Return a structure of (position, {symbol: occupancy}, orbit) and a cell."""
    return AverageStructure(
        "test",
        np.eye(3) * cell,
        tuple(
            Site(tuple(map(float, place)),
                 tuple(Occupant(*one) for one in held.items()), orbit)
            for place, held, orbit in sites
        ),
    )  # fmt: skip


def salt(share):
    """Return rock salt, its cations shared by what is given."""
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    sites = []
    for one, place in zip(
        atoms.get_chemical_symbols(), atoms.get_scaled_positions(), strict=True
    ):
        held = {"Cl": 1.0} if one == "Cl" else share
        sites.append((place, held, int(one == "Cl")))
    return average(sites, 5.64)


def distances_of(atoms):
    found = get_distances(atoms.positions, cell=atoms.cell, pbc=True)[1]
    return found + 100 * np.eye(len(atoms))


def formula_of(atoms):
    symbols = atoms.get_chemical_symbols()
    return {one: symbols.count(one) for one in set(symbols)}


def test_an_ordered_structure_is_its_only_example():
    atoms = bulk("NaCl", "rocksalt", a=5.64).repeat(5)
    found = ordered(average_of(atoms, "salt"), n=4, max_atoms=10)
    [one] = found.structures
    moved = (one.positions - atoms.positions) @ np.linalg.inv(atoms.cell.array)
    np.testing.assert_allclose(moved, np.round(moved), atol=1e-9)
    assert (one.numbers == atoms.numbers).all()
    assert found.notes == ("ordered as it is",)


def test_a_half_filled_site_of_the_primitive_cell_needs_two_cells():
    found = ordered(salt({"Na": 0.5, "Ag": 0.5}))
    assert np.prod(found.multiples) == 2  # of the primitive cell
    assert formula_of(found.structures[0]) == {"Na": 1, "Ag": 1, "Cl": 2}


@settings(max_examples=10, deadline=None)
@given(silver=st.integers(0, 8), empty=st.integers(0, 3), seed=st.integers(0, 3))
def test_the_composition_is_kept(silver, empty, seed):
    share = {"Na": (16 - silver - empty) / 16, "Ag": silver / 16}
    structure = salt({one: n for one, n in share.items() if n})
    found = ordered(structure, n=2, seed=seed, max_atoms=32)
    nominal = structure.composition
    for atoms in found.structures:
        scale = formula_of(atoms)["Cl"] / nominal["Cl"]
        for symbol, n in nominal.items():
            assert abs(formula_of(atoms).get(symbol, 0) - scale * n) < 1
    for first, second in itertools.combinations(found.structures, 2):
        assert (first.numbers != second.numbers).any() or (
            np.abs(first.positions - second.positions).max() > 0.1
        )


@settings(max_examples=10, deadline=None)
@given(doped=st.integers(1, 9))
def test_examples_are_neutral_where_rounding_allows_it(doped):
    """Li(1+x) Al(x) Ti(2-x) (O6)..., with as much Li as Al."""
    x = doped / 10
    fractions = [(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]
    sites = [(one, {"Ti": 1 - x, "Al": x}, 0) for one in fractions]
    sites += [((a + 0.25, b + 0.25, c + 0.25), {"Li": x}, 1) for a, b, c in fractions]
    shifts = [(0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5), (0.5, 0.5, 0.5)]
    sites += [(one, {"O": 1.0}, 2) for one in shifts]
    sites += [((a + 0.2, b + 0.2, c), {"O": 1.0}, 3) for a, b, c in shifts]
    found = ordered(average(sites, 8.0), max_atoms=60)
    charges = {"Li": 1, "Al": 3, "Ti": 4, "O": -2}
    total = sum(charges[s] for s in found.structures[0].get_chemical_symbols())
    assert total == 0
    assert not any("charge" in note for note in found.notes)


def split(occupancy):
    """Return sites 0.8 Å apart, of which one is taken, in a frame of oxygen."""
    return average(
        [
            ((0.4, 0.5, 0.5), {"Li": occupancy}, 0),
            ((0.6, 0.5, 0.5), {"Li": occupancy}, 0),
            ((0, 0, 0), {"O": 1.0}, 1),
        ],
    )


def test_of_split_sites_one_is_taken():
    found = ordered(split(0.5), n=3, max_atoms=20)
    assert found.structures
    for atoms in found.structures:
        near = distances_of(atoms)
        lithium = np.flatnonzero(atoms.numbers == 3)
        assert len(lithium) == (atoms.numbers == 8).sum()
        assert near[np.ix_(lithium, lithium)].min() >= closest_distance("Li", "Li")


def test_split_sites_that_are_filled_too_far_are_excluded():
    found = ordered(split(0.9), max_atoms=20)
    assert found.exclusion is Exclusion.OVERLAPPING
    assert found.structures == ()


def test_full_sites_at_one_place_are_excluded():
    atoms = Atoms("LiO", scaled_positions=[[0, 0, 0], [0.05, 0, 0]], cell=[4, 4, 4])
    atoms.pbc = True
    assert ordered(average_of(atoms, "x")).exclusion is Exclusion.OVERLAPPING


def test_full_sites_at_one_place_are_excluded_beside_open_ones():
    sites = [((0, 0, 0), {"O": 1.0}, 0), ((0.5, 0.5, 0.5), {"Li": 0.5}, 1)]
    assert ordered(average(sites)).exclusion is None
    sites.append(((0.1, 0, 0), {"S": 1.0}, 2))
    assert ordered(average(sites)).exclusion is Exclusion.OVERLAPPING


def test_no_atoms_are_an_exclusion():
    assert ordered(average([])).exclusion is Exclusion.NO_ATOMS


def test_what_does_not_fit_is_excluded():
    structure = salt({"Na": 0.5, "Ag": 0.5})
    assert ordered(structure, max_atoms=1).exclusion is Exclusion.TOO_LARGE
    assert ordered(structure, max_atoms=4).exclusion is None


def test_a_site_that_is_hardly_ever_filled_is_no_structure():
    rare = average([((0, 0, 0), {"Li": 0.001}, 0)])
    assert ordered(rare).exclusion is Exclusion.TOO_LARGE


def test_more_sites_than_fit_in_memory_are_excluded(monkeypatch):
    monkeypatch.setattr("atomgraft.data.disorder.ordering.MAX_PLACES", 1)
    found = ordered(salt({"Na": 0.5, "Ag": 0.5}))
    assert found.exclusion is Exclusion.TOO_LARGE


def test_an_empty_space_takes_no_memory():
    wide = AverageStructure("wide", np.eye(3) * 300, salt({"Na": 0.51}).sites)
    assert len(ordered(wide).structures) == 1


def test_what_is_rounded_is_said():
    found = ordered(salt({"Na": 0.9, "Ag": 0.1}), max_atoms=8)
    assert any(note.startswith("Ag rounded from") for note in found.notes)
    exact = ordered(salt({"Na": 0.75, "Ag": 0.25}), max_atoms=8)
    assert not any("rounded" in note for note in exact.notes)


def test_the_seed_decides():
    structure = salt({"Na": 0.5, "Ag": 0.5})
    big = AverageStructure("big", structure.cell, structure.sites)
    first, again, other = (
        ordered(_large(big), n=2, seed=seed, max_atoms=200).structures
        for seed in (1, 1, 2)
    )
    assert all(a == b for a, b in zip(first, again, strict=True))
    assert any(a != b for a, b in zip(first, other, strict=True))


def _large(structure):
    """Return the structure with shares that need many cells."""
    sites = tuple(
        Site(one.position, (Occupant("Na", 0.53), Occupant("Ag", 0.47)), 0)
        if one.orbit == 0
        else one
        for one in structure.sites
    )
    return AverageStructure("large", structure.cell, sites)


def test_unlike_charges_come_together():
    """A vacancy beside a cation of two charges costs least in rock salt."""
    structure = salt({"Na": 6 / 8, "Ca": 1 / 8})
    found = ordered(structure, n=20, max_atoms=32)
    assert len(found.energies) > 1
    assert list(found.energies) == sorted(found.energies)


def test_cooling_finds_what_counting_all_finds(monkeypatch):
    structure = salt({"Na": 6 / 8, "Ca": 1 / 8})
    best = ordered(structure, max_atoms=32)
    monkeypatch.setattr("atomgraft.data.disorder.ordering.MAX_ENUMERATED", 0)
    cooled = ordered(structure, n=3, max_atoms=32)
    assert cooled.energies[0] == pytest.approx(best.energies[0], abs=1e-4)


def test_without_steps_it_does_not(monkeypatch):
    structure = _large(salt({"Na": 1.0}))
    changed = AverageStructure(
        "charged",
        structure.cell,
        tuple(
            Site(one.position, (Occupant("Na", 0.54), Occupant("Ca", 0.23)), 0)
            if one.orbit == 0
            else one
            for one in structure.sites
        ),
    )
    cooled = ordered(changed, max_atoms=64)
    monkeypatch.setattr(arrangements, "MAX_STEPS", 0)
    random = ordered(changed, max_atoms=64)
    assert cooled.energies[0] < random.energies[0] - 1e-3


def test_stated_charges_are_used():
    """Two states of iron are two species, and balance the charge."""
    cell = bulk("FeO", "rocksalt", a=4.3, cubic=True)
    sites = []
    for one, place in zip(
        cell.get_chemical_symbols(), cell.get_scaled_positions(), strict=True
    ):
        held = (Occupant("O", 1.0, -2.0),)
        if one == "Fe":
            held = (Occupant("Fe", 0.5, 2.0), Occupant("Fe", 1 / 3, 3.0))
        sites.append(Site(tuple(place), held, int(one == "O")))
    structure = AverageStructure("wustite", cell.cell.array, tuple(sites))
    found = ordered(structure, max_atoms=48)
    assert formula_of(found.structures[0]) == {"Fe": 5, "O": 6}
    assert not any("charge" in note for note in found.notes)
