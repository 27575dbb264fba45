"""From a spec to an adaptation: which elements the run has data of."""

import pytest
from ase.io import write

from atomgraft.adaptation.axes import SOURCE, TARGET
from atomgraft.models.pair import PRESETS
from atomgraft.models.prediction import predict_structures
from atomgraft.run import setup
from atomgraft.run.inputs import read_inputs
from atomgraft.run.setup import set_up
from atomgraft.run.spec import parse_spec
from atomgraft.testing import trial_structures
from tests.trials import NEEDS_SEVENN

LAWS = {14: "pair:sw-si", 32: "pair:sw-ge"}


def labelled_file(folder, symbol):
    """Write crystals of one element with labels; return the file."""
    frames = [trial_structures([symbol], 2.6, seed=i).crystal for i in range(3)]
    law = PRESETS[LAWS[frames[0].numbers[0]]]()
    for atoms, known in zip(frames, predict_structures(law, frames), strict=True):
        atoms.info["REF_energy"] = known.energy
        atoms.arrays["REF_forces"] = known.forces
    path = folder / f"{symbol}.extxyz"
    write(path, frames)
    return str(path)


def spec_on_silicon(folder, base, **changes):
    document = {
        "base": base,
        "train": [labelled_file(folder, "Si")],
        "recipe": "custom",
        "learning_rate": 0.01,
        "axes": {"moves": {"kind": "low_rank", "rank": 1}},
    }
    return parse_spec({**document, **changes}, "the test")


@pytest.mark.parametrize("knobs", [{}, {"weight": 0.0}, {"ratio": 0.0}])
def test_elements_of_every_head_that_counts(knobs, tmp_path):
    head = {"train": [labelled_file(tmp_path, "Ge")], "knobs": knobs}
    spec = spec_on_silicon(tmp_path, "pair:sw-sige", heads={"pbe": head})
    found = setup.trained_on(spec, read_inputs(spec))
    assert found == {TARGET: {14}} | ({} if knobs else {"pbe": {32}})


def rehearsing(folder):
    rehearses = {"kind": "data", "files": [labelled_file(folder, "Ge")]}
    return {"moves": {"kind": "low_rank", "rank": 1}, "rehearses": rehearses}


def test_elements_of_what_is_rehearsed(tmp_path):
    spec = spec_on_silicon(tmp_path, "pair:sw-sige", axes=rehearsing(tmp_path))
    assert setup.trained_on(spec, read_inputs(spec)) == {TARGET: {14}, SOURCE: {32}}


@NEEDS_SEVENN
def test_a_run_leaves_other_elements_alone(tmp_path):
    spec = spec_on_silicon(tmp_path, "sevennet:tiny:Si,Ge,O", axes=rehearsing(tmp_path))
    adapted = set_up(spec, read_inputs(spec)).adapted
    name = adapted.potential.parameters_of("embedding")[0]
    [block] = adapted.potential.blocks(name)
    factor = adapted.movement.named_trainables()[f"{name}.0.A"]
    zero = [
        key for key, row in zip(block.row_keys, factor, strict=True) if not row.any()
    ]
    assert zero == [8]


def test_what_comes_before_the_first_step_is_told(tmp_path):
    heard = []
    spec = spec_on_silicon(tmp_path, "pair:sw-sige", axes=rehearsing(tmp_path))
    inputs = read_inputs(spec, progress=lambda *one: heard.append(one))
    assert ("comparing labels with the base", 3, 3) in heard
    assert ("refitting reference energies", 1, 1) not in heard
    set_up(spec, inputs, lambda *one: heard.append(one))
    assert ("refitting reference energies", 1, 1) in heard
