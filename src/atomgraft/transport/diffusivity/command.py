"""atomgraft diffusivity: from trajectories to diffusivity and conductivity."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from atomgraft.study.options import Json, SpecFile

NAME = "diffusivity"


def command(
    ctx: typer.Context,
    trajectories: Annotated[
        list[str],
        typer.Argument(
            help="XDATCAR, extxyz, ASE .traj or LAMMPS dump; one file for each run."
        ),
    ],
    mobile: Annotated[list[str], typer.Option(help="Mobile element (repeatable): Li.")],
    temperature: Annotated[
        str | None,
        typer.Option(
            help="Temperature, K; or one for each trajectory, in order: 600,800."
        ),
    ] = None,
    step: Annotated[
        str | None,
        typer.Option(help="Time between frames, fs; default: the times in the frames."),
    ] = None,
    skip: Annotated[
        float, typer.Option(help="Time to leave out at the beginning, ps.")
    ] = 0.0,
    charge: Annotated[
        list[str] | None,
        typer.Option(help="Charge of a mobile ion where not usual, Cu=2 (repeatable)."),
    ] = None,
    elements: Annotated[
        str | None,
        typer.Option(help="Elements of the atom types of a LAMMPS dump: Li,P,O."),
    ] = None,
    unwrapped: Annotated[
        bool,
        typer.Option("--unwrapped", help="Positions are unwrapped in the files."),
    ] = False,
    start: Annotated[
        float | None,
        typer.Option(help="Shortest window of the fit, ps; default: chosen."),
    ] = None,
    smallest_msd: Annotated[
        float, typer.Option(help="Smallest MSD by diffusion to give a number, A^2.")
    ] = 1.0,
    melt_limit: Annotated[
        float, typer.Option(help="A framework diffusing by more than this melts, A^2.")
    ] = 2.0,
    keep_molten: Annotated[
        bool,
        typer.Option("--keep-molten", help="Analyse molten trajectories as well."),
    ] = False,
    extrapolate: Annotated[
        float, typer.Option(help="Temperature to extend the Arrhenius line to, K.")
    ] = 300.0,
    estimator: Annotated[
        str, typer.Option(help="Covariance of the MSD: overlapping or kinisi.")
    ] = "overlapping",
    seed: Annotated[int, typer.Option(help="Seed of the samples.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Output folder; default: diffusivity-NAME.")
    ] = None,
    spec_file: SpecFile = None,
    as_json: Json = False,
) -> None:
    """Measure diffusivity and conductivity in trajectories; write the HTML page."""
    from atomgraft.core.specs import checked_spec
    from atomgraft.phonons.spec import stem_of
    from atomgraft.study.screen import calm, console, print_json, stage_screen
    from atomgraft.study.spec_files import with_file
    from atomgraft.transport.diffusivity.page import write_page
    from atomgraft.transport.diffusivity.screen import print_record
    from atomgraft.transport.diffusivity.spec import (
        DiffusivitySpec,
        require_temperature,
    )
    from atomgraft.transport.diffusivity.work import diffusivity

    given: dict[str, Any] = {
        "files": trajectories,
        "mobile": [name for one in mobile for name in words_of(one)],
        "temperature": temperature and words_of(temperature),
        "step": words_of(step or ""),
        "skip": skip,
        "charge": dict(pair_of(one) for one in charge or ()),
        "elements": words_of(elements or ""),
        "unwrapped": unwrapped,
        "start": start,
        "smallest_msd": smallest_msd,
        "melt_limit": melt_limit,
        "keep_molten": keep_molten,
        "extrapolate": extrapolate,
        "estimator": estimator,
        "seed": seed,
    }
    settings = require_temperature(
        with_file(spec_file, ctx, given, files="trajectories")
    )
    spec = checked_spec(DiffusivitySpec, NAME, settings)
    screen = console(quiet=as_json)
    folder = out or Path(f"diffusivity-{stem_of(trajectories[0])}")
    with calm(), stage_screen(screen) as show:
        result = diffusivity(spec, folder, progress=show)
    page = write_page(folder, result)
    print_record(screen, result)
    screen.print(f"\nPage: {page}", markup=False)
    if as_json:
        print_json(result.model_dump_json(indent=1))


def words_of(text: str) -> list[str]:
    """Return the parts of a list, between commas or spaces.

    Examples
    --------
    >>> words_of("600, 800"), words_of("")
    (['600', '800'], [])
    """
    return [one for one in re.split(r"[,\s]+", text) if one]


def pair_of(text: str) -> tuple[str, str]:
    """Return element and charge of ``Cu=2``.

    Raises
    ------
    BadInputError
        There is no equals sign.
    """
    from atomgraft.core.errors import BadInputError

    element, sign, value = text.partition("=")
    if not sign:
        raise BadInputError(
            f"--charge {text} has no '='.",
            "Expected element and charge in e.",
            f"For example: --charge {element or 'Cu'}=2",
        )
    return element, value
