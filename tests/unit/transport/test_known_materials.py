"""Known materials from files: what is read, what is left out, and why."""

import csv
import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

from atomgraft.core.errors import BadInputError
from atomgraft.transport.distil.materials import collected, groups_of
from atomgraft.transport.distil.spec import DistilSpec
from tests.mixed_salts import rock_salt_cif

pytest.importorskip("pymatgen", reason="needs the extra transport")
pytest.importorskip("sklearn", reason="needs the extra transport")

from atomgraft.transport.distil import work
from atomgraft.transport.distil.record import DISTIL
from atomgraft.transport.predictors import methods

MIXED = rock_salt_cif(
    ("Li1 Li 0 0 0 1", "Cl1 Cl 0.5 0.5 0.5 0.25", "Br1 Br 0.5 0.5 0.5 0.75"), a=5.2
)


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    """Grow few trees: what is asked here is which divisions count, not how well."""
    monkeypatch.setattr(methods, "N_TREES", 5)


def spec(*files, **more) -> DistilSpec:
    given = {"materials": [str(one) for one in files], "target": "E", "mobile": "Li"}
    given["group"] = ["paper"] if "folds" in more else []
    return DistilSpec.model_validate(given | more)


def read(*files, **more):
    asked = spec(*files, **more)
    return collected(asked.materials, asked)


def table(path, *rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows(rows)
    return path


def row(k=0, **changes):
    return {"name": f"m{k}", "composition": "LiCl", "E": str(0.1 * k)} | changes


def salt(**info) -> Atoms:
    atoms = bulk("LiCl", "rocksalt", a=5.1, cubic=True)
    atoms.info = {"E": 0.5, **info}
    return atoms


def test_a_table_from_a_spreadsheet_is_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("﻿name,composition,E\r\nm0,LiCl,0.25\r\n", encoding="utf-8")
    [one] = read(path).known
    assert (one.material.name, one.value) == ("m0", 0.25)
    assert one.keys == ("Cl-Li",)


def test_materials_without_a_name_are_named_by_their_place(tmp_path):
    path = table(tmp_path / "t.csv", row(0, name=""), row(1, name=""))
    assert [one.material.name for one in read(path).known] == ["t.csv:2", "t.csv:3"]
    write(tmp_path / "f.extxyz", [salt(), salt()], format="extxyz")
    names = [one.material.name for one in read(tmp_path / "f.extxyz").known]
    assert names == ["f.extxyz@0", "f.extxyz@1"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"E": ""}, "E is '', no number"),
        ({"E": "nan"}, "not finite"),
        ({"E": "inf"}, "not finite"),
        ({"composition": ""}, "neither a structure nor a formula"),
        ({"composition": "NaCl"}, "it has no Li"),
        ({"composition": "Li(Cl"}, "is no formula"),
    ],
)
def test_rows_that_cannot_be_used_are_left_out(tmp_path, changes, reason):
    path = table(tmp_path / "t.csv", row(0), row(1, **changes))
    found = read(path)
    assert [one.material.name for one in found.known] == ["m0"]
    assert reason in found.left_out["m1"]


@pytest.mark.parametrize("text", ["<0.5", "< 0.5", "<5E-1"])
def test_limits_are_read_as_limits(tmp_path, text):
    [one] = read(table(tmp_path / "t.csv", row(0, E=text))).known
    assert one.is_limit
    assert one.value == 0.5


def test_logarithms_need_positive_numbers(tmp_path):
    path = table(tmp_path / "t.csv", row(0, E="100"), row(1, E="0"), row(2, E="-1"))
    found = read(path, decades=True)
    assert [one.value for one in found.known] == [2.0]
    assert "has no logarithm" in found.left_out["m1"]
    assert "has no logarithm" in found.left_out["m2"]


def test_cells_and_space_groups_come_from_columns(tmp_path):
    cell = {"a": "4", "b": "5", "c": "6", "al": "90", "be": "95", "ga": "90"}
    path = table(
        tmp_path / "t.csv",
        row(0, **cell, sg="14"),
        row(1, **(cell | {"b": "?"}), sg="0"),
        row(2, **(cell | {"b": "-5"}), sg="P 1"),
    )
    found = read(path, lattice=[*cell], space_group="sg").known
    assert found[0].material.cell == (4.0, 5.0, 6.0, 90.0, 95.0, 90.0)
    assert [one.material.cell for one in found[1:]] == [None, None]
    assert [one.material.space_group for one in found] == [14, None, None]


def test_cell_and_space_group_of_a_frame_are_its_own(tmp_path):
    write(tmp_path / "f.extxyz", salt(), format="extxyz")
    [one] = read(tmp_path / "f.extxyz").known
    assert one.material.space_group == 225
    assert one.material.cell == pytest.approx((5.1, 5.1, 5.1, 90, 90, 90))
    assert one.material.amounts == {"Cl": 4.0, "Li": 4.0}


def test_a_hop_has_no_cell_of_its_own(tmp_path):
    atoms = salt()
    path = np.linspace(atoms.positions[0], atoms.positions[0] + [2, 0, 0], 3)
    atoms.info |= {"hop_atom": 0, "hop_path": path.ravel()}
    write(tmp_path / "f.extxyz", atoms, format="extxyz")
    [one] = read(tmp_path / "f.extxyz").known
    assert one.material.cell is None
    assert one.material.space_group is None
    assert one.material.hop.length() == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        ({"hop_path": np.zeros(4), "hop_atom": 0}, "not three for each point"),
        ({"hop_path": np.zeros(3), "hop_atom": 0}, "not three for each point"),
        ({"hop_path": np.zeros(6)}, "not the place of an atom"),
        ({"hop_path": np.zeros(6), "hop_atom": 99}, "not the place of an atom"),
        ({"hop_path": np.full(6, 3.0), "hop_atom": 0}, "does not start where atom 0"),
    ],
)
def test_hops_that_make_no_sense_are_left_out(tmp_path, info, reason):
    write(tmp_path / "f.extxyz", [salt(), salt(**info)], format="extxyz")
    found = read(tmp_path / "f.extxyz")
    assert len(found.known) == 1
    assert reason in found.left_out["f.extxyz@1"]


def test_a_structure_with_partial_occupancies_stands_for_several(tmp_path):
    pytest.importorskip("gemmi", reason="needs the extra transport")
    (tmp_path / "cifs").mkdir()
    (tmp_path / "cifs" / "m0.cif").write_text(MIXED)
    path = table(tmp_path / "t.csv", row(0, composition="LiCl0.25Br0.75"))
    [one] = read(path, structures="cifs/{name}.cif", representatives=2).known
    assert len(one.material.structures) >= 1
    for atoms in one.material.structures:
        counts = atoms.symbols.formula.count()
        assert counts["Br"] == 3 * counts["Cl"]
    assert one.material.amounts == {"Li": 1.0, "Cl": 0.25, "Br": 0.75}


def test_a_file_without_frames_is_said_to_hold_none(tmp_path):
    (tmp_path / "notes.md").write_text("# Public data\n\nFacts.\n")
    with pytest.raises(BadInputError, match=r"notes\.md can be used: it holds none\."):
        read(tmp_path / "notes.md")


def test_an_ion_that_is_rounded_away_leaves_the_formula(tmp_path):
    pytest.importorskip("gemmi", reason="needs the extra transport")
    (tmp_path / "cifs").mkdir()
    rows = ("Li1 Li 0 0 0 0.002", "Na1 Na 0 0 0 0.998", "Cl1 Cl 0.5 0.5 0.5 1")
    (tmp_path / "cifs" / "m0.cif").write_text(rock_salt_cif(rows, a=5.6))
    path = table(tmp_path / "t.csv", row(0, composition="Li0.002Na0.998Cl"))
    found = read(path, structures="cifs/{name}.cif")
    assert found.known[0].material.structures == ()
    assert found.bare == {"m0": "in whole numbers of atoms, no Li is left"}


def test_a_structure_that_cannot_be_read_leaves_the_formula(tmp_path):
    pytest.importorskip("gemmi", reason="needs the extra transport")
    (tmp_path / "cifs").mkdir()
    (tmp_path / "cifs" / "m0.cif").write_text("data_empty\n")
    path = table(tmp_path / "t.csv", row(0), row(1))
    found = read(path, structures="cifs/{name}.cif")
    assert [one.material.structures for one in found.known] == [(), ()]
    assert list(found.bare) == ["m0"]  # m1 has no file, which is no fault


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no rows"),
        (b"name,composition,E\n", "holds no rows"),
        (b"name,composition,E\nm\xff\xfe,LiCl,1\n", "cannot be read as a table"),
    ],
)
def test_files_that_are_no_tables_are_refused(tmp_path, content, said):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=said):
        read(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="cannot be read as a table"):
        read(tmp_path / "none.csv")


def test_keys_that_are_empty_join_nothing(tmp_path):
    path = table(tmp_path / "t.csv", *(row(k, doi="") for k in range(3)))
    assert len(set(groups_of(read(path, group=["doi"]).known).tolist())) == 3


def many(path):
    rows = [
        row(k, composition=f"Li{1 + k % 5}Cl{1 + k // 5}", paper=f"p{k // 2}")
        for k in range(20)
    ]
    return table(path, *rows)


def test_finished_divisions_are_not_computed_again(tmp_path, monkeypatch):
    asked = spec(many(tmp_path / "t.csv"), methods=["ridge"], folds=3, seeds=2)
    first = work.distil(asked, tmp_path / "one")
    kept = json.loads((tmp_path / "one" / work.FOLDS).read_text())
    assert {len(rows) for rows in kept["predictions"].values()} == {2}
    (tmp_path / "one" / DISTIL.file).unlink()
    calls = []
    real = work.validated
    monkeypatch.setattr(
        work, "validated", lambda *a, **k: calls.append(a) or real(*a, **k)
    )
    again = work.distil(asked, tmp_path / "one")
    assert calls == []
    assert again.methods == first.methods


def test_divisions_of_another_question_are_not_taken(tmp_path):
    path, out = many(tmp_path / "t.csv"), tmp_path / "one"
    work.distil(spec(path, methods=["ridge"], folds=3), out)
    (out / DISTIL.file).unlink()  # stopped before the end
    path.write_text(path.read_text().replace(",0.5", ",5.0"))
    asked = spec(path, methods=["ridge"], folds=3)
    found = work.distil(asked, out)
    afresh = work.distil(asked, tmp_path / "two")
    assert found.methods == afresh.methods
    assert found.predictions == afresh.predictions


def test_damaged_divisions_are_told_and_not_overwritten(tmp_path):
    asked = spec(many(tmp_path / "t.csv"), methods=["ridge"], folds=3)
    work.distil(asked, tmp_path / "one")
    (tmp_path / "one" / DISTIL.file).unlink()
    (tmp_path / "one" / work.FOLDS).write_text("{")
    with pytest.raises(BadInputError, match="was changed after atomgraft wrote it"):
        work.distil(asked, tmp_path / "one")


def test_a_structure_that_changes_is_another_question(tmp_path):
    write(tmp_path / "POSCAR-m0", salt(), format="vasp")
    path = many(tmp_path / "t.csv")
    settings = {"structures": "POSCAR-{name}", "methods": ["ridge"], "folds": 3}
    settings["features"] = ["composition"]
    work.distil(spec(path, **settings), tmp_path / "one")
    other = salt()
    other.set_cell(other.cell.array * 1.1, scale_atoms=True)
    write(tmp_path / "POSCAR-m0", other, format="vasp")
    with pytest.raises(BadInputError, match="other materials or settings"):
        work.distil(spec(path, **settings), tmp_path / "one")


def test_a_scale_of_positive_numbers_refuses_others(tmp_path):
    asked = spec(many(tmp_path / "t.csv"), scale="log", folds=3)
    with pytest.raises(BadInputError, match="for positive numbers"):
        work.distil(asked, tmp_path / "one")
    assert not (tmp_path / "one" / DISTIL.file).exists()


def test_blocks_that_nothing_has_are_refused_where_they_are_named(tmp_path):
    path = many(tmp_path / "t.csv")
    asked = spec(path, features=["composition", "pathways"], folds=3)
    with pytest.raises(BadInputError, match="pathways"):
        work.distil(asked, tmp_path / "one")


def test_groups_of_the_test_are_told_from_those_of_training(tmp_path):
    train = many(tmp_path / "t.csv")
    test = table(tmp_path / "u.csv", row(50, composition="Li7Cl2", E="3", paper="q"))
    asked = spec(train, test=[str(test)], methods=["ridge"], folds=3)
    result = work.distil(asked, tmp_path / "one")
    assert [one.is_test for one in result.predictions].count(True) == 1
    assert {one.test.n for one in result.methods} == {1}
    assert all(one.test.interval is None for one in result.methods)


def test_a_method_that_is_a_control_already_stands_once_in_the_table(tmp_path):
    result = work.distil(spec(many(tmp_path / "t.csv"), folds=3), tmp_path / "one")
    names = {one.name for one in result.methods}
    assert {"composition ridge", "composition trees", "kernel ridge"} <= names
    assert not {"ridge", "trees"} & names
