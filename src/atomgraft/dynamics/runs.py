"""A run from its first step to its last: observed, recorded, and resumed."""

import abc
import dataclasses
from collections.abc import Callable, Collection, Mapping

import numpy as np

from atomgraft.core.errors import BadInputError
from atomgraft.dynamics.mover import AbstractMover
from atomgraft.dynamics.recording import DAMAGE, STATE, Recording, damaged
from atomgraft.dynamics.replicas import State


class AbstractObserver(abc.ABC):
    """Looks at a run at an interval, and may stop replicas."""

    @abc.abstractmethod
    def look(self, state: State) -> Collection[int]:
        """Return the replicas that are to stop here."""

    @abc.abstractmethod
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return what has been seen so far, for the state of a recording."""

    @abc.abstractmethod
    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back what :meth:`arrays` returned."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long a run is, and when something happens; all in steps.

    Parameters
    ----------
    n_steps
        In all.
    look_every
        Between two looks of the observer.
    frame_every
        Between two frames of a trajectory; a multiple of the former.
    save_every
        Between two states on disk; a multiple of the former.

    Raises
    ------
    BadInputError
        A number is not positive or not whole, or one interval does not fit into
        another.
    """

    n_steps: int
    look_every: int = 10
    frame_every: int = 100
    save_every: int = 500

    def __post_init__(self) -> None:
        numbers = dataclasses.asdict(self)
        are_whole = all(type(one) is int for one in numbers.values())
        if (
            not are_whole
            or min(numbers.values()) < 1
            or any(
                numbers[name] % self.look_every
                for name in ("frame_every", "save_every")
            )
        ):
            raise BadInputError(
                f"The schedule of a run is {numbers}.",
                "Positive whole numbers of steps are needed; frame_every and "
                "save_every are multiples of look_every.",
                "Correct the intervals.",
            )


def run(
    mover: AbstractMover,
    schedule: Schedule,
    *,
    observer: AbstractObserver | None = None,
    recording: Recording | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> State:
    """Run to the end, or until every replica has stopped; return the last state.

    Parameters
    ----------
    mover
        What moves, and how.
    schedule
        How long, and when something happens.
    observer
        Who looks.
    recording
        Where trajectories and states go; a run of the same engine that is there already
        goes on from its last state, to the same bits.
    progress
        Called with steps done and steps in all.

    Raises
    ------
    BadInputError
        The recording is damaged, longer than the schedule, or its folder holds files
        of others.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.dynamics.mover import BatchedMover
    >>> from atomgraft.dynamics.replicas import Replica, heated
    >>> from atomgraft.models.pair import stillinger_weber
    >>> hot = Replica(atoms=heated(bulk("Si", cubic=True), 600.0, seed=1))
    >>> mover = BatchedMover([hot], stillinger_weber(["Si"]), timestep=1.0)
    >>> run(mover, Schedule(n_steps=30)).step
    30
    """
    state = _begun(mover, observer, recording)
    if state.step > schedule.n_steps:
        raise BadInputError(
            f"The recording has {state.step} steps, the schedule {schedule.n_steps}.",
            "A run that was recorded can become longer, not shorter.",
            "Give another folder, or at least so many steps.",
        )
    saved = state.step if state.step else -1
    while state.step < schedule.n_steps and state.is_moving.any():
        pause = state.step - state.step % schedule.look_every + schedule.look_every
        before = state
        state = mover.advance(state, min(pause, schedule.n_steps) - state.step)
        if observer is not None:
            state = state.with_stopped(sorted(observer.look(state)))
        if recording is not None:
            has_stopped = before.is_moving & ~state.is_moving
            is_due = state.is_moving & (state.step % schedule.frame_every == 0)
            recording.add_frames(mover, state, np.flatnonzero(has_stopped | is_due))
            if state.step % schedule.save_every == 0:
                saved = _save(recording, state, observer)
        if progress is not None:
            progress(state.step, schedule.n_steps)
    if recording is not None and saved != state.step:
        _save(recording, state, observer)
    return state


def _begun(
    mover: AbstractMover,
    observer: AbstractObserver | None,
    recording: Recording | None,
) -> State:
    """Return the state that a recording has kept, or the first."""
    kept = None
    if recording is not None:
        recording.moved_by(mover)
        kept = recording.resumed()
    if recording is not None and kept is not None:
        return _resumed(*kept, mover, observer, recording)
    state = mover.start()
    if recording is not None:
        recording.add_frames(mover, state, range(len(mover.replicas)))
        recording.refuse_others()
    return state


def _resumed(
    state: State,
    arrays: Mapping[str, np.ndarray],
    mover: AbstractMover,
    observer: AbstractObserver | None,
    recording: Recording,
) -> State:
    """Return a kept state, the observer as it was then.

    Raises
    ------
    BadInputError
        The state is not of so many atoms, or not what the observer has written.
    """
    n_atoms = sum(len(one.atoms) for one in mover.replicas)
    shapes = [one.shape for one in (state.positions, state.velocities, state.forces)]
    counts = [one.shape for one in (state.energies, state.stopped)]
    is_ours = set(shapes) == {(n_atoms, 3)} and set(counts) == {(len(mover.replicas),)}
    path = recording.folder / STATE
    if not is_ours or state.step < 0:
        raise damaged(path)
    if observer is not None:
        try:
            observer.restore(arrays)
        except DAMAGE as error:
            raise damaged(path) from error
    return state


def _save(recording: Recording, state: State, observer: AbstractObserver | None) -> int:
    recording.save(state, {} if observer is None else observer.arrays())
    return state.step
