"""atomgraft adapt: fine-tune a base on your material."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from atomgraft.core.signals import exit_code
from atomgraft.run.commands.options import Asked, takes_a_run
from atomgraft.study.options import Json

NAME = "adapt"


@takes_a_run
def command(
    asked: Asked,
    *,
    plan: Annotated[
        Path | None,
        typer.Option(
            help="Plan file of 'atomgraft plan --write': stop if the run "
            "differs from it."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Fine-tune a model on labelled structures; the same command resumes a run."""
    from atomgraft.run.places import refuse_other_runs
    from atomgraft.run.screen import print_record, training_screen
    from atomgraft.run.structures import read_run_data
    from atomgraft.study.screen import calm, console, print_json

    run, folder = asked.run, asked.folder
    refuse_other_runs(run, folder, fresh=asked.fresh)
    data = read_run_data(run)  # what needs no model is refused before one is loaded
    from atomgraft.run.adapt import adapt
    from atomgraft.run.contract import read_contract
    from atomgraft.run.spec import SCRATCH, SPEC, scratch_spec

    screen = console(quiet=as_json)
    planned = None if plan is None else read_contract(plan).terms
    screen.print(f"{run.recipe} from {run.base_words} into {folder}", markup=False)
    with calm(), training_screen(screen) as shown:
        result = adapt(
            run,
            folder,
            trust=asked.trust,
            fresh=asked.fresh,
            planned=planned,
            observer=shown,
            data=data,
        )
    is_finished = result.finished
    if is_finished and (asked.with_scratch or (folder / SCRATCH / SPEC).exists()):
        beside, wanted = scratch_spec(run), run.axes.starts.map
        words = "The same architecture from fresh weights, as a baseline"
        if wanted is not None and wanted != beside.axes.starts.map:
            words += f", without the scale of {wanted.words}"
        screen.print(f"{words}:", markup=False)
        with calm(), training_screen(screen) as shown:
            baseline = adapt(
                beside,
                folder / SCRATCH,
                trust=asked.trust,
                fresh=asked.fresh,
                observer=shown,
                data=data,
            )
        is_finished = baseline.finished
    print_record(screen, result)
    if as_json:
        print_json(result.model_dump_json(indent=1))
    if not is_finished:
        if result.finished:
            screen.print(f"Continue with: atomgraft adapt {folder}", markup=False)
        raise typer.Exit(exit_code(signal.SIGTERM))
