"""Every verb, told to write where the user's own files are: none of them changes."""

import shutil
from pathlib import Path

import ase.io
import pytest
from ase.build import bulk

from atomgraft.cli import main
from atomgraft.core.manifest import MANIFEST
from atomgraft.fidelity.record import FIDELITY
from tests.budgets import study_of
from tests.hopping import crystal as moving_ions
from tests.integration.test_bad_input import run
from tests.phonon_folders import BASE as SALT
from tests.phonon_folders import CRYSTALS, write_calculation

SI = "pair:sw-si"

DATA = "--train data/train.extxyz"

FOLDER_VERBS = {
    "adapt": f"adapt --base {SI} {DATA} --recipe full --steps 1 --batch-size 2",
    "adapt a spec": "adapt run.yaml",
    "adapt a run": f"adapt --base run {DATA} --recipe full --steps 1 --batch-size 2",
    "adapt beside scratch": f"adapt --base {SI} {DATA} --with-scratch --steps 1",
    "compare": f"compare --base {SI} {DATA} --test data/test.extxyz --recipe full"
    " --size 2 --seed 0 --steps 1 --workers 1",
    "compare a spec": "compare compare.yaml --workers 1",
    "fidelity": f"fidelity --base {SI} {DATA} --test data/test.extxyz"
    " --source cheap=data/train.extxyz --source-size 1 --size 1 --seed 0"
    " --strategy multi-head --steps 1 --source-steps 1 --workers 1",
    "budget": "budget levels --cpu-hours 3",
    "campaign": f"campaign phonons crystals --model {SALT} --mesh 2 --workers 1",
    "phonons": f"phonons salt.yaml --model {SALT} --mesh 2",
    "phonons of a run": "phonons POSCAR --model run --mesh 2 --supercell 1",
    "stabilise": f"stabilise POSCAR --model {SI} --depth 1 --supercell 1",
    "diffusivity": "diffusivity ions.extxyz --mobile Li --temperature 800 --step 100",
    "distil": "distil known.csv --target E --mobile Li --folds 4 --method ridge",
    "screen": "screen ions.extxyz@:1 --workers 1",
    "select": f"select POSCAR --model {SI} --count 1 --proposals 2 --kinds rattle",
    "select a pool": f"select POSCAR --model {SI} --pool data/train.extxyz --count 1",
}
"""Commands that write a folder; --out comes last."""

WITHOUT_FRESH = ("budget", "stabilise", "select", "diffusivity", "distil", "screen")

FILE_VERBS = {
    "merge": "merge run --out",
    "merge a part": "merge run --share 0.5 --out",
    "plan": f"plan --base {SI} {DATA} --recipe full --steps 1 --write",
    "report": "report run --out",
    "collect": "select chosen --collect",
}
"""Commands that write one file; its name comes last."""

FOLDERS = [
    ".",
    "..",
    "data",
    "crystals",
    "cells",
    "link",
    "data/../data",
    "data/train.extxyz",
    "data/train.extxyz/below",
    "link/train.extxyz",
    "dangling",
    "loop",
    "salt.yaml",
    "hidden",
    "other",
    "/",
]
"""Places where something of the user is, or that cannot be made."""

FILES = [
    "data/train.extxyz",
    "link/train.extxyz",
    "linked.safetensors",
    "hard.safetensors",
    "run/graft.safetensors",
    "run/result.json",
    "chosen/select.extxyz",
    "dangling",
    "data",
    "notes.extxyz",
    "model.safetensors",
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A user's project: data, models, results, and files named as ours are."""
    folder = tmp_path_factory.mktemp("hostile") / "project"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        _fill(folder)
    return folder


def _fill(folder):
    frames = ase.io.read(Path(main.__file__).parents[1] / TRAIN, ":8")
    levels = study_of(lambda n, m: 900 / (n + m / 20) ** 0.5, (10, 30, 90), (30, 300))
    (folder / "levels").mkdir()
    (folder / "levels" / FIDELITY.file).write_text(levels.model_dump_json())
    for place in ("data", "cells", "crystals", "hidden", "other", "memory", "label"):
        (folder / place).mkdir()
    ase.io.write("data/train.extxyz", frames[:4], format="extxyz")
    ase.io.write("data/test.extxyz", frames[4:], format="extxyz")
    ase.io.write("POSCAR", bulk("Si", a=5.43), format="vasp")
    ase.io.write("ions.extxyz", moving_ions(60, n_ions=4, size=3), format="extxyz")
    salts = enumerate(("LiF", "LiCl", "LiBr", "LiI", "Li2O", "Li2S"))
    rows = "\n".join(f"m{k},{salt},{k}" for k, salt in salts)
    Path("known.csv").write_text(f"name,composition,E\n{rows}\n")
    crystal, multiple = CRYSTALS["caesium"]
    write_calculation(folder / "salt.yaml", crystal, multiple)
    write_calculation(folder / "crystals" / "salt.yaml", crystal, multiple)
    first = FOLDER_VERBS["adapt"]
    assert run(f"{first} --out run") == 0
    select = FOLDER_VERBS["select"]
    assert run(f"{select} --out chosen --inputs gpaw") == 0
    place = Path("chosen/label/001/gpaw")
    [atoms] = ase.io.read(place / "structure.extxyz", ":")
    atoms.info, atoms.arrays["REF_forces"] = {"REF_energy": -1.0}, atoms.positions
    ase.io.write(place / "label.extxyz", atoms, format="extxyz")
    assert run("merge run --out model") == 0
    shutil.copy("run/spec.yaml", "run.yaml")
    Path("compare.yaml").write_text(
        f"base: {SI}\ntrain: data/train.extxyz\ntest: data/test.extxyz\n"
        "recipes: [full]\nsizes: [2]\nseeds: [0]\ntraining: {steps: 1}\n"
    )
    for name in MINE:
        (folder / name).write_text("mine\n")
    Path("link").symlink_to("data")
    Path("dangling").symlink_to("gone")
    Path("loop").symlink_to("loop")
    Path("linked.safetensors").symlink_to("model.safetensors")
    Path("hard.safetensors").hardlink_to("model.safetensors")


TRAIN = "data/shipped/si-train.extxyz"

MINE = (
    "notes.extxyz",
    "report.html",
    "result.json",
    "spec.yaml",
    "checkpoint.pt",
    "phonopy-mine.yaml",
    "phonons.json",
    ".big.part",
    ".lock",
    "cells/mine.txt",
    "memory/mine.json",
    "label/mine.txt",
    "hidden/.atomgraft-notes.part",
    "other/.lock",
)
"""Files of the user, many of them named as ours are."""


def snapshot(folder):
    """Return every path with its bytes, target and time of change."""
    found = {}
    for path in sorted(folder.rglob("*")):
        told = path.lstat()
        if path.is_symlink():
            what = path.readlink()
        else:
            what = path.read_bytes() if path.is_file() else None
        when = told.st_mtime_ns if path.is_file() else 0
        found[path.relative_to(folder).as_posix()] = (what, when, told.st_nlink)
    return found


@pytest.fixture
def project(made, monkeypatch):
    monkeypatch.chdir(made)
    before = snapshot(made.parent)
    yield made
    assert snapshot(made.parent) == before


def refused(command, capsys):
    capsys.readouterr()
    assert run(command) == 2, command
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said.count("Error: ") == 1
    return said


SLOW = pytest.mark.slow

OFTEN = (".", "link", "data/train.extxyz", "other")
"""Places that are tried in the quick set too."""


@pytest.mark.parametrize("fresh", [pytest.param("", marks=SLOW), " --fresh"])
@pytest.mark.parametrize("places", [OFTEN, pytest.param(FOLDERS, marks=SLOW)])
@pytest.mark.parametrize("verb", FOLDER_VERBS)
def test_no_folder_of_the_user_is_written(verb, places, fresh, project, capsys):
    """Nearly 500 commands, with every file compared before and after."""
    if fresh and verb.split()[0] in WITHOUT_FRESH:
        fresh = ""
    before = snapshot(project.parent)
    for place in places:
        said = refused(f"{FOLDER_VERBS[verb]}{fresh} --out {place}", capsys)
        assert snapshot(project.parent) == before, place
        assert "--out" in said or "another folder" in said, said


@pytest.mark.parametrize("verb", FOLDER_VERBS)
def test_a_folder_of_another_verb_is_no_place_either(verb, project, capsys):
    assert project.is_dir()
    for place in ("run", "chosen"):
        if place == {"adapt": "run", "select": "chosen"}.get(verb.split()[0]):
            continue
        refused(f"{FOLDER_VERBS[verb]} --out {place}", capsys)


def test_a_run_is_not_written_over_what_it_starts_from(project, capsys):
    command = FOLDER_VERBS["adapt a run"]
    said = refused(f"{command} --out run --fresh", capsys)
    assert "names itself as its base" in said
    with_parent = f"{command.replace('--base run', '--base next')} --out run --fresh"
    shutil.copytree(project / "run", project / "next")
    try:
        graft_onto(project / "next", "run")
        assert "is an input" in refused(with_parent, capsys)
    finally:
        shutil.rmtree(project / "next")


def graft_onto(folder, base):
    """Make a run's card say that it grew on another run."""
    import json

    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    path = folder / "graft.safetensors"
    with safe_open(path, framework="pt") as stream:
        [(key, card)] = stream.metadata().items()
    document = json.dumps({**json.loads(card), "base": base, "made_in": {}})
    save_file(load_file(path), path, metadata={key: document})


@pytest.mark.parametrize("verb", FILE_VERBS)
def test_no_file_of_the_user_is_replaced(verb, project, capsys):
    before = snapshot(project.parent)
    ending = {"merge": ".safetensors", "collect": ".extxyz"}.get(verb.split()[0], "")
    for place in FILES:
        if place in {"data", "dangling"} and ending:
            continue
        refused(f"{FILE_VERBS[verb]} {place}", capsys)
        assert snapshot(project.parent) == before, place


@pytest.mark.parametrize("verb", FILE_VERBS)
def test_overwrite_spares_inputs(verb, project, capsys):
    inputs = {
        "merge": ["run/graft.safetensors"],
        "plan": ["data/train.extxyz", "link/train.extxyz"],
        "report": ["run/result.json", "run/spec.yaml"],
        "collect": ["chosen/select.extxyz", "chosen/label/001/gpaw/structure.extxyz"],
    }
    before = snapshot(project.parent)
    for place in inputs[verb.split()[0]]:
        said = refused(f"{FILE_VERBS[verb]} {place} --overwrite", capsys)
        assert "is an input" in said
        assert snapshot(project.parent) == before


@pytest.mark.parametrize("verb", FILE_VERBS)
def test_overwrite_replaces_what_is_no_input(verb, made, tmp_path, monkeypatch):
    """Negative control: the refusals above are about what was there."""
    monkeypatch.chdir(made)
    endings = {"merge": ".safetensors", "collect": ".extxyz"}
    path = tmp_path / f"mine{endings.get(verb.split()[0], '.json')}"
    assert run(f"{FILE_VERBS[verb]} {path}") == 0
    path.write_text("mine")
    assert run(f"{FILE_VERBS[verb]} {path}") == 2
    assert path.read_text() == "mine"
    assert run(f"{FILE_VERBS[verb]} {path} --overwrite") == 0
    assert path.read_bytes() != b"mine"


def test_a_base_that_is_a_file_is_not_merged_over(made, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(made / "model.safetensors", "base.safetensors")
    shutil.copytree(made / "data", "data")
    command = FOLDER_VERBS["adapt"].replace(SI, "base.safetensors")
    assert run(f"{command} --out run") == 0
    before = snapshot(tmp_path)
    for option in ("", " --overwrite"):
        refused(f"merge run --out base.safetensors{option}", capsys)
    assert snapshot(tmp_path) == before


OWN = ("notes.txt", "data/mine.extxyz", "cells/mine.txt", ".big.part", "phonopy-x.yaml")
OWN += ("scratch/mine.txt", "memory/mine.json", "structures/mine.vasp")

TWICE = [
    "adapt",
    pytest.param("adapt beside scratch", marks=SLOW),
    pytest.param("phonons", marks=SLOW),
    pytest.param("stabilise", marks=SLOW),
    pytest.param("screen", marks=SLOW),
    pytest.param("compare", marks=SLOW),
    pytest.param("campaign", marks=SLOW),
]


@pytest.mark.parametrize("verb", TWICE)
def test_files_put_beside_results_outlive_them(verb, made, tmp_path, monkeypatch):
    """Ours are written, kept, thrown away and written again; the others stay."""
    monkeypatch.chdir(made)
    out = tmp_path / "out"
    command = f"{FOLDER_VERBS[verb]} --out {out}"
    assert run(command) == 0
    ours = {one for one in out.rglob("*") if one.is_file()}
    assert out / MANIFEST in ours
    mine = [out / name for name in OWN]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    times = [path.stat().st_mtime_ns for path in mine]
    assert run(command) == 0
    if verb not in WITHOUT_FRESH:
        assert run(f"{command} --fresh") == 0
    assert {one for one in out.rglob("*") if one.is_file()} == ours | set(mine)
    assert [path.read_text() for path in mine] == ["mine"] * len(mine)
    assert [path.stat().st_mtime_ns for path in mine] == times
    shutil.move(out, tmp_path / "moved")
    assert run(command.replace(str(out), str(tmp_path / "moved"))) == 0


def test_a_result_changed_by_hand_is_not_thrown_away(made, tmp_path, monkeypatch):
    monkeypatch.chdir(made)
    out = tmp_path / "out"
    command = f"{FOLDER_VERBS['phonons']} --out {out}"
    assert run(command) == 0
    page = out / "phonons.html"
    page.write_text(page.read_text() + "<!-- my notes -->")
    before = snapshot(out)
    assert run(f"{command} --fresh") == 2
    assert snapshot(out) == before
    page.rename(tmp_path / "kept.html")
    assert run(f"{command} --fresh") == 0
    assert "my notes" in (tmp_path / "kept.html").read_text()


def test_a_copy_without_its_list_is_read_and_never_written(
    made, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(made)
    copied = tmp_path / "run"
    shutil.copytree(made / "run", copied)
    kept = (copied / MANIFEST).rename(tmp_path / MANIFEST)
    before = snapshot(copied)
    for command in (
        f"prove {copied} --test data/test.extxyz",
        f"{FOLDER_VERBS['adapt']} --out {copied} --fresh",
    ):
        assert f"copy {MANIFEST} too" in refused(command, capsys)
    assert snapshot(copied) == before
    assert run(f"merge {copied} --out {tmp_path / 'merged.safetensors'}") == 0
    kept.rename(copied / MANIFEST)
    assert run(f"report {copied}") == 0


def test_a_graft_that_names_itself_is_told(made, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made / "data", "data")
    for name, base in {"run": "run", "first": "second", "second": "first"}.items():
        shutil.copytree(made / "run", name)
        graft_onto(Path(name), base)
    for name in ("run", "first"):
        for verb in (
            "merge {} --out m",
            f"{FOLDER_VERBS['adapt']} --base {{}} --out o",
        ):
            said = refused(verb.format(name), capsys)
            assert "names itself as its base" in said
