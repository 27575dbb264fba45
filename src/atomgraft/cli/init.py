"""atomgraft init: a commented spec file to start from."""

from pathlib import Path
from typing import Annotated

import typer

from atomgraft.study.options import Overwrite


def command(
    kind: Annotated[
        str,
        typer.Argument(
            help="run (for adapt), compare, campaign, select, phonons or stabilise."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="File to write; KIND.yaml if none.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a commented spec file to start from, for each kind of study."""
    from atomgraft.cli.kinds import kind_named
    from atomgraft.core.outputs import write_alone
    from atomgraft.study.screen import console
    from atomgraft.study.spec_files import starting_text

    found = kind_named(kind)
    path = out or Path(f"{kind}.yaml")
    use = f"atomgraft {found.words.replace('FILE', str(path))}"
    write_alone(path, starting_text(found.spec, use), overwrite=overwrite)
    console().print(f"{path} is written. It is read by: {use}", markup=False)
