"""Streams: how often is not how much, and nothing is seen twice in an epoch."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.adaptation.axes import SOURCE, TARGET, Axes, WholeWeights
from atomgraft.adaptation.base import HeadStart
from atomgraft.core.properties import Property
from atomgraft.data.labels import FORCES, STRESS
from atomgraft.training.batches import indices_of_step
from atomgraft.training.checkpoint import read_state
from atomgraft.training.loop import _Trainer, fit
from atomgraft.training.model import GraftedModule
from atomgraft.training.observer import Silence
from atomgraft.training.plan import Knobs, Objective
from atomgraft.training.streams import (
    Stream,
    batch_of_step,
    relative_ratios,
    restricted,
)
from tests.trials import (
    PINS,
    adapted_by,
    fabric,
    in_precision,
    job_for,
    labelled_for,
    same_bits,
    tensors_of,
)

NAME = "pair:sw-si"

HEADS = {"pbe": HeadStart()}


@given(
    size=st.integers(1, 8),
    ratio=st.floats(0.05, 3.0),
    n=st.integers(1, 9),
    steps=st.integers(1, 20),
)
def test_after_k_steps_a_stream_has_been_seen_k_times_its_share(size, ratio, n, steps):
    seen = [batch_of_step(step, size, ratio, n, (0, "pbe")) for step in range(steps)]
    assert abs(sum(map(len, seen)) - steps * size * ratio) <= 1.0
    flat = [i for one in seen for i in one]
    for start in range(0, len(flat) - n + 1, n):
        assert sorted(flat[start : start + n]) == list(range(n))


def test_the_target_alone_is_seen_as_it_always_was():
    for step in range(5):
        streamed = batch_of_step(step, 3, 1.0, 7, (4, TARGET))
        assert streamed == indices_of_step(step, 3, 7, 4)


def test_a_ratio_of_zero_is_never_seen():
    assert not any(batch_of_step(k, 4, 0.0, 5, (0, "pbe")) for k in range(20))


def stream(name, ratio, *, is_rehearsal=False):
    return Stream(
        name=name,
        head=TARGET,
        train=labelled_for(in_precision(NAME, torch.float64), 1),
        knobs=Knobs(ratio=ratio),
        is_rehearsal=is_rehearsal,
    )


def test_the_most_frequent_head_sets_the_pace():
    streams = [stream("a", 1.0), stream("b", 4.0), stream("c", 8.0, is_rehearsal=True)]
    assert relative_ratios(streams) == {"a": 0.25, "b": 1.0, "c": 2.0}


def without(frames, *keys):
    for frame in frames:
        for key in keys:
            frame.info.pop(key, None)
            frame.arrays.pop(key, None)
    return frames


def test_an_energy_only_head_counts_as_much_as_any_other():
    frames = without(labelled_for(in_precision(NAME, torch.float64), 2), FORCES, STRESS)
    objective = restricted(Objective(energy=0.01, forces=1.0, stress=0.1), frames)
    assert objective.wanted == {Property.ENERGY}
    assert objective.energy == pytest.approx(1.11)


def test_where_all_labels_are_there_nothing_changes():
    frames = labelled_for(in_precision(NAME, torch.float64), 1)
    assert restricted(Objective(), frames) == Objective()


@pytest.fixture
def potential():
    return in_precision(NAME, torch.float64)


def job_with(potential, folder, knobs=None, frames=None, rehearsal=(), **plan):
    """Return a job of two heads, and what it rehearses."""
    axes = Axes(moves=WholeWeights(), rehearses={"kind": "pseudo"})
    adapted = adapted_by(axes, potential, heads=HEADS)
    pbe = Stream(
        name="pbe",
        head="pbe",
        train=frames or labelled_for(potential, 4),
        knobs=knobs or Knobs(),
    )
    others = [pbe]
    if rehearsal:
        others.append(
            Stream(name="old", head=SOURCE, train=rehearsal, is_rehearsal=True)
        )
    job = job_for(adapted, labelled_for(potential, 4), folder, **plan)
    fields = {name: getattr(job, name) for name in job.__dataclass_fields__}
    return type(job)(**(fields | {"others": tuple(others)}))


def gradient_sum(job, steps):
    """Add up the gradients of steps without taking any."""
    trainer = _Trainer(job, fabric(), Silence())
    state = trainer._begin()
    for step in range(steps):
        state.step = step
        trainer._backward_of_streams(state)
    return {k: v.grad.clone() for k, v in trainer.trainables.items()}


def test_how_often_is_not_how_much(potential, tmp_path):
    """Over whole epochs the gradient does not know the ratio, only the weight."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    rare = job_with(potential, tmp_path / "a", Knobs(ratio=0.5), batch_size=2)
    often = job_with(potential, tmp_path / "b", Knobs(ratio=1.0), batch_size=2)
    heavy = job_with(potential, tmp_path / "c", Knobs(weight=2.0), batch_size=2)
    found = [gradient_sum(job, 4) for job in (rare, often, heavy)]
    for name in found[0]:
        assert torch.allclose(found[0][name], found[1][name], rtol=1e-9, atol=1e-12)
    assert any(
        not torch.allclose(found[1][name], found[2][name], rtol=1e-3)
        for name in found[0]
    )


def test_forces_are_not_computed_where_there_are_none(potential, tmp_path, monkeypatch):
    frames = without(labelled_for(potential, 3), FORCES, STRESS)
    job = job_with(potential, tmp_path, frames=frames)
    trainer = _Trainer(job, fabric(), Silence())
    wanted = {name: one for name, (_, one) in trainer.module.streams.items()}
    assert wanted["pbe"] == {Property.ENERGY}
    assert wanted[TARGET] == frozenset(Property)


def test_an_energy_scale_is_taken_as_given(potential, tmp_path):
    job = job_with(potential, tmp_path, Knobs(energy_scale=0.25))
    state = _Trainer(job, fabric(), Silence())._begin()
    assert state.scales["pbe"]["energy"] == 0.25
    assert state.scales[TARGET]["energy"] != 0.25


def test_rehearsed_energies_count_in_the_unit_of_the_target(potential, tmp_path):
    """Their own residual is zero at the start, which is no unit."""
    job = job_with(potential, tmp_path, rehearsal=labelled_for(potential, 3))
    state = _Trainer(job, fabric(), Silence())._begin()
    assert state.scales["old"]["energy"] == state.scales[TARGET]["energy"]


def test_a_run_of_streams_goes_on_to_the_same_bits(potential, tmp_path):
    ends = []
    for name, stops in (("whole", ()), ("parts", (3,))):
        folder = tmp_path / name
        folder.mkdir()
        rehearsal = labelled_for(potential, 3)
        for steps in (*stops, 8):
            job = job_with(
                potential, folder, Knobs(ratio=0.5), rehearsal=rehearsal, steps=8
            )
            trainer = _Trainer(job, fabric(), Silence())
            if steps < 8:  # stopped on the way
                state = trainer._begin()
                for _ in range(steps):
                    trainer._step(state)
                trainer._save(state)
            else:
                outcome = trainer.run()
        assert outcome.stream_counts == {TARGET: 16, "pbe": 8, "old": 16}
        ends.append(tensors_of(job.adapted))
    same_bits(*ends)


def test_what_each_stream_took_is_kept(potential, tmp_path):
    outcome = fit(job_with(potential, tmp_path), fabric())
    assert outcome.stream_seconds.keys() == {TARGET, "pbe"}
    assert all(seconds > 0 for seconds in outcome.stream_seconds.values())
    assert read_state(tmp_path, PINS).stream_counts == outcome.stream_counts


def test_memory_that_runs_out_costs_no_other_stream(potential, tmp_path, monkeypatch):
    for name in ("whole", "split"):
        (tmp_path / name).mkdir()
    whole = gradient_sum(job_with(potential, tmp_path / "whole", batch_size=4), 1)
    forward = GraftedModule.forward

    def limited(module, fields, stream):
        if torch.is_grad_enabled() and stream == TARGET and len(fields[2]) > 2:
            raise torch.OutOfMemoryError
        return forward(module, fields, stream)

    monkeypatch.setattr(GraftedModule, "forward", limited)
    split = gradient_sum(job_with(potential, tmp_path / "split", batch_size=4), 1)
    for name, gradient in whole.items():
        assert torch.allclose(split[name], gradient, rtol=1e-9, atol=1e-12)


def test_validation_of_other_heads_is_told_under_their_names(potential, tmp_path):
    job = job_with(potential, tmp_path, steps=2)
    [pbe] = job.others
    fields = {name: getattr(pbe, name) for name in pbe.__dataclass_fields__}
    seen = Stream(**(fields | {"validation": labelled_for(potential, 2)}))
    fields = {name: getattr(job, name) for name in job.__dataclass_fields__}
    trainer = _Trainer(type(job)(**(fields | {"others": (seen,)})), fabric(), Silence())
    reported = trainer._validate(trainer._begin())
    assert reported.keys() == {"pbe/energy", "pbe/forces", "pbe/stress"}
