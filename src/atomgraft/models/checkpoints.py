"""Foreign checkpoints: read as data, never run as code without the user's word."""

import pickle
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch

from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import file_fingerprint
from atomgraft.core.storage import is_file


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
            "A checkpoint file is needed.",
            "Check the path.",
        )
    try:
        with torch.serialization.safe_globals(cast("list[Any]", list(allowed))):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not trust:
            raise _would_run_code(path, error) from error
    except Exception as error:  # rubbish trips the reader in any way
        raise _unreadable(path, error) from error
    return _read_trusted(path)


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
        "A file of tensors and plain values, or one whose origin you vouch for, "
        "is needed.",
        f"If you know who made it, add --trust-file {shlex.quote(str(path))}",
    )


def _unreadable(path: Path, error: Exception) -> BadInputError:
    reason = str(error).strip().splitlines()
    return BadInputError(
        f"{path} cannot be read as a checkpoint: "
        f"{reason[0] if reason else type(error).__name__}.",
        "A checkpoint as its framework wrote it is needed.",
        "Check the file, or download it again.",
    )
