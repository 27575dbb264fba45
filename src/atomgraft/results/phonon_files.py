"""Read and write ``phonons.json`` (a placeholder until the page branch lands)."""

import json
from pathlib import Path

from atomgraft.core.storage import write_atomically
from atomgraft.results.phonons import PhononResult

PHONONS = "phonons.json"


def write_phonons(folder: Path, result: PhononResult) -> Path:
    """Write it."""
    path = folder / PHONONS
    write_atomically(path, result.model_dump_json(indent=1) + "\n")
    return path


def read_phonons(folder: Path) -> PhononResult:
    """Read it."""
    return PhononResult.model_validate(json.loads((folder / PHONONS).read_text()))
