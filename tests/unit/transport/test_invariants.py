"""Are features of a model those of the model, and nothing of frame and order?"""

import json

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from scipy.spatial.transform import Rotation

import atomgraft as ag
from atomgraft.core.errors import BadInputError
from atomgraft.models.loading import load_potential
from atomgraft.models.pair import lennard_jones
from atomgraft.models.prediction import predict_structures
from atomgraft.models.readout_features import energies_of, readout_features
from atomgraft.transport.features.invariants import BULK, ENERGIES, HOP, Invariants
from atomgraft.transport.features.table import blocks_with, describe
from atomgraft.transport.materials import Hop, Material
from tests.trials import NEEDS_SEVENN

pytestmark = NEEDS_SEVENN
pytest.importorskip("pymatgen", reason="needs the extra transport")

MODEL = "sevennet:tiny:Li,Cl,Br"
CLOSE = 1e-4
"""Of float32."""


@pytest.fixture(scope="module")
def model():
    return Invariants(load_potential(MODEL))


def salt():
    atoms = bulk("LiCl", "rocksalt", a=5.13, cubic=True)
    atoms.rattle(0.1, seed=1)
    return atoms


def material(atoms, **more) -> Material:
    return Material(
        name="one",
        amounts={"Li": 4.0, "Cl": 4.0},
        mobile="Li",
        structures=(atoms,),
        **more,
    )


def hopping(atoms, end) -> Material:
    path = np.linspace(atoms.positions[0], end, 4)
    return material(atoms, hop=Hop(atom=0, path=path))


def test_some_atoms_have_the_features_that_they_have_among_all(model):
    atoms = salt()
    [all_of_them] = readout_features(model.potential, model.directions, [atoms])
    [some] = readout_features(model.potential, model.directions, [atoms], only=[[5, 0]])
    np.testing.assert_allclose(some, all_of_them[[5, 0]], atol=CLOSE)


def test_energies_differ_as_those_of_predictions_do(model):
    frames = [salt(), salt()]
    frames[1].positions[0] += 0.5
    told = [one.energy for one in predict_structures(model.potential, frames)]
    assert np.diff(energies_of(model.potential, frames)) == pytest.approx(
        np.diff(told), abs=CLOSE
    )


@pytest.mark.parametrize("seed", range(3))
def test_features_do_not_depend_on_frame_and_order(model, seed):
    atoms = salt()
    rng = np.random.default_rng(seed)
    turn = Rotation.random(random_state=seed).as_matrix()
    order = rng.permutation(len(atoms))
    moved = atoms[order]
    moved.set_cell(atoms.cell.array @ turn.T)
    shift = rng.normal(size=3)
    moved.positions = moved.positions @ turn.T + shift
    np.testing.assert_allclose(
        model.of(material(atoms), BULK), model.of(material(moved), BULK), atol=CLOSE
    )
    end = atoms.positions[0] + [1.8, 1.8, 0.2]
    turned = atoms.copy()
    turned.set_cell(moved.cell)
    turned.positions = atoms.positions @ turn.T + shift
    np.testing.assert_allclose(
        model.of(hopping(atoms, end), HOP),
        model.of(hopping(turned, end @ turn.T + shift), HOP),
        atol=CLOSE,
    )


def test_a_supercell_is_the_same_crystal(model):
    atoms = salt()
    np.testing.assert_allclose(
        model.of(material(atoms), BULK),
        model.of(material(atoms * (2, 1, 1)), BULK),
        atol=CLOSE,
    )


def test_features_change_where_the_crystal_does(model):
    atoms, wider = salt(), salt()
    wider.set_cell(atoms.cell.array * 1.1, scale_atoms=True)
    apart = model.of(material(atoms), BULK) - model.of(material(wider), BULK)
    assert np.abs(apart).max() > 10 * CLOSE


def test_a_hop_and_its_way_back_are_alike(model):
    atoms = salt()
    end = atoms.positions[0] + [1.8, 1.8, 0.2]
    back = atoms.copy()
    back.positions[0] = end
    np.testing.assert_allclose(
        model.of(hopping(atoms, end), HOP),
        model.of(hopping(back, atoms.positions[0]), HOP),
        atol=CLOSE,
    )


def test_the_rise_of_the_energy_is_that_of_the_middle(model):
    atoms = salt()
    end = atoms.positions[0] + [1.8, 1.8, 0.2]
    images = [atoms.copy() for _ in range(3)]
    for share, image in zip((0.0, 0.5, 1.0), images, strict=True):
        image.positions[0] += share * np.array([1.8, 1.8, 0.2])
    told = [one.energy for one in predict_structures(model.potential, images)]
    found = model.of(hopping(atoms, end), HOP)
    assert len(ENERGIES) == 2
    assert found[0] == pytest.approx(told[1] - (told[0] + told[2]) / 2, abs=CLOSE)
    assert found[1] >= found[0] - CLOSE


def test_what_cannot_be_known_is_not_a_number(model):
    other = Material(name="x", amounts={"Na": 1.0, "Cl": 1.0}, mobile="Na")
    bare = Material(name="x", amounts={"Li": 1.0, "Cl": 1.0}, mobile="Li")
    for one in (other, bare):
        for name in (BULK, HOP):
            found = model.of(one, name)
            assert len(found) == len(model.columns[name])
            assert np.isnan(found).all()


def test_a_model_without_a_readout_is_refused():
    with pytest.raises(BadInputError, match="no readout features"):
        Invariants(lennard_jones(["Ar"], epsilon=[0.01], sigma=[3.4], cutoff=6.0))


def test_blocks_of_a_model_stand_beside_the_others(model):
    blocks = blocks_with(model)
    assert set(blocks) - set(blocks_with(None)) == {BULK, HOP}
    table = describe([material(salt())], ["packing", BULK], model=model)
    assert table.rows.shape == (1, 4 + len(model.columns[BULK]))
    with pytest.raises(BadInputError, match="invariants"):
        describe([material(salt())], [BULK])


def test_a_predictor_of_a_model_is_used_with_the_same_model(tmp_path):
    known = []
    for k in range(12):
        atoms = bulk("LiCl", "rocksalt", a=4.8 + 0.05 * k, cubic=True)
        atoms.info = {"room": atoms.cell.volume, "batch": f"b{k}"}
        known.append(atoms)
    write(tmp_path / "known.extxyz", known, format="extxyz")
    found = ag.distil(
        tmp_path / "known.extxyz",
        "room",
        "Li",
        group=["batch"],
        methods=["ridge"],
        features=["packing", "invariants"],
        model=MODEL,
        folds=3,
        out=tmp_path / "predictor",
        progress=False,
    )
    assert found.result.blocks == ("packing", "invariants")
    write(tmp_path / "new.extxyz", known[3], format="extxyz")
    place = tmp_path / "new.extxyz"
    told = ag.screen(place, found, out=tmp_path / "out", progress=False)
    assert told.result.ranked[0].predicted == pytest.approx(
        known[3].info["room"], rel=0.05
    )
    card = tmp_path / "predictor" / "predictor.json"
    document = json.loads(card.read_text())
    card.write_text(json.dumps(document | {"model_hash": "0" * 64}))
    with pytest.raises(BadInputError, match="other weights"):
        ag.screen(place, found, out=tmp_path / "other", progress=False)
