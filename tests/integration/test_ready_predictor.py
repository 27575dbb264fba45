"""Does the predictor that ships say what it is, and does it rank at once?"""

import csv

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from safetensors import safe_open

import atomgraft as ag
from atomgraft.transport.features.table import describe
from atomgraft.transport.materials import Material
from atomgraft.transport.predictors.stored import load_predictor, ready_folder
from atomgraft.transport.screening.record import SCREEN
from tests.integration.test_bad_input import run
from tests.integration.test_screen_bad_input import cif

pytest.importorskip("pymatgen", reason="needs the extra transport")
pytest.importorskip("sklearn", reason="needs the extra transport")

LARGEST = 2e6
"""Bytes."""

TREES = {"feature", "number", "span", "missing_left", "roots"}
ARRAYS = {"rows", "groups", "weights", "is_limit"} | {f"trees.{one}" for one in TREES}


@pytest.fixture(scope="module")
def ready():
    return load_predictor(ready_folder())


def salts(folder):
    folder.mkdir()
    for k, other in enumerate(["F", "Cl", "Br", "I"]):
        atoms = bulk(f"Li{other}", "rocksalt", a=4.0 + 0.5 * k, cubic=True)
        write(folder / f"Li{other}.extxyz", atoms, format="extxyz")
    antiperovskite = bulk("LiF", "rocksalt", a=4.0)
    antiperovskite.symbols = ["Na", "F"]
    write(folder / "NaF.extxyz", antiperovskite, format="extxyz")
    return folder


def test_it_is_small_and_holds_numbers_alone():
    files = sorted(one.name for one in ready_folder().iterdir())
    assert files == ["predictor.json", "predictor.safetensors"]
    assert sum(one.stat().st_size for one in ready_folder().iterdir()) < LARGEST
    path = ready_folder() / "predictor.safetensors"
    with safe_open(path, framework="np") as file:
        assert set(file.keys()) == ARRAYS
        assert file.get_tensor("rows").ndim == 2


def test_its_card_says_what_it_is_and_where_it_is_from(ready):
    card = ready.card
    assert card.mobile == ("Li",)
    assert card.unit == "decades"
    assert card.target.startswith("log10 of Ionic conductivity (S cm-1)")
    assert "OBELiX" in card.source
    assert "CC BY 4.0" in card.source
    assert card.model == ""
    assert set(card.columns) == {"composition", "lattice"}
    assert card.n_examples == 449
    assert {"Li", "O", "S", "Cl", "P"} <= set(card.elements)


def described(amounts, cell, space_group):
    one = Material(
        name="x",
        amounts={one: float(n) for one, n in amounts.items()},
        mobile="Li",
        cell=(*cell, 90.0, 90.0, 90.0),
        space_group=space_group,
    )
    return describe([one], ["composition", "lattice"])


def test_a_fast_conductor_is_predicted_to_conduct_better(ready):
    """Li10GeP2S12 has 1e-2 S/cm (Kamaya et al., Nat. Mater. 10, 682 (2011))."""
    fast = described({"Li": 10, "Ge": 1, "P": 2, "S": 12}, (8.72, 8.72, 12.63), 137)
    slow = described({"Li": 1, "F": 1}, (4.03, 4.03, 4.03), 225)
    assert ready.predict(fast)[0] > ready.predict(slow)[0] + 1
    assert ready.novelty(ready.examples.table) == pytest.approx(0.0)


def test_no_measured_conductivity_ships(ready):
    assert np.isnan(ready.examples.targets).all()


def test_a_folder_is_ranked_without_naming_a_predictor(tmp_path, capsys):
    out = tmp_path / "out"
    assert run(f"screen {salts(tmp_path / 'salts')} --workers 1 --out {out}") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "No predictor was named." in said
    assert "conductivity of lithium ions at room temperature" in said
    assert "OBELiX" in said
    assert "decades" in said
    result = SCREEN.read(out)
    assert result.mobile == "Li"
    assert "ships with atomgraft" in result.predictor
    assert [one.n for one in result.left_out] == [1]
    with (out / "screen.csv").open() as file:
        told = [float(one["predicted"]) for one in csv.DictReader(file)]
    assert len(told) == 4
    assert all(-20 < one < 0 for one in told)


def test_primitive_and_larger_cells_are_the_same_crystal(tmp_path):
    small = bulk("LiCl", "rocksalt", a=5.13)
    frames = [small, bulk("LiCl", "rocksalt", a=5.13, cubic=True), small * (2, 1, 1)]
    write(tmp_path / "cells.extxyz", frames, format="extxyz")
    found = ag.screen(
        tmp_path / "cells.extxyz", out=tmp_path / "out", workers=1, progress=False
    )
    told = [one.predicted for one in found.result.ranked]
    assert told == pytest.approx([told[0]] * 3, abs=1e-9)


def test_a_disordered_structure_needs_no_ordered_example(tmp_path):
    (tmp_path / "one.cif").write_text(cif(share=0.137))
    found = ag.screen(
        tmp_path / "one.cif",
        out=tmp_path / "out",
        max_atoms=1,
        workers=1,
        progress=False,
    )
    [one] = found.result.ranked
    assert one.is_disordered


def test_another_ion_is_told_to_be_an_extrapolation(tmp_path):
    found = ag.screen(
        salts(tmp_path / "salts"),
        mobile="Na",
        out=tmp_path / "out",
        workers=1,
        progress=False,
    )
    assert any("not from Na" in one for one in found.result.notices)
    assert len(found.result.ranked) == 1
