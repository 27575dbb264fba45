"""atomgraft report: the page again, from the numbers on disk alone."""

from pathlib import Path
from typing import Annotated

import typer

from atomgraft.study.options import Json, Overwrite


def command(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder of a run, comparison, phonons, selection, tree, campaign."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="File to write; default: the page's own place.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write a page again from its JSON file; needs neither torch nor the model."""
    from atomgraft.cli.kinds import kind_at
    from atomgraft.core.outputs import write_alone, write_beside
    from atomgraft.core.storage import is_folder
    from atomgraft.study.screen import console, print_json

    screen = console(quiet=as_json)
    kind = kind_at(folder)
    record = kind.record.read(folder)
    kind.show(screen, record)
    name, text = kind.page(record)
    if out is None:
        page = (folder if is_folder(folder) else folder.parent) / name
        write_beside(page, text, overwrite=overwrite)
    else:
        page = out
        write_alone(page, text, overwrite=overwrite, inputs=[folder])
    screen.print(f"\nPage: {page}", markup=False)
    if as_json:
        print_json(record.model_dump_json(indent=1))
