"""Validation errors by name: each property, and force differences by themselves."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from atomgraft.adaptation.axes import TARGET
from atomgraft.core.properties import PROPERTIES, Property
from atomgraft.training.objective import Residual, Residuals, Targets

DIFFERENCES = "force_differences"
"""Name of the errors of force differences, and of their unit."""

NamedResiduals = Mapping[str, Residual]


class Error(NamedTuple):
    """A mean absolute error and what it counts.

    Parameters
    ----------
    mean
        Internal units.
    share
        Of all labels of the property; less than one where some forces train as
        differences and some as they are.
    """

    mean: float
    share: float


Errors = Mapping[str, Error]


def kind_of(name: str) -> Property:
    """Return the property that an error is of.

    Examples
    --------
    >>> kind_of("force_differences").value
    'forces'
    """
    return Property.FORCES if name == DIFFERENCES else Property(name)


def named_residuals(residuals: Residuals, targets: Targets) -> NamedResiduals:
    """Return residuals by name, force differences apart from forces.

    Parameters
    ----------
    residuals
        Of a batch.
    targets
        Of the same batch.
    """
    named = {kind.value: one for kind, one in residuals.items()}
    if targets.response is None:
        return named
    forces, chosen = residuals[Property.FORCES], targets.response.is_difference
    named[Property.FORCES.value] = Residual(
        forces.value[~chosen], forces.present[~chosen]
    )
    named[DIFFERENCES] = Residual(forces.value[chosen], forces.present[chosen])
    return named


def mean_absolute_errors(batches: Sequence[NamedResiduals]) -> dict[str, Error]:
    """Return the error of each name with labels.

    Parameters
    ----------
    batches
        Of one set.
    """
    sizes: dict[str, torch.Tensor] = {}
    for name in dict.fromkeys(name for batch in batches for name in batch):
        seen = [batch[name] for batch in batches if name in batch]
        values = torch.cat([one.value[one.present] for one in seen])
        if len(values):
            sizes[name] = values.double().abs()
    n_forces = sum(
        len(one) for name, one in sizes.items() if kind_of(name) is Property.FORCES
    )
    return {
        name: Error(
            mean=float(one.mean()),
            share=len(one) / n_forces if kind_of(name) is Property.FORCES else 1.0,
        )
        for name, one in sizes.items()
    }


def reported(errors: Mapping[str, Errors]) -> dict[str, float]:
    """Return errors in report units: the target's by name, others as ``head/name``.

    Parameters
    ----------
    errors
        By stream.
    """
    return {
        name if stream == TARGET else f"{stream}/{name}": error.mean
        * PROPERTIES[kind_of(name)].report_factor
        for stream, names in errors.items()
        for name, error in names.items()
    }
