"""atomgraft fidelity: what cheap labels buy in expensive ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atomgraft.study.calls import StudyOptions, Verb, composed, study_command
from atomgraft.study.options import Accept, Head, Kernels, folder_for, takes_labels

if TYPE_CHECKING:
    from rich.console import Console

    from atomgraft.core.trust import Trust
    from atomgraft.fidelity.record import Fidelity
    from atomgraft.fidelity.spec import FidelitySpec
    from atomgraft.fidelity.work import FidelityPlan

NAME = "fidelity"


@study_command
@takes_labels
def command(
    labels: dict[str, str | None],
    options: StudyOptions,
    spec: Annotated[
        Path | None,
        typer.Argument(
            help="A spec file (YAML), or the folder of a study to continue."
        ),
    ] = None,
    base: Annotated[
        list[str] | None,
        typer.Option(
            help="Model to start from: fresh weights (sevennet:mini:H,C,O), a name,"
            " file or run folder (repeatable)."
        ),
    ] = None,
    train: Annotated[
        list[str] | None,
        typer.Option(help="File of structures with labels of the target (repeatable)."),
    ] = None,
    test: Annotated[
        list[str] | None,
        typer.Option(help="File of test structures of the target (repeatable)."),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(help="Labels of another level of theory: NAME=FILE (repeatable)."),
    ] = None,
    source_size: Annotated[
        list[int] | None,
        typer.Option(help="Number of structures of a source (repeatable)."),
    ] = None,
    size: Annotated[
        list[int] | None,
        typer.Option(help="Number of structures of the target (repeatable)."),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="Labels of sources: all, forces or energy (repeatable)."),
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            help="fine-tuning, multi-head, all-heads or delta (repeatable). The target"
            " alone is always trained."
        ),
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(help="What moves in fine-tuning: full, lora ... (repeatable)."),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(help="Random seed of training sets and runs (repeatable)."),
    ] = None,
    source_steps: Annotated[
        int | None, typer.Option(help="Number of steps of the sources' models.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Number of steps of fine-tuning.")
    ] = None,
    quantity: Annotated[
        str | None, typer.Option(help="Error that is shown: energy or forces.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder of the study.")
    ] = None,
    head: Head = None,
    kernels: Kernels = None,
    dtype: Annotated[
        str | None, typer.Option(help="Precision of training: float32 or float64.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Device: auto, cpu or cuda.")
    ] = None,
    accept: Accept = None,
) -> None:
    """Measure what labels of other levels of theory buy; the same command resumes."""
    from atomgraft.core.outputs import examine
    from atomgraft.fidelity.spec import FIDELITY_SPEC, parse_fidelity_spec
    from atomgraft.fidelity.work import refuse_other_frame

    given = {
        "base": base,
        "train": train,
        "test": test,
        "sources": source and _sources(source),
        "source_sizes": source_size,
        "sizes": size,
        "keep": keep,
        "strategies": strategy,
        "recipes": recipe,
        "seeds": seed,
        "quantity": quantity,
        "head": head,
        "kernels": kernels,
        "dtype": dtype,
        "device": device,
        **labels,
        "accept": accept,
    }
    asked = composed(spec, given, steps, (FIDELITY_SPEC, parse_fidelity_spec))
    if source_steps is not None:
        document = asked.model_dump()
        document["source_training"]["steps"] = source_steps
        asked = parse_fidelity_spec(document, "The command line")
    own = spec if spec and spec.is_dir() else None
    folder = out or own or folder_for(asked.train, NAME)
    examine(folder, NAME, fresh=options.fresh)
    if not options.fresh:
        refuse_other_frame(folder, asked)
    trust = options.trust(base or ())
    options.call(folder, trust).run(_verb(asked, folder, trust=trust))


def _sources(given: list[str]) -> dict[str, list[str]]:
    """Return files by the name of their source.

    Raises
    ------
    BadInputError
        A text is not NAME=FILE.
    """
    from atomgraft.core.errors import BadInputError

    found: dict[str, list[str]] = {}
    for one in given:
        name, sign, file = one.partition("=")
        if not (name and sign and file):
            raise BadInputError(
                f"--source {one} names no file.",
                "Expected a name and a file of labelled structures.",
                "Give it as --source xtb=xtb.extxyz",
            )
        found.setdefault(name, []).append(file)
    return found


def _verb(
    asked: "FidelitySpec", folder: Path, *, trust: "Trust"
) -> "Verb[FidelityPlan, Fidelity]":
    from atomgraft.fidelity.work import plan_fidelity, study_fidelity
    from atomgraft.run.folders import inputs_of

    return Verb(
        name=NAME,
        inputs=lambda: inputs_of(asked),
        plan=lambda: plan_fidelity(asked, trust=trust),
        notices=lambda plan: plan.levels.notices,
        outline=_outline,
        run=study_fidelity,
        show=_show,
        has_numbers=lambda study: any(one.status == "done" for one in study.models),
        go_on=f"Continue with: atomgraft fidelity {folder}",
    )


def _outline(plan: "FidelityPlan") -> tuple[str, dict[str, Any]]:
    spec = plan.spec
    names = [one.name(spec.base) for one in plan.models]
    steps = sum(
        spec.source_training.steps
        if one.strategy == "source"
        else spec.training.steps
        if one.start
        else spec.together.steps
        for one in plan.models
    )
    sentence = (
        f"{len(names)} models: sources {', '.join(spec.sources)} with"
        f" {', '.join(map(str, plan.source_sizes))} labels, target with"
        f" {', '.join(map(str, plan.sizes))}, seeds {', '.join(map(str, spec.seeds))};"
        f" {steps} steps in all."
    )
    document = {
        "cells": names,
        "source_sizes": plan.source_sizes,
        "sizes": plan.sizes,
        "steps": steps,
    }
    return sentence, document


def _show(screen: "Console", folder: Path, study: "Fidelity") -> Path:
    from atomgraft.fidelity.page import write_page
    from atomgraft.fidelity.screen import print_record

    page = write_page(folder, study)
    print_record(screen, study)
    return page
