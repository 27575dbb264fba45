"""What --trust covers: files named on the command line, not what they point to."""

import json
import os
import pickle
from pathlib import Path

import pytest
from ase.build import bulk
from ase.io import write
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from atomgraft.adaptation.graft import CARD_KEY, GRAFT
from atomgraft.core.provenance import file_fingerprint
from atomgraft.run.record import RESULT
from atomgraft.run.spec import SPEC, read_spec
from tests.integration.test_bad_input import run

RUN = "adapt --base pair:sw-si --train shipped:si-train@:3 --recipe full --steps 0"


class Payload:
    """Makes a folder when it is unpickled."""

    def __reduce__(self):
        return (os.mkdir, (str(Path.cwd() / "pwned"),))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A run folder whose graft and spec point to a file that runs code."""
    monkeypatch.chdir(tmp_path)
    Path("evil.pth").write_bytes(pickle.dumps(Payload()))
    Path("other.pth").write_bytes(pickle.dumps({"not": "a model"}))
    assert run(f"{RUN} --out run") == 0
    graft = Path("run", GRAFT)
    with safe_open(graft, framework="pt") as stream:
        card = json.loads(stream.metadata()[CARD_KEY])
    card["base"] = str(tmp_path / "evil.pth")
    save_file(load_file(graft), graft, metadata={CARD_KEY: json.dumps(card)})
    spec = Path("run", SPEC)
    spec.write_text(spec.read_text().replace("pair:sw-si", card["base"]))
    result = json.loads(Path("run", RESULT.file).read_text())
    result["spec"] = read_spec(spec).model_dump(mode="json")
    Path("run", RESULT.file).write_text(json.dumps(result))
    write("crystal.cif", bulk("Si", cubic=True))
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        "prove run",
        "merge run --out merged",
        "phonons crystal.cif --model run --out p",
        "select crystal.cif --model run --out s",
        "adapt --base run --train shipped:si-train@:3 --out again",
        "adapt run",
        "check shipped:si-train@:3 --base run",
    ],
)
@pytest.mark.parametrize("trust", ["", "--trust", "--trust-file other.pth"])
def test_what_a_run_points_to_is_not_covered(command, trust, here, capsys):
    assert run(f"{command} {trust}") == 2
    assert not Path("pwned").exists()
    told = " ".join(capsys.readouterr().err.split())
    assert ("names no model file" if trust == "--trust" else "its code") in told


def test_the_file_itself_can_be_named(here, capsys):
    """The negative control: what the refusal asks for is what runs the file."""
    assert run("merge run --out merged --trust-file evil.pth") == 2
    assert Path("pwned").exists()
    digest = file_fingerprint(Path("evil.pth"))
    assert digest in "".join(capsys.readouterr().err.split())


def test_trust_covers_one_of_two_models(here, capsys):
    models = "--base other.pth --base run"
    options = "--train shipped:si-train@:3 --test shipped:si-test --recipe full"
    assert run(f"compare {models} {options} --trust --out c") == 2
    assert not Path("pwned").exists()


def test_trust_in_nothing_says_what_it_covers(here, capsys):
    assert run("prove run --trust") == 2
    assert "--trust-file FILE" in capsys.readouterr().err


def test_a_file_to_be_trusted_exists(here, capsys):
    assert run("merge run --out m --trust-file nowhere.pth") == 2
    assert "nowhere.pth is not a file" in capsys.readouterr().err
