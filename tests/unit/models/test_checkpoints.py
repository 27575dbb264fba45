"""Checkpoints of strangers: data is read, code is not run without the user's word."""

import collections
import os
import zipfile

import pytest
import torch

from atomgraft.adaptation.graft import read_card
from atomgraft.core.errors import BadInputError
from atomgraft.models.checkpoints import MAX_HEADER, check_tensors, read_checkpoint
from atomgraft.models.pair import load_pair


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


class Harmless:
    """What a framework might store beside its tensors."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.pth"


def test_tensors_and_plain_containers_are_data(path):
    content = collections.OrderedDict(a=torch.arange(3.0), b=[1, "two", None])
    torch.save(content, path)
    found = read_checkpoint(path)
    assert torch.equal(found["a"], content["a"])
    assert found["b"] == content["b"]


def test_a_payload_is_refused_before_it_runs(path, tmp_path):
    mark = tmp_path / "ran"
    torch.save({"weights": torch.ones(2), "extra": Payload(mark)}, path)
    with pytest.raises(BadInputError, match="without running its code") as caught:
        read_checkpoint(path)
    assert not mark.exists()
    assert "mkdir" in caught.value.came
    assert "--trust" in caught.value.remedy
    read_checkpoint(path, trust=True)  # the negative control: it would have run
    assert mark.is_dir()


def test_allowed_types_are_read_and_forgotten_afterwards(path):
    torch.save({"extra": Harmless()}, path)
    assert isinstance(read_checkpoint(path, allowed=[Harmless])["extra"], Harmless)
    with pytest.raises(BadInputError, match="Harmless"):
        read_checkpoint(path)


def test_a_bomb_is_refused_before_torch_reads_it(path, monkeypatch):
    """Of entries that torch would expand in memory, 1,000 times their size."""
    torch.save({"weights": torch.zeros(2**24)}, path)
    assert len(read_checkpoint(path)["weights"]) == 2**24  # the negative control
    squeezed = path.with_name("bomb.pth")
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(squeezed, "w") as archive:
        for one in whole.infolist():
            content = whole.read(one)
            archive.writestr(one.filename, content, zipfile.ZIP_DEFLATED)
    assert squeezed.stat().st_size < 2**20
    monkeypatch.setattr(torch, "load", None)
    for trust in (False, True):
        with pytest.raises(BadInputError, match="expands to 64 MiB"):
            read_checkpoint(squeezed, trust=trust)


def test_a_header_of_many_megabytes_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    header = b'{"__metadata__":{' + b" " * MAX_HEADER + b"}}"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    for read in (check_tensors, load_pair, read_card):
        with pytest.raises(BadInputError, match="header of up to 16 MiB"):
            read(path)


@pytest.mark.parametrize("stated", [2**24, 2**40, 2**64 - 1])
def test_a_header_beyond_the_file_is_refused(stated, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(stated.to_bytes(8, "little") + bytes(100))
    for read in (load_pair, read_card):
        with pytest.raises(BadInputError):
            read(path)


def test_a_type_may_be_allowed_under_the_name_the_file_asks_for(path):
    torch.save({"extra": Harmless()}, path)
    name = f"{Harmless.__module__}.{Harmless.__qualname__}"
    found = read_checkpoint(path, allowed=[(dict, name)])
    assert type(found["extra"]) is dict


def test_allowing_one_type_does_not_let_a_payload_in(path, tmp_path):
    torch.save([Harmless(), Payload(tmp_path / "ran")], path)
    with pytest.raises(BadInputError, match="mkdir"):
        read_checkpoint(path, allowed=[Harmless])
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["absent.pth", ".", "x" * 5000])
def test_what_is_no_file_is_told(name, tmp_path):
    with pytest.raises(BadInputError, match="is not a file"):
        read_checkpoint(tmp_path / name)


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04 cut", b"\x80\x02"])
def test_rubbish_is_told_in_one_line(content, trust, path):
    path.write_bytes(content)
    with pytest.raises(BadInputError) as caught:
        read_checkpoint(path, trust=trust)
    assert str(path) in caught.value.came
    assert "\n" not in str(caught.value)


def test_a_file_that_was_cut_is_told(path):
    torch.save({"a": torch.ones(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(BadInputError, match="cannot be read"):
        read_checkpoint(path)
