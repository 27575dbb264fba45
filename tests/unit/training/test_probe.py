"""A probe does the run's own first steps, in the time they take, and leaves nothing."""

import dataclasses

import pytest
import torch
from ase.build import bulk
from lightning_fabric import Fabric

from atomgraft.core.errors import BadInputError
from atomgraft.training.plan import Knobs
from atomgraft.training.probe import FEWEST, MOST, _heaviest, _part, _Stopwatch, probe
from atomgraft.training.streams import Stream
from tests.trials import (
    adapted_by,
    fabric,
    in_precision,
    job_for,
    labelled_for,
    same_bits,
    tensors_of,
    train,
)

pytestmark = pytest.mark.slow

FACTOR = 3.0
"""Between probed and real seconds a step; other work on the machine is meant."""


@pytest.fixture
def potential():
    return in_precision("pair:sw-si", torch.float64)


@pytest.fixture
def job(potential, tmp_path):
    adapted = adapted_by("full", potential)
    return job_for(adapted, labelled_for(potential, 6), tmp_path, steps=200)


def test_a_probe_writes_nothing_into_the_run(job):
    probe(job, fabric(), budget=0.0)
    assert list(job.folder.iterdir()) == []


@pytest.mark.parametrize(("budget", "n_steps"), [(0.0, FEWEST), (1e9, MOST)])
def test_the_budget_decides_on_the_steps(job, budget, n_steps):
    outcome = probe(job, fabric(), budget=budget)
    assert len(outcome.steps) == n_steps - 1
    assert all(one > 0 for one in outcome.steps)
    assert outcome.preparation > 0
    assert outcome.validation == 0


@pytest.mark.parametrize(("steps", "n_timed"), [(0, 0), (1, 1), (2, 1), (3, 2)])
def test_a_run_may_be_shorter_than_a_probe(job, steps, n_timed):
    short = dataclasses.replace(job, plan=job.plan.model_copy(update={"steps": steps}))
    assert len(probe(short, fabric()).steps) == n_timed


def test_the_steps_are_those_of_the_run(potential, tmp_path):
    structures = labelled_for(potential, 6)
    probed, trained = (adapted_by("full", potential) for _ in range(2))
    probe(job_for(probed, structures, tmp_path, steps=5), fabric())
    train(trained, structures, tmp_path, steps=5)
    assert same_bits(tensors_of(probed), tensors_of(trained))
    assert not same_bits(tensors_of(probed), tensors_of(adapted_by("full", potential)))


def test_the_time_is_that_of_the_run(job, potential, tmp_path):
    probed = probe(job, fabric(), budget=1e9).steps
    outcome = train(adapted_by("full", potential), job.train, tmp_path, steps=200)
    ratio = outcome.seconds / outcome.n_steps / (sum(probed) / len(probed))
    assert 1 / FACTOR < ratio < FACTOR


def test_validation_is_timed_apart(job, potential):
    few, many = (
        probe(
            dataclasses.replace(job, validation=labelled_for(potential, 1) * n),
            fabric(),
            budget=0.0,
        ).validation
        for n in (10, 400)
    )
    assert 0 < few < many


def test_a_part_of_the_validation_stands_for_the_whole():
    silicon = bulk("Si", cubic=True)
    stream = Stream(name="a", head="a", train=(), validation=[silicon] * 100)
    part, share = _part(stream)
    assert len(part.validation) == 32
    assert share == pytest.approx(0.32)
    large = dataclasses.replace(stream, validation=[silicon.repeat(5)] * 2)
    assert (len(_part(large)[0].validation), _part(large)[1]) == (1, 0.5)


def test_the_largest_structures_are_tried(job):
    assert _heaviest(job) is None
    sizes = [bulk("Si").repeat(n) for n in (1, 3, 2, 4)]
    other = Stream(name="b", head="b", train=sizes, knobs=Knobs(ratio=0.5))
    mixed = dataclasses.replace(job, train=sizes, others=[other])
    heaviest = _heaviest(mixed)
    assert heaviest is not None
    assert [len(atoms) for atoms in heaviest.train] == [128, 54]
    assert [len(atoms) for atoms in heaviest.others[0].train] == [128]
    assert heaviest.plan.steps == 1


def test_several_processes_are_refused(job):
    class Two(Fabric):
        world_size = 2

    with pytest.raises(BadInputError, match="2 processes"):
        probe(job, Two(accelerator="cpu"))


@pytest.mark.parametrize(
    ("times", "steps", "warm_up"),
    [
        ([13.0, 14.0, 16.0], (1.0, 2.0), 1.5),
        ([11.0, 13.0], (2.0,), 0.0),
        ([11.0], (1.0,), 0.0),
        ([], (), 0.0),
    ],
)
def test_what_the_first_step_takes_longer_is_told_apart(times, steps, warm_up):
    watch = _Stopwatch(budget=0.0)
    watch.began, watch.times = 10.0, times
    assert watch.steps() == steps
    assert watch.warm_up() == warm_up
