"""atomgraft stabilise from the command line: tree, files, page, resume, refusals."""

import json
import shutil
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk, molecule

from atomgraft.cli import main
from atomgraft.models.pair import lennard_jones
from atomgraft.stabilise.engine import RememberingEngine
from atomgraft.stabilise.record import STABILISE

pytestmark = pytest.mark.slow

OPTIONS = "--model argon.safetensors --supercell 2 --depth 1 --max-daughters 3"

COMMAND = f"stabilise bcc.vasp {OPTIONS}"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a model, crystals, and a tree that was made once."""
    folder = tmp_path_factory.mktemp("finished")
    argon = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=7.5)
    argon.export(folder / "argon.safetensors")
    ase.io.write(folder / "bcc.vasp", bulk("Ar", "bcc", a=4.2))
    ase.io.write(folder / "fcc.vasp", bulk("Ar", "fcc", a=5.3))
    ase.io.write(folder / "silicon.vasp", bulk("Si", a=5.43))
    water = molecule("H2O")
    water.symbols[:] = "Ar"
    ase.io.write(folder / "molecule.xyz", water)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        assert run(f"{COMMAND} --out tree", patched) == 0
    return folder


@pytest.fixture
def workplace(finished, tmp_path, monkeypatch):
    """A copy of it, to work in."""
    place = tmp_path / "work"
    shutil.copytree(finished, place)
    monkeypatch.chdir(place)
    return place


def run(command, monkeypatch):
    """Run the command line in this process; return its exit status."""
    monkeypatch.setattr(sys, "argv", ["atomgraft", *command.split()])
    with pytest.raises(SystemExit) as ended:
        main.main()
    return ended.value.code or 0


def test_a_tree_has_its_crystals_files_and_page(workplace):
    result = STABILISE.read(Path("tree"))
    assert result.finished
    root = result.crystals[0]
    assert (root.space_group, root.is_stable) == ("Im-3m", False)
    assert root.soft[0].label == "N"
    best = result.best_stable()
    assert best is not None
    assert best.space_group == "Fm-3m"
    assert best.energy_change < -4
    assert best.lowest_frequency == pytest.approx(0, abs=1e-3)
    for one in result.crystals:
        for ending in (".extxyz", ".vasp"):
            atoms = ase.io.read(Path("tree") / (one.file + ending))
            assert len(atoms) == len(one.structure.symbols)
            volume = atoms.get_volume() / len(atoms)
            assert volume == pytest.approx(volume_of(one), rel=1e-6)
    page = (Path("tree") / "report.html").read_text()
    groups = [
        f"{one.space_group} ({one.space_group_number})" for one in result.crystals
    ]
    ways = [one.direction for one in result.steps]
    for text in (*groups, *ways, "0.48i THz"):
        assert text in page
    assert result.provenance[0].verb == "stabilise"


def test_a_finished_tree_is_shown_and_not_made_again(workplace, monkeypatch, capsys):
    before = Path("tree/stabilise.json").read_bytes()

    def forbidden(*_, **__):
        raise AssertionError("computed again")

    monkeypatch.setattr(RememberingEngine, "_recall", forbidden)
    assert run(f"{COMMAND} --out tree", monkeypatch) == 0
    printed = " ".join(capsys.readouterr().err.split())
    assert "0: Im-3m (229)" in printed
    assert "Ar in Im-3m is unstable; the most stable crystal found is Fm-3m" in printed
    assert Path("tree/stabilise.json").read_bytes() == before


def test_json_is_the_file_on_disk(workplace, monkeypatch, capsys):
    assert run(f"{COMMAND} --out tree --json", monkeypatch) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(Path("tree/stabilise.json").read_text())


def test_the_page_is_written_again_from_the_file(workplace, monkeypatch, capsys):
    page = Path("tree/report.html")
    before = page.read_bytes()
    page.unlink()
    assert run("report tree", monkeypatch) == 0
    assert page.read_bytes() == before
    assert "Fm-3m" in capsys.readouterr().err


def volume_of(record):
    return abs(np.linalg.det(record.structure.cell)) / len(record.structure.symbols)


def test_a_stable_crystal_has_nothing_to_do(workplace, monkeypatch, capsys):
    assert run(f"stabilise fcc.vasp {OPTIONS}", monkeypatch) == 0
    assert "Ar in Fm-3m is stable." in capsys.readouterr().err
    result = STABILISE.read(Path("stabilise-fcc"))
    assert len(result.crystals) == 1
    assert result.steps == ()
    assert (Path("stabilise-fcc") / "report.html").exists()


@pytest.mark.parametrize("n_before", [1, 4])
def test_a_tree_that_was_cut_goes_on_and_ends_the_same(
    n_before, workplace, monkeypatch
):
    plain = RememberingEngine.relax
    asked = []

    def cut(self, atoms, *, keep_symmetry):
        asked.append(keep_symmetry)
        if len(asked) > n_before:
            raise KeyboardInterrupt
        return plain(self, atoms, keep_symmetry=keep_symmetry)

    with monkeypatch.context() as patched:
        patched.setattr(RememberingEngine, "relax", cut)
        assert run(f"{COMMAND} --out cut", patched) == 130
    kept = {path.name for path in Path("cut/memory").iterdir()}
    assert len(kept) >= n_before
    assert run(f"{COMMAND} --out cut", monkeypatch) == 0
    whole, again = (STABILISE.read(Path(one)) for one in ("tree", "cut"))
    assert again.crystals == whole.crystals
    assert again.steps == whole.steps
    assert kept < {path.name for path in Path("tree/memory").iterdir()}


def test_a_deeper_tree_reuses_what_a_shallow_one_computed(workplace, monkeypatch):
    Path("tree/stabilise.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in Path("tree/memory").iterdir()}
    deeper = COMMAND.replace("--depth 1", "--depth 2")
    assert run(f"{deeper} --out tree", monkeypatch) == 0
    assert STABILISE.read(Path("tree")).settings.depth == 2
    assert {path: path.stat().st_mtime_ns for path in before} == before


REFUSED = {
    f"stabilise silicon.vasp {OPTIONS}": "does not support it",
    f"stabilise molecule.xyz {OPTIONS}": "has no cell",
    f"stabilise nowhere.vasp {OPTIONS}": "nowhere.vasp",
    f"stabilise bcc.vasp {OPTIONS} --depth -1": "depth",
    f"stabilise bcc.vasp {OPTIONS} --threshold nan": "threshold",
    f"stabilise bcc.vasp {OPTIONS} --supercell 0": "supercell",
    f"stabilise bcc.vasp {OPTIONS} --supercell two": "--supercell",
    f"stabilise bcc.vasp {OPTIONS} --fmax 0": "fmax",
    f"stabilise bcc.vasp {OPTIONS} --deep 3": "--deep",
    f"stabilise bcc.vasp {OPTIONS} --dtype float16": "dtype",
    "stabilise bcc.vasp --model nothing": "names no potential",
    "stabilise bcc.vasp": "--model",
}


@pytest.mark.parametrize("command", REFUSED)
def test_bad_input_is_refused_and_nothing_is_written(
    command, workplace, monkeypatch, capsys
):
    before = set(Path().iterdir())
    assert run(command, monkeypatch) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert REFUSED[command] in last
    assert set(Path().iterdir()) == before


def test_another_question_is_refused_in_the_same_folder(workplace, monkeypatch, capsys):
    assert run(f"stabilise fcc.vasp {OPTIONS} --out tree", monkeypatch) == 2
    assert "another crystal, model or setting" in capsys.readouterr().err
    assert (
        run(f"stabilise bcc.vasp {OPTIONS} --threshold 1 --out tree", monkeypatch) == 2
    )


def test_a_broken_answer_in_memory_is_computed_again(workplace, monkeypatch, capsys):
    assert run(f"stabilise fcc.vasp {OPTIONS} --out fcc", monkeypatch) == 0
    whole = STABILISE.read(Path("fcc")).crystals
    Path("fcc/stabilise.json").unlink()
    for path in Path("fcc/memory").iterdir():
        path.write_text(path.read_text()[:10])
    assert run(f"stabilise fcc.vasp {OPTIONS} --out fcc", monkeypatch) == 0
    assert STABILISE.read(Path("fcc")).crystals == whole
