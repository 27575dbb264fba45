"""atomgraft check: look at the data before anything is trained."""

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from atomgraft.study.options import (
    Head,
    Json,
    Kernels,
    TrustFiles,
    TrustNamed,
    takes_labels,
    trust_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

    from atomgraft.data.checks.predicted import BaseKnowledge
    from atomgraft.data.checks.regression import Regression
    from atomgraft.data.checks.suite import Examination
    from atomgraft.data.label_keys import LabelOptions
    from atomgraft.data.labels import LabelCount


@takes_labels
def command(
    labels: dict[str, str | None],
    files: Annotated[list[str], typer.Argument(help="Files of labelled structures.")],
    base: Annotated[
        str | None, typer.Option(help="The model you would start from.")
    ] = None,
    head: Head = None,
    kernels: Kernels = None,
    validation: Annotated[
        list[str] | None, typer.Option(help="Files that would decide when to stop.")
    ] = None,
    test: Annotated[
        list[str] | None, typer.Option(help="Files that would judge.")
    ] = None,
    trust: TrustNamed = False,
    trust_file: TrustFiles = None,
    as_json: Json = False,
) -> None:
    """Check labels, units, references, geometries and splits; exit 2 on an error."""
    from atomgraft.core.kernels import kernels_named
    from atomgraft.data.checks.suite import Sets, examine
    from atomgraft.data.labels import count_labels
    from atomgraft.data.readers import read_structures
    from atomgraft.study.screen import calm, console, print_json, stage_screen

    allowed = trust_of(trust, trust_file, [base])
    chosen = kernels_named(kernels or "ours")
    keys = cast("LabelOptions", labels)
    screen = console(quiet=as_json)

    def load() -> "BaseKnowledge":
        from atomgraft.run.inputs import load_base
        from atomgraft.run.starts import knowledge_of

        return knowledge_of(
            load_base(str(base), head=head, trust=allowed, kernels=chosen), show
        )

    with calm(), stage_screen(screen, "reading and checking") as show:
        train, held_back, judging = (
            read_structures(paths, **keys) if paths else []
            for paths in (files, validation, test)
        )
        sets = Sets(train=train, validation=held_back, test=judging)
        found = examine(sets, load if base else None)
    count = count_labels(train)
    if as_json:
        print_json(json.dumps(_document(count, found), indent=1))
    screen.print(
        f"{count.n_structures} structures of {', '.join(count.elements)}: "
        f"{count.n_energies} energies, {count.n_forces} with forces, "
        f"{count.n_stresses} with stresses."
    )
    _print(screen, found, base)
    has_error = any(finding.severity == "error" for finding in found.findings)
    raise typer.Exit(2 if has_error else 0)


def _document(count: "LabelCount", found: "Examination") -> dict[str, Any]:
    return {
        "data": dataclasses.asdict(count),
        "findings": [dataclasses.asdict(one) for one in found.findings],
        "regressions": [dataclasses.asdict(one) for one in found.regressions],
    }


def _print(screen: "Console", found: "Examination", base: str | None) -> None:
    """Print findings and what was compared for people."""
    from rich.markup import escape

    from atomgraft.data.checks.findings import CHANGES_WHAT_IS_LEARNED

    colours = {"error": "bold red", "warning": "yellow", "note": "cyan"}
    for one in found.findings:
        mark = f"[{colours[one.severity]}]{one.severity}[/]"
        screen.print(
            f"{mark} {one.code}: {escape(one.message)}\n    {escape(one.remedy)}"
        )
        if one.severity == "warning" and one.code in CHANGES_WHAT_IS_LEARNED:
            screen.print(f"    adapt stops at this, unless --accept {one.code}.")
    if not found.findings:
        screen.print("No problems found.")
    if found.regressions:
        screen.print(f"\nLabels against {escape(str(base))}:")
        screen.print(_lines(found.regressions))
    if base is None:
        screen.print(
            "Units, signs and reference energies are compared with a model: add --base."
        )
    elif not found.is_compared:
        screen.print(f"Not compared with {base}: correct the errors first.")


def _lines(regressions: "Sequence[Regression]") -> "Table":
    """Return slope, intercept and correlation of each quantity as a table."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("quantity")
    for heading in ("structures", "slope", "intercept", "", "correlation"):
        table.add_column(heading, justify="left" if not heading else "right")
    for one in regressions:
        numbers = [
            "-" if value is None else text.format(value)
            for value, text in (
                (one.slope, "{:.4g}"),
                (one.intercept, "{:.3g}"),
                (one.correlation, "{:.3f}"),
            )
        ]
        slope, intercept, correlation = numbers
        table.add_row(
            one.quantity, str(one.n_structures), slope, intercept, one.unit, correlation
        )
    return table
