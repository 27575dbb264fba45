"""The parts of a screen: streams stay streams, grids and images are what they say."""

import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

pytest.importorskip("pymatgen", reason="needs the extra transport")
pytest.importorskip("sklearn", reason="needs the extra transport")

from atomgraft.core.errors import BadInputError
from atomgraft.data.disorder.average import average_of
from atomgraft.data.disorder.ordering import ordered
from atomgraft.transport.features.images import images_of
from atomgraft.transport.features.pathways import LARGEST_GRID, SPACING, grid_of
from atomgraft.transport.predictors.stored import PredictorCard
from atomgraft.transport.screening import work
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


def described(k: int) -> work.Described:
    return work.Described(
        name=str(k),
        amounts={"Li": 1.0},
        is_disordered=False,
        row=np.ones(2) * k,
        is_known=False,
    )


def test_batches_are_read_as_they_are_needed():
    read = []

    def stream():
        for k in itertools.count():  # without an end
            read.append(k)
            yield described(k)

    batches = work._batches(stream())
    assert read == []
    assert len(next(batches)) == work.AT_ONCE
    assert len(read) == work.AT_ONCE
    sizes = [len(one) for one in work._batches(described(k) for k in range(130))]
    assert sizes == [64, 64, 2]
    assert list(work._batches(iter(()))) == []


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
    found = work.material_of("salt", average, ordered(average).structures, "Li")
    assert found.cell == pytest.approx((5.13, 5.13, 5.13, 90, 90, 90))
    assert found.amounts == {"Li": 4.0, "Cl": 4.0}
    assert len(found.structures) == 1


def test_the_folder_of_features_does_not_change_the_question():
    assert spec().identity() == spec(cache="elsewhere").identity()
    assert spec().identity() != spec(best="lowest").identity()
