"""atomgraft phonons --labels: a model and labelled supercells, from files to files."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

import atomgraft as ag
from atomgraft.lattice.forces import forces_of_supercells
from atomgraft.models.pair import stillinger_weber
from atomgraft.phonons.record import ALONE, PHONONS
from tests.integration.test_bad_input import contents, run

CRYSTAL = bulk("Si", a=5.431)


def labelled(n=2, *, seed=0):
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(n):
        frame = CRYSTAL.repeat(2)
        moved = rng.normal(size=(len(frame), 3))
        frame.positions += 0.02 * moved / np.linalg.norm(moved, axis=1)[:, None]
        frames.append(frame)
    forces = forces_of_supercells(stillinger_weber(["Si"]), frames)
    for frame, one in zip(frames, forces, strict=True):
        frame.arrays["REF_forces"] = one
    return frames


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("POSCAR", CRYSTAL)
    write("labels.extxyz", labelled(), format="extxyz")


SOFT = "--model sevennet:tiny:Si --mesh 4 --supercell 2"


def mae(one, other):
    return float(np.abs(np.sort(one) - np.sort(other)).mean())


def frequencies(phonon):
    return np.array(phonon.run_mesh([4, 4, 4], is_gamma_center=True).frequencies)


def test_labels_mend_a_model_that_knows_nothing():
    """The model has random weights; the truth is a Stillinger-Weber crystal."""
    import phonopy

    assert run(f"phonons POSCAR {SOFT} --labels labels.extxyz --out out") == 0
    result = PHONONS.read(Path("out"))
    names = [one.contestant for one in result.spectra]
    assert names == ["base", ALONE, "base+labels"]
    assert run("phonons POSCAR --model pair:sw-si --no-relax --mesh 4 --supercell 2"
               " --out true") == 0  # fmt: skip
    truth = frequencies(phonopy.load("true/phonopy-base.yaml", log_level=0))
    base = frequencies(phonopy.load("out/phonopy-base.yaml", log_level=0))
    joined = phonopy.load("out/phonopy_params-base+labels.yaml", log_level=0)
    assert mae(frequencies(joined), truth) < 0.1 * mae(base, truth)
    by_hand = phonopy.load(
        "out/phonopy-base.yaml",
        force_constants_filename="out/force_constants-base+labels.hdf5",
        log_level=0,
    )
    assert np.allclose(frequencies(by_hand), frequencies(joined), atol=1e-4)


def test_the_page_and_the_record_say_what_labels_did(capsys):
    words = f"phonons POSCAR {SOFT} --labels labels.extxyz --out out --json"
    capsys.readouterr()
    assert run(words) == 0
    found = json.loads(capsys.readouterr().out)
    by_name = {one["contestant"]: one for one in found["spectra"]}
    joined = by_name["base+labels"]["labels"]
    assert joined["n_labels"] == 2
    assert joined["frequency_deviation"] > 0
    assert 0 <= joined["instability"] <= 1
    legs = by_name["base+labels"]["bands"]
    assert all(len(leg["deviations"]) == len(leg["frequencies"]) for leg in legs)
    assert by_name["base"]["labels"] is None
    page = Path("out/phonons.html").read_text()
    assert "Model and labels" in page
    assert "2 labels, no model" in page
    assert found["settings"]["geometry"] == "given"


def test_other_labels_are_another_result():
    words = f"phonons POSCAR {SOFT} --labels labels.extxyz --out out"
    assert run(words) == 0
    write("labels.extxyz", labelled(seed=1), format="extxyz")
    before = contents()
    assert run(words) == 2
    assert contents() == before


def test_part_of_a_file_is_another_result_when_the_file_changes(capsys):
    words = f"phonons POSCAR {SOFT} --labels labels.extxyz@0:1 --out out"
    assert run(words) == 0
    write("labels.extxyz", labelled(seed=1), format="extxyz")
    assert run(words) == 2
    capsys.readouterr()
    assert run(f"phonons POSCAR {SOFT} --no-relax --out out") == 2
    assert "another phonon calculation: labels" in capsys.readouterr().err


def test_a_file_given_twice_counts_once():
    words = "--labels labels.extxyz --labels labels.extxyz"
    assert run(f"phonons POSCAR {SOFT} {words} --out out") == 0
    spectrum = PHONONS.read(Path("out")).spectrum("base+labels")
    assert spectrum is not None
    assert spectrum.labels is not None
    assert spectrum.labels.n_labels == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--labels labels.extxyz --relax", "leave 'relax' out"),
        ("--labels labels.extxyz --expansion", "without them"),
        ("--cutoff 4", "give 'labels'"),
        ("--labels nowhere.extxyz", "nowhere.extxyz"),
        ("--labels POSCAR", "no known format"),
        ("--labels labels.extxyz --supercell 3", "is Si16, the supercell is Si54"),
        ("--labels rest.extxyz", "undisplaced crystal alone"),
        ("--labels noise.extxyz", "do not follow the symmetry"),
    ],
)
def test_bad_labels_are_one_paragraph(options, words, capsys):
    rest = CRYSTAL.repeat(2)
    rest.arrays["REF_forces"] = np.zeros((16, 3))
    write("rest.extxyz", rest, format="extxyz")
    noise = labelled()
    for i, frame in enumerate(noise):
        rng = np.random.default_rng(i)
        frame.arrays["REF_forces"] = rng.normal(size=(16, 3))
    write("noise.extxyz", noise, format="extxyz")
    before = contents()
    assert run(f"phonons POSCAR {SOFT} {options} --out out") == 2
    told = " ".join(capsys.readouterr().err.split())
    assert words in told
    assert contents() == before


def test_the_same_from_a_notebook():
    found = ag.phonons(
        CRYSTAL,
        "sevennet:tiny:Si",
        labels=labelled(),
        supercell=2,
        mesh=4,
        out="out",
        progress=False,
    )
    phonon = found.phonopy_of("base+labels")
    spectrum = found.result.spectrum("base+labels")
    assert spectrum is not None
    assert frequencies(phonon).max() == pytest.approx(spectrum.maximum, abs=1e-4)
