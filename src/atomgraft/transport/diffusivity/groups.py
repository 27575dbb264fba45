"""All runs at one temperature: diffusivities of the ions, and their conductivity."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.label.labelling.framework import displacements
from atomgraft.transport.diffusivity.conduction import (
    charge_of,
    collective_path,
    conductivity,
)
from atomgraft.transport.diffusivity.judge import (
    CERTAINTY,
    Estimate,
    judged,
    scatter_p,
    tensor_of,
)
from atomgraft.transport.diffusivity.motion import Motion
from atomgraft.transport.diffusivity.record import (
    PROBABILITIES,
    Bound,
    ConductionRecord,
    Curve,
    FrameworkMotion,
    Interval,
    IonRecord,
    Matrix,
    TemperatureRecord,
)
from atomgraft.transport.diffusivity.regression import Line, Regression
from atomgraft.transport.diffusivity.spec import DiffusivitySpec
from atomgraft.transport.diffusivity.windows import (
    Displacements,
    displacements_of,
)

SCATTER_P = 0.01
"""Runs that scatter more are told of, and widen the interval."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Framework:
    """Whether the immobile species of one run stay where they are.

    Parameters
    ----------
    parts
        One for each element.
    """

    parts: tuple[FrameworkMotion, ...]

    @property
    def is_molten(self) -> bool:
        """Whether any of them diffuses."""
        return any(one.diffuses for one in self.parts)


def framework_of(motion: Motion, spec: DiffusivitySpec) -> Framework:
    """Return how the framework of a run moved.

    Parameters
    ----------
    motion
        Of one run.
    spec
        Which elements are mobile, and when the others are molten.
    """
    parts: list[FrameworkMotion] = []
    atoms = Atoms([*motion.symbols])
    shifts = displacements(atoms, motion.positions, spec.mobile).by_element
    own = spec.model_copy(update={"start": None, "estimator": "overlapping"})
    for element in sorted(set(motion.symbols) - set(spec.mobile)):
        data = displacements_of([motion.of(element)], motion.step)
        found = judged(Regression(data), own, "framework", smallest_msd=spec.melt_limit)
        parts.append(
            FrameworkMotion(
                element=element,
                msd=float(data.mean[-1]),
                diffuses=found.is_diffusive,
                shift=shifts[element],
            )
        )
    return Framework(parts=tuple(parts))


def interval_of(samples: Float[np.ndarray, " samples"]) -> Interval:
    """Return median and central intervals of samples."""
    levels = (0.5, 0.1587, 0.8413, 0.025, 0.975)
    median, low68, high68, low95, high95 = map(float, np.quantile(samples, levels))
    return Interval(
        median=median, low68=low68, high68=high68, low95=low95, high95=high95
    )


def bound_of(found: Estimate) -> Bound:
    """Return an estimate as it is kept."""
    if found.samples is None:
        return Bound(value=None, limit=found.limit, reason=found.reason)
    return Bound(value=interval_of(found.samples), limit=None)


def samples_of(ion: IonRecord, uniform: Float[np.ndarray, " samples"]) -> np.ndarray:
    """Return samples of the posterior of an ion from its quantiles, cm²/s.

    Parameters
    ----------
    ion
        With a number.
    uniform
        Between zero and one.
    """
    return np.exp(np.interp(uniform, PROBABILITIES, np.log(ion.quantiles)))


def single_run(motion: Motion, spec: DiffusivitySpec) -> dict[str, Bound]:
    """Return the diffusivity of each mobile element in one run.

    Parameters
    ----------
    motion
        Of the run.
    spec
        What is asked.
    """
    return {
        element: bound_of(_pooled([motion], spec, element, motion.file))
        for element in spec.mobile
    }


def _pooled(
    motions: Sequence[Motion], spec: DiffusivitySpec, element: str, *purpose: str | int
) -> Estimate:
    data = displacements_of([one.of(element) for one in motions], motions[0].step)
    return judged(Regression(data), spec, element, *purpose)


def temperature_of(
    motions: Sequence[Motion], spec: DiffusivitySpec
) -> TemperatureRecord:
    """Return what all runs at one temperature say together.

    Parameters
    ----------
    motions
        Of runs of one system.
    spec
        What is asked.

    Raises
    ------
    BadInputError
        The runs have different intervals between frames.
    """
    _check_steps(motions)
    first = motions[0]
    found = [_ion(motions, spec, element) for element in spec.mobile]
    volume = float(np.mean([one.volume for one in motions]))
    return TemperatureRecord(
        temperature=first.temperature,
        n_runs=len(motions),
        length=float(sum(one.length for one in motions)),
        volume=volume,
        thickness=min(_thickness(one.cell) for one in motions),
        ions=tuple(ion for ion, _ in found),
        conduction=_conduction(motions, spec, found, volume),
    )


def _check_steps(motions: Sequence[Motion]) -> None:
    for one in motions[1:]:
        if abs(one.step / motions[0].step - 1) > 1e-3:
            raise BadInputError(
                f"{motions[0].file} has frames every {1000 * motions[0].step:g} fs, "
                f"{one.file} every {1000 * one.step:g} fs.",
                "Runs at one temperature are averaged window by window, so that their "
                "frames must be equally far apart.",
                "Write both at one interval, or analyse them separately.",
            )


def _thickness(cell: Float[np.ndarray, "3 3"]) -> float:
    """Return the smallest distance between opposite faces, Å."""
    return float(1 / np.linalg.norm(np.linalg.inv(cell), axis=0).max())


def _ion(
    motions: Sequence[Motion], spec: DiffusivitySpec, element: str
) -> tuple[IonRecord, Estimate]:
    temperature = f"{motions[0].temperature:g}"
    runs = [one.of(element) for one in motions]
    data = displacements_of(runs, motions[0].step)
    together = judged(Regression(data), spec, element, temperature)
    runs_alone = [_pooled([one], spec, element, one.file) for one in motions]
    p_scatter = scatter_p(runs_alone)
    found = _widened(together, runs_alone, p_scatter)
    line, samples = found.line, found.samples
    quantiles = [] if samples is None else np.quantile(samples, PROBABILITIES).tolist()
    record = IonRecord(
        element=element,
        n_ions=runs[0].shape[1],
        charge=charge_of(element, spec.charge),
        diffusivity=bound_of(found),
        axes=_axes(motions, spec, element, 0 if line is None else line.first),
        tensor=None if line is None or samples is None else _matrix(data, line),
        exponent=found.exponent,
        exponent_error=found.exponent_error,
        start=None if line is None else float(data.times[line.first]),
        end=float(data.times[-1]),
        curve=_curve(data, line),
        quantiles=tuple(quantiles),
        scatter_p=p_scatter,
        notes=found.notes,
    )
    return record, found


def _axes(
    motions: Sequence[Motion], spec: DiffusivitySpec, element: str, earliest: int
) -> tuple[Bound, Bound, Bound]:
    """Return the diffusivity along x, y and z."""
    runs = [one.of(element) for one in motions]
    temperature = f"{motions[0].temperature:g}"

    def along(axis: int) -> Bound:
        found = judged(
            Regression(displacements_of(runs, motions[0].step, axis=axis)),
            spec,
            *(element, temperature, "xyz"[axis]),
            n_axes=1,
            earliest=earliest,
            smallest_msd=spec.smallest_msd / 3,
        )
        return bound_of(found)

    return along(0), along(1), along(2)


def _matrix(data: Displacements, line: Line) -> Matrix:
    x, y, z = (tuple(row) for row in tensor_of(data, line).tolist())
    return x, y, z


def _curve(data: Displacements, line: Line | None) -> Curve:
    times, msd = tuple(data.times.tolist()), tuple(data.mean.tolist())
    if line is None:
        return Curve(times=times, msd=msd, errors=())
    return Curve(
        times=times,
        msd=msd,
        errors=tuple(np.sqrt(np.diag(line.covariance)).tolist()),
        slope=line.slope,
        intercept=line.intercept,
    )


def _widened(
    found: Estimate, runs: Sequence[Estimate], p_scatter: float | None
) -> Estimate:
    """Return an estimate whose interval covers the scatter between runs."""
    if found.samples is None or p_scatter is None or p_scatter > SCATTER_P:
        return found
    logs = np.log([one.line.slope for one in runs if one.is_diffusive and one.line])
    scatter = float(logs.std(ddof=1) / np.sqrt(len(logs)))
    own = np.log(found.samples)
    factor = max(1.0, scatter / float(own.std()))
    middle = np.median(own)
    note = (
        f"Runs differ by more than chance (p = {p_scatter:.1g}); the interval is "
        "widened to the scatter between runs."
    )
    return dataclasses.replace(
        found,
        samples=np.exp(middle + factor * (own - middle)),
        notes=(*found.notes, note),
    )


def _conduction(
    motions: Sequence[Motion],
    spec: DiffusivitySpec,
    found: Sequence[tuple[IonRecord, Estimate]],
    volume: float,
) -> ConductionRecord:
    temperature = motions[0].temperature
    squares = sum(ion.n_ions * ion.charge**2 for ion, _ in found)
    factor = conductivity(1.0, squares, volume, temperature)
    shares = [ion.n_ions * ion.charge**2 / squares for ion, _ in found]
    tracer = _weighted([one for _, one in found], shares)
    starts = [ion.start for ion, _ in found if ion.start is not None]
    charge = _collective(motions, spec, max(starts, default=0.0))
    haven = Bound(value=None, limit=None, reason=tracer.reason or charge.reason)
    if tracer.samples is not None and charge.samples is not None:
        ratio = interval_of(tracer.samples / charge.samples)
        haven = Bound(value=ratio, limit=None)
    return ConductionRecord(
        nernst_einstein=_scaled(tracer, factor),
        diffusivity=bound_of(charge),
        collective=_scaled(charge, factor),
        haven=haven,
    )


def _weighted(found: Sequence[Estimate], shares: Sequence[float]) -> Estimate:
    """Return the mean diffusivity of ions, weighted by their squared charges."""
    if len(found) == 1:
        return found[0]
    parts = [
        w * one.samples
        for one, w in zip(found, shares, strict=True)
        if one.samples is not None
    ]
    is_known = len(parts) == len(found)
    limits = [w * _upper(one) for one, w in zip(found, shares, strict=True)]
    return dataclasses.replace(
        found[0],
        samples=np.sum(parts, axis=0) if is_known else None,
        limit=None if is_known else float(sum(limits)),
        reason="; ".join(one.reason for one in found if one.reason),
    )


def _upper(one: Estimate) -> float:
    """Return what a diffusivity is below with 95 %, cm²/s."""
    if one.samples is None:
        return one.limit or 0.0
    return float(np.quantile(one.samples, CERTAINTY))


def _scaled(found: Estimate, factor: float) -> Bound:
    if found.samples is None:
        limit = None if found.limit is None else factor * found.limit
        return Bound(value=None, limit=limit, reason=found.reason)
    return Bound(value=interval_of(factor * found.samples), limit=None)


def _collective(
    motions: Sequence[Motion], spec: DiffusivitySpec, start: float
) -> Estimate:
    """Return the diffusivity of the charge of all mobile ions together."""
    charges = {one: charge_of(one, spec.charge) for one in spec.mobile}
    paths = []
    for motion in motions:
        mobile = np.flatnonzero(np.isin(motion.symbols, spec.mobile))
        each = np.array([charges[motion.symbols[i]] for i in mobile])
        paths.append(collective_path(motion.positions[:, mobile], each))
    data = displacements_of(paths, motions[0].step)
    earliest = int(np.searchsorted(data.times, start - 1e-9))
    temperature = f"{motions[0].temperature:g}"
    found = judged(Regression(data), spec, "collective", temperature, earliest=earliest)
    if not found.reason:
        return found
    reason = f"too short for the collective motion: {found.reason}"
    return dataclasses.replace(found, reason=reason)
