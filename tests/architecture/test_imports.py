"""Do imports point downhill, and does nobody pay for what is not used?"""

import functools
import json
import subprocess
import sys

import pytest

from tests.architecture.source import REPOSITORY

HEAVY = ("torch", "ase", "numpy", "scipy", "sevenn", "e3nn", "matscipy", "pydantic")

MODULES_OF_HELP = 400
"""They are its time, and are the same on every machine; numpy alone loads 150 more."""

HELP = """
import sys
from atomgraft.cli.main import main
sys.argv = ["atomgraft", {}"--help"]
try:
    main()
except SystemExit as end:
    assert not end.code
"""

LOADED = "import json, sys; print(json.dumps(sorted(sys.modules)))"


@functools.cache
def modules_of(statement: str) -> list[str]:
    """Return the modules that a fresh interpreter has loaded after it."""
    command = [sys.executable, "-c", f"{statement}\n{LOADED}"]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=120
    )
    return json.loads(done.stdout.splitlines()[-1])


def loaded_by(statement: str) -> set[str]:
    """Return the top-level packages among them."""
    return {name.split(".")[0] for name in modules_of(statement)}


def test_layers_hold():
    """Run the contracts of pyproject.toml, cycles between siblings among them."""
    from importlinter import configuration
    from importlinter.application import use_cases

    configuration.configure()
    assert use_cases.lint_imports(config_filename=str(REPOSITORY / "pyproject.toml"))


def test_importing_the_package_loads_nothing():
    assert loaded_by("import atomgraft").isdisjoint(HEAVY)


def test_help_needs_no_science_and_little_else():
    modules = modules_of(HELP.format(""))
    assert "atomgraft.cli.main" in modules
    assert {name.split(".")[0] for name in modules}.isdisjoint(HEAVY)
    assert len(modules) < MODULES_OF_HELP


def test_one_verb_loads_no_other():
    modules = set(modules_of(HELP.format("'compare', ")))
    assert "atomgraft.compare.command" in modules
    assert modules.isdisjoint({"atomgraft.label.command", "atomgraft.phonons.command"})
    assert modules.isdisjoint({"torch", "ase", "numpy"})


@pytest.mark.parametrize(
    "package", ["run.record", "run.page.document", "core.environments"]
)
def test_results_pages_and_names_need_neither_torch_nor_ase(package):
    found = loaded_by(f"import atomgraft.{package}")
    assert found.isdisjoint({"torch", "ase", "sevenn", "e3nn", "matscipy"})


def test_the_probe_sees_torch():
    """Negative control."""
    assert {"torch", "ase"} <= loaded_by("import atomgraft.models.graph")


@pytest.mark.parametrize("framework", ["sevenn", "mace", "e3nn"])
def test_frameworks_load_only_when_needed(framework):
    assert framework not in loaded_by("import atomgraft.models.loading")
