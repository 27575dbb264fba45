"""Frameworks: known by name, found without being imported."""

import sys

import pytest

from atomgraft.core.errors import BadInputError, MissingExtraError
from atomgraft.core.frameworks import (
    FRAMEWORKS,
    Framework,
    framework_named,
    is_installed,
    missing,
    require_framework,
)


@pytest.fixture
def imaginary(monkeypatch):
    """Add a framework whose module is nowhere."""
    known = {**FRAMEWORKS, "ether": Framework(title="Ether", module="ether_field")}
    monkeypatch.setattr("atomgraft.core.frameworks.FRAMEWORKS", known)
    return "ether"


def write_package(folder, name, text=""):
    package = folder / name
    package.mkdir()
    (package / "__init__.py").write_text(text)


def test_what_is_nowhere_is_not_installed(imaginary):
    assert not is_installed(imaginary)
    with pytest.raises(MissingExtraError) as caught:
        require_framework(imaginary)
    assert caught.value.framework == imaginary
    assert caught.value.remedy == "Run: atomgraft env add ether"


def test_what_is_on_the_path_is_installed_and_not_imported(
    imaginary, tmp_path, monkeypatch
):
    write_package(tmp_path, "ether_field", "raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert is_installed(imaginary)
    require_framework(imaginary)
    assert "ether_field" not in sys.modules


def test_a_folder_of_results_is_no_framework(imaginary, tmp_path, monkeypatch):
    """Negative control: people call folders of their work 'mace'."""
    (tmp_path / "ether_field").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not is_installed(imaginary)


def test_an_unknown_framework_is_answered_with_the_known_ones():
    with pytest.raises(BadInputError, match="no framework 'mcae'") as caught:
        framework_named("mcae")
    assert "mace" in caught.value.needed


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_the_error_names_the_command(name):
    assert f"atomgraft env add {name}" in str(missing(name))
    assert FRAMEWORKS[name].title in str(missing(name))
