"""Phonons on the screen: how each model compares, and what to know."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from atomgraft.cli.screen import print_notice
from atomgraft.report.phonon_wording import doubts
from atomgraft.results.phonons import PhononErrors, PhononResult, Spectrum


def print_phonons(screen: Console, result: PhononResult) -> None:
    """Print spectra, errors and notices for people.

    Parameters
    ----------
    screen
        Where to.
    result
        What was found.
    """
    settings = result.settings
    screen.print(
        f"{result.formula}, {settings.space_group}: {settings.n_displacements} "
        f"supercells of {settings.n_atoms_supercell} atoms, geometry "
        f"{settings.geometry}",
        markup=False,
    )
    screen.print(_spectra(result.spectra))
    if result.errors:
        screen.print(_errors(result.errors))
    for notice in (*doubts(result), *result.notices):
        print_notice(screen, notice)


def _spectra(spectra: tuple[Spectrum, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "lowest, THz", "highest, THz", "F at 300 K, meV/atom", ""):
        table.add_column(heading, justify="left" if not heading else "right")
    for one in spectra:
        table.add_row(
            escape(one.title),
            f"{one.minimum:.2f}",
            f"{one.maximum:.2f}",
            _free_energy(one),
            "stable" if one.is_stable else "unstable",
        )
    return table


def _free_energy(one: Spectrum) -> str:
    if one.thermal is None or 300.0 not in one.thermal.temperatures:
        return "-"
    return f"{one.thermal.free_energy[one.thermal.temperatures.index(300.0)]:.1f}"


def _errors(rows: tuple[PhononErrors, ...]) -> Table:
    table = Table(
        title="Against DFT, on the same supercells",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("")
    headings = (
        "MAE, THz",
        "largest, THz",
        "highest, THz",
        "slope",
        "F(300 K), meV/atom",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for one in rows:
        free = one.free_energy_error
        table.add_row(
            escape(one.title),
            f"{one.frequency_mae:.3f}",
            f"{one.maximum_error:.2f}",
            f"{one.highest_error:+.2f}",
            "-" if one.slope is None else f"{one.slope:.3f}",
            "-" if free is None else f"{free:+.2f}",
            style="dim" if one.baseline else None,
        )
    return table
