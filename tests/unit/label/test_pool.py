"""Is everything that can be chosen there, in order, and seen by every model?"""

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from atomgraft.core.errors import BadInputError
from atomgraft.label.spec import parse_select
from atomgraft.label.work import gather
from atomgraft.models.pair import lennard_jones
from atomgraft.models.prediction import predict_structures
from tests.unit.label.crystals import silicon, sw


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ase.io.write("POSCAR", silicon(), format="vasp")
    shaken = [silicon() for _ in range(4)]
    for i, atoms in enumerate(shaken):
        atoms.rattle(0.05, seed=i)
    shaken[0].info["config_type"] = "md"
    ase.io.write("frames.extxyz", shaken)
    ase.io.write("mixed.extxyz", bulk("SiC", "zincblende", a=4.36))


def pool_of(models=(), **changes):
    given = {"structure": "POSCAR", "model": "-", "kinds": ("rattle",), "proposals": 3}
    return gather(parse_select(given | changes), [sw(), *models])


def stranger():
    return lennard_jones(["Si"], epsilon=[0.1], sigma=[2.0], cutoff=5.0)


def test_own_proposals_come_first_and_frames_keep_their_names():
    pool = pool_of(pool=("frames.extxyz",))
    assert [one.kind for one in pool.proposals] == ["rattle"] * 3 + ["md"] + [
        "pool"
    ] * 3
    assert [one.note for one in pool.proposals[3:]] == [
        f"frames.extxyz, frame {i}" for i in range(4)
    ]
    assert [one.amplitude for one in pool.proposals[3:]] == [None] * 4


def test_a_pool_alone_is_chosen_from_alone():
    assert len(pool_of(pool=("frames.extxyz@1:",), kinds=()).proposals) == 3


def test_forces_are_those_of_the_model():
    pool = pool_of()
    structures = [one.atoms for one in pool.proposals]
    for largest, known in zip(
        pool.largest, predict_structures(sw(), structures), strict=True
    ):
        assert largest == pytest.approx(np.linalg.norm(known.forces, axis=1).max())


def test_disagreement_needs_company():
    assert pool_of().disagreement is None
    assert (pool_of([stranger()]).disagreement > 0).all()
    assert (pool_of([sw()]).disagreement == 0).all()


def test_the_known_are_described_but_cannot_be_chosen():
    pool = pool_of(known=("frames.extxyz@:2",))
    assert (len(pool.proposals), len(pool.rows), len(pool.known)) == (3, 3, 2)


def test_a_known_frame_of_the_pool_is_at_no_distance():
    pool = pool_of(pool=("frames.extxyz@:1",), known=("frames.extxyz@:1",), kinds=())
    assert np.array_equal(pool.known, pool.rows)


@pytest.mark.parametrize("role", ["pool", "known"])
def test_frames_of_other_elements_are_refused(role):
    with pytest.raises(
        BadInputError, match=f"frames of the {role} with the same elements"
    ):
        pool_of(**{role: ("mixed.extxyz",)})


def test_what_no_model_knows_is_refused():
    with pytest.raises(BadInputError, match="does not support"):
        pool_of(structure="mixed.extxyz")


def test_supercells_are_made_before_anything_is_displaced():
    pool = pool_of(supercell=(2, 1, 1))
    assert len(pool.crystal) == 16
    assert {len(one.atoms) for one in pool.proposals} == {16}
