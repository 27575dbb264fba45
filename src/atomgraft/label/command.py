"""atomgraft select: which structures to label, with inputs ready to run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atomgraft.study.options import (
    Head,
    Json,
    Kernels,
    Overwrite,
    SpecFile,
    TrustFiles,
    TrustNamed,
    trust_of,
)

if TYPE_CHECKING:
    from rich.console import Console

    from atomgraft.label.collecting import Collected


def command(
    ctx: typer.Context,
    structure: Annotated[
        str,
        typer.Argument(
            help="A crystal, in any format of ASE or phonopy; with --collect the"
            " folder of an earlier selection."
        ),
    ],
    model: Annotated[
        str | None, typer.Option(help="The model you would start from.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for what is chosen.")] = Path(
        "select"
    ),
    count: Annotated[int, typer.Option(help="How many structures to choose.")] = 10,
    kinds: Annotated[
        str | None,
        typer.Option(
            help="Own proposals: rattle, strain, mc-rattle, modes, displacements; all"
            " unless a pool is given."
        ),
    ] = None,
    proposals: Annotated[int, typer.Option(help="Proposals of each kind.")] = 20,
    pool: Annotated[
        list[str] | None, typer.Option(help="Files of frames to choose from.")
    ] = None,
    known: Annotated[
        list[str] | None,
        typer.Option(help="Files that have labels already: chosen ones keep away."),
    ] = None,
    committee: Annotated[
        list[str] | None,
        typer.Option(help="Further models or run folders, for disagreement."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="distance, disagreement, both or random; distance unless there is a"
            " committee, then both."
        ),
    ] = None,
    supercell: Annotated[
        str, typer.Option(help="Repeats of the structure: '2 2 2' or 2.")
    ] = "1 1 1",
    amplitude: Annotated[
        str, typer.Option(help="Rattles, Å, and flat or imaginary modes; in turn.")
    ] = "0.02,0.05,0.1",
    strain: Annotated[
        str, typer.Option(help="Largest entries of strains; in turn.")
    ] = "0.01,0.03",
    temperature: Annotated[
        float, typer.Option(help="Of Monte Carlo and soft modes, K.")
    ] = 300.0,
    displacement: Annotated[
        float, typer.Option(help="Of one atom in supercells of phonons, Å.")
    ] = 0.01,
    inputs: Annotated[
        str, typer.Option(help="Programs to write inputs for, or none.")
    ] = "vasp,espresso,gpaw",
    functional: Annotated[str, typer.Option(help="PBE or PBEsol.")] = "PBE",
    cutoff: Annotated[float, typer.Option(help="Of plane waves, eV.")] = 520.0,
    k_spacing: Annotated[
        float, typer.Option(help="Distance of k-points, 1/Å, with 2π.")
    ] = 0.25,
    spin: Annotated[
        bool | None,
        typer.Option(
            "--spin/--no-spin",
            help="Spin-polarised inputs; by elements and moments unless given.",
        ),
    ] = None,
    hubbard: Annotated[
        bool | None,
        typer.Option(
            "--hubbard/--no-hubbard",
            help="+U as in the Materials Project; as the model's data unless given.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    collect: Annotated[
        Path | None,
        typer.Option(help="Read finished labels back into this file (.extxyz)."),
    ] = None,
    overwrite: Overwrite = False,
    head: Head = None,
    kernels: Kernels = "ours",
    trust: TrustNamed = False,
    trust_file: TrustFiles = None,
    spec_file: SpecFile = None,
    as_json: Json = False,
) -> None:
    """Propose structures, choose those worth a label, write them with DFT inputs."""
    from atomgraft.core.errors import BadInputError
    from atomgraft.label.page import write_page
    from atomgraft.label.screen import print_record
    from atomgraft.label.spec import parse_select
    from atomgraft.label.work import collect_labels, select
    from atomgraft.study.screen import calm, console, print_json, stage_screen
    from atomgraft.study.spec_files import with_file

    screen = console(quiet=as_json)
    if collect is not None:
        collected = collect_labels(Path(structure), collect, overwrite=overwrite)
        _print_collected(screen, collected, collect, as_json=as_json)
        return
    if model is None:
        raise BadInputError(
            "No model was named.",
            "Proposals and distances are made with the model you would start from.",
            "Add for example --model 7net-0.",
        )
    document: dict[str, object] = {
        "structure": structure,
        "model": model,
        "head": head,
        "kernels": kernels,
        "count": count,
        "proposals": proposals,
        "pool": tuple(pool or ()),
        "known": tuple(known or ()),
        "committee": tuple(committee or ()),
        "rule": by,
        "supercell": _repeats(supercell),
        "amplitudes": _numbers(amplitude, "--amplitude"),
        "strains": _numbers(strain, "--strain"),
        "temperature": temperature,
        "distance": displacement,
        "inputs": () if inputs == "none" else _words(inputs),
        "functional": functional,
        "cutoff": cutoff,
        "k_spacing": k_spacing,
        "spin": spin,
        "hubbard": hubbard,
        "seed": seed,
    }
    if kinds is not None:
        document["kinds"] = _words(kinds)
    asked = with_file(
        spec_file,
        ctx,
        document,
        rule="by",
        amplitudes="amplitude",
        strains="strain",
        distance="displacement",
    )
    if asked.get("rule") is None:
        asked["rule"] = "both" if asked.get("committee") else "distance"
    if asked.get("pool") and "kinds" not in asked:
        asked["kinds"] = ()
    spec = parse_select(asked)
    allowed = trust_of(trust, trust_file, [model, *(committee or ())])
    with calm(), stage_screen(screen) as show:
        result = select(spec, out, trust=allowed, progress=show)
    page = write_page(out, result)
    print_record(screen, result)
    screen.print(f"\nStructures: {out / 'select.extxyz'}\nPage: {page}", markup=False)
    if as_json:
        print_json(result.model_dump_json(indent=1))


def _print_collected(
    screen: "Console", collected: "Collected", target: Path, *, as_json: bool
) -> None:
    import json

    from atomgraft.study.screen import print_json

    n, missing = len(collected.structures), list(collected.missing)
    screen.print(f"{n} structures labelled by {collected.program}: {target}")
    if missing:
        names = ", ".join(f"{i:03d}" for i in missing)
        screen.print(f"Not finished: {names}")
    if as_json:
        document = {
            "file": str(target),
            "n_labelled": n,
            "missing": missing,
            "program": collected.program,
        }
        print_json(json.dumps(document, indent=1))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _numbers(text: str, option: str) -> tuple[float, ...]:
    from atomgraft.core.errors import BadInputError

    try:
        return tuple(float(one) for one in _words(text))
    except ValueError as error:
        raise BadInputError(
            f"{option} was given as {text!r}.",
            "Numbers with commas or spaces between them are needed.",
            f"Write for example {option} 0.02,0.05.",
        ) from error


def _repeats(text: str) -> tuple[int, int, int]:
    from atomgraft.core.errors import BadInputError

    words = _words(text)
    words = words * 3 if len(words) == 1 else words
    if len(words) != 3 or not all(one.isdecimal() for one in words):
        raise BadInputError(
            f"--supercell was given as {text!r}.",
            "One or three whole numbers are needed.",
            "Write for example --supercell '2 2 2'.",
        )
    x, y, z = (int(one) for one in words)
    return x, y, z
