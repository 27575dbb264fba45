"""The parts of a screen: streams stay streams, grids and images are what they say."""

import dataclasses
import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list
from safetensors.numpy import save

pytest.importorskip("pymatgen", reason="needs the extra transport")
pytest.importorskip("sklearn", reason="needs the extra transport")

from atomgraft.core.errors import BadInputError
from atomgraft.data.disorder.average import Occupant, average_of
from atomgraft.data.disorder.ordering import ordered
from atomgraft.data.structure_streams import Exclusions, Named
from atomgraft.study.streams import Lost
from atomgraft.transport.features import cache
from atomgraft.transport.features.cache import FeatureCache
from atomgraft.transport.features.images import images_of
from atomgraft.transport.features.pathways import LARGEST_GRID, SPACING, grid_of
from atomgraft.transport.predictors.stored import Predictor, PredictorCard
from atomgraft.transport.screening import work
from atomgraft.transport.screening.describing import (
    NO_FEATURES,
    TOO_LARGE,
    Describer,
    Reason,
    material_of,
    standard_setting,
)
from atomgraft.transport.screening.spec import ScreenSpec


def skewed() -> Atoms:
    atoms = bulk("LiCl", "rocksalt", a=5.13)
    atoms.rattle(0.05, seed=3)
    atoms.positions += 40.0  # far from the cell, as files may have it
    return atoms


@pytest.mark.parametrize("reach", [1.0, 4.5, 9.0])
def test_images_hold_all_neighbours(reach):
    atoms = skewed()
    positions, which = images_of(atoms, reach)
    first, _ = neighbor_list("id", atoms, reach)
    inside = atoms.get_scaled_positions(wrap=True) @ atoms.cell.array
    for k, point in enumerate(inside):
        apart = np.linalg.norm(positions - point, axis=1)
        assert np.sum((apart > 1e-6) & (apart < reach)) == np.sum(first == k)
        assert which[np.argmin(apart)] == k


def test_images_are_those_of_the_atoms():
    atoms = skewed()
    positions, which = images_of(atoms, 5.0)
    places = np.linalg.solve(atoms.cell.array.T, positions.T).T
    own = atoms.get_scaled_positions(wrap=True)[which]
    np.testing.assert_allclose((places - own) - np.round(places - own), 0.0, atol=1e-9)


def test_grids_are_fine_and_bounded():
    small = bulk("LiCl", "rocksalt", a=5.13, cubic=True)
    for n, length in zip(grid_of(small), small.cell.lengths(), strict=True):
        assert length / n <= SPACING
    huge = Atoms("Li", cell=[60, 60, 60], pbc=True)
    assert np.prod(grid_of(huge)) <= LARGEST_GRID
    assert min(grid_of(Atoms("Li", cell=[0.5, 0.5, 30], pbc=True))) == 3


def entries(chunks):
    return [entry for chunk in chunks for entry in chunk.kept]


def test_structures_are_read_as_they_are_needed(tmp_path):
    read = []

    def stream():
        for k in itertools.count():  # without an end
            read.append(k)
            yield Named(str(k), average_of(salt(5.0 + 0.01 * k), str(k)))

    found = screening(tmp_path).chunks(stream())
    assert read == []
    first = next(found)
    assert len(first.items) == len(first.kept) == work.TOGETHER
    assert len(read) == work.TOGETHER


def test_structures_whose_features_are_kept_are_not_sent_anywhere(tmp_path):
    named = [Named(str(k), average_of(salt(5.0 + 0.01 * k), "")) for k in range(70)]
    known = screening(tmp_path)
    for entry in entries(known.chunks(iter(named[:65]))):
        known.cache.keep(entry.key, np.zeros(2))
    chunks = list(known.chunks(iter(named)))
    assert [len(one.kept) for one in chunks] == [work.AT_ONCE, 6]
    assert [len(one.items) for one in chunks] == [0, 5]
    assert [one.name for one in entries(chunks)] == [one.name for one in named]


def test_other_settings_have_other_features(tmp_path):
    def keys(**more):
        named = [Named("one", average_of(salt(), ""))]
        return {
            one.key for one in entries(screening(tmp_path, **more).chunks(iter(named)))
        }

    assert keys() == keys(model="elsewhere/model", trust=(("a", "b"),))
    for more in ({"seed": 1}, {"max_atoms": 3}, {"model_hash": "0"}):
        assert keys() != keys(**more)


def test_a_structure_that_kills_its_process_is_counted(tmp_path):
    known = screening(tmp_path)
    [chunk] = known.chunks(iter([Named("one", average_of(salt(), ""))]))
    known.take(chunk.kept, [Lost()])
    assert known.rows == []
    assert known.left_out.counts == {work.LOST.kind: 1}


def test_a_huge_structure_is_left_out_at_once():
    describer = Describer(ion="Li", blocks=("pathways",))
    huge = average_of(salt() * (9, 9, 9), "huge")
    assert describer(huge) == Reason(TOO_LARGE, "5832 atoms")
    assert isinstance(describer(average_of(salt(), "small")), np.ndarray)


def screening(folder, **more):
    describer = Describer(ion="Li", blocks=("composition",), **more)
    predictor = object.__new__(Predictor)
    object.__setattr__(predictor, "card", card())
    return work._Screening(predictor, describer, FeatureCache(folder), Exclusions())


def salt(a=5.13) -> Atoms:
    return bulk("LiCl", "rocksalt", a=a, cubic=True)


def card(mobile=("Li",), columns=("composition",)) -> PredictorCard:
    named = dict.fromkeys(columns, ("a",))
    return PredictorCard.model_construct(mobile=mobile, columns=named)


def spec(**more) -> ScreenSpec:
    return ScreenSpec(structures=("cifs",), predictor="p", **more)


def test_the_ion_is_that_of_the_predictor_unless_there_are_several():
    assert work._ion(spec(), card()) == "Li"
    assert work._ion(spec(mobile="Na"), card()) == "Na"
    with pytest.raises(BadInputError, match="several mobile ions: Li, Na"):
        work._ion(spec(), card(("Li", "Na")))


@pytest.mark.parametrize("block", ["hop", "hop invariants"])
def test_predictors_of_hops_cannot_screen(block):
    work._refuse_hops(card(columns=("composition", "sites")))
    with pytest.raises(BadInputError, match="given hop"):
        work._refuse_hops(card(columns=("composition", block)))


def test_a_structure_becomes_a_material_with_its_own_cell():
    atoms = bulk("LiCl", "rocksalt", a=5.13, cubic=True)
    average = average_of(atoms, "salt")
    found = material_of(average, ordered(average).structures, "Li")
    assert found.cell == pytest.approx((5.13, 5.13, 5.13, 90, 90, 90))
    assert found.space_group == 225
    assert found.amounts == {"Li": 4.0, "Cl": 4.0}
    assert len(found.structures) == 1


def test_the_folder_of_features_does_not_change_the_question():
    assert spec().identity() == spec(cache="elsewhere").identity()
    assert spec().identity() != spec(best="lowest").identity()


def test_the_standard_cell_does_not_depend_on_the_one_that_is_given():
    small, large = bulk("LiCl", "rocksalt", a=5.13), salt() * (2, 1, 1)
    cells = [standard_setting(average_of(one, "")) for one in (small, salt(), large)]
    for cell, number in cells:
        assert cell == pytest.approx((5.13, 5.13, 5.13, 90, 90, 90))
        assert number == 225


def mixed_salt(share=0.5):
    """Return a salt whose lithium shares its sites with sodium."""
    average = average_of(salt(), "")
    both = Occupant("Li", share), Occupant("Na", 1 - share)
    shared = [
        dataclasses.replace(site, occupants=both)
        if site.occupants[0].symbol == "Li"
        else site
        for site in average.sites
    ]
    return dataclasses.replace(average, sites=tuple(shared))


def test_occupants_decide_the_symmetry():
    mixed, average = mixed_salt(), average_of(salt(), "")
    assert standard_setting(mixed)[1] == 225
    sites = (mixed.sites[0], *average.sites[1:])
    one_apart = dataclasses.replace(average, sites=sites)
    assert standard_setting(one_apart)[1] != 225


def test_formula_and_cell_need_no_ordered_example(monkeypatch):
    monkeypatch.setattr(
        "atomgraft.transport.screening.describing.ordered",
        lambda *_: pytest.fail("atoms were placed"),
    )
    described = Describer(ion="Li", blocks=("composition", "lattice"))
    row = described(average_of(salt(), ""))
    assert row[-2:].tolist() == [225, 6]  # space group and crystal system


CANNOT = Reason("cannot be ordered within the limits of atoms and sites", "")


def test_what_cannot_be_ordered_is_not_tried_again(tmp_path):
    named = [Named("mixed", mixed_salt()), Named("small", average_of(salt(), ""))]
    first = screening(tmp_path, max_atoms=3)
    [chunk] = first.chunks(iter(named[:1]))
    describer = Describer(ion="Li", blocks=("packing",), max_atoms=3)
    found = [describer(one) for one in chunk.items]
    assert [one.kind for one in found] == [CANNOT.kind]
    first.take(chunk.kept, found)
    first.cache.flush()
    again = screening(tmp_path, max_atoms=3)
    [chunk] = again.chunks(iter(named))
    assert len(chunk.items) == 1, "the other one alone"
    assert chunk.kept[0].reason == found[0]
    again.take(chunk.kept[:1], [])
    assert again.left_out.counts == first.left_out.counts
    assert again.left_out.examples == first.left_out.examples
    other = screening(tmp_path, max_atoms=4)
    [chunk] = other.chunks(iter(named[:1]))
    assert len(chunk.items) == 1, "other limits are another question"


def test_failures_of_a_moment_are_tried_again(tmp_path):
    known = screening(tmp_path)
    named = [Named("one", average_of(salt(), ""))]
    for found in (Lost(), Reason(NO_FEATURES, "no memory"), Reason(TOO_LARGE, "")):
        [chunk] = known.chunks(iter(named))
        assert len(chunk.items) == 1
        known.take(chunk.kept, [found])


def test_failures_are_of_one_version_and_of_whole_files(tmp_path, monkeypatch):
    kept = FeatureCache(tmp_path)
    kept.keep_failure("a", ("kind", "detail"))
    kept.keep("b", np.arange(3.0))
    kept.flush()
    kept.keep_failure("c", ("kind", ""))
    kept.flush()
    assert len([*tmp_path.iterdir()]) == 2
    again = FeatureCache(tmp_path)
    assert again.failure("a") == ("kind", "detail")
    assert again.failure("c") == ("kind", "")
    assert again.failure("b") is None
    assert again.get("a") is None
    assert again.get("b").tolist() == [0.0, 1.0, 2.0]
    again.flush()
    assert len([*tmp_path.iterdir()]) == 2, "nothing is new"
    monkeypatch.setattr(cache, "VERSION", "another")
    assert FeatureCache(tmp_path).failure("a") is None
    assert FeatureCache(tmp_path).get("b") is None


@pytest.mark.parametrize("told", ["[]", "{", '{"a": 1}', '{"a": ["b"]}'])
def test_failures_that_are_none_are_not_used(told, tmp_path):
    about = {"keys": "[]", "version": cache.VERSION, "failures": told}
    (tmp_path / "a.safetensors").write_bytes(save({}, metadata=about))
    assert FeatureCache(tmp_path).failure("a") is None


def test_a_file_without_failures_is_read_as_before(tmp_path):
    about = {"keys": '["a"]', "version": cache.VERSION}
    path = tmp_path / "a.safetensors"
    path.write_bytes(save({"0": np.arange(2.0)}, metadata=about))
    assert FeatureCache(tmp_path).get("a").tolist() == [0.0, 1.0]
