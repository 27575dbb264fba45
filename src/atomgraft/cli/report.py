"""atomgraft report: write a page again, from the result file alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from atomgraft.study.options import Json, Overwrite

if TYPE_CHECKING:
    from rich.console import Console


class Made(NamedTuple):
    """A page, and what it was made from.

    Parameters
    ----------
    name
        Of the page.
    text
        The page.
    document
        The result as JSON.
    """

    name: str
    text: str
    document: str


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
    from atomgraft.compare.record import COMPARISON
    from atomgraft.core.outputs import write_alone, write_beside
    from atomgraft.core.storage import is_folder
    from atomgraft.label.record import SELECTION
    from atomgraft.phonons.campaign.record import CAMPAIGN
    from atomgraft.phonons.record import PHONONS
    from atomgraft.stabilise.record import STABILISE
    from atomgraft.study.screen import console

    screen = console(quiet=as_json)
    show = _show_run
    if COMPARISON.is_at(folder):
        show = _show_comparison
    elif PHONONS.is_at(folder):
        show = _show_phonons
    elif SELECTION.is_at(folder):
        show = _show_selection
    elif CAMPAIGN.is_at(folder):
        show = _show_campaign
    elif STABILISE.is_at(folder):
        show = _show_tree
    made = show(folder, screen)
    if out is None:
        page = (folder if is_folder(folder) else folder.parent) / made.name
        write_beside(page, made.text, overwrite=overwrite)
    else:
        page = out
        write_alone(page, made.text, overwrite=overwrite, inputs=[folder])
    screen.print(f"\nPage: {page}", markup=False)
    if as_json:
        from atomgraft.study.screen import print_json

        print_json(made.document)


def _show_run(folder: Path, screen: "Console") -> Made:
    from atomgraft.core.errors import BadInputError
    from atomgraft.core.storage import is_file, is_folder
    from atomgraft.run.page.document import PAGE, page_text
    from atomgraft.run.record import RESULT
    from atomgraft.run.screen import print_result

    if is_folder(folder) and not is_file(folder / RESULT.file):
        raise BadInputError(
            f"{folder} holds no result of atomgraft.",
            "The folder of an adapt, compare, phonons, select, stabilise or campaign "
            "that got as far as a result is needed.",
            "Check the path; if the command was stopped, repeat it.",
        )
    result = RESULT.read(folder)
    print_result(screen, result)
    text = page_text(result)
    return Made(PAGE, text, result.model_dump_json(indent=1))


def _show_comparison(folder: Path, screen: "Console") -> Made:
    from atomgraft.compare.page import compare_page_text
    from atomgraft.compare.record import COMPARISON
    from atomgraft.compare.screen import print_comparison
    from atomgraft.run.page.document import PAGE

    comparison = COMPARISON.read(folder)
    print_comparison(screen, comparison)
    text = compare_page_text(comparison)
    return Made(PAGE, text, comparison.model_dump_json(indent=1))


def _show_phonons(folder: Path, screen: "Console") -> Made:
    from atomgraft.phonons.page import PHONON_PAGE, phonon_page_text
    from atomgraft.phonons.record import PHONONS
    from atomgraft.phonons.screen import print_phonons

    result = PHONONS.read(folder)
    print_phonons(screen, result)
    text = phonon_page_text(result)
    return Made(PHONON_PAGE, text, result.model_dump_json(indent=1))


def _show_selection(folder: Path, screen: "Console") -> Made:
    from atomgraft.label.command import print_selection
    from atomgraft.label.page import selection_page_text
    from atomgraft.label.record import SELECTION
    from atomgraft.run.page.document import PAGE

    result = SELECTION.read(folder)
    print_selection(screen, result)
    text = selection_page_text(result)
    return Made(PAGE, text, result.model_dump_json(indent=1))


def _show_campaign(folder: Path, screen: "Console") -> Made:
    from atomgraft.phonons.campaign.page import campaign_page_text
    from atomgraft.phonons.campaign.record import CAMPAIGN
    from atomgraft.phonons.campaign.screen import print_phonon_campaign
    from atomgraft.run.page.document import PAGE

    campaign = CAMPAIGN.read(folder)
    print_phonon_campaign(screen, campaign)
    text = campaign_page_text(campaign)
    return Made(PAGE, text, campaign.model_dump_json(indent=1))


def _show_tree(folder: Path, screen: "Console") -> Made:
    from atomgraft.run.page.document import PAGE
    from atomgraft.stabilise.page import stabilise_page_text
    from atomgraft.stabilise.record import STABILISE
    from atomgraft.stabilise.screen import print_tree

    result = STABILISE.read(folder)
    print_tree(screen, result)
    text = stabilise_page_text(result)
    return Made(PAGE, text, result.model_dump_json(indent=1))
