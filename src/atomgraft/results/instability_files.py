"""Read and write ``stabilise.json``; old files are upgraded one version at a time."""

from pathlib import Path

from atomgraft.results.documents import ResultFile, Upgrade
from atomgraft.results.instabilities import INSTABILITIES_VERSION, StabiliseResult

STABILISE = "stabilise.json"

UPGRADES: dict[int, Upgrade] = {}
"""Version *n* to the step that makes a version *n* + 1 document of it."""


def _kind() -> ResultFile[StabiliseResult]:
    return ResultFile(
        file=STABILISE,
        record=StabiliseResult,
        version=INSTABILITIES_VERSION,
        upgrades=UPGRADES,
        title="result",
        command="atomgraft stabilise",
        broken=(
            "Remove it and run 'atomgraft stabilise' again; what was computed is kept."
        ),
    )


def write_instabilities(folder: Path, result: StabiliseResult) -> Path:
    """Write a tree of distortions into a folder, whole or not at all.

    Raises
    ------
    StorageError
        The folder cannot be written; an older file is left as it was.
    """
    return _kind().write(folder, result)


def has_instabilities(folder: Path) -> bool:
    """Tell whether a folder, or a file, holds a tree of distortions."""
    return _kind().is_at(folder)


def read_instabilities(folder: Path) -> StabiliseResult:
    """Read a tree of distortions from a folder or file, in today's schema.

    Raises
    ------
    BadInputError
        There is none, it is broken, or it comes from a newer atomgraft.
    """
    return _kind().read(folder)
