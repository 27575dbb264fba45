"""Checks of an adaptation: how it starts, what moves and what stays."""

import numpy as np

from atomgraft.adaptation.movement import coverage
from atomgraft.models.prediction import predict
from atomgraft.testing.adaptation_trials import (
    AdaptationTrial,
    differing,
    elements_of,
    moved_weights,
    trained_tensors,
    weights_of,
    without_elements,
)
from atomgraft.testing.measuring import energies_of, graph_of, measure
from atomgraft.testing.tolerances import Tolerances, assert_close


def check_step_0_is_the_start(trial: AdaptationTrial, tolerances: Tolerances) -> None:
    """Require the source's weights, to the last bit, before the first step.

    Fresh weights are their own start: they must not be the source's, and the same
    seed must draw the same.
    """
    merged = weights_of(trial.before.merged())
    is_fresh = trial.axes.starts.weights == "fresh"
    expected = trial.start().potential if is_fresh else trial.source
    if changed := differing(merged, weights_of(expected)):
        raise AssertionError(f"before the first step {', '.join(changed)} differ")
    if is_fresh and not differing(merged, weights_of(trial.source)):
        raise AssertionError("fresh weights are those of the source")


def check_shifts_are_declared(trial: AdaptationTrial, tolerances: Tolerances) -> None:
    """Require that shifted reference energies shift energies and nothing else."""
    shifts = {number: 0.5 + 0.01 * number for number in _numbers(trial)}
    adapted = trial.start(shifts)
    if dict(adapted.reference_shifts) != shifts:
        raise AssertionError(f"{adapted.reference_shifts} are declared for {shifts}")
    before = measure(trial.before.potential, trial.train)
    after = measure(adapted.merged(), trial.train)
    gained = [sum(shifts[one] for one in atoms.numbers) for atoms in trial.train]
    assert_close(
        "energies gained by reference shifts, eV",
        [two.energy - one.energy for one, two in zip(before, after, strict=True)],
        gained,
        tolerances.round_off,
    )
    for one, two in zip(before, after, strict=True):
        assert_close("forces, eV/Å", two.forces, one.forces, tolerances.round_off)


def _numbers(trial: AdaptationTrial) -> list[int]:
    return sorted({int(one) for atoms in trial.train for one in atoms.numbers})


def check_frozen_weights_stay(trial: AdaptationTrial, tolerances: Tolerances) -> None:
    """Require that training changes nothing but what is said to move."""
    adapted, start = trial.after, weights_of(trial.before.potential)
    if trial.source.weights_hash() != trial.source_hash:
        raise AssertionError("the source is no longer what it was")
    if touched := differing(weights_of(adapted.potential), start):
        raise AssertionError(f"training changed what is frozen: {', '.join(touched)}")
    moving = adapted.movement.weights().keys()
    changed = set(differing(weights_of(adapted.merged()), start))
    if undeclared := sorted(changed - moving):
        raise AssertionError(f"{', '.join(undeclared)} moved and are not declared")


def check_declared_numbers_are_trained(
    trial: AdaptationTrial, tolerances: Tolerances
) -> None:
    """Require that what is declared, named and trained are the same numbers."""
    adapted = trial.before
    rows = coverage(adapted.potential, adapted.movement)
    trained = [one for one in adapted.movement.parameters() if one.requires_grad]
    counts = {
        "declared": sum(row.n_trainable for row in rows),
        "named": sum(
            one.numel() for one in adapted.movement.named_trainables().values()
        ),
        "trained": sum(one.numel() for one in trained),
    }
    if len(set(counts.values())) > 1 or not counts["trained"]:
        raise AssertionError(f"these numbers are not the same: {counts}")
    loose = [
        name
        for name, one in adapted.potential.module.named_parameters()
        if one.requires_grad
    ]
    if loose:
        raise AssertionError(f"the source is not frozen: {', '.join(loose)}")


def check_everything_trained_moves(
    trial: AdaptationTrial, tolerances: Tolerances
) -> None:
    """Require that training changes every tensor and every weight that is declared."""
    before, after = trained_tensors(trial.before), trained_tensors(trial.after)
    if asleep := sorted(before.keys() - set(differing(after, before))):
        raise AssertionError(f"training leaves {', '.join(asleep)} as they are")
    moved = set(differing(moved_weights(trial.after), moved_weights(trial.before)))
    if asleep := sorted(trial.after.movement.weights().keys() - moved):
        raise AssertionError(f"{', '.join(asleep)} are declared and do not move")


def check_merged_is_adapted(trial: AdaptationTrial, tolerances: Tolerances) -> None:
    """Require the same predictions with the graft merged and beside."""
    adapted, merged = trial.after, trial.after.merged()
    graph = graph_of(adapted.potential, trial.train)
    weights = moved_weights(adapted)
    if away := differing(weights_of(merged), weights):
        raise AssertionError(f"merging changes {', '.join(away)}")
    beside, inside = (
        predict(adapted.potential, graph, weights=weights),
        predict(merged, graph),
    )
    for field in ("energy", "forces", "stress"):
        got, expected = getattr(inside, field), getattr(beside, field)
        assert_close(f"{field}, merged", got, expected, tolerances.round_off)
    if np.array_equal(
        energies_of(merged, trial.train),
        energies_of(trial.before.potential, trial.train),
    ):
        raise AssertionError("merging gives back the energies of the start")


def check_absent_elements_stay(trial: AdaptationTrial, tolerances: Tolerances) -> None:
    """Require the same bits in every row of an element that no structure holds.

    Other rows must move; a potential that knows one element has nothing to compare.
    """
    kept, *absent = sorted(elements_of(trial.train))
    if not absent:
        return
    alone = without_elements(trial, kept)
    start, end = weights_of(alone.before.potential), moved_weights(alone.after)
    n_moved = 0
    for name in alone.after.movement.weights():
        change = end[name] - start[name]
        for block in trial.source.blocks(name):
            moved = block.matrix(change).ne(0).any(1).tolist()
            keys = block.row_keys or (0,) * block.rows
            n_moved += sum(moved)
            for row, key in enumerate(keys):
                if moved[row] and key in absent:
                    raise AssertionError(
                        f"row {row} of {name} belongs to the element {key}, which no "
                        "training structure holds, and it moved"
                    )
    if not n_moved:
        raise AssertionError("training on one element moves nothing")
