"""Read and write ``compare.json``; old files are upgraded one version at a time."""

from pathlib import Path
from typing import Any

from atomgraft.results.comparison import COMPARISON_VERSION, Comparison
from atomgraft.results.documents import ResultFile, Upgrade
from atomgraft.results.old_intervals import FEWEST, with_sureness

COMPARISON = "compare.json"


def _with_outcome(known: dict[str, Any]) -> dict[str, Any]:
    """Version 2 has errors that choose, and the outcome of the advice."""
    return known | {"schema_version": 2}


def _with_sureness(known: dict[str, Any]) -> dict[str, Any]:
    """Version 3 has no interval over fewer than five seeds, and says so of scores."""

    def explained(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            one | {"scores": with_sureness(one.get("scores", []))} for one in records
        ]

    def is_over_few(row: dict[str, Any]) -> bool:
        return row.get("interval_over") == "seeds" and row["n_seeds"] < FEWEST

    none = {"interval": None, "interval_over": None}
    summaries = [
        row | none if is_over_few(row) else row for row in known.get("summaries", [])
    ]
    return known | {
        "schema_version": 3,
        "cells": explained(known.get("cells", [])),
        "baselines": explained(known.get("baselines", [])),
        "summaries": summaries,
    }


UPGRADES: dict[int, Upgrade] = {1: _with_outcome, 2: _with_sureness}
"""Version *n* to the step that makes a version *n* + 1 document of it."""


def _kind() -> ResultFile[Comparison]:
    return ResultFile(
        file=COMPARISON,
        record=Comparison,
        version=COMPARISON_VERSION,
        upgrades=UPGRADES,
        title="comparison",
        command="atomgraft compare",
        broken="Run 'atomgraft compare' on its folder again; finished cells are kept.",
    )


def write_comparison(folder: Path, comparison: Comparison) -> Path:
    """Write a comparison into a folder, whole or not at all.

    Raises
    ------
    StorageError
        The folder cannot be written; an older file is left as it was.
    """
    return _kind().write(folder, comparison)


def has_comparison(folder: Path) -> bool:
    """Tell whether a folder, or a file, holds a comparison."""
    return _kind().is_at(folder)


def read_comparison(folder: Path) -> Comparison:
    """Read a comparison from a folder or file, in today's schema.

    Raises
    ------
    BadInputError
        There is none, it is broken, or it comes from a newer atomgraft.
    """
    return _kind().read(folder)
