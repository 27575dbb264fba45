"""Is whatever lies in a folder counted, and whatever is wrong said in a paragraph?"""

import json
import os
import shutil
import sys

import numpy as np
import pytest
from ase.build import bulk
from ase.db import connect
from ase.io import write
from safetensors.numpy import load_file, save_file

import atomgraft as ag
from atomgraft.cli import main
from atomgraft.core.errors import BadInputError
from tests.mixed_salts import rock_salt_cif

pytest.importorskip("pymatgen", reason="needs the extra transport")
pytest.importorskip("sklearn", reason="needs the extra transport")
pytest.importorskip("gemmi", reason="needs the extra transport")

HUGE = 129 * 1024**2
"""Bytes; more than are read of a CIF."""


def cif(ion="Li", a=5.1, share=1.0):
    rows = (f"{ion}1 {ion} 0 0 0 {share}", "Cl1 Cl 0.5 0.5 0.5 1")
    return rock_salt_cif(rows, a=a)


@pytest.fixture(scope="module")
def predictor(few_trees, tmp_path_factory):
    folder = tmp_path_factory.mktemp("known")
    known = []
    for k, other in enumerate(["F", "Cl", "Br", "I"] * 3):
        atoms = bulk(f"Li{other}", "rocksalt", a=4.0 + 0.1 * k, cubic=True)
        atoms.info = {"name": f"k{k}", "room": atoms.cell.volume, "batch": f"b{k}"}
        known.append(atoms)
    write(folder / "known.extxyz", known, format="extxyz")
    ag.distil(
        folder / "known.extxyz",
        "room",
        "Li",
        group=["batch"],
        methods=["kernel ridge"],
        features=["composition", "packing"],
        folds=3,
        out=folder / "predictor",
        progress=False,
    )
    return folder / "predictor"


@pytest.fixture
def messy(tmp_path):
    """A good structure among everything that is none."""
    folder = tmp_path / "messy"
    folder.mkdir()
    (folder / "a-good.cif").write_text(cif())
    (folder / "b-empty.cif").touch()
    (folder / "c-latin.cif").write_bytes(("# né\n" + cif()).encode("latin-1"))
    (folder / "d-bytes.cif").write_bytes(bytes(range(256)) * 20)
    (folder / "e-element.cif").write_text(cif(ion="Qq"))
    (folder / "f-sodium.cif").write_text(cif(ion="Na"))
    (folder / "g-shares.cif").write_text(cif(share=0.137))
    (folder / "h-shares.cif").write_text(cif(share=0.5))
    (folder / "i-flat.cif").write_text(cif(a=0.001))
    with (folder / "j-huge.cif").open("wb") as file:
        file.truncate(HUGE)
    (folder / "k-loop.cif").symlink_to("k-loop.cif")
    (folder / "l-gone.cif").symlink_to("gone.cif")
    (folder / "m-around").symlink_to(folder)
    os.mkfifo(folder / "n-pipe.cif")
    (folder / "o-readme.md").write_text("hello")
    (folder / "p-folder.cif").mkdir()
    (folder / "q-cut.extxyz").write_text("8\nno lattice\nLi 0 0 0\n")
    (folder / "r.db").write_text("no database")
    return folder


def ranked(found):
    return [one.name.rpartition("/")[2] for one in found.result.ranked]


def test_a_messy_folder_is_screened_and_counted(messy, predictor, tmp_path):
    found = ag.screen(
        messy, predictor, out=tmp_path / "out", max_atoms=3, progress=False, workers=1
    )
    assert sorted(ranked(found)) == ["a-good.cif", "c-latin.cif", "h-shares.cif"]
    counts = {one.reason: one.n for one in found.result.left_out}
    assert counts["it does not contain the mobile ion"] == 1
    assert counts["in whole numbers of atoms, none of the mobile ion is left"] == 1
    assert counts["not a file of structures, by its name"] == 1
    files = [one for one in messy.iterdir() if one.name != "p-folder.cif"]
    assert sum(counts.values()) + 3 == len(files) - 1  # links to folders are not read
    page = found.page.read_text()
    for one in found.result.left_out:
        assert one.examples
        assert one.reason in page


def test_every_kind_of_file_gives_the_same_number(predictor, tmp_path):
    atoms = bulk("LiBr", "rocksalt", a=5.3, cubic=True)
    folder = tmp_path / "kinds"
    (folder / "below").mkdir(parents=True)
    write(folder / "one.cif", atoms)
    write(folder / "two.extxyz", [atoms, atoms], format="extxyz")
    write(folder / "below" / "POSCAR", atoms, format="vasp", direct=True)
    for name in ("one.cif", "two.extxyz"):
        packed = ag_compressed(folder / name)
        assert packed.exists()
    for name in ("three.db", "four.json"):
        with connect(folder / name) as rows:
            rows.write(atoms)
            rows.write(atoms)
    given = [folder / "three.db", folder / "below", folder, f"{folder}/two.extxyz@1"]
    found = ag.screen(given, predictor, out=tmp_path / "out", progress=False, workers=1)
    result = found.result
    assert len(result.ranked) == 2 + 1 + (1 + 2 + 1 + 1 + 2 + 2 + 2) + 1
    assert result.left_out == ()
    assert np.ptp([one.predicted for one in result.ranked]) < 1e-4
    assert {one.formula for one in result.ranked} == {"LiBr"}


def ag_compressed(path):
    import gzip

    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


def said_of(words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["atomgraft", "screen", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main.main()
    told = capsys.readouterr().err
    assert ended.value.code == 2, told
    assert told.count("Error: ") == 1
    assert "Traceback" not in told
    return told


def test_folders_without_a_structure_are_refused(
    predictor, tmp_path, monkeypatch, capsys
):
    empty, notes = tmp_path / "empty", tmp_path / "notes"
    for folder in (empty, notes):
        folder.mkdir()
    (notes / "readme.md").write_text("hello")
    out = tmp_path / "out"
    for folder in (empty, notes):
        words = [folder, "--predictor", predictor, "--out", out]
        assert "No structure" in said_of(words, monkeypatch, capsys)
        assert not (out / "screen.json").exists()


def changed(card):
    def change(folder):
        path = folder / "predictor.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | card))

    return change


def examples(**arrays):
    def change(folder):
        path = folder / "predictor.safetensors"
        found = load_file(path) | arrays
        save_file({k: v for k, v in found.items() if v is not None}, path)

    return change


def cut(name):
    def change(folder):
        path = folder / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return change


DAMAGES = {
    "a newer version": changed({"schema_version": 99}),
    "another method": changed({"method": "oracle"}),
    "other settings": changed({"settings": {"length": "long"}}),
    "unknown settings": changed({"settings": {"magic": 1.0}}),
    "another scale": changed({"scale": "cube"}),
    "fewer examples": changed({"n_examples": 3}),
    "other predictions": changed({"checks": [0.0] * 12}),
    "more predictions": changed({"checks": [0.0] * 40}),
    "no reach": changed({"reach": 0.0}),
    "half a card": cut("predictor.json"),
    "half the examples": cut("predictor.safetensors"),
    "fewer targets": examples(targets=np.zeros(3)),
    "no targets": examples(targets=None),
    "targets that are no numbers": examples(targets=np.full(12, np.nan)),
    "a flat table": examples(rows=np.zeros(12)),
    "an empty file": lambda folder: (folder / "predictor.safetensors").write_bytes(b""),
    "no file": lambda folder: (folder / "predictor.safetensors").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_predictor_is_refused(
    damage, predictor, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "predictor"
    shutil.copytree(predictor, folder)
    DAMAGES[damage](folder)
    (tmp_path / "one.cif").write_text(cif())
    words = [tmp_path / "one.cif", "--predictor", folder, "--out", tmp_path / "out"]
    said_of(words, monkeypatch, capsys)
    assert not (tmp_path / "out" / "screen.json").exists()


def test_a_cache_that_is_a_file_is_refused(predictor, tmp_path):
    (tmp_path / "one.cif").write_text(cif())
    (tmp_path / "mine").write_text("mine")
    with pytest.raises((BadInputError, ag.core.errors.StorageError)):
        ag.screen(
            tmp_path / "one.cif",
            predictor,
            out=tmp_path / "out",
            cache=str(tmp_path / "mine"),
            progress=False,
        )
    assert (tmp_path / "mine").read_text() == "mine"
