"""The judge of vibrations: every contestant on the same supercells, and its errors.

Models are asked for the forces on exactly the displaced supercells of the reference,
forces on the undisplaced one taken off; the same charges, the same mesh and the same
solver serve all. Beside the models stand two baselines: the base's force constants
times one number, from the material itself (which no adaptation may know) and from
other materials. Universal potentials are too soft in a systematic way, and an
adaptation that does no better than one number has learned nothing.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import torch

from atomgraft.core.progress import Progress, counting
from atomgraft.lattice.harmonic import (
    Harmonic,
    harmonic_of,
    rotational_residual,
    scaled,
)
from atomgraft.lattice.spectra import (
    MESH,
    TEMPERATURES,
    BandPath,
    MeshFrequencies,
    band_path,
    bands,
    commensurate_modes,
    density_of_states,
    mesh_frequencies,
    spectrum_limits,
    thermal_curves,
)
from atomgraft.lattice.uncertainty import frequency_deviations, uncertainty
from atomgraft.metrics.phonons import (
    best_scalar,
    earth_movers_distance,
    force_slope,
    frequency_errors,
)
from atomgraft.models.base import AbstractPotential
from atomgraft.page.wording import counted
from atomgraft.phonons.labels import Combination, Labelled, alone, combine
from atomgraft.phonons.record import (
    ALONE,
    JOINED,
    REFERENCE,
    DensityRecord,
    LabelsRecord,
    LegRecord,
    PhononErrors,
    SoftMode,
    Spectrum,
    ThermalRecord,
)

if TYPE_CHECKING:
    from atomgraft.lattice.supercells import Phonopy


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


BASE = "base"
"""The contestant whose force constants the baselines scale."""

THRESHOLD = 0.1
"""THz; frequencies above minus this are not called imaginary: numerical noise near Γ
reaches it in small supercells."""

MOST_SOFT_MODES = 24
"""Imaginary modes that are listed."""

ROUNDS = 2
"""Of finding the number that fits the base best; more than one is for charges."""

DIGITS = 5
"""Decimals of curves on disk."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of every contestant.

    Parameters
    ----------
    mesh
        q-points along each reciprocal vector.
    temperatures
        K
    threshold
        THz; a crystal with a frequency below minus this is unstable.
    has_curves
        Draw bands, densities and thermal curves; numbers alone are quicker.
    global_factor
        What the base's force constants are to be multiplied with according to other
        materials; none leaves that baseline out.
    max_atoms
        Largest number of atoms in one call of a model; none measures.
    """

    mesh: tuple[int, int, int] = MESH
    temperatures: tuple[float, ...] = TEMPERATURES
    threshold: float = THRESHOLD
    has_curves: bool = True
    global_factor: float | None = None
    max_atoms: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judged:
    """What was found of one crystal.

    Parameters
    ----------
    spectra
        One for each contestant, the reference first.
    errors
        Of models and baselines; empty without a reference.
    harmonics
        The force constants behind them, by contestant.
    own_factor
        The number that fits the base best to this reference; none without one.
    combinations
        Of models and labels, and of labels alone, by contestant.
    """

    spectra: tuple[Spectrum, ...]
    errors: tuple[PhononErrors, ...]
    harmonics: Mapping[str, Harmonic]
    own_factor: float | None
    combinations: Mapping[str, Combination] = dataclasses.field(default_factory=dict)


def judge_crystal(
    models: Mapping[str, AbstractPotential],
    phonon: "Phonopy | Mapping[str, Phonopy]",
    question: Question,
    *,
    reference: Harmonic | None = None,
    labelled: Labelled | None = None,
    titles: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Judged:
    """Ask every model for the vibrations of a crystal, and compare with a reference.

    Parameters
    ----------
    models
        By contestant; in float64 for frequencies that can be trusted.
    phonon
        The crystal with displacements, and with charges where there are any; one for
        all, or one a model where each was relaxed.
    question
        What is asked.
    reference
        DFT's force constants on the same supercells.
    labelled
        Labelled supercells of the one crystal; they are a contestant alone, and another
        with each model.
    titles
        What people call the contestants.
    progress
        Called after every call of a model.

    Raises
    ------
    BadInputError
        A model does not know an element.
    """
    harmonics: dict[str, Harmonic] = {}
    if reference is not None:
        harmonics[REFERENCE] = reference
    for name, potential in models.items():
        own = phonon[name] if isinstance(phonon, Mapping) else phonon
        harmonics[name] = harmonic_of(
            potential,
            own,
            max_atoms=question.max_atoms,
            progress=counting(progress, f"{name}: forces on displaced supercells"),
        )
    combinations = _combinations(models, harmonics, question, labelled)
    harmonics |= {name: one.harmonic for name, one in combinations.items()}
    named = _named(harmonics, titles or {}, labelled)
    compared = {
        name: Compared(
            name=name,
            title=named[name],
            harmonic=one,
            mesh=mesh_frequencies(one, question.mesh),
        )
        for name, one in harmonics.items()
    }
    own = _own_factor(compared, question)
    return Judged(
        spectra=_spectra(list(compared.values()), question, combinations),
        errors=_errors(compared, question, own),
        harmonics=harmonics,
        own_factor=own,
        combinations=combinations,
    )


def _combinations(
    models: Mapping[str, AbstractPotential],
    harmonics: Mapping[str, Harmonic],
    question: Question,
    labelled: Labelled | None,
) -> dict[str, Combination]:
    """Combine each model with the labels, and take the labels alone."""
    if labelled is None:
        return {}
    found = {
        JOINED.format(name): combine(
            potential, harmonics[name], labelled, max_atoms=question.max_atoms
        )
        for name, potential in models.items()
    }
    first = harmonics[next(iter(models))]
    return {ALONE: alone(first, labelled), **found}


def _named(
    harmonics: Mapping[str, Harmonic],
    titles: Mapping[str, str],
    labelled: Labelled | None,
) -> dict[str, str]:
    """Return what people call the contestants."""
    named = {name: titles.get(name, name) for name in harmonics}
    if labelled is not None:
        labels = counted(labelled.n, "label")
        for name in [one for one in named if JOINED.format(one) in named]:
            named[JOINED.format(name)] = f"{named[name]} + {labels}"
        named[ALONE] = f"{labels}, no model"
    return named


def _own_factor(compared: Mapping[str, Compared], question: Question) -> float | None:
    """Return the factor that fits best among those tried, one among them.

    With charges the first is an estimate: the non-analytical term is not scaled, and
    frequencies do not go with the root of the factor.
    """
    if REFERENCE not in compared or BASE not in compared:
        return None
    base, reference = compared[BASE], compared[REFERENCE].mesh
    tried = {1.0: base.mesh.frequencies}
    factor = 1.0
    for _ in range(ROUNDS):
        weights = reference.weights
        factor *= best_scalar(tried[factor], reference.frequencies, weights)
        if factor in tried:
            break
        crystal = scaled(base.harmonic, factor)
        tried[factor] = mesh_frequencies(crystal, question.mesh).frequencies
    return min(
        tried,
        key=lambda one: (
            frequency_errors(tried[one], reference.frequencies, reference.weights).mae
        ),
    )


def _errors(
    compared: Mapping[str, Compared], question: Question, own: float | None
) -> tuple[PhononErrors, ...]:
    """Compare models and baselines with the reference, if there is one."""
    if REFERENCE not in compared:
        return ()
    reference = compared[REFERENCE]
    rows = [
        errors_of(one, reference, question.threshold, question.mesh)
        for name, one in compared.items()
        if name != REFERENCE
    ]
    factors = (("own scalar", own), ("global scalar", question.global_factor))
    for baseline, factor in factors:
        if factor is not None and BASE in compared:
            harmonic = scaled(compared[BASE].harmonic, factor)
            title = f"{compared[BASE].title} × {factor:.3f}"
            one = Compared(
                name=BASE,
                title=f"{title} ({baseline})",
                harmonic=harmonic,
                mesh=mesh_frequencies(harmonic, question.mesh),
            )
            row = errors_of(one, reference, question.threshold, question.mesh)
            rows.append(row.model_copy(update={"baseline": baseline, "factor": factor}))
    return tuple(rows)


def _spectra(
    compared: Sequence[Compared],
    question: Question,
    combinations: Mapping[str, Combination],
) -> tuple[Spectrum, ...]:
    """Describe every contestant; curves on one path and one grid for all."""
    path, limits = None, None
    if question.has_curves:
        path = band_path(compared[0].harmonic)
        limits = spectrum_limits([one.mesh for one in compared])
    found: list[Spectrum] = []
    for one in compared:
        spectrum = _spectrum(one, question, path, limits)
        known = combinations.get(one.name)
        if known is not None:
            spectrum = _with_labels(spectrum, one, known, path)
        found.append(spectrum)
    return tuple(found)


def _with_labels(
    spectrum: Spectrum, one: Compared, known: Combination, path: BandPath | None
) -> Spectrum:
    """Add what labels did, and how uncertain it leaves the frequencies."""
    posterior = known.posterior
    about = LabelsRecord(
        n_labels=known.n_labels, n_constants=known.n_constants, n_free=known.n_free
    )
    if posterior is None:
        return spectrum.model_copy(update={"labels": about})
    sure = uncertainty(one.harmonic, posterior, one.mesh, temperature=ROOM_TEMPERATURE)
    weights = one.mesh.weights / one.mesh.weights.sum()
    found = about.model_copy(
        update={
            "shape": posterior.shape,
            "scale": posterior.scale,
            "noise": posterior.noise,
            "frequency_deviation": float(weights @ sure.frequencies.mean(axis=1)),
            "free_energy_deviation": sure.free_energy,
            "instability": sure.instability,
        }
    )
    bands = spectrum.bands
    if path is not None:
        bands = tuple(
            leg.model_copy(
                update={
                    "deviations": tuple(
                        rounded(row)
                        for row in frequency_deviations(one.harmonic, posterior, points)
                    )
                }
            )
            for leg, points in zip(spectrum.bands, path.legs, strict=True)
        )
    return spectrum.model_copy(update={"labels": found, "bands": bands})


def _spectrum(
    one: Compared,
    question: Question,
    path: BandPath | None,
    limits: tuple[float, float] | None,
) -> Spectrum:
    frequencies = one.mesh.frequencies
    weights = one.mesh.weights / one.mesh.weights.sum()
    lowest = float(frequencies.min())
    return Spectrum(
        contestant=one.name,
        title=one.title,
        minimum=lowest,
        maximum=float(frequencies.max()),
        mean=float(weights @ frequencies.mean(axis=1)),
        is_stable=lowest > -question.threshold,
        residual_force=one.harmonic.residual,
        drift=one.harmonic.drift,
        rotation=rotational_residual(one.harmonic),
        soft_modes=_soft_modes(one.harmonic, question.threshold),
        bands=() if path is None else _legs(one.harmonic, path),
        density=None if limits is None else _density(one, question, limits),
        thermal=None if path is None else _thermal(one.harmonic, question),
    )


def _soft_modes(harmonic: Harmonic, threshold: float) -> tuple[SoftMode, ...]:
    modes = [one for one in commensurate_modes(harmonic) if one.frequency < -threshold]
    modes.sort(key=lambda one: one.frequency)
    return tuple(
        SoftMode(q=_triple(one.q), frequency=one.frequency)
        for one in modes[:MOST_SOFT_MODES]
    )


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(one) for one in values)
    return x, y, z


def _legs(harmonic: Harmonic, path: BandPath) -> tuple[LegRecord, ...]:
    return tuple(
        LegRecord(
            labels=leg.labels,
            distances=rounded(leg.distances),
            frequencies=tuple(rounded(row) for row in leg.frequencies),
            speeds=tuple(rounded(row) for row in leg.speeds),
        )
        for leg in bands(harmonic, path)
    )


def _density(
    one: Compared, question: Question, limits: tuple[float, float]
) -> DensityRecord:
    found = density_of_states(one.harmonic, question.mesh, limits=limits)
    return DensityRecord(
        frequencies=rounded(found.frequencies), densities=rounded(found.densities)
    )


def _thermal(harmonic: Harmonic, question: Question) -> ThermalRecord:
    found = thermal_curves(harmonic, question.mesh, question.temperatures)
    return ThermalRecord(
        temperatures=rounded(found.temperatures),
        free_energy=rounded(found.free_energy),
        entropy=rounded(found.entropy),
        heat_capacity=rounded(found.heat_capacity),
        share_left_out=found.share_left_out,
    )


def rounded(values: np.ndarray) -> tuple[float, ...]:
    """Return a row of numbers as it stands on disk."""
    return tuple(round(float(one), DIGITS) for one in values)


def instability(spectra: MeshFrequencies, threshold: float = THRESHOLD) -> bool:
    """Tell whether a crystal is unstable.

    Parameters
    ----------
    spectra
        On a mesh.
    threshold
        THz; imaginary frequencies up to this are taken for noise.
    """
    return bool(spectra.frequencies.min() <= -threshold)
