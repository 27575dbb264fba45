"""The main job on all-electron energies, in float32, from check to merge."""

import json

import numpy as np
import pytest

from atomgraft.data.labels import ENERGY, energy_of
from atomgraft.data.readers import read_structures
from atomgraft.models.prediction import predict_structures
from atomgraft.run.inputs import load_base
from atomgraft.run.merge import exported_note
from atomgraft.run.record import RESULT
from tests.integration.test_bad_input import run
from tests.trials import NEEDS_SEVENN, labelled_for, loaded

GOLD = -534999.2231234567
"""eV: an all-electron energy of one atom."""

SINGLE = 1e-5
"""eV: interactions of eight atoms in float32, in batches of other sizes."""


@pytest.fixture(
    params=[
        "pair:sw-si",
        pytest.param("sevennet:tiny:Si", marks=[NEEDS_SEVENN, pytest.mark.slow]),
    ]
)
def name(request):
    return request.param


@pytest.fixture
def files(name, tmp_path):
    from ase.io import write

    frames = labelled_for(loaded(name), 8)
    for atoms in frames:
        atoms.info[ENERGY] += GOLD * len(atoms)
    write(tmp_path / "train.extxyz", frames[:6])
    write(tmp_path / "test.extxyz", frames[6:])
    return tmp_path


def as_json(command, capsys):
    capsys.readouterr()
    assert run(f"{command} --json") == 0
    return json.loads(capsys.readouterr().out)


def test_no_verb_rounds_energies(name, files, capsys):
    out = files / "run"
    base = f"--base {name} --train {files / 'train.extxyz'}"
    assert run(f"adapt {base} --recipe full --steps 0 --out {out}") == 0
    reference = RESULT.read(out).reference
    start = load_base(str(out))
    frames = read_structures([str(files / "train.extxyz")])
    found = list(predict_structures(start, frames))
    errors = [
        1e3 * (one.energy - energy_of(atoms)) / len(atoms)
        for one, atoms in zip(found, frames, strict=True)
    ]
    rms = float(np.mean(np.square(errors)) ** 0.5)
    assert rms == pytest.approx(reference.residual_after, rel=1e-3, abs=1e-3)
    document = as_json(f"prove {out} --test {files / 'test.extxyz'}", capsys)
    drift = [
        one["value"]
        for one in document["scores"]
        if (one["model"], one["suite"], one["quantity"])
        == ("adapted", "forgetting", "energy")
    ]
    assert drift
    assert max(drift) < 1e-3  # meV/atom: nothing moved but what is declared
    merged = as_json(f"merge {out} --out {files / 'merged'}", capsys)
    [again] = predict_structures(load_base(merged["file"]), frames[:1])
    assert again.energy == pytest.approx(found[0].energy, abs=SINGLE)
    note = exported_note(start)
    assert merged["note"] == note
    if name.startswith("sevennet"):
        assert merged["energy_rounding"] == 62.5
        assert "rounded to about 62 meV/atom" in note
    else:
        assert merged["energy_rounding"] == 0
        assert note is None
