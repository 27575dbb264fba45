"""Does a readout that is solved in closed form go on where it was killed?"""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from ase.io import read, write
from safetensors.torch import load_file

from atomgraft.adaptation import ridge
from atomgraft.adaptation.graft import GRAFT
from atomgraft.core.errors import BadInputError
from atomgraft.data.sources import shipped_path
from atomgraft.run.adapt import adapt
from atomgraft.run.record import RESULT
from atomgraft.run.spec import read_spec
from atomgraft.training.checkpoint import kept_files
from tests.trials import NEEDS_SEVENN, Listener, same_bits

pytestmark = NEEDS_SEVENN

N_FRAMES, N_ATOMS = 6, 8

KILLED = """
import os, signal, sys
from pathlib import Path
from atomgraft.adaptation import ridge
from atomgraft.run.adapt import adapt
from atomgraft.run.spec import read_spec
from atomgraft.training.checkpoint import KeptRows

ridge.KEPT_EVERY, ridge.MAX_ATOMS = 0.0, 16
keep = KeptRows.keep

def kept_and_killed(self, first, rows):
    keep(self, first, rows)
    if first:
        os.kill(os.getpid(), signal.SIGKILL)

KeptRows.keep = kept_and_killed
adapt(read_spec(Path(sys.argv[1])), Path(sys.argv[2]))
"""
"""Two groups of two frames are kept, the third is not."""


@pytest.fixture(autouse=True)
def in_small_groups(monkeypatch):
    monkeypatch.setattr(ridge, "KEPT_EVERY", 0.0)
    monkeypatch.setattr(ridge, "MAX_ATOMS", 16)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder of a run that was killed in the middle of its solve."""
    folder = tmp_path_factory.mktemp("made")
    frames = read(shipped_path("si-train"), f":{N_FRAMES}")
    assert {len(atoms) for atoms in frames} == {N_ATOMS}
    write(folder / "train.extxyz", frames)
    document = {
        "base": "sevennet:tiny:Si,Ge",
        "train": [str(folder / "train.extxyz")],
        "recipe": "ridge",
    }
    (folder / "run.yaml").write_text(json.dumps(document))
    child = subprocess.run(
        [sys.executable, "-c", KILLED, folder / "run.yaml", folder / "killed"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert child.returncode == -signal.SIGKILL
    return folder


@pytest.fixture
def spec(made):
    return read_spec(made / "run.yaml")


@pytest.fixture
def killed(made, tmp_path):
    folder = tmp_path / "killed"
    shutil.copytree(made / "killed", folder)
    names = [one.name for one in kept_files(folder)]
    assert names == ["rows-00000000.pt", "rows-00000002.pt"]
    return folder


def derivatives(listener):
    return [done for what, done, _ in listener.stages if what == ridge.DERIVATIVES]


def test_a_killed_solve_goes_on_and_ends_in_the_same_weights(spec, killed, tmp_path):
    whole, again = Listener(), Listener()
    expected = adapt(spec, tmp_path / "whole", observer=whole)
    found = adapt(spec, killed, observer=again)
    assert same_bits(load_file(killed / GRAFT), load_file(tmp_path / "whole" / GRAFT))
    assert found.ridge.model_copy(update={"seconds": 0.0}) == expected.ridge.model_copy(
        update={"seconds": 0.0}
    )
    assert derivatives(whole)[0] == 0
    assert derivatives(again)[0] == 2 * derivatives(whole)[-1] // 3  # the last third
    assert kept_files(killed) == kept_files(tmp_path / "whole") == []
    idle = Listener()
    assert adapt(spec, killed, observer=idle) == RESULT.read(killed)
    assert derivatives(idle) == []  # a finished run is not solved again


def test_fresh_begins_anew(spec, killed):
    listener = Listener()
    adapt(spec, killed, fresh=True, observer=listener)
    assert derivatives(listener)[0] == 0
    assert kept_files(killed) == []


def test_rows_of_other_data_are_refused(spec, made, killed):
    file = made / "train.extxyz"
    text = file.read_text()
    write(file, read(shipped_path("si-train"), f"1:{N_FRAMES}"))
    with pytest.raises(BadInputError, match=r"rows-00000000.pt was made with another"):
        adapt(spec, killed)
    file.write_text(text)


def test_broken_rows_are_refused(spec, killed):
    kept_files(killed)[0].write_bytes(b"rubbish")
    with pytest.raises(BadInputError, match="cannot be read as a checkpoint"):
        adapt(spec, killed)
