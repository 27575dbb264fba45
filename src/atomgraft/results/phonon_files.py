"""Read and write ``phonons.json``; old files are upgraded one version at a time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from atomgraft.core.errors import BadInputError
from atomgraft.core.storage import is_file, is_folder, write_atomically
from atomgraft.results.phonons import PHONONS_VERSION, PhononResult

PHONONS = "phonons.json"

UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""Version *n* to the step that makes a version *n* + 1 document of it."""


def write_phonons(folder: Path, result: PhononResult) -> Path:
    """Write the vibrations of a crystal into a folder, whole or not at all.

    Parameters
    ----------
    folder
        Where ``phonons.json`` is to stand; it exists.
    result
        What is known of the crystal.

    Raises
    ------
    StorageError
        The folder cannot be written; an older file is left as it was.
    """
    path = folder / PHONONS
    write_atomically(path, result.model_dump_json(indent=1) + "\n")
    return path


def has_phonons(folder: Path) -> bool:
    """Tell whether a folder, or a file, holds the vibrations of a crystal."""
    return is_file(_place(folder)) and _place(folder).name == PHONONS


def read_phonons(folder: Path) -> PhononResult:
    """Read the vibrations of a crystal, upgraded to today's schema.

    Parameters
    ----------
    folder
        The folder of ``phonons.json``, or a file of that kind.

    Raises
    ------
    BadInputError
        There is none, it is broken, or it comes from a newer atomgraft.
    """
    path = _place(folder)
    if not is_file(path):
        raise BadInputError(
            f"{folder} holds no {PHONONS}.",
            "A folder made by 'atomgraft phonons' is needed.",
            f"Run 'atomgraft phonons --out {folder}' or check the path.",
        )
    try:
        return PhononResult.model_validate(_upgraded(json.loads(path.read_text())))
    except (json.JSONDecodeError, UnicodeDecodeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise BadInputError(
            f"{path} is not a readable phonon result: {reason}.",
            "A file as atomgraft wrote it is needed.",
            "Run 'atomgraft phonons' again.",
        ) from error


def _place(folder: Path) -> Path:
    return folder / PHONONS if is_folder(folder) else folder


def _upgraded(document: object) -> dict[str, Any]:
    known: dict[str, Any] = (
        cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    )
    version = known.get("schema_version")
    if type(version) is not int or not 1 <= version <= PHONONS_VERSION:  # no True
        raise BadInputError(
            f"The phonon result has schema version {version!r}.",
            f"This atomgraft reads versions up to {PHONONS_VERSION}.",
            "Update atomgraft: pip install -U atomgraft.",
        )
    while version < PHONONS_VERSION:
        known = UPGRADES[version](known)
        version += 1
    return known
