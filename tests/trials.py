"""Small labelled sets for any potential, and a few steps of training on them."""

import functools
import importlib.util
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from atomgraft.adaptation.base import adapt_potential
from atomgraft.adaptation.recipes import RECIPES
from atomgraft.data.labels import set_labels
from atomgraft.models.loading import load_potential
from atomgraft.models.prediction import predict_structures
from atomgraft.testing import structures_for
from atomgraft.training.devices import make_fabric
from atomgraft.training.loop import Job, fit
from atomgraft.training.plan import Plan

HAS_SEVENN = importlib.util.find_spec("sevenn") is not None
NEEDS_SEVENN = pytest.mark.skipif(not HAS_SEVENN, reason="sevenn is not installed")

HARDER = 1.3
"""Labels are the model's own predictions times this: something is to be learned."""

PINS = {"spec": "0", "data": "0", "base": "0"}


@functools.cache
def loaded(name):
    """Return a potential in its own precision; not to be changed."""
    return load_potential(name)


@functools.cache
def in_precision(name, dtype):
    return loaded(name).clone(dtype=dtype)


@functools.cache
def fabric() -> Fabric:
    return make_fabric("cpu")


def labelled_for(potential, n=3):
    """Return rattled crystals with the labels of a harder material."""
    frames = [structures_for(potential, seed=i).crystal for i in range(n)]
    for frame, known in zip(frames, predict_structures(potential, frames), strict=True):
        set_labels(
            frame,
            energy=HARDER * known.energy,
            forces=HARDER * known.forces,
            stress=HARDER * known.stress,
        )
    return frames


def adapted_by(recipe, potential, *, seed=0, shifts=None, heads=None, anchors=()):
    axes = RECIPES[recipe].axes if isinstance(recipe, str) else recipe
    return adapt_potential(
        potential,
        axes,
        reference_shifts=shifts or {},
        seed=seed,
        heads=heads,
        anchors=anchors,
    )


def job_for(adapted, train, folder: Path, *, validation=(), rate=1e-2, seed=0, **plan):
    given = {"batch_size": 2, "steps": 3, "checkpoint_every": 100} | plan
    return Job(
        adapted=adapted,
        train=train,
        validation=validation,
        plan=Plan(**given),
        learning_rate=rate,
        seed=seed,
        folder=folder,
        pins=PINS,
    )


def train(adapted, structures, folder: Path, *, observer=None, **options):
    return fit(job_for(adapted, structures, folder, **options), fabric(), observer)


def tensors_of(adapted):
    """Return copies of the trained tensors."""
    return {
        name: one.detach().clone()
        for name, one in adapted.movement.named_trainables().items()
    }


def same_bits(one, other):
    return one.keys() == other.keys() and all(
        torch.equal(one[name], other[name]) for name in one
    )


class Listener:
    """Remembers what it is told."""

    def __init__(self):
        self.records, self.notices, self.starts, self.stages = [], [], [], []
        self.runs = []

    def on_start(self, step: int, n_steps: int) -> None:
        self.starts.append(step)

    def on_step(self, record) -> None:
        self.records.append(record)

    def on_notice(self, text: str) -> None:
        self.notices.append(text)

    def on_progress(self, what: str, done: int, total: int) -> None:
        self.stages.append((what, done, total))

    def on_run(self, number: int, total: int, words: str) -> None:
        self.runs.append((number, total))

    def on_setup(self, movements, refit) -> None:
        self.movements, self.refit = movements, refit
