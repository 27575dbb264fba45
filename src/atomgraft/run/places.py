"""Where the files that a run names are today; it and they may have been moved."""

import os
from collections.abc import Mapping
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
    found = [name]
    if made:
        whole = os.path.normpath(Path(made[WORKING]) / name)
        found += [whole, str(folder.resolve() / os.path.relpath(whole, made[FOLDER]))]
    found.append(str(folder / name))
    there = [os.path.normpath(one) for one in found if is_there(one)]
    return list(dict.fromkeys([*there, name]))


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
    names = (*spec.train, *spec.validation)
    places = {one: places_of(one, made, folder) for one in names}
    most = max(len(one) for one in places.values())
    today = [
        {one: there[i % len(there)] for one, there in places.items()}
        for i in range(most)
    ]
    return [
        spec.model_copy(
            update={
                "train": tuple(now[one] for one in spec.train),
                "validation": tuple(now[one] for one in spec.validation),
            }
        )
        for now in today
    ]
