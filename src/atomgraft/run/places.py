"""Present location of the files of a run that was moved."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import examine
from atomgraft.run.spec import (
    BASE,
    SCRATCH,
    SPEC,
    HeadSpec,
    RunSpec,
    read_spec,
    refuse_other_spec,
    scratch_spec,
)

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


def base_run(spec: RunSpec, folder: Path) -> tuple[RunSpec, Path] | None:
    """Return the run that makes the base of another, with its folder; or none.

    Parameters
    ----------
    spec
        The run whose base is asked for.
    folder
        Its own; a run from fresh weights that stands beside it shares its base.
    """
    if isinstance(spec.base, str):
        return None
    home = folder.parent if _is_beside(spec, folder) else folder
    return spec.base, home / BASE


def _is_beside(spec: RunSpec, folder: Path) -> bool:
    """Tell whether a run is the one from fresh weights of the folder around it."""
    around = folder.resolve().parent / SPEC
    if folder.resolve().name != SCRATCH or not around.is_file():
        return False
    try:
        return scratch_spec(read_spec(around)).identity() == spec.identity()
    except BadInputError:
        return False


def runs_of(spec: RunSpec, folder: Path) -> list[tuple[RunSpec, Path]]:
    """Return all runs that a spec trains with their folders, in their order.

    Parameters
    ----------
    spec, folder
        Of the last one.
    """
    found = base_run(spec, folder)
    if found is None or found[1].parent != folder:
        return [(spec, folder)]
    return [*runs_of(*found), (spec, folder)]


def refuse_other_runs(
    spec: RunSpec,
    folder: Path,
    *,
    fresh: bool,
    read: Callable[[RunSpec], Iterable[str]] = lambda _: (),
) -> None:
    """Check that the folders of all runs of a spec may be written; write nothing.

    Parameters
    ----------
    spec, folder
        Of the last one.
    fresh
        What an earlier run left there is to be removed.
    read
        Returns what a run reads.

    Raises
    ------
    BadInputError
        A folder holds something else, an input lies in it, or a run would start from
        itself.
    """
    runs = runs_of(spec, folder)
    for one, _ in runs:
        _refuse_itself(one, [place for _, place in runs])
    for one, place in reversed(runs):
        examine(place, "adapt", inputs=read(one), fresh=fresh)
        if not fresh:
            refuse_other_spec(place, one)


def _refuse_itself(spec: RunSpec, places: Sequence[Path]) -> None:
    """Check that the base of a run is none of the folders that are written."""
    if not isinstance(spec.base, str):
        return
    # not Path.resolve, which raises where links run in a circle
    if os.path.realpath(spec.base) not in {os.path.realpath(one) for one in places}:
        return
    from atomgraft.models.loading import is_known_name

    if not is_known_name(spec.base):
        raise BadInputError(
            f"The run would start from {spec.base}, which is the folder that it is "
            "written to: it names itself as its base.",
            "A run starts from another model.",
            "Name another base, or another folder with --out.",
        )


def base_name(spec: RunSpec, folder: Path) -> str:
    """Return the name, file or folder of the model that a run starts from.

    Parameters
    ----------
    spec
        The run.
    folder
        Its own; a base that is part of the spec lies there.
    """
    found = base_run(spec, folder)
    return str(spec.base) if found is None else str(found[1])


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
    heads = spec.heads.values()
    of_heads = [one for head in heads for one in (*head.train, *head.validation)]
    names = (*spec.train, *spec.validation, *of_heads)

    def found(looked_for: dict[str, str]) -> RunSpec:
        moved = {
            name: head.model_copy(update=_moved(head, looked_for))
            for name, head in spec.heads.items()
        }
        return spec.model_copy(update=_moved(spec, looked_for) | {"heads": moved})

    return [found(looked_for) for looked_for in _by_origin(names, made, folder)]


def _moved(
    spec: RunSpec | HeadSpec, looked_for: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Return the files of a spec where they may be."""
    return {
        "train": tuple(looked_for[one] for one in spec.train),
        "validation": tuple(looked_for[one] for one in spec.validation),
    }


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
