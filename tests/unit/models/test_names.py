"""Names: each tells its framework, as the loaded potential does."""

import pytest

from atomgraft.core.environments import python_for
from atomgraft.core.errors import BadInputError
from atomgraft.models.loading import known_names, load_potential
from atomgraft.models.names import framework_of
from atomgraft.results.schema import RESULT
from tests.trials import NEEDS_SEVENN
from tests.unit.report.example_result import make_result


@pytest.mark.parametrize("name", known_names())
def test_every_known_name_tells_its_framework(name):
    assert framework_of(name) in {"sevennet", "mace", "pair"}


@pytest.mark.parametrize(
    "name",
    [
        "pair:sw-si",
        pytest.param("sevennet:tiny:Si", marks=NEEDS_SEVENN),
        pytest.param("7net-0", marks=NEEDS_SEVENN),
    ],
)
def test_the_loaded_potential_agrees(name, tmp_path):
    potential = load_potential(name)
    assert framework_of(name) == potential.card.framework
    assert framework_of(str(potential.export(tmp_path / "file"))) == framework_of(name)


@pytest.mark.parametrize(
    ("name", "framework"),
    [
        ("7NET-0", "sevennet"),
        ("mace-mp-0b3", "mace"),
        ("mace:tiny:Si,Ge", "mace"),
        ("weights/mine.model", "mace"),
        ("mace/mine.pth", "sevennet"),
    ],
)
def test_what_is_not_here_tells_it_too(name, framework):
    assert framework_of(name) == framework


def test_a_run_has_the_framework_of_its_base(tmp_path):
    result = make_result()
    RESULT.write(tmp_path, result)
    assert framework_of(str(tmp_path)) == result.base.framework


@pytest.mark.parametrize("name", ["si", "x" * 5000, "model.ckpt"])
def test_what_tells_nothing_is_refused(name):
    with pytest.raises(BadInputError, match="tells of no framework"):
        framework_of(name)


def test_a_folder_without_a_result_is_refused(tmp_path):
    with pytest.raises(BadInputError):
        framework_of(str(tmp_path))


def test_a_campaign_finds_the_python_of_a_cell():
    assert python_for(framework_of("pair:sw-si")).exists()
