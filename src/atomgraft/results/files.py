"""Read and write ``result.json``; old files are upgraded one version at a time."""

from pathlib import Path
from typing import Any

from atomgraft.results.documents import ResultFile, Upgrade
from atomgraft.results.old_intervals import with_sureness
from atomgraft.results.schema import SCHEMA_VERSION, RunResult

RESULT = "result.json"


def _with_streams(known: dict[str, Any]) -> dict[str, Any]:
    """Version 2 has heads, rehearsal and streams; version 1 had none of them."""
    return known | {"schema_version": 2}


def _with_phonons(known: dict[str, Any]) -> dict[str, Any]:
    """Version 3 has phonons; version 2 had none."""
    return known | {"schema_version": 3}


def _with_scales(known: dict[str, Any]) -> dict[str, Any]:
    """Version 4 has moved weights, degrees of forgetting and what they rest on."""
    return known | {"schema_version": 4}


def _with_sureness(known: dict[str, Any]) -> dict[str, Any]:
    """Version 5 says what an interval is over, or why there is none."""
    return known | {
        "schema_version": 5,
        "scores": with_sureness(known.get("scores", [])),
    }


UPGRADES: dict[int, Upgrade] = {
    1: _with_streams,
    2: _with_phonons,
    3: _with_scales,
    4: _with_sureness,
}
"""Version *n* to the step that makes a version *n* + 1 document of it."""


def _kind() -> ResultFile[RunResult]:
    return ResultFile(
        file=RESULT,
        record=RunResult,
        version=SCHEMA_VERSION,
        upgrades=UPGRADES,
        title="result",
        command="atomgraft adapt",
        broken="Run the command that made it again.",
    )


def write_result(folder: Path, result: RunResult) -> Path:
    """Write the result of a run folder, whole or not at all.

    Raises
    ------
    StorageError
        The folder cannot be written; an older result is left as it was.
    """
    return _kind().write(folder, result)


def read_result(folder: Path) -> RunResult:
    """Read the result of a run folder, or of the file, upgraded to today's schema.

    Raises
    ------
    BadInputError
        There is none, it is broken, or it comes from a newer atomgraft.
    """
    return _kind().read(folder)
