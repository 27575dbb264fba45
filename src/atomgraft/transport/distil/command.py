"""atomgraft distil: a predictor of a transport property from known materials."""

from pathlib import Path
from typing import Annotated

import typer

from atomgraft.study.options import (
    Json,
    SpecFile,
    TrustFiles,
    TrustNamed,
    trust_of,
)

NAME = "distil"


def command(
    ctx: typer.Context,
    materials: Annotated[
        list[str] | None,
        typer.Argument(
            help="Tables (CSV), files of structures whose frames carry the property, or"
            " folders of label --md."
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Column or key with the property.")
    ] = None,
    mobile: Annotated[
        str | None,
        typer.Option(help="Ion that moves: a symbol, or the column or key with it."),
    ] = None,
    test: Annotated[
        list[str] | None,
        typer.Option(
            help="Materials that are predicted once, at the end (repeatable)."
        ),
    ] = None,
    unit: Annotated[str, typer.Option(help="Unit of errors in the report.")] = "",
    decades: Annotated[
        bool,
        typer.Option("--decades", help="Learn and report the decimal logarithm."),
    ] = False,
    group: Annotated[
        list[str] | None,
        typer.Option(
            help="Column or key; materials that agree in it stay together (repeatable)."
            " Default: the elements."
        ),
    ] = None,
    structures: Annotated[
        str, typer.Option(help="Structure of a row of a table: 'cifs/{ID}.cif'.")
    ] = "",
    model: Annotated[
        str,
        typer.Option(help="Potential whose features of ions are added: 7net-0 ..."),
    ] = "",
    temperature: Annotated[
        str, typer.Option(help="Column or key with the temperature, K.")
    ] = "",
    trajectory: Annotated[
        str,
        typer.Option(help="Trajectory of a material: 'runs/{ID}.extxyz', '{run}'."),
    ] = "",
    motion: Annotated[
        str, typer.Option(help="What a teacher sees of it: spectrum, msd or all.")
    ] = "all",
    teacher: Annotated[
        str, typer.Option(help="Folder of a result whose teacher saw motion.")
    ] = "",
    method: Annotated[
        list[str] | None,
        typer.Option(help="Method beside the controls (repeatable). Default: all."),
    ] = None,
    folds: Annotated[int, typer.Option(help="Folds of the validation.")] = 10,
    seeds: Annotated[int, typer.Option(help="Divisions into folds.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the first division.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Output folder; default: distil-TARGET.")
    ] = None,
    trust: TrustNamed = False,
    trust_file: TrustFiles = None,
    spec_file: SpecFile = None,
    as_json: Json = False,
) -> None:
    """Learn a transport property from known materials; write predictor and page."""
    from atomgraft.core.specs import checked_spec
    from atomgraft.study.screen import calm, console, print_json, stage_screen
    from atomgraft.study.spec_files import with_file
    from atomgraft.transport.distil.page import write_page
    from atomgraft.transport.distil.screen import print_record
    from atomgraft.transport.distil.spec import DistilSpec, folder_of
    from atomgraft.transport.extra import require_transport

    require_transport("atomgraft distil", "sklearn", "pymatgen")
    from atomgraft.transport.distil.work import distil

    given = {
        "materials": materials or [],
        "target": target,
        "mobile": mobile,
        "test": test or [],
        "unit": unit,
        "decades": decades,
        "group": group or [],
        "structures": structures,
        "model": model,
        "temperature": temperature,
        "trajectory": trajectory,
        "motion": motion,
        "teacher": teacher,
        "methods": method or [],
        "folds": folds,
        "seeds": seeds,
        "seed": seed,
    }
    named = {key: value for key, value in given.items() if value is not None}
    spec = checked_spec(
        DistilSpec, NAME, with_file(spec_file, ctx, named, methods="method")
    )
    allowed = trust_of(trust, trust_file, [spec.model] if spec.model else [])
    screen = console(quiet=as_json)
    folder = out or folder_of(spec)
    with calm(), stage_screen(screen) as show:
        result = distil(spec, folder, trust=allowed, progress=show)
    page = write_page(folder, result)
    print_record(screen, result)
    screen.print(f"\nPage: {page}", markup=False)
    if as_json:
        print_json(result.model_dump_json(indent=1))
