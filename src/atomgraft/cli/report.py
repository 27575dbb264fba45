"""atomgraft report: write the page of a run again, from its result alone."""

from pathlib import Path
from typing import Annotated

import typer

from atomgraft.cli.options import Json

NAME = "report"


def command(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.")],
    as_json: Json = False,
) -> None:
    """Write report.html from result.json; needs neither torch nor the model."""
    from atomgraft.cli.screen import console, print_json, print_result
    from atomgraft.report.page import write_page
    from atomgraft.results.files import read_result

    screen = console(quiet=as_json)
    result = read_result(folder)
    page = write_page(folder, result)
    print_result(screen, result)
    screen.print(f"\nPage: {page}", markup=False)
    if as_json:
        print_json(result.model_dump_json(indent=1))
