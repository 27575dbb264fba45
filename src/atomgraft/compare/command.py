"""atomgraft compare: which recipe, how many labels, which learning rate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atomgraft.study.calls import StudyOptions, Verb, composed, study_command
from atomgraft.study.options import (
    Accept,
    Head,
    Kernels,
    folder_for,
    takes_labels,
)

if TYPE_CHECKING:
    from rich.console import Console

    from atomgraft.compare.record import Comparison
    from atomgraft.compare.spec import CompareSpec
    from atomgraft.compare.structures import Structures
    from atomgraft.compare.work import ComparePlan
    from atomgraft.core.trust import Trust

NAME = "compare"


@study_command
@takes_labels
def command(
    labels: dict[str, str | None],
    options: StudyOptions,
    spec: Annotated[
        Path | None,
        typer.Argument(
            help="A comparison file (YAML), or the folder of a comparison to continue."
        ),
    ] = None,
    base: Annotated[
        list[str] | None,
        typer.Option(help="Pretrained model: name, file or run folder (repeatable)."),
    ] = None,
    train: Annotated[
        list[str] | None,
        typer.Option(help="File of the pool of labelled structures (repeatable)."),
    ] = None,
    test: Annotated[
        list[str] | None, typer.Option(help="File of test structures (repeatable).")
    ] = None,
    validation: Annotated[
        list[str] | None,
        typer.Option(
            help="File of validation structures, which select the recipe (repeatable)."
        ),
    ] = None,
    recipe: Annotated[
        list[str] | None, typer.Option(help="Recipe to compare (repeatable).")
    ] = None,
    element_map: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help="Element map to try, such as Si:Ge or Si:Ge@fit; none is the base as"
            " it is. Repeat.",
        ),
    ] = None,
    size: Annotated[
        list[int] | None, typer.Option(help="Training-set size (repeatable).")
    ] = None,
    rate_factor: Annotated[
        list[float] | None,
        typer.Option(
            "--lr-factor",
            help="Factor on the learning rate of each recipe (repeatable).",
        ),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(help="Random seed of training sets and runs (repeatable)."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Number of optimiser steps in every cell.")
    ] = None,
    quantity: Annotated[
        str | None,
        typer.Option(help="Quantity to compare by: energy, forces or stress."),
    ] = None,
    more_labels: Annotated[
        int | None, typer.Option(help="Number of labels in the next batch.")
    ] = None,
    target_error: Annotated[
        float | None, typer.Option(help="Target error, in meV/A, meV/atom or GPa.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder of the comparison.")
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
    """Compare recipes, label counts and learning rates; the same command resumes."""
    from atomgraft.adaptation.axes import map_named
    from atomgraft.compare.structures import read_pool, refuse_other_frame
    from atomgraft.core.outputs import examine

    given = {
        "base": base,
        "train": train,
        "test": test,
        "validation": validation,
        "recipes": recipe,
        "maps": element_map
        and [one if one == "none" else map_named(one) for one in element_map],
        "sizes": size,
        "learning_rate_factors": rate_factor,
        "seeds": seed,
        "quantity": quantity,
        "more_labels": more_labels,
        "target_error": target_error,
        "head": head,
        "kernels": kernels,
        "dtype": dtype,
        "device": device,
        **labels,
        "accept": accept,
    }
    from atomgraft.compare.spec import COMPARE_SPEC, parse_compare_spec

    asked = composed(spec, given, steps, (COMPARE_SPEC, parse_compare_spec))
    own = spec if spec and spec.is_dir() else None
    folder = out or own or folder_for(asked.train, NAME)
    examine(folder, NAME, fresh=options.fresh)
    if not options.fresh:
        refuse_other_frame(folder, asked)
    structures = read_pool(asked)  # what needs no model is refused before one is loaded
    trust = options.trust(base or ())
    options.call(folder, trust).run(
        _verb(asked, folder, trust=trust, structures=structures)
    )


def _verb(
    asked: "CompareSpec", folder: Path, *, trust: "Trust", structures: "Structures"
) -> "Verb[ComparePlan, Comparison]":
    from atomgraft.compare.work import compare, plan_comparison
    from atomgraft.run.folders import inputs_of

    return Verb(
        name=NAME,
        inputs=lambda: inputs_of(asked),
        plan=lambda: plan_comparison(asked, trust=trust, structures=structures),
        notices=lambda plan: plan.material.notices,
        outline=_outline,
        run=compare,
        show=_show,
        has_numbers=lambda comparison: any(
            cell.status == "done" for cell in comparison.cells
        ),
        go_on=f"Continue with: atomgraft compare {folder}",
    )


def _outline(plan: "ComparePlan") -> tuple[str, dict[str, Any]]:
    names = [cell.name for cell in plan.cells]
    sizes = ", ".join(map(str, plan.sizes))
    contestants = dict.fromkeys(cell.contestant.name for cell in plan.cells)
    seeds = ", ".join(map(str, plan.spec.seeds))
    sentence = (
        f"{len(names)} cells: {', '.join(contestants)} x {sizes} labels x seeds "
        f"{seeds}, {plan.spec.training.steps} steps each."
    )
    return sentence, {"cells": names, "sizes": plan.sizes}


def _show(screen: "Console", folder: Path, comparison: "Comparison") -> Path:
    from atomgraft.compare.page import write_page
    from atomgraft.compare.screen import print_record

    page = write_page(folder, comparison)
    print_record(screen, comparison)
    return page
