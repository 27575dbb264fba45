"""Engines whose program runs in a process of its own, one for each worker.

The process stays from one structure to the next, so the program is imported once. It
has one thread and a temporary folder, is killed when a job exceeds its wall time, and
ends with its worker, however that one ends.
"""

import contextlib
import functools
import importlib.metadata
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NoReturn, final

import numpy as np
from ase import Atoms

from atomgraft.core.errors import BadInputError, MissingExtraError
from atomgraft.core.provenance import file_fingerprint
from atomgraft.core.storage import is_file
from atomgraft.label.engines import child
from atomgraft.label.engines.base import (
    AbstractEngine,
    Electrons,
    EngineFailureError,
    Labelled,
    document_of,
    took_too_long,
)
from atomgraft.label.engines.programs import last_words

HASHES = "hashes of files"
"""Key of the files that settings name."""

KILLED = (-signal.SIGKILL, -signal.SIGTERM)
"""Exit codes of a process that another one has ended."""

N_TRIES = 2
"""Of a job whose process is killed."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@final
class OutsideEngine(AbstractEngine):
    """Structures under a program in a process of its own; it does not move atoms.

    Parameters
    ----------
    name
        In the registry, with the argument.
    version
        Of the program.
    settings
        Everything that changes numbers; what is behind a path is added as a hash.
    maker
        ``module:function`` of a ``ComputeMaker``, which gets the settings.
    refuse
        Tells why a structure is not taken.
    electrons
        Charge and spin; none where the program is not told.
    takes_moments
        Initial magnetic moments of a structure change its numbers.
    """

    def __init__(
        self,
        *,
        name: str,
        version: str,
        settings: Mapping[str, Any],
        maker: str,
        refuse: Callable[[Atoms], str | None],
        electrons: Electrons | None = None,
        takes_moments: bool = False,
    ) -> None:
        self.name, self.version = name, version
        hashes = dict(_hashes(settings))
        self.settings = {**settings, HASHES: hashes} if hashes else settings
        self.electrons, self.takes_moments = electrons, takes_moments
        self._maker, self._refuse = maker, refuse
        self._document = json.dumps(settings, sort_keys=True)

    def refusal(self, atoms: Atoms) -> str | None:
        """Return why a structure cannot be computed, in words; none if it can."""
        return self._refuse(atoms)

    def label(self, atoms: Atoms, wall_time: float | None = None) -> Labelled:
        """Return energy, forces and stress of a structure."""
        what = atoms.get_chemical_formula()
        for _ in range(N_TRIES):
            try:
                found = self._process().label(atoms, wall_time)
            except _KilledError:
                continue
            _check_finite(found, what)
            return found
        raise EngineFailureError(
            f"The process of {self.name} was killed {N_TRIES} times at {what}.",
            "Expected enough memory; a process that needs too much is killed.",
            "Use fewer --workers, or a smaller basis; then --retry-failed.",
        )

    def try_out(self) -> None:
        """Start the program with the settings once, and end it."""
        process = _Process(self._maker, self._document)
        try:
            process.start()
        except EngineFailureError as error:
            raise BadInputError(error.came, error.needed, error.remedy) from error
        finally:
            process.close()

    def _process(self) -> "_Process":
        return _started(os.getpid(), self._maker, self._document)


def _hashes(part: object) -> Iterator[tuple[str, str]]:
    """Yield the files among settings with their hashes.

    A program runs in a folder of its own, so only whole paths lead to files.
    """
    if isinstance(part, str):
        if Path(part).is_absolute() and is_file(Path(part)):
            yield part, file_fingerprint(Path(part))
    elif isinstance(part, Mapping):
        for one in part.values():
            yield from _hashes(one)
    elif isinstance(part, list | tuple):
        for one in part:
            yield from _hashes(one)


def _check_finite(found: Labelled, what: str) -> None:
    arrays = [one for one in (found.forces, found.stress) if one is not None]
    is_finite = all(np.isfinite(one).all() for one in arrays)
    if not (is_finite and np.isfinite(found.energy)):
        raise EngineFailureError(
            f"The labels of {what} are not finite.",
            "Expected finite energies and forces.",
            "Check the structure: atoms may be too close.",
        )


class _KilledError(Exception):
    """The process was killed by another one."""


class _OtherAnswerError(Exception):
    """The answer is not that of the question."""


@functools.lru_cache(maxsize=1)
def _started(_: int, maker: str, settings: str) -> "_Process":
    """Start a process once for all jobs of a worker; a fork has one of its own."""
    return _Process(maker, settings)


class _Process:
    """A process of ``child.py``.

    Parameters
    ----------
    maker
        Of its function.
    settings
        JSON.
    """

    def __init__(self, maker: str, settings: str) -> None:
        self._maker, self._settings = maker, settings
        self._process: subprocess.Popen[bytes] | None = None
        self._end = weakref.finalize(self, _nothing)
        self._rest = b""
        self._lock = threading.Lock()
        self._n_asked = 0

    def label(self, atoms: Atoms, wall_time: float | None) -> Labelled:
        """Ask about a structure; the process is started where there is none."""
        with self._lock:  # a worker may have several threads
            until = None if wall_time is None else time.monotonic() + wall_time
            try:
                if self._process is None:
                    self.start(until)
                self._n_asked += 1
                asked = {"number": self._n_asked, "atoms": document_of(atoms)}
                self._ask(json.dumps(asked) + "\n")
                answer = self._answer(until)
                _check_number(answer, self._n_asked)
            except TimeoutError:
                self.close()
                what = atoms.get_chemical_formula()
                raise took_too_long(what, wall_time or 0.0) from None
            except BaseException:  # an answer that comes later is that of another
                self.close()
                raise
        return child.labelled_of(answer)

    def start(self, until: float | None = None) -> None:
        """Start the program.

        Parameters
        ----------
        until
            By the monotonic clock, s; then it is given up.

        Raises
        ------
        EngineFailureError
            It refuses the settings.
        TimeoutError
            It took too long.
        """
        place = tempfile.TemporaryDirectory(prefix="atomgraft-engine-")
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - of the process, and closed with it
        self._process = subprocess.Popen(
            (sys.executable, "-m", child.__name__, self._maker, place.name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=place.name,
            env=_variables(place.name),
            start_new_session=True,  # signals of a terminal are for the worker
        )
        self._end = weakref.finalize(self, _end, self._process, place, self._log)
        self._rest = b""
        self._ask(self._settings + "\n")
        answer = self._answer(until)
        if answer != child.READY:
            self.close()
            child.labelled_of(answer)

    def _ask(self, line: str) -> None:
        pipe = _pipe(self._process, "stdin")
        try:
            pipe.write(line.encode())
            pipe.flush()
        except BrokenPipeError:
            self._raise_ended()

    def _answer(self, until: float | None) -> dict[str, Any]:
        descriptor = _pipe(self._process, "stdout").fileno()
        while b"\n" not in self._rest:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not select.select([descriptor], [], [], left)[0]:
                raise TimeoutError
            part = os.read(descriptor, 1 << 16)
            if not part:
                self._raise_ended()
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def _raise_ended(self) -> NoReturn:
        assert self._process is not None
        code = self._process.wait()
        self._log.seek(0)
        last = last_words(self._log.read().decode(errors="replace"))
        self.close()
        if code in KILLED:
            raise _KilledError
        raise EngineFailureError(
            f"The program ended with code {code}: {last}.",
            "Expected an answer.",
            "Check the structure and the settings of the engine; then --retry-failed.",
        )

    def close(self) -> None:
        """End the process; the next structure starts another."""
        self._end()
        self._process = None


def _check_number(answer: dict[str, Any], number: int) -> None:
    """Check that an answer is that of a question; it always is."""
    if answer["number"] != number:
        raise _OtherAnswerError


def _pipe(process: "subprocess.Popen[bytes] | None", name: str) -> Any:  # noqa: ANN401 - of either direction
    assert process is not None  # it was started
    return getattr(process, name)


def _nothing() -> None:
    """Do nothing, before there is a process."""


def _end(
    process: "subprocess.Popen[bytes]",
    place: "tempfile.TemporaryDirectory[str]",
    log: IO[bytes],
) -> None:
    """Kill a process and those that it has started; remove its folder and log."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):  # what was not read is lost
                pipe.close()
    process.wait()
    log.close()
    place.cleanup()


def version_of(distribution: str, extra: str) -> str:
    """Return name and version of an installed package, which is not imported.

    Parameters
    ----------
    distribution
        Its name at PyPI.
    extra
        Of atomgraft, which installs it.

    Raises
    ------
    MissingExtraError
        It is not installed.

    Examples
    --------
    >>> version_of("ase", "none").partition(" ")[0]
    'ase'
    """
    try:
        return f"{distribution} {importlib.metadata.version(distribution)}"
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingExtraError(
            f"This engine needs {distribution}, which is not installed here.",
            "It is an extra of atomgraft.",
            f"Run: pip install 'atomgraft[{extra}]'",
        ) from error


def _variables(folder: str) -> dict[str, str]:
    """Return the environment: one thread, its folder, and modules found here."""
    found = [str(Path(one or ".").resolve()) for one in sys.path]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(found),
        "TMPDIR": folder,
        "PYSCF_TMPDIR": folder,
        **dict.fromkeys(THREADS, "1"),
    }
