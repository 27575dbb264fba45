"""Options of atomgraft phonons: texts of numbers, and folders named after crystals."""

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.phonons import spec


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", [[2, 0, 0], [0, 2, 0], [0, 0, 2]]),
        ("1 2 3", [[1, 0, 0], [0, 2, 0], [0, 0, 3]]),
        ("1x2x3", [[1, 0, 0], [0, 2, 0], [0, 0, 3]]),
        ("1,2,3", [[1, 0, 0], [0, 2, 0], [0, 0, 3]]),
        ("-1 1 1 1 -1 1 1 1 -1", [[-1, 1, 1], [1, -1, 1], [1, 1, -1]]),
    ],
)
def test_a_supercell_in_words(text, expected):
    assert spec.rows_of(text) == expected


@pytest.mark.parametrize(
    "text", ["", "2 2", "2.5", "two", "1 2 3 4", "²", "2 2 x y", "9" * 20]
)
def test_what_is_no_supercell_is_told(text):
    with pytest.raises(BadInputError, match="1 or 3 or 9 whole numbers") as caught:
        spec.rows_of(text)
    assert "--supercell" in caught.value.remedy


@pytest.mark.parametrize("text", ["8", "8 8 8", "8x8x8"])
def test_a_mesh_in_words(text):
    assert spec.numbers_of(text, "--mesh", {1, 3}) == [8, 8, 8]


@pytest.mark.parametrize(
    ("crystal", "expected"),
    [
        ("POSCAR", "POSCAR"),
        ("data/mp-1265-Mg4O4.yaml.xz", "mp-1265-Mg4O4"),
        ("phonopy.yaml@:3", "phonopy"),
        ("shipped:si-phonons", "shipped-si-phonons"),
        ("my crystal.cif", "my-crystal"),
        ("..", "crystal"),
    ],
)
def test_folders_are_named_after_crystals(crystal, expected):
    assert spec.stem_of(crystal) == expected
