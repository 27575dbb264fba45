"""atomgraft report: write the page of a run again, from its result alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atomgraft.cli.options import Json

if TYPE_CHECKING:
    from rich.console import Console

NAME = "report"


def command(
    folder: Annotated[Path, typer.Argument(help="Folder of a run or comparison.")],
    as_json: Json = False,
) -> None:
    """Write report.html from result.json; needs neither torch nor the model."""
    from atomgraft.cli.screen import console
    from atomgraft.results.comparison_files import has_comparison

    screen = console(quiet=as_json)
    show = _show_comparison if has_comparison(folder) else _show_run
    page, document = show(folder, screen)
    screen.print(f"\nPage: {page}", markup=False)
    if as_json:
        from atomgraft.cli.screen import print_json

        print_json(document)


def _show_run(folder: Path, screen: "Console") -> tuple[Path, str]:
    from atomgraft.cli.screen import print_result
    from atomgraft.report.page import write_page
    from atomgraft.results.files import read_result

    result = read_result(folder)
    page = write_page(folder, result)
    print_result(screen, result)
    return page, result.model_dump_json(indent=1)


def _show_comparison(folder: Path, screen: "Console") -> tuple[Path, str]:
    from atomgraft.cli.campaign_screen import print_comparison
    from atomgraft.report.compare_page import write_compare_page
    from atomgraft.results.comparison_files import read_comparison

    comparison = read_comparison(folder)
    page = write_compare_page(folder, comparison)
    print_comparison(screen, comparison)
    return page, comparison.model_dump_json(indent=1)
