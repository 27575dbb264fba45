"""Read and write ``compare.json``; old files are upgraded one version at a time."""

from pathlib import Path
from typing import Any

from atomgraft.results.comparison import COMPARISON_VERSION, Comparison
from atomgraft.results.documents import ResultFile, Upgrade

COMPARISON = "compare.json"


def _with_outcome(known: dict[str, Any]) -> dict[str, Any]:
    """Version 2 has errors that choose, and the outcome of the advice."""
    return known | {"schema_version": 2}


UPGRADES: dict[int, Upgrade] = {1: _with_outcome}
"""Version *n* to the step that makes a version *n* + 1 document of it."""


def _kind() -> ResultFile[Comparison]:
    return ResultFile(
        file=COMPARISON,
        record=Comparison,
        version=COMPARISON_VERSION,
        upgrades=UPGRADES,
        title="comparison",
        command="atomgraft compare",
        missing="Run 'atomgraft compare' or check the path.",
        broken="Run 'atomgraft compare' on its folder again; finished cells are kept.",
    )


def write_comparison(folder: Path, comparison: Comparison) -> Path:
    """Write a comparison into a folder, whole or not at all.

    Raises
    ------
    StorageError
        The folder cannot be written; an older file is left as it was.
    """
    return _kind().write(folder, comparison)


def has_comparison(folder: Path) -> bool:
    """Tell whether a folder, or a file, holds a comparison."""
    return _kind().is_at(folder)


def read_comparison(folder: Path) -> Comparison:
    """Read a comparison from a folder or file, in today's schema.

    Raises
    ------
    BadInputError
        There is none, it is broken, or it comes from a newer atomgraft.
    """
    return _kind().read(folder)
