"""The file of a diffusivity: whole again, and refused where it cannot be read."""

import pytest
from pydantic import ValidationError

from atomgraft.core.errors import BadInputError
from atomgraft.transport.diffusivity.record import DIFFUSIVITY, Bound
from tests.diffusivities import interval, lithium


def test_a_result_comes_back_as_it_was(tmp_path):
    path = DIFFUSIVITY.write(tmp_path, lithium())
    assert path.name == "diffusivity.json"
    assert DIFFUSIVITY.read(tmp_path) == DIFFUSIVITY.read(path) == lithium()


def test_a_limit_never_looks_like_a_value():
    with pytest.raises(ValidationError, match="exclude each other"):
        Bound(value=interval(1.0), limit=1.0)


def test_ions_come_by_temperature():
    found = [(at.temperature, ion.element) for at, ion in lithium().ions()]
    assert found == [(600.0, "Li"), (800.0, "Li"), (1000.0, "Li")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a readable result"),
        ("[]", "where keys are needed"),
        ('{"schema_version": 99}', "version 99"),
        ('{"schema_version": 1}', "not a readable result"),
    ],
)
def test_a_broken_file_is_refused(text, words, tmp_path):
    (tmp_path / DIFFUSIVITY.file).write_text(text)
    with pytest.raises(BadInputError, match=words):
        DIFFUSIVITY.read(tmp_path)
