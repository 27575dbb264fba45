"""atomgraft plan: show what a run would do and cost."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atomgraft.run.commands.options import Asked, takes_a_run
from atomgraft.study.options import Json, Overwrite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

    from atomgraft.run.contract import Contract, Row


@takes_a_run
def command(
    asked: Asked,
    *,
    write: Annotated[
        Path | None, typer.Option(help="Write the plan to this file, for adapt --plan.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Dry run: show what adapt would train, with time and memory estimates."""
    from atomgraft.core.overlap import refuse_taken_file
    from atomgraft.run.places import refuse_other_runs
    from atomgraft.run.structures import read_run_data
    from atomgraft.study.screen import (
        calm,
        console,
        print_json,
        print_notice,
        stage_screen,
    )

    refuse_other_runs(asked.run, asked.folder, fresh=asked.fresh)
    data = read_run_data(asked.run)  # refuses before a model is loaded
    from atomgraft.run.contract import write_contract
    from atomgraft.run.folders import inputs_of
    from atomgraft.run.plan import draw_up

    screen = console(quiet=as_json)
    if write is not None:
        refuse_taken_file(write, overwrite=overwrite, inputs=inputs_of(asked.run))
    with calm(), stage_screen(screen, "reading, checking and timing"):
        contract = draw_up(
            asked.run,
            asked.folder,
            with_scratch=asked.with_scratch,
            trust=asked.trust,
            fresh=asked.fresh,
            data=data,
        )
    for notice in contract.notices:
        print_notice(screen, notice)
    print_contract(screen, contract)
    if write is not None:
        write_contract(write, contract)
        screen.print(
            f"\nRun exactly this plan with: adapt ... --plan {write}", markup=False
        )
    if as_json:
        print_json(contract.model_dump_json(indent=1))


def print_contract(screen: "Console", contract: "Contract") -> None:
    """Print a contract for people.

    Parameters
    ----------
    screen
        Where to.
    contract
        What was agreed.
    """
    from rich.markup import escape

    from atomgraft.run.contract import base_rows, contract_rows, total_row
    from atomgraft.run.spec import BASE

    place, below = Path(contract.folder), base_rows(contract)
    total = len(below) + 1
    for i, rows in enumerate(below):
        inside = place.joinpath(*[BASE] * (len(below) - i))
        screen.print(f"[bold]Run {i + 1} of {total}, in {escape(str(inside))}[/bold]")
        screen.print(_table(rows))
    which = f"Run {total} of {total}," if below else "The run"
    screen.print(f"[bold]{which} in {escape(contract.folder)}[/bold]")
    rows = contract_rows(contract)
    screen.print(_table((*rows, total_row(contract)) if below else rows))


def _table(rows: "Sequence[Row]") -> "Table":
    """Return lines of a contract as a table."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, text in rows:
        table.add_row(escape(name), escape(text))
    return table
