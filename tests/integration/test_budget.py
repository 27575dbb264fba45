"""A budget from the command line: what it writes, and what it refuses."""

import json

import pytest

from atomgraft.fidelity.budget.record import BUDGET
from atomgraft.fidelity.record import FIDELITY
from tests.budgets import study_of
from tests.integration.test_bad_input import run


def truth(n, n_source):
    return 900.0 * n**-0.5 * (1 + n_source / (20 * n)) ** -0.35


@pytest.fixture
def pilot(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = study_of(truth, (10, 30, 100), (30, 300, 3000), noise=0.02)
    (tmp_path / "pilot").mkdir()
    (tmp_path / "pilot" / FIDELITY.file).write_text(study.model_dump_json())
    return tmp_path


def refused(command, capsys):
    assert run(command) == 2, command
    said = capsys.readouterr().err
    assert said.count("Error: ") == 1
    assert "Traceback" not in said
    return said


def test_it_writes_a_record_and_a_page_beside_the_study(pilot, capsys):
    before = (pilot / "pilot" / FIDELITY.file).read_bytes()
    assert run("budget pilot --cpu-hours 3") == 0
    found = BUDGET.read(pilot / "pilot-budget")
    assert (pilot / "pilot-budget" / "report.html").is_file()
    assert found.headline in " ".join(capsys.readouterr().err.split())
    assert (pilot / "pilot" / FIDELITY.file).read_bytes() == before
    assert run("report pilot-budget") == 0


def test_json_is_the_record(pilot, capsys):
    assert run("budget pilot --cpu-hours 3 --json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads(BUDGET.read(pilot / "pilot-budget").model_dump_json())


def test_options_and_a_file_say_the_same(pilot):
    assert run("budget pilot --cpu-hours 3 --cost xtb=2 --out typed") == 0
    (pilot / "b.yaml").write_text("study: pilot\ncpu_hours: 3\ncosts: {xtb: 2}\n")
    assert run("budget pilot --spec b.yaml --out read") == 0
    typed, read = (BUDGET.read(pilot / one) for one in ("typed", "read"))
    assert typed.mixtures == read.mixtures
    assert typed.costs["xtb"] == 2.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("pilot", "cpu_hours"),
        ("nowhere --cpu-hours 3", "nowhere"),
        ("pilot --cpu-hours 0", "cpu_hours"),
        ("pilot --cpu-hours nan", "cpu_hours"),
        ("pilot --cpu-hours 0.001", "give more hours"),
        ("pilot --cpu-hours 3 --cost xtb", "--cost xtb"),
        ("pilot --cpu-hours 3 --cost xtb=-1", "xtb"),
        ("pilot --cpu-hours 3 --cost gfn9=1", "no level 'gfn9'"),
        ("pilot --cpu-hours 3 --base other", "Choose one"),
        ("pilot --cpu-hours 3 --pilot-share 2", "pilot_share"),
        ("pilot --cpu-hours 3 --out pilot", "pilot"),
    ],
)
def test_what_cannot_be_asked_is_refused(words, said, pilot, capsys):
    before = sorted(one.name for one in pilot.rglob("*"))
    assert said in refused(f"budget {words}", capsys)
    assert sorted(one.name for one in pilot.rglob("*")) == before
