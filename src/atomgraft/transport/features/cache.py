"""Features that were computed once, kept in files of a folder."""

import json
import time
from pathlib import Path

import numpy as np
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from atomgraft.core.provenance import fingerprint
from atomgraft.core.storage import make_folder, write_atomically

EACH = 256
"""Rows of a file, at most."""

PATIENCE = 60.0
"""Seconds after which fewer rows are written: no more is lost by a process that is
killed."""

VERSION = "1"
"""Changes where features change; rows of other versions are not used."""


class FeatureCache:
    """Rows of features by key; files are only added.

    What is in memory are keys, and rows that are not on disk yet.

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
        self._new: dict[str, np.ndarray] = {}
        self._paths = sorted(folder.glob("*.safetensors"))
        self._places: dict[str, int] = {}
        for i, path in enumerate(self._paths):
            self._list(i, _keys(path))
        self._opened: tuple[int, _Rows] | None = None
        self._written = time.monotonic()

    def get(self, key: str) -> Float[np.ndarray, " features"] | None:
        """Return the row of a key; none where it was not computed."""
        if (row := self._new.get(key)) is not None:
            return row
        if (place := self._places.get(key)) is None:
            return None
        i, row_number = divmod(place, EACH)
        if self._opened is None or self._opened[0] != i:
            self._opened = i, _Rows(self._paths[i])
        return self._opened[1].get(row_number)

    def keep(self, key: str, row: Float[np.ndarray, " features"]) -> None:
        """Keep a row; on disk with others, or by `flush`."""
        self._new[key] = row
        is_late = time.monotonic() - self._written > PATIENCE
        if is_late or len(self._new) >= EACH:
            self.flush()

    def flush(self) -> None:
        """Write what is not on disk."""
        self._written = time.monotonic()
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
        self._paths.append(path)
        self._list(len(self._paths) - 1, [*self._new])
        self._new = {}

    def _list(self, i: int, keys: list[str]) -> None:
        self._places |= {key: i * EACH + k for k, key in enumerate(keys[:EACH])}


class _Rows:
    """The rows of a file, read when they are asked for."""

    def __init__(self, path: Path) -> None:
        try:
            self.file = safe_open(path, framework="np").__enter__()
        except (SafetensorError, OSError):  # removed or damaged since it was listed
            self.file = None

    def get(self, number: int) -> Float[np.ndarray, " features"] | None:
        try:
            return None if self.file is None else self.file.get_tensor(str(number))
        except (SafetensorError, OSError):
            return None


def _keys(path: Path) -> list[str]:
    """Return the keys of a file; none where it is damaged or of another version."""
    try:
        with safe_open(path, framework="np") as file:
            about = file.metadata() or {}
            keys = json.loads(about["keys"])
            is_ours = about.get("version") == VERSION and isinstance(keys, list)
            return [str(one) for one in keys] if is_ours else []
    except (SafetensorError, OSError, KeyError, ValueError):
        return []
