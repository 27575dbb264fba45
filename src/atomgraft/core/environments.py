"""Environments that atomgraft keeps for frameworks, and which Python to use."""

import dataclasses
import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from atomgraft.core.errors import BadInputError, MissingExtraError
from atomgraft.core.frameworks import (
    FRAMEWORKS,
    framework_named,
    is_installed,
    missing,
)
from atomgraft.core.json_files import read_json
from atomgraft.core.manifest import MANIFEST, Manifest, read_manifest
from atomgraft.core.storage import (
    exposure,
    locked,
    remove_empty,
    remove_file,
    remove_folder,
)

LOCATION = "ATOMGRAFT_ENVIRONMENTS"
"""Variable that names the folder of all kept environments."""

STAMP = "kept.json"
"""Points to a finished environment; what it does not point to is a leftover."""

OUR_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__")
"""Variables by which another Python would see the packages of this one."""

IN_USE = "Wait until it has finished, then run the command again."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Environment:
    """A finished environment.

    Parameters
    ----------
    framework
        What it is for.
    folder
        The virtual environment.
    arguments
        What pip was asked to install.
    version
        Version of atomgraft in it.
    python_version
        Version of its Python.
    made
        When, UTC.
    """

    framework: str
    folder: str
    arguments: tuple[str, ...]
    version: str
    python_version: str
    made: str

    @property
    def python(self) -> Path:
        """The interpreter."""
        return Path(self.folder) / "bin" / "python"

    @property
    def defect(self) -> str | None:
        """Why it cannot be used, in words; none if it can."""
        home = environments_folder() / self.framework
        if Path(self.folder).parent != home:
            return f"its record points to {self.folder}, outside {home}"
        for path in (home.parent, home, home / STAMP, Path(self.folder)):
            if (risk := exposure(path)) is not None:
                return f"{path} {risk}"
        if not self.python.exists():
            return "its Python is gone"
        if self.version != own_version():
            return f"it holds atomgraft {self.version}, and this is {own_version()}"
        if self.arguments != own_requirement(self.framework):
            return f"its atomgraft comes from elsewhere, {self.arguments[-1]}"
        return None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Whereabouts:
    """Where one framework can be used.

    Parameters
    ----------
    framework
        Its name.
    is_here
        This Python can import it.
    environment
        The one that is kept for it, if any.
    """

    framework: str
    is_here: bool
    environment: Environment | None


def environments_folder() -> Path:
    """Return where environments are kept.

    That is ``$ATOMGRAFT_ENVIRONMENTS``, or a folder among the user's data
    (``$XDG_DATA_HOME``, else ``~/.local/share``). Links on the way to it are the
    user's own; inside it none is followed.
    """
    if given := os.environ.get(LOCATION):
        return Path(given).expanduser().resolve()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return (Path(data) / "atomgraft" / "environments").resolve()


def own_version() -> str:
    """Return the version of the installed atomgraft."""
    return _own_distribution().version


def own_requirement(extra: str) -> tuple[str, ...]:
    """Return pip's arguments for the atomgraft that is running, with one extra.

    A released version is asked for by its number, a working copy by its folder, and
    whatever else pip took it from by that address (PEP 610).

    Parameters
    ----------
    extra
        Name of the extra.

    Examples
    --------
    >>> own_requirement("mace")[-1].count("[mace]")
    1
    """
    written = _own_distribution().read_text("direct_url.json")
    if written is None:
        return (f"atomgraft[{extra}]=={own_version()}",)
    origin: dict[str, Any] = json.loads(written)
    address: str = origin["url"]
    if origin.get("dir_info", {}).get("editable"):
        return ("--editable", f"{unquote(urlparse(address).path)}[{extra}]")
    if source := origin.get("vcs_info"):
        address = f"{source['vcs']}+{address}@{source['commit_id']}"
    return (f"atomgraft[{extra}] @ {address}",)


def _own_distribution() -> Any:  # noqa: ANN401
    """Return the installed atomgraft: a Distribution, or the backport's of that name.

    A library that imports ``importlib_metadata`` puts its own finder first.
    """
    try:
        return importlib.metadata.distribution("atomgraft")
    except importlib.metadata.PackageNotFoundError as error:
        raise BadInputError(
            "atomgraft runs from its source here and is not installed.",
            "pip puts the atomgraft that is installed into further environments.",
            "Run, in the repository: pip install --editable .",
        ) from error


def find_environment(framework: str) -> Environment | None:
    """Return the finished environment of a framework, usable or not, if there is one.

    Parameters
    ----------
    framework
        One of `FRAMEWORKS`.
    """
    try:
        stamp = environments_folder() / framework / STAMP
        document = read_json(stamp, title="environment", remedy=IN_USE)
        arguments = tuple(document.pop("arguments"))
        if not all(isinstance(one, str) for one in (*arguments, *document.values())):
            return None
        return Environment(arguments=arguments, **document)
    except (BadInputError, KeyError, TypeError):
        return None  # never finished, or spoilt: 'env add' makes it anew


def kept_environment(framework: str) -> Environment | None:
    """Return the environment of a framework, if there is one.

    Parameters
    ----------
    framework
        One of `FRAMEWORKS`.

    Raises
    ------
    MissingExtraError
        There is one that cannot be used.
    """
    environment = find_environment(framework)
    if environment is None or environment.defect is None:
        return environment
    title = framework_named(framework).title
    raise MissingExtraError(
        f"The environment kept for {title} cannot be used: {environment.defect}.",
        "One with the same atomgraft as this is needed.",
        f"Make it anew: atomgraft env add {framework}",
    )


def python_for(framework: str) -> Path:
    """Return the Python that runs what needs a framework.

    This one where it can import the framework, else that of the kept environment.
    What is none of `FRAMEWORKS` (pair potentials, plug-ins) needs no other.

    Parameters
    ----------
    framework
        As a potential's card names it.

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
    environment = kept_environment(framework)
    if environment is None:
        raise missing(framework)
    return environment.python


def variables_for(python: Path) -> dict[str, str]:
    """Return this process's variables as a process of that Python should see them.

    Parameters
    ----------
    python
        Where it is another than this one, what would let it see the packages of this
        one is left out.
    """
    ours = () if python == Path(sys.executable) else OUR_VARIABLES
    return {name: value for name, value in os.environ.items() if name not in ours}


def whereabouts() -> list[Whereabouts]:
    """Return where each framework can be used."""
    return [
        Whereabouts(
            framework=name,
            is_here=is_installed(name),
            environment=find_environment(name),
        )
        for name in FRAMEWORKS
    ]


def remove_environment(framework: str) -> Path:
    """Remove the environment of a framework and what is left of unfinished ones.

    Parameters
    ----------
    framework
        One of `FRAMEWORKS`.

    Returns
    -------
    Path
        The folder that is gone.

    Raises
    ------
    BadInputError
        There is none, or another process is making one.
    StorageError
        The folder cannot be written.
    """
    framework_named(framework)
    root = environments_folder()
    home = root / framework
    if not home.is_dir():
        raise BadInputError(
            f"No environment is kept for {framework!r} in {root}.",
            "One that 'atomgraft env add' has made is needed.",
            "See: atomgraft env list",
        )
    with locked(root, remedy=IN_USE):
        remove_made(home, find_environment(framework))
    return home


def list_made(home: Path, folder: Path) -> None:
    """List an environment before it is made.

    Parameters
    ----------
    home
        Of the environments of one framework; it is there.
    folder
        The new one, in it.
    """
    made = read_manifest(home) or Manifest(verb="env")
    made.folders.add(folder.name)
    made.write(home)


def remove_made(
    home: Path, found: Environment | None, *, kept: Environment | None = None
) -> None:
    """Remove environments that we made, and the folder around them if that is all.

    Parameters
    ----------
    home
        Of the environments of one framework.
    found
        The finished one, whose version may have kept no list.
    kept
        The one that stays.

    Raises
    ------
    StorageError
        Something cannot be removed.
    """
    if not home.is_dir():
        return
    made = read_manifest(home) or Manifest(verb="env")
    if found is not None and Path(found.folder).parent == home:
        made.folders.add(Path(found.folder).name)
    left = set[str]() if kept is None else {Path(kept.folder).name}
    for name in sorted(made.folders - left):
        if (home / name).is_dir() and not (home / name).is_symlink():
            remove_folder(home / name)
    if kept is not None:
        Manifest(verb="env", folders=left).write(home)
        return
    for name in (STAMP, MANIFEST):
        if (home / name).is_file():
            remove_file(home / name)
    remove_empty(home)
