"""atomgraft prove: judge a run on structures it has not seen."""

from pathlib import Path
from typing import Annotated

import typer

from atomgraft.cli.options import Json, Trust

NAME = "prove"


def command(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    test: Annotated[
        list[str] | None, typer.Option(help="Files of held-out structures.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    default_labels: Annotated[
        bool,
        typer.Option(
            "--default-labels",
            help="Read test files by the default keys and units, not by the run's.",
        ),
    ] = False,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Measure held-out errors, forgetting and consistency; write the page."""
    from atomgraft.cli.screen import (
        calm,
        console,
        device_name,
        print_json,
        print_notice,
        print_result,
        stage_screen,
    )
    from atomgraft.experiments.prove import prove
    from atomgraft.report.page import write_page

    screen = console(quiet=as_json)
    with calm(), stage_screen(screen) as show:
        result = prove(
            folder,
            tuple(test or ()),
            device=device_name(device),
            default_labels=default_labels,
            trust=trust,
            progress=show,
            notify=lambda text: print_notice(screen, text),
        )
    page = write_page(folder, result)
    print_result(screen, result)
    screen.print(f"\nPage: {page}", markup=False)
    if as_json:
        print_json(result.model_dump_json(indent=1))
