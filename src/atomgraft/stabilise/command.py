"""atomgraft stabilise: follow imaginary modes to the crystals they lead to."""

from pathlib import Path
from typing import Annotated

import typer

from atomgraft.phonons.spec import checked_spec, rows_of, stem_of
from atomgraft.study.options import (
    Head,
    Json,
    Kernels,
    SpecFile,
    TrustFiles,
    TrustNamed,
    trust_of,
)

NAME = "stabilise"


def command(
    ctx: typer.Context,
    crystal: Annotated[
        str, typer.Argument(help="A structure, or a calculation of phonopy.")
    ],
    model: Annotated[str, typer.Option(help="Model, or folder of a run.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the tree, stabilise-NAME if none; a tree that was begun "
            "there goes on."
        ),
    ] = None,
    depth: Annotated[int, typer.Option(help="Distortions one after the other.")] = 3,
    max_daughters: Annotated[
        int, typer.Option(help="Trials relaxed for each crystal, lowest first.")
    ] = 6,
    threshold: Annotated[
        float, typer.Option(help="Imaginary below minus this frequency, THz.")
    ] = 0.1,
    supercell: Annotated[
        str | None,
        typer.Option(help="Of the first crystal: '2 2 2', or nine numbers in rows."),
    ] = None,
    length: Annotated[
        float | None,
        typer.Option(help="Least thickness of supercells, A; 7.5 if neither is given."),
    ] = None,
    fmax: Annotated[float, typer.Option(help="Forces at rest, eV/A.")] = 1e-4,
    max_steps: Annotated[int, typer.Option(help="Of one relaxation.")] = 500,
    distance: Annotated[float, typer.Option(help="Displacement, A.")] = 0.01,
    head: Head = None,
    kernels: Kernels = "ours",
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    max_atoms: Annotated[
        int | None, typer.Option(help="Atoms in one call of the model.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    trust: TrustNamed = False,
    trust_file: TrustFiles = None,
    spec_file: SpecFile = None,
    as_json: Json = False,
) -> None:
    """Freeze in imaginary modes, relax, repeat; write the tree, files and the page."""
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
        "head": head,
        "kernels": kernels,
        "depth": depth,
        "max_daughters": max_daughters,
        "threshold": threshold,
        "supercell": supercell and rows_of(supercell),
        "length": length,
        "fmax": fmax,
        "max_steps": max_steps,
        "distance": distance,
        "dtype": dtype,
        "max_atoms": max_atoms,
    }
    spec = checked_spec(StabiliseSpec, NAME, with_file(spec_file, ctx, given))
    allowed = trust_of(trust, trust_file, [model])
    screen = console(quiet=as_json)
    folder = out or Path(f"stabilise-{stem_of(crystal)}")
    with calm(), stage_screen(screen) as show:
        result = stabilise(
            spec, folder, device=device_name(device), trust=allowed, progress=show
        )
    page = write_page(folder, result)
    print_record(screen, result)
    screen.print(f"\nPage: {page}", markup=False)
    if as_json:
        print_json(result.model_dump_json(indent=1))
