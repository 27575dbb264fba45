"""The list of files in a folder that atomgraft wrote."""

import dataclasses
import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

from atomgraft.core.errors import BadInputError, reason_of
from atomgraft.core.json_files import parse_json
from atomgraft.core.storage import LOCK, is_leftover, replace_file

MANIFEST = ".atomgraft.json"

FORMAT = 1

LARGEST = 64 * 2**20
"""Bytes of a manifest that are read; a campaign of 10,000 cells lists 1 MB."""

MAX_NAME = 255
"""Bytes of one part of a path, of which file systems take no more."""

MAX_LOCK = 1024

HOLDER = re.compile(r"(\d+\n[^\n]+\n(\d+\n)?)?")
"""What filelock writes into a lock: nothing or, on a disk without ``flock``, the number
of the process, its machine and its start."""

Sums = tuple[str, ...]
"""SHA-256 sums that a file may have; none at all: its content is not compared."""


@dataclasses.dataclass(kw_only=True)
class Manifest:
    """What one verb wrote in one folder.

    Parameters
    ----------
    verb
        Which verb.
    files
        By their paths below the folder, with slashes.
    folders
        Paths of folders below that have a list of their own.
    """

    verb: str
    files: dict[str, Sums] = dataclasses.field(default_factory=dict[str, Sums])
    folders: set[str] = dataclasses.field(default_factory=set[str])

    def write(self, folder: Path) -> None:
        """Write the list into its folder, whole or not at all.

        Raises
        ------
        StorageError
            The folder cannot be written; an older list is left as it was.
        """
        document = {
            "format": FORMAT,
            "verb": self.verb,
            "folders": sorted(self.folders),
            "files": {name: list(sums) for name, sums in sorted(self.files.items())},
        }
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        replace_file(folder / MANIFEST, text.encode())


def read_manifest(folder: Path) -> Manifest | None:
    """Read the list of a folder, if there is one.

    Raises
    ------
    BadInputError
        It is there and cannot be used.
    """
    path = folder / MANIFEST
    if path.is_symlink():
        raise _unusable(path, "it is a link")
    try:
        if not path.is_file():
            return None
        if path.stat().st_size > LARGEST:
            raise _unusable(path, "it is too large")
        return _parsed(parse_json(path.read_text()))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _unusable(path, reason_of(error)) from error


def _parsed(document: Any) -> Manifest:  # noqa: ANN401 - whatever the file holds
    if document["format"] != FORMAT:
        raise ValueError(f"it has format {document['format']!r}")
    files = {
        _inside(name): tuple(str(one) for one in sums)
        for name, sums in dict(document["files"]).items()
    }
    folders = {_inside(name) for name in list(document["folders"])}
    return Manifest(verb=str(document["verb"]), files=files, folders=folders)


def _inside(name: Any) -> str:  # noqa: ANN401 - whatever the file holds
    """Return a path that stays below its folder.

    Raises
    ------
    ValueError
        It does not, or it is none.
    """
    path = PurePosixPath(name)
    is_outside = path.is_absolute() or ".." in path.parts or not path.parts
    is_long = any(len(part.encode()) > MAX_NAME for part in path.parts)
    if is_outside or is_long or "\0" in name:
        raise ValueError(f"it lists {name[:MAX_NAME]!r}")
    return str(path)


def _unusable(path: Path, reason: str) -> BadInputError:
    return BadInputError(
        f"{path} cannot be used: {reason}.",
        "It lists the files in this folder that atomgraft wrote and may replace.",
        "Choose another folder with --out; nothing here has been changed.",
    )


def others_in(folder: Path) -> list[str]:
    """Return the names in a folder, without a lock and our temporary files."""
    return sorted(
        one.name for one in folder.iterdir() if not _is_trace(one) and one.name
    )


def _is_trace(path: Path) -> bool:
    """Tell whether a file says no more than that atomgraft has been here."""
    if path.is_symlink() or not path.is_file():
        return False
    if path.name == LOCK and path.stat().st_size < MAX_LOCK:
        return HOLDER.fullmatch(path.read_text(errors="replace")) is not None
    return is_leftover(path)
