"""Where the benchmarks of this folder find public data."""

import os
import sys
from pathlib import Path


def phonon_data(name: str = "") -> Path:
    """Return a file or folder of public phonon data, or end with a word if absent."""
    root = Path(os.environ.get("ATOMGRAFT_DATA", "../shared/data"))
    path = (root / "phonons" / name).resolve()
    if not path.exists():
        sys.exit(f"No data at {path}: set ATOMGRAFT_DATA.")
    return path
