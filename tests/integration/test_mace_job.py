"""The main job on a model of MACE: adapt, prove, merge, and back into MACE."""

import ase.io
import numpy as np
import pytest
import torch

from atomgraft.adaptation.axes import Axes, WholeWeights
from atomgraft.adaptation.base import HeadStart
from atomgraft.adaptation.ridge import RidgeUnits, solve_readout
from atomgraft.core.trust import trust_in
from atomgraft.data.readers import read_structures
from atomgraft.models.mace.files import with_mace
from atomgraft.models.prediction import predict_structures
from atomgraft.run.inputs import load_base
from tests.integration.test_bad_input import run
from tests.integration.test_main_job import as_json
from tests.mace_models import potential
from tests.trials import (
    adapted_by,
    labelled_for,
    loaded,
    same_bits,
    tensors_of,
    train,
)

pytestmark = pytest.mark.mace

ROUNDING = 1e-10
"""eV, eV/Å, eV/Å³: a model in float64, added up in another order."""


@pytest.fixture(scope="module")
def files(mace_file, tmp_path_factory):
    """Frames to train on and to judge by."""
    folder = tmp_path_factory.mktemp("frames")
    source = load_base(str(mace_file), trust=trust_in([str(mace_file)]))
    frames = labelled_for(source, n=6)
    for name, some in (("train", frames[:4]), ("test", frames[4:])):
        ase.io.write(folder / f"{name}.extxyz", some)
    return folder


def judged_by_mace(file, frames):
    with with_mace():
        from mace.calculators import MACECalculator

        model = torch.load(file, weights_only=False)
        calculator = MACECalculator(models=model, device="cpu", default_dtype="float64")
        for atoms in frames:
            calculator.calculate(atoms)
            yield calculator.results


@pytest.mark.parametrize("recipe", ["full", "lora"])
def test_from_mace_to_mace(recipe, mace_file, files, tmp_path, capsys):
    out = tmp_path / "run"
    document = as_json(
        f"adapt --base {mace_file} --trust --train {files / 'train.extxyz'} "
        f"--recipe {recipe} --steps 12 --dtype float64 --out {out}",
        capsys,
    )
    assert document["base"]["framework"] == "mace"
    assert document["base"]["elements"] == ["Na", "Cl"]
    trusted = f"--trust-file {mace_file}"
    document = as_json(f"prove {out} {trusted} --test {files / 'test.extxyz'}", capsys)
    errors = {
        one["model"]: one["value"]
        for one in document["scores"]
        if (one["suite"], one["quantity"], one["metric"]) == ("labels", "forces", "mae")
        and one["group"] is None
    }
    assert errors["adapted"] < errors["base"]
    merged = as_json(f"merge {out} {trusted}", capsys)
    assert merged["file"].endswith(".model")
    frames = read_structures([str(files / "test.extxyz")])
    ours = predict_structures(
        load_base(str(out), trust=trust_in([str(mace_file)])), frames
    )
    for one, known in zip(judged_by_mace(merged["file"], frames), ours, strict=True):
        assert one["energy"] == pytest.approx(known.energy, abs=ROUNDING)
        assert np.allclose(one["forces"], known.forces, rtol=0, atol=ROUNDING)
        assert np.allclose(one["stress"], known.stress, rtol=0, atol=ROUNDING)


def test_a_run_does_not_carry_the_word_of_the_user(mace_file, files, tmp_path, capsys):
    options = f"--train {files / 'train.extxyz'} --recipe readout --steps 1"
    assert run(f"adapt --base {mace_file} {options} --out {tmp_path / 'run'}") == 2
    assert "add --trust-file" in capsys.readouterr().err
    command = f"adapt --base {mace_file} --trust {options} --out {tmp_path / 'run'}"
    assert run(command) == 0
    assert run(f"merge {tmp_path / 'run'}") == 2


def test_a_preset_needs_no_word(tmp_path, capsys):
    """Nor is its opinion asked about the units of labels: it has learned nothing."""
    document = as_json(
        "adapt --base mace:tiny:Si --train shipped:si-train@:4 --recipe full "
        f"--steps 2 --out {tmp_path / 'run'}",
        capsys,
    )
    assert document["base"]["licence"] == "yours"
    merged = as_json(f"merge {tmp_path / 'run'}", capsys)
    again = load_base(merged["file"], trust=trust_in([merged["file"]]))
    assert again.weights_hash() == merged["weights_hash"]


@pytest.mark.parametrize("recipe", ["full", "lora"])
def test_a_resumed_run_is_the_same_run(recipe, tmp_path):
    source = loaded("mace:tiny:Si,Ge")
    frames = labelled_for(source)
    whole, stopped, resumed = (adapted_by(recipe, source) for _ in range(3))
    options = {"steps": 5, "checkpoint_every": 2}

    class Stop:
        def on_start(self, step, n_steps): ...

        def on_notice(self, text): ...

        def on_step(self, record):
            if record["step"] == 3:
                raise KeyboardInterrupt

    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    train(whole, frames, tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        train(stopped, frames, tmp_path / "parts", observer=Stop(), **options)
    train(resumed, frames, tmp_path / "parts", **options)
    assert same_bits(tensors_of(resumed), tensors_of(whole))
    assert not same_bits(tensors_of(resumed), tensors_of(stopped))


def test_heads_of_the_base_are_heads_of_a_run(tmp_path):
    """Each starts as its head in the source, and comes out as a model of MACE."""
    base = potential("two heads")
    frames = labelled_for(base)
    other = base.for_head("PBE")
    axes = Axes(moves=WholeWeights(roles=("readout",)))
    adapted = adapted_by(axes, base, heads={"pbe": HeadStart(source_head="PBE")})
    for merged, source in ((adapted.merged("pbe"), other), (adapted.merged(), base)):
        [found] = predict_structures(merged, frames[:1])
        [start] = predict_structures(source, frames[:1])
        parameters = (dict(one.module.named_parameters()) for one in (merged, source))
        assert same_bits(*parameters)
        assert abs(found.energy - start.energy) < ROUNDING
    with torch.no_grad():
        for name, one in adapted.movement.named_trainables().items():
            if name.startswith("pbe/"):
                one.mul_(1.5)
    changed = adapted.merged("pbe")
    file = changed.export(tmp_path / "pbe")
    read = load_base(str(file), head="PBE", trust=trust_in([str(file)]))
    [found] = predict_structures(read, frames[:1])
    [known] = predict_structures(changed, frames[:1])
    [before] = predict_structures(other, frames[:1])
    assert abs(found.energy - known.energy) < ROUNDING
    assert abs(found.energy - before.energy) > ROUNDING


@pytest.mark.parametrize("variant", ["two heads", "nonlinear"])
def test_a_readout_is_found_again_in_closed_form(variant):
    base = potential(variant)
    teacher = base.clone()
    with torch.no_grad():
        for name, rows in base.readout_directions().items():
            steps = torch.linspace(-1, 1, len(rows), dtype=rows.dtype)
            change = torch.tensordot(steps, rows, dims=1)
            teacher.module.get_parameter(name).add_(change)
    frames = labelled_for(teacher)
    units = RidgeUnits(energy=1e-3, forces=1e-3, energy_weight=1.0)
    found = solve_readout(base, frames, units)
    assert found.residual_after < 1e-4 * found.residual_before
