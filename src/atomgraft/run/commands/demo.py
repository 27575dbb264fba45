"""atomgraft demo: the main job on the shipped silicon set."""

from pathlib import Path
from typing import Annotated

import typer

TRAINING = "shipped:si-train@::8"
"""Thirteen of the hundred rattled and strained frames."""

TEST = "shipped:si-test"


def command(
    out: Annotated[Path, typer.Option(help="Output folder of the run.")] = Path("demo"),
    steps: Annotated[int, typer.Option(help="Number of optimiser steps.")] = 200,
) -> None:
    """Fine-tune 7net-0 on 13 DFT frames of silicon, evaluate it, write the page."""
    from atomgraft.run.commands import adapt, prove

    adapt.command(
        base="7net-0",
        train=[TRAINING],
        recipe="lora",
        steps=steps,
        out=out,
        with_scratch=True,
    )
    prove.command(out, test=[TEST])
