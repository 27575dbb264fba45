"""What a result says in sentences, and its table."""

import math
from collections.abc import Iterator, Sequence

from atomgraft.core.units import BOLTZMANN_EV
from atomgraft.page.blocks import Table
from atomgraft.page.wording import MISSING, counted, number_text, range_text
from atomgraft.transport.diffusivity.record import (
    Bound,
    DiffusivityResult,
    Interval,
    IonRecord,
    TemperatureRecord,
)

CAGE_MSD = 10.0
"""Å²; a smaller MSD may be motion within a cage, as of lithium in ordered Li6PS5Cl."""

THIN_CELL = 10.0
"""Å; thinner cells change diffusivities."""

FEW_IONS = 16


def interval_text(one: Interval) -> str:
    """Return a median with its 95 % interval.

    Examples
    --------
    >>> interval_text(Interval(median=2, low68=1.9, high68=2.1, low95=1.8, high95=2.2))
    '2.00 (1.80 to 2.20)'
    """
    return range_text(one.median, (one.low95, one.high95))


def bound_text(one: Bound) -> str:
    """Return a number with its interval, or a limit.

    Examples
    --------
    >>> (
    ...     bound_text(Bound(value=None, limit=2e-7)),
    ...     bound_text(Bound(value=None, limit=None)),
    ... )
    ('< 2.00 × 10⁻⁷', '–')
    """
    if one.value is not None:
        return interval_text(one.value)
    return MISSING if one.limit is None else f"< {number_text(one.limit)}"


def headline(result: DiffusivityResult) -> str:
    """Return the result in one sentence.

    Parameters
    ----------
    result
        What was measured.
    """
    if result.arrhenius:
        one = result.arrhenius[0]
        return (
            f"{one.element} diffuses with an activation energy of "
            f"{interval_text(one.energy)} eV."
        )
    ions = result.ions()
    moving = [(at, ion) for at, ion in ions if ion.diffusivity.value is not None]
    if not moving:
        names = " and ".join(dict.fromkeys(ion.element for _, ion in ions))
        return (
            f"No diffusion of {names or 'the mobile ions'} was seen; upper limits only."
        )
    at, ion = moving[0]
    return (
        f"D* of {ion.element} at {at.temperature:g} K is "
        f"{bound_text(ion.diffusivity)} cm²/s."
    )


def notices_of(result: DiffusivityResult) -> tuple[str, ...]:
    """Return what must be known of the numbers.

    Parameters
    ----------
    result
        What was measured.
    """
    return (
        *_run_notices(result),
        *(text for at, ion in result.ions() for text in _ion_notices(at, ion)),
        *_conduction_notices(result),
        *_arrhenius_notices(result),
        *_contradictions(result),
        *_size_notices(result),
    )


def _moved_notices(result: DiffusivityResult) -> Iterator[str]:
    """Yield which frameworks ended elsewhere than they began, and do not diffuse."""
    limit = result.settings.melt_limit
    for one in result.trajectories:
        moved = [part for part in one.framework if part.has_moved(limit)]
        if moved and not one.is_molten:
            told = ", ".join(f"{part.element} {part.shift:.3g} Å²" for part in moved)
            yield (
                f"The framework of {one.file} does not diffuse, and has moved by more "
                f"than {limit:g} Å² from the first to the last fifth of the trajectory "
                f"({told}): it melts late, changes its structure, or groups of atoms "
                "turn. It is analysed as a solid. Look at the last frames."
            )


def _run_notices(result: DiffusivityResult) -> list[str]:
    notices = [text for one in result.trajectories for text in one.notes]
    molten = [one for one in result.trajectories if one.is_molten]
    if molten:
        n = len(result.trajectories)
        fate = "analysed nevertheless" if molten[0].is_used else "left out"
        names = ", ".join(one.file for one in molten)
        verb = "has" if len(molten) == 1 else "have"
        notices.append(
            f"{len(molten)} of {counted(n, 'trajectory', 'trajectories')} {verb} a "
            f"molten framework and {'is' if len(molten) == 1 else 'are'} {fate}: "
            f"{names}."
        )
    notices += _moved_notices(result)
    changing = [one for one in result.trajectories if one.volume_change > 0.1]
    if changing:
        largest = max(one.volume_change for one in changing)
        notices.append(
            f"The cell fluctuates (volume by up to {largest:.1f} %): displacements "
            "are taken in fractional coordinates and the mean cell."
        )
    return notices


def _ion_notices(at: TemperatureRecord, ion: IonRecord) -> list[str]:
    place = f"{ion.element} at {at.temperature:g} K"
    found = ion.diffusivity
    if found.value is None:
        return [f"{place} is not diffusive: {found.reason}. The limit is for 95 %."]
    notices = [f"{place}: {text}" for text in ion.notes]
    if ion.curve.msd[-1] < CAGE_MSD:
        notices.append(
            f"{place}: the MSD reaches only {ion.curve.msd[-1]:.2g} Å², which motion "
            "within cages can also give. A longer run would tell."
        )
    return notices


def _conduction_notices(result: DiffusivityResult) -> list[str]:
    if not any(ion.diffusivity.value for _, ion in result.ions()):
        return []
    notices = [
        "Nernst-Einstein conductivities assume that ions move independently of each "
        "other and through the whole crystal. Motion within cages looks the same in a "
        "short run and conducts nothing."
    ]
    short = [
        one
        for one in result.temperatures
        if one.conduction.collective.value is None
        and one.conduction.nernst_einstein.value is not None
    ]
    if short:
        kelvins = ", ".join(f"{one.temperature:g}" for one in short)
        notices.append(
            f"No collective conductivity and no Haven ratio at {kelvins} K: "
            f"{short[0].conduction.collective.reason}."
        )
    return notices


def _arrhenius_notices(result: DiffusivityResult) -> list[str]:
    notices: list[str] = []
    for one in result.arrhenius:
        if len(one.temperatures) == 2:
            notices.append(
                f"The Arrhenius line of {one.element} goes through two temperatures; "
                "whether it is straight cannot be tested."
            )
        if one.widening > 1:
            notices.append(
                f"The points of {one.element} scatter about the Arrhenius line by more "
                f"than their errors (p = {one.p_line or 0:.1g}): its intervals are "
                f"{one.widening:.1f} times wider, and one line may be too simple."
            )
        if one.is_extrapolation:
            notices.append(
                f"Values at {one.extrapolated_to:g} K are extrapolated from "
                f"{min(one.temperatures):g} to {max(one.temperatures):g} K; the "
                "interval assumes that the mechanism stays the same."
            )
    return notices


def _contradictions(result: DiffusivityResult) -> list[str]:
    """Return at which temperatures a limit lies below the Arrhenius line."""
    notices: list[str] = []
    for line in result.arrhenius:
        for at, ion in result.ions():
            limit = ion.diffusivity.limit
            if ion.element != line.element or limit is None:
                continue
            exponent = line.energy.median / (BOLTZMANN_EV * at.temperature)
            there = 10**line.log10_prefactor.median * math.exp(-exponent)
            if there > limit:
                notices.append(
                    f"At {at.temperature:g} K the Arrhenius line of {line.element} "
                    f"gives {number_text(there)} cm²/s, above the upper limit of "
                    f"{number_text(limit)}: it does not hold down to there."
                )
    return notices


def _size_notices(result: DiffusivityResult) -> list[str]:
    notices: list[str] = []
    thin = [one.thickness for one in result.temperatures if one.thickness < THIN_CELL]
    if thin:
        notices.append(
            f"The cell is only {min(thin):.1f} Å thick, so that ions meet their own "
            "images. Compare with a larger cell before using the numbers."
        )
    few = [ion for _, ion in result.ions() if ion.n_ions < FEW_IONS]
    if few:
        notices.append(
            f"Only {counted(few[0].n_ions, 'ion')} of {few[0].element}: intervals "
            "assume that ions move independently; several runs would test it."
        )
    return notices


def diffusivity_table(result: DiffusivityResult) -> Table:
    """Return diffusivities and conductivities, a row for each ion and temperature.

    Parameters
    ----------
    result
        What was measured.
    """
    return Table(
        caption=(
            "Self-diffusion coefficients D* and conductivities: posterior median and "
            '95 % interval. "<" is an upper limit (95 %) where ions do not diffuse.'
        ),
        columns=(
            "Ion",
            "T, K",
            "Runs",
            "Time, ps",
            "D*, cm²/s",
            "σ (Nernst-Einstein), S/cm",
            "σ (collective), S/cm",
            "Haven ratio",
        ),
        rows=tuple(_row(at, ion) for at, ion in result.ions()),
        is_text=(True, *(False,) * 7),
    )


def axes_table(result: DiffusivityResult) -> Table:
    """Return diffusivities along the axes, a row for each.

    Parameters
    ----------
    result
        What was measured.
    """
    return Table(
        caption="Self-diffusion coefficients along x, y and z, cm²/s.",
        columns=("Ion", "T, K", "Along", "D*, cm²/s"),
        rows=tuple(
            (ion.element, f"{at.temperature:g}", axis, bound_text(one))
            for at, ion in result.ions()
            for axis, one in zip("xyz", ion.axes, strict=True)
        ),
        is_text=(True, False, True, False),
    )


def _row(at: TemperatureRecord, ion: IonRecord) -> tuple[str, ...]:
    flow = at.conduction
    is_first = ion.element == at.ions[0].element
    shared = (flow.nernst_einstein, flow.collective, flow.haven)
    return (
        ion.element,
        f"{at.temperature:g}",
        str(at.n_runs),
        number_text(at.length),
        bound_text(ion.diffusivity),
        *(bound_text(one) if is_first else "" for one in shared),
    )


def terminal_rows(result: DiffusivityResult) -> Sequence[tuple[str, ...]]:
    """Return the rows of the table in the terminal: ion, T, D*, exponent, conductivity.

    Parameters
    ----------
    result
        What was measured.
    """
    return [
        (
            ion.element,
            f"{at.temperature:g}",
            bound_text(ion.diffusivity),
            f"{ion.exponent:.2f}",
            bound_text(at.conduction.nernst_einstein)
            if ion.element == at.ions[0].element
            else "",
        )
        for at, ion in result.ions()
    ]
