"""An adaptation at run time: source, movement and pulls."""

import dataclasses
from collections.abc import Mapping, Sequence, Set

import torch
from ase import Atoms
from torch import Tensor

from atomgraft.adaptation.axes import (
    SOURCE,
    TARGET,
    Axes,
    DecayToSource,
    DistanceToSource,
    FisherDistance,
    Interpolation,
)
from atomgraft.adaptation.heads import make_head_movement
from atomgraft.adaptation.movement import AbstractMovement
from atomgraft.adaptation.penalty import (
    AbstractPenalty,
    SourceDistance,
    fisher_information,
)
from atomgraft.core.seeding import torch_generator
from atomgraft.models.base import AbstractPotential, RowKey
from atomgraft.models.elements import element_parameters


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadStart:
    """How a further head starts.

    Parameters
    ----------
    source_head
        The head of the base it starts from; none for the one the run starts from.
    reference_shifts
        eV per atom, by atomic number.
    """

    source_head: str | None = None
    reference_shifts: Mapping[int, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adapted:
    """A potential on its way to another material.

    Parameters
    ----------
    potential
        The source with reference energies put right; its weights stay frozen.
    movement
        What moves.
    penalty
        What pulls back in the objective, if anything.
    reference_shifts
        eV per atom, by atomic number: already part of `potential`.
    axes
        The spec it was made from.
    others
        The source as further heads see it, by head.
    """

    potential: AbstractPotential
    movement: AbstractMovement
    penalty: AbstractPenalty | None
    reference_shifts: Mapping[int, float]
    axes: Axes
    others: Mapping[str, AbstractPotential] = dataclasses.field(default_factory=dict)

    @property
    def decay(self) -> float:
        """Share of the way that weights go back after each step."""
        pulls = self.axes.pulls
        return pulls.share if isinstance(pulls, DecayToSource) else 0.0

    @property
    def retreat(self) -> float:
        """Share of the way that weights go back when training is done."""
        pulls = self.axes.pulls
        return pulls.share if isinstance(pulls, Interpolation) else 0.0

    def source_of(self, head: str) -> AbstractPotential:
        """Return the source for a head."""
        return self.potential if head == TARGET else self.others[head]

    def merged(self, head: str = TARGET) -> AbstractPotential:
        """Return a plain potential with the moved weights; exact, and no slower.

        Parameters
        ----------
        head
            Whose: a single-head model is cut out.
        """
        source = self.source_of(head)
        merged = source.clone(device=source.device)
        with torch.no_grad():
            for name, value in self.movement.weights(head).items():
                merged.module.get_parameter(name).copy_(value)
        return merged

    def trained_elements(
        self, head: str, of_heads: Mapping[str, Set[int]]
    ) -> frozenset[int]:
        """Return the elements that the merged weights of a head were trained on.

        Its own are among them. Those of other heads are where the weights that belong
        to single elements are shared: such an element lacks no more than a reference
        energy of this head. Where the head moves such weights for itself, as the
        readout of a pair potential, or none move, another head trained nothing of the
        element that this head uses.

        Parameters
        ----------
        head
            Whose.
        of_heads
            Atomic numbers of the structures that each head was trained on.
        """
        known = element_parameters(self.potential)
        moved = self.movement.changes()
        is_owned = any(f"{head}/{name}" in moved for name in known)
        if is_owned or not known & moved.keys():
            return frozenset(of_heads[head])
        return frozenset[int]().union(*of_heads.values())


def adapt_potential(
    source: AbstractPotential,
    axes: Axes,
    *,
    reference_shifts: Mapping[int, float],
    seed: int,
    heads: Mapping[str, HeadStart] | None = None,
    anchors: Sequence[Atoms] = (),
    elements: Mapping[str, Set[int]] | None = None,
) -> Adapted:
    """Set up an adaptation; at this point it predicts what the source predicts.

    Parameters
    ----------
    source
        Not changed.
    axes
        The adaptation.
    reference_shifts
        eV per atom, by atomic number; empty for the source's own references.
    seed
        For fresh weights and random factors.
    heads
        Further heads besides `TARGET`, by name.
    anchors
        Structures on which Fisher information is measured; where there are none, as
        when a finished graft is put back, nothing is weighted by it.
    elements
        Atomic numbers in the training structures of each head, by its name: low-rank
        deltas leave the weights of other elements alone. None takes all as present,
        as when a finished graft is put back.

    Raises
    ------
    BadInputError
        The axes ask for a role that the model lacks, or a head starts from one that
        it lacks.
    """
    start = source.clone(device=source.device)
    if axes.starts.weights == "fresh":
        start.draw_weights(torch_generator(seed, "fresh weights"))
    sources = {TARGET: _with_references(start, reference_shifts)}
    for name, head in (heads or {}).items():
        seen = start if head.source_head is None else start.for_head(head.source_head)
        sources[name] = _with_references(seen, head.reference_shifts)
    owners = list(sources)
    if axes.rehearses is not None:
        sources[SOURCE] = _with_references(start, {})
        owners += [SOURCE] if axes.rehearses.own_readout else []
    present = None if elements is None else _present(sources, elements)
    movement = make_head_movement(sources, axes.moves, axes.owns, owners, seed, present)
    potential = sources.pop(TARGET)
    return Adapted(
        potential=potential,
        movement=movement,
        penalty=_penalty({TARGET: potential, **sources}, axes, movement, anchors, seed),
        reference_shifts=reference_shifts,
        axes=axes,
        others=sources,
    )


def _present(
    sources: Mapping[str, AbstractPotential], elements: Mapping[str, Set[int]]
) -> dict[str, frozenset[RowKey]]:
    """Return what the data of each head select: elements, and the base's head."""
    return {
        head: frozenset(numbers) | {sources[head].card.head or 0}
        for head, numbers in elements.items()
    }


def _with_references(
    potential: AbstractPotential, shifts: Mapping[int, float]
) -> AbstractPotential:
    """Return a frozen copy with shifted reference energies."""
    shifted = potential.clone(device=potential.device)
    shift_references(shifted, shifts)
    shifted.module.requires_grad_(requires_grad=False)
    return shifted


def _penalty(
    sources: Mapping[str, AbstractPotential],
    axes: Axes,
    movement: AbstractMovement,
    anchors: Sequence[Atoms],
    seed: int,
) -> AbstractPenalty | None:
    """Return what pulls back in the objective: nothing, or a distance."""
    pulls = axes.pulls
    if isinstance(pulls, DistanceToSource):
        return SourceDistance(movement, pulls.strength)
    if isinstance(pulls, FisherDistance) and anchors:
        importance = _importance(sources, movement, anchors, seed)
        return SourceDistance(movement, pulls.strength, importance)
    return None


def _importance(
    sources: Mapping[str, AbstractPotential],
    movement: AbstractMovement,
    anchors: Sequence[Atoms],
    seed: int,
) -> dict[str, Tensor]:
    """Return the information of each change: of the source as its head sees it.

    Of what heads share, as the target sees it.
    """
    names = list(movement.weights())
    of_view: dict[str | None, dict[str, Tensor]] = {}
    found: dict[str, Tensor] = {}
    for key in movement.changes():
        head, _, name = key.rpartition("/")
        source = sources[head or TARGET]
        view = source.card.head  # heads differ in it and in reference energies alone
        if view not in of_view:
            generator = torch_generator(seed, "Fisher information")
            of_view[view] = fisher_information(source, names, anchors, generator)
        found[key] = of_view[view][name]
    return found


def shift_references(potential: AbstractPotential, shifts: Mapping[int, float]) -> None:
    """Add to the reference energies of `potential`, in place and in float64.

    Parameters
    ----------
    potential
        Changed in place.
    shifts
        eV per atom, by atomic number.
    """
    potential.add_references(shifts)
