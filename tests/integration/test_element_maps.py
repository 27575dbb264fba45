"""A model takes up an element by map, learns it, is judged, moved and exported."""

import dataclasses
import json

import numpy as np
import pytest
from ase.io import write
from safetensors.torch import load_file, save

from atomgraft.adaptation.graft import GRAFT, read_card
from atomgraft.compare.record import COMPARISON
from atomgraft.compare.tables import size_rows
from atomgraft.data.readers import read_structures
from atomgraft.evaluation.forgetting import shipped_crystals, visible
from atomgraft.models.loading import load_potential
from atomgraft.models.prediction import predict_structures
from atomgraft.run.inputs import load_base
from atomgraft.run.record import RESULT
from tests.integration.test_bad_input import run
from tests.integration.test_mace_job import judged_by_mace
from tests.trials import NEEDS_SEVENN
from tests.unit.evaluation.builders import find

TRAIN, TEST = "shipped:ge-train@:3", "shipped:ge-test@:2"

SINGLE = 2e-5
"""eV/Å; float32, the sums in another order."""


@pytest.fixture
def adapted(tmp_path):
    """A silicon that has taken up germanium, from a file beside it."""
    load_potential("pair:sw-si").export(tmp_path / "si.safetensors")
    folder = tmp_path / "run"
    assert (
        run(
            f"adapt --base {tmp_path / 'si.safetensors'} --map Si:Ge@fit"
            f" --train {TRAIN} --recipe full --steps 3 --out {folder}"
        )
        == 0
    )
    return folder


def test_it_is_recorded_and_judged(adapted):
    assert run(f"prove {adapted} --test {TEST}") == 0
    result = RESULT.read(adapted)
    kept = result.base.element_map
    assert kept is not None
    assert kept.donors == {"Ge": "Si"}
    assert kept.notes[0] == "Ge takes the weights of Si."
    assert kept.notes[1].startswith(f"Fitted to forces: length scale {kept.length:g}")
    assert kept.length != 1.0
    assert result.base.elements == ("Si", "Ge")
    errors = [one for one in result.scores if one.suite == "labels"]
    assert {one.model for one in errors} >= {"base", "adapted"}


def test_forgetting_is_measured_from_the_base_before_the_map(adapted):
    """Silicon crystals: the base never knew germanium."""
    assert run(f"prove {adapted}") == 0
    before = load_base(str(adapted.parent / "si.safetensors"))
    applied = read_card(adapted / GRAFT).element_map
    crystals = visible(shipped_crystals(), before.elements)
    models = {"base": applied.apply(before), "adapted": load_base(str(adapted))}
    source = [one.forces for one in predict_structures(before, crystals)]
    result = RESULT.read(adapted)
    for name, model in models.items():
        moved = [one.forces for one in predict_structures(model, crystals)]
        differences = np.concatenate(moved) - np.concatenate(source)
        drift = find(result.scores, "forces", "drift", model=name)
        assert drift.value == pytest.approx(1000 * np.abs(differences).mean(), rel=1e-3)
        assert drift.value > 10
    [told] = [one for one in result.verdict.sentences if "forgetting" in one]
    assert "differs from the base before the element map" in told
    assert "the element map alone changes forces there by" in told


def test_it_goes_on_and_is_another_run_without_the_map(adapted, capsys):
    assert run(f"adapt {adapted}") == 0
    assert "already finished" in capsys.readouterr().err
    base = adapted.parent / "si.safetensors"
    again = f"--base {base} --train {TRAIN} --recipe full --steps 3 --out {adapted}"
    assert run(f"adapt {again} --map Si:Ge") == 2
    assert "contains a run with a different spec" in capsys.readouterr().err


def test_it_is_moved_and_started_from_again(adapted, tmp_path, monkeypatch):
    away = tmp_path / "away"
    adapted.rename(away)
    monkeypatch.chdir(tmp_path)
    assert load_base("away").elements == {14, 32}
    again = f"--base away --train {TRAIN} --recipe full --steps 1 --out second"
    again += " --accept stress-disagrees"
    assert run(f"adapt {again}") == 0
    assert RESULT.read(tmp_path / "second").base.element_map is None


@pytest.mark.parametrize(
    "damaged",
    [
        {"donors": {"Ge": "Xx"}},
        {"donors": {"Ge": "auto"}},
        {"donors": {"Ge": "C"}},
        {"length": 0.0},
        {"length": float("nan")},
        {"energy": 1e300},
    ],
)
def test_a_damaged_map_of_a_graft_is_refused(damaged, adapted, capsys):
    file = adapted / GRAFT
    card = read_card(file)
    assert card.element_map is not None
    document = dataclasses.asdict(card)
    document["element_map"] |= damaged
    text = json.dumps(document)
    file.write_bytes(save(load_file(file), metadata={"atomgraft": text}))
    assert run(f"merge {adapted}") == 2
    assert "Traceback" not in capsys.readouterr().err


def test_labels_that_differ_from_a_mapped_base_stop_nothing(tmp_path):
    start = f"--base pair:sw-si --train {TRAIN} --recipe full --steps 1"
    assert run(f"adapt {start} --map Si:Ge@0.6 --out {tmp_path / 'run'}") == 0


def merged(base, tmp_path, capsys):
    """Adapt by map, and return the exported file, test frames and our predictions."""
    frames = read_structures([TEST])
    test = tmp_path / "test.extxyz"
    write(test, frames)
    out = tmp_path / "run"
    run_it = f"adapt --base {base} --map Si:Ge --train {TRAIN} --recipe full --steps 2"
    assert run(f"{run_it} --out {out}") == 0
    file = tmp_path / ("m.model" if base.startswith("mace") else "m.pth")
    assert run(f"merge {out} --out {file}") == 0
    ours = list(predict_structures(load_base(str(out)), frames))
    return file, frames, ours


@NEEDS_SEVENN
def test_sevennet_reads_a_model_with_a_further_element(tmp_path, capsys):
    from sevenn.calculator import SevenNetCalculator

    file, frames, ours = merged("sevennet:tiny:Si,C", tmp_path, capsys)
    theirs = SevenNetCalculator(str(file), device="cpu")
    for atoms, one in zip(frames, ours, strict=True):
        theirs.calculate(atoms)
        np.testing.assert_allclose(theirs.results["forces"], one.forces, atol=SINGLE)
        assert abs(one.forces).max() > 100 * SINGLE


@pytest.mark.mace
def test_mace_reads_a_model_with_a_further_element(tmp_path, capsys):
    file, frames, ours = merged("mace:tiny:Si,C", tmp_path, capsys)
    for one, theirs in zip(ours, judged_by_mace(file, frames), strict=True):
        np.testing.assert_allclose(theirs["forces"], one.forces, atol=SINGLE)
        assert abs(one.forces).max() > 100 * SINGLE


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--map Si", "'Si' is no pair of elements"),
        ("--map Si:Ge:Sn", "is no pair of elements"),
        ("--map Si:Ge,C:Ge", "an element has one donor"),
        ("--map Si:Ge@1@1@1", "more than a length and an energy scale"),
        ("--map @1.0", "names no element and no scale"),
        ("--map C:Ge", "which pair:sw-si does not support"),
        ("--map Si:Uuu", "Uuu is no chemical element"),
        ("--map Si:Ge --map Ge:Sn", "in two runs"),
        ("--map Si:auto", "auto is no chemical element"),
        ("--map Si:Ge --map Si:C@1.2", "--map Si:Ge,Si:C@1.2"),
        ("--map Si:Ge@big", "'big' is neither a number from 0.5 to 2 nor fit"),
        ("--map Si:Ge@1.04 --recipe scratch", "fresh weights cannot use a scale"),
    ],
)
def test_what_cannot_be_mapped_is_refused(words, told, tmp_path, capsys):
    out = tmp_path / "run"
    words = words if "--recipe" in words else f"{words} --recipe full"
    assert run(f"adapt --base pair:sw-si {words} --train {TRAIN} --out {out}") == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


@NEEDS_SEVENN
@pytest.mark.slow
@pytest.mark.parametrize(("base", "words"), [("Si", "Si:Ge@1.04"), ("Ge", "@1.04")])
def test_the_same_from_fresh_weights_stands_beside_it(base, words, tmp_path, capsys):
    out = tmp_path / "run"
    start = f"--base sevennet:tiny:{base} --map {words} --train {TRAIN} --recipe full"
    assert run(f"adapt {start} --steps 2 --with-scratch --out {out}") == 0
    told = " ".join(capsys.readouterr().err.split())
    assert f"a baseline, without the scale of {words}:" in told
    assert run(f"prove {out} --test {TEST}") == 0
    models = {one.model for one in RESULT.read(out).scores if one.suite == "labels"}
    assert models == {"base", "adapted", "scratch"}


@NEEDS_SEVENN
def test_maps_are_an_axis_of_a_comparison(tmp_path):
    out = tmp_path / "compared"
    grid = "--map Si:Ge --map Si:Ge@fit --recipe full --recipe scratch --size 2"
    data = "--train shipped:ge-train@:6 --test shipped:ge-test@:2"
    start = f"--base sevennet:tiny:Si {data} --steps 1 --seed 0 --workers 1 --out {out}"
    assert run(f"compare {start} {grid}") == 0
    found = COMPARISON.read(out)
    assert [(one.name, one.element_map) for one in found.contestants] == [
        ("full Si:Ge", "Si:Ge"),
        ("full Si:Ge@fit", "Si:Ge@fit"),
        ("scratch", "Si:Ge"),
    ]
    assert {one.status for one in found.cells} == {"done"}
    _, rows = size_rows(found)
    assert [name for name, _ in rows[:2]] == [
        "base sevennet:tiny:Si Si:Ge",
        "base sevennet:tiny:Si Si:Ge@fit",
    ]
    assert all(error[0].isdigit() for _, error in rows)
    again = grid.replace("--map Si:Ge@fit", "")
    assert run(f"compare {start} {again}") == 0  # a smaller part of the same


@NEEDS_SEVENN
def test_room_that_was_never_trained_is_told(tmp_path, capsys):
    silicon = tmp_path / "si"
    data = "--train shipped:si-train@:2 --recipe full --steps 1"
    assert run(f"adapt --base sevennet:tiny:Si,Ge {data} --out {silicon}") == 0
    start = f"--base {silicon} --train {TRAIN} --recipe full --steps 0 --fresh"
    start += (
        f" --out {tmp_path / 'ge'} --accept stress-disagrees --accept forces-disagrees"
    )
    told = "has room for Ge and was never trained on it"
    capsys.readouterr()
    assert run(f"adapt {start}") == 0
    assert told in " ".join(capsys.readouterr().err.split())
    assert run(f"adapt {start} --map auto:Ge") == 0
    assert told not in " ".join(capsys.readouterr().err.split())
    assert load_base(str(tmp_path / "ge")).card.untrained == frozenset()
