"""atomgraft budget: how to spend processor hours on labels."""

from pathlib import Path
from typing import Annotated

import typer

from atomgraft.study.options import Json, SpecFile

NAME = "budget"


def command(
    ctx: typer.Context,
    study: Annotated[
        str, typer.Argument(help="Folder of atomgraft fidelity with pilot results.")
    ],
    cpu_hours: Annotated[
        float | None,
        typer.Option(help="Processor time to spend on new labels, h of one core."),
    ] = None,
    cost: Annotated[
        list[str] | None,
        typer.Option(
            help="Processor time of one label: LEVEL=SECONDS, target=12 (repeatable)."
            " Default: as atomgraft label measured it."
        ),
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Base of the study, where it has several.")
    ] = None,
    pilot_share: Annotated[
        float,
        typer.Option(help="Share of the time that a further pilot may cost."),
    ] = 0.2,
    out: Annotated[
        Path | None, typer.Option(help="Output folder; default: STUDY-budget.")
    ] = None,
    spec_file: SpecFile = None,
    as_json: Json = False,
) -> None:
    """Advise how many labels of which level to buy, from pilot results of fidelity."""
    from atomgraft.core.specs import checked_spec
    from atomgraft.fidelity.budget.page import write_page
    from atomgraft.fidelity.budget.screen import print_record
    from atomgraft.fidelity.budget.spec import BudgetSpec
    from atomgraft.fidelity.budget.work import spend
    from atomgraft.study.screen import calm, console, print_json
    from atomgraft.study.spec_files import with_file

    given = {
        "study": study,
        "cpu_hours": cpu_hours,
        "costs": _costs(cost) if cost else None,
        "base": base,
        "pilot_share": pilot_share,
    }
    named = {key: value for key, value in given.items() if value is not None}
    spec = checked_spec(BudgetSpec, NAME, with_file(spec_file, ctx, named))
    folder = out or Path(f"{study.rstrip('/')}-budget")
    terminal = console(quiet=as_json)
    with calm():
        result = spend(spec, folder)
    page = write_page(folder, result)
    print_record(terminal, result)
    terminal.print(f"\nPage: {page}", markup=False)
    if as_json:
        print_json(result.model_dump_json(indent=1))


def _costs(given: list[str]) -> dict[str, str]:
    """Return seconds by level, as they were typed.

    Raises
    ------
    BadInputError
        A text is not LEVEL=SECONDS.
    """
    from atomgraft.core.errors import BadInputError

    found: dict[str, str] = {}
    for one in given:
        name, sign, seconds = one.partition("=")
        if not (name and sign and seconds):
            raise BadInputError(
                f"--cost {one} names no number.",
                "Expected a level of the study and the seconds of one label.",
                "Give it as --cost target=12",
            )
        found[name] = seconds
    return found
