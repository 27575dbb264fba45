"""atomgraft diffusivity from the command line: record, page, --json, refusals."""

import json
import sys
from pathlib import Path

import ase.io
import pytest

from atomgraft.cli import main
from atomgraft.transport.diffusivity.record import DIFFUSIVITY
from tests.hopping import crystal, diffusivity_of

COMMAND = "diffusivity run.extxyz --mobile Li --temperature 800 --step 100"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    ase.io.write(folder / "run.extxyz", crystal(300, rate=0.01, seed=1))
    ase.io.write(folder / "still.extxyz", crystal(300, rate=0.0, drift=0.05))
    ase.io.write(folder / "melt.extxyz", crystal(200, rate=0.01, melting=0.3))
    ase.io.write(folder / "coarse.extxyz", crystal(200, rate=0.2, seed=2))
    ase.io.write(folder / "one.extxyz", crystal(1))
    ase.io.write(folder / "XDATCAR", crystal(100), format="vasp-xdatcar")
    (folder / "broken.extxyz").write_text("3\nnonsense\nH 0 0\n")
    (folder / "more.yaml").write_text("skip: 5.0\nseed: 7\n")
    return folder


@pytest.fixture(autouse=True)
def place(made, tmp_path, monkeypatch):
    for path in made.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)


def run(command, monkeypatch):
    """Run the command line in this process; return its exit status."""
    monkeypatch.setattr(sys, "argv", ["atomgraft", *command.split()])
    with pytest.raises(SystemExit) as ended:
        main.main()
    return ended.value.code or 0


def test_a_trajectory_becomes_a_record_a_page_and_a_table(monkeypatch, capsys):
    assert run(COMMAND, monkeypatch) == 0
    folder = Path("diffusivity-run")
    result = DIFFUSIVITY.read(folder)
    value = result.temperatures[0].ions[0].diffusivity.value
    assert value.low95 < diffusivity_of(0.01, 0.1) < value.high95
    assert result.provenance[0].verb == "diffusivity"
    assert (folder / "report.html").exists()
    said = " ".join(capsys.readouterr().err.split())
    assert "D* of Li at 800 K is" in said
    assert "Nernst-Einstein conductivities assume" in said
    assert run("report diffusivity-run --out page.html", monkeypatch) == 0
    assert "Diffusion in Li6O25" in Path("page.html").read_text()


def test_json_is_the_record_alone(monkeypatch, capsys):
    assert run(f"{COMMAND} --out new --json", monkeypatch) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(Path("new/diffusivity.json").read_text())


def test_the_same_command_shows_and_another_refuses(monkeypatch, capsys):
    assert run(f"{COMMAND} --out one", monkeypatch) == 0
    before = Path("one/diffusivity.json").read_bytes()
    assert run(f"{COMMAND} --out one", monkeypatch) == 0
    assert run(f"{COMMAND} --skip 1 --out one", monkeypatch) == 2
    assert "holds the diffusivity of other" in capsys.readouterr().err
    assert Path("one/diffusivity.json").read_bytes() == before


def test_a_spec_file_is_read_and_typed_options_win(monkeypatch):
    assert run(f"{COMMAND} --spec more.yaml --seed 8 --out one", monkeypatch) == 0
    settings = DIFFUSIVITY.read(Path("one")).settings
    assert (settings.skip, settings.seed) == (5.0, 8)


def test_drifting_vibrations_have_a_limit_and_no_number(monkeypatch, capsys):
    still = "diffusivity still.extxyz --mobile Li --temperature 800 --step 100"
    assert run(f"{still} --out one", monkeypatch) == 0
    result = DIFFUSIVITY.read(Path("one"))
    [ion] = result.temperatures[0].ions
    assert ion.diffusivity.value is None
    assert ion.quantiles == ()
    assert result.trajectories[0].drift == pytest.approx(0.05 * 299, abs=0.2)
    assert result.temperatures[0].conduction.nernst_einstein.value is None
    assert "No diffusion of Li was seen" in capsys.readouterr().err


REFUSED = {
    "diffusivity run.extxyz --mobile Li --step 100": "--temperature 600",
    "diffusivity run.extxyz --mobile Li --temperature 800": "--step 100",
    "diffusivity XDATCAR --mobile Li --temperature 800": "--step 100",
    "diffusivity run.extxyz --temperature 800 --step 100": "--mobile",
    "diffusivity run.extxyz --mobile Na --temperature 800 --step 9": "has no Na",
    "diffusivity run.extxyz --mobile Q --temperature 800 --step 9": "element",
    "diffusivity one.extxyz --mobile Li --temperature 800 --step 9": "has 1 frame",
    "diffusivity coarse.extxyz --mobile Li --temperature 800 --step 9": "--unwrapped",
    "diffusivity melt.extxyz --mobile Li --temperature 800 --step 100": "is molten",
    "diffusivity broken.extxyz --mobile Li --temperature 800 --step 9": "cannot be",
    "diffusivity none.extxyz --mobile Li --temperature 800 --step 9": "none.extxyz",
    "diffusivity more.yaml --mobile Li --temperature 800 --step 9": "format",
    f"{COMMAND} --temperature warm": "temperature",
    f"{COMMAND} --charge Li": "--charge Li=2",
    f"{COMMAND} --estimator best": "estimator",
    f"{COMMAND} --deep": "--deep",
}


@pytest.mark.parametrize("command", REFUSED)
def test_what_it_cannot_do_is_one_paragraph(command, monkeypatch, capsys):
    assert run(f"{command} --out new", monkeypatch) == 2
    said = capsys.readouterr().err
    assert REFUSED[command] in said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) <= 6
    assert not Path("new").exists()
