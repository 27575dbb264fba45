"""Tables of phonons: errors against the reference, spectra, soft modes."""

import itertools
from collections.abc import Callable, Sequence

from atomgraft.page.blocks import Table
from atomgraft.page.wording import (
    MISSING,
    count_text,
    number_text,
)
from atomgraft.phonons.record import (
    LabelsRecord,
    PhononErrors,
    PhononResult,
    PhononSettings,
    SoftMode,
    Spectrum,
)
from atomgraft.phonons.wording import (
    AVERAGE_TEMPERATURE,
    contestants,
    errors_of,
    lacks_modes,
    q_text,
    reference_name,
    signed_number,
    threshold_text,
)

MAX_SOFT_MODES = 12
"""Rows for each contestant."""

_DEGENERATE = 0.005
"""THz; modes that differ by less share a row."""

_BASELINES = {
    "global scalar": "Base × global scalar",
    "own scalar": "Base × own scalar",
}
"""Always in the table: what an adaptation must beat."""

Column = tuple[str, Callable[[PhononErrors], str]]


def _stable_word(is_stable: bool) -> str:  # noqa: FBT001 the word of one truth
    return "yes" if is_stable else "no"


_FREQUENCY_COLUMNS: tuple[Column, ...] = (
    ("Scale", lambda one: _number(one.factor)),
    ("MAE (THz)", lambda one: number_text(one.frequency_mae)),
    ("RMSE (THz)", lambda one: number_text(one.frequency_rmse)),
    ("Shift (THz)", lambda one: signed_number(one.frequency_bias)),
    ("Largest error (THz)", lambda one: number_text(one.maximum_error)),
    ("Highest frequency (THz)", lambda one: signed_number(one.highest_error)),
    ("DOS distance (THz)", lambda one: number_text(one.density_distance)),
)

_PHYSICS_COLUMNS: tuple[Column, ...] = (
    ("Free energy (meV/atom)", lambda one: signed_number(one.free_energy_error)),
    ("Entropy (J/K/mol)", lambda one: signed_number(one.entropy_error)),
    ("Heat capacity (J/K/mol)", lambda one: signed_number(one.heat_capacity_error)),
    ("Force slope", lambda one: _number(one.slope)),
    ("Stable", lambda one: _stable_word(one.is_stable)),
)

_CONDUCTIVITY_COLUMNS: tuple[Column, ...] = (
    ("Conductivity (%)", lambda one: _percent(one.conductivity_error)),
    ("SRME", lambda one: _number(one.srme)),
)

_TERMINAL_COLUMNS: tuple[Column, ...] = (
    ("MAE (THz)", lambda one: number_text(one.frequency_mae)),
    ("largest error (THz)", lambda one: number_text(one.maximum_error)),
    ("highest (THz)", lambda one: signed_number(one.highest_error)),
    ("slope", lambda one: _number(one.slope)),
    ("F at 300 K (meV/atom)", lambda one: signed_number(one.free_energy_error)),
    ("stable", lambda one: _stable_word(one.is_stable)),
)


def _number(value: float | None) -> str:
    return MISSING if value is None else number_text(value)


def _percent(value: float | None) -> str:
    return MISSING if value is None else signed_number(100 * value)


def frequency_table(result: PhononResult) -> Table:
    """Return how far each contestant's frequencies are from the reference's."""
    name, mesh = reference_name(result), "×".join(map(str, result.settings.mesh))
    caption = (
        f"Errors of frequencies against {name} on the {mesh} mesh, sorted at each "
        f"q. The shift is the mean difference (contestant minus {name}); the "
        "highest frequency is compared in the same way. The last rows are "
        "baselines: the base's force constants times one number, taken from other "
        "materials (global) or fitted to this reference (own). An adaptation that "
        "does not beat them has learned no more than an overall stiffness."
    )
    return _errors_table(result, caption, _FREQUENCY_COLUMNS)


def physics_table(result: PhononResult) -> Table:
    """Return what the errors do to thermal properties, softness and stability."""
    caption = (
        "Errors of free energy, entropy and heat capacity at 300 K against "
        f"{reference_name(result)}, for stable crystals; least-squares slope of the "
        "forces, below one if the model is too soft; and stability: no frequency "
        f"below −{threshold_text(result)} THz."
    )
    columns = _PHYSICS_COLUMNS
    if any(one.conductivity_error is not None for one in result.errors):
        columns += _CONDUCTIVITY_COLUMNS
        caption += (
            " Conductivity at 300 K: relative error, and symmetric relative mean error "
            "over modes."
        )
    return _errors_table(result, caption, columns)


def _errors_table(
    result: PhononResult, caption: str, columns: Sequence[Column]
) -> Table:
    judged, scaled = _rows(result, columns)
    return Table(
        caption=caption,
        columns=("Contestant", *(name for name, _ in columns)),
        rows=(*judged, *scaled),
        is_text=(True, *(False,) * len(columns)),
        apart=tuple(range(len(judged), len(judged) + len(scaled))),
    )


def _rows(
    result: PhononResult, columns: Sequence[Column]
) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Return the rows of contestants, and those of the baselines, given or not."""
    order = [one.contestant for one in contestants(result)]
    judged = sorted(
        (one for one in result.errors if one.baseline is None),
        key=lambda one: [*order, one.contestant].index(one.contestant),
    )
    scaled: list[tuple[str, ...]] = []
    for kind, words in _BASELINES.items():
        found = [one for one in result.errors if one.baseline == kind]
        scaled += [(one.title, *(text(one) for _, text in columns)) for one in found]
        if not found and errors_of(result, "base") is not None:
            scaled.append((f"{words}: unknown", *(MISSING for _ in columns)))
    rows = [(one.title, *(text(one) for _, text in columns)) for one in judged]
    return rows, scaled


def terminal_table(result: PhononResult) -> Table:
    """Return the few errors that matter, for a terminal.

    Parameters
    ----------
    result
        Of one crystal, with a reference.
    """
    caption = f"Against {reference_name(result)}, on the same supercells"
    return _errors_table(result, caption, _TERMINAL_COLUMNS)


def spectra_table(result: PhononResult, caption: str) -> Table:
    """Return each contestant's own frequencies and thermal properties at 300 K.

    Parameters
    ----------
    result
        Of one crystal.
    caption
        Of the table.
    """
    return Table(
        caption=caption,
        columns=(
            "Contestant",
            "Lowest (THz)",
            "Highest (THz)",
            "Mean (THz)",
            "Free energy (meV/atom)",
            "Entropy (J/K/mol)",
            "Heat capacity (J/K/mol)",
            "Stable",
        ),
        rows=tuple(_spectrum_row(one, result.settings) for one in contestants(result)),
        is_text=(True, *(False,) * 7),
    )


def _spectrum_row(one: Spectrum, settings: PhononSettings) -> tuple[str, ...]:
    thermal = one.thermal
    curves = (
        (thermal.free_energy, thermal.entropy, thermal.heat_capacity)
        if thermal and not lacks_modes(one, settings)
        else ((), (), ())
    )
    warm = thermal.temperatures if thermal else ()
    return (
        one.title,
        number_text(round(one.minimum, 4)),
        number_text(one.maximum),
        number_text(one.mean),
        *(_number(value_at(warm, curve, AVERAGE_TEMPERATURE)) for curve in curves),
        _stable_word(one.is_stable),
    )


def value_at(
    places: Sequence[float], values: Sequence[float], place: float
) -> float | None:
    """Return a curve's value between two points, or none outside of it.

    Parameters
    ----------
    places
        Ascending.
    values
        As many, or none at all.
    place
        Where.

    Examples
    --------
    >>> value_at((0.0, 200.0, 400.0), (0.0, 2.0, 6.0), 300.0)
    4.0
    """
    for (a, b), (low, high) in zip(
        itertools.pairwise(places), itertools.pairwise(values), strict=False
    ):
        if a <= place <= b:
            share = (place - a) / (b - a) if b > a else 0.0
            return low + share * (high - low)
    return None


def labels_table(result: PhononResult) -> Table | None:
    """Return what labelled supercells did to force constants, or none.

    Parameters
    ----------
    result
        Of one crystal.
    """
    rows = [_labels_row(one, one.labels) for one in contestants(result) if one.labels]
    if not rows:
        return None
    return Table(
        caption=(
            "Labelled supercells combined with each model in closed form: the "
            "model's force constants, times the scale, are corrected as far as the "
            "labels say. Deviations are one standard deviation of the posterior, mean "
            "over the mesh for frequencies; free energy at 300 K. Imaginary: largest "
            "probability of a mode on the mesh."
        ),
        columns=(
            "Contestant",
            "Labels",
            "Force constants",
            "Undetermined",
            "Prior",
            "Scale",
            "Noise (meV/Å)",
            "± Frequency (THz)",
            "± Free energy (meV/atom)",
            "Imaginary",
        ),
        rows=tuple(rows),
        is_text=(True, False, False, False, True, *(False,) * 5),
    )


def _labels_row(one: Spectrum, labels: LabelsRecord) -> tuple[str, ...]:
    noise = None if labels.noise is None else 1000 * labels.noise
    has_model = labels.shape is not None
    chance = labels.instability
    return (
        one.title,
        count_text(labels.n_labels),
        count_text(labels.n_constants),
        MISSING if has_model else count_text(labels.n_free),
        labels.shape or MISSING,
        _number(labels.scale),
        _number(noise),
        _number(labels.frequency_deviation),
        _number(labels.free_energy_deviation),
        MISSING if chance is None else f"{100 * chance:.0f} %",
    )


def soft_table(result: PhononResult) -> Table | None:
    """Return the imaginary modes that the supercell holds, or none."""
    rows = [
        row for one in contestants(result) for row in _soft_rows(one) if one.soft_modes
    ]
    if not rows:
        return None
    return Table(
        caption=(
            "Imaginary modes at the q-points that are commensurate with the "
            "supercell, where frequencies need no interpolation; softest first. "
            "Degenerate modes share a row."
        ),
        columns=("Contestant", "Frequency (THz)", "Modes", "q, one of them"),
        rows=tuple(rows),
        is_text=(True, False, False, True),
    )


def _soft_rows(one: Spectrum) -> list[tuple[str, ...]]:
    groups: list[list[SoftMode]] = []
    for mode in sorted(one.soft_modes, key=lambda mode: mode.frequency):
        if groups and mode.frequency - groups[-1][0].frequency < _DEGENERATE:
            groups[-1].append(mode)
        else:
            groups.append([mode])
    rows = [
        (
            one.title,
            number_text(group[0].frequency),
            count_text(len(group)),
            q_text(group[0].q),
        )
        for group in groups[:MAX_SOFT_MODES]
    ]
    left = sum(map(len, groups[MAX_SOFT_MODES:]))
    if left:
        rows.append((one.title, "higher", count_text(left), MISSING))
    return rows
