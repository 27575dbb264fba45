"""The file of a tree: whole again, and refused where it cannot be read."""

import json

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.stabilise.record import STABILISE
from tests.trees import crystal, perovskite, tree


def test_a_tree_comes_back_as_it_was(tmp_path):
    path = STABILISE.write(tmp_path, perovskite())
    assert path.name == STABILISE.file
    assert STABILISE.read(tmp_path) == STABILISE.read(path) == perovskite()


def test_a_structure_needs_nothing_but_json(tmp_path):
    path = STABILISE.write(tmp_path, perovskite())
    structure = json.loads(path.read_text())["crystals"][0]["structure"]
    assert structure["symbols"] == ["Ba"]
    assert structure["cell"][0] == [4.0, 0.0, 0.0]


def test_the_lowest_and_the_lowest_stable_crystal():
    result = perovskite()
    best, stable = result.best(), result.best_stable()
    assert best is not None
    assert stable is not None
    assert best.space_group == "Amm2"  # crystal 3 is lower, and not converged
    assert stable.space_group == "Amm2"
    assert tree([crystal(0, "Pm-3m", 0.0, -2.0)]).best_stable() is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a readable result"),
        ("[]", "where keys are needed"),
        ('{"schema_version": 99}', "version 99"),
        ('{"schema_version": true}', "version True"),
        ('{"schema_version": 1}', "not a readable result"),
    ],
)
def test_a_broken_file_is_refused(text, words, tmp_path):
    (tmp_path / STABILISE.file).write_text(text)
    with pytest.raises(BadInputError, match=words):
        STABILISE.read(tmp_path)


def test_a_folder_without_a_tree_is_refused(tmp_path):
    with pytest.raises(BadInputError, match=r"holds no stabilise\.json"):
        STABILISE.read(tmp_path)
