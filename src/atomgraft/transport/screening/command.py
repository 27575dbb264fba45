"""atomgraft screen: predictions for many structures, ranked."""

from pathlib import Path
from typing import Annotated

import typer

from atomgraft.study.options import (
    Json,
    Scheduler,
    Slurm,
    SpecFile,
    TlsCaFile,
    TlsCert,
    TlsKey,
    TrustFiles,
    TrustNamed,
    trust_of,
)

NAME = "screen"


def command(
    ctx: typer.Context,
    structures: Annotated[
        list[str] | None,
        typer.Argument(help="Files or folders: CIF, POSCAR, extended XYZ, ASE db."),
    ] = None,
    predictor: Annotated[
        str | None,
        typer.Option(
            help="Folder made by atomgraft distil; default: conductivity of lithium, "
            "which ships with atomgraft."
        ),
    ] = None,
    mobile: Annotated[
        str,
        typer.Option(help="Symbol of the ion that moves; default: the predictor's."),
    ] = "",
    temperature: Annotated[
        float | None,
        typer.Option(help="K, where the predictor has learned temperatures."),
    ] = None,
    best: Annotated[
        str, typer.Option(help="Which predictions come first: highest or lowest.")
    ] = "highest",
    representatives: Annotated[
        int,
        typer.Option(help="Ordered structures for one with partial occupancies."),
    ] = 3,
    max_atoms: Annotated[int, typer.Option(help="Atoms of such a structure.")] = 400,
    seed: Annotated[int, typer.Option(help="Of their drawing.")] = 0,
    cache: Annotated[
        str,
        typer.Option(
            help="Folder of computed features, shared by several screens; default: "
            "within the output folder."
        ),
    ] = "",
    workers: Annotated[
        int | None,
        typer.Option(
            help="Processes that compute features, or SLURM jobs; default: one per "
            "core."
        ),
    ] = None,
    scheduler: Scheduler = None,
    tls_ca_file: TlsCaFile = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    slurm: Slurm = None,
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("screen"),
    trust: TrustNamed = False,
    trust_file: TrustFiles = None,
    spec_file: SpecFile = None,
    as_json: Json = False,
) -> None:
    """Predict a transport property of many structures; write the ranked list."""
    from atomgraft.core.specs import checked_spec
    from atomgraft.study.clusters import ClusterPlan, parse_slurm
    from atomgraft.study.credentials import parse_credentials
    from atomgraft.study.screen import calm, console, print_json, stage_screen
    from atomgraft.study.spec_files import with_file
    from atomgraft.transport.extra import require_transport
    from atomgraft.transport.screening.page import write_page
    from atomgraft.transport.screening.screen import print_record
    from atomgraft.transport.screening.spec import ScreenSpec

    require_transport("atomgraft screen", "sklearn", "pymatgen")
    from atomgraft.transport.screening.work import screen as screened

    given = {
        "structures": structures or [],
        "predictor": predictor,
        "mobile": mobile,
        "temperature": temperature,
        "best": best,
        "representatives": representatives,
        "max_atoms": max_atoms,
        "seed": seed,
        "cache": cache,
    }
    named = {key: value for key, value in given.items() if value is not None}
    spec = checked_spec(ScreenSpec, NAME, with_file(spec_file, ctx, named))
    allowed = trust_of(trust, trust_file, [])
    plan = ClusterPlan(
        n_workers=workers,
        scheduler=scheduler,
        credentials=parse_credentials(tls_ca_file, tls_cert, tls_key),
        slurm=parse_slurm(slurm),
    )
    terminal = console(quiet=as_json)
    try:
        with calm(), stage_screen(terminal) as show:
            result = screened(spec, out, trust=allowed, cluster=plan, progress=show)
    except KeyboardInterrupt as error:  # typer would end with the code of SIGINT
        raise typer.Abort from error
    page = write_page(out, result)
    print_record(terminal, result)
    terminal.print(f"\nPage: {page}\nList: {out / 'screen.csv'}", markup=False)
    if as_json:
        print_json(result.model_dump_json(indent=1))
