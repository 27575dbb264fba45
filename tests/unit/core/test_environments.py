"""Frameworks and kept environments: found, made whole or not at all, never confused."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from atomgraft.core import environments
from atomgraft.core.environments import (
    FRAMEWORKS,
    OUR_VARIABLES,
    STAMP,
    add_environment,
    defect_of,
    is_installed,
    kept_folder,
    missing,
    own_requirement,
    python_for,
    remove_environment,
    require_framework,
    variables_for,
)
from atomgraft.core.errors import BadInputError, MissingExtraError
from atomgraft.core.storage import locked
from tests.environments import Installer, add


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    folder = tmp_path / "environments"
    monkeypatch.setenv("ATOMGRAFT_ENVIRONMENTS", str(folder))
    monkeypatch.setattr("shutil.which", lambda name: None)
    return folder


@pytest.fixture
def nothing_here(monkeypatch):
    monkeypatch.setattr(environments, "is_installed", lambda name: False)


@pytest.fixture
def imaginary(monkeypatch):
    """Add a framework whose module is nowhere."""
    known = {**FRAMEWORKS, "ether": ("Ether", "ether_field")}
    monkeypatch.setattr(environments, "FRAMEWORKS", known)
    return "ether"


def test_what_is_nowhere_is_not_installed(imaginary):
    assert not is_installed(imaginary)
    with pytest.raises(MissingExtraError) as caught:
        require_framework(imaginary)
    assert caught.value.framework == imaginary
    assert caught.value.remedy == "Run: atomgraft env add ether"


def test_what_is_on_the_path_is_installed_and_not_imported(
    imaginary, tmp_path, monkeypatch
):
    package = tmp_path / "ether_field"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert is_installed(imaginary)
    require_framework(imaginary)
    assert "ether_field" not in sys.modules


def test_a_folder_of_results_is_no_framework(imaginary, tmp_path, monkeypatch):
    """Negative control: people call folders of their work 'mace'."""
    (tmp_path / "ether_field").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not is_installed(imaginary)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_the_error_names_the_framework_and_the_command(name):
    assert f"atomgraft env add {name}" in str(missing(name))
    assert FRAMEWORKS[name][0] in str(missing(name))


@pytest.mark.parametrize("act", [add_environment, remove_environment, kept_folder])
@pytest.mark.parametrize("name", ["mcae", "../mace"])
def test_an_unknown_framework_is_answered_with_the_known_ones(act, name, root):
    with pytest.raises(BadInputError, match="no framework") as caught:
        act(name)
    assert "mace" in caught.value.needed
    assert not root.exists()


def test_the_folder_is_the_given_one_or_the_user_s_data(root, tmp_path, monkeypatch):
    assert kept_folder("mace") == root / "mace"
    monkeypatch.delenv("ATOMGRAFT_ENVIRONMENTS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    below = Path("atomgraft", "environments", "mace")
    assert kept_folder("mace") == tmp_path / "data" / below
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kept_folder("mace") == tmp_path / ".local" / "share" / below


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
def test_the_atomgraft_that_runs_is_asked_for(origin, monkeypatch):
    written, expected = ORIGINS[origin]
    monkeypatch.setattr(
        "importlib.metadata.distribution", lambda name: Distribution(written)
    )
    assert own_requirement("mace") == expected


def test_an_atomgraft_that_is_not_installed_says_so(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(BadInputError, match="is not installed"):
        own_requirement("mace")


def test_without_any_environment_the_error_says_so(nothing_here):
    with pytest.raises(MissingExtraError, match="atomgraft env add mace") as caught:
        python_for("mace")
    assert caught.value.framework == "mace"
    assert "cannot be used" not in caught.value.came


def test_a_kept_environment_is_used(root, nothing_here, monkeypatch):
    add(monkeypatch)
    assert defect_of("mace") is None
    assert python_for("mace") == root / "mace" / "bin" / "python"


def test_this_python_comes_first(monkeypatch):
    """Negative control: the kept environment is not used where it is not needed."""
    add(monkeypatch)
    monkeypatch.setattr(environments, "is_installed", lambda name: True)
    assert python_for("mace") == Path(sys.executable)


@pytest.mark.parametrize("framework", ["pair", "some-plug-in"])
def test_what_needs_no_framework_runs_here(framework, nothing_here):
    assert python_for(framework) == Path(sys.executable)


def unused(words):
    """Check that the environment of MACE is not used, for that reason."""
    with pytest.raises(MissingExtraError, match=words) as caught:
        python_for("mace")
    assert caught.value.remedy == "Run: atomgraft env add mace"


STAMPS = ["", "[]", '["0.0.1", "atomgraft[mace]==0.0.1"]', "\xff\0", "x" * 10**6]


@pytest.mark.parametrize("text", STAMPS, ids=range(len(STAMPS)))
def test_an_environment_of_another_atomgraft_is_not_used(
    text, nothing_here, monkeypatch
):
    folder, _ = add(monkeypatch)
    (folder / STAMP).write_text(text)
    unused("holds the atomgraft")
    assert len(str(missing("mace"))) < 1500


def test_nor_is_that_of_another_version(nothing_here, monkeypatch):
    add(monkeypatch)
    monkeypatch.setattr(environments, "__version__", "99")
    unused(r"0\.1\.0.* and this is .*99")


@pytest.mark.parametrize("place", ["", "mace", f"mace/{STAMP}"])
def test_an_environment_that_others_can_write_is_not_used(
    place, root, nothing_here, monkeypatch
):
    add(monkeypatch)
    (root / place).chmod(0o777)
    unused("can be written by other users")


@pytest.mark.parametrize("place", ["mace", f"mace/{STAMP}"])
def test_a_link_is_not_used(place, root, nothing_here, tmp_path, monkeypatch):
    add(monkeypatch)
    (root / place).rename(tmp_path / "elsewhere")
    (root / place).symlink_to(tmp_path / "elsewhere")
    unused("is a link")


def test_an_environment_whose_python_is_gone_is_not_used(nothing_here, monkeypatch):
    folder, _ = add(monkeypatch)
    (folder / "bin" / "python").unlink()
    unused("has no Python any more")


def test_another_python_does_not_see_our_packages(monkeypatch):
    for name in (*OUR_VARIABLES, "OTHER"):
        monkeypatch.setenv(name, "x")
    assert "OTHER" in variables_for(Path("/elsewhere/python"))
    assert variables_for(Path("/elsewhere/python")).keys().isdisjoint(OUR_VARIABLES)
    assert set(OUR_VARIABLES) <= variables_for(Path(sys.executable)).keys()


TORCH = f"torch=={importlib.metadata.version('torch').partition('+')[0]}"


def test_venv_and_pip_make_an_environment(root, monkeypatch, capfd):
    folder, (make, install, trial) = add(monkeypatch)
    python = str(folder / "bin" / "python")
    assert folder == root / "mace"
    assert make == [sys.executable, "-m", "venv", str(folder)]
    assert install[:4] == [python, "-m", "pip", "install"]
    assert tuple(install[4:]) == (TORCH, *own_requirement("mace"))
    assert trial == [python, "-P", "-c", "import atomgraft, mace"]
    assert len(capfd.readouterr().err.splitlines()) == 3


def test_uv_makes_it_where_it_is(monkeypatch):
    monkeypatch.setattr("shutil.which", {"uv": "/bin/uv"}.get)
    folder, (make, install, trial) = add(monkeypatch)
    python = str(folder / "bin" / "python")
    assert (make[:2], make[-1]) == (["/bin/uv", "venv"], str(folder))
    assert sys.executable in make
    assert install[:5] == ["/bin/uv", "pip", "install", "--python", python]
    assert tuple(install[5:]) == (TORCH, *own_requirement("mace"))
    assert trial[0] == python


def test_a_second_time_there_is_nothing_to_do(monkeypatch):
    first, _ = add(monkeypatch)
    assert add(monkeypatch) == (first, [])


@pytest.mark.parametrize("is_fresh", [True, False])
def test_what_is_replaced_is_removed_first(is_fresh, monkeypatch):
    folder, _ = add(monkeypatch)
    (folder / "old").touch()
    if not is_fresh:
        monkeypatch.setattr(environments, "__version__", "99")
    _, commands = add(monkeypatch, fresh=is_fresh)
    assert len(commands) == 3
    assert not (folder / "old").exists()
    assert defect_of("mace") is None


@pytest.mark.parametrize("step", range(3))
def test_a_failure_is_told_and_leaves_nothing(step, root, monkeypatch):
    with pytest.raises(BadInputError, match="lines above say why") as caught:
        add(monkeypatch, fails_at=step)
    assert "atomgraft env add mace" in caught.value.remedy
    assert [path.name for path in root.iterdir()] == [".lock"]


def test_an_interruption_leaves_nothing(root, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        add(monkeypatch, fails_at=1, raises=KeyboardInterrupt())
    assert [path.name for path in root.iterdir()] == [".lock"]


def test_leftovers_of_a_killed_process_are_replaced(root, nothing_here, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(environments, "remove_folder", lambda path: None)
        with pytest.raises(BadInputError):
            add(monkeypatch, fails_at=1)
    assert (root / "mace" / "bin").exists()
    unused("holds the atomgraft ''")
    add(monkeypatch)
    assert defect_of("mace") is None


@pytest.mark.parametrize("kind", ["folder", "file", "link", "dangling link"])
def test_what_we_did_not_make_is_never_replaced(kind, root, tmp_path, monkeypatch):
    root.mkdir()
    mine = tmp_path / "elsewhere" if "link" in kind else root / "mace"
    if kind in {"folder", "link"}:
        mine.mkdir()
        (mine / "notes").write_text("mine")
    elif kind == "file":
        mine.write_text("mine")
    if "link" in kind:
        (root / "mace").symlink_to(mine)
    before = sorted(tmp_path.rglob("*"))
    for act in (lambda: add(monkeypatch), lambda: remove_environment("mace")):
        with pytest.raises(BadInputError, match="atomgraft did not make it"):
            act()
    assert [one for one in sorted(tmp_path.rglob("*")) if one.name != ".lock"] == before


def test_one_is_removed_and_the_other_stays(root, monkeypatch):
    add(monkeypatch)
    add(monkeypatch, "sevennet")
    remove_environment("mace")
    assert not (root / "mace").exists()
    assert defect_of("sevennet") is None
    remove_environment("mace")  # there is none


def test_two_processes_do_not_make_it_at_once(root, monkeypatch):
    root.mkdir()
    with locked(root), pytest.raises(BadInputError, match="in use by another"):
        add(monkeypatch)


def test_a_folder_that_cannot_be_made_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ATOMGRAFT_ENVIRONMENTS", str(tmp_path / "file" / "below"))
    installer = Installer()
    monkeypatch.setattr("subprocess.run", installer)
    with pytest.raises(BadInputError, match="part of the path is a file"):
        add_environment("mace")
    assert installer.commands == []


def test_what_a_command_prints_goes_to_standard_error():
    """Else what it says would stand in the JSON of --json."""
    code = (
        "from atomgraft.core.environments import _run\n"
        f"_run([{sys.executable!r}, '-c', 'print(1 + 1)'], 'again')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == "2"
