"""Checks of an adaptation: its file brings it back, its seed decides it."""

import tempfile
from pathlib import Path

import torch

from atomgraft.adaptation.base import Adapted
from atomgraft.adaptation.graft import GRAFT, GraftCard, load_graft, write_graft
from atomgraft.core.errors import BadInputError
from atomgraft.models.base import AbstractPotential
from atomgraft.testing.adaptation_trials import (
    AdaptationTrial,
    differing,
    moved_weights,
    trained_tensors,
)
from atomgraft.testing.tolerances import Tolerances


def check_graft_comes_back(trial: AdaptationTrial, tolerances: Tolerances) -> None:
    """Require that a graft, written and put back, has the same bits."""
    adapted = trial.after
    with tempfile.TemporaryDirectory() as folder:
        path = _written(trial, adapted, Path(folder))
        again = load_graft(path, trial.source)
    if lost := differing(trained_tensors(again), trained_tensors(adapted)):
        raise AssertionError(f"the file does not keep {', '.join(lost)}")
    if away := differing(moved_weights(again), moved_weights(adapted)):
        raise AssertionError(f"put back on its base, {', '.join(away)} differ")


def check_graft_refuses_another_base(
    trial: AdaptationTrial, tolerances: Tolerances
) -> None:
    """Require that a base of which one bit has changed is refused."""
    other = _with_one_bit_changed(trial.source)
    with tempfile.TemporaryDirectory() as folder:
        path = _written(trial, trial.before, Path(folder))
        try:
            load_graft(path, other)
        except BadInputError:
            return
    raise AssertionError("the graft was put on weights that it did not grow on")


def check_same_seed_same_weights(
    trial: AdaptationTrial, tolerances: Tolerances
) -> None:
    """Require that training twice gives the same bits."""
    one, other = trained_tensors(trial.after), trained_tensors(trial.train_anew())
    if away := differing(one, other):
        raise AssertionError(f"a second time {', '.join(away)} become something else")


def _written(trial: AdaptationTrial, adapted: Adapted, folder: Path) -> Path:
    card = GraftCard(
        base=trial.source.card.name,
        base_hash=trial.source.weights_hash(),
        head=trial.source.card.head,
        licence=trial.source.card.licence,
        axes=trial.axes.model_dump(mode="json"),
        seed=trial.seed,
        reference_shifts={},
        elements=(),
        data_fingerprint="",
        dtype="float64",
    )
    write_graft(folder / GRAFT, adapted, card)
    return folder / GRAFT


def _with_one_bit_changed(potential: AbstractPotential) -> AbstractPotential:
    other = potential.clone(device=potential.device)
    first = next(other.module.parameters()).detach().view(-1)
    first[0] = torch.nextafter(first[0], first[0] + 1)
    return other
