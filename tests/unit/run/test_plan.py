"""What a plan adds up, and what it refuses, each against counting by hand."""

import dataclasses

import pytest
import torch
from ase.build import bulk

from atomgraft.core.errors import BadInputError
from atomgraft.core.specs import MAX_NAMED
from atomgraft.run.plan import MARGIN, _cost, _validations, hold_to
from atomgraft.training.probe import Probe
from tests.example_contract import make_terms
from tests.trials import adapted_by, in_precision, job_for


def cost(steps, **given):
    values = {"n_steps": 100, "n_validations": 4, "startup": 2.0, "graft_bytes": 8}
    probed = Probe(preparation=1.0, steps=steps, validation=0.5, peak_memory_mib=300.0)
    return _cost(probed, device=torch.device("cpu"), **(values | given))


def test_the_cost_is_the_sum_of_its_parts():
    found = cost((0.1, 0.1, 0.1))
    assert found.seconds == pytest.approx(2 + 1 + 4 * 0.5 + 100 * 0.1)
    assert found.startup_seconds == 3
    low, high = found.interval
    assert (low, high) == pytest.approx((3 + 12 * (1 - MARGIN), 3 + 12 * (1 + MARGIN)))


def test_the_interval_grows_with_the_spread():
    even, uneven = cost((0.1,) * 8), cost((0.02, 0.18) * 4)
    assert uneven.seconds == pytest.approx(even.seconds)
    assert uneven.interval[0] < even.interval[0]
    assert uneven.interval[1] > even.interval[1]


def test_without_steps_the_start_is_all():
    found = cost((), n_steps=0, n_validations=0)
    assert found.seconds == found.interval[0] == found.interval[1] == 3
    assert found.basis.startswith("0 steps timed on cpu")


@pytest.mark.parametrize("steps", [0, 1, 7, 20, 23])
@pytest.mark.parametrize("every", ["auto", 1, 5, 40])
@pytest.mark.parametrize("done", [0, 6, 20])
def test_validations_are_those_of_the_loop(steps, every, done, tmp_path):
    if done > steps:
        return
    potential = in_precision("pair:sw-si", torch.float64)
    plan = {"steps": steps, "validate_every": every}
    job = job_for(
        adapted_by("full", potential),
        [bulk("Si")],
        tmp_path,
        validation=[bulk("Si")],
        **plan,
    )
    interval = job.plan.validation_interval()
    by_hand = [
        step
        for step in range(done + 1, steps + 1)
        if step % interval == 0 or step == steps
    ]
    assert _validations(job, done) == len(by_hand)
    assert _validations(dataclasses.replace(job, validation=()), done) == 0


def test_the_same_terms_are_held_to():
    hold_to(make_terms(), make_terms())


def test_other_terms_are_refused_and_the_first_differences_named():
    other = make_terms().model_copy(update={"n_steps": 7})
    with pytest.raises(BadInputError, match=r"planned: n_steps was 200 and is 7\."):
        hold_to(make_terms(), other)
    spec = {f"key{i}": i for i in range(MAX_NAMED + 2)}
    terms = make_terms().model_copy(update={"spec": {}})
    other = terms.model_copy(update={"spec": spec})
    with pytest.raises(BadInputError, match="; and 2 more"):
        hold_to(terms, other)
