"""A run as one plain model file, beside the run or where the user wants it."""

from pathlib import Path
from tempfile import TemporaryDirectory

from atomgraft.core.outputs import held, write_alone
from atomgraft.core.storage import write_atomically
from atomgraft.experiments.inputs import origins_of
from atomgraft.models.base import AbstractPotential

MERGED = "merged"
"""Of the file in the folder of the run, before the ending that its format adds."""


def write_merged(
    merged: AbstractPotential,
    folder: Path,
    out: Path | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Write the merged model of a run; return the file.

    Parameters
    ----------
    merged
        The model.
    folder
        The run it comes from.
    out
        The file, to which its format may add an ending; none is in the folder.
    overwrite
        Replace a file of that name, if it is no input.

    Raises
    ------
    BadInputError
        The file is there already, or is what the run was made from.
    StorageError
        The folder cannot be written.
    """
    place = folder / MERGED if out is None else out
    with TemporaryDirectory(prefix="atomgraft-") as temporary:
        made = merged.export(Path(temporary) / place.name)
        path, content = place.with_name(made.name), made.read_bytes()
    if out is None:
        with held(folder, None):
            write_atomically(path, content)
    else:
        read = origins_of(str(folder))
        write_alone(path, content, overwrite=overwrite, inputs=read)
    return path
