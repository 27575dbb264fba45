"""Which structures a step sees: all of them once an epoch, by seed and step alone."""

import torch
from ase import Atoms
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.training.batches import TrainingSet, indices_of_step
from tests.unit.evaluation.builders import labelled_crystals

small = st.integers(min_value=1, max_value=12)


@given(small, small, st.integers(min_value=0, max_value=99))
def test_every_structure_comes_once_an_epoch(batch, n, seed):
    n_steps = n  # n steps of `batch` are `batch` epochs
    seen = [i for s in range(n_steps) for i in indices_of_step(s, batch, n, seed)]
    assert len(seen) == batch * n
    for epoch in range(batch):
        assert sorted(seen[epoch * n : (epoch + 1) * n]) == list(range(n))


@given(small, small, st.integers(min_value=0, max_value=10_000))
def test_a_step_is_a_function_of_seed_and_step(batch, n, step):
    assert indices_of_step(step, batch, n, 0) == indices_of_step(step, batch, n, 0)


def test_seeds_and_epochs_differ():
    first = indices_of_step(0, 10, 10, 0)
    assert first != indices_of_step(0, 10, 10, 1)
    assert first != indices_of_step(1, 10, 10, 0)


def test_a_batch_holds_the_chosen_structures_and_their_labels():
    structures = labelled_crystals(4)
    data = TrainingSet(structures, 3.0, dtype=torch.float64)
    graph, targets = data.batch([2, 0])
    assert len(data) == 4
    expected = [structures[2].numbers, structures[0].numbers]
    assert graph.numbers.tolist() == [int(Z) for one in expected for Z in one]
    assert targets.energy.tolist() == [
        structures[i].info["REF_energy"] / 2 for i in (2, 0)
    ]
    assert targets.owner.tolist() == [0, 0, 1, 1]


def test_groups_hold_everything_within_their_bound():
    sizes = [3, 5, 1, 9, 2, 2]
    structures = [Atoms("H" * n, positions=[[9.0 * i, 0, 0] for i in range(n)])
                  for n in sizes]  # fmt: skip
    groups = TrainingSet(structures, 1.0, dtype=torch.float32).groups(
        range(len(structures)), 6
    )
    assert [i for group in groups for i in group] == list(range(len(sizes)))
    totals = [sum(sizes[i] for i in group) for group in groups]
    assert all(total <= 6 or len(groups[j]) == 1 for j, total in enumerate(totals))
    assert TrainingSet([], 1.0, dtype=torch.float32).groups([], 6) == []
