"""Read and write ``compare.json``."""

import json
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from atomgraft.core.errors import BadInputError
from atomgraft.core.storage import is_file, is_folder, write_atomically
from atomgraft.results.comparison import COMPARISON_VERSION, Comparison

COMPARISON = "compare.json"


def write_comparison(folder: Path, comparison: Comparison) -> Path:
    """Write a comparison into its folder, whole or not at all.

    Raises
    ------
    StorageError
        The folder cannot be written; an older one is left as it was.
    """
    path = folder / COMPARISON
    write_atomically(path, comparison.model_dump_json(indent=1) + "\n")
    return path


def has_comparison(folder: Path) -> bool:
    """Tell whether a folder, or a file, is a comparison."""
    return is_file(_place(folder)) and _place(folder).name == COMPARISON


def read_comparison(folder: Path) -> Comparison:
    """Read the comparison of a folder.

    Raises
    ------
    BadInputError
        There is none, it is broken, or it comes from a newer atomgraft.
    """
    path = _place(folder)
    if not is_file(path):
        raise BadInputError(
            f"{folder} holds no {COMPARISON}.",
            "A folder made by 'atomgraft compare' is needed.",
            "Run 'atomgraft compare' or check the path.",
        )
    try:
        document = json.loads(path.read_text())
        _refuse_unknown_version(document)
        return Comparison.model_validate(document)
    except (json.JSONDecodeError, UnicodeDecodeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise BadInputError(
            f"{path} is not a readable comparison: {reason}.",
            "A file as atomgraft wrote it is needed.",
            "Run 'atomgraft compare' on its folder again; finished cells are kept.",
        ) from error


def _place(folder: Path) -> Path:
    return folder / COMPARISON if is_folder(folder) else folder


def _refuse_unknown_version(document: object) -> None:
    known = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    version = known.get("schema_version")
    if type(version) is not int or version != COMPARISON_VERSION:  # no True
        raise BadInputError(
            f"The comparison has schema version {version!r}.",
            f"This atomgraft reads version {COMPARISON_VERSION}.",
            "Update atomgraft: pip install -U atomgraft.",
        )
