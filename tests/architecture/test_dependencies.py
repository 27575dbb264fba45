"""Frameworks change between patches: only versions that were tested are let in."""

import importlib.metadata
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"

FRAMEWORKS = {"sevennet": "sevenn", "mace": "mace-torch"}


def bounds_of(extra):
    document = tomllib.loads(PYPROJECT.read_text())
    [requirement] = map(
        Requirement, document["project"]["optional-dependencies"][extra]
    )
    assert requirement.name == FRAMEWORKS[extra]
    return requirement.specifier


@pytest.mark.parametrize(
    "extra",
    ["sevennet", pytest.param("mace", marks=pytest.mark.mace)],
)
def test_the_tested_version_is_the_last_that_is_let_in(extra):
    try:
        tested = Version(importlib.metadata.version(FRAMEWORKS[extra]))
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{extra} is not installed here")
    major, minor, patch = tested.release
    bounds = bounds_of(extra)
    assert tested in bounds
    assert Version(f"{major}.{minor}.{patch + 1}") not in bounds
    assert Version(f"{major}.{minor + 1}.0") not in bounds
    assert Version(f"{major + 1}.0") not in bounds


@pytest.mark.parametrize("version", ["0.3.17", "0.4.0", "1.0"])
def test_a_mace_that_lacks_our_modules_is_kept_out(version):
    assert Version(version) not in bounds_of("mace")
