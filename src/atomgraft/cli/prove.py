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
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Measure held-out errors, forgetting and consistency; write the page."""
    from atomgraft.cli.screen import (
        calm,
        console,
        print_json,
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
            trust=trust,
            progress=show,
            notify=lambda text: screen.print(f"[yellow]Note:[/yellow] {text}"),
        )
    page = write_page(folder, result)
    print_result(screen, result)
    screen.print(f"\nPage: {page}")
    if as_json:
        print_json(result.model_dump_json(indent=1))
