"""Streams: where the structures of a step come from, and their neighbours and units."""

import dataclasses
import math
from collections.abc import Sequence

import torch
from ase import Atoms

from atomgraft.adaptation.axes import TARGET
from atomgraft.adaptation.base import Adapted
from atomgraft.core.properties import Property
from atomgraft.data.labels import count_labels
from atomgraft.data.partners import Mode, find_partners
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import predict
from atomgraft.training.batches import TrainingSet, indices_of_place, indices_of_step
from atomgraft.training.checkpoint import State
from atomgraft.training.loss import Units, units_of
from atomgraft.training.objective import (
    DIFFERENCES,
    Residual,
    Targets,
    kind_of,
    residual,
)
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


EVALUATION_ATOMS = 256
"""Atoms in one batch where nothing is trained."""

FREQUENCIES = "frequencies"
"""Name of the unit of the frequencies that force differences stand for."""

SCALE_STRUCTURES = 64
"""Training structures from which the units of error are taken."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flow:
    """A stream with its neighbour lists, ready for the steps.

    Parameters
    ----------
    stream
        Where the structures come from.
    train, validation
        Its structures.
    ratio
        Structures of it for each one of the most frequent stream.
    objective
        Weights of the properties that it has.
    """

    stream: Stream
    train: TrainingSet
    validation: TrainingSet
    ratio: float
    objective: Objective

    @property
    def name(self) -> str:
        """Name of the stream."""
        return self.stream.name

    def units(self, state: State) -> Units:
        """Return the units in which errors are counted."""
        scales = state.scales[self.name]
        return Units(
            properties={kind: scales[kind.value] for kind in Property},
            differences=scales.get(DIFFERENCES),
            frequencies=scales.get(FREQUENCIES),
        )

    def unit_of(self, name: str, state: State) -> float:
        """Return the unit of a validation error (`NamedResiduals`)."""
        scales = state.scales[self.name]
        return scales.get(name, scales[kind_of(name).value])


def make_flows(streams: Sequence[Stream], plan: Plan, adapted: Adapted) -> list[Flow]:
    """Build the neighbour lists of all streams.

    Parameters
    ----------
    streams
        The target's first.
    plan
        Gives the objective where a stream has none.
    adapted
        Gives cutoff, precision and device, and the reference energies of each head.
    """
    ratios = relative_ratios(streams)
    return [
        Flow(
            stream=stream,
            train=_prepared(stream.train, stream, plan.differences, adapted),
            validation=_prepared(stream.validation, stream, plan.differences, adapted),
            ratio=ratios[stream.name],
            # one stream alone needs no common measure
            objective=stream.objective_in(plan) if len(streams) > 1 else plan.objective,
        )
        for stream in streams
    ]


def _prepared(
    structures: Sequence[Atoms],
    stream: Stream,
    mode: Mode,
    adapted: Adapted,
) -> TrainingSet:
    """Return structures with neighbours and partners; rehearsed ones have none."""
    potential = adapted.source_of(stream.head)
    return TrainingSet(
        structures,
        potential.cutoff,
        references=potential.reference_table().cpu().numpy(),
        dtype=potential.dtype,
        device=potential.device,
        partners=find_partners(structures, "never" if stream.is_rehearsal else mode),
    )


def units_of_flows(
    flows: Sequence[Flow], adapted: Adapted, seed: int
) -> dict[str, dict[str, float]]:
    """Return the unit of error of each property, by stream.

    Parameters
    ----------
    flows
        The target's first.
    adapted
        At its start.
    seed
        Draws the structures from which units are taken.
    """
    scales: dict[str, dict[str, float]] = {}
    for flow in flows:
        units = _units(flow, adapted.source_of(flow.stream.head), seed)
        own = {kind.value: one for kind, one in units.properties.items()}
        if flow.stream.is_rehearsal:  # its residuals are zero at the start
            own[Property.ENERGY.value] = scales[TARGET][Property.ENERGY.value]
        if flow.stream.knobs.energy_scale is not None:
            own[Property.ENERGY.value] = flow.stream.knobs.energy_scale
        further = {DIFFERENCES: units.differences, FREQUENCIES: units.frequencies}
        own |= {name: one for name, one in further.items() if one is not None}
        scales[flow.name] = own
    return scales


def _units(flow: Flow, start: AbstractPotential, seed: int) -> Units:
    """Return the units of error of one stream."""
    n_structures = len(flow.train)
    size = min(n_structures, SCALE_STRUCTURES)
    sample = indices_of_step(0, size, n_structures, seed)
    energies: list[Residual] = []
    labels: list[Targets] = []
    for group in flow.train.groups(sample, EVALUATION_ATOMS):
        graph, targets = flow.train.batch(group)
        with torch.no_grad():
            energy = predict(start, graph, frozenset()).interaction[: len(group)]
        energies.append(residual(energy / targets.n_atoms, targets.energy))
        labels.append(targets)
    return units_of(energies, labels, flow.train.frequencies(sample))
