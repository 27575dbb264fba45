"""Is what was asked for validated before anything is computed, and then done?"""

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from atomgraft.core.errors import BadInputError
from atomgraft.label.dft_inputs import DftSettings
from atomgraft.label.kinds import KINDS, Amounts
from atomgraft.label.record import SELECTION
from atomgraft.label.spec import SelectSpec, parse_select
from atomgraft.label.work import STRUCTURES, collect_labels, select

GIVEN = {"structure": "POSCAR", "model": "pair:sw-si"}


def test_defaults_are_those_of_the_parts():
    spec = parse_select(GIVEN)
    assert spec.amounts() == Amounts()
    assert spec.settings() == DftSettings()
    assert set(spec.kinds) == set(KINDS)
    assert spec.rule == "distance"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colour": "red"}, "'colour' is an unknown key"),
        ({"seed": -1}, "'seed' is -1"),
        ({"rule": "luck"}, "'rule' is 'luck'"),
        ({"kinds": ("shaken",)}, "no kind of structure named 'shaken'"),
        ({"kinds": ()}, "kinds are given as \\(none\\)"),
        ({"inputs": ("abinit",)}, "no program to label with named 'abinit'"),
        ({"rule": "both"}, "there is one model"),
        ({"amplitudes": (0.0,)}, "above zero"),
        ({"functional": "HSE"}, "Expected one of PBE, PBEsol"),
    ],
)
def test_each_mistake_has_its_own_words(change, words):
    with pytest.raises(BadInputError, match=words):
        parse_select(GIVEN | change)


def test_a_pool_alone_needs_no_kinds():
    spec = parse_select(GIVEN | {"kinds": (), "pool": ("pool.extxyz",)})
    assert spec.kinds == ()


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A spec of gallium arsenide, described by an untrained toy that knows both."""
    monkeypatch.chdir(tmp_path)
    crystal = bulk("SiC", "zincblende", a=4.36, cubic=True)
    ase.io.write("POSCAR", crystal, format="vasp")
    vacancy = crystal.copy()
    del vacancy[0]
    ase.io.write("vacancies.extxyz", [vacancy, vacancy])
    return {
        "structure": "POSCAR",
        "model": "sevennet:tiny:Si,C",
        "count": 3,
        "proposals": 3,
        "kinds": ("rattle", "strain"),
        "inputs": (),
    }


def test_another_composition_is_allowed_and_told(asked, tmp_path):
    pytest.importorskip("sevenn")
    spec = parse_select(asked | {"pool": ("vacancies.extxyz",), "count": 8})
    result = select(spec, tmp_path / "out")
    assert "2 frames of the pool are CSi" not in " ".join(result.notices)
    assert any("2 frames of the pool are" in one for one in result.notices)
    assert {one.n_atoms for one in result.chosen} == {7, 8}
    assert {card.kind: card.n for card in result.pool} == {
        "rattle": 3,
        "strain": 3,
        "pool": 2,
    }


def test_distances_go_down_and_everything_is_recorded(asked, tmp_path):
    pytest.importorskip("sevenn")
    told = []
    spec = parse_select(asked | {"kinds": ("rattle", "mc-rattle"), "count": 6})
    result = select(spec, tmp_path / "out", progress=lambda *step: told.append(step))
    assert told
    distances = [one.distance for one in result.chosen[1:]]
    assert distances == sorted(distances, reverse=True)
    assert sorted(one.index for one in result.chosen) == list(range(6))
    assert [one.number for one in result.map.points if one.number] != []
    assert SelectSpec.model_validate(result.spec) == spec
    assert SELECTION.read(tmp_path / "out") == result
    assert not (tmp_path / "out" / "label").exists()
    frames = ase.io.read(tmp_path / "out" / STRUCTURES, ":")
    assert np.allclose([len(one) for one in frames], 8)


def test_labels_of_a_folder_without_a_selection_are_refused(tmp_path):
    with pytest.raises(BadInputError, match="holds no select"):
        collect_labels(tmp_path, tmp_path / "labels.extxyz")
