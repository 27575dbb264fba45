"""Where the structures of a step come from: the user's own, rehearsed, other levels."""

import dataclasses
import math
from collections.abc import Sequence

from ase import Atoms

from atomgraft.adaptation.axes import TARGET
from atomgraft.core.properties import Property
from atomgraft.data.labels import count_labels
from atomgraft.training.batches import indices_of_place
from atomgraft.training.plan import AS_OFTEN, Knobs, Objective, Plan


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stream:
    """Labelled structures that flow into the steps.

    Parameters
    ----------
    name
        Unique in a run.
    head
        The head that predicts them.
    train, validation
        Labelled structures; validation may be empty.
    knobs
        How often, how much, in which unit.
    objective
        How errors become one number; none takes the plan's.
    is_rehearsal
        Labels come from the source: energies start without residual, so their unit
        is that of the target.
    """

    name: str
    head: str
    train: Sequence[Atoms]
    validation: Sequence[Atoms] = ()
    knobs: Knobs = AS_OFTEN
    objective: Objective | None = None
    is_rehearsal: bool = False

    def objective_in(self, plan: Plan) -> Objective:
        """Return the objective for the labels that are there.

        Where a kind of label is absent altogether, the weights of the others grow so
        that their sum stays: a head with energies alone counts as much as any other.
        """
        return restricted(self.objective or plan.objective, self.train)


def restricted(objective: Objective, structures: Sequence[Atoms]) -> Objective:
    """Return an objective without the properties that no structure has.

    Parameters
    ----------
    objective
        Weights of properties.
    structures
        Labelled structures.

    Examples
    --------
    >>> from atomgraft.data.labels import set_labels
    >>> atoms = Atoms("H")
    >>> set_labels(atoms, energy=-1.0)
    >>> restricted(Objective(energy=0.1, forces=0.9, stress=0), [atoms]).energy
    1.0
    """
    count = count_labels(structures)
    there = {
        Property.ENERGY: count.n_energies,
        Property.FORCES: count.n_forces,
        Property.STRESS: count.n_stresses,
    }
    kept = {kind: objective.weight(kind) for kind in Property if there[kind]}
    whole = sum(objective.weight(kind) for kind in Property)
    factor = whole / sum(kept.values())
    return objective.model_copy(
        update={
            kind.value: objective.weight(kind) * factor if kind in kept else 0.0
            for kind in Property
        }
    )


def relative_ratios(streams: Sequence[Stream]) -> dict[str, float]:
    """Return structures of each stream for each one of the most frequent head's.

    Parameters
    ----------
    streams
        Those of heads, one at least with a ratio above zero, and what is rehearsed.
    """
    largest = max(one.knobs.ratio for one in streams if not one.is_rehearsal)
    return {stream.name: stream.knobs.ratio / largest for stream in streams}


def batch_of_step(
    step: int, size: int, ratio: float, n_structures: int, seeds: tuple[int, str]
) -> list[int]:
    """Return which structures of a stream a step sees.

    With batches of `size` and a ratio r, the first k steps see ``floor(k r size)``
    structures of the stream, each once an epoch in random order.

    Parameters
    ----------
    step
        Counted from zero.
    size
        Structures of the most frequent stream in a step, over all devices.
    ratio
        Structures of this stream for each of those.
    n_structures
        Size of the stream.
    seeds
        Seed of the run, and the stream's name.

    Examples
    --------
    >>> [len(batch_of_step(step, 1, 0.5, 8, (0, "pbe"))) for step in range(4)]
    [0, 1, 0, 1]
    """
    begin, end = (math.floor(round(k * size * ratio, 9)) for k in (step, step + 1))
    seed, name = seeds
    purpose = () if name == TARGET else (name,)
    return indices_of_place(begin, end - begin, n_structures, seed, *purpose)
