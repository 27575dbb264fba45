"""atomgraft stabilise: follow imaginary modes to the crystals they lead to."""

from pathlib import Path
from typing import Annotated

import typer

from atomgraft.core.specs import checked_spec
from atomgraft.phonons.spec import rows_of, stem_of
from atomgraft.study.options import Calculation, takes_a_calculation, trust_of

NAME = "stabilise"


@takes_a_calculation
def command(
    how: Calculation,
    ctx: typer.Context,
    crystal: Annotated[
        str, typer.Argument(help="A structure, or a phonopy calculation.")
    ],
    model: Annotated[str, typer.Option(help="Model: name, file or run folder.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output folder; default: stabilise-NAME. An unfinished tree there "
            "is continued."
        ),
    ] = None,
    depth: Annotated[int, typer.Option(help="Number of successive distortions.")] = 3,
    max_daughters: Annotated[
        int, typer.Option(help="Trials relaxed for each crystal, lowest energy first.")
    ] = 6,
    threshold: Annotated[
        float,
        typer.Option(help="Modes below minus this frequency count as imaginary, THz."),
    ] = 0.1,
    supercell: Annotated[
        str | None,
        typer.Option(
            help="Supercell of the first crystal: '2 2 2', or nine numbers in rows."
        ),
    ] = None,
    length: Annotated[
        float | None,
        typer.Option(help="Minimum thickness of supercells, A; default: 7.5."),
    ] = None,
    fmax: Annotated[
        float, typer.Option(help="Convergence threshold of forces, eV/A.")
    ] = 1e-4,
    max_steps: Annotated[
        int, typer.Option(help="Maximum number of steps of a relaxation.")
    ] = 500,
    distance: Annotated[float, typer.Option(help="Displacement, A.")] = 0.01,
) -> None:
    """Follow imaginary modes to stable structures; write the tree and the HTML page."""
    from atomgraft.stabilise.page import write_page
    from atomgraft.stabilise.screen import print_record
    from atomgraft.stabilise.spec import StabiliseSpec
    from atomgraft.stabilise.work import stabilise
    from atomgraft.study.screen import (
        calm,
        console,
        device_name,
        print_json,
        stage_screen,
    )
    from atomgraft.study.spec_files import with_file

    given = {
        "crystal": crystal,
        "model": model,
        "depth": depth,
        "max_daughters": max_daughters,
        "threshold": threshold,
        "supercell": supercell and rows_of(supercell),
        "length": length,
        "fmax": fmax,
        "max_steps": max_steps,
        "distance": distance,
        **how.settings,
    }
    spec = checked_spec(StabiliseSpec, NAME, with_file(how.spec_file, ctx, given))
    allowed = trust_of(how.trust, how.trust_file, [model])
    screen = console(quiet=how.as_json)
    folder = out or Path(f"stabilise-{stem_of(crystal)}")
    with calm(), stage_screen(screen) as show:
        result = stabilise(
            spec, folder, device=device_name(how.device), trust=allowed, progress=show
        )
    page = write_page(folder, result)
    print_record(screen, result)
    screen.print(f"\nPage: {page}", markup=False)
    if how.as_json:
        print_json(result.model_dump_json(indent=1))
