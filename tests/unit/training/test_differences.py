"""Steps on force differences: however a batch is cut or a run is stopped, the same."""

import dataclasses

import numpy as np
import pytest
import torch

from atomgraft.adaptation.axes import Axes, PseudoLabels, WholeWeights
from atomgraft.adaptation.base import HeadStart
from atomgraft.core.errors import BadInputError
from atomgraft.data.labels import forces_of, set_labels
from atomgraft.data.partners import DISPLACEMENT, find_partners, require_partners
from atomgraft.training.batches import TrainingSet
from atomgraft.training.loop import _Trainer, fit
from atomgraft.training.model import GraftedModule
from atomgraft.training.objective import (
    DIFFERENCES,
    Error,
    Residual,
    kind_of,
    mean_absolute_errors,
    reported,
)
from atomgraft.training.plan import Plan
from atomgraft.training.responses import needed_partners, with_differences
from atomgraft.training.streams import Stream, make_flows, units_of_flows
from tests.displaced import (
    NAME,
    along,
    displaced,
    forces_at,
    rest,
    symmetric_field,
)
from tests.trials import (
    Listener,
    adapted_by,
    fabric,
    in_precision,
    job_for,
    same_bits,
    tensors_of,
    train,
)

ROUNDING = 1e-10
"""Relative; pieces of a batch are added up in another order."""

HARDER = 1.5
"""Times the potential's response."""


def taught(u, harder=HARDER, extra=None):
    """Return a frame with a harder response above forces at rest."""
    forces = harder * (forces_at(u) - forces_at(-u)) / 2
    return displaced(u, forces=forces + (symmetric_field() if extra is None else extra))


def crowd():
    """Return frames of every kind: paired, mirrored, at rest, and one as it is."""
    strange = taught(along(0))
    del strange.arrays[DISPLACEMENT]
    moves = [along(2), along(0), -along(2), along(2, atom=4), 0 * along(0)]
    return [*map(taught, moves), strange]


def grown(recipe="full", **options):
    return adapted_by(recipe, in_precision(NAME, torch.float64), **options)


def trainer(adapted, frames, folder, **options):
    job = job_for(adapted, frames, folder, **options)
    return _Trainer(job, fabric(), options.get("observer") or Listener())


def gradients_of(frames, folder, *, size=6, **options):
    """Return loss and gradients of the first step, `size` structures at a time."""
    adapted = grown()
    plan = {"batch_size": len(frames), "clip": None} | options
    one = trainer(adapted, frames, folder, **plan)
    state = one._begin()
    [flow] = one.flows
    indices = one._indices(flow, 0)
    loss = one._backward_in_pieces(flow, indices, size, state, is_last=True)
    found = adapted.movement.named_trainables()
    return loss, {name: tensor.grad.clone() for name, tensor in found.items()}


def is_close(one, other):
    return all(torch.allclose(one[k], other[k], rtol=ROUNDING, atol=0) for k in one)


# --- one step


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_pieces_of_a_batch_add_up_whoever_is_cut_from_its_partner(size, tmp_path):
    whole, gradients = gradients_of(crowd(), tmp_path / "whole")
    loss, pieces = gradients_of(crowd(), tmp_path / "cut", size=size)
    assert loss == pytest.approx(whole, rel=ROUNDING)
    assert is_close(pieces, gradients)
    assert all(one.any() for one in gradients.values())


def test_memory_that_runs_out_with_partners_costs_nothing_but_time(
    tmp_path, monkeypatch
):
    """Partners are in the graph, so that a batch of three is a graph of four."""
    frames = crowd()
    loss, expected = gradients_of(frames, tmp_path / "whole")
    forward, sizes = GraftedModule.forward, []

    def limited(module, fields, stream):
        sizes.append(len(fields[2]))
        if torch.is_grad_enabled() and sizes[-1] > 3:
            raise MemoryError
        return forward(module, fields, stream)

    monkeypatch.setattr(GraftedModule, "forward", limited)
    adapted = grown()
    plan = {"batch_size": len(frames), "clip": None}
    one = trainer(adapted, frames, tmp_path / "short", **plan)
    assert one._backward_of_streams(one._begin()) == pytest.approx(loss, rel=ROUNDING)
    found = adapted.movement.named_trainables()
    assert is_close({name: tensor.grad for name, tensor in found.items()}, expected)
    assert one.n_split >= 1
    assert max(sizes) >= len(frames)


def test_forces_at_rest_do_not_move_a_weight(tmp_path):
    """Neither of the labels, nor in loss or gradient, to rounding."""
    moves = [along(2), -along(2), along(0), along(1, atom=3)]
    plain = [taught(u, extra=0 * along(0)) for u in moves]
    shifted = [taught(u, extra=3 * symmetric_field()) for u in moves]
    loss, gradients = gradients_of(plain, tmp_path / "plain")
    other, moved = gradients_of(shifted, tmp_path / "shifted")
    assert other == pytest.approx(loss, rel=1e-8)
    assert all(torch.allclose(moved[k], gradients[k], rtol=1e-7) for k in moved)
    naive, control = gradients_of(shifted, tmp_path / "never", differences="never")
    assert naive != pytest.approx(loss, rel=0.01)
    assert not any(torch.allclose(control[k], gradients[k], rtol=0.01) for k in moved)


def test_never_is_as_if_nobody_had_said_what_was_displaced(tmp_path):
    bare = crowd()
    for atoms in bare:
        atoms.arrays.pop(DISPLACEMENT, None)
    loss, gradients = gradients_of(crowd(), tmp_path / "never", differences="never")
    other, unsaid = gradients_of(bare, tmp_path / "bare")
    assert loss == other
    assert same_bits(gradients, unsaid)
    auto, _ = gradients_of(crowd(), tmp_path / "auto")
    assert auto != loss


def test_the_order_of_frames_in_the_file_is_no_matter(tmp_path):
    """All six are one batch, so that only the order of sums differs."""
    frames = crowd()
    loss, gradients = gradients_of(frames, tmp_path / "one")
    other, turned = gradients_of(frames[::-1], tmp_path / "other")
    assert other == pytest.approx(loss, rel=ROUNDING)
    assert is_close(turned, gradients)


# --- a run


@pytest.mark.parametrize("stop", [1, 3])
def test_a_run_that_stopped_between_partners_goes_on_to_the_same_bits(stop, tmp_path):
    options = {"steps": 5, "batch_size": 2, "checkpoint_every": 2, "rate": 1e-2}
    whole, stopped, resumed = (grown() for _ in range(3))
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    train(whole, crowd(), tmp_path / "whole", **options)
    one = trainer(stopped, crowd(), tmp_path / "stopped", **options)
    step = one._step

    def dies(state):
        if state.step == stop:
            raise KeyboardInterrupt
        step(state)

    one._step = dies
    with pytest.raises(KeyboardInterrupt):
        one.run()
    assert train(resumed, crowd(), tmp_path / "stopped", **options).is_complete
    assert same_bits(tensors_of(resumed), tensors_of(whole))
    assert not same_bits(tensors_of(whole), tensors_of(grown()))


@pytest.mark.parametrize(("mode", "is_content"), [("auto", True), ("never", False)])
def test_a_base_that_responds_as_the_labels_do_has_no_loss(mode, is_content, tmp_path):
    """Its forces at rest are wrong by 0.3 eV/Å; differences do not see them."""
    frames = [taught(u, harder=1.0) for u in (along(0), along(2), -along(2))]
    listener = Listener()
    options = {"differences": mode, "steps": 1, "clip": None}
    train(grown(), frames, tmp_path, observer=listener, **options)
    loss = listener.records[0]["loss"]
    assert (loss < 1e-7) == is_content
    assert (loss > 1e-2) != is_content


# --- streams


def streams_of(target, other, *, is_rehearsal=False):
    name = "memory" if is_rehearsal else "pbe"
    return [
        Stream(name="target", head="target", train=target),
        Stream(
            name=name,
            head="source" if is_rehearsal else "pbe",
            train=other,
            validation=other,
            is_rehearsal=is_rehearsal,
        ),
    ]


def with_two_heads():
    """Return an adaptation with a further head and with the source's."""
    axes = Axes(moves=WholeWeights(), rehearses=PseudoLabels(own_readout=False))
    base = in_precision(NAME, torch.float64)
    return adapted_by(axes, base, heads={"pbe": HeadStart()})


@pytest.mark.parametrize("is_rehearsal", [True, False])
def test_rehearsed_frames_never_train_as_differences(is_rehearsal):
    """What is rehearsed says how the source is, forces at rest included."""
    frames = [taught(along(0)), taught(along(2)), taught(-along(2))]
    streams = streams_of(frames, frames, is_rehearsal=is_rehearsal)
    plan = Plan(batch_size=2, steps=2)
    target, other = make_flows(streams, plan, with_two_heads())
    assert [one.kind for one in target.train.partners] == [
        "symmetry", "opposite", "opposite",
    ]  # fmt: skip
    for data in (other.train, other.validation):
        has = [one is not None for one in data.partners]
        assert has == [not is_rehearsal] * 3
        _, targets = data.batch([0, 1])
        assert (targets.response is None) == is_rehearsal
    if is_rehearsal:
        _, targets = other.train.batch([0])
        assert np.array_equal(targets.forces.numpy(), forces_of(frames[0]))


def test_each_stream_finds_its_partners_among_its_own():
    """The opposite frame in another stream is of another level of theory."""
    streams = streams_of([taught(along(2))], [taught(-along(2)), taught(along(0))])
    plan = Plan(batch_size=1, steps=1)
    target, other = make_flows(streams, plan, with_two_heads())
    assert target.train.partners == [None]
    assert [one and one.kind for one in other.train.partners] == [None, "symmetry"]


def test_units_of_differences_belong_to_the_stream_that_has_them():
    plain = taught(along(0))
    del plain.arrays[DISPLACEMENT]
    adapted = with_two_heads()
    streams = streams_of([plain], [taught(along(0)), taught(along(1))])
    flows = make_flows(streams, Plan(batch_size=1, steps=1), adapted)
    scales = units_of_flows(flows, adapted, 0)
    assert DIFFERENCES not in scales["target"]
    label = HARDER * (forces_at(along(0)) - forces_at(-along(0))) / 2
    size = float(np.sqrt(np.mean(label**2)))
    assert scales["pbe"][DIFFERENCES] == pytest.approx(size, rel=1e-6)
    assert scales["target"]["forces"] > 10 * size


def test_a_run_with_one_displaced_head_ends_and_tells_its_errors(tmp_path):
    plain = taught(along(0))
    del plain.arrays[DISPLACEMENT]
    adapted = with_two_heads()
    listener = Listener()
    job = job_for(adapted, [plain, plain], tmp_path, steps=2, validate_every=1)
    other = streams_of([], [taught(along(0)), taught(along(1))])[1]
    job = dataclasses.replace(job, others=(other,), validation=(plain,))
    assert fit(job, fabric(), listener).is_complete
    told = listener.records[-1]["validation"]
    assert f"pbe/{DIFFERENCES}" in told
    assert "pbe/forces" not in told


# --- sets


def test_a_batch_holds_each_partner_once_and_behind():
    frames = crowd()
    data = TrainingSet(
        frames, 3.0, dtype=torch.float64, partners=find_partners(frames, "auto")
    )
    graph, targets = data.batch([0, 3])
    assert needed_partners([0, 3], data.partners) == [2, 4]
    assert len(graph.numbers) == 4 * 16
    assert len(targets.forces) == 2 * 16
    _, both = data.batch([0, 2])
    assert len(data.batch([0, 2])[0].numbers) == 2 * 16
    first, second = both.forces[:16], both.forces[16:]
    assert torch.allclose(first, -second, atol=1e-12)


@pytest.mark.parametrize("max_atoms", [16, 33, 64, 200])
def test_groups_hold_everybody_once_in_order(max_atoms):
    frames = crowd()
    data = TrainingSet(
        frames, 3.0, dtype=torch.float64, partners=find_partners(frames, "auto")
    )
    groups = data.groups(range(6), max_atoms)
    assert [i for group in groups for i in group] == list(range(6))
    for group in groups:
        n_atoms = len(data.batch(group)[0].numbers)
        assert n_atoms <= max_atoms or len(group) == 1


def test_labels_of_the_caller_are_left_as_they_are():
    frames = crowd()
    before = [forces_of(one).copy() for one in frames]
    changed = with_differences(frames, find_partners(frames, "auto"))
    for atoms, forces in zip(frames, before, strict=True):
        assert np.array_equal(forces_of(atoms), forces)
    assert changed[5] is frames[5]
    assert np.isnan(forces_of(changed[4])).all()
    assert np.abs(forces_of(changed[0])).max() < 0.1 < np.abs(before[0]).max()


def test_required_says_which_frame_stands_alone():
    frames = [taught(along(0)), taught(along(2)), taught(along(2, atom=4))]
    for i, atoms in enumerate(frames):
        atoms.info["source"] = f"phonopy.yaml, displacement {i + 1}"
    with pytest.raises(BadInputError) as caught:
        require_partners(frames, find_partners(frames, "required"))
    text = str(caught.value)
    assert "2 of 3 structures" in text
    assert "phonopy.yaml, displacement 2" in text
    assert "displacement 1" not in text
    at_rest = [*frames, taught(0 * along(0))]
    require_partners(at_rest, find_partners(at_rest, "required"))


def test_frames_with_energies_alone_need_no_partner():
    atoms = rest()
    set_labels(atoms, energy=-1.0)
    require_partners([atoms], find_partners([atoms], "required"))


# --- errors by name


def test_means_are_over_labels_and_shares_over_forces():
    def some(values, present=None):
        value = torch.tensor(values, dtype=torch.float64)[:, None]
        seen = torch.ones_like(value, dtype=torch.bool)
        if present is not None:
            seen[:, 0] = torch.tensor(present)
        return Residual(value, seen)

    found = mean_absolute_errors(
        [
            {"energy": some([2.0, -4.0]), "forces": some([1.0])},
            {"forces": some([]), DIFFERENCES: some([-3.0, 5.0, 9.0], [1, 1, 0])},
            {"stress": some([7.0], [0])},
        ]
    )
    assert found == {
        "energy": Error(mean=3.0, share=1.0),
        "forces": Error(mean=1.0, share=1 / 3),
        DIFFERENCES: Error(mean=4.0, share=2 / 3),
    }


def test_reports_name_the_head_and_use_its_units():
    one = {DIFFERENCES: Error(mean=0.002, share=1.0)}
    found = reported({"target": one, "pbe": one})
    assert found == pytest.approx({DIFFERENCES: 2.0, f"pbe/{DIFFERENCES}": 2.0})
    assert kind_of(DIFFERENCES) is kind_of("forces")


def test_an_unknown_error_has_no_kind():
    with pytest.raises(ValueError, match="dipoles"):
        kind_of("dipoles")
