"""Features that were computed once, kept in files of a folder."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from atomgraft.core.provenance import fingerprint
from atomgraft.core.storage import make_folder, write_atomically

EACH = 256
"""Rows of a file."""

VERSION = "1"
"""Changes where features change; rows of other versions are not used."""


class FeatureCache:
    """Rows of features by key; files are only added.

    Parameters
    ----------
    folder
        Of the files; made when the first is written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     cache = FeatureCache(Path(folder))
    ...     cache.keep("a", np.array([1.0, 2.0]))
    ...     cache.flush()
    ...     FeatureCache(Path(folder)).get("a")
    array([1., 2.])
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows: dict[str, np.ndarray] = {}
        self._new: dict[str, np.ndarray] = {}
        for path in sorted(folder.glob("*.safetensors")):
            self._rows |= _read(path)

    def get(self, key: str) -> Float[np.ndarray, " features"] | None:
        """Return the row of a key; none where it was not computed."""
        return self._rows.get(key)

    def keep(self, key: str, row: Float[np.ndarray, " features"]) -> None:
        """Keep a row; on disk with others, or by `flush`."""
        self._rows[key] = self._new[key] = row
        if len(self._new) >= EACH:
            self.flush()

    def flush(self) -> None:
        """Write what is not on disk."""
        if not self._new:
            return
        make_folder(self.folder)
        about = {"keys": json.dumps([*self._new]), "version": VERSION}
        # rows have one length each: predictors of one folder may differ
        arrays = {str(i): row for i, row in enumerate(self._new.values())}
        # a name of its own: several processes may add to one folder
        name = fingerprint(key.encode() for key in self._new)[:16]
        path = self.folder / f"{name}.safetensors"
        write_atomically(path, save(arrays, metadata=about))
        self._new = {}


def _read(path: Path) -> Mapping[str, np.ndarray]:
    """Return the rows of a file; nothing where it is damaged or of another version."""
    try:
        with safe_open(path, framework="np") as file:
            about = file.metadata() or {}
            if about.get("version") != VERSION:
                return {}
            keys = json.loads(about["keys"])
            return {key: file.get_tensor(str(i)) for i, key in enumerate(keys)}
    except (SafetensorError, OSError, KeyError, ValueError):
        return {}
