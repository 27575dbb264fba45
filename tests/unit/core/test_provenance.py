"""Provenance: versions, machine, command, and fingerprints that tell data apart."""

import datetime as dt
import hashlib
import importlib.metadata
import json
import platform
import socket
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import atomgraft
from atomgraft.core import provenance
from atomgraft.core.provenance import (
    command_line,
    file_fingerprint,
    fingerprint,
    machine,
    now,
    package_versions,
)

lists_of_parts = st.lists(st.binary(max_size=8), max_size=6)


def test_versions_are_the_installed_ones():
    versions = package_versions()
    assert versions["python"] == platform.python_version()
    assert versions["atomgraft"] == atomgraft.__version__
    for name in ("torch", "numpy", "ase"):
        assert versions[name] == importlib.metadata.version(name)


def test_what_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no-such-distribution"))
    assert set(package_versions()) == {"python", "atomgraft", "numpy"}


def test_the_machine_is_described_without_its_name(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "secret-host")
    monkeypatch.setattr(platform, "node", lambda: "secret-host")
    described = machine()
    assert set(described) == {"system", "processor", "cores"}
    assert "secret-host" not in json.dumps(described)
    assert platform.system() in str(described["system"])
    assert described["cores"] >= 1


@pytest.mark.parametrize("answer", ["", "arm"])
def test_a_processor_without_a_listing_is_named_all_the_same(answer, monkeypatch):
    monkeypatch.setattr(provenance.Path, "exists", lambda _: False)
    monkeypatch.setattr(platform, "processor", lambda: answer)
    assert machine()["processor"] == (answer or "unknown")


def test_the_time_is_in_utc():
    told = dt.datetime.fromisoformat(now())
    assert told.utcoffset() == dt.timedelta(0)
    assert told.microsecond == 0
    assert abs(dt.datetime.now(dt.UTC) - told).total_seconds() < 60


def test_the_command_does_not_tell_where_the_program_lies(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/home/me/bin/atomgraft", "adapt", "--steps=2"])
    assert command_line() == "atomgraft adapt --steps=2"


@given(one=lists_of_parts, other=lists_of_parts)
def test_fingerprints_are_equal_exactly_where_parts_are(one, other):
    assert (fingerprint(one) == fingerprint(other)) == (one == other)


@given(parts=lists_of_parts.filter(lambda parts: len(parts) > 1), data=st.data())
def test_moving_a_boundary_changes_the_fingerprint(parts, data):
    """The negative control of the length prefix: the joined bytes are the same."""
    cut = data.draw(st.integers(1, len(parts) - 1))
    joined = [*parts[: cut - 1], parts[cut - 1] + parts[cut], *parts[cut + 1 :]]
    assert b"".join(joined) == b"".join(parts)
    assert fingerprint(joined) != fingerprint(parts)


@given(parts=lists_of_parts)
def test_a_generator_of_parts_will_do(parts):
    assert fingerprint(iter(parts)) == fingerprint(parts)
    assert len(fingerprint(parts)) == 64


def test_a_file_is_told_by_its_bytes(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"x" * 100_000)
    other.write_bytes(one.read_bytes())
    assert file_fingerprint(one) == file_fingerprint(other)
    assert file_fingerprint(one) == hashlib.sha256(b"x" * 100_000).hexdigest()
    other.write_bytes(b"x" * 100_001)
    assert file_fingerprint(one) != file_fingerprint(other)
