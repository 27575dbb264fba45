"""Can a selection be read years later, and is anything else refused?"""

import json

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.label.record import SELECTION
from tests.selections import selection_of


def test_it_reads_back_as_it_was(tmp_path):
    result = selection_of()
    path = SELECTION.write(tmp_path, result)
    assert path.name == SELECTION.file
    assert SELECTION.read(tmp_path) == SELECTION.read(path) == result


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"selection_version": 1}', '{"selection_version": 99}'],
)
def test_what_is_no_selection_is_refused(tmp_path, content):
    (tmp_path / SELECTION.file).write_text(content)
    with pytest.raises(BadInputError, match=r"not a readable|version 99"):
        SELECTION.read(tmp_path)


def test_an_unknown_key_is_refused(tmp_path):
    document = json.loads(selection_of().model_dump_json()) | {"colour": "red"}
    (tmp_path / SELECTION.file).write_text(json.dumps(document))
    with pytest.raises(BadInputError, match=r"not a readable|version 99"):
        SELECTION.read(tmp_path)


def test_a_folder_without_one_is_refused(tmp_path):
    with pytest.raises(BadInputError, match=r"holds no select\.json"):
        SELECTION.read(tmp_path)
