"""atomgraft prove: judge a run on structures it has not seen."""

import functools
from pathlib import Path
from typing import Annotated

import typer

from atomgraft.study.options import Json
from atomgraft.study.trust_options import TrustFiles, TrustNamed, trust_of

NAME = "prove"


def command(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    test: Annotated[
        list[str] | None, typer.Option(help="Files of held-out structures.")
    ] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(help="A further suite: phonons; repeat."),
    ] = None,
    crystal: Annotated[
        list[str] | None,
        typer.Option(
            help="For phonons: a structure, or a calculation of phonopy; repeat."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    default_labels: Annotated[
        bool,
        typer.Option(
            "--default-labels",
            help="Read test files by the default keys and units, not by the run's.",
        ),
    ] = False,
    trust: TrustNamed = False,
    trust_file: TrustFiles = None,
    as_json: Json = False,
) -> None:
    """Measure held-out errors, forgetting and consistency; write the page."""
    from atomgraft.run.held_out import refuse_early
    from atomgraft.run.screen import print_result
    from atomgraft.study.screen import (
        calm,
        console,
        device_name,
        print_json,
        print_notice,
        stage_screen,
    )

    if test:
        refuse_early(folder, test, default_labels=default_labels)
    from atomgraft.run.page.document import write_page
    from atomgraft.run.prove import prove, prove_vibrations

    crystals = _crystals(suite or [], crystal)
    allowed = trust_of(trust, trust_file, ())
    screen = console(quiet=as_json)
    with calm(), stage_screen(screen) as show:
        vibrations = functools.partial(
            prove_vibrations,
            folder,
            crystals or (),
            test=tuple(test or ()),
            device=device_name(device),
            trust=allowed,
        )
        if crystals is not None:
            vibrations(is_trial=True)  # before anything is written
        result = prove(
            folder,
            tuple(test or ()),
            device=device_name(device),
            default_labels=default_labels,
            trust=allowed,
            progress=show,
            notify=lambda text: print_notice(screen, text),
        )
        if crystals is not None:
            result = vibrations(progress=show)
    page = write_page(folder, result)
    print_result(screen, result)
    screen.print(f"\nPage: {page}", markup=False)
    if as_json:
        print_json(result.model_dump_json(indent=1))


def _crystals(suites: list[str], crystals: list[str] | None) -> list[str] | None:
    """Return the crystals of the suite of phonons; none where it is not asked for.

    Raises
    ------
    BadInputError
        There is no such suite, or crystals were named without it.
    """
    from atomgraft.core.errors import BadInputError

    unknown = [one for one in suites if one != "phonons"]
    if unknown:
        raise BadInputError(
            f"There is no suite {unknown[0]!r} to ask for.",
            "Labels, forgetting and consistency are always judged; further: phonons.",
            "Write --suite phonons, or leave it out.",
        )
    if crystals and not suites:
        raise BadInputError(
            f"A crystal was named ({crystals[0]}), and no suite uses it.",
            "Crystals are for the suite of phonons.",
            "Add --suite phonons.",
        )
    return list(crystals or ()) if suites else None
