"""A level of theory without forces beside one with them: trained, tested, reported."""

import numpy as np
import pytest
import yaml
from ase.io import write

from atomgraft.data.labels import FORCES, set_labels
from atomgraft.data.readers import read_structures
from atomgraft.models.prediction import predict_structures
from atomgraft.run.inputs import merged_run
from atomgraft.run.page.document import write_page
from atomgraft.run.record import RESULT
from tests.integration.test_bad_input import run
from tests.trials import loaded

MEV = 1e-3

DEAR, CHEAP = 0.9, 0.7
"""Labels of the two levels are those of the base times these."""


def labelled(names, factor, *, has_forces):
    frames = read_structures([names])
    known = list(predict_structures(loaded("pair:sw-si"), frames))
    for frame, one in zip(frames, known, strict=True):
        frame.info = {}
        del frame.arrays[FORCES]
        set_labels(frame, energy=factor * one.energy - 3.0 * len(frame))
        if has_forces:
            set_labels(frame, forces=factor * one.forces)
    return frames


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("levels")
    sets = {
        "dear": ("shipped:si-train@:6", DEAR, False),
        "cheap": ("shipped:si-train@20:32", CHEAP, True),
        "dear-test": ("shipped:si-test@:3", DEAR, False),
        "dear-forces": ("shipped:si-test@:4", DEAR, True),
        "cheap-test": ("shipped:si-test@4:6", CHEAP, True),
    }
    for name, (names, factor, has_forces) in sets.items():
        write(folder / f"{name}.extxyz", labelled(names, factor, has_forces=has_forces))
    return folder


def finished(files, folder, target, head):
    given = {
        "base": "pair:sw-si",
        "train": str(files / f"{target}.extxyz"),
        "recipe": "full",
        "heads": {head: {"train": str(files / f"{head}.extxyz")}},
        "training": {"steps": 20},
        "dtype": "float64",
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(given))
    assert run(f"adapt {path} --out {folder / 'run'}") == 0
    return folder / "run"


@pytest.fixture
def dear(files, tmp_path):
    """Return a run whose target has energies alone."""
    return finished(files, tmp_path, "dear", "cheap")


def proved(folder, capsys, options):
    capsys.readouterr()
    assert run(f"prove {folder} {options}") == 0
    return " ".join(capsys.readouterr().err.split())


def apart(folder, names):
    """Return the mean absolute difference of forces of the two heads, meV/Å."""
    frames = read_structures([names])
    [head] = RESULT.read(folder).heads
    one, two = (
        np.concatenate([np.ravel(p.forces) for p in predict_structures(model, frames)])
        for model in (merged_run(folder), merged_run(folder, head=head.name))
    )
    return np.abs(one - two).mean() / MEV


def rows_of(folder):
    return {
        (one.group, one.quantity, one.metric): one
        for one in RESULT.read(folder).scores
        if one.suite == "heads"
    }


def test_forces_of_a_head_without_any_are_reported(dear, files, capsys):
    told = proved(dear, capsys, f"--test {files / 'dear-test.extxyz'}")
    assert "Forces of the target head were neither trained nor tested" in told
    assert "They differ from those of the head 'cheap' by" in told
    rows = rows_of(dear)
    row = rows["head:cheap", "forces", "difference"]
    assert row.value == pytest.approx(apart(dear, "shipped:si-test@:3"), rel=1e-6)
    assert row.value > 1  # the heads differ: their readouts are their own
    assert (row.n, row.unit) == (3, "meV/Å")
    assert rows["head:target", "forces", "training_labels"].value == 0
    assert rows["head:cheap", "forces", "training_labels"].value == 12
    assert ("head:target", "energy", "mae") in rows
    assert ("head:target", "forces", "mae") not in rows
    page = write_page(dear, RESULT.read(dear)).read_text()
    assert "Forces of the target head were neither trained nor tested" in page
    assert "ifference from the target head (meV/Å)" in page


def test_where_test_labels_have_forces_they_are_tested(dear, files, capsys):
    test = files / "dear-forces.extxyz"
    told = proved(dear, capsys, f"--test {test}")
    assert "Forces of the target head were not trained, and tested on 4" in told
    assert "neither trained nor tested" not in told
    frames = read_structures([str(test)])
    found = predict_structures(merged_run(dear), frames)
    errors = [
        np.abs(one.forces - frame.arrays[FORCES])
        for one, frame in zip(found, frames, strict=True)
    ]
    error = np.concatenate(errors).mean() / MEV
    rows = rows_of(dear)
    assert rows["head:target", "forces", "mae"].value == pytest.approx(error, rel=1e-6)


def test_a_further_head_is_tested_and_what_was_tested_before_stays(dear, files, capsys):
    proved(dear, capsys, f"--test {files / 'dear-forces.extxyz'}")
    before = rows_of(dear)
    test = files / "cheap-test.extxyz"
    told = proved(dear, capsys, f"--test {test} --head cheap")
    assert "Forces of the target head were not trained, and tested on 4" in told
    assert "Mean absolute errors of the head 'cheap' on 2 structures: energy" in told
    rows = rows_of(dear)
    target = ("head:target", "forces", "mae")
    assert rows[target] == before[target]
    frames = read_structures([str(test)])
    found = predict_structures(merged_run(dear, head="cheap"), frames)
    errors = [
        np.abs(one.forces - frame.arrays[FORCES])
        for one, frame in zip(found, frames, strict=True)
    ]
    error = np.concatenate(errors).mean() / MEV
    assert rows["head:cheap", "forces", "mae"].value == pytest.approx(error, rel=1e-6)
    result = RESULT.read(dear)
    tested = {one.head: one.n_structures for one in result.data if one.role == "test"}
    assert tested == {None: 4, "cheap": 2}
    told = proved(dear, capsys, f"--test {files / 'dear-test.extxyz'}")
    assert "neither trained nor tested" in told  # other structures, without forces
    assert ("head:cheap", "forces", "mae") in rows_of(dear)
    labels = [one for one in result.scores if one.suite == "labels"]
    assert {one.n for one in labels if one.metric == "mae"} == {4}  # the target's


def test_frames_that_name_a_head_test_it(dear, files, tmp_path, capsys):
    marked = read_structures([str(files / "cheap-test.extxyz")])
    for frame in marked:
        frame.info = {"REF_energy": frame.info["REF_energy"], "head": "cheap"}
    own = read_structures([str(files / "dear-test.extxyz")])
    for frame in own:
        frame.info = {"REF_energy": frame.info["REF_energy"]}
    write(tmp_path / "both.extxyz", [*own, *marked])
    proved(dear, capsys, f"--test {tmp_path / 'both.extxyz'}")
    rows = rows_of(dear)
    assert rows["head:cheap", "forces", "mae"].n == 2
    assert rows["head:target", "energy", "mae"].n == 3
    assert rows["head:cheap", "forces", "difference"].n == 5


def test_a_further_head_may_be_the_one_without_forces(files, tmp_path, capsys):
    capsys.readouterr()
    folder = finished(files, tmp_path, "cheap", "dear")
    told = " ".join(capsys.readouterr().err.split())
    assert "The head 'dear' has no labels of forces: its forces follow from" in told
    told = proved(folder, capsys, f"--test {files / 'cheap-test.extxyz'}")
    assert "Forces of the head 'dear' were neither trained nor tested" in told
    assert "They differ from those of the target head by" in told
    test = files / "dear-forces.extxyz"
    told = proved(folder, capsys, f"--test {test} --head dear")
    assert "Forces of the head 'dear' were not trained, and tested on 4" in told


def test_test_files_that_change_take_answers_along(dear, files, tmp_path, capsys):
    copy = tmp_path / "own.extxyz"
    copy.write_bytes((files / "cheap-test.extxyz").read_bytes())
    proved(dear, capsys, f"--test {copy} --head cheap")
    write(copy, read_structures([str(files / "cheap-test.extxyz@:1")]))
    told = proved(dear, capsys, f"--test {files / 'dear-test.extxyz'}")
    assert "Earlier results are discarded (heads): their files have changed" in told
    assert ("head:cheap", "forces", "mae") not in rows_of(dear)


def test_what_cannot_be_tested_is_refused(dear, files, capsys):
    before = (dear / "result.json").read_bytes()
    cases = {
        f"--test {files / 'cheap-test.extxyz'} --head pbe": "has no head 'pbe'",
        f"--test {files / 'cheap.extxyz'} --head cheap": "on both sides of a split",
        f"--test {files / 'dear.extxyz'} --head cheap": "also training structures",
        "--head cheap": "needs held-out structures",
    }
    for options, words in cases.items():
        capsys.readouterr()
        assert run(f"prove {dear} {options}") == 2
        told = " ".join(capsys.readouterr().err.split())
        assert words in told
        assert "Traceback" not in told
    assert (dear / "result.json").read_bytes() == before
