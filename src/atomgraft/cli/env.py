"""atomgraft env: environments of their own for frameworks that do not go together."""

import dataclasses
import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from atomgraft.study.options import Json

if TYPE_CHECKING:
    from atomgraft.core.environments import Whereabouts


class Action(StrEnum):
    """What to do with the environments."""

    ADD = "add"
    LIST = "list"
    REMOVE = "remove"


def command(
    action: Annotated[Action, typer.Argument(help="add, list or remove.")],
    framework: Annotated[
        str | None, typer.Argument(help="sevennet or mace; not for list.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Make one anew that is there already.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Keep an environment for a framework; later commands use it by themselves."""
    from atomgraft.core.environments import whereabouts

    match action:
        case Action.ADD:
            _add(_required(framework, action), fresh=fresh, quiet=as_json)
        case Action.REMOVE:
            _remove(_required(framework, action), quiet=as_json)
        case Action.LIST:
            _refuse_framework(framework)
            _show(whereabouts(), quiet=as_json)
    if as_json:
        _print_json(whereabouts())


def _required(framework: str | None, action: Action) -> str:
    from atomgraft.core.errors import BadInputError
    from atomgraft.core.frameworks import FRAMEWORKS

    if framework is None:
        raise BadInputError(
            f"'atomgraft env {action}' came without the name of a framework.",
            f"Known: {', '.join(FRAMEWORKS)}.",
            f"For example: atomgraft env {action} mace",
        )
    return framework


def _refuse_framework(framework: str | None) -> None:
    from atomgraft.core.errors import BadInputError

    if framework is not None:
        raise BadInputError(
            f"'atomgraft env list' came with the name {framework!r}.",
            "It lists every framework.",
            "Leave the name out.",
        )


def _add(framework: str, *, fresh: bool, quiet: bool) -> None:
    from rich.markup import escape

    from atomgraft.core.installation import add_environment
    from atomgraft.study.screen import console

    screen = console(quiet=quiet)
    with screen.status("") as status:
        kept = add_environment(
            framework,
            fresh=fresh,
            report=lambda sentence: screen.print(sentence, markup=False),
            overhear=lambda line: status.update(escape(line[: screen.width - 4])),
        )
    screen.print(f"Commands that need {framework} run in {kept.folder}.", markup=False)


def _remove(framework: str, *, quiet: bool) -> None:
    from atomgraft.core.environments import remove_environment
    from atomgraft.study.screen import console

    folder = remove_environment(framework)
    console(quiet=quiet).print(f"{folder} is removed.", markup=False)


def _show(places: "list[Whereabouts]", *, quiet: bool) -> None:
    from rich.table import Table

    from atomgraft.study.screen import console

    table = Table(box=None, pad_edge=False)
    for heading in ("framework", "here", "environment"):
        table.add_column(heading, overflow="fold")
    for one in places:
        table.add_row(one.framework, "yes" if one.is_here else "no", _state(one))
    console(quiet=quiet).print(table)


def _state(place: "Whereabouts") -> str:
    again = f"atomgraft env add {place.framework}"
    if place.environment is None:
        return "not needed" if place.is_here else f"none; {again}"
    if place.environment.defect is None:
        return place.environment.folder
    return f"{place.environment.folder}: {place.environment.defect}; {again}"


def _print_json(places: "list[Whereabouts]") -> None:
    from atomgraft.study.screen import print_json

    document = [
        dataclasses.asdict(one)
        | {
            "python": sys.executable if one.is_here else None,
            "defect": one.environment.defect if one.environment else None,
        }
        for one in places
    ]
    print_json(json.dumps(document, indent=1))
