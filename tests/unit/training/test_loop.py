"""The one loop: what it minimises, keeps, counts, tells and survives."""

import json
import math
import os
import signal

import pytest
import torch

from atomgraft.adaptation.axes import Axes, DistanceToSource, WholeWeights
from atomgraft.adaptation.recipes import RECIPES
from atomgraft.core.errors import BadInputError, NonFiniteTrainingError
from atomgraft.data.labels import ENERGY, STRESS, set_labels
from atomgraft.models.prediction import predict_structures
from atomgraft.training import loop
from atomgraft.training.checkpoint import METRICS, read_metrics, read_state
from atomgraft.training.model import GraftedModule
from atomgraft.training.objective import Error
from tests.trials import (
    PINS,
    Listener,
    adapted_by,
    fabric,
    in_precision,
    job_for,
    labelled_for,
    same_bits,
    tensors_of,
    train,
)

NAME = "pair:sw-si"

ROUNDING = 1e-12

L2SP = Axes(moves=WholeWeights(), pulls=DistanceToSource(strength=100.0))


@pytest.fixture(scope="module")
def frames():
    return labelled_for(in_precision(NAME, torch.float64), n=5)


@pytest.fixture
def adapted():
    return adapted_by("full", in_precision(NAME, torch.float64))


def trainer(adapted, frames, folder, observer=None, **options):
    job = job_for(adapted, frames, folder, **options)
    return loop._Trainer(job, fabric(), observer or Listener())


def gradients(adapted):
    return {
        name: one.grad.clone()
        for name, one in adapted.movement.named_trainables().items()
    }


def test_the_loss_falls(adapted, frames, tmp_path):
    listener = Listener()
    outcome = train(
        adapted, frames, tmp_path, steps=30, batch_size=5, observer=listener
    )
    losses = [record["loss"] for record in listener.records]
    assert losses[-1] < 0.8 * losses[0]
    assert outcome.is_complete
    assert outcome.n_steps == outcome.best_step == 30
    assert outcome.ended == "all steps done"
    assert outcome.seconds > 0
    assert outcome.peak_memory_mib > 1
    assert listener.starts == [0]


def test_forces_alone_train_and_leave_references(adapted, frames, tmp_path):
    bare = [atoms.copy() for atoms in frames]
    for atoms in bare:
        del atoms.info[ENERGY], atoms.info[STRESS]
    before = tensors_of(adapted)
    train(adapted, bare, tmp_path, steps=5)
    after = tensors_of(adapted)
    assert not same_bits(before, after)
    assert all(bool(torch.isfinite(one).all()) for one in after.values())
    merged = adapted.merged().module
    source = in_precision(NAME, torch.float64).module
    references = "reference_energies"
    assert torch.equal(
        merged.get_parameter(references), source.get_parameter(references)
    )


def test_the_norm_of_the_step_is_clipped(adapted, frames, tmp_path):
    one = trainer(adapted, frames, tmp_path, clip=1e-3, average=0.0)
    state = one._begin()
    one._step(state)
    total = math.sqrt(sum(float((g**2).sum()) for g in gradients(adapted).values()))
    assert total == pytest.approx(1e-3, rel=1e-3)
    [record] = read_metrics(tmp_path)
    assert record["gradient_norm"] > 1e-3


def test_without_clipping_the_norm_is_still_told(adapted, frames, tmp_path):
    train(adapted, frames, tmp_path, clip=None, steps=1)
    [record] = read_metrics(tmp_path)
    assert math.isfinite(record["gradient_norm"])


def test_the_average_is_the_mean_that_it_says(adapted, frames, tmp_path):
    decay = 0.5
    one = trainer(adapted, frames, tmp_path, average=decay, steps=6)
    state = one._begin()
    mean = tensors_of(adapted)
    for step in range(1, 7):
        one._step(state)
        now = min(decay, (1 + step) / (10 + step))
        mean = {
            name: now * value + (1 - now) * tensors_of(adapted)[name]
            for name, value in mean.items()
        }
    for name, value in mean.items():
        assert torch.allclose(state.average[name], value, rtol=ROUNDING, atol=ROUNDING)


def test_the_average_is_what_is_kept(adapted, frames, tmp_path):
    train(adapted, frames, tmp_path, steps=4, average=0.9)
    state = read_state(tmp_path, PINS)
    assert same_bits(tensors_of(adapted), state.average)
    assert not same_bits(state.average, state.trainables)


def test_without_an_average_the_last_weights_are_kept(adapted, frames, tmp_path):
    train(adapted, frames, tmp_path, steps=4, average=0.0)
    assert same_bits(tensors_of(adapted), read_state(tmp_path, PINS).trainables)


@pytest.fixture(scope="module")
def of_the_source(frames):
    """Labels that the source predicts itself: every step makes them worse."""
    structures = [atoms.copy() for atoms in frames[:2]]
    known = predict_structures(in_precision(NAME, torch.float64), structures)
    for atoms, one in zip(structures, known, strict=True):
        set_labels(atoms, energy=one.energy, forces=one.forces, stress=one.stress)
    return structures


def test_validation_keeps_the_best(adapted, frames, of_the_source, tmp_path):
    outcome = train(
        adapted, frames, tmp_path, validation=of_the_source, steps=8, validate_every=2
    )
    assert outcome.best_step == 2
    scores = [
        record["validation"]["forces"]
        for record in read_metrics(tmp_path)
        if "validation" in record
    ]
    assert len(scores) == 4
    assert scores == sorted(scores)
    assert same_bits(tensors_of(adapted), read_state(tmp_path, PINS).best)


def test_the_last_step_is_always_validated(adapted, frames, tmp_path):
    options = {"validation": frames[:2], "steps": 5, "validate_every": 3}
    train(adapted, frames[2:], tmp_path, **options)
    steps = [one["step"] for one in read_metrics(tmp_path) if "validation" in one]
    assert steps == [3, 5]


@pytest.mark.parametrize("patience", [1, 3])
def test_patience_ends_a_run_without_gain(
    adapted, frames, of_the_source, tmp_path, patience
):
    options = {"steps": 50, "validate_every": 1, "patience": patience}
    outcome = train(adapted, frames, tmp_path, validation=of_the_source, **options)
    assert outcome.is_complete
    assert outcome.n_steps == 1 + patience
    assert outcome.best_step == 1
    assert outcome.ended == f"no improvement in {patience} validations"
    # asked again, as after a kill before the graft was written, it does no more
    again = adapted_by("full", in_precision(NAME, torch.float64))
    second = train(again, frames, tmp_path, validation=of_the_source, **options)
    assert second.n_steps == outcome.n_steps
    assert same_bits(tensors_of(again), tensors_of(adapted))


def test_a_validation_that_is_not_finite_ends_the_run(
    adapted, frames, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        loop, "mean_absolute_errors", lambda _: {"forces": Error(math.nan, 1.0)}
    )
    with pytest.raises(NonFiniteTrainingError, match="validation error became nan"):
        train(adapted, frames, tmp_path, validation=frames[:1])


class OutOfMemory:
    """A forward pass that fails above a number of structures."""

    def __init__(self, monkeypatch, limit, error):
        self.sizes = []
        forward = GraftedModule.forward

        def limited(module, fields, stream):
            n_structures = len(fields[2])
            if torch.is_grad_enabled():
                self.sizes.append(n_structures)
                if n_structures > limit:
                    raise error
            return forward(module, fields, stream)

        monkeypatch.setattr(GraftedModule, "forward", limited)


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory"),
    MemoryError(),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
]


@pytest.mark.parametrize("recipe", ["full", L2SP])
@pytest.mark.parametrize("error", OUT_OF_MEMORY)
@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_a_batch_too_large_is_split_and_equal(
    frames, tmp_path, monkeypatch, limit, error, recipe
):
    whole, split = (
        adapted_by(recipe, in_precision(NAME, torch.float64)) for _ in range(2)
    )
    for adapted in (whole, split):
        with torch.no_grad():  # away from the source, so that a penalty pulls
            for one in adapted.movement.parameters():
                one.mul_(1.01)
    options = {"batch_size": 5, "clip": None}
    reference = trainer(whole, frames, tmp_path, **options)
    state = reference._begin()
    expected = reference._backward_of_streams(state)
    memory = OutOfMemory(monkeypatch, limit, error)
    listener = Listener()
    tried = trainer(split, frames, tmp_path, observer=listener, **options)
    assert tried._backward_of_streams(state) == pytest.approx(expected, rel=1e-12)
    after = gradients(split)
    for name, gradient in gradients(whole).items():
        assert torch.allclose(after[name], gradient, rtol=1e-10, atol=ROUNDING)
        assert gradient.any()
    assert sum(one for one in memory.sizes if one <= limit) >= 5
    assert tried.n_split == len(listener.notices) >= 1
    assert "out of memory" in listener.notices[0]


def test_a_second_failure_keeps_no_part_of_a_gradient(frames, tmp_path, monkeypatch):
    """The first half fits, the second does not: nothing of the first may be lost."""
    whole, split = (
        adapted_by("full", in_precision(NAME, torch.float64)) for _ in range(2)
    )
    reference = trainer(whole, frames, tmp_path, batch_size=4)
    state = reference._begin()
    reference._backward_of_streams(state)
    forward, calls = GraftedModule.forward, []

    def moody(module, fields, stream):
        calls.append(len(fields[2]))
        if len(calls) in {1, 3}:  # the whole, then the second half
            raise torch.OutOfMemoryError
        return forward(module, fields, stream)

    monkeypatch.setattr(GraftedModule, "forward", moody)
    tried = trainer(split, frames, tmp_path, batch_size=4)
    tried._backward_of_streams(state)
    assert calls == [4, 2, 2, 1, 1, 1, 1]
    after = gradients(split)
    for name, gradient in gradients(whole).items():
        assert torch.allclose(after[name], gradient, rtol=1e-10, atol=ROUNDING)


def test_a_split_run_ends_and_says_so(adapted, frames, tmp_path, monkeypatch):
    OutOfMemory(monkeypatch, 2, torch.OutOfMemoryError())
    listener = Listener()
    options = {"batch_size": 4, "steps": 3, "observer": listener}
    outcome = train(adapted, frames, tmp_path, **options)
    assert outcome.is_complete
    assert outcome.n_split_batches == 3
    assert len(listener.notices) == 3
    assert read_state(tmp_path, PINS).n_split_batches == 3


@pytest.mark.parametrize(
    ("n_atoms", "sizes"), [(16, [2, 2, 1]), (8, [1] * 5), (1, [1] * 5), (512, [5])]
)
def test_atoms_bound_a_backward_pass_and_change_no_gradient(
    frames, tmp_path, monkeypatch, n_atoms, sizes
):
    whole, cut = (
        adapted_by("full", in_precision(NAME, torch.float64)) for _ in range(2)
    )
    reference = trainer(whole, frames, tmp_path, batch_size=5)
    state = reference._begin()
    expected = reference._backward_of_streams(state)
    seen = spied_sizes(monkeypatch)
    monkeypatch.setattr(loop, "PIECE_ATOMS", n_atoms)
    tried = trainer(cut, frames, tmp_path, batch_size=5)
    assert tried._backward_of_streams(state) == pytest.approx(expected, rel=1e-12)
    assert seen == sizes
    assert tried.n_split == 0
    after = gradients(cut)
    for name, gradient in gradients(whole).items():
        assert torch.allclose(after[name], gradient, rtol=1e-10, atol=ROUNDING)


def test_memory_that_runs_out_in_a_small_piece_makes_it_smaller(
    adapted, frames, tmp_path, monkeypatch
):
    """Pieces hold two: a bound of three, half of five, would make the same ones."""
    monkeypatch.setattr(loop, "PIECE_ATOMS", 16)
    memory = OutOfMemory(monkeypatch, 1, torch.OutOfMemoryError())
    tried = trainer(adapted, frames, tmp_path, batch_size=5)
    tried._backward_of_streams(tried._begin())
    assert memory.sizes == [2, 1, 1, 1, 1, 1]
    assert tried.n_split == 1


def spied_sizes(monkeypatch):
    """The structures of each forward pass from now on."""
    forward, sizes = GraftedModule.forward, []

    def noted(module, fields, stream):
        sizes.append(len(fields[2]))
        return forward(module, fields, stream)

    monkeypatch.setattr(GraftedModule, "forward", noted)
    return sizes


def test_one_structure_too_large_is_an_error(adapted, frames, tmp_path, monkeypatch):
    OutOfMemory(monkeypatch, 0, torch.OutOfMemoryError())
    with pytest.raises(torch.OutOfMemoryError):
        train(adapted, frames, tmp_path)


def test_other_errors_are_not_taken_for_memory(adapted, frames, tmp_path, monkeypatch):
    OutOfMemory(monkeypatch, 0, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        train(adapted, frames, tmp_path)


def test_a_loss_that_is_not_finite_keeps_the_last_state(adapted, frames, tmp_path):
    job = job_for(adapted, frames, tmp_path, steps=9, checkpoint_every=2)
    one = loop._Trainer(job, fabric(), Listener())
    take = one._loss

    def fails_at_step_5(flow, indices, state):
        loss, penalty = take(flow, indices, state)
        return loss * (math.nan if state.step == 4 else 1.0), penalty

    one._loss = fails_at_step_5
    with pytest.raises(NonFiniteTrainingError, match="nan at step 5") as caught:
        one.run()
    assert "learning rate" in caught.value.remedy
    state = read_state(tmp_path, PINS)
    assert state.step == 4
    assert all(bool(torch.isfinite(t).all()) for t in state.trainables.values())


def test_weights_that_are_not_finite_are_never_kept(adapted, frames, tmp_path):
    one = trainer(adapted, frames, tmp_path, steps=1)
    step = one._step

    def overflows(state):
        step(state)
        with torch.no_grad():
            next(iter(one.trainables.values())).fill_(math.inf)

    one._step = overflows
    with pytest.raises(NonFiniteTrainingError, match="weight became"):
        one.run()
    assert read_state(tmp_path, PINS) is None


@pytest.mark.parametrize("stop", [1, 3, 4])
def test_a_resumed_run_is_the_same_run(frames, tmp_path, stop):
    """Stopped between checkpoints, it goes back to the last one and on."""
    options = {
        "steps": 6, "checkpoint_every": 2, "validation": frames[:2],
        "validate_every": 2,
    }  # fmt: skip
    folders = tmp_path / "whole", tmp_path / "stopped"
    whole, stopped, resumed = (
        adapted_by("full", in_precision(NAME, torch.float64)) for _ in range(3)
    )
    for folder in folders:
        folder.mkdir()
    train(whole, frames, folders[0], **options)
    one = trainer(stopped, frames, folders[1], **options)
    step = one._step

    def dies(state):
        if state.step == stop:
            raise KeyboardInterrupt
        step(state)

    one._step = dies
    with pytest.raises(KeyboardInterrupt):
        one.run()
    listener = Listener()
    outcome = train(resumed, frames, folders[1], observer=listener, **options)
    assert listener.starts == [stop // 2 * 2]
    assert outcome.is_complete
    assert same_bits(tensors_of(resumed), tensors_of(whole))
    lines = [(folder / METRICS).read_text() for folder in folders]
    assert lines[0] == lines[1]
    assert [json.loads(line)["step"] for line in lines[0].splitlines()] == [
        1, 2, 3, 4, 5, 6,
    ]  # fmt: skip


def test_a_finished_state_is_not_trained_again(adapted, frames, tmp_path):
    train(adapted, frames, tmp_path, steps=3)
    before = (tmp_path / METRICS).read_text()
    again = adapted_by("full", in_precision(NAME, torch.float64))
    outcome = train(again, frames, tmp_path, steps=3)
    assert outcome.n_steps == 3
    assert same_bits(tensors_of(again), tensors_of(adapted))
    assert (tmp_path / METRICS).read_text() == before


def test_another_spec_does_not_go_on(adapted, frames, tmp_path):
    train(adapted, frames, tmp_path)
    with pytest.raises(BadInputError, match="another spec and data"):
        read_state(tmp_path, {"spec": "1", "data": "1", "base": "0"})


def test_the_penalty_holds_weights_back(frames, tmp_path):
    far = {}
    for strength in (None, 1e6):
        pulls = None if strength is None else DistanceToSource(strength=strength)
        axes = Axes(moves=WholeWeights(), pulls=pulls)
        adapted = adapted_by(axes, in_precision(NAME, torch.float64))
        before = tensors_of(adapted)
        folder = tmp_path / str(strength)
        folder.mkdir()
        train(adapted, frames, folder, steps=20)
        far[strength] = max(
            float((one - before[name]).abs().max())
            for name, one in tensors_of(adapted).items()
        )
    assert far[1e6] < 0.5 * far[None]


def test_the_order_depends_on_the_seed(frames, tmp_path):
    found = []
    for seed in (0, 1):
        adapted = adapted_by("full", in_precision(NAME, torch.float64))
        folder = tmp_path / str(seed)
        folder.mkdir()
        train(adapted, frames, folder, seed=seed, batch_size=1)
        found.append(tensors_of(adapted))
    assert not same_bits(*found)


def test_signals_reach_the_loop_and_are_given_back(frames, tmp_path):
    adapted = adapted_by(RECIPES["full"].axes, in_precision(NAME, torch.float64))
    before = signal.getsignal(signal.SIGTERM)

    class Killer(Listener):
        def on_step(self, record) -> None:
            super().on_step(record)
            if record["step"] == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    outcome = train(adapted, frames, tmp_path, observer=Killer(), steps=9)
    assert not outcome.is_complete
    assert outcome.n_steps == 2
    assert outcome.ended == "stopped by a signal"
    assert signal.getsignal(signal.SIGTERM) is before
    assert read_state(tmp_path, PINS).step == 2
