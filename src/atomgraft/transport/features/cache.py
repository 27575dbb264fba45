"""Features that were computed once, or why there are none, in files of a folder."""

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
"""Changes where features change, or the ordered examples that they are of; what other
versions have kept is not used."""

Failure = tuple[str, str]
"""Why there are no features: of a short list, and what was found."""


class FeatureCache:
    """Rows of features by key, or why there is none; files are only added.

    What is in memory are keys, reasons, and rows that are not on disk yet.

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
        self._failed: dict[str, Failure] = {}
        self._paths = sorted(folder.glob("*.safetensors"))
        self._places: dict[str, int] = {}
        self._failures: dict[str, Failure] = {}
        for i, path in enumerate(self._paths):
            keys, failures = _content(path)
            self._list(i, keys)
            self._failures |= failures
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
        self._flush_some()

    def failure(self, key: str) -> Failure | None:
        """Return why a key has no row; none where it may have one."""
        return self._failures.get(key)

    def keep_failure(self, key: str, failure: Failure) -> None:
        """Keep why a key has no row, with the rows of others."""
        self._failed[key] = self._failures[key] = failure
        self._flush_some()

    def _flush_some(self) -> None:
        is_late = time.monotonic() - self._written > PATIENCE
        if is_late or len(self._new) + len(self._failed) >= EACH:
            self.flush()

    def flush(self) -> None:
        """Write what is not on disk."""
        self._written = time.monotonic()
        if not self._new and not self._failed:
            return
        make_folder(self.folder)
        about = {"keys": json.dumps([*self._new]), "version": VERSION}
        if self._failed:
            about["failures"] = json.dumps(self._failed)
        # rows have one length each: predictors of one folder may differ
        arrays = {str(i): row for i, row in enumerate(self._new.values())}
        # a name of its own: several processes may add to one folder
        kept = [*self._new, *self._failed]
        name = fingerprint(key.encode() for key in kept)[:16]
        path = self.folder / f"{name}.safetensors"
        write_atomically(path, save(arrays, metadata=about))
        self._paths.append(path)
        self._list(len(self._paths) - 1, [*self._new])
        self._new, self._failed = {}, {}

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


def _content(path: Path) -> tuple[list[str], dict[str, Failure]]:
    """Return the keys of a file, and keys without a row with their reasons.

    There are none where it is damaged or of another version.
    """
    try:
        with safe_open(path, framework="np") as file:
            about = file.metadata() or {}
        if about.get("version") != VERSION:
            return [], {}
        keys = json.loads(about["keys"])
        told = json.loads(about.get("failures", "{}"))
        failures = {
            str(key): (str(kind), str(one)) for key, (kind, one) in told.items()
        }
        return [str(one) for one in keys] if isinstance(keys, list) else [], failures
    except (SafetensorError, OSError, AttributeError, KeyError, TypeError, ValueError):
        return [], {}
