"""atomgraft phonons: the vibrations of a crystal under models, beside DFT."""

from pathlib import Path
from typing import Annotated

import typer

from atomgraft.phonons.spec import checked_spec, numbers_of, rows_of, stem_of
from atomgraft.study.options import (
    Head,
    Json,
    Kernels,
    SpecFile,
    TrustFiles,
    TrustNamed,
    trust_of,
)

NAME = "phonons"


def command(
    ctx: typer.Context,
    crystal: Annotated[
        str,
        typer.Argument(
            help="A structure, or a calculation of phonopy to compare with."
        ),
    ],
    model: Annotated[
        list[str],
        typer.Option(
            "--model",
            help="Model, or folder of a run; repeat to set them side by side.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the result; phonons-NAME if none.")
    ] = None,
    forces: Annotated[
        list[str] | None,
        typer.Option(help="FORCE_SETS, or outputs in the order of displacements."),
    ] = None,
    born: Annotated[str | None, typer.Option(help="phonopy's BORN file.")] = None,
    supercell: Annotated[
        str | None, typer.Option(help="'2 2 2', or nine numbers, rows of multiples.")
    ] = None,
    length: Annotated[
        float, typer.Option(help="Without --supercell: its least thickness, A.")
    ] = 12.0,
    relax: Annotated[
        bool | None,
        typer.Option(
            "--relax/--no-relax",
            help="Relax under each model; a structure is, a calculation is not.",
        ),
    ] = None,
    distance: Annotated[float, typer.Option(help="Displacement, A.")] = 0.01,
    mesh: Annotated[str, typer.Option(help="q-points along each vector.")] = "20 20 20",
    temperature_max: Annotated[
        float, typer.Option("--tmax", help="Of thermal curves, K.")
    ] = 1000.0,
    threshold: Annotated[
        float, typer.Option(help="Unstable below minus this frequency, THz.")
    ] = 0.1,
    global_factor: Annotated[
        float | None,
        typer.Option(help="Of the base's force constants, from other materials."),
    ] = None,
    expansion: Annotated[
        bool, typer.Option("--expansion", help="Quasi-harmonic thermal expansion.")
    ] = False,
    conductivity: Annotated[
        bool, typer.Option("--conductivity", help="Thermal conductivity (phono3py).")
    ] = False,
    pair_cutoff: Annotated[
        float | None,
        typer.Option(help="Of pairs displaced together for conductivity, A."),
    ] = None,
    head: Head = None,
    kernels: Kernels = "ours",
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    max_atoms: Annotated[
        int | None, typer.Option(help="Atoms in one call of the model.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Throw an earlier result away.")
    ] = False,
    trust: TrustNamed = False,
    trust_file: TrustFiles = None,
    spec_file: SpecFile = None,
    as_json: Json = False,
) -> None:
    """Compute phonons, heat and stability; write the page and phonopy's files."""
    from atomgraft.phonons.page import write_page
    from atomgraft.phonons.screen import print_record
    from atomgraft.phonons.spec import PhononSpec
    from atomgraft.phonons.work import compute_phonons
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
        "models": model,
        "head": head,
        "kernels": kernels,
        "outputs": forces or [],
        "born": born,
        "supercell": supercell and rows_of(supercell),
        "length": length,
        "relax": "auto" if relax is None else relax,
        "distance": distance,
        "mesh": numbers_of(mesh, "--mesh", {1, 3}),
        "temperature_max": temperature_max,
        "threshold": threshold,
        "global_factor": global_factor,
        "expansion": expansion,
        "conductivity": conductivity,
        "pair_cutoff": pair_cutoff,
        "dtype": dtype,
        "max_atoms": max_atoms,
    }
    spec = checked_spec(
        PhononSpec,
        NAME,
        with_file(spec_file, ctx, given, outputs="forces", models="model"),
    )
    allowed = trust_of(trust, trust_file, model)
    screen = console(quiet=as_json)
    folder = out or Path(f"phonons-{stem_of(crystal)}")
    with calm(), stage_screen(screen) as show:
        result = compute_phonons(
            spec,
            folder,
            device=device_name(device),
            trust=allowed,
            fresh=fresh,
            progress=show,
        )
    page = write_page(folder, result)
    print_record(screen, result)
    screen.print(f"\nPage: {page}", markup=False)
    if as_json:
        print_json(result.model_dump_json(indent=1))
