"""A run on disk: trajectories that grow, and a state from which it goes on."""

import io
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from ase import Atoms
from ase.io import write

from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import fingerprint
from atomgraft.core.storage import (
    append_after,
    is_file,
    make_folder,
    remove_file,
    write_atomically,
)
from atomgraft.dynamics.mover import OWN, AbstractMover
from atomgraft.dynamics.replicas import State, frame, places_of

STATE = "state.safetensors"

OBSERVED = "observed."
"""Before the names of arrays that are not of the state itself."""

FIELDS = ("positions", "velocities", "forces", "energies", "stopped")

NAME = re.compile(r"\d{3,}\.extxyz", re.ASCII)
"""Of trajectories; a state that names other files is not ours."""

LINE = 4096
"""Bytes of a line of a frame that are read, at most."""

FIRST_STEP = b" step=0 "
"""In the second line of the first frame of a run."""

NOTHING: Mapping[str, Any] = MappingProxyType({})


def trajectory_name(i: int) -> str:
    """Return the file of a replica.

    Examples
    --------
    >>> trajectory_name(3)
    '003.extxyz'
    """
    return f"{i:03d}.extxyz"


class Recording:
    """The folder of one run.

    Frames wait in memory until the state is saved; then both are on the disk. Frames
    that a killed run has written behind its last state are cut off when it goes on.

    Parameters
    ----------
    folder
        Of this run alone; made when something is written.
    pins
        What the run is: structures, potential, settings; none takes all that the mover
        knows of itself. It is resumed with the same alone; trajectories of another run
        are replaced or removed.
    """

    def __init__(self, folder: Path, pins: Mapping[str, Any] = NOTHING) -> None:
        self.folder, self.pins = folder, dict(pins)
        self._is_pinned = bool(pins)
        self._lengths: dict[str, int] = {}
        self._waiting: dict[str, list[bytes]] = {}
        self._stale: list[str] = []

    def moved_by(self, mover: AbstractMover) -> None:
        """Add what makes the steps to what the run is.

        Parameters
        ----------
        mover
            The name of our own engine is not written, as in files from before there
            were others.
        """
        if not self._is_pinned:
            self.pins["mover"] = mover.identity()
        self.pins.pop("engine", None)
        if mover.engine != OWN:
            self.pins["engine"] = mover.engine

    def resumed(self) -> tuple[State, dict[str, np.ndarray]] | None:
        """Return the last state and what was observed; none for another run, or none.

        Raises
        ------
        BadInputError
            The file of the state, or a trajectory, is damaged, or is a link.
        """
        path = self.folder / STATE
        _refuse_link(path)
        if not is_file(path):
            return None
        try:
            with safetensors.safe_open(path, framework="np") as stream:
                card = json.loads((stream.metadata() or {})["run"])
                names: list[str] = stream.keys()  # not a mapping: cannot be iterated
                arrays = {name: stream.get_tensor(name) for name in names}
            lengths = _lengths_in(card)
            if card.get("hash", (known := _hash_of(card, arrays))) != known:
                raise damaged(path)
            if card["pins"] != json.loads(json.dumps(self.pins)):
                self._stale = list(lengths)
                return None
            fields = {name: arrays.pop(name) for name in FIELDS}
            state = State(step=int(card["step"]), **fields)
        except DAMAGE as error:
            raise damaged(path) from error
        for name, n_bytes in lengths.items():
            place = self.folder / name
            _refuse_link(place)
            if not is_file(place) or place.stat().st_size < n_bytes:
                raise damaged(place)
        self._lengths = lengths
        return state, {name.removeprefix(OBSERVED): one for name, one in arrays.items()}

    def add_frames(
        self, mover: AbstractMover, state: State, replicas: Iterable[int]
    ) -> None:
        """Add a frame of some replicas, with its step, time (fs) and energy (eV)."""
        places = places_of(mover.replicas)
        for i in map(int, replicas):
            atoms = frame(mover.replicas[i], places[i], state)
            step = state.step if state.is_moving[i] else int(state.stopped[i])
            atoms.info |= {
                "step": step,
                "time": step * mover.timestep,
                "potential_energy": float(state.energies[i]),
            }
            self._waiting.setdefault(trajectory_name(i), []).append(_text(atoms))

    def save(self, state: State, observed: Mapping[str, np.ndarray] = NOTHING) -> None:
        """Write the frames that wait, then the state.

        Parameters
        ----------
        state
            Of all replicas.
        observed
            Further arrays that the run needs to go on.

        Raises
        ------
        StorageError
            The folder cannot be written.
        """
        make_folder(self.folder)
        self.refuse_others()
        for name, texts in self._waiting.items():
            content = b"".join(texts)
            append_after(self.folder / name, self._lengths.get(name, 0), content)
            self._lengths[name] = self._lengths.get(name, 0) + len(content)
        self._waiting = {}
        for name in set(self._stale) - self._lengths.keys():
            if is_file(self.folder / name):
                remove_file(self.folder / name)
        self._stale = []
        card = {"pins": self.pins, "step": state.step, "lengths": self._lengths}
        arrays = {name: getattr(state, name) for name in FIELDS}
        arrays |= {OBSERVED + name: one for name, one in observed.items()}
        arrays = {name: np.ascontiguousarray(one) for name, one in arrays.items()}
        card["hash"] = _hash_of(card, arrays)
        content = safetensors.numpy.save(arrays, {"run": json.dumps(card)})
        write_atomically(self.folder / STATE, content)

    def refuse_others(self) -> None:
        """Refuse files in the place of trajectories that this run has not begun.

        Raises
        ------
        BadInputError
            There is such a file, or a link.
        """
        for name, texts in self._waiting.items():
            path = self.folder / name
            if name in self._lengths or name in self._stale:
                _refuse_link(path)
            else:
                refuse_others_file(path, texts[0])


def refuse_others_file(path: Path, first: bytes | int) -> None:
    """Refuse a file in the place of a trajectory that no state beside it names.

    A run that was killed before its first state leaves one. It begins as this run
    does.

    Parameters
    ----------
    path
        Of the trajectory; nothing need be there.
    first
        The first frame of this run as it is written, or the number of its atoms where
        it is not yet computed.

    Raises
    ------
    BadInputError
        The file begins otherwise, or is a link.
    """
    _refuse_link(path)
    if not is_file(path):
        return
    with path.open("rb") as stream:
        if isinstance(first, bytes):
            is_own = first.startswith(stream.read(len(first)))
        else:
            count, about = stream.readline(LINE), stream.readline(LINE)
            line = b"%d\n" % first
            is_own = line == count if about else line.startswith(count)
            is_own = is_own and (not about or FIRST_STEP in about)
    if not is_own:
        raise BadInputError(
            f"{path} exists, and atomgraft did not write it for this run.",
            "Expected a folder for this run alone.",
            "Give another folder, or move the file.",
        )


DAMAGE = (
    OSError,
    safetensors.SafetensorError,
    *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError),
)
"""What reading a file raises that is not as it was written."""


def _lengths_in(card: Mapping[str, Any]) -> dict[str, int]:
    """Return the bytes of each trajectory.

    Raises
    ------
    ValueError
        A name is not that of a trajectory, or a number is none.
    """
    found: dict[str, int] = {}
    for name, n in card["lengths"].items():
        if not NAME.fullmatch(name) or type(n) is not int or n < 0:
            raise ValueError(name)
        found[name] = n
    return found


def _hash_of(card: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    told = {key: one for key, one in card.items() if key != "hash"}
    parts = [json.dumps(told, sort_keys=True).encode()]
    for name, one in sorted(arrays.items()):
        parts += [f"{name} {one.dtype} {one.shape}".encode(), one.tobytes()]
    return fingerprint(parts)


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise BadInputError(
            f"{path} is a link.",
            "Files of a run are written as plain files, and no link is followed.",
            "Remove the link, or give another folder.",
        )


def _text(atoms: Atoms) -> bytes:
    stream = io.StringIO()
    write(stream, atoms, format="extxyz")
    return stream.getvalue().encode()


def damaged(path: Path) -> BadInputError:
    """Return the error of a file that is not as it was written."""
    return BadInputError(
        f"{path} is damaged: the run cannot continue.",
        "Expected the files of a run as atomgraft wrote them.",
        f"Remove the folder {path.parent} to start again.",
    )
