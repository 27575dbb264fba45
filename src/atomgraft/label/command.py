"""atomgraft select: choose structures to label, and write DFT inputs."""

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
            help="A crystal, in a format of ASE or phonopy; with --collect the "
            "folder of an earlier selection."
        ),
    ],
    model: Annotated[
        str | None, typer.Option(help="Pretrained model: name, file or run folder.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("select"),
    count: Annotated[int, typer.Option(help="Number of structures to select.")] = 10,
    kinds: Annotated[
        str | None,
        typer.Option(
            help="Kinds of proposals: rattle, strain, mc-rattle, modes, "
            "displacements; default: all, or none with --pool."
        ),
    ] = None,
    proposals: Annotated[
        int, typer.Option(help="Number of proposals of each kind.")
    ] = 20,
    pool: Annotated[
        list[str] | None,
        typer.Option(help="File of candidate structures (repeatable)."),
    ] = None,
    known: Annotated[
        list[str] | None,
        typer.Option(
            help="File of structures that have labels; selected ones are "
            "kept distant (repeatable)."
        ),
    ] = None,
    committee: Annotated[
        list[str] | None,
        typer.Option(
            help="Further model or run folder, for disagreement (repeatable)."
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="Selection rule: distance, disagreement, both, random, or phonons "
            "for the smallest expected error of frequencies; default: distance, or "
            "both with --committee."
        ),
    ] = None,
    target: Annotated[
        float | None,
        typer.Option(
            help="With --by phonons: stop at this expected error of frequencies, THz."
        ),
    ] = None,
    supercell: Annotated[
        str, typer.Option(help="Repeats of the structure, '2 2 2' or 2.")
    ] = "1 1 1",
    amplitude: Annotated[
        str,
        typer.Option(
            help="Amplitudes of rattles, and of flat or imaginary "
            "modes, used in turn, Å."
        ),
    ] = "0.02,0.05,0.1",
    strain: Annotated[
        str, typer.Option(help="Largest entries of strains, used in turn.")
    ] = "0.01,0.03",
    temperature: Annotated[
        float, typer.Option(help="Temperature of Monte Carlo and soft modes, K.")
    ] = 300.0,
    displacement: Annotated[
        float, typer.Option(help="Displacement of one atom in phonon supercells, Å.")
    ] = 0.01,
    inputs: Annotated[
        str, typer.Option(help="Programs to write DFT inputs for, or none.")
    ] = "vasp,espresso,gpaw",
    functional: Annotated[
        str, typer.Option(help="Functional: PBE, PBEsol or LDA.")
    ] = "PBE",
    cutoff: Annotated[float, typer.Option(help="Plane-wave cutoff, eV.")] = 520.0,
    k_spacing: Annotated[
        float, typer.Option(help="Spacing of k-points, 1/Å, including 2π.")
    ] = 0.25,
    spin: Annotated[
        bool | None,
        typer.Option(
            "--spin/--no-spin",
            help="Spin-polarised inputs; default: depends on elements and moments.",
        ),
    ] = None,
    hubbard: Annotated[
        bool | None,
        typer.Option(
            "--hubbard/--no-hubbard",
            help="+U as in the Materials Project; default: as in the training data "
            "of the model.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    collect: Annotated[
        Path | None,
        typer.Option(help="Read finished labels into this file (.extxyz)."),
    ] = None,
    overwrite: Overwrite = False,
    head: Head = None,
    kernels: Kernels = "ours",
    trust: TrustNamed = False,
    trust_file: TrustFiles = None,
    spec_file: SpecFile = None,
    as_json: Json = False,
) -> None:
    """Propose structures to label, choose a subset, write them with DFT inputs."""
    from atomgraft.core.errors import BadInputError
    from atomgraft.label.kinds import OF_ONE_CELL
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
            "The model is needed for proposals and distances.",
            "For example: --model 7net-0.",
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
        "target": target,
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
    if asked["rule"] == "phonons" and "kinds" not in asked:
        asked["kinds"] = OF_ONE_CELL
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
    for reason in collected.unconverged.values():
        screen.print(f"Left out: {reason}", highlight=False)
    if as_json:
        document = {
            "file": str(target),
            "n_labelled": n,
            "missing": missing,
            "program": collected.program,
            "unconverged": list(collected.unconverged),
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
            "Expected numbers separated by commas or spaces.",
            f"For example: {option} 0.02,0.05.",
        ) from error


def _repeats(text: str) -> tuple[int, int, int]:
    from atomgraft.core.errors import BadInputError

    words = _words(text)
    words = words * 3 if len(words) == 1 else words
    if len(words) != 3 or not all(one.isdecimal() for one in words):
        raise BadInputError(
            f"--supercell was given as {text!r}.",
            "Expected one or three whole numbers.",
            "For example: --supercell '2 2 2'.",
        )
    x, y, z = (int(one) for one in words)
    return x, y, z
