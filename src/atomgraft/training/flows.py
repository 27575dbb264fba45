"""Streams made ready for the steps: neighbour lists, objectives, units of error."""

import dataclasses
from collections.abc import Sequence

import torch
from ase import Atoms

from atomgraft.adaptation.axes import TARGET
from atomgraft.adaptation.base import Adapted
from atomgraft.core.properties import Property
from atomgraft.data.partners import Mode, find_partners
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import predict
from atomgraft.training.batches import TrainingSet, indices_of_step
from atomgraft.training.checkpoint import State
from atomgraft.training.errors import DIFFERENCES, kind_of
from atomgraft.training.loss import Units, units_of
from atomgraft.training.objective import Residual, Targets, residual
from atomgraft.training.plan import Objective, Plan
from atomgraft.training.streams import Stream, relative_ratios

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
