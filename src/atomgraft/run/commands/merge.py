"""atomgraft merge: write a plain model file of the framework."""

import json
from pathlib import Path
from typing import Annotated

import typer

from atomgraft.study.options import (
    Head,
    Json,
    MovedBase,
    Overwrite,
    TrustFiles,
    TrustNamed,
    trust_of,
)


def command(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    out: Annotated[
        Path | None, typer.Option(help="Output file; default: inside the run folder.")
    ] = None,
    base: MovedBase = None,
    head: Head = None,
    share: Annotated[
        float,
        typer.Option(
            help="Interpolation between the base (0) and the adapted weights (1).",
            min=0,
            max=1,
        ),
    ] = 1.0,
    overwrite: Overwrite = False,
    trust: TrustNamed = False,
    trust_file: TrustFiles = None,
    as_json: Json = False,
) -> None:
    """Merge base and graft into a plain model file of the framework."""
    from atomgraft.run.inputs import merged_run, require_finished
    from atomgraft.run.merge import exported_note, write_merged
    from atomgraft.run.references import MEV_PER_ATOM
    from atomgraft.study.screen import calm, console, print_json

    screen = console(quiet=as_json)
    require_finished(folder)
    allowed = trust_of(trust, trust_file, [base] if base else ())
    with calm():
        merged = merged_run(folder, base=base, head=head, share=share, trust=allowed)
        path = write_merged(merged, folder, out, overwrite=overwrite, base=base)
    screen.print(f"Merged {merged.card.framework} model: {path}", markup=False)
    if note := exported_note(merged):
        screen.print(note, markup=False)
    if as_json:
        document = {
            "file": str(path),
            "weights_hash": merged.as_exported().weights_hash(),
            "energy_rounding": merged.exported_rounding() * MEV_PER_ATOM,  # meV/atom
            "note": note,
        }
        print_json(json.dumps(document, indent=1))
