"""Options of suites are put together from the words of the command line."""

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.run.commands.prove import _settings


def test_a_list_grows_and_a_single_value_is_kept_whole():
    words = ["bulk.surfaces=110", "bulk.surfaces=111", "bulk.reference=a.yaml"]
    found = _settings(["bulk"], ["POSCAR"], [*words, "bulk.crystal=other"])
    assert found["bulk"]["surfaces"] == ["110", "111"]
    assert found["bulk"]["reference"] == "a.yaml"
    assert found["bulk"]["crystal"] == ["POSCAR", "other"]


def test_a_single_value_is_given_once():
    words = ["bulk.reference=a.yaml", "bulk.reference=b.yaml"]
    with pytest.raises(BadInputError) as caught:
        _settings(["bulk"], [], words)
    assert "bulk.reference is set to 'a.yaml' and to 'b.yaml'" in caught.value.came
    assert "takes one value" in caught.value.needed
    same = _settings(["bulk"], [], [words[0], words[0]])
    assert same["bulk"]["reference"] == "a.yaml"
