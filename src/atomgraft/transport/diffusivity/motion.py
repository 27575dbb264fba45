"""One trajectory as displacements against its framework, checked and unwrapped."""

import dataclasses
from pathlib import Path

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from atomgraft.core.errors import BadInputError
from atomgraft.dynamics.trajectories import (
    check_same_system,
    read_trajectory,
    unwrapped,
)
from atomgraft.transport.diffusivity.spec import DiffusivitySpec

FEWEST_FRAMES = 50
"""Below this, no window has enough independent samples for an interval."""

LONGEST_MOVE = 0.45
"""Of a cell vector between two frames; near one half the way back looks as short."""

TYPICAL_MOVE = 0.12
"""Of a cell vector, root mean square of one atom between two frames; Gaussian moves of
this width are longer than half the cell once in 30,000 times, hops more often."""

LARGEST_VOLUME_CHANGE = 0.1
"""Of the mean; what changes more is not one phase at one temperature."""

FS_PER_PS = 1000.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Motion:
    """What one run says of the motion of its atoms.

    Parameters
    ----------
    file
        As it was given.
    symbols
        Element of each atom.
    positions
        Å; unwrapped, relative to the centre of mass of the framework.
    drift
        Å; way of that centre of mass from the first to the last frame.
    step
        ps between frames.
    temperature
        K
    cell
        Å; mean cell, vectors as rows.
    volume_change
        Largest deviation of the volume from its mean, as a share.
    has_framework
        Whether there are immobile species; else the reference is the centre of mass of
        all atoms.
    notes
        What must be known of the file.
    """

    file: str
    symbols: tuple[str, ...]
    positions: Float[np.ndarray, "frames atoms 3"]
    drift: float
    step: float
    temperature: float
    cell: Float[np.ndarray, "3 3"]
    volume_change: float
    has_framework: bool
    notes: tuple[str, ...] = ()

    @property
    def n_frames(self) -> int:
        """Frames that are used."""
        return len(self.positions)

    @property
    def length(self) -> float:
        """From the first frame to the last, ps."""
        return (self.n_frames - 1) * self.step

    @property
    def volume(self) -> float:
        """Volume of the mean cell, Å³."""
        return float(abs(np.linalg.det(self.cell)))

    def of(self, element: str) -> Float[np.ndarray, "frames ions 3"]:
        """Return the positions of one element, Å."""
        return self.positions[:, self.places(element)]

    def places(self, element: str) -> Int[np.ndarray, " ions"]:
        """Return which atoms are of an element."""
        return np.flatnonzero(np.array(self.symbols) == element)


def read_motion(spec: DiffusivitySpec, i: int) -> Motion:
    """Read one trajectory of a spec.

    Parameters
    ----------
    spec
        What is asked.
    i
        Which trajectory.

    Raises
    ------
    BadInputError
        It cannot be read or analysed as it is.
    """
    path = Path(spec.files[i])
    frames = read_trajectory(path, elements=spec.elements or None)
    _check_count(frames, str(path))
    step, notes = _step(frames, spec.step_of(i), path)
    first = int(np.ceil(spec.skip / step - 1e-9))
    found = motion_of(
        frames[first:],
        spec,
        step=step,
        temperature=spec.temperature_of(i),
        place=str(path),
    )
    return dataclasses.replace(found, notes=notes)


def motion_of(
    frames: list[Atoms],
    spec: DiffusivitySpec,
    *,
    step: float,
    temperature: float,
    place: str,
) -> Motion:
    """Return the motion in frames of one run.

    Parameters
    ----------
    frames
        Equally spaced in time.
    spec
        Which atoms are mobile.
    step
        ps between frames.
    temperature
        K
    place
        Name of the trajectory, for messages.

    Raises
    ------
    BadInputError
        Frames are too few, too far apart, without a cell or without a mobile ion.
    """
    _check_frames(frames, spec, place)
    cells = np.array([one.cell.array for one in frames])
    mean_cell = cells.mean(axis=0)
    volumes = np.abs(np.linalg.det(cells))
    change = float(np.abs(volumes / volumes.mean() - 1).max())
    if change > LARGEST_VOLUME_CHANGE:
        raise BadInputError(
            f"The volume of {place} changes by {100 * change:.0f} %.",
            "Expected one phase at one temperature: a constant cell, or one that "
            f"fluctuates by less than {100 * LARGEST_VOLUME_CHANGE:.0f} %.",
            "Leave out the part in which the cell changes (--skip PS), or split the "
            "trajectory.",
        )
    fractions = _fractions(frames, cells, spec, place)
    positions = fractions @ mean_cell
    mobile = np.isin(frames[0].get_chemical_symbols(), spec.mobile)
    has_framework = not mobile.all()
    held = ~mobile if has_framework else np.ones_like(mobile)
    masses = frames[0].get_masses() * held
    centre = np.einsum("tax,a->tx", positions, masses / masses.sum())
    centre -= centre[0]
    return Motion(
        file=place,
        symbols=tuple(frames[0].get_chemical_symbols()),
        positions=positions - centre[:, None],
        drift=float(np.linalg.norm(centre[-1])),
        step=step,
        temperature=temperature,
        cell=mean_cell,
        volume_change=change,
        has_framework=has_framework,
    )


def _check_count(frames: list[Atoms], place: str, skip: float = 0.0) -> None:
    if len(frames) < FEWEST_FRAMES:
        left = f" after --skip {skip:g}" if skip else ""
        raise BadInputError(
            f"{place} has {len(frames)} frame{'s' * (len(frames) != 1)}{left}.",
            f"A diffusivity with an interval needs at least {FEWEST_FRAMES} frames.",
            "Write frames more often, run longer, or skip less.",
        )


def _check_frames(frames: list[Atoms], spec: DiffusivitySpec, place: str) -> None:
    _check_count(frames, place, spec.skip)
    present = set(frames[0].get_chemical_symbols())
    if absent := [one for one in spec.mobile if one not in present]:
        raise BadInputError(
            f"{place} has no {' and no '.join(absent)}; it is of "
            f"{', '.join(sorted(present))}.",
            "Expected the mobile ion to be there.",
            f"Name an element of it: --mobile {min(present)}",
        )
    if not frames[0].pbc.all() or frames[0].cell.rank < 3:
        raise BadInputError(
            f"{place} has no cell that is periodic in three directions.",
            "The diffusivity is that of a bulk crystal, glass or liquid.",
            "Write the trajectory with its cell, for example as extxyz with Lattice.",
        )


def _fractions(
    frames: list[Atoms],
    cells: Float[np.ndarray, "frames 3 3"],
    spec: DiffusivitySpec,
    place: str,
) -> Float[np.ndarray, "frames atoms 3"]:
    """Return unwrapped fractional coordinates; refuse frames that are too far apart."""
    if spec.unwrapped:
        check_same_system(frames, place)
        positions = np.array([one.positions for one in frames])
    else:
        positions = unwrapped(frames)
    fractions = np.einsum("tax,txy->tay", positions, np.linalg.inv(cells))
    moves = np.abs(np.diff(fractions, axis=0))
    if not spec.unwrapped:
        _check_moves(moves, place)
    return fractions


def _check_moves(moves: Float[np.ndarray, "steps atoms 3"], place: str) -> None:
    """Refuse frames between which atoms may have crossed half a cell."""
    n_far = int((moves > LONGEST_MOVE).any(axis=2).sum())
    typical = float(np.sqrt((moves**2).mean(axis=0)).max())
    if n_far:
        found = (
            f"atoms move by nearly half the cell between two frames ({n_far} times; "
            f"largest {moves.max():.2f} of a cell vector)"
        )
    elif typical > TYPICAL_MOVE:
        found = (
            f"atoms move by {typical:.2f} of a cell vector between two frames (root "
            "mean square), and by more than half of one now and then"
        )
    else:
        return
    raise BadInputError(
        f"In {place}, {found}: which way they crossed its boundary cannot be told.",
        f"Expected frames in which no atom moves by more than {LONGEST_MOVE} of a cell "
        f"vector, and each by less than {TYPICAL_MOVE} (root mean square).",
        "Write frames more often or use a larger cell; if the positions in the file "
        "are unwrapped already, add --unwrapped.",
    )


def _step(
    frames: list[Atoms], given: float | None, path: Path
) -> tuple[float, tuple[str, ...]]:
    """Return the time between frames, ps, and what must be known of it."""
    written = _written_step(frames, path)
    if given is None and written is None:
        raise BadInputError(
            f"{path} does not tell the time between its frames.",
            "Expected the time between two frames of the file: the time step of the "
            "run times the number of steps between frames.",
            "Give it in fs, for example --step 100 for frames every 50 steps of 2 fs.",
        )
    notes: tuple[str, ...] = ()
    if given is not None and written is not None and abs(given / written - 1) > 1e-3:
        notes = (
            f"--step is {given:g} fs, but the times in {path} are {written:g} apart. "
            "The value of --step is used.",
        )
    return (given or written or 0.0) / FS_PER_PS, notes


def _written_step(frames: list[Atoms], path: Path) -> float | None:
    """Return the time between frames that the frames themselves tell, fs."""
    times = [one.info.get("time") for one in frames]
    is_told = all(isinstance(one, int | float | np.number) for one in times)
    if len(times) < 2 or not is_told:
        return None
    gaps = np.diff(np.array(times, dtype=float))
    if gaps[0] <= 0 or not np.allclose(gaps, gaps[0], rtol=1e-3):
        raise BadInputError(
            f"The frames of {path} are not evenly spaced: the times between them are "
            f"{gaps.min():g} to {gaps.max():g} fs.",
            "Expected frames of one run at equal intervals.",
            "Write such a trajectory, or remove the part with another interval.",
        )
    return float(gaps[0])
