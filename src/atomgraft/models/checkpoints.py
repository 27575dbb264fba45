"""Reading checkpoints of frameworks as data, without running their code."""

import pickle
import re
import shlex
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch

from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import file_fingerprint
from atomgraft.core.reading import ALWAYS_EXPANDED, check_file
from atomgraft.core.storage import is_file

ARCHIVE = b"PK\x03\x04"
"""First bytes of what torch takes for a zip archive."""

MAX_HEADER = 16 * 1024**2
"""Bytes of a safetensors header; names, shapes and a card take a few hundred kB."""


def read_checkpoint(
    path: Path,
    *,
    allowed: Sequence[type | tuple[object, str]] = (),
    trust: bool = False,
) -> Any:  # noqa: ANN401 - whatever the framework stored
    """Load a checkpoint that torch wrote, on the CPU.

    The restricted loader of torch comes first: it builds tensors and plain
    containers and the types in `allowed`, and refuses everything else before any
    code of the file runs.

    Parameters
    ----------
    path
        The file.
    allowed
        Harmless types that checkpoints of this framework hold, as a type or as a
        pair of the object and the name under which the file may ask for it.
    trust
        The user's word that this file may run code.

    Raises
    ------
    BadInputError
        The file is absent, unreadable, or would run code.
    """
    if not is_file(path):
        raise BadInputError(
            f"{path} is not a file.",
            "Expected a checkpoint file.",
            "Check the path.",
        )
    _refuse_bomb(path)
    try:
        with torch.serialization.safe_globals(cast("list[Any]", list(allowed))):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not trust:
            raise _would_run_code(path, error) from error
    except Exception as error:  # rubbish trips the reader in any way
        raise _unreadable(path, error) from error
    return _read_trusted(path)


def _refuse_bomb(path: Path) -> None:
    """Refuse an archive that becomes larger than it is: torch compresses nothing.

    The sizes are those that the archive states, which torch allocates and fills.
    """
    size = check_file(path)
    with path.open("rb") as stream:
        if stream.read(len(ARCHIVE)) != ARCHIVE:
            return
    try:
        with zipfile.ZipFile(path) as archive:
            expanded = sum(one.file_size for one in archive.infolist())
    except Exception as error:
        raise _unreadable(path, error) from error
    if expanded > max(size, ALWAYS_EXPANDED):
        raise BadInputError(
            f"{path} has {size / 1024:.0f} KiB and expands to "
            f"{expanded / 1024**2:.0f} MiB.",
            "Expected a checkpoint whose entries are not compressed, as torch "
            "writes it.",
            "Download it again; if you know who made it, load it with torch and save "
            "it anew.",
        )


def check_tensors(path: Path) -> None:
    """Check that the header of a safetensors file is not too large to be parsed.

    Raises
    ------
    BadInputError
        It is, or the file cannot be read.
    """
    size = check_file(path)
    with path.open("rb") as stream:
        stated = int.from_bytes(stream.read(8), "little")
    if MAX_HEADER < stated < size:  # one beyond the file, safetensors refuses at once
        raise BadInputError(
            f"The header of {path} has {stated / 1024**2:.0f} MiB.",
            "Expected a safetensors file with a header of up to "
            f"{MAX_HEADER // 1024**2} MiB.",
            "Check the file, or download it again.",
        )


def _read_trusted(path: Path) -> Any:  # noqa: ANN401 - whatever the framework stored
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        raise _unreadable(path, error) from error


def _would_run_code(path: Path, error: Exception) -> BadInputError:
    text = " ".join(str(error).split())
    asked = re.search(r"nsupported (?:global: )?GLOBAL (\S+)", text)
    reason = f" (it asks for {asked.group(1)})" if asked else ""
    return BadInputError(
        f"{path} cannot be read without running its code{reason} "
        f"(SHA-256 {file_fingerprint(path)[:16]}...).",
        "Expected a file of tensors and plain values, or a file from a source that "
        "you trust.",
        f"If you know who made it, add --trust-file {shlex.quote(str(path))}",
    )


def _unreadable(path: Path, error: Exception) -> BadInputError:
    reason = str(error).strip().splitlines()
    return BadInputError(
        f"{path} cannot be read as a checkpoint: "
        f"{reason[0].rstrip('.:') if reason else type(error).__name__}.",
        "Expected a checkpoint as its framework wrote it.",
        "Check the file, or download it again.",
    )
