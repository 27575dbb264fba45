"""Kept environments: where they are, when they can be used, whose Python runs what."""

import dataclasses
import importlib.metadata
import json
import sys
from pathlib import Path

import pytest

from atomgraft.core import environments
from atomgraft.core.environments import (
    OUR_VARIABLES,
    STAMP,
    Environment,
    environments_folder,
    find_environment,
    kept_environment,
    list_made,
    own_requirement,
    own_version,
    python_for,
    remove_environment,
    variables_for,
    whereabouts,
)
from atomgraft.core.errors import BadInputError, MissingExtraError


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    folder = tmp_path / "environments"
    monkeypatch.setenv("ATOMGRAFT_ENVIRONMENTS", str(folder))
    return folder


@pytest.fixture
def nothing_here(monkeypatch):
    monkeypatch.setattr(environments, "is_installed", lambda name: False)


def keep(root, framework="mace", **changes):
    """Write what a finished environment looks like from outside."""
    folder = root / framework / "env-1"
    environment = Environment(
        framework=framework,
        folder=str(folder),
        arguments=own_requirement(framework),
        version=own_version(),
        python_version="3.11.0",
        made="2026-01-01T00:00:00+00:00",
    )
    environment = dataclasses.replace(environment, **changes)
    for part in (root, root / framework, Path(environment.folder)):
        part.mkdir(mode=0o700, exist_ok=True)
    environment.python.parent.mkdir(parents=True)
    environment.python.touch()
    stamp = root / framework / STAMP
    stamp.write_text(json.dumps(dataclasses.asdict(environment)))
    return environment


def test_the_folder_is_the_given_one_or_the_user_s_data(root, tmp_path, monkeypatch):
    assert environments_folder() == root
    monkeypatch.delenv("ATOMGRAFT_ENVIRONMENTS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert environments_folder() == tmp_path / "data" / "atomgraft" / "environments"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".local" / "share" / "atomgraft" / "environments"
    assert environments_folder() == folder


class Distribution(importlib.metadata.Distribution):
    """An installed atomgraft as pip describes it."""

    version = "1.2.3"

    def __init__(self, origin):
        self.origin = origin

    def locate_file(self, path):
        raise NotImplementedError

    def read_text(self, name):
        assert name == "direct_url.json"
        return json.dumps(self.origin) if self.origin else None


ORIGINS = {
    "a release": (None, ("atomgraft[mace]==1.2.3",)),
    "a working copy": (
        {"url": "file:///home/me/at%20om", "dir_info": {"editable": True}},
        ("--editable", "/home/me/at om[mace]"),
    ),
    "a folder": (
        {"url": "file:///home/me/atomgraft", "dir_info": {}},
        ("atomgraft[mace] @ file:///home/me/atomgraft",),
    ),
    "a commit": (
        {
            "url": "https://example.org/a.git",
            "vcs_info": {"vcs": "git", "commit_id": "abc"},
        },
        ("atomgraft[mace] @ git+https://example.org/a.git@abc",),
    ),
}


@pytest.mark.parametrize("origin", ORIGINS)
def test_pip_is_asked_for_the_atomgraft_that_runs(origin, monkeypatch):
    written, expected = ORIGINS[origin]
    monkeypatch.setattr(
        "importlib.metadata.distribution", lambda name: Distribution(written)
    )
    assert own_requirement("mace") == expected


def test_an_atomgraft_that_is_not_installed_says_so(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(BadInputError, match="is not installed"):
        own_version()


def test_without_any_environment_there_is_none(nothing_here):
    assert find_environment("mace") is None
    assert kept_environment("mace") is None
    with pytest.raises(MissingExtraError, match="atomgraft env add mace") as caught:
        python_for("mace")
    assert caught.value.framework == "mace"


def test_a_kept_environment_is_found_and_its_python_used(root, nothing_here):
    environment = keep(root)
    assert find_environment("mace") == environment
    assert environment.defect is None
    assert python_for("mace") == root / "mace" / "env-1" / "bin" / "python"


def test_this_python_comes_first(root, monkeypatch):
    """Negative control: the kept environment is not used where it is not needed."""
    keep(root)
    monkeypatch.setattr(environments, "is_installed", lambda name: True)
    assert python_for("mace") == Path(sys.executable)


@pytest.mark.parametrize("framework", ["pair", "some-plug-in"])
def test_what_needs_no_framework_runs_here(framework, nothing_here):
    assert python_for(framework) == Path(sys.executable)


DEFECTS = {
    "another version": ({"version": "0.0.1"}, "holds atomgraft 0.0.1, and this is"),
    "another origin": ({"arguments": ("atomgraft[mace]==0",)}, "comes from elsewhere"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_an_environment_of_another_atomgraft_is_not_used(defect, root, nothing_here):
    changes, words = DEFECTS[defect]
    keep(root, **changes)
    for ask in (python_for, kept_environment):
        with pytest.raises(MissingExtraError, match=words) as caught:
            ask("mace")
        assert caught.value.remedy.endswith("atomgraft env add mace")
        assert caught.value.framework is None  # there is nowhere to go on


@pytest.mark.parametrize("place", ["", "mace", f"mace/{STAMP}", "mace/env-1"])
def test_an_environment_that_others_can_write_is_not_used(place, root, nothing_here):
    keep(root)
    assert kept_environment("mace") is not None
    (root / place).chmod(0o777)
    with pytest.raises(MissingExtraError, match="can be written by other users"):
        kept_environment("mace")


def test_a_record_that_is_a_link_is_not_used(root, nothing_here, tmp_path):
    keep(root)
    (root / "mace" / STAMP).rename(tmp_path / STAMP)
    (root / "mace" / STAMP).symlink_to(tmp_path / STAMP)
    with pytest.raises(MissingExtraError, match="is a link"):
        kept_environment("mace")


def test_a_record_that_points_elsewhere_is_not_used(root, nothing_here, tmp_path):
    keep(root, folder=str(tmp_path / "env-1"))
    with pytest.raises(MissingExtraError, match="points to"):
        kept_environment("mace")


def test_an_environment_whose_python_is_gone_is_not_used(root, nothing_here):
    keep(root).python.unlink()
    with pytest.raises(MissingExtraError, match="its Python is gone"):
        python_for("mace")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"arguments": 3}', "\xff"])
def test_a_spoilt_stamp_is_no_environment(text, root):
    keep(root)
    (root / "mace" / STAMP).write_text(text)
    assert find_environment("mace") is None


def test_whereabouts_name_every_framework(root, monkeypatch):
    environment = keep(root)
    monkeypatch.setattr(environments, "is_installed", lambda name: name == "sevennet")
    found = {one.framework: (one.is_here, one.environment) for one in whereabouts()}
    assert found == {"sevennet": (True, None), "mace": (False, environment)}


def test_another_python_does_not_see_our_packages(monkeypatch):
    for name in (*OUR_VARIABLES, "OTHER"):
        monkeypatch.setenv(name, "x")
    assert "OTHER" in variables_for(Path("/elsewhere/python"))
    assert variables_for(Path("/elsewhere/python")).keys().isdisjoint(OUR_VARIABLES)
    assert set(OUR_VARIABLES) <= variables_for(Path(sys.executable)).keys()


def test_an_environment_is_removed_with_its_leftovers(root):
    keep(root)
    (root / "mace" / "env-2").mkdir()
    list_made(root / "mace", root / "mace" / "env-2")
    keep(root, "sevennet")
    assert remove_environment("mace") == root / "mace"
    assert find_environment("mace") is None
    assert not (root / "mace").exists()
    assert find_environment("sevennet") is not None


@pytest.mark.parametrize(
    ("name", "words"), [("mace", "No environment is kept"), ("../x", "no framework")]
)
def test_what_is_not_kept_cannot_be_removed(name, words):
    with pytest.raises(BadInputError, match=words):
        remove_environment(name)
