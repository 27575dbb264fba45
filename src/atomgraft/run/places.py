"""Present location of the files of a run that was moved."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from atomgraft.run.spec import RunSpec

WORKING, FOLDER = "working", "folder"


def made_in(folder: Path) -> dict[str, str]:
    """Return where a run is made: the working directory, and its folder."""
    return {WORKING: str(Path.cwd()), FOLDER: str(folder.resolve())}


def places_of(name: str, made: Mapping[str, str], folder: Path) -> list[str]:
    """Return where a file of a run may be, in the order in which it is looked for.

    As it was named, by its absolute path when the run was made, and as seen from the
    folder of the run. A name that is no file there comes last, as it is.

    Parameters
    ----------
    name
        File or folder; frames and data set may stand behind it.
    made
        Where the run was made; empty for runs that did not say.
    folder
        Where the run is.
    """
    found = _spellings(name, made, folder)
    there = [os.path.normpath(one) for one in found if is_there(one)]
    return list(dict.fromkeys([*there, name]))


def _spellings(name: str, made: Mapping[str, str], folder: Path) -> list[str]:
    """Return a name as seen from every origin, in one order for all names."""
    found = [name]
    if made:
        whole = os.path.normpath(Path(made[WORKING]) / name)
        found += [whole, str(folder.resolve() / os.path.relpath(whole, made[FOLDER]))]
    return [*found, str(folder / name)]


def moved_along(name: str, made: Mapping[str, str], folder: Path) -> str:
    """Return a file where it lies beside the run today, or else where it was then.

    Parameters
    ----------
    name, made, folder
        As in :func:`places_of`; `made` is not empty.
    """
    whole = os.path.normpath(Path(made[WORKING]) / name)
    beside = str(folder.resolve() / os.path.relpath(whole, made[FOLDER]))
    return os.path.normpath(beside) if is_there(beside) else whole


def is_there(name: str) -> bool:
    """Tell whether a file is there, whatever frames or data set are chosen of it."""
    frames, data = name.rpartition("@")[0], name.rpartition("#")[0]
    return any(os.path.lexists(one) for one in (name, frames, data) if one)


def specs_today(spec: RunSpec, made: Mapping[str, str], folder: Path) -> list[RunSpec]:
    """Return a run's spec with its training files where they may be, likeliest first.

    Parameters
    ----------
    spec
        As it was made.
    made, folder
        As in :func:`places_of`.
    """
    return [
        spec.model_copy(
            update={
                "train": tuple(looked_for[one] for one in spec.train),
                "validation": tuple(looked_for[one] for one in spec.validation),
            }
        )
        for looked_for in _by_origin((*spec.train, *spec.validation), made, folder)
    ]


def _by_origin(
    names: Sequence[str], made: Mapping[str, str], folder: Path
) -> list[dict[str, str]]:
    """Return where files are, once for each place from which they may be named.

    A file that is not there is taken from where it is likeliest.
    """
    likeliest = {one: places_of(one, made, folder)[0] for one in names}
    spelt = {one: _spellings(one, made, folder) for one in names}
    n_origins = len(_spellings("", made, folder))
    found = [
        {
            one: os.path.normpath(spelt[one][i])
            if is_there(spelt[one][i])
            else likeliest[one]
            for one in names
        }
        for i in range(n_origins)
    ]
    return [one for i, one in enumerate(found) if one not in found[:i]]
