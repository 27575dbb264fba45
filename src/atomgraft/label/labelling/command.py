"""atomgraft label: run an engine over structures, for labels or trajectories."""

import dataclasses
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from atomgraft.core.signals import exit_code
from atomgraft.study.calls import StudyOptions, Verb, study_command
from atomgraft.study.options import SpecFile

if TYPE_CHECKING:
    from rich.console import Console

    from atomgraft.core.trust import Trust
    from atomgraft.label.labelling.plan import LabelPlan
    from atomgraft.label.labelling.record import LabelResult
    from atomgraft.label.labelling.spec import LabelSpec
    from atomgraft.label.labelling.then import Then

NAME = "label"


@study_command
def command(
    options: StudyOptions,
    structures: Annotated[
        list[str] | None,
        typer.Argument(help="Files of structures, or folders of such files."),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            help="Engine: model:NAME, xtb, pyscf:METHOD/BASIS, gpaw, vasp, espresso, "
            "ase:MODULE.CLASS, pmmcs, lammps, or one of a plug-in."
        ),
    ] = None,
    representatives: Annotated[
        int | None,
        typer.Option(
            help="Ordered structures drawn for a CIF with partial occupancies; "
            "default: 0, it is left out."
        ),
    ] = None,
    md: Annotated[
        bool,
        typer.Option(
            "--md", help="Run molecular dynamics and write trajectories, not labels."
        ),
    ] = False,
    temperature: Annotated[
        list[float] | None,
        typer.Option(help="Temperature of the runs, K (repeatable)."),
    ] = None,
    time: Annotated[
        float | None, typer.Option(help="Length of a run, ps; default: 100.")
    ] = None,
    settle: Annotated[
        float | None,
        typer.Option(help="Time before a run is recorded, ps; default: 10."),
    ] = None,
    timestep: Annotated[
        float | None, typer.Option(help="Time step, fs; default: 2.")
    ] = None,
    every: Annotated[
        float | None, typer.Option(help="Time between two frames, fs; default: 100.")
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(help="Random seed of velocities and noise (repeatable)."),
    ] = None,
    atoms: Annotated[
        int | None,
        typer.Option(help="Minimum number of atoms in the supercell; default: 200."),
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option(
            help="Cell: fixed, relax (before the run) or pressure (mean cell of a run "
            "at zero pressure; engines of LAMMPS); default: relax."
        ),
    ] = None,
    thermostat: Annotated[
        bool | None,
        typer.Option(
            "--thermostat/--no-thermostat", help="Thermostat while a run is recorded."
        ),
    ] = None,
    mobile: Annotated[
        list[str] | None,
        typer.Option(
            help="Element that does not belong to the framework (repeatable); default: "
            "monovalent cations."
        ),
    ] = None,
    max_framework_msd: Annotated[
        float | None,
        typer.Option(
            help="Mean square displacement, A^2, above which a framework is molten."
        ),
    ] = None,
    wall_time: Annotated[
        float | None, typer.Option(help="Seconds after which a job is given up.")
    ] = None,
    then: Annotated[
        Path | None,
        typer.Option(
            help="A run file of 'adapt' that trains on the labels once all are there."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("runs/labels"),
    spec_file: SpecFile = None,
) -> None:
    """Run an engine over structures: energies and forces, or trajectories of MD."""
    motion = {
        "temperatures": temperature,
        "time": time,
        "settle": settle,
        "timestep": timestep,
        "every": every,
        "seeds": seed,
        "atoms": atoms,
        "cell": cell,
        "thermostat": thermostat,
        "mobile": mobile,
        "max_framework_msd": max_framework_msd,
    }
    given = {
        "structures": structures,
        "engine": engine,
        "wall_time": wall_time,
        "representatives": representatives,
    }
    asked = _asked(spec_file, given, motion, is_md=md)
    model = asked.engine.removeprefix("model:")
    trust = options.trust([model if model != asked.engine else None])
    verb = _verb(asked, trust=trust)
    if then is None:
        options.call(out, trust).run(verb)
        return
    from atomgraft.core.yaml_files import read_settings
    from atomgraft.label.labelling.then import then_of

    run = then_of(read_settings(then), str(then), out)
    options.call(out, trust).run(_before(verb, run, trust, fresh=options.fresh))
    if not options.dry_run:
        _train(run, trust, as_json=options.as_json)


def _asked(
    spec_file: Path | None,
    given: dict[str, Any],
    motion: dict[str, Any],
    *,
    is_md: bool,
) -> "LabelSpec":
    """Return the spec of a file and the flags; flags win."""
    from atomgraft.core.errors import BadInputError
    from atomgraft.core.yaml_files import read_settings
    from atomgraft.label.labelling.spec import LABEL_SPEC, parse_label_spec

    flags = {key: one for key, one in given.items() if one}
    moving = {key: one for key, one in motion.items() if one is not None}
    document: Any = {}
    origin = "The command line"
    if spec_file is not None:
        file = spec_file / LABEL_SPEC if spec_file.is_dir() else spec_file
        document, origin = read_settings(file), str(file)
        if not isinstance(document, dict):
            return parse_label_spec(document, origin)
    merged: dict[str, Any] = {**cast("dict[str, Any]", document), **flags}
    before = merged.get("md")
    if moving and not is_md and before is None:
        option = "--" + next(iter(moving)).removesuffix("s").replace("_", "-")
        raise BadInputError(
            f"{option} was given without --md.",
            "It is an option of molecular dynamics; without --md structures are "
            "labelled.",
            "Add --md, or leave it out.",
        )
    if is_md or moving:
        merged["md"] = {**(before if isinstance(before, dict) else {}), **moving}
    return parse_label_spec(merged, origin)


def _verb(asked: "LabelSpec", *, trust: "Trust") -> "Verb[LabelPlan, LabelResult]":
    from atomgraft.label.labelling.plan import plan_labelling
    from atomgraft.label.labelling.work import inputs_of_labels, run_labelling

    return Verb(
        name=NAME,
        inputs=lambda: inputs_of_labels(asked),
        plan=lambda: plan_labelling(asked, trust=trust),
        notices=lambda plan: plan.notices,
        outline=_outline,
        run=run_labelling,
        show=_show,
        has_numbers=lambda result: any(one.path for one in result.jobs),
        go_on="The same command continues.",
    )


def _before(
    verb: "Verb[LabelPlan, LabelResult]", then: "Then", trust: "Trust", *, fresh: bool
) -> "Verb[LabelPlan, LabelResult]":
    """Return a labelling that a run waits for: checked with it, and saying so."""
    from atomgraft.label.labelling.then import outcome_words, refuse_then

    def plan() -> "LabelPlan":
        found = verb.plan()
        refuse_then(then, found, trust, fresh=fresh)
        return found

    def outline(plan: "LabelPlan") -> tuple[str, dict[str, Any]]:
        sentence, document = verb.outline(plan)
        return f"{sentence} Then {then.words}.", document | {"then": str(then.folder)}

    def show(screen: "Console", folder: Path, result: "LabelResult") -> Path:
        page = verb.show(screen, folder, result)
        screen.print(f"\n{outcome_words(result)}", markup=False)
        return page

    return dataclasses.replace(verb, plan=plan, outline=outline, show=show)


def _train(then: "Then", trust: "Trust", *, as_json: bool) -> None:
    from atomgraft.label.labelling.then import train
    from atomgraft.run.screen import print_record
    from atomgraft.study.screen import console

    screen = console(quiet=as_json)
    result = train(then, screen, trust)
    print_record(screen, result)
    if not result.finished:
        raise typer.Exit(exit_code(signal.SIGTERM))


def _outline(plan: "LabelPlan") -> tuple[str, dict[str, Any]]:
    names = [job.cell.name for job in plan.jobs]
    left_out = {one.name: one.reason for one in plan.materials if one.reason}
    md = plan.spec.md
    steps = "" if md is None else f"{md.n_settle:,} + {md.n_steps:,}"
    what = f", each of {steps} steps" if steps else ""
    sentence = f"{len(names)} jobs with {plan.engine.name}{what}."
    return sentence, {"jobs": names, "left_out": left_out}


def _show(screen: "Console", folder: Path, result: "LabelResult") -> Path:
    from atomgraft.label.labelling.page import write_page
    from atomgraft.label.labelling.screen import print_record

    page = write_page(folder, result)
    print_record(screen, result)
    return page
