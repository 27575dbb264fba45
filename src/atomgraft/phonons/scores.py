"""Phonons as scores: one row a number, for tables and the verdict."""

from collections.abc import Callable, Sequence

import numpy as np

from atomgraft.evaluation.deviations import sureness_fields
from atomgraft.phonons.record import (
    FREE_ENERGY,
    FREQUENCIES,
    OWN_SCALAR,
    SUITE,
    PhononErrors,
    PhononResult,
)
from atomgraft.records.scores import ModelName, Score

MODELS: tuple[ModelName, ...] = ("base", "adapted", "scratch")

Value = Callable[[PhononErrors], float | None]


def phonon_scores(
    results: Sequence[PhononResult],
) -> list[Score]:
    """Return the scores of every model over crystals with a reference.

    Parameters
    ----------
    results
        One for each crystal; those without a reference have no errors and no row.
    """
    rows: list[Score] = []
    for model in MODELS:
        errors = [
            row
            for result in results
            for row in result.errors
            if row.contestant == model and row.baseline is None
        ]
        rows += _rows(model, FREQUENCIES, "mae", "THz", (errors, _mae))
        rows += _rows(model, FREE_ENERGY, "mae", "meV/atom", (errors, _free_energy))
    scaled = [
        row
        for result in results
        for row in result.errors
        if row.baseline == "own scalar"
    ]
    rows += _rows("base", FREQUENCIES, OWN_SCALAR, "THz", (scaled, _mae))
    return rows


def _mae(row: PhononErrors) -> float | None:
    return row.frequency_mae


def _free_energy(row: PhononErrors) -> float | None:
    error = row.free_energy_error
    return None if error is None else abs(error)


def _rows(
    model: ModelName,
    quantity: str,
    metric: str,
    unit: str,
    source: tuple[Sequence[PhononErrors], Value],
) -> list[Score]:
    """Return the mean over crystals, or nothing where there is none."""
    errors, value = source
    values = np.array([one for row in errors if (one := value(row)) is not None])
    if not len(values):
        return []
    return [
        Score(
            model=model,
            suite=SUITE,
            quantity=quantity,
            metric=metric,
            value=float(values.mean()),
            unit=unit,
            n=len(values),
            **sureness_fields(values, np.ones(len(values)), range(len(values)), None),
        )
    ]
