"""atomgraft init: a commented template of a spec file."""

from pathlib import Path
from typing import Annotated

import typer

from atomgraft.study.options import Overwrite


def command(
    kind: Annotated[
        str,
        typer.Argument(
            help="Kind of study: run (for adapt), compare, fidelity, budget, campaign, "
            "select, label, phonons, stabilise, diffusivity, distil or screen."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Output file; default: KIND.yaml.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a commented template of a spec file, for each kind of study."""
    from atomgraft.cli.kinds import kind_named
    from atomgraft.core.outputs import write_alone
    from atomgraft.study.screen import console
    from atomgraft.study.spec_files import starting_text

    found = kind_named(kind)
    path = out or Path(f"{kind}.yaml")
    use = f"atomgraft {found.words.replace('FILE', str(path))}"
    write_alone(path, starting_text(found.spec, use), overwrite=overwrite)
    console().print(f"Wrote {path}. Use it with: {use}", markup=False)
