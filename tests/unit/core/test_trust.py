"""Trust is for one file with one content, and for nothing else."""

import json

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import file_fingerprint
from atomgraft.core.trust import NO_TRUST, is_trusted, trust_in


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(b"weights")
    return path


def test_what_is_named_is_trusted_under_every_name_of_its_path(file, monkeypatch):
    trust = trust_in([str(file)])
    assert trust == {str(file.resolve()): file_fingerprint(file)}
    assert is_trusted(str(file), trust)
    monkeypatch.chdir(file.parent)
    assert is_trusted("model.pth", trust)
    (file.parent / "link.pth").symlink_to(file)
    assert is_trusted("link.pth", trust)


def test_nothing_else_is(file):
    copy = file.with_name("copy.pth")
    copy.write_bytes(file.read_bytes())
    assert not is_trusted(str(copy), trust_in([str(file)]))
    assert not is_trusted(str(file), NO_TRUST)
    assert not is_trusted("mace-mp-0b3", trust_in([str(file)]))


def test_another_content_is_refused(file):
    trust = trust_in([str(file)])
    file.write_bytes(b"other weights")
    with pytest.raises(BadInputError, match="has changed since it was trusted"):
        is_trusted(str(file), trust)


def test_a_published_name_is_trusted_however_it_is_written():
    trust = trust_in(["MACE-MP-0b3"])
    assert is_trusted("mace-mp-0B3", trust)
    assert not is_trusted("mace-mpa-0", trust)


def test_a_folder_is_never_trusted(tmp_path):
    assert trust_in([str(tmp_path)]) == {}


def test_trust_travels_as_json(file):
    trust = trust_in([str(file)])
    assert json.loads(json.dumps(trust)) == trust
