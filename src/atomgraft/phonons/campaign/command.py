"""atomgraft campaign: phonons of many materials, and their cost in DFT."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atomgraft.study.calls import StudyOptions, Verb, composed, study_command
from atomgraft.study.options import Head, Kernels

if TYPE_CHECKING:
    from rich.console import Console

    from atomgraft.core.trust import Trust
    from atomgraft.phonons.campaign.plan import CampaignPlan
    from atomgraft.phonons.campaign.record import PhononCampaign
    from atomgraft.phonons.campaign.spec import PhononCampaignSpec

NAME = "campaign"

KINDS = ("phonons",)


@study_command
def command(
    options: StudyOptions,
    kind: Annotated[str, typer.Argument(help="Kind of campaign: phonons.")],
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder of phonopy calculations or structures, one per material."
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option("--model", help="Pretrained model: name, file or run folder."),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option(
            help="YAML file with further settings; command-line options "
            "take precedence."
        ),
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(help="Fine-tuning recipe (repeatable); default: only the base."),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            help="each: one adaptation per material; all: one for all materials."
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Training supercells per material: a number (2) or a share (0.5)."
        ),
    ] = None,
    pseudo_labels: Annotated[
        bool | None,
        typer.Option(
            "--pseudo-labels/--no-pseudo-labels",
            help="With --mode each: train unlabelled supercells on scaled "
            "predictions of the base.",
        ),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="Number of leave-out folds with --mode all.")
    ] = None,
    keep_families: Annotated[
        bool | None,
        typer.Option(
            "--keep-families/--split-families",
            help="Keep materials of one structure type and anion in one fold.",
        ),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(help="Random seed of supercells and training (repeatable)."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Number of optimiser steps in every adaptation.")
    ] = None,
    mesh: Annotated[
        str | None, typer.Option(help="Mesh of q-points, '20 20 20'.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Modes below minus this frequency count as unstable, THz."),
    ] = None,
    length: Annotated[
        float | None,
        typer.Option(help="Minimum thickness of supercells of structures, A."),
    ] = None,
    details: Annotated[
        int | None,
        typer.Option(help="Number of worst materials whose bands are shown."),
    ] = None,
    dft_hours: Annotated[
        float | None, typer.Option(help="CPU-hours of DFT per displaced supercell.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder of the campaign.")
    ] = None,
    head: Head = None,
    kernels: Kernels = None,
    dtype: Annotated[
        str | None, typer.Option(help="Precision of training: float32 or float64.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Device: auto, cpu or cuda.")
    ] = None,
    max_atoms: Annotated[
        int | None, typer.Option(help="Maximum number of atoms per call of the model.")
    ] = None,
) -> None:
    """Run phonons for many materials, with or without fine-tuning; resumable."""
    from atomgraft.core.registry import unknown

    if kind not in KINDS:
        raise unknown("campaign", kind, KINDS)
    given = {
        "folder": str(folder),
        "base": model,
        "head": head,
        "kernels": kernels,
        "recipes": recipe,
        "mode": mode,
        "labels": None if labels is None else _number(labels),
        "pseudo_labels": pseudo_labels,
        "folds": folds,
        "keeps_families": keep_families,
        "seeds": seed,
        "mesh": None if mesh is None else _triple(mesh),
        "threshold": threshold,
        "length": length,
        "details": details,
        "dft_hours": dft_hours,
        "dtype": dtype,
        "device": device,
        "max_atoms": max_atoms,
    }
    from atomgraft.phonons.campaign.spec import CAMPAIGN_SPEC, parse_campaign_spec

    asked = composed(spec, given, steps, (CAMPAIGN_SPEC, parse_campaign_spec))
    trust = options.trust([model])
    place = out or Path("runs") / f"{folder.resolve().name}-phonons"
    options.call(place, trust).run(_verb(asked, trust=trust))


def _number(text: str) -> int | float | str:
    """Return a count or a share; anything else is refused by the spec."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _triple(text: str) -> list[int]:
    """Return three counts; one stands for all."""
    from atomgraft.core.errors import BadInputError

    parts = text.replace(",", " ").replace("x", " ").split()
    if len(parts) not in {1, 3} or not all(one.isdecimal() for one in parts):
        raise BadInputError(
            f"--mesh was given as {text!r}.",
            "Expected one or three whole numbers.",
            "For example: --mesh '20 20 20'.",
        )
    numbers = [int(one) for one in parts]
    return numbers * 3 if len(numbers) == 1 else numbers


def _verb(
    asked: "PhononCampaignSpec", *, trust: "Trust"
) -> "Verb[CampaignPlan, PhononCampaign]":
    from atomgraft.phonons.campaign.plan import plan_phonon_campaign
    from atomgraft.phonons.campaign.work import run_phonon_campaign
    from atomgraft.run.folders import inputs_of

    return Verb(
        name=NAME,
        inputs=lambda: inputs_of(asked),
        plan=lambda: plan_phonon_campaign(asked, trust=trust),
        notices=lambda plan: plan.notices,
        outline=_outline,
        run=run_phonon_campaign,
        show=_show,
        has_numbers=lambda campaign: any(row.status == "done" for row in campaign.rows),
        go_on="The same command continues.",
    )


def _outline(plan: "CampaignPlan") -> tuple[str, dict[str, Any]]:
    names = [one.name for one in plan.judged]
    trainings = [one.name for one in plan.trainings]
    sentence = (
        f"{len(names)} materials, {len(trainings)} adaptations of "
        f"{plan.spec.training.steps} steps each."
    )
    return sentence, {"materials": names, "trainings": trainings}


def _show(screen: "Console", folder: Path, campaign: "PhononCampaign") -> Path:
    from atomgraft.phonons.campaign.page import write_page
    from atomgraft.phonons.campaign.screen import print_record

    page = write_page(folder, campaign)
    print_record(screen, campaign)
    return page
