"""atomgraft report: write a page again, from the result file alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atomgraft.cli.options import Json

if TYPE_CHECKING:
    from rich.console import Console

NAME = "report"


def command(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder of a run, comparison, phonons, selection, tree, campaign."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Write a page again from its JSON file; needs neither torch nor the model."""
    from atomgraft.cli.screen import console
    from atomgraft.results.comparison_files import has_comparison
    from atomgraft.results.instability_files import has_instabilities
    from atomgraft.results.phonon_campaign_files import has_phonon_campaign
    from atomgraft.results.phonon_files import has_phonons
    from atomgraft.results.selection import has_selection

    screen = console(quiet=as_json)
    show = _show_run
    if has_comparison(folder):
        show = _show_comparison
    elif has_phonons(folder):
        show = _show_phonons
    elif has_selection(folder):
        show = _show_selection
    elif has_phonon_campaign(folder):
        show = _show_campaign
    elif has_instabilities(folder):
        show = _show_tree
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


def _show_phonons(folder: Path, screen: "Console") -> tuple[Path, str]:
    from atomgraft.cli.screen_phonons import print_phonons
    from atomgraft.core.storage import is_folder
    from atomgraft.report.phonon_page import write_phonon_page
    from atomgraft.results.phonon_files import read_phonons

    result = read_phonons(folder)
    page = write_phonon_page(folder if is_folder(folder) else folder.parent, result)
    print_phonons(screen, result)
    return page, result.model_dump_json(indent=1)


def _show_selection(folder: Path, screen: "Console") -> tuple[Path, str]:
    from atomgraft.cli.select import print_selection
    from atomgraft.report.selection_page import write_selection_page
    from atomgraft.results.selection import read_selection

    result = read_selection(folder)
    page = write_selection_page(folder, result)
    print_selection(screen, result)
    return page, result.model_dump_json(indent=1)


def _show_campaign(folder: Path, screen: "Console") -> tuple[Path, str]:
    from atomgraft.cli.screen_campaign import print_phonon_campaign
    from atomgraft.report.campaign_page import write_campaign_page
    from atomgraft.results.phonon_campaign_files import read_phonon_campaign

    campaign = read_phonon_campaign(folder)
    page = write_campaign_page(folder, campaign)
    print_phonon_campaign(screen, campaign)
    return page, campaign.model_dump_json(indent=1)


def _show_tree(folder: Path, screen: "Console") -> tuple[Path, str]:
    from atomgraft.cli.screen_stabilise import print_tree
    from atomgraft.core.storage import is_folder
    from atomgraft.report.stabilise_page import write_stabilise_page
    from atomgraft.results.instability_files import read_instabilities

    result = read_instabilities(folder)
    page = write_stabilise_page(folder if is_folder(folder) else folder.parent, result)
    print_tree(screen, result)
    return page, result.model_dump_json(indent=1)
