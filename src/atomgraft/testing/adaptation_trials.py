"""A potential, an adaptation of it, and a few steps of training to judge it by."""

import dataclasses
import functools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from ase import Atoms
from lightning_fabric import Fabric
from torch import Tensor

from atomgraft.adaptation.axes import SOURCE, TARGET, Axes, SourcePredictions
from atomgraft.adaptation.base import Adapted, adapt_potential
from atomgraft.data.labels import set_labels
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import predict_structures
from atomgraft.testing.measuring import in_double, structures_for
from atomgraft.training.devices import make_fabric
from atomgraft.training.loop import Job, fit
from atomgraft.training.plan import Knobs, Plan
from atomgraft.training.streams import Stream

HARDER = 1.3
"""Labels are the source's own predictions times this: there is something to learn."""

STRETCH = 1.04
"""Rehearsed structures are the training structures' kind, this much larger."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdaptationTrial:
    """What the checks of an adaptation work on.

    Parameters
    ----------
    source
        The potential, in float64; nothing may change it.
    source_hash
        SHA-256 of its weights.
    axes
        The adaptation.
    train
        Structures with the labels of a harder material.
    rehearsed
        Structures with the source's own labels, for axes that rehearse.
    steps
        Of the optimiser: enough that a delta's first factor moves too.
    learning_rate
        Its peak. Small: the checks ask whether something moves, not how well it
        learns, and fresh weights make a wild potential.
    seed
        Of everything random.
    """

    source: AbstractPotential
    source_hash: str
    axes: Axes
    train: tuple[Atoms, ...]
    rehearsed: tuple[Atoms, ...]
    steps: int = 4
    learning_rate: float = 1e-4
    seed: int = 0

    def with_axes(self, axes: Axes) -> "AdaptationTrial":
        """Return the same trial of another adaptation."""
        return dataclasses.replace(self, axes=axes)

    def start(self, shifts: Mapping[int, float] | None = None) -> Adapted:
        """Return the adaptation before its first step.

        Parameters
        ----------
        shifts
            Of reference energies, eV per atom, by atomic number; none unless given.
        """
        anchors = self.rehearsed if self.axes.pulls is not None else ()
        return adapt_potential(
            self.source,
            self.axes,
            reference_shifts=shifts or {},
            seed=self.seed,
            anchors=anchors,
            elements={
                TARGET: elements_of(self.train),
                **({SOURCE: elements_of(self.rehearsed)} if self._rehearses else {}),
            },
        )

    @property
    def _rehearses(self) -> bool:
        return self.axes.rehearses is not None

    @functools.cached_property
    def before(self) -> Adapted:
        """The adaptation before its first step; to be read, not changed."""
        return self.start()

    @functools.cached_property
    def after(self) -> Adapted:
        """The adaptation after all steps; to be read, not changed."""
        return self.train_anew()

    def train_anew(self) -> Adapted:
        """Train an adaptation of its own from the start to the last step."""
        adapted = self.start()
        plan = Plan(
            steps=self.steps, batch_size=1, average=0, clip=None, validate_every=99
        )
        with tempfile.TemporaryDirectory() as folder:
            job = Job(
                adapted=adapted,
                train=self.train,
                validation=(),
                plan=plan,
                learning_rate=self.learning_rate,
                seed=self.seed,
                folder=Path(folder),
                pins={},
                others=self._streams(plan),
            )
            fit(job, _fabric())
        return adapted

    def _streams(self, plan: Plan) -> tuple[Stream, ...]:
        """Return what is rehearsed; a pull on predictions is a stream too."""
        rehearses, pulls = self.axes.rehearses, self.axes.pulls
        if rehearses is None:
            return ()
        is_pull = isinstance(pulls, SourcePredictions)
        stream = Stream(
            name="rehearsal",
            head=SOURCE,
            train=self.rehearsed,
            knobs=Knobs(
                ratio=rehearses.ratio,
                weight=pulls.strength if is_pull else rehearses.weight,
            ),
            objective=plan.objective,
            is_rehearsal=True,
        )
        return (stream,)


def adaptation_trial(
    potential: AbstractPotential, axes: Axes, seed: int = 0
) -> AdaptationTrial:
    """Make structures and labels on which any adaptation of a potential can be tried.

    Parameters
    ----------
    potential
        Copied, in float64.
    axes
        The adaptation.
    seed
        Of structures and training.
    """
    source = in_double(potential)
    crystals = [structures_for(source, seed=seed + i).crystal for i in range(4)]
    for atoms in crystals[2:]:
        atoms.set_cell(STRETCH * atoms.cell.array, scale_atoms=True)
    return AdaptationTrial(
        source=source,
        source_hash=source.weights_hash(),
        axes=axes,
        train=_labelled(source, crystals[:2], HARDER),
        rehearsed=_labelled(source, crystals[2:], 1.0),
        seed=seed,
    )


def without_elements(trial: AdaptationTrial, kept: int) -> AdaptationTrial:
    """Return the same trial on structures that hold one element alone.

    Parameters
    ----------
    trial
        Not changed.
    kept
        Its atomic number.
    """

    def alone(structures: Sequence[Atoms], factor: float) -> tuple[Atoms, ...]:
        copies = [atoms.copy() for atoms in structures]
        for atoms in copies:
            atoms.numbers[:] = kept
        return _labelled(trial.source, copies, factor)

    return dataclasses.replace(
        trial,
        train=alone(trial.train, HARDER),
        rehearsed=alone(trial.rehearsed, 1.0),
    )


def elements_of(structures: Sequence[Atoms]) -> frozenset[int]:
    """Return the atomic numbers that structures hold."""
    return frozenset(int(one) for atoms in structures for one in atoms.numbers)


def _labelled(
    source: AbstractPotential, structures: Sequence[Atoms], factor: float
) -> tuple[Atoms, ...]:
    """Label structures with the source's predictions times a factor."""
    known = predict_structures(source, structures)
    for atoms, one in zip(structures, known, strict=True):
        set_labels(
            atoms,
            energy=factor * one.energy,
            forces=factor * one.forces,
            stress=factor * one.stress,
        )
    return tuple(structures)


@functools.cache
def _fabric() -> Fabric:
    return make_fabric("cpu")


def weights_of(potential: AbstractPotential) -> dict[str, Tensor]:
    """Return copies of all weights of a potential, by name."""
    return _copies(dict(potential.module.named_parameters()))


def moved_weights(adapted: Adapted) -> dict[str, Tensor]:
    """Return copies of all weights with what has moved, nothing merged."""
    return {
        **weights_of(adapted.potential),
        **_copies(adapted.movement.weights()),
    }


def trained_tensors(adapted: Adapted) -> dict[str, Tensor]:
    """Return copies of what is trained, by name."""
    return _copies(adapted.movement.named_trainables())


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: one.detach().clone() for name, one in tensors.items()}


def differing(
    one: Mapping[str, Tensor], other: Mapping[str, Tensor]
) -> tuple[str, ...]:
    """Return the names under which two sets of tensors differ in any bit.

    Parameters
    ----------
    one, other
        Tensors by name; a name that only one of them has differs.

    Examples
    --------
    >>> differing({"a": torch.ones(1)}, {"a": torch.ones(1), "b": torch.ones(1)})
    ('b',)
    """
    both = one.keys() & other.keys()
    changed = {name for name in both if not torch.equal(one[name], other[name])}
    return tuple(sorted(changed | (one.keys() ^ other.keys())))


def distance(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """Return the root of the summed squared differences of weights, without unit.

    Parameters
    ----------
    one, other
        Tensors by name, the same names.
    """
    squares = [((one[name] - other[name]) ** 2).sum() for name in one]
    return float(torch.stack(squares).sum().sqrt())
