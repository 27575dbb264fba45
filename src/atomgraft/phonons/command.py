"""atomgraft phonons: the vibrations of a crystal under models, beside DFT."""

from pathlib import Path
from typing import Annotated

import typer

from atomgraft.core.specs import checked_spec
from atomgraft.phonons.spec import numbers_of, rows_of, stem_of
from atomgraft.study.options import Calculation, takes_a_calculation, trust_of

NAME = "phonons"


@takes_a_calculation
def command(
    how: Calculation,
    ctx: typer.Context,
    crystal: Annotated[
        str,
        typer.Argument(help="A structure, or a phonopy calculation to compare with."),
    ],
    model: Annotated[
        list[str],
        typer.Option(
            "--model",
            help="Model: name, file or run folder (repeatable, compared side by side).",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Output folder; default: phonons-NAME.")
    ] = None,
    forces: Annotated[
        list[str] | None,
        typer.Option(
            help="FORCE_SETS, or DFT outputs in the order of "
            "displacements (repeatable)."
        ),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            help="Labelled supercells of this crystal: combine each model with them "
            "(repeatable)."
        ),
    ] = None,
    cutoff: Annotated[
        float | None,
        typer.Option(
            help="With --labels: pairs further apart keep the model's force "
            "constants, A."
        ),
    ] = None,
    born: Annotated[str | None, typer.Option(help="BORN file of phonopy.")] = None,
    supercell: Annotated[
        str | None,
        typer.Option(help="Supercell: '2 2 2', or nine numbers (rows of the matrix)."),
    ] = None,
    length: Annotated[
        float,
        typer.Option(
            help="Minimum thickness of the supercell if --supercell is not given, A."
        ),
    ] = 12.0,
    relax: Annotated[
        bool | None,
        typer.Option(
            "--relax/--no-relax",
            help="Relax with each model first; default: yes for a structure, no "
            "for a calculation.",
        ),
    ] = None,
    distance: Annotated[float, typer.Option(help="Displacement of atoms, A.")] = 0.01,
    mesh: Annotated[str, typer.Option(help="Mesh of q-points.")] = "20 20 20",
    temperature_max: Annotated[
        float,
        typer.Option("--tmax", help="Highest temperature of the thermal curves, K."),
    ] = 1000.0,
    threshold: Annotated[
        float,
        typer.Option(help="Modes below minus this frequency count as unstable, THz."),
    ] = 0.1,
    global_factor: Annotated[
        float | None,
        typer.Option(
            help="Factor on the base's force constants, from other "
            "materials, for a baseline."
        ),
    ] = None,
    expansion: Annotated[
        bool,
        typer.Option(
            "--expansion", help="Compute the quasi-harmonic thermal expansion."
        ),
    ] = False,
    conductivity: Annotated[
        bool,
        typer.Option(
            "--conductivity", help="Compute the thermal conductivity (phono3py)."
        ),
    ] = False,
    pair_cutoff: Annotated[
        float | None,
        typer.Option(help="Cutoff for pairs displaced together (conductivity), A."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete an earlier result first.")
    ] = False,
) -> None:
    """Compute phonons, thermal properties and stability; write page and files."""
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
        "outputs": forces or [],
        "born": born,
        "labels": labels or [],
        "cutoff": cutoff,
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
        **how.settings,
    }
    spec = checked_spec(
        PhononSpec,
        NAME,
        with_file(how.spec_file, ctx, given, outputs="forces", models="model"),
    )
    allowed = trust_of(how.trust, how.trust_file, model)
    screen = console(quiet=how.as_json)
    folder = out or Path(f"phonons-{stem_of(crystal)}")
    with calm(), stage_screen(screen) as show:
        result = compute_phonons(
            spec,
            folder,
            device=device_name(how.device),
            trust=allowed,
            fresh=fresh,
            progress=show,
        )
    page = write_page(folder, result)
    print_record(screen, result)
    screen.print(f"\nPage: {page}", markup=False)
    if how.as_json:
        print_json(result.model_dump_json(indent=1))
