"""Read and write ``stabilise.json``."""

import json
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from atomgraft.core.errors import BadInputError
from atomgraft.core.storage import is_file, is_folder, write_atomically
from atomgraft.results.instabilities import INSTABILITIES_VERSION, StabiliseResult

STABILISE = "stabilise.json"


def write_instabilities(folder: Path, result: StabiliseResult) -> Path:
    """Write a tree into its folder, whole or not at all.

    Raises
    ------
    StorageError
        The folder cannot be written; an older one is left as it was.
    """
    path = folder / STABILISE
    write_atomically(path, result.model_dump_json(indent=1) + "\n")
    return path


def has_instabilities(folder: Path) -> bool:
    """Tell whether a folder, or a file, is a tree of distortions."""
    return is_file(_place(folder)) and _place(folder).name == STABILISE


def read_instabilities(folder: Path) -> StabiliseResult:
    """Read the tree of a folder.

    Raises
    ------
    BadInputError
        There is none, it is broken, or it comes from a newer atomgraft.
    """
    path = _place(folder)
    if not is_file(path):
        raise BadInputError(
            f"{folder} holds no {STABILISE}.",
            "A folder made by 'atomgraft stabilise' is needed.",
            "Run 'atomgraft stabilise' or check the path.",
        )
    try:
        document = json.loads(path.read_text())
        _refuse_unknown_version(document)
        return StabiliseResult.model_validate(document)
    except (json.JSONDecodeError, UnicodeDecodeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise BadInputError(
            f"{path} is not a readable result: {reason}.",
            "A file as atomgraft wrote it is needed.",
            "Remove it and run 'atomgraft stabilise' again; what was computed is kept.",
        ) from error


def _place(folder: Path) -> Path:
    return folder / STABILISE if is_folder(folder) else folder


def _refuse_unknown_version(document: object) -> None:
    known = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    version = known.get("schema_version")
    if type(version) is not int or version != INSTABILITIES_VERSION:  # no True
        raise BadInputError(
            f"The result has schema version {version!r}.",
            f"This atomgraft reads version {INSTABILITIES_VERSION}.",
            "Update atomgraft: pip install -U atomgraft.",
        )
