"""The example of a plug-in: installed by pip, it works, and its own tests pass."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.docs.pages import REPOSITORY

pytestmark = pytest.mark.slow

EXAMPLE = REPOSITORY / "examples" / "plugin"


@pytest.fixture(scope="module")
def variables(tmp_path_factory):
    """Install the example into a folder; return variables by which it is seen."""
    source = tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(EXAMPLE, source)  # pip builds inside the source
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", target]
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, *options, source], check=True, timeout=300)
    path = os.pathsep.join([str(target), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path.strip(os.pathsep), "OMP_NUM_THREADS": "1"}


def call(variables, *command, **options):
    return subprocess.run(
        [sys.executable, "-P", "-m", *map(str, command)],
        env=variables,
        capture_output=True,
        text=True,
        timeout=500,
        **options,
    )


def test_its_own_tests_pass(variables):
    tests = EXAMPLE / "tests"
    done = call(variables, "pytest", "-q", "-c", os.devnull, "--rootdir", tests, tests)
    assert done.returncode == 0, done.stdout


def test_its_names_work_on_the_command_line(variables, tmp_path):
    from ase.build import bulk
    from ase.calculators.emt import EMT
    from ase.io import write

    frames = []
    for seed in range(4):
        copper = bulk("Cu", cubic=True) * (2, 2, 1)
        copper.rattle(0.05, seed=seed)
        copper.calc = EMT()
        copper.get_forces()
        frames.append(copper)
    write(tmp_path / "copper.extxyz", frames)
    words = ["--base", "morse:Cu", "--train", "copper.extxyz", "--steps", "3"]
    words += ["--recipe", "interactions", "--out", "run", "--json"]
    done = call(variables, "atomgraft", "adapt", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    moving = {one["role"]: one["n_weights_moving"] for one in result["coverage"]}
    assert moving == {"readout": 0, "interaction.0": 2, "reference_energies": 0}
    assert "atomgraft-morse" in result["provenance"][0]["versions"]
    pair = call(variables, "atomgraft", "dimer", "Cu", "--model", "morse:Cu")
    assert pair.stdout.startswith("distance/A"), pair.stderr
    merged = call(variables, "atomgraft", "merge", "run", cwd=tmp_path)
    assert merged.returncode == 0, merged.stderr
    assert (tmp_path / "run" / "merged.morse").is_file()


def test_without_it_its_names_are_unknown(tmp_path):
    """Negative control."""
    words = ["adapt", "--base", "morse:Cu", "--train", "shipped:si-train@:1"]
    done = call(os.environ | {}, "atomgraft", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert "'morse:Cu' names no potential" in done.stderr
