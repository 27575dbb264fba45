"""Options of all commands that take a run."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atomgraft.study.options import (
    Accept,
    Head,
    Kernels,
    TrustFiles,
    TrustNamed,
    folder_for,
    takes_labels,
    trust_of,
    with_options,
)

if TYPE_CHECKING:
    from atomgraft.core.trust import Trust
    from atomgraft.run.spec import RunSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """The run that a command line means.

    Parameters
    ----------
    run
        Its spec, complete.
    folder
        Where it lives.
    with_scratch
        The same is also trained from fresh weights.
    fresh
        An earlier run in the folder is thrown away.
    trust
        Which checkpoints may run code.
    """

    run: "RunSpec"
    folder: Path
    with_scratch: bool
    fresh: bool
    trust: "Trust"


def takes_a_run(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the options that say which run is meant, before its own.

    Parameters
    ----------
    verb
        Called with what was `Asked`, and with its own options by name.

    Returns
    -------
    :
        A command for typer, which reads its options from the signature.
    """
    return with_options(verb, _asked, shared_first=True)


@takes_labels
def _asked(
    labels: dict[str, str | None],
    spec: Annotated[
        Path | None,
        typer.Argument(help="A run.yaml, or the folder of a run to go on with."),
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Model to start from, e.g. 7net-0.")
    ] = None,
    train: Annotated[
        list[str] | None, typer.Option(help="Files of labelled structures.")
    ] = None,
    validation: Annotated[
        list[str] | None, typer.Option(help="Files that decide which weights are kept.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="A named strategy: full, lora, readout, ridge, replay, scratch ..."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run.")] = None,
    head: Head = None,
    kernels: Kernels = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the optimiser.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", "--lr", help="Peak.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Structures a step; default by data size.")
    ] = None,
    differences: Annotated[
        str | None,
        typer.Option(
            help="Train on force differences: auto, always, required or never."
        ),
    ] = None,
    rank: Annotated[int | None, typer.Option(help="Rank of low-rank deltas.")] = None,
    references: Annotated[
        str | None,
        typer.Option(
            help="Correct reference energies before the first step: residual "
            "(default), labels, isolated or none."
        ),
    ] = None,
    no_references: Annotated[
        bool, typer.Option("--no-references", help="The same as --references none.")
    ] = False,
    element_map: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help="Start an element from another one's weights: DONOR:ELEMENT, such as"
            " Si:Ge; auto:Ge finds the donor. Several: repeat, or Li:Na,P:As."
            " Si:Ge@1.04 also scales lengths, Si:Ge@fit finds the scale.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32 or float64.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    accept: Accept = None,
    with_scratch: Annotated[
        bool,
        typer.Option(
            "--with-scratch", help="Also train from fresh weights, as a baseline."
        ),
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Throw an earlier run in the folder away.")
    ] = False,
    trust: TrustNamed = False,
    trust_file: TrustFiles = None,
) -> Asked:
    """Return the run that the options mean."""
    from atomgraft.run.spec import with_accepted, with_short

    given = {
        "base": base,
        "head": head,
        "kernels": kernels,
        "train": tuple(train) if train else None,
        "validation": tuple(validation) if validation else None,
        "recipe": recipe,
        "learning_rate": learning_rate,
        "seed": seed,
        "dtype": dtype,
        "device": device,
        **labels,
        "accept": tuple(accept) if accept else None,
    }
    short = {
        "steps": steps,
        "batch_size": batch_size,
        "differences": differences,
        "rank": rank,
        "references": _one_way(references, is_none=no_references),
        "map": _one_map(element_map) if element_map else None,
    }
    run = _composed(spec, {key: one for key, one in given.items() if one is not None})
    run = with_short(run, short, "The command line")
    own = spec if spec and spec.is_dir() else None
    mapped = run.axes.starts.map
    what = [run.recipe, *([mapped.words] if mapped else [])]
    folder = out or own or folder_for(run.train, *what)
    if not fresh:
        run = with_accepted(run, folder)
    return Asked(
        run=run,
        folder=folder,
        with_scratch=with_scratch,
        fresh=fresh,
        trust=trust_of(trust, trust_file, [base]),
    )


def _one_way(references: str | None, *, is_none: bool) -> str | None:
    """Return how reference energies are corrected, from two options."""
    from atomgraft.core.errors import BadInputError

    if is_none and references not in {None, "none"}:
        raise BadInputError(
            f"--references {references} and --no-references are both given.",
            "One says how to fit reference energies, the other not to fit them.",
            "Leave one of them out.",
        )
    return "none" if is_none else references


def _one_map(words: list[str]) -> str:
    """Return several element maps as one; scales hold for the whole model."""
    from atomgraft.core.errors import BadInputError

    scaled = [one for one in words if "@" in one]
    if len(words) > 1 and scaled:
        pairs = ",".join(one.partition("@")[0] for one in words)
        scale = scaled[-1].partition("@")[2]
        raise BadInputError(
            f"Several --map are given, and {' and '.join(scaled)} with a scale.",
            "A scale holds for the whole model.",
            f"Write them as one, such as --map {pairs}@{scale}",
        )
    return ",".join(words)


def _composed(path: Path | None, given: dict[str, Any]) -> "RunSpec":
    """Return the spec of a file, a folder, or the flags alone; flags win."""
    from atomgraft.core.errors import BadInputError
    from atomgraft.core.yaml_files import read_settings

    if path is not None and not path.is_dir():
        read_settings(path)  # a broken file is refused before the heavy imports
    from atomgraft.run.spec import SPEC, parse_spec

    if path is None:
        return parse_spec({"recipe": "lora", **given}, "The command line")
    file = path / SPEC if path.is_dir() else path
    document = read_settings(file)
    if not given or not isinstance(document, dict):
        return parse_spec(document, str(file))
    own = [key for key in ("axes", "learning_rate") if document.get(key) is not None]
    if own and given.get("recipe", document.get("recipe")) != document.get("recipe"):
        raise BadInputError(
            f"{file} gives {' and '.join(own)} for its own recipe, and --recipe "
            f"{given['recipe']} asks for another.",
            "Axes and learning rate belong to one recipe.",
            "Change the file, or leave --recipe out.",
        )
    return parse_spec(_merged(document, given), f"{file} with the command line")


FOR_ALL = ("accept", "device")
"""Keys whose options hold for every run of a file; others set keys of the last one."""


def _merged(document: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return what a file and the command line say together, which wins."""
    base = document.get("base")
    if isinstance(base, dict):
        shared = {key: given[key] for key in FOR_ALL if key in given}
        document = {**document, "base": _merged(base, shared)}
    return {**document, **given}
