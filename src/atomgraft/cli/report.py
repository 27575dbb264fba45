"""atomgraft report: write a page again from the numbers on disk."""

from pathlib import Path
from typing import Annotated

import typer

from atomgraft.study.options import Json, Overwrite


def command(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder of a run, comparison, phonon calculation, selection, tree "
            "or campaign."
        ),
    ],
    other: Annotated[
        Path | None,
        typer.Argument(help="A second run, shown beside the first on one page."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output file; default: the page in its folder, or "
            "RUN-beside-RUN2.html for two."
        ),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write an HTML page again from its JSON file, without torch or the model."""
    from atomgraft.cli.kinds import kind_at
    from atomgraft.core.outputs import write_alone, write_beside
    from atomgraft.core.storage import is_folder
    from atomgraft.study.screen import console, print_json

    screen = console(quiet=as_json)
    if other is not None:
        page, document = _beside(folder, other, out, overwrite=overwrite)
        screen.print(f"Page: {page}", markup=False)
        if as_json:
            print_json(document)
        return
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


def _beside(
    folder: Path, other: Path, out: Path | None, *, overwrite: bool
) -> tuple[Path, str]:
    """Write the page of two runs; return where it is, and both results as JSON."""
    from atomgraft.core.outputs import write_alone
    from atomgraft.core.storage import is_folder
    from atomgraft.run.page.beside import pair_text
    from atomgraft.run.record import RESULT

    names = [
        (one if is_folder(one) else one.parent).resolve().name
        for one in (folder, other)
    ]
    page = out or Path(f"{names[0]}-beside-{names[1]}.html")
    pair = RESULT.read(folder), RESULT.read(other)
    write_alone(page, pair_text(pair), overwrite=overwrite, inputs=[folder, other])
    first, second = (one.model_dump_json(indent=1) for one in pair)
    return page, f"[{first}, {second}]"
