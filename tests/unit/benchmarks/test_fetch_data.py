"""Public data are kept with the right hash, and thrown away with any other."""

import hashlib
import importlib.util
import re
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "fetch_data.py"

CONTENT = b"lattice and forces\n"

RIGHT = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def script(monkeypatch):
    """Return the script as a module; it is no part of the package."""
    spec = importlib.util.spec_from_file_location("fetch_data", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "fetch_data", module)  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def public_file(script, tmp_path):
    """Return a function that describes a file served from this disk."""
    source = tmp_path / "server" / "set.yaml.xz"
    source.parent.mkdir()
    source.write_bytes(CONTENT)
    home = source.as_uri()

    def describe(sha256=RIGHT, url=home):
        return script.PublicFile(target="sets/set.yaml.xz", url=url, sha256=sha256)

    return describe


def run_main(script, monkeypatch, files, *arguments):
    monkeypatch.setattr(script, "FILES", tuple(files))
    monkeypatch.setattr(sys, "argv", ["fetch_data.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        script.main()
    return stop.value.code


def test_the_right_hash_is_kept_whole(script, public_file, tmp_path):
    word = script.fetch(public_file(), tmp_path)
    assert word == "fetched (BSD-3-Clause)"
    assert (tmp_path / "sets/set.yaml.xz").read_bytes() == CONTENT


def test_another_hash_is_thrown_away(script, public_file, tmp_path):
    file = public_file(sha256="0" * 64)
    word = script.fetch(file, tmp_path)
    assert word.startswith("failed")
    assert file.url in word
    assert not (tmp_path / "sets").exists()


def test_what_is_there_is_not_asked_for_again(script, public_file, tmp_path):
    nowhere = (tmp_path / "gone").as_uri()
    target = tmp_path / "sets/set.yaml.xz"
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    before = target.stat().st_mtime_ns
    assert script.fetch(public_file(url=nowhere), tmp_path) == "there"
    assert target.stat().st_mtime_ns == before
    target.unlink()  # the same place, were it asked, has nothing to give
    assert script.fetch(public_file(url=nowhere), tmp_path).startswith("failed")


def test_a_damaged_file_is_replaced(script, public_file, tmp_path):
    target = tmp_path / "sets/set.yaml.xz"
    target.parent.mkdir()
    target.write_bytes(CONTENT[:5])
    assert script.fetch(public_file(), tmp_path).startswith("fetched")
    assert target.read_bytes() == CONTENT


def test_main_reports_each_file(script, public_file, tmp_path, monkeypatch, capsys):
    assert run_main(script, monkeypatch, [public_file()], tmp_path) == 0
    assert capsys.readouterr().out == "sets/set.yaml.xz: fetched (BSD-3-Clause)\n"
    wrong = public_file(sha256="0" * 64)
    assert run_main(script, monkeypatch, [wrong], tmp_path / "other") == 1
    assert "another version" in capsys.readouterr().out


def test_main_reads_the_folder_from_the_environment(
    script, public_file, tmp_path, monkeypatch
):
    monkeypatch.setenv("ATOMGRAFT_DATA", str(tmp_path / "data"))
    assert run_main(script, monkeypatch, [public_file()]) == 0
    assert (tmp_path / "data/sets/set.yaml.xz").is_file()


def test_the_published_list_is_sound(script):
    targets = [file.target for file in script.FILES]
    assert len(set(targets)) == len(targets) > 0
    for file in script.FILES:
        assert file.url.startswith("https://")
        assert Path(file.url).name == Path(file.target).name
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.licence
