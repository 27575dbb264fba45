"""atomgraft env: separate environments for frameworks that exclude each other."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from atomgraft.study.options import Json


class Action(StrEnum):
    """What to do with the environments."""

    ADD = "add"
    LIST = "list"
    REMOVE = "remove"


def command(
    action: Annotated[Action, typer.Argument(help="Action: add, list or remove.")],
    framework: Annotated[
        str | None,
        typer.Argument(help="Framework: sevennet or mace; not used by list."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Rebuild an existing environment.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Manage environments for frameworks; later commands use them automatically."""
    from atomgraft.core.environments import (
        FRAMEWORKS,
        add_environment,
        remove_environment,
    )
    from atomgraft.core.errors import BadInputError

    if (framework is None) != (action is Action.LIST):
        raise BadInputError(
            f"'atomgraft env {action}' came with {framework or 'no framework'}.",
            f"'add' and 'remove' need one ({', '.join(FRAMEWORKS)}), 'list' none.",
            "For example: atomgraft env add mace",
        )
    if framework is not None and action is Action.ADD:
        add_environment(framework, fresh=fresh)
    elif framework is not None:
        remove_environment(framework)
    _show(as_json=as_json)


def _show(*, as_json: bool) -> None:
    """Show which Python runs what needs a framework, or why none does."""
    from rich.table import Table

    from atomgraft.core.environments import FRAMEWORKS, python_for
    from atomgraft.core.errors import MissingExtraError
    from atomgraft.study.screen import console, print_json

    found: list[dict[str, str | None]] = []
    table = Table("framework", "runs in", box=None, pad_edge=False)
    for name in FRAMEWORKS:
        try:
            python, defect = str(python_for(name)), None
        except MissingExtraError as error:
            python, defect = None, f"{error.came} {error.remedy}"
        found.append({"framework": name, "python": python, "defect": defect})
        table.add_row(name, python or defect)
    if as_json:
        print_json(json.dumps(found, indent=1))
    else:
        console().print(table, markup=False)
