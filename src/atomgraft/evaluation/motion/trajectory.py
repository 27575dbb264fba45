"""A trajectory of another program as the reference: its frames, checked and sorted."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms, units
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.core.reading import format_suffix, plain_name
from atomgraft.dynamics.trajectories import FORMATS, read_trajectory, unwrapped
from atomgraft.evaluation.motion.setup import Plan, half_height, kinds_of
from atomgraft.evaluation.motion.spec import MotionOptions
from atomgraft.evaluation.motion.trials import Trial
from atomgraft.evaluation.systems import SAME_VOLUME
from atomgraft.metrics.spectra import THZ, frequencies, mean_power_spectrum

SAME_TEMPERATURE = 0.01
"""Relative difference up to which a frame is of a temperature."""

FEWEST_FRAMES = 4
"""Of a block: fewer have no distribution."""

SAME_INTERVAL = 1e-3
"""Relative difference up to which frames are at equal times."""

OPTIONS_OF_FRAMES = ("reference_temperature", "reference_interval", "types")
"""What a trajectory does not say itself."""

TYPES = "--set motion.types=Si --set motion.types=O ..."
"""How types get their elements, for messages."""

TEMPERATURE, TIME = "temperature", "time"
"""Keys of frames, K and fs."""


def is_trajectory(reference: str) -> bool:
    """Tell whether a reference is a trajectory, by its name.

    Examples
    --------
    >>> is_trajectory("aimd.extxyz"), is_trajectory("XDATCAR"), is_trajectory("7net-0")
    (True, True, False)
    """
    path = Path(reference)
    return format_suffix(path) in FORMATS or "xdatcar" in plain_name(path).lower()


def refuse_options_of_frames(options: MotionOptions) -> None:
    """Check that nothing describes frames where the reference is no trajectory.

    Raises
    ------
    BadInputError
        Something does.
    """
    given = [f"motion.{key}" for key in OPTIONS_OF_FRAMES if getattr(options, key)]
    if given:
        raise BadInputError(
            f"{' and '.join(given)} is given, and the reference is "
            f"{options.reference or 'the base'}, which is no trajectory by its name.",
            "It describes the frames of a trajectory.",
            "Leave it out, or give a trajectory: --set motion.reference=aimd.extxyz",
        )


def conversion_of(reference: str) -> str:
    """Return how a file becomes a trajectory that is read.

    Examples
    --------
    >>> conversion_of("OUTCAR").endswith("ase convert OUTCAR OUTCAR.extxyz")
    True
    """
    quoted = shlex.quote(reference)
    return (
        f"A trajectory ends in {', '.join(FORMATS)} or is an XDATCAR; convert others: "
        f"ase convert {quoted} {quoted}.extxyz"
    )


def read_reference(options: MotionOptions, plan: Plan) -> list[Trial]:
    """Return a trajectory as a model would have run it, for each condition.

    Blocks of consecutive frames, as many as models have replicas, stand for runs.

    Parameters
    ----------
    options
        With the file and what it does not say itself.
    plan
        What contestants do.

    Raises
    ------
    BadInputError
        The file cannot be read, is of another material or density, or has too few
        frames of a temperature.
    """
    elements = options.types or None
    frames = read_trajectory(options.reference, elements=elements, spelling=TYPES)
    _refuse_others(frames, plan, options.reference)
    temperatures = _temperatures(frames, options)
    trials: list[Trial] = []
    for one in plan.conditions:
        kept = _places_at(temperatures, one.temperature, plan, options.reference)
        own = [frames[k] for k in kept]
        trials.append(_trial(own, kept, options, plan))
    return trials


def _refuse_others(frames: Sequence[Atoms], plan: Plan, place: str) -> None:
    crystal, first = plan.system.atoms, frames[0]
    formulas = [
        one.symbols.formula.reduce()[0].format("hill") for one in (first, crystal)
    ]
    if formulas[0] != formulas[1] or not first.pbc.all():
        raise BadInputError(
            f"{place} is of {formulas[0]}, periodic in {first.pbc.sum()} directions; "
            f"the suite moves {formulas[1]}.",
            "The reference must be of the same periodic material.",
            "Give the trajectory of this material, or its crystal: --set "
            "motion.structure=FILE",
        )
    mean = float(np.mean([one.cell.volume for one in frames]))
    volumes = mean / len(first), crystal.cell.volume / len(crystal)
    if abs(volumes[0] / volumes[1] - 1) > SAME_VOLUME:
        raise BadInputError(
            f"{place} has {volumes[0]:.4g} Å³/atom; the crystal that is moved has "
            f"{volumes[1]:.4g}.",
            f"Densities may differ by {100 * SAME_VOLUME:g} %.",
            "Give a crystal with the density of the trajectory: --set "
            "motion.structure=FILE",
        )
    thinnest = min(half_height(one) for one in frames)
    if plan.reach > thinnest + 0.05:
        raise BadInputError(
            f"The cells of {place} hold spheres of {thinnest:.3g} Å, and g(r) is "
            f"measured up to {plan.reach:.3g} Å.",
            "Farther away, an atom would be paired with its own periodic images.",
            f"Shorten it: --set motion.r_max={int(thinnest * 10) / 10:g}",
        )


def _temperatures(frames: Sequence[Atoms], options: MotionOptions) -> list[float]:
    """Return the temperature of each frame, K."""
    if options.reference_temperature is not None:
        return [options.reference_temperature] * len(frames)
    found = [one.info.get(TEMPERATURE) for one in frames]
    try:
        known = [float(one) for one in found if one is not None]
    except (TypeError, ValueError):
        known = []
    if len(known) < len(frames):
        raise BadInputError(
            f"{len(frames) - len(known)} of {len(frames)} frames of "
            f"{options.reference} do not say their temperature.",
            f"Each frame needs a number {TEMPERATURE}=KELVIN, or all are of one.",
            "Give it: --set motion.reference_temperature=300",
        )
    return known


def _places_at(
    temperatures: Sequence[float], asked: float, plan: Plan, place: str
) -> list[int]:
    """Return which frames are of a temperature."""
    found = [
        k
        for k, T in enumerate(temperatures)
        if abs(T - asked) <= SAME_TEMPERATURE * asked
    ]
    least = FEWEST_FRAMES * plan.n_replicas
    if len(found) < least:
        there = ", ".join(f"{T:g}" for T in sorted(set(temperatures))[:8])
        raise BadInputError(
            f"{place} has {len(found)} frames at {asked:g} K; its frames are at "
            f"{there} K.",
            f"At least {least} frames are needed at each temperature: "
            f"{plan.n_replicas} blocks of {FEWEST_FRAMES}.",
            "Ask for a temperature of the trajectory, --set motion.temperatures=T, or "
            "give a longer one.",
        )
    return found


def _trial(
    frames: Sequence[Atoms], kept: Sequence[int], options: MotionOptions, plan: Plan
) -> Trial:
    """Return blocks of the frames of one temperature; `kept`: places in the file."""
    size = len(frames) // plan.n_replicas
    has_gaps = bool((_steps(kept, size, plan) != 1).any())
    interval = None if has_gaps else _interval(frames, size, options, plan)
    starts = [size * i for i in range(plan.n_replicas)]
    paths = unwrapped(frames)
    moved = [one.copy() for one in frames]
    for one, positions in zip(moved, paths, strict=True):
        one.positions = positions
    return Trial(
        seeds=tuple(range(plan.n_replicas)),
        frames=tuple(tuple(moved[start : start + size]) for start in starts),
        interval=interval,
        spectra=_spectra(frames, size, interval, plan),
        temperatures=np.zeros(0),
        intact=np.zeros(0),
        has_gaps=has_gaps,
        highest=np.inf if interval is None else THZ / (2 * interval),
    )


def _steps(
    values: Sequence[float | int], size: int, plan: Plan
) -> Float[np.ndarray, "blocks steps"]:
    """Return differences of what follows each other within a block."""
    whole = np.array(values[: size * plan.n_replicas], dtype=float)
    return np.diff(whole.reshape(plan.n_replicas, size), axis=1)


def _interval(
    frames: Sequence[Atoms], size: int, options: MotionOptions, plan: Plan
) -> float | None:
    """Return the time between frames, fs; none where it is not known or not equal."""
    given = options.reference_interval
    times = [one.info.get(TIME) for one in frames]
    known = [float(one) for one in times if isinstance(one, int | float | np.number)]
    if len(known) < len(times):
        return given
    steps = _steps(known, size, plan)
    typical = float(np.median(steps)) if given is None else given
    is_even = bool((np.abs(steps - typical) <= SAME_INTERVAL * abs(typical)).all())
    if given is not None and not is_even:
        raise BadInputError(
            f"motion.reference_interval is {given:g} fs; frames of {options.reference} "
            f"say {TIME}, and are {steps.min():g} to {steps.max():g} fs apart.",
            "The interval must be that of the frames.",
            f"Leave motion.reference_interval out, or {TIME} out of the frames.",
        )
    return typical if is_even and typical > 0 else None


def _spectra(
    frames: Sequence[Atoms], size: int, interval: float | None, plan: Plan
) -> np.ndarray | None:
    """Return spectra on the plan's frequencies; none where they cannot be told."""
    if interval is None or not all("momenta" in one.arrays for one in frames):
        return None
    n_window = 2 * round(plan.n_window * plan.interval / interval / 2)
    if n_window < 4 or size < n_window:
        return None
    velocities = np.array([one.get_velocities() * units.fs for one in frames])
    masses, kinds = frames[0].get_masses(), kinds_of(frames[0])
    own, wanted = frequencies(n_window, interval), plan.frequencies
    found: list[np.ndarray] = []
    for start in range(0, size * plan.n_replicas, size):
        block = velocities[start : start + size]
        rows = mean_power_spectrum(block, masses, kinds, n_window)
        found.append(np.array([np.interp(wanted, own, row, right=0.0) for row in rows]))
    return np.array(found)
