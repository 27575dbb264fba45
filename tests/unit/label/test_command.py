"""Are lists of the command line read as people write them, and results shown whole?"""

import io

import pytest
from rich.console import Console

from atomgraft.core.errors import BadInputError
from atomgraft.label.command import _numbers, _repeats, _words
from atomgraft.label.screen import print_record
from tests.selections import KINDS, selection_of


@pytest.mark.parametrize("text", ["a,b", "a b", " a , b ", "a,,b", "a,\tb,"])
def test_commas_and_spaces_part_words(text):
    assert _words(text) == ("a", "b")


def test_numbers_are_numbers():
    assert _numbers("0.02, 1e-1 3", "--amplitude") == (0.02, 0.1, 3.0)
    assert _numbers("", "--amplitude") == ()
    with pytest.raises(BadInputError, match="--amplitude was given as 'far'"):
        _numbers("far", "--amplitude")


@pytest.mark.parametrize(
    ("text", "repeats"),
    [("2", (2, 2, 2)), ("1 2 3", (1, 2, 3)), ("1,2,3", (1, 2, 3)), ("0", (0, 0, 0))],
)
def test_one_number_repeats_all_directions(text, repeats):
    assert _repeats(text) == repeats


@pytest.mark.parametrize("text", ["", "2 2", "1 2 3 4", "-1", "1.5", "x"])
def test_other_supercells_are_refused(text):
    with pytest.raises(BadInputError, match=r"Expected one or three whole numbers\."):
        _repeats(text)


def shown(result) -> str:
    screen = Console(file=io.StringIO(), width=200)
    print_record(screen, result)
    return screen.file.getvalue()


def test_every_chosen_structure_is_printed():
    text = shown(selection_of())
    for kind, number in zip(KINDS, ("001", "002", "003"), strict=True):
        [line] = [one for one in text.splitlines() if one.strip().startswith(number)]
        assert kind in line
        assert "0.125" in line
    assert "POTCAR" in text


def test_brackets_in_file_names_are_no_markup():
    result = selection_of(with_committee=False)
    first = result.chosen[0].model_copy(update={"note": "[red]md[/red].xyz"})
    text = shown(result.model_copy(update={"chosen": (first,)}))
    assert "[red]md[/red].xyz" in text
    assert "disagreement" not in text
