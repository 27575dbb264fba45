"""Read and write ``phonons.json``; old files are upgraded one version at a time."""

from pathlib import Path

from atomgraft.results.documents import ResultFile, Upgrade
from atomgraft.results.phonons import PHONONS_VERSION, PhononResult

PHONONS = "phonons.json"

UPGRADES: dict[int, Upgrade] = {}
"""Version *n* to the step that makes a version *n* + 1 document of it."""


def _kind() -> ResultFile[PhononResult]:
    return ResultFile(
        file=PHONONS,
        record=PhononResult,
        version=PHONONS_VERSION,
        upgrades=UPGRADES,
        title="phonon result",
        command="atomgraft phonons",
        broken="Run 'atomgraft phonons' again.",
    )


def write_phonons(folder: Path, result: PhononResult) -> Path:
    """Write the vibrations of a crystal into a folder, whole or not at all.

    Raises
    ------
    StorageError
        The folder cannot be written; an older file is left as it was.
    """
    return _kind().write(folder, result)


def has_phonons(folder: Path) -> bool:
    """Tell whether a folder, or a file, holds the vibrations of a crystal."""
    return _kind().is_at(folder)


def read_phonons(folder: Path) -> PhononResult:
    """Read the vibrations of a crystal from a folder or file, in today's schema.

    Raises
    ------
    BadInputError
        There is none, it is broken, or it comes from a newer atomgraft.
    """
    return _kind().read(folder)
