"""Do features say what a closed form says, and nothing of frame and order?"""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from scipy.spatial.transform import Rotation

from atomgraft.core.errors import BadInputError
from atomgraft.transport.features import pathways, sites
from atomgraft.transport.features.cache import FeatureCache
from atomgraft.transport.features.composition import (
    COMPOSITION,
    LATTICE,
    composition,
    lattice,
    packing,
)
from atomgraft.transport.features.elements import (
    anions_of,
    bond_length,
    ionic_radius,
    statistics,
)
from atomgraft.transport.features.table import BLOCKS, describe
from atomgraft.transport.materials import Hop, Material

pytest.importorskip("pymatgen", reason="needs the extra transport")

EXACT = 1e-9
GRID = 0.12
"""Å and e: grids of two settings of one crystal have other points."""


def material(atoms: Atoms, mobile: str = "Li", **more) -> Material:
    counts = Counter(atoms.get_chemical_symbols())
    amounts = {one: float(n) for one, n in counts.items()}
    return Material(
        name="one",
        amounts=amounts,
        mobile=mobile,
        cell=tuple(atoms.cell.cellpar().tolist()),
        structures=(atoms,),
        **more,
    )


def salt() -> Atoms:
    atoms = bulk("LiCl", "rocksalt", a=5.13, cubic=True)
    atoms.rattle(0.1, seed=1)
    return atoms


@pytest.mark.parametrize(
    ("symbols", "anions"),
    [
        (["Li", "P", "S", "Cl"], {"S", "Cl"}),
        (["Li", "P", "O"], {"O"}),
        (["Li", "S", "O"], {"O"}),  # a sulphate
        (["Li", "N"], {"N"}),
        (["Li", "N", "O"], {"O"}),  # a nitrate
        (["Li", "P"], {"P"}),
        (["Li"], set()),
    ],
)
def test_which_elements_take_electrons(symbols, anions):
    assert anions_of(symbols) == anions


def test_bond_lengths_are_those_of_the_published_table():
    # Brese and O'Keeffe, Acta Crystallogr. B 47, 192 (1991), table 2
    assert bond_length("Li", "O") == pytest.approx(1.466, abs=0.05)
    assert bond_length("Na", "O") == pytest.approx(1.80, abs=0.05)
    assert bond_length("Mg", "O") == pytest.approx(1.693, abs=0.05)


def test_an_unknown_element_is_refused():
    with pytest.raises(BadInputError, match="no chemical element"):
        statistics({"Xx": 1.0})


def test_one_element_has_no_spread():
    found = statistics({"Li": 3.0})
    n = len(found) // 4
    np.testing.assert_allclose(found[n : 2 * n], 0.0)
    np.testing.assert_allclose(found[:n], found[2 * n : 3 * n])


def test_amounts_have_no_unit():
    one, two = (
        Material(name="", amounts=amounts, mobile="Li")
        for amounts in ({"Li": 1.0, "Cl": 1.0}, {"Li": 4.0, "Cl": 4.0})
    )
    np.testing.assert_allclose(composition(one), composition(two))
    found = dict(zip(COMPOSITION, composition(one), strict=True))
    assert found["fraction of mobile ions"] == 0.5
    assert found["number of elements"] == 2


def test_what_is_not_known_is_not_a_number():
    bare = Material(name="", amounts={"Li": 1.0, "Cl": 1.0}, mobile="Li")
    table = describe([bare], [*BLOCKS])
    known = np.isfinite(table.rows[0])
    assert known[table.blocks["composition"]].all()
    for name in BLOCKS:
        if name != "composition":
            assert not known[table.blocks[name]].any(), name


def test_crystal_systems_end_where_they_end():
    ends = {2: 0, 3: 1, 15: 1, 16: 2, 74: 2, 75: 3, 142: 3, 143: 4, 167: 4, 168: 5}
    ends |= {1: 0, 194: 5, 195: 6, 230: 6}
    for number, system in ends.items():
        one = Material(name="", amounts={"Li": 1.0}, mobile="Li", space_group=number)
        assert lattice(one)[LATTICE.index("crystal system")] == system


def test_density_of_rock_salt():
    atoms = bulk("LiCl", "rocksalt", a=5.0, cubic=True)
    found = packing(material(atoms))
    np.testing.assert_allclose(found[:3], [8 / 125, 125 / 4, 125 / 4])


def cubic(a: float) -> Atoms:
    return Atoms("O", cell=[a, a, a], pbc=True)


def test_the_narrowest_place_of_a_simple_cubic_framework():
    atoms = cubic(4.0) + Atoms("Li", positions=[[2.0, 2.0, 2.0]])
    found = dict(
        zip(pathways.PATHWAYS, pathways.pathways(material(atoms)), strict=True)
    )
    ions = ionic_radius("O") + ionic_radius("Li")
    for directions in ("one direction", "two directions", "three directions"):
        assert found[f"clearance, open in {directions}"] == pytest.approx(
            4.0 / np.sqrt(2) - ions, abs=EXACT
        )
    assert found["clearance, best point"] == pytest.approx(
        4.0 * np.sqrt(3) / 2 - ions, abs=EXACT
    )


def ranks(field: np.ndarray, value: float) -> int:
    """Return in how many directions a field percolates, by walking through it."""
    seen: dict[tuple[int, ...], np.ndarray] = {}
    windings: list[np.ndarray] = []
    for start in zip(*np.nonzero(field >= value), strict=True):
        if start in seen:
            continue
        seen[start] = np.zeros(3, dtype=int)
        stack = [start]
        while stack:
            here = stack.pop()
            for axis in range(3):
                for step in (1, -1):
                    place = np.array(here)
                    place[axis] += step
                    cell = seen[here] + np.floor_divide(place, field.shape)
                    there = tuple((place % field.shape).tolist())
                    if field[there] < value:
                        continue
                    if there not in seen:
                        seen[there] = cell
                        stack.append(there)
                    elif (seen[there] != cell).any():
                        windings.append(cell - seen[there])
    return int(np.linalg.matrix_rank(np.array(windings))) if windings else 0


@pytest.mark.parametrize("seed", range(4))
def test_thresholds_are_those_of_walking_through_the_grid(seed):
    field = np.random.default_rng(seed).random((3, 4, 5))
    values = np.unique(field)[::-1]
    walked = [next(v for v in values if ranks(field, v) >= n) for n in (1, 2, 3)]
    assert pathways.thresholds(field) == pytest.approx(walked)


def test_a_closed_wall_leaves_no_way_across():
    field = np.ones((4, 4, 4))
    field[2] = -1.0
    assert pathways.thresholds(field) == (1.0, 1.0, -1.0)


def moved(atoms: Atoms, seed: int) -> Atoms:
    """Return the same crystal turned, shifted and in another order."""
    rng = np.random.default_rng(seed)
    turn = Rotation.random(random_state=seed).as_matrix()
    order = rng.permutation(len(atoms))
    found = atoms[order]
    found.set_cell(atoms.cell.array @ turn.T)
    found.positions = found.positions @ turn.T + rng.normal(size=3)
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", [one for one in BLOCKS if one != "hop"])
def test_features_do_not_depend_on_frame_and_order(name, seed):
    atoms = salt()
    before, after = (
        BLOCKS[name].compute(material(one)) for one in (atoms, moved(atoms, seed))
    )
    tolerance = GRID if name == "pathways" else 1e-6
    np.testing.assert_allclose(before, after, atol=tolerance)


def test_features_change_where_the_crystal_does():
    atoms, wider = salt(), salt()
    wider.set_cell(atoms.cell.array * 1.1, scale_atoms=True)
    for name in ("packing", "sites", "pathways", "lattice"):
        before, after = (BLOCKS[name].compute(material(one)) for one in (atoms, wider))
        assert np.nanmax(np.abs(before - after)) > 0.05, name


def hopping(atoms: Atoms, end: np.ndarray) -> Material:
    path = np.linspace(atoms.positions[0], end, 5)
    return material(atoms, hop=Hop(atom=0, path=path))


def test_a_hop_and_its_way_back_are_alike():
    atoms = salt()
    end = atoms.positions[0] + [1.8, 1.8, 0.2]
    back = atoms.copy()
    back.positions[0] = end
    there = sites.hop(hopping(atoms, end))
    np.testing.assert_allclose(
        there, sites.hop(hopping(back, atoms.positions[0])), atol=EXACT
    )
    assert there[0] == pytest.approx(np.linalg.norm([1.8, 1.8, 0.2]))


@pytest.mark.parametrize("seed", range(3))
def test_hops_do_not_depend_on_the_frame(seed):
    atoms = salt()
    turn = Rotation.random(random_state=seed).as_matrix()
    shift = np.random.default_rng(seed).normal(size=3)
    end = atoms.positions[0] + [1.8, 1.8, 0.2]
    turned = atoms.copy()
    turned.set_cell(atoms.cell.array @ turn.T)
    turned.positions = atoms.positions @ turn.T + shift
    np.testing.assert_allclose(
        sites.hop(hopping(atoms, end)),
        sites.hop(hopping(turned, end @ turn.T + shift)),
        atol=1e-6,
    )


def test_what_an_ion_meets_in_the_middle_of_a_cube():
    atoms = cubic(4.0)
    around = sites.surroundings(atoms, "Li")
    met = dict(
        zip(sites.MEETING, around.meeting(np.array([[2.0, 2.0, 2.0]]))[0], strict=True)
    )
    apart = 2.0 * np.sqrt(3)
    assert met["distance 1 to anion"] == pytest.approx(apart)
    assert met["distance 4 to anion"] == pytest.approx(apart)  # of eight corners
    assert met["clearance to anion"] == pytest.approx(
        apart - ionic_radius("O") - ionic_radius("Li")
    )
    assert met["anions nearby"] == 8
    assert met["bond valence sum"] == pytest.approx(  # the next are 6.6 Å away
        8 * np.exp((bond_length("Li", "O") - apart) / 0.37)
    )
    assert met["clearance to cation"] == sites.OPEN


@pytest.mark.parametrize("name", ["packing", "sites", "pathways"])
def test_a_supercell_is_the_same_crystal(name):
    atoms = salt()
    before, after = (
        BLOCKS[name].compute(material(one)) for one in (atoms, atoms * (2, 1, 1))
    )
    tolerance = GRID if name == "pathways" else 1e-6
    np.testing.assert_allclose(before, after, atol=tolerance)


def test_features_that_are_kept_are_not_computed_again(tmp_path, monkeypatch):
    stretched = salt()
    stretched.set_cell(stretched.cell * 1.1, scale_atoms=True)
    materials = [material(salt()), material(stretched)]
    first = describe(materials, ["packing", "sites"], cache=FeatureCache(tmp_path))
    monkeypatch.setattr(
        "atomgraft.transport.features.table.BLOCKS",
        {
            name: dataclasses.replace(one, compute=lambda _: pytest.fail("computed"))
            for name, one in BLOCKS.items()
        },
    )
    again = describe(materials, ["sites", "packing"], cache=FeatureCache(tmp_path))
    np.testing.assert_array_equal(again.of(["packing", "sites"]).rows, first.rows)
