"""Reference energies from a run file to the terminal, the page and a merged model."""

import json

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.io import write

from atomgraft.data.labels import set_labels
from atomgraft.data.readers import read_structures
from atomgraft.models.prediction import predict_structures
from atomgraft.run.inputs import merged_run
from atomgraft.run.page.document import write_page
from atomgraft.run.record import RESULT
from tests.integration.test_bad_input import run
from tests.trials import loaded

BASE = "pair:sw-sige"

FREE = {"Si": -100.25, "Ge": -350.5}
"""eV: isolated atoms of a level of theory with some of its electrons."""

BOUND = -3.0
"""eV per atom: what binding the base does not know."""


def alloys(n, offset):
    """Return crystals of one composition, which separates no elements."""
    frames = [bulk("Si", a=5.5, cubic=True) for _ in range(n)]
    for seed, frame in enumerate(frames):
        frame.symbols[:4] = "Ge"
        frame.rattle(0.05, seed=seed)
    known = predict_structures(loaded(BASE), frames)
    for frame, one in zip(frames, known, strict=True):
        energy = one.energy + 8 * offset + 4 * sum(FREE.values())
        set_labels(frame, energy=energy, forces=one.forces)
    return frames


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("references")
    lone = [
        Atoms(symbol, info={"config_type": "IsolatedAtom", "REF_energy": energy})
        for symbol, energy in FREE.items()
    ]
    write(folder / "train.extxyz", [*alloys(4, BOUND), *lone])
    write(folder / "cheap.extxyz", alloys(3, -1.0))
    return folder


def finished(files, tmp_path, references):
    given = {
        "base": BASE,
        "train": str(files / "train.extxyz"),
        "recipe": "full",
        "axes": {"starts": {"references": references}},
        "heads": {
            "cheap": {"train": str(files / "cheap.extxyz"), "references": "labels"}
        },
        "training": {"steps": 1},
        "learning_rate": 1e-9,
        "dtype": "float64",
    }
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(given))
    assert run(f"adapt {path} --out {tmp_path / 'run'}") == 0
    return tmp_path / "run"


def energy_errors(model, frames):
    return np.array(
        [
            (float(one.energy) - frame.info["REF_energy"]) / len(frame)
            for one, frame in zip(
                predict_structures(model, frames), frames, strict=True
            )
        ]
    )


def test_isolated_atoms_are_exact_where_that_is_wanted(files, tmp_path, capsys):
    folder = finished(files, tmp_path, "isolated")
    told = " ".join(capsys.readouterr().err.split())
    assert "Reference energies: those of isolated atoms of Si, Ge" in told
    assert "energies differ by 3000 meV/atom (rms) before training" in told
    result = RESULT.read(folder)
    assert result.reference.isolated == FREE
    assert result.reference.rank == 0
    assert [card.n_structures for card in result.data if card.head is None] == [4]
    frames = read_structures([str(files / "train.extxyz")])
    errors = energy_errors(merged_run(folder), frames)
    assert errors[4:] == pytest.approx(0, abs=1e-6)
    assert errors[:4] == pytest.approx(-BOUND, abs=1e-3)


def test_by_default_they_separate_elements_and_structures_are_fitted(files, tmp_path):
    folder = finished(files, tmp_path, "residual")
    reference = RESULT.read(folder).reference
    frames = read_structures([str(files / "train.extxyz")])
    errors = energy_errors(merged_run(folder), frames)
    assert errors[:4] == pytest.approx(0, abs=1e-3)
    assert errors[4:] == pytest.approx(BOUND, abs=1e-3)
    assert (reference.rank, reference.n_from_atoms) == (1, 1)
    page = write_page(folder, RESULT.read(folder)).read_text()
    for words in (
        "1 of 2 from compositions, 1 from isolated atoms",
        "isolated atoms of Si, Ge decide what the compositions leave open",
        "Isolated atom, label (eV)",
    ):
        assert words in page


def test_a_head_has_its_own_way_and_says_what_it_cannot_tell(files, tmp_path, capsys):
    folder = finished(files, tmp_path, "residual")
    told = " ".join(capsys.readouterr().err.split())
    words = "GeSi alone cannot separate Si and Ge: 1 of 2 combinations of elements"
    assert "Reference energies of the head 'cheap': fitted to 3 energies alone" in told
    assert words in told
    [head] = RESULT.read(folder).heads
    assert head.reference.method == "labels"
    assert words in write_page(folder, RESULT.read(folder)).read_text()
    frames = read_structures([str(files / "cheap.extxyz")])
    labels = np.mean([one.info["REF_energy"] for one in frames]) / 8
    references = [head.reference.energies[one] for one in ("Si", "Ge")]
    assert np.mean(references) == pytest.approx(labels)


def test_the_command_line_and_plan_say_the_same(files, tmp_path, capsys):
    options = f"--base {BASE} --train {files / 'train.extxyz'} --recipe full --steps 1"
    capsys.readouterr()
    assert run(f"plan {options} --references isolated --json") == 0
    terms = json.loads(capsys.readouterr().out)["terms"]
    assert terms["reference"]["method"] == "isolated"
    cheap = options.replace("train.extxyz", "cheap.extxyz")
    out = tmp_path / "run"
    assert run(f"adapt {cheap} --references isolated --out {out}") == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "the training files have none" in told
    assert "Traceback" not in told
    assert not out.exists()


def test_a_finished_run_does_not_stand_for_other_isolated_atoms(
    files, tmp_path, capsys
):
    own = tmp_path / "files"
    own.mkdir()
    for name in ("train", "cheap"):
        (own / f"{name}.extxyz").write_bytes((files / f"{name}.extxyz").read_bytes())
    folder = finished(own, tmp_path, "isolated")
    again = f"adapt {tmp_path / 'run.yaml'} --out {folder}"
    assert run(again) == 0
    frames = read_structures([str(own / "train.extxyz")])
    for frame in frames:
        if len(frame) == 1 and frame.symbols[0] == "Si":
            frame.info["REF_energy"] += 1.0
    write(own / "train.extxyz", frames)
    capsys.readouterr()
    assert run(again) == 2
    assert "changed since" in capsys.readouterr().err
