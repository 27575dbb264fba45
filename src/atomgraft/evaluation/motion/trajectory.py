"""A trajectory of another program as the reference: its frames, checked and sorted."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms, units
from jaxtyping import Bool, Float
from matscipy.neighbours import neighbour_list

from atomgraft.core.errors import BadInputError
from atomgraft.core.reading import format_suffix, plain_name
from atomgraft.data.geometry import check_apart
from atomgraft.data.structure_files import constraints_in
from atomgraft.dynamics.trajectories import FORMATS, read_trajectory, unwrapped
from atomgraft.evaluation.motion.setup import Plan, half_height, kinds_of
from atomgraft.evaluation.motion.spec import MotionOptions
from atomgraft.evaluation.motion.trials import Trial
from atomgraft.evaluation.systems import SAME_VOLUME, intact_share
from atomgraft.metrics.spectra import THZ, frequencies, mean_power_spectrum

SAME_TEMPERATURE = 0.01
"""Relative difference up to which a frame is of a temperature."""

FEWEST_FRAMES = 4
"""Of a block: fewer have no distribution."""

SAME_INTERVAL = 1e-3
"""Relative difference up to which frames are at equal times."""

FARTHEST_MOVE = 0.2
"""Root mean square over all atoms and directions, of a cell vector: where atoms change
places between two frames it is 0.29, that of random numbers between -1/2 and 1/2."""

AT_SITES = 0.25
"""Of the neighbour distance: root mean square distance up to which atoms of a frame are
at the sites of the crystal, in its order. Crystals melt near 0.1 (Lindemann)."""

OPTIONS_OF_FRAMES = ("reference_temperature", "reference_interval", "types")
"""What a trajectory does not say itself."""

TYPES = "--set motion.types=Si --set motion.types=O ..."
"""How types get their elements, for messages."""

RIGID = frozenset({"FixBondLengths", "FixInternals", "FixLinearTriatomic"})
"""Constraints of ASE within molecules, which may move as a whole."""

TEMPERATURE, TIME = "temperature", "time"
"""Keys of frames, K and fs."""


def _number(value: object) -> float | None:
    """Return a number that a frame says; none for what is none, and for yes and no."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return None
    return float(value)


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


def refuse_selection(reference: str) -> None:
    """Check that a reference names no part of a trajectory, and no folder.

    Raises
    ------
    BadInputError
        It does: all frames of a temperature are taken.
    """
    name, at, _ = reference.rpartition("@")
    if at and not Path(reference).exists() and is_trajectory(name):
        raise BadInputError(
            f"motion.reference={reference} selects frames of a trajectory.",
            "All frames at a temperature are taken; a reference takes no selection.",
            f"Write the frames to a file: ase convert {shlex.quote(reference)} "
            "part.extxyz",
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
    for i, one in enumerate(frames):
        check_apart(one, f"Frame {i} of {place}")
    _refuse_fixed(frames, place)
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


def _refuse_fixed(frames: Sequence[Atoms], place: str) -> None:
    """Check that all atoms moved; many formats do not say which ones were fixed."""
    positions = np.array([one.positions for one in frames])
    is_still = (np.ptp(positions, axis=0) == 0).all(axis=1)
    kinds = sorted({kind for one in frames for kind in constraints_in(one)} - RIGID)
    said = f"ASE: {', '.join(kinds)}" if kinds else f"{is_still.sum()} never move"
    if kinds or (is_still.any() and not is_still.all()):
        raise BadInputError(
            f"{place} holds atoms fixed ({said}).",
            "Under the models all atoms move, and so they must in the reference.",
            "Give a trajectory in which all atoms moved.",
        )


def _temperatures(frames: Sequence[Atoms], options: MotionOptions) -> list[float]:
    """Return the temperature of each frame, K."""
    if options.reference_temperature is not None:
        return [options.reference_temperature] * len(frames)
    found = [_number(one.info.get(TEMPERATURE)) for one in frames]
    known = [one for one in found if one is not None and 0 < one < np.inf]
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
    paths = unwrapped(frames)
    is_far = _far_moves(frames, paths)
    has_gaps = bool((_steps(kept, size, plan) != 1).any())
    has_gaps = has_gaps or _has_jumps(is_far, size, plan)
    interval = None if has_gaps else _interval(frames, size, options, plan)
    starts = [size * i for i in range(plan.n_replicas)]
    moved = [one.copy() for one in frames]
    for one, positions in zip(moved, paths, strict=True):
        one.positions = positions
    return Trial(
        seeds=tuple(range(plan.n_replicas)),
        frames=tuple(tuple(moved[start : start + size]) for start in starts),
        interval=interval,
        spectra=_spectra(frames, size, interval, plan),
        temperatures=_kinetic_temperatures(frames, size, plan),
        intact=_intact(frames, paths, size, plan),
        still_near=None if is_far.any() else _still_near(frames, size, plan),
        has_gaps=has_gaps,
        is_read=True,
        highest=np.inf if interval is None else THZ / (2 * interval),
    )


def _far_moves(
    frames: Sequence[Atoms], paths: Float[np.ndarray, "frames atoms 3"]
) -> Bool[np.ndarray, " moves"]:
    """Tell whether atoms change places between each two frames.

    So do frames whose atoms are in another order each, and those of a liquid that are
    too far apart in time: paths cannot be followed.
    """
    cells = np.array([one.cell.array for one in frames])
    moves = np.diff(paths, axis=0) @ np.linalg.inv(cells[1:])
    return np.sqrt((moves**2).mean(axis=(1, 2))) > FARTHEST_MOVE


def _has_jumps(is_far: Bool[np.ndarray, " moves"], size: int, plan: Plan) -> bool:
    """Tell whether atoms change places between two frames of a block."""
    within = is_far.copy()
    within[np.arange(size - 1, len(within), size)] = False  # to the next block
    return bool(within[: size * plan.n_replicas - 1].any())


def _still_near(frames: Sequence[Atoms], size: int, plan: Plan) -> float | None:
    """Return the share of the first neighbours that are neighbours in the last block.

    It tells of any structure whether it flows, and needs neither the sites of the
    crystal nor its order of atoms.
    """
    reach = plan.system.intact
    first = frames[0].copy()
    first.wrap()
    one, other = neighbour_list("ij", first, reach)
    if len(one) == 0 or reach > min(half_height(each) for each in frames):
        return None
    shares: list[float] = []
    for each in frames[size * (plan.n_replicas - 1) : size * plan.n_replicas]:
        fractions = each.get_scaled_positions(wrap=False)
        apart = fractions[other] - fractions[one]
        vectors = (apart - np.round(apart)) @ each.cell.array
        shares.append(float((np.linalg.norm(vectors, axis=1) < reach).mean()))
    return float(np.mean(shares))


def _have_velocities(frames: Sequence[Atoms]) -> bool:
    """Tell whether frames have momenta; all zero are those of a program without."""
    return all("momenta" in one.arrays for one in frames) and any(
        one.arrays["momenta"].any() for one in frames
    )


def _kinetic_temperatures(
    frames: Sequence[Atoms], size: int, plan: Plan
) -> Float[np.ndarray, " known"]:
    """Return 2 E / (3 (N - 1) k) of each block, K; E: relative to the centre of mass.

    Programs differ in whether the centre of mass moves; this does not depend on it.
    """
    if not _have_velocities(frames) or len(frames[0]) < 2:
        return np.zeros(0)
    velocities = np.array([one.get_velocities() for one in frames])
    masses = frames[0].get_masses()
    relative = (
        velocities - np.einsum("tax,a->tx", velocities, masses / masses.sum())[:, None]
    )
    energies = 0.5 * np.einsum("tax,a->t", relative**2, masses)
    heat = energies / (1.5 * (len(masses) - 1) * units.kB)
    return heat[: size * plan.n_replicas].reshape(plan.n_replicas, size).mean(axis=1)


def _intact(
    frames: Sequence[Atoms],
    paths: Float[np.ndarray, "frames atoms 3"],
    size: int,
    plan: Plan,
) -> Float[np.ndarray, " watched"]:
    """Return the share of the crystal's bonds that are intact, of each block.

    Its atoms are those of the crystal where the first frame has them at its sites, in
    its order and in its cell; otherwise nothing is known.
    """
    crystal, first = plan.system.atoms, frames[0]
    if not np.array_equal(first.numbers, crystal.numbers):
        return np.zeros(0)
    if not np.allclose(first.cell.cellpar(), crystal.cell.cellpar(), rtol=SAME_VOLUME):
        return np.zeros(0)
    apart = first.get_scaled_positions(wrap=False) - crystal.get_scaled_positions()
    apart -= apart[0]  # no further than half a cell from one atom's own site
    apart -= np.round(apart)
    apart = (apart - apart.mean(axis=0)) @ crystal.cell.array
    farthest = AT_SITES * plan.system.neighbour
    if np.sqrt((apart**2).sum(axis=1).mean()) > farthest:
        return np.zeros(0)
    cells = np.array([one.cell.array for one in frames])
    fractions = paths @ np.linalg.inv(cells)
    moved = (fractions - fractions[0]) @ crystal.cell.array
    shares = [
        intact_share(plan.system, crystal.positions + apart + one) for one in moved
    ]
    whole = np.array(shares[: size * plan.n_replicas])
    return whole.reshape(plan.n_replicas, size).mean(axis=1)


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
    times = [_number(one.info.get(TIME)) for one in frames]
    known = [one for one in times if one is not None]
    if len(known) < len(times):
        return given
    steps = _steps(known, size, plan)
    if not np.isfinite(known).all() or steps.min() <= 0:
        raise BadInputError(
            f"{TIME} of frames of {options.reference} does not rise, or is no number.",
            "The frames of one run are in the order of their times, in fs.",
            f"Give the frames of one run in order, or leave {TIME} out of them.",
        )
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
    if interval is None or not _have_velocities(frames):
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
