"""atomgraft check: look at the data before anything is trained."""

import dataclasses
import json
from typing import Annotated

import typer

from atomgraft.cli.options import (
    EnergyKey,
    ForcesKey,
    Head,
    Json,
    StressKey,
    StressUnit,
)
from atomgraft.cli.trust import TrustFiles, TrustNamed, trust_of

NAME = "check"


def command(
    files: Annotated[list[str], typer.Argument(help="Files of labelled structures.")],
    base: Annotated[
        str | None, typer.Option(help="The model you would start from.")
    ] = None,
    head: Head = None,
    validation: Annotated[
        list[str] | None, typer.Option(help="Files that would decide when to stop.")
    ] = None,
    test: Annotated[
        list[str] | None, typer.Option(help="Files that would judge.")
    ] = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    stress_unit: StressUnit = None,
    trust: TrustNamed = False,
    trust_file: TrustFiles = None,
    as_json: Json = False,
) -> None:
    """Check labels, units, references, geometries and splits; exit 2 on an error."""
    from rich.markup import escape

    from atomgraft.cli.screen import calm, console, print_json
    from atomgraft.data.checks.suite import check_structures
    from atomgraft.data.labels import count_labels
    from atomgraft.data.readers import read_structures
    from atomgraft.experiments.inputs import knowledge_of, load_base

    allowed = trust_of(trust, trust_file, [base])
    screen = console(quiet=as_json)
    with calm(), screen.status("reading and checking"):
        sets = [
            read_structures(
                paths,
                energy_key=energy_key,
                forces_key=forces_key,
                stress_key=stress_key,
                stress_unit=stress_unit,
            )
            if paths
            else []
            for paths in (files, validation or [], test or [])
        ]
        loaded = load_base(base, head=head, trust=allowed) if base else None
        known = knowledge_of(loaded) if loaded is not None else None
        findings = check_structures(
            sets[0], validation=sets[1], test=sets[2], base=known
        )
    count = count_labels(sets[0])
    has_error = any(finding.severity == "error" for finding in findings)
    if as_json:
        print_json(
            json.dumps(
                {
                    "data": dataclasses.asdict(count),
                    "findings": [dataclasses.asdict(one) for one in findings],
                },
                indent=1,
            )
        )
    screen.print(
        f"{count.n_structures} structures of {', '.join(count.elements)}: "
        f"{count.n_energies} energies, {count.n_forces} with forces, "
        f"{count.n_stresses} with stresses."
    )
    colours = {"error": "bold red", "warning": "yellow", "note": "cyan"}
    for one in findings:
        mark = f"[{colours[one.severity]}]{one.severity}[/]"
        screen.print(
            f"{mark} {one.code}: {escape(one.message)}\n    {escape(one.remedy)}"
        )
    if not findings:
        screen.print("Nothing to complain about.")
    if base is None:
        screen.print(
            "Units, signs and reference energies are compared with a model: add --base."
        )
    raise typer.Exit(2 if has_error else 0)
