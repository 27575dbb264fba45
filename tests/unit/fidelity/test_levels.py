"""Test geometries are held out of every level; labels are kept or subtracted."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from atomgraft.core.errors import BadInputError
from atomgraft.core.trust import NO_TRUST
from atomgraft.data.labels import energy_of, forces_of
from atomgraft.data.readers import read_structures
from atomgraft.fidelity.levels import (
    FEWEST,
    alike,
    differences,
    read_levels,
    same_geometries,
    with_labels,
)
from atomgraft.fidelity.spec import parse_fidelity_spec
from tests.fidelities import POOL, SPEC, TEST, labelled, level_files, written

OTHERS = "shipped:si-train@1::8"


def levels(sources, **changes):
    spec = parse_fidelity_spec(SPEC | {"sources": sources} | changes, "a test")
    return read_levels(spec, trust=NO_TRUST)


def frames(*files):
    return labelled(read_structures(list(files)))


def moved(atoms, by):
    other = atoms.copy()
    other.translate(by)
    return other


def wrapped(atoms):
    other = moved(atoms, [0.7, -0.2, 0.4])
    other.wrap()
    return other


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return levels({"cheap": level_files(tmp_path_factory.mktemp("levels"))})


# --- held out


def test_test_geometries_measure_the_source_and_train_nothing(whole):
    target, source = whole.target, whole.sources["cheap"]
    assert (len(target.pool), len(target.test)) == (13, 6)
    assert len(source.pool) + len(source.test) == 13 + 6 + 13
    assert same_geometries(target.test, source.pool) == {}
    assert len(same_geometries(target.test, source.test)) == 6
    assert any("6 of 32 structures have a geometry" in one for one in whole.notices)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("change", [wrapped, Atoms.copy], ids=["moved", "as it is"])
def test_neither_order_nor_place_nor_repeats_let_a_geometry_through(
    seed, change, tmp_path
):
    """The test set stands twice in the source, shuffled among the others."""
    rng = np.random.default_rng(seed)
    test, others = frames(TEST), frames(OTHERS)
    leaking = [change(one) for one in [*test, *test]]
    mixed = [*leaking, *others]
    shuffled = [mixed[i] for i in rng.permutation(len(mixed))]
    files = [
        written(tmp_path / "one.extxyz", shuffled[::2]),
        written(tmp_path / "two.extxyz", shuffled[1::2]),
    ]
    found = levels({"cheap": files})
    source = found.sources["cheap"]
    assert same_geometries(found.target.test, source.pool) == {}
    assert (len(source.pool), len(source.test)) == (len(others), 12)


def test_a_structure_that_differs_is_trained_on(tmp_path):
    """Negative control: a hundredth of an angstrom makes a geometry of its own."""
    test = read_structures([TEST])
    for one in test:
        one.positions[0] += [0.01, 0.0, 0.0]
    file = written(tmp_path / "cheap.extxyz", labelled(test))
    found = levels({"cheap": file}, source_sizes=[1])
    assert same_geometries(found.target.test, read_structures([file])) == {}
    source = found.sources["cheap"]
    assert (len(source.pool), len(source.test)) == (1, FEWEST)


def test_every_source_is_held_out_on_its_own(tmp_path):
    test, others = frames(TEST), frames(OTHERS)
    with_test = written(tmp_path / "one.extxyz", [*others, *test])
    without = written(tmp_path / "two.extxyz", others)
    found = levels({"one": with_test, "two": without}).sources
    assert (len(found["one"].pool), len(found["one"].test)) == (13, 6)
    assert (len(found["two"].pool), len(found["two"].test)) == (8, 5)
    assert same_geometries(found["two"].pool, found["two"].test) == {}


def test_what_is_held_out_of_a_source_has_no_twin_in_it(tmp_path):
    others = frames(OTHERS)
    file = written(tmp_path / "cheap.extxyz", [*others, *map(wrapped, others)])
    source = levels({"cheap": file}).sources["cheap"]
    assert same_geometries(source.pool, source.test) == {}
    assert len(source.pool) + len(source.test) == 26
    assert len(source.test) == 10


def test_a_source_of_test_geometries_alone_is_refused(tmp_path):
    file = written(tmp_path / "cheap.extxyz", frames(TEST))
    with pytest.raises(BadInputError, match="no structure to train on: all 6"):
        levels({"cheap": file})


def test_a_test_set_in_the_pool_is_refused(tmp_path):
    file = written(tmp_path / "cheap.extxyz", frames(OTHERS))
    with pytest.raises(BadInputError, match="2 test structures are also in the pool"):
        levels({"cheap": file}, test="shipped:si-train@:9:8")


def test_a_molecule_in_another_box_is_the_same():
    one = Atoms("H2", [[0, 0, 0], [0, 0, 0.8]])
    boxed = moved(one, [3, 3, 3])
    boxed.cell = [10, 11, 12]
    assert same_geometries([one], [boxed]) == {0: (0,)}
    assert same_geometries([boxed], [one]) == {0: (0,)}


def test_a_molecule_with_and_without_periodic_box_is_the_same():
    """Programs with plane waves need a box, others take none."""
    one = Atoms("H2", [[0, 0, 0], [0, 0, 0.8]])
    periodic = Atoms("H2", [[3, 3, 3], [3, 3, 3.8]], cell=[10, 11, 12], pbc=True)
    assert same_geometries([one], [periodic]) == {0: (0,)}
    stretched = Atoms("H2", [[3, 3, 3], [3, 3, 3.9]], cell=[10, 11, 12], pbc=True)
    assert same_geometries([one], [stretched]) == {}


def test_a_crystal_in_another_cell_is_another():
    """Negative control of the test above."""
    one = Atoms("Si", cell=[3, 3, 3], pbc=True)
    other = Atoms("Si", cell=[4, 4, 4], pbc=True)
    assert same_geometries([one], [other]) == {}


def test_pairs_are_found_in_both_directions_and_all_of_them():
    rng = np.random.default_rng(0)
    many = [Atoms("H3", rng.normal(size=(3, 3))) for _ in range(8)]
    others = [moved(many[i], rng.normal(size=3)) for i in (5, 2, 5, 0)]
    assert same_geometries(many, others) == {0: (3,), 2: (1,), 5: (0, 2)}
    assert same_geometries(others, many) == {0: (5,), 1: (2,), 2: (5,), 3: (0,)}


# --- matches of the target


def test_labels_of_the_source_are_found_at_geometries_of_the_target(whole):
    target, source = whole.target, whole.sources["cheap"]
    for own, matched in zip((target.pool, target.test), source.on_target, strict=True):
        assert list(matched) == list(range(len(own)))
        for i, atoms in matched.items():
            assert np.allclose(atoms.positions, own[i].positions)
            known = labelled([own[i]])[0]
            assert energy_of(atoms) == pytest.approx(energy_of(known))


# --- cost


def test_the_cost_is_the_mean_processor_time_unless_it_is_given(tmp_path):
    import ase.io

    atoms = frames(OTHERS)
    for i, one in enumerate(atoms):
        one.info["engine_seconds"] = 1000.0  # on the wall
        one.info["engine_cpu_seconds"] = float(i**2)
    file = str(tmp_path / "cheap.extxyz")
    ase.io.write(file, atoms, format="extxyz")
    measured = levels({"cheap": file}, source_sizes=[2]).sources["cheap"]
    assert measured.seconds == pytest.approx(np.mean(np.arange(len(atoms)) ** 2))
    given = {"cheap": {"train": file, "seconds": 0.25}}
    assert levels(given, source_sizes=[2]).sources["cheap"].seconds == 0.25


# --- labels kept


@pytest.mark.parametrize(
    ("kept", "labels"),
    [
        ("all", {"REF_energy", "REF_stress"}),
        ("forces", set()),
        ("energy", {"REF_energy"}),
    ],
)
def test_labels_that_are_kept(kept, labels):
    [before] = read_structures(["shipped:si-train@:1"])
    [after] = with_labels([before], kept)
    assert {key for key in after.info if key.startswith("REF_")} == labels
    assert ("REF_forces" in after.arrays) == (kept != "energy")
    assert {"REF_energy", "REF_stress"} <= before.info.keys()
    assert "REF_forces" in before.arrays


# --- differences


def test_a_difference_and_the_source_add_up_to_the_target():
    dear = read_structures([POOL])
    cheap = dict(enumerate(labelled(dear)))
    for i, one in enumerate(differences(dear, cheap)):
        assert energy_of(one) + energy_of(cheap[i]) == pytest.approx(energy_of(dear[i]))
        assert np.allclose(forces_of(one) + forces_of(cheap[i]), forces_of(dear[i]))
        assert np.array_equal(one.positions, dear[i].positions)
        assert "REF_stress" not in one.info


def test_a_dear_label_above_the_cheap_one_is_a_positive_difference():
    dear = Atoms("H", info={"REF_energy": -1.0})
    dear.arrays["REF_forces"] = np.full((1, 3), 2.0)
    cheap = Atoms("H", info={"REF_energy": -3.0})
    cheap.arrays["REF_forces"] = np.full((1, 3), 0.5)
    [one] = differences([dear], {0: cheap})
    assert one.info["REF_energy"] == 2.0
    assert one.arrays["REF_forces"].tolist() == [[1.5] * 3]


def test_labels_that_one_of_them_lacks_are_left_out():
    dear, cheap = (Atoms("H", info={"REF_energy": e}) for e in (-1.0, -3.0))
    dear.arrays["REF_forces"] = np.ones((1, 3))
    [one] = differences([dear], {0: cheap})
    assert "REF_forces" not in one.arrays
    bare = Atoms("H")
    assert differences([dear], {0: bare}) is None


def test_a_missing_structure_leaves_no_differences():
    dear = [Atoms("H", info={"REF_energy": -1.0}) for _ in range(2)]
    assert differences(dear, {0: dear[0]}) is None


# --- the same geometry in any guise


def guises(atoms):
    """Return copies that a potential cannot tell from the original."""
    turned = atoms.copy()
    turned.rotate(35, (1, 2, 3))
    shifted = atoms.copy()
    shifted.positions += 3.7
    boxed = atoms.copy()
    boxed.set_cell([20, 21, 22])
    boxed.pbc = True
    boxed.positions += (19.5, 0, 10)
    boxed.wrap()
    order = np.random.default_rng(0).permutation(len(atoms))
    return {
        "turned": turned,
        "shifted": shifted,
        "wrapped": boxed,
        "permuted": atoms[order.tolist()],
    }


@pytest.mark.parametrize("name", ["turned", "shifted", "wrapped", "permuted"])
def test_a_molecule_is_held_out_in_any_guise(name):
    ethanol = molecule("CH3CH2OH")
    ethanol.rattle(0.05, seed=1)
    other = molecule("CH3CH2OH")
    other.rattle(0.05, seed=2)
    found = alike([ethanol], [other, guises(ethanol)[name]])
    assert found == {1}


def test_a_crystal_is_held_out_shifted_by_half_a_cell_and_in_another_order():
    crystal = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    crystal.rattle(0.05, seed=1)
    moved = crystal.copy()
    moved.positions += 2.8 + 1e-7 * np.random.default_rng(0).normal(size=(8, 3))
    moved.wrap()
    strained = crystal.copy()
    strained.set_cell(1.01 * crystal.cell.array, scale_atoms=True)
    order = [3, 1, 2, 0, 7, 5, 6, 4]
    assert alike([crystal], [strained, moved, moved[order]]) == {1, 2}
