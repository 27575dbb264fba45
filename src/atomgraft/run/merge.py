"""Writing a run as one plain model file."""

import shlex
from pathlib import Path
from tempfile import TemporaryDirectory

from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import held, write_alone
from atomgraft.core.overlap import refuse_taken_file
from atomgraft.core.storage import write_atomically
from atomgraft.models.base import NEGLIGIBLE_ROUNDING, AbstractPotential
from atomgraft.run.inputs import base_places, origins_of
from atomgraft.run.references import MEV_PER_ATOM

MERGED = "merged"
"""Of the file in the folder of the run, before the ending that its format adds."""


def write_merged(
    merged: AbstractPotential,
    folder: Path,
    out: Path | None = None,
    *,
    overwrite: bool = False,
    base: str | None = None,
) -> Path:
    """Write the merged model of a run; return the file.

    Parameters
    ----------
    merged
        The model.
    folder
        The run it comes from.
    out
        The file; where it has no ending, that of its format is added. None is in
        the folder.
    overwrite
        Replace a file of that name, if it is no input.
    base
        Where the model was that the run grew on, if it was named.

    Raises
    ------
    BadInputError
        The file is there already, is what the run was made from, or has the ending
        of another format.
    StorageError
        The folder cannot be written.
    """
    place = folder / MERGED if out is None else out
    if not place.name:  # a folder
        refuse_taken_file(place, overwrite=overwrite)
    with TemporaryDirectory(prefix="atomgraft-") as temporary:
        made = merged.export(Path(temporary) / place.name)
        path, content = place.with_name(made.name), made.read_bytes()
    if path != place and place.suffix[1:2].isalpha():  # no part of si-300.5K
        raise BadInputError(
            f"{place} ends in {place.suffix}.",
            f"Files of {merged.card.framework} models end in {path.suffix}.",
            f"Use --out {shlex.quote(str(place.with_suffix(path.suffix)))}",
        )
    if out is None:
        with held(folder, None):
            write_atomically(path, content)
    else:
        read = (*origins_of(str(folder)), *base_places(folder), base)
        write_alone(path, content, overwrite=overwrite, inputs=read)
    return path


def exported_note(potential: AbstractPotential) -> str | None:
    """Return the rounding of large reference energies in an exported file, in words.

    Examples
    --------
    >>> from atomgraft.models.pair import stillinger_weber
    >>> exported_note(stillinger_weber(["Si"])) is None
    True
    """
    largest = float(potential.reference_table().abs().max())
    size = f"reference energies of up to {largest:,.0f} eV/atom"
    precision = str(potential.exported_dtype()).removeprefix("torch.")
    if (rounding := potential.exported_rounding()) > NEGLIGIBLE_ROUNDING:
        return (
            f"{potential.card.framework} adds {size} in {precision}: energies that it "
            f"computes from this file are rounded to about "
            f"{rounding * MEV_PER_ATOM:.2g} meV/atom, in sums over many atoms to more. "
            "Forces and stresses are exact, and so are energies where atomgraft reads "
            "the file."
        )
    if potential.exported_dtype() != potential.dtype:
        return (
            f"The file is in {precision}, so that {size} stay exact; evaluate it in "
            "that precision."
        )
    return None
