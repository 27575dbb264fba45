"""Real environments, made of three tiny wheels by uv or venv and pip, no network."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from atomgraft import __version__
from atomgraft.core.environments import add_environment, python_for
from atomgraft.core.errors import BadInputError

pytestmark = pytest.mark.slow

UV = shutil.which("uv")

TELL = """
import json, os, sys
print(json.dumps({"words": sys.argv[1:], "prefix": sys.prefix, "path": sys.path}))
"""

WITHOUT_SEVENN = """
import sys
sys.modules["sevenn"] = None  # as if it were not installed
from atomgraft.cli.main import main
main()
"""


def write_wheel(folder, name, version, files, header=""):
    """Write a wheel as PEP 427 describes it."""
    info = f"{name}-{version}.dist-info"
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{header}"
    contents = {
        **files,
        f"{info}/METADATA": about,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*contents, f"{info}/RECORD"))
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inner, text in {**contents, f"{info}/RECORD": record}.items():
            wheel.writestr(inner, text)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Return a folder with an atomgraft that only tells, its extra and a torch."""
    folder = tmp_path_factory.mktemp("shop")
    extra = "Provides-Extra: sevennet\nRequires-Dist: sevenn; extra == 'sevennet'\n"
    files = {"atomgraft/__init__.py": "", "atomgraft/__main__.py": TELL}
    write_wheel(folder, "atomgraft", __version__, files, extra)
    write_wheel(folder, "sevenn", "9.9", {"sevenn/__init__.py": ""})
    version = importlib.metadata.version("torch").partition("+")[0]
    write_wheel(folder, "torch", version, {"torch/__init__.py": ""})
    return folder


WANTED = (f"atomgraft[sevennet]=={__version__}",)


@pytest.fixture(scope="module")
def patch(shop):
    """Let pip and uv see that folder and nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
            patch.delenv(name)
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("UV_NO_CONFIG", "1")
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("UV_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(shop))
        patch.setenv("UV_FIND_LINKS", str(shop))
        patch.setattr("atomgraft.core.environments.own_requirement", lambda _: WANTED)
        yield patch


@pytest.fixture(scope="module", params=["pip", "uv"])
def kept(request, patch, tmp_path_factory):
    """Return a real environment of these wheels."""
    if request.param == "uv" and UV is None:
        pytest.skip("uv is not installed here")
    root = tmp_path_factory.mktemp("environments")
    patch.setenv("ATOMGRAFT_ENVIRONMENTS", str(root))
    found = UV if request.param == "uv" else None
    patch.setattr("shutil.which", lambda name: found)
    return add_environment("sevennet")


def test_it_holds_what_was_asked_for_and_nothing_of_ours(kept):
    code = (
        "import atomgraft, sevenn, torch, importlib.util as u; "
        "print(u.find_spec('numpy'), *(m.__file__.startswith("
        f"{str(kept)!r}) for m in (atomgraft, torch)))"
    )
    python = kept / "bin" / "python"
    done = subprocess.run(
        [python, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["None", "True", "True"]


def test_its_python_is_used_where_ours_lacks_the_framework(kept, monkeypatch):
    monkeypatch.setitem(sys.modules, "sevenn", None)
    assert python_for("sevennet") == kept / "bin" / "python"


AS_RELEASED = f"""
import atomgraft.core.environments as environments
environments.own_requirement = lambda extra: {WANTED}  # as if it came from an index
{WITHOUT_SEVENN}
"""


def test_a_command_goes_on_there_with_its_words(kept, tmp_path):
    (tmp_path / "json.py").write_text("raise RuntimeError('of the current folder')")
    words = ["check", "shipped:si-train@:1", "--base", "7net-0", "--json"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", AS_RELEASED, *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["words"] == words
    assert told["prefix"] == str(kept)
    assert str(tmp_path) not in told["path"]
    [line] = done.stderr.splitlines()
    assert line == f"SevenNet is not installed here; going on in {kept}."


def test_without_it_the_command_says_what_to_do(tmp_path):
    words = ["adapt", "--base", "7net-0", "--train", "shipped:si-train@:2"]
    words += ["--out", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT_SEVENN, *words],
        capture_output=True,
        text=True,
        env=os.environ | {"ATOMGRAFT_ENVIRONMENTS": str(tmp_path / "none")},
        timeout=120,
    )
    assert done.returncode == 2
    assert "Run: atomgraft env add sevennet" in done.stderr
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "none").exists()


def test_what_is_not_found_leaves_nothing(patch, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("ATOMGRAFT_ENVIRONMENTS", str(tmp_path))
    monkeypatch.setattr(
        "atomgraft.core.environments.own_requirement", lambda _: ("no-such-thing",)
    )
    with pytest.raises(BadInputError, match="no-such-thing' failed"):
        add_environment("sevennet")
    assert "no-such-thing" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
