"""Rounding of predictions, the smallest change that counts."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms

from atomgraft.core.properties import PROPERTIES, Property
from atomgraft.evaluation import labels
from atomgraft.evaluation.deviations import predicted_values
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import StructurePrediction, predict_structures
from atomgraft.records.scores import ModelName, Score

METRIC = "rounding"

N_PROBED = 2
"""Structures that are predicted in float64 as well."""

MAX_ATOMS = 128
"""Of a probed structure, where there is a choice: float64 costs time."""


def rounding_scores(
    model: ModelName,
    potential: AbstractPotential,
    predictions: Sequence[StructurePrediction],
    structures: Sequence[Atoms],
) -> tuple[Score, ...]:
    """Return how far predictions are from the same model's in another precision.

    The rows are called ``rounding``: the largest mean absolute difference of a
    structure between the model's own precision and float64, on the largest few
    structures, because sums over more atoms lose more. A model in float64 is compared
    with itself in float32, and the difference scaled by the ratio of the two machine
    epsilons. A mean absolute error cannot be known better than that.

    Parameters
    ----------
    model
        The name on the rows.
    potential
        Not changed.
    predictions
        Of the potential in its own precision, one for each structure.
    structures
        Any.

    Examples
    --------
    >>> from atomgraft.models.pair import lennard_jones
    >>> argon = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=8.5)
    >>> pair = Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 3.6]])
    >>> rows = rounding_scores(
    ...     "base", argon, list(predict_structures(argon, [pair])), [pair]
    ... )
    >>> all(row.value < 1e-2 for row in rows)
    True
    """
    is_double = potential.dtype == torch.float64
    other = torch.float32 if is_double else torch.float64
    scale = (
        torch.finfo(torch.float64).eps / torch.finfo(torch.float32).eps
        if is_double
        else 1.0
    )
    chosen = _largest(structures)
    probe = potential.clone(dtype=other, device=potential.device)
    found = [
        _Pair(own=predictions[i], other=prediction)
        for i, prediction in zip(
            chosen,
            predict_structures(probe, [structures[i] for i in chosen]),
            strict=True,
        )
    ]
    return tuple(
        Score(
            model=model,
            suite=labels.SUITE,
            quantity=quantity.value,
            metric=METRIC,
            value=scale * max(one.difference(quantity) for one in found),
            unit=PROPERTIES[quantity].report_unit,
            n=len(found),
        )
        for quantity in (Property if found else ())
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Pair:
    """One structure in two precisions."""

    own: StructurePrediction
    other: StructurePrediction

    def difference(self, quantity: Property) -> float:
        """Return the mean absolute difference in report units."""
        values = (predicted_values(one, quantity) for one in (self.own, self.other))
        own, other = values
        return float(np.abs(own - other).mean())


def _largest(structures: Sequence[Atoms]) -> list[int]:
    """Return the largest structures up to `MAX_ATOMS`, or the smallest of all."""
    order = sorted(range(len(structures)), key=lambda i: len(structures[i]))
    cheap = [i for i in order if len(structures[i]) <= MAX_ATOMS]
    return cheap[-N_PROBED:] or order[:1]
