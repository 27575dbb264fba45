"""Errors of one contestant's vibrations against the reference's."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

import torch

from atomgraft.lattice.harmonic import Harmonic
from atomgraft.lattice.spectra import MeshFrequencies, thermal_curves
from atomgraft.metrics.phonons import (
    earth_movers_distance,
    force_slope,
    frequency_errors,
)
from atomgraft.models.base import AbstractPotential
from atomgraft.phonons.record import PhononErrors

ROOM_TEMPERATURE = 300.0
"""K"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compared:
    """A contestant with its force constants and frequencies.

    Parameters
    ----------
    name, title
        For files, and for people.
    harmonic
        Force constants.
    mesh
        Frequencies; on the same q-points for all.
    """

    name: str
    title: str
    harmonic: Harmonic
    mesh: MeshFrequencies


def errors_of(
    one: Compared,
    reference: Compared,
    threshold: float,
    mesh: tuple[int, int, int],
) -> PhononErrors:
    """Compare a contestant with the reference.

    Thermal errors are those of two stable crystals, or none: where a mode is
    imaginary, it has no place in the sums, and what is left is another crystal.

    Parameters
    ----------
    one, reference
        On the same supercells and the same mesh.
    threshold
        THz; a crystal with a frequency below minus this is unstable.
    mesh
        q-points of the thermal sums along each reciprocal vector.
    """
    predicted, known = one.mesh.frequencies, reference.mesh.frequencies
    weights = reference.mesh.weights
    found = frequency_errors(predicted, known, weights)
    both_stable = min(predicted.min(), known.min()) > -threshold
    thermal = _thermal_errors(one, reference, mesh) if both_stable else (None,) * 3
    return PhononErrors(
        contestant=one.name,
        title=one.title,
        frequency_mae=found.mae,
        frequency_rmse=found.rmse,
        frequency_bias=found.bias,
        maximum_error=found.largest,
        highest_error=found.highest,
        density_distance=earth_movers_distance(predicted, known, weights),
        free_energy_error=thermal[0],
        entropy_error=thermal[1],
        heat_capacity_error=thermal[2],
        slope=force_slope(one.harmonic.forces, reference.harmonic.forces),
        is_stable=bool(predicted.min() > -threshold),
    )


def _thermal_errors(
    one: Compared, reference: Compared, mesh: tuple[int, int, int]
) -> tuple[float, float, float]:
    at = (ROOM_TEMPERATURE,)
    mine = thermal_curves(one.harmonic, mesh, at)
    true = thermal_curves(reference.harmonic, mesh, at)
    return (
        float(mine.free_energy[0] - true.free_energy[0]),
        float(mine.entropy[0] - true.entropy[0]),
        float(mine.heat_capacity[0] - true.heat_capacity[0]),
    )


_7NET_0 = "ec5e002f39e81c77ab76abe786ff8ab9e78295e831ac53788ed09047ebd804b6"


GLOBAL_FACTORS: Mapping[str, float] = MappingProxyType({_7NET_0: 1.029})
"""What the force constants of a base must be multiplied with so that its frequencies
fit DFT best: the median over 53 materials of the PhononDB (PBEsol), by the SHA-256 of
the base's weights in single precision. ``benchmarks/phonons/leave_out.py`` makes the
number."""


def known_factor(base: AbstractPotential) -> float | None:
    """Return the known factor of a base; none for a model that has not been measured.

    Parameters
    ----------
    base
        In any precision and under any name: the factor belongs to its weights.

    Examples
    --------
    >>> from atomgraft.models.pair import stillinger_weber
    >>> known_factor(stillinger_weber(["Si"])) is None
    True
    """
    published = base.clone(dtype=torch.float32, device=base.device)
    return GLOBAL_FACTORS.get(published.weights_hash())
