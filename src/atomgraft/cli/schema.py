"""atomgraft schema: the JSON schema of a spec file."""

import json
from typing import Annotated

import typer


def command(
    kind: Annotated[
        str,
        typer.Argument(
            help="Kind of study: run (for adapt), compare, fidelity, budget, campaign, "
            "select, label, phonons, stabilise, diffusivity, distil or screen."
        ),
    ] = "run",
) -> None:
    """Print the JSON schema of a spec file: every key, its default and meaning."""
    from atomgraft.cli.kinds import kind_named
    from atomgraft.study.screen import print_json
    from atomgraft.study.spec_files import schema_of

    found = schema_of(kind_named(kind).spec)
    print_json(json.dumps(found, indent=1, ensure_ascii=False))
