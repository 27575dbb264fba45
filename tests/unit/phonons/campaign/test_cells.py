"""Do the cells of a campaign compute what one would compute alone?"""

import dataclasses

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from atomgraft.compare import cell as compared_cell
from atomgraft.core.errors import BadInputError, StorageError
from atomgraft.core.outputs import held
from atomgraft.core.storage import write_atomically
from atomgraft.data.labels import forces_of
from atomgraft.data.readers import read_structures
from atomgraft.phonons.campaign.cells import (
    FORCES,
    JudgePayload,
    PseudoPayload,
    ScalePayload,
    TrainPayload,
    do_cell,
)
from atomgraft.phonons.campaign.record import COMBINED, COMPLETED, LABELS_ALONE
from atomgraft.phonons.record import PhononResult
from atomgraft.phonons.spec import PhononSpec
from atomgraft.run.spec import SPEC
from tests.phonon_folders import BASE, CRYSTALS, write_calculation

MESH = (3, 3, 3)


@pytest.fixture(scope="module")
def calculation(tmp_path_factory):
    path = tmp_path_factory.mktemp("cells") / "rocksalt.yaml"
    write_calculation(path, *CRYSTALS["rocksalt"])
    return path


def asked(path, **changes):
    spec = PhononSpec(crystal=str(path), models=(BASE,), mesh=MESH, **changes)
    return spec.model_dump(mode="json")


def judge(path, kind="judge", **changes):
    told = JudgePayload(
        spec=asked(path, **changes),
        run=None,
        framework="pair",
        device="cpu",
        trust={},
    )
    return {"kind": kind, "told": dataclasses.asdict(told)}


def scale(path, base, factors, labelled=()):
    told = ScalePayload(
        spec=asked(path),
        base=str(base),
        factors=factors,
        supercells=str(path),
        labelled=labelled,
    )
    return {"kind": "scale", "told": dataclasses.asdict(told)}


@pytest.fixture(scope="module")
def base(calculation, tmp_path_factory):
    place = tmp_path_factory.mktemp("base")
    return place, do_cell(place, judge(calculation))


def test_one_times_the_base_is_the_base(calculation, base, tmp_path):
    place, judged = base
    found = do_cell(tmp_path, scale(calculation, place, {"same": 1.0}))
    same, row = found["rows"]["same"], judged["row"]
    assert row["free_energy_error"] is None  # it is unstable
    for key in same.keys() - {"factor", "free_energy_error"}:
        assert same[key] == pytest.approx(row[key], rel=1e-9), key


def test_the_own_scalar_is_better_than_the_base(calculation, base, tmp_path):
    place, judged = base
    own = {"own scalar": judged["own_factor"]}
    found = do_cell(tmp_path, scale(calculation, place, own))["rows"]["own scalar"]
    assert judged["own_factor"] > 1  # the reference is the stiffer one
    assert found["frequency_mae"] < judged["row"]["frequency_mae"]
    lowest = np.sqrt(judged["own_factor"]) * judged["row"]["minimum"]
    assert found["minimum"] == pytest.approx(lowest, rel=1e-6)


def test_labels_are_completed_by_the_base(calculation, base, tmp_path):
    place, judged = base
    n_frames = len(np.load(place / FORCES))
    everything = tuple(range(n_frames))
    labelled = ((0, (0,)), (3, everything))
    found = do_cell(tmp_path, scale(calculation, place, {}, labelled))
    assert found["rows"] == {}
    some, whole = (found["labelled"][COMPLETED][seed] for seed in "03")
    assert (some["seed"], some["n_labels"]) == (0, 1)
    assert (whole["seed"], whole["n_labels"]) == (3, n_frames)
    assert whole["frequency_mae"] == pytest.approx(0, abs=1e-9)  # all are DFT's own
    assert some["factor"] == pytest.approx(judged["own_factor"], rel=0.05)
    assert 1e-3 < some["frequency_mae"] < judged["row"]["frequency_mae"]
    assert some["minimum_reference"] == pytest.approx(whole["minimum"], abs=1e-9)
    alone, joined = (found["labelled"][name] for name in (LABELS_ALONE, COMBINED))
    for one in (alone, joined):
        assert one["3"]["frequency_mae"] < 0.05 * judged["row"]["frequency_mae"]
    assert joined["0"]["frequency_mae"] < judged["row"]["frequency_mae"]
    assert alone["0"]["frequency_mae"] > joined["0"]["frequency_mae"]


def test_without_the_forces_of_the_base_it_says_what_to_do(calculation, tmp_path):
    with pytest.raises(StorageError, match="is gone") as caught:
        do_cell(tmp_path, scale(calculation, tmp_path, {"own scalar": 1.1}))
    assert FORCES in caught.value.came
    assert "run the same command again" in caught.value.remedy


def test_a_structure_is_relaxed_and_has_no_errors(tmp_path):
    path = tmp_path / "POSCAR"
    write(path, bulk("NaCl", "cesiumchloride", a=3.2), format="vasp")
    found = do_cell(tmp_path, judge(path, length=5.0))
    assert found["own_factor"] is None
    assert "frequency_mae" not in found["row"]
    assert found["row"]["is_stable"] in {True, False}
    assert not (tmp_path / FORCES).exists()


def test_details_have_bands_and_the_number_of_the_others(calculation, tmp_path):
    payload = judge(calculation, "detail", global_factor=1.2)
    found = PhononResult.model_validate(do_cell(tmp_path, payload)["result"])
    assert found.spectrum("base").bands
    assert {one.baseline for one in found.errors} == {
        None,
        "own scalar",
        "global scalar",
    }


def test_a_strange_element_is_told(tmp_path):
    path = tmp_path / "silicon.cif"
    write(path, bulk("Si"))
    with pytest.raises(BadInputError, match="Si"):
        do_cell(tmp_path, judge(path, relax=False))


def train(identity="one", pseudo=None, files=("labels",)):
    cell = {"run": {"train": list(files)}}
    told = TrainPayload(cell=cell, identity=identity, pseudo=pseudo)
    return {"kind": "train", "told": dataclasses.asdict(told)}


def test_a_run_of_other_labels_is_made_again(calculation, tmp_path, monkeypatch):
    """New forces in the same file are another cell in the same folder."""
    run = tmp_path / compared_cell.RUN
    seen = []

    def adapt(folder, payload):
        seen.append((run / SPEC).exists())
        with held(run, "adapt"):
            write_atomically(run / SPEC, "base: x\n")
        return payload

    monkeypatch.setattr(compared_cell, "do_cell", adapt)
    for identity in ("old", "old", "new"):
        do_cell(tmp_path, train(identity))
    assert seen == [False, True, False]


def test_supercells_without_labels_train_on_the_scaled_base(
    calculation, base, tmp_path, monkeypatch
):
    monkeypatch.setattr(compared_cell, "do_cell", lambda folder, payload: payload)
    pseudo = PseudoPayload(
        supercells=str(calculation), labelled=(0,), base=str(base[0])
    )
    found = do_cell(tmp_path, train(pseudo=dataclasses.asdict(pseudo)))
    assert found["n_pseudo"] == 1
    [labels, more] = found["run"]["train"]
    assert labels == "labels"
    [written] = read_structures([more])
    [_, frame] = read_structures([calculation])
    assert np.array_equal(written.positions, frame.positions)
    responses = np.load(base[0] / FORCES)
    factor = forces_of(written)[0, 0] / responses[1][0, 0]
    assert np.allclose(forces_of(written), factor * responses[1], atol=1e-12)
    assert factor > 1  # the reference is the stiffer one
    assert found["run"]["train"] != do_cell(tmp_path, train())["run"]["train"]


def test_pseudo_labels_without_the_base_say_what_to_do(calculation, tmp_path):
    pseudo = {"supercells": str(calculation), "labelled": (0,), "base": str(tmp_path)}
    with pytest.raises(StorageError, match="is gone"):
        do_cell(tmp_path, train(pseudo=pseudo))
