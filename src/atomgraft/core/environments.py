"""Frameworks, and the environments that atomgraft keeps for them."""

import importlib.metadata
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlparse

from atomgraft import __version__
from atomgraft.core.errors import BadInputError, MissingExtraError
from atomgraft.core.registry import unknown
from atomgraft.core.storage import (
    exposure,
    locked,
    make_private_folder,
    remove_folder,
    write_atomically,
)

FRAMEWORKS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"sevennet": ("SevenNet", "sevenn"), "mace": ("MACE", "mace")}
)
"""What people call it and what Python imports, by the name of the extra. They pin
versions of e3nn that do not go together."""

LOCATION = "ATOMGRAFT_ENVIRONMENTS"
"""Variable that names the folder of all kept environments."""

STAMP = "kept.json"
"""File in an environment of ours: which atomgraft it holds; empty until it is ready."""

OUR_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__")
"""Variables by which another Python would see the packages of this one."""


def is_installed(framework: str) -> bool:
    """Tell whether this Python can import one of `FRAMEWORKS`; nothing is imported.

    A folder that happens to have the module's name is not the module: what is
    installed has a file that can be run.
    """
    spec = importlib.util.find_spec(FRAMEWORKS[framework][1])
    return spec is not None and spec.origin is not None


def require_framework(framework: str) -> None:
    """Check that this Python can import one of `FRAMEWORKS`.

    Raises
    ------
    MissingExtraError
        It cannot.
    """
    if not is_installed(framework):
        raise missing(framework)


def missing(framework: str) -> MissingExtraError:
    """Return the error of a framework that is not here, with what is wrong elsewhere.

    Examples
    --------
    >>> missing("mace").remedy
    'Run: atomgraft env add mace'
    """
    folder = kept_folder(framework)
    kept = f", and {folder} {defect_of(framework)}" if folder.exists() else ""
    return MissingExtraError(
        f"This needs {FRAMEWORKS[framework][0]}, which is not installed here{kept}.",
        "It needs its own environment, which atomgraft creates and later commands "
        "use automatically.",
        f"Run: atomgraft env add {framework}",
        framework=framework,
    )


def kept_folder(framework: str) -> Path:
    """Return where the environment of a framework is, once it is made.

    That is below ``$ATOMGRAFT_ENVIRONMENTS``, or below the user's data
    (``$XDG_DATA_HOME``, else ``~/.local/share``). Links on the way to it are the
    user's own; inside it none is followed.

    Raises
    ------
    BadInputError
        It is none of `FRAMEWORKS`.
    """
    if framework not in FRAMEWORKS:
        raise unknown("framework", framework, FRAMEWORKS)
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    root = os.environ.get(LOCATION) or data / "atomgraft" / "environments"
    return Path(root).expanduser().resolve() / framework


def defect_of(framework: str) -> str | None:
    """Return why a framework's environment cannot be used; none if it can."""
    folder = kept_folder(framework)
    if not (folder / STAMP).is_file():
        return "was not made by atomgraft"
    for path in (folder, folder / STAMP, folder.parent):
        if (risk := exposure(path)) is not None:
            return f"is not safe: {path} {risk}"
    wanted = _stamp(framework)
    with (folder / STAMP).open(errors="replace") as stream:
        found = stream.read(2 * len(wanted))
    if found != wanted:
        return f"holds the atomgraft {found!a}, and this is {wanted!a}"
    return None if _python(folder).exists() else "has no Python any more"


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _stamp(framework: str) -> str:
    return json.dumps([__version__, *own_requirement(framework)])


def own_requirement(extra: str) -> tuple[str, ...]:
    """Return pip's arguments for the atomgraft that is running, with one extra.

    A released version is asked for by its number, a working copy by its folder, and
    whatever else it was installed from by that address (PEP 610).

    Examples
    --------
    >>> own_requirement("mace")[-1].count("[mace]")
    1
    """
    try:
        own = importlib.metadata.distribution("atomgraft")
    except importlib.metadata.PackageNotFoundError as error:
        raise BadInputError(
            "atomgraft runs from its source here and is not installed.",
            "The installed atomgraft is copied into further environments.",
            "Run, in the repository: pip install --editable .",
        ) from error
    written = own.read_text("direct_url.json")
    if written is None:
        return (f"atomgraft[{extra}]=={own.version}",)
    origin: dict[str, Any] = json.loads(written)
    address: str = origin["url"]
    if origin.get("dir_info", {}).get("editable"):
        return ("--editable", f"{unquote(urlparse(address).path)}[{extra}]")
    if source := origin.get("vcs_info"):
        address = f"{source['vcs']}+{address}@{source['commit_id']}"
    return (f"atomgraft[{extra}] @ {address}",)


def python_for(framework: str) -> Path:
    """Return the Python that runs what needs a framework.

    This one where it can import the framework, else that of the kept environment.
    What is none of `FRAMEWORKS` (pair potentials, plug-ins) needs no other.

    Raises
    ------
    MissingExtraError
        The framework is neither here nor in an environment that can be used.

    Examples
    --------
    >>> python_for("pair") == Path(sys.executable)
    True
    """
    if framework not in FRAMEWORKS or is_installed(framework):
        return Path(sys.executable)
    if defect_of(framework) is not None:
        raise missing(framework)
    return _python(kept_folder(framework))


def variables_for(python: Path) -> dict[str, str]:
    """Return this process's variables as a process of that Python should see them.

    Where it is another than this one, what would let it see the packages of this one
    is left out.
    """
    ours = () if python == Path(sys.executable) else OUR_VARIABLES
    return {name: value for name, value in os.environ.items() if name not in ours}


def add_environment(framework: str, *, fresh: bool = False) -> Path:
    """Make an environment for one of `FRAMEWORKS`, whole or not at all.

    What uv or pip print goes to standard error.

    Parameters
    ----------
    framework
        One that can be used is left as it is; one that cannot is made anew.
    fresh
        Make it anew in any case.

    Returns
    -------
    :
        The environment.

    Raises
    ------
    BadInputError
        It cannot be installed, or something that we did not make is in the way.
    StorageError
        The folder cannot be written.
    """
    folder = kept_folder(framework)
    make_private_folder(folder.parent)
    with locked(
        folder.parent, remedy="Wait until it has finished, then run the command again."
    ):
        if fresh or defect_of(framework) is not None:
            remove_environment(framework)
            make_private_folder(folder)
            try:
                _fill(folder, framework)
            except BaseException:
                remove_folder(folder)
                raise
    return folder


def remove_environment(framework: str) -> None:
    """Remove the environment of one of `FRAMEWORKS`, if there is one.

    Raises
    ------
    BadInputError
        A folder of that name is there, and we did not make it.
    StorageError
        It cannot be removed.
    """
    folder = kept_folder(framework)
    if folder.is_symlink() or (folder.exists() and not (folder / STAMP).is_file()):
        raise BadInputError(
            f"{folder} exists, and atomgraft did not make it.",
            "Only what 'atomgraft env add' has made is replaced or removed.",
            f"Move it away, or set {LOCATION} to another folder.",
        )
    if folder.exists():
        remove_folder(folder)


def _fill(folder: Path, framework: str) -> None:
    """Make an environment with uv if it is there, else with venv and pip; try it.

    Torch is asked for in the version of this one: a comparison of models is not to be
    one of torch.
    """
    python, here = str(_python(folder)), sys.executable
    make, install = [here, "-m", "venv"], [python, "-m", "pip", "install"]
    if uv := shutil.which("uv"):
        make = [uv, "venv", "--allow-existing", "--python", here]
        install = [uv, "pip", "install", "--python", python]
    torch = importlib.metadata.version("torch").partition("+")[0]
    trial = f"import atomgraft, {FRAMEWORKS[framework][1]}"
    write_atomically(folder / STAMP, "")
    for command in (
        [*make, str(folder)],
        [*install, f"torch=={torch}", *own_requirement(framework)],
        [python, "-P", "-c", trial],
    ):
        _run(command, f"atomgraft env add {framework}")
    write_atomically(folder / STAMP, _stamp(framework))


def _run(command: list[str], again: str) -> None:
    """Run a command that must succeed; what it prints is for people."""
    told = shlex.join(command)
    os.write(2, f"{told}\n".encode())
    variables = variables_for(Path(command[0]))
    if subprocess.run(
        command, stdin=0, stdout=2, env=variables, check=False
    ).returncode:
        raise BadInputError(
            f"'{told}' failed; the lines above say why.",
            "Expected a way to a package index and some gigabytes of disk.",
            f"Correct that, or set {LOCATION} to a folder on another disk if this one "
            f"is full; then: {again}",
        )
