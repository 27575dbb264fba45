"""Read and write ``result.json``; old files are upgraded one version at a time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from atomgraft.core.errors import BadInputError
from atomgraft.core.storage import is_file, is_folder, write_atomically
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


UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    1: _with_streams,
    2: _with_phonons,
    3: _with_scales,
}
"""Version *n* to the step that makes a version *n* + 1 document of it."""


def write_result(folder: Path, result: RunResult) -> Path:
    """Write the result of a run folder, whole or not at all.

    Raises
    ------
    StorageError
        The folder cannot be written; an older result is left as it was.
    """
    path = folder / RESULT
    write_atomically(path, result.model_dump_json(indent=1) + "\n")
    return path


def read_result(folder: Path) -> RunResult:
    """Read the result of a run folder, upgraded to today's schema.

    Raises
    ------
    BadInputError
        There is none, it is broken, or it comes from a newer atomgraft.
    """
    path = folder / RESULT if is_folder(folder) else folder
    if not is_file(path):
        raise BadInputError(
            f"{folder} holds no {RESULT}.",
            "A folder made by 'atomgraft adapt' that has finished is needed.",
            f"Run 'atomgraft adapt --out {folder}' or check the path.",
        )
    try:
        return RunResult.model_validate(upgraded(json.loads(path.read_text())))
    except (json.JSONDecodeError, UnicodeDecodeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise BadInputError(
            f"{path} is not a readable result: {reason}.",
            "A result file as atomgraft wrote it is needed.",
            "Run the command that made it again.",
        ) from error


def upgraded(document: object) -> dict[str, Any]:
    """Return a result document in today's schema.

    Raises
    ------
    BadInputError
        The document is no result, or of a version this atomgraft does not know.
    """
    known: dict[str, Any] = (
        cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    )
    version = known.get("schema_version")
    if type(version) is not int or not 1 <= version <= SCHEMA_VERSION:  # no True
        raise BadInputError(
            f"The result has schema version {version!r}.",
            f"This atomgraft reads versions 1 to {SCHEMA_VERSION}.",
            "Update atomgraft: pip install -U atomgraft.",
        )
    while version < SCHEMA_VERSION:
        known = UPGRADES[version](known)
        version += 1
    return known
