"""The state of a run on disk."""

import dataclasses
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from atomgraft.adaptation.ridge import MAX_ATOMS, Rows
from atomgraft.core.errors import BadInputError
from atomgraft.core.json_files import parse_json
from atomgraft.core.reading import read_log
from atomgraft.core.storage import is_file, write_atomically
from atomgraft.models.checkpoints import read_checkpoint

CHECKPOINT = "checkpoint.pt"
METRICS = "metrics.jsonl"
ROWS = "rows-{:08d}.pt"

LAYOUT = 2
"""Since then A stands at the inputs of matrices stored as outputs by inputs, too."""


@dataclasses.dataclass(kw_only=True)
class State:
    """Everything that changes while training.

    Parameters
    ----------
    pins
        What the checkpoint belongs to (spec, data, base): must be equal on resume.
    step
        Steps done.
    trainables
        Trained tensors.
    average
        Their running mean; empty when there is none.
    optimizer
        The optimiser's own state.
    best_step, best_score, best
        The best validation so far and its tensors; none without validation.
    n_bad
        Validations since the best one.
    n_split_batches
        Batches that were cut because memory ran out.
    seconds
        Time spent training.
    scales
        Unit of error by stream and property, internal units.
    stream_seconds, stream_counts
        Time and structures of each stream so far.
    layout
        Which way round deltas of transposed matrices are: `LAYOUT`, or 1 in files of
        before.
    """

    pins: dict[str, str]
    step: int
    trainables: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: dict[str, Any]
    best_step: int
    best_score: float | None
    best: dict[str, Tensor] | None
    n_bad: int
    n_split_batches: int
    seconds: float
    scales: dict[str, dict[str, float]]
    stream_seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    stream_counts: dict[str, int] = dataclasses.field(default_factory=dict)
    layout: int = 1


def write_state(folder: Path, state: State) -> None:
    """Write the checkpoint of a run folder.

    Raises
    ------
    StorageError
        The folder cannot be written; the last checkpoint is as it was.
    """
    fields = {
        field.name: getattr(state, field.name) for field in dataclasses.fields(state)
    }
    _write(folder / CHECKPOINT, fields)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())


def read_state(folder: Path, pins: dict[str, str]) -> State | None:
    """Read the checkpoint of a run folder, if there is one.

    Raises
    ------
    BadInputError
        It cannot be read, or belongs to another run.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        state = State(**read_checkpoint(path))
    except TypeError as error:
        raise _unknown(path) from error
    _refuse_other(path, state.pins, pins)
    return state


def _unknown(path: Path) -> BadInputError:
    return BadInputError(
        f"{path} is not a checkpoint of this version.",
        "Expected a checkpoint as 'atomgraft adapt' wrote it.",
        "Start the run again with --fresh, or choose another folder with --out.",
    )


def _refuse_other(
    path: Path, stored: Mapping[str, str], pins: Mapping[str, str]
) -> None:
    differing = [key for key, value in pins.items() if stored.get(key) != value]
    if differing:
        raise BadInputError(
            f"{path} was made with another {' and '.join(differing)}.",
            "A run can be resumed only with the spec, data and base it started with.",
            "Choose another folder with --out, or use --fresh to start again.",
        )


class KeptRows:
    """The rows of a readout that is solved, in files of a run folder.

    Each file is named after the number of its first structure; together they hold the
    first structures without a gap.

    Parameters
    ----------
    folder
        Of the run.
    pins
        What the rows belong to.
    begin
        Called before a file is written; none leaves that to another process.
    is_fresh
        What is there does not count, and is thrown away before a file is written.
    """

    def __init__(
        self,
        folder: Path,
        pins: Mapping[str, str],
        *,
        begin: Callable[[], None] | None,
        is_fresh: bool = False,
    ) -> None:
        self.folder, self.begin, self.is_fresh = folder, begin, is_fresh
        self.pins = {**pins, "number of atoms at a time": str(MAX_ATOMS)}

    def read(self) -> list[Rows]:
        """Return what is there.

        Raises
        ------
        BadInputError
            A file cannot be read, or belongs to another run.
        """
        rows: list[Rows] = []
        for path in [] if self.is_fresh else kept_files(self.folder):
            if path.name != ROWS.format(len(rows)):
                break  # a file before it is gone: the rest is done again
            document = read_checkpoint(path)
            try:
                _refuse_other(path, document["pins"], self.pins)
                rows += [_rows_of(one) for one in document["rows"]]
            except (KeyError, TypeError, AttributeError) as error:
                raise _unknown(path) from error
        return rows

    def keep(self, first: int, rows: Sequence[Rows]) -> None:
        """Write rows of consecutive structures.

        Raises
        ------
        StorageError
            The folder cannot be written.
        """
        if self.begin is None:
            return
        self.begin()
        stored = [
            {
                "energy": one.energy,
                "energy_row": torch.from_numpy(one.energy_row),
                "forces": torch.from_numpy(one.forces),
                "forces_rows": torch.from_numpy(one.forces_rows),
            }
            for one in rows
        ]
        _write(self.folder / ROWS.format(first), {"pins": self.pins, "rows": stored})


def kept_files(folder: Path) -> list[Path]:
    """Return the files of :class:`KeptRows` in a folder, in their order."""
    return sorted(folder.glob(ROWS.format(0).replace("0", "[0-9]")))


def _rows_of(stored: Mapping[str, Any]) -> Rows:
    return Rows(
        energy=float(stored["energy"]),
        energy_row=_array(stored["energy_row"]),
        forces=_array(stored["forces"]),
        forces_rows=_array(stored["forces_rows"]),
    )


def _array(stored: Tensor) -> np.ndarray:
    return stored.numpy()


def truncate_metrics(folder: Path, step: int) -> None:
    """Drop logged lines beyond `step`: they will be written again.

    Raises
    ------
    StorageError
        The folder cannot be written.
    """
    path = folder / METRICS
    if is_file(path):
        kept = [
            line
            for line in read_log(path)
            if (record := _record(line)) is not None and record["step"] <= step
        ]
        write_atomically(path, "".join(line + "\n" for line in kept))


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Return the logged lines of a run; a line cut off by a crash is left out."""
    path = folder / METRICS
    if not is_file(path):
        return []
    records = map(_record, read_log(path))
    return [record for record in records if record is not None]


def _record(line: str) -> dict[str, Any] | None:
    """Return a logged line; none where a crash or another program left rubbish."""
    try:
        record = parse_json(line, finite=False)
    except ValueError:
        return None
    return record if type(record.get("step")) is int else None
