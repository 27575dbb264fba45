"""Several levels of theory in one run: from a run file to models cut out of it."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.io import write
from safetensors.torch import load_file, save

from atomgraft.adaptation.graft import GRAFT, read_card
from atomgraft.data.labels import set_labels
from atomgraft.data.readers import read_structures
from atomgraft.models.loading import load_potential
from atomgraft.models.prediction import predict_structures
from atomgraft.run.inputs import merged_run
from atomgraft.run.record import RESULT
from tests.integration.test_bad_input import run

OFFSET = -3.0
"""eV per atom between the two levels of theory."""

SOFTER = 0.7
"""The cheap level of theory has forces this much weaker."""


def cheap(frames):
    """Return the frames with labels of another level of theory."""
    known = predict_structures(load_potential("pair:sw-si"), frames)
    for frame, one in zip(frames, known, strict=True):
        energy = SOFTER * one.energy + OFFSET * len(frame)
        for key in ("REF_stress", "REF_energy"):
            frame.info.pop(key, None)
        set_labels(frame, energy=energy, forces=SOFTER * one.forces)
    return frames


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads")
    frames = cheap(read_structures(["shipped:si-train@20:32"]))
    write(folder / "cheap.extxyz", [bare(frame) for frame in frames])
    return folder


def bare(frame):
    kept = frame.copy()
    kept.info = {key: frame.info[key] for key in ("REF_energy",)}
    return kept


def document(files, **changes):
    return {
        "base": "pair:sw-si",
        "train": "shipped:si-train@:8",
        "recipe": "custom",
        "axes": {
            "moves": {"kind": "whole"},
            "rehearses": {"kind": "pseudo", "count": 6, "ratio": 0.5},
        },
        "learning_rate": 1e-3,
        "heads": {
            "cheap": {
                "train": str(files / "cheap.extxyz"),
                "knobs": {"ratio": 2.0, "weight": 0.5},
            }
        },
        "training": {"steps": 12},
        "dtype": "float64",
    } | changes


def write_run(folder, given):
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(given))
    return path


@pytest.fixture(scope="module")
def finished(files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    path = write_run(folder, document(files))
    assert run(f"adapt {path} --out {folder / 'run'}") == 0
    assert run(f"prove {folder / 'run'} --test shipped:si-test@:4") == 0
    return folder / "run"


def test_the_result_says_what_each_stream_took(finished):
    result = RESULT.read(finished)
    streams = {one.name: one for one in result.training.streams}
    assert streams.keys() == {"target", "cheap", "rehearsal"}
    # the cheap head is the most frequent, so it sets the pace: one a step
    assert streams["cheap"].n_seen == 12
    assert streams["target"].n_seen == 6
    assert streams["rehearsal"].n_seen == 6
    assert sum(one.share for one in streams.values()) == pytest.approx(1)
    assert result.rehearsal.n_structures == 6
    roles = [(one.role, one.head) for one in result.data]
    assert ("train", "cheap") in roles
    assert ("rehearsal", None) in roles


def test_each_head_has_its_own_references(finished):
    result = RESULT.read(finished)
    [head] = result.heads
    assert head.reference.shifts["Si"] - OFFSET == pytest.approx(1.3, abs=0.3)
    assert head.reference.shifts["Si"] != result.reference.shifts["Si"]


def test_a_head_is_cut_out(finished, tmp_path, capsys):
    target, other = merged_run(finished), merged_run(finished, head="cheap")
    frames = read_structures(["shipped:si-test@:2"])
    pairs = zip(
        predict_structures(target, frames),
        predict_structures(other, frames),
        strict=True,
    )
    for frame, (one, two) in zip(frames, pairs, strict=True):
        assert abs(one.energy - two.energy) / len(frame) > 0.5
    capsys.readouterr()
    command = f"merge {finished} --head cheap --out {tmp_path / 'cheap'} --json"
    assert run(command) == 0
    written = json.loads(capsys.readouterr().out)["file"]
    alone = load_potential(written)
    [expected] = predict_structures(other, frames[:1])
    [found] = predict_structures(alone, frames[:1])
    assert found.energy == pytest.approx(expected.energy)


def test_half_the_way_lies_between(finished):
    frames = read_structures(["shipped:si-test@:1"])
    ends = [
        next(predict_structures(merged_run(finished, share=share), frames)).forces
        for share in (0.0, 0.5, 1.0)
    ]
    source = next(predict_structures(load_potential("pair:sw-si"), frames)).forces
    assert ends[0] == pytest.approx(source, abs=1e-9)
    assert np.abs(ends[1] - ends[0]).max() > 0
    assert np.abs(ends[2] - ends[1]).max() > 0


def test_frames_that_name_their_head_belong_to_it(files, tmp_path):
    own = read_structures(["shipped:si-train@:8"])
    other = cheap(read_structures(["shipped:si-train@20:26"]))
    for frame in other:
        frame.info["head"] = "cheap"
    for frame in (*own, *other):
        for key in set(frame.info) - {"REF_energy", "head"}:
            del frame.info[key]
    write(tmp_path / "both.extxyz", [*own, *other])
    given = document(files, train=str(tmp_path / "both.extxyz"), heads={"cheap": {}})
    given["axes"] = {"moves": {"kind": "whole"}}
    path = write_run(tmp_path, given)
    assert run(f"adapt {path} --out {tmp_path / 'run'}") == 0
    counts = {
        (one.role, one.head): one.n_structures
        for one in RESULT.read(tmp_path / "run").data
    }
    assert counts == {("train", None): 8, ("train", "cheap"): 6}
    assert run(f"prove {tmp_path / 'run'} --test shipped:si-test@:2") == 0


def refused(given, folder, capsys):
    capsys.readouterr()
    path = write_run(folder, given)
    assert run(f"adapt {path} --out {folder / 'run'}") == 2
    assert not (folder / "run").exists()
    return capsys.readouterr().err


BAD = {
    "no labels": ({"heads": {"cheap": {}}}, "no training structures"),
    "reserved": (
        {"heads": {"target": {"train": "x.extxyz"}}},
        "cannot be called target",
    ),
    "zero": (
        {
            "heads": {"b": {"train": "x.extxyz", "knobs": {"ratio": 0}}},
            "knobs": {"ratio": 0},
        },
        "ratios of all heads are zero",
    ),
    "unknown key": ({"heads": {"b": {"colour": 1}}}, "an unknown key"),
    "role": (
        {"axes": {"moves": {"kind": "whole"}, "owns": {"roles": ["reedout"]}}},
        "reedout",
    ),
    "contradiction": (
        {"axes": {"moves": {"kind": "whole"}, "pulls": {"kind": "predictions"}}},
        "needs structures to compare on",
    ),
    "nothing rehearsed": (
        {
            "axes": {
                "moves": {"kind": "whole"},
                "rehearses": {"kind": "data", "files": ["shipped:ge-train"]},
            }
        },
        "can be used for replay",
    ),
    "source head": ({"heads": {"b": {"source_head": "PBE52"}}}, "PBE52"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_heads_are_refused_in_one_paragraph(case, files, tmp_path, capsys):
    changes, reason = BAD[case]
    given = document(files, **changes)
    for head in given["heads"].values():
        if "source_head" in head:
            head["train"] = str(files / "cheap.extxyz")
    if case == "role":
        given["axes"]["owns"]["kind"] = "whole"
    message = refused(given, tmp_path, capsys)
    assert "Traceback" not in message
    [paragraph] = [line for line in message.splitlines() if line.startswith("Error: ")]
    assert reason in paragraph


def test_a_head_that_the_run_lacks_is_refused(finished, capsys):
    assert run(f"merge {finished} --head r2scan") == 2
    assert "Its further heads: cheap" in capsys.readouterr().err


def test_an_interrupted_run_of_heads_is_finished_already(finished, tmp_path, capsys):
    copy = Path(shutil.copytree(finished, tmp_path / "run"))
    capsys.readouterr()
    assert run(f"adapt {copy}") == 0
    assert "already finished" in capsys.readouterr().err


def of_two_elements(folder, **changes):
    """Train a target on germanium beside a head on silicon, from fresh weights."""
    given = document(
        folder,
        base="pair:sw-sige",
        train="shipped:ge-train@:3",
        axes={"moves": {"kind": "whole"}, "starts": {"weights": "fresh"}},
        heads={"silicon": {"train": "shipped:si-train@:3"}},
        training={"steps": 1},
    )
    assert (
        run(f"adapt {write_run(folder, given | changes)} --out {folder / 'run'}") == 0
    )
    return folder / "run"


def trained_elements(folder, head=None):
    merged = merged_run(folder, head=head)
    return merged.elements - merged.card.untrained


def test_each_head_knows_the_elements_that_it_was_trained_on(tmp_path):
    """The readout of a pair potential belongs to an element, and to a head."""
    made = of_two_elements(tmp_path)
    assert trained_elements(made) == {32}
    assert trained_elements(made, "silicon") == {14}
    file = made / GRAFT
    older = dataclasses.asdict(read_card(file))
    del older["heads"]["silicon"]["elements"]
    text = json.dumps(older)
    file.write_bytes(save(load_file(file), metadata={"atomgraft": text}))
    assert trained_elements(made) == {14, 32}


def test_a_head_that_counts_nothing_trains_no_element(tmp_path):
    silent = {"train": "shipped:si-train@:3", "knobs": {"weight": 0.0}}
    made = of_two_elements(tmp_path, heads={"silicon": silent})
    assert trained_elements(made) == {32}
    assert trained_elements(made, "silicon") == set()


def test_crystals_of_a_further_head_are_no_unrelated_materials(tmp_path):
    made = of_two_elements(tmp_path)
    assert run(f"prove {made} --suite forgetting") == 0
    groups = {one.group for one in RESULT.read(made).scores}
    assert "near" in groups
    assert "far" not in groups


def test_what_a_further_head_was_trained_on_is_no_test_structure(
    finished, tmp_path, capsys
):
    """Matched by geometry: the labels and the files are others."""
    frames = read_structures(["shipped:si-train@24:26", "shipped:si-test@:1"])
    for number, frame in enumerate(frames):
        write(tmp_path / f"{number}.extxyz", frame)
    prove = f"prove {finished} --test"
    before = (finished / "result.json").read_bytes()
    assert run(f"{prove} {tmp_path / '0.extxyz'}") == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "In the data of the head 'cheap': 1 structures are on both sides" in told
    assert (finished / "result.json").read_bytes() == before
    assert run(f"{prove} {tmp_path / '2.extxyz'}") == 0


def test_validation_is_held_out_of_every_head(files, tmp_path, capsys):
    given = document(files, validation="shipped:si-train@22:24")
    told = " ".join(refused(given, tmp_path, capsys).split())
    assert "In the data of the head 'cheap': 2 structures are on both sides" in told


def test_data_of_a_head_that_are_gone_are_said(files, tmp_path, capsys):
    gone = tmp_path / "cheap.extxyz"
    gone.write_bytes((files / "cheap.extxyz").read_bytes())
    given = document(tmp_path, training={"steps": 1})
    path = write_run(tmp_path, given)
    assert run(f"adapt {path} --out {tmp_path / 'run'}") == 0
    gone.unlink()
    capsys.readouterr()
    assert run(f"prove {tmp_path / 'run'} --test shipped:si-test@:2") == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "Test structures are not compared with those of the head 'cheap'" in told
