"""Training leaves the weights of what the data do not hold as they are."""

import dataclasses
import functools

import pytest
import torch

from atomgraft.adaptation.axes import (
    SOURCE,
    TARGET,
    Axes,
    LowRankDeltas,
    PseudoLabels,
    WholeWeights,
)
from atomgraft.adaptation.base import HeadStart, adapt_potential
from atomgraft.adaptation.graft import GraftCard, load_graft, write_graft
from atomgraft.core.errors import BadInputError
from atomgraft.models.loading import load_potential
from atomgraft.models.prediction import predict_structures
from atomgraft.testing import ADAPTER_CHECKS, Tolerances, structures_for
from atomgraft.training.checkpoint import read_state, write_state
from atomgraft.training.streams import Stream
from tests.mace_models import potential as mace_model
from tests.trials import (
    NEEDS_SEVENN,
    PINS,
    fabric,
    job_for,
    labelled_for,
    tensors_of,
)

THIN = LowRankDeltas(rank=1)
"""Of rank one even the small matrices of these models are products of thin ones."""


@functools.cache
def sevennet(self_connection="linear"):
    """Return a small SevenNet; "nequip" mixes features by element, as MACE does."""
    from atomgraft.models.sevennet import files

    original = files._preset_config

    def config(*given):
        return {**original(*given), "self_connection_type": self_connection}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_preset_config", config)
        found = load_potential("sevennet:tiny:O,Si,Ge")
    return found.clone(dtype=torch.float64)


@functools.cache
def multi_fidelity():
    return load_potential("7net-mf-0", head="PBE")


MODELS = {
    "sevennet": sevennet,
    "sevennet, nequip": lambda: sevennet("nequip"),
    "mace": mace_model,
    "mace, nonlinear": lambda: mace_model("nonlinear"),
}
NAMES = [
    pytest.param(name, marks=NEEDS_SEVENN if "seven" in name else pytest.mark.mace)
    for name in MODELS
]


def silicon(potential):
    """Return labelled frames that hold silicon alone."""
    frames = labelled_for(potential)
    for atoms in frames:
        atoms.numbers[:] = 14
    return frames


def adapted_to(potential, elements, moves=THIN, **axes):
    given = Axes(moves=moves, **axes)
    return adapt_potential(
        potential, given, reference_shifts={}, seed=0, elements=elements
    )


def trained(adapted, frames, folder, *, others=(), **plan):
    """Train a few steps with everything that could move a weight."""
    from atomgraft.training.loop import fit

    folder.mkdir(exist_ok=True)
    given = {"steps": 4, "weight_decay": 0.1, "clip": 0.1, **plan}
    job = job_for(adapted, frames, folder, **given)
    fit(dataclasses.replace(job, others=others), fabric())
    return adapted


def rows_moved(adapted, keys):
    """Return how many rows of these keys there are, and how many moved."""
    before = adapted.potential
    after = adapted.movement.weights()
    n_rows = n_moved = 0
    for name, value in after.items():
        change = (value - before.module.get_parameter(name)).detach()
        for block in before.blocks(name):
            rows = [i for i, key in enumerate(block.row_keys) if key in keys]
            moved = block.matrix(change).ne(0).any(1)[rows]
            n_rows, n_moved = n_rows + len(rows), n_moved + int(moved.sum())
    return n_rows, n_moved


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_absent_elements_keep_their_bits(name, tmp_path):
    potential = MODELS[name]()
    adapted = adapted_to(potential, {TARGET: {14}})
    trained(adapted, silicon(potential), tmp_path)
    n_present, n_moved = rows_moved(adapted, {14})
    assert n_moved == n_present > 0
    n_absent, n_moved = rows_moved(adapted, {8, 32})
    assert n_absent == 2 * n_present
    assert n_moved == 0


@pytest.mark.parametrize("name", NAMES)
def test_they_would_move_with_the_others(name, tmp_path):
    """The negative control: A random in every row, B shared."""
    potential = MODELS[name]()
    adapted = trained(adapted_to(potential, None), silicon(potential), tmp_path)
    _, n_moved = rows_moved(adapted, {8, 32})
    assert n_moved > 0


@pytest.mark.parametrize("name", NAMES)
def test_the_fit_is_the_same_to_the_last_bit(name, tmp_path):
    potential = MODELS[name]()
    frames = silicon(potential)
    one, other = (
        trained(adapted_to(potential, elements), frames, tmp_path / str(i)).merged()
        for i, elements in enumerate([{TARGET: {14}}, None])
    )
    for left, right in zip(
        predict_structures(one, frames), predict_structures(other, frames), strict=True
    ):
        assert left.energy == right.energy
        assert (left.forces == right.forces).all()
    [left], [right] = (
        predict_structures(model, [structures_for(potential).crystal])
        for model in (one, other)
    )
    assert left.energy != right.energy  # it holds germanium


@NEEDS_SEVENN
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("moves", [WholeWeights(), LowRankDeltas(rank=4)])
def test_what_moves_whole_needs_no_care(moves, weight_decay, tmp_path):
    potential = sevennet()
    frames = silicon(potential)
    adapted = adapted_to(potential, None, moves)
    trained(adapted, frames, tmp_path, weight_decay=weight_decay)
    assert rows_moved(adapted, {14})[1] > 0
    assert rows_moved(adapted, {8, 32})[1] == 0


@NEEDS_SEVENN
def test_rehearsed_elements_are_present(tmp_path):
    potential = sevennet()
    rehearsed = labelled_for(potential)
    for atoms in rehearsed:
        atoms.numbers[:] = 32
    adapted = adapted_to(
        potential, {TARGET: {14}, SOURCE: {32}}, rehearses=PseudoLabels()
    )
    stream = Stream(name="rehearsal", head=SOURCE, train=rehearsed, is_rehearsal=True)
    trained(adapted, silicon(potential), tmp_path, others=(stream,))
    for present in (14, 32):
        n_rows, n_moved = rows_moved(adapted, {present})
        assert n_moved == n_rows > 0
    assert rows_moved(adapted, {8})[1] == 0


def zero_rows(adapted, part):
    """Return the keys of the embedding's rows of A that start at zero."""
    name = adapted.potential.parameters_of("embedding")[0]
    [block] = adapted.potential.blocks(name)
    first = tensors_of(adapted)[f"{part}{name}.0.A"]
    still = first.eq(0).all(1).tolist()
    return {key for key, is_zero in zip(block.row_keys, still, strict=True) if is_zero}


@NEEDS_SEVENN
def test_what_a_head_owns_sees_its_own_data_alone():
    axes = Axes(moves=THIN, owns=THIN, rehearses=PseudoLabels())
    adapted = adapt_potential(
        sevennet(),
        axes,
        reference_shifts={},
        seed=0,
        heads={"pbe": HeadStart()},
        elements={TARGET: {14}, "pbe": {32}, SOURCE: {8}},
    )
    assert zero_rows(adapted, "") == set()
    assert zero_rows(adapted, "pbe/") == {8, 14}
    # what is rehearsed has no weights of its own and is seen through the target's
    assert zero_rows(adapted, f"{TARGET}/") == {32}


@NEEDS_SEVENN
@pytest.mark.parametrize("elements", [{TARGET: {14}}, None])
def test_a_graft_brings_its_rows_with_it(elements, tmp_path):
    """Also one of an earlier version, whose absent rows are not zero."""
    potential = sevennet()
    adapted = adapted_to(potential, elements)
    trained(adapted, silicon(potential), tmp_path)
    card = GraftCard(
        base="tiny",
        base_hash=potential.weights_hash(),
        head=None,
        licence="yours",
        axes=adapted.axes.model_dump(mode="json"),
        seed=0,
        reference_shifts={},
        elements=("Si",),
        data_fingerprint="",
        dtype="float64",
    )
    write_graft(tmp_path / "graft.safetensors", adapted, card)
    again = load_graft(tmp_path / "graft.safetensors", potential)
    for name, value in adapted.movement.weights().items():
        assert torch.equal(value, again.movement.weights()[name])


@NEEDS_SEVENN
@pytest.mark.parametrize(
    "make",
    [lambda: sevennet("nequip"), multi_fidelity],
    ids=["products", "modalities"],
)
def test_one_hot_inputs_are_named(make):
    """Of elements in products, and of the modalities of a multi-fidelity model."""
    potential = make()
    names = {
        key
        for name, _ in potential.module.named_parameters()
        for block in potential.blocks(name)
        for key in block.row_keys
    }
    assert names == {*potential.elements, *potential.heads}
    ADAPTER_CHECKS["row_keys"](potential, structures_for(potential), Tolerances())


@NEEDS_SEVENN
def test_other_modalities_keep_their_bits(tmp_path):
    potential = multi_fidelity()
    frames = silicon(potential)[:1]
    adapted = adapted_to(potential, {TARGET: {14}})
    trained(adapted, frames, tmp_path, steps=2)
    assert rows_moved(adapted, {"PBE"})[1] > 0
    others = set(potential.heads) - {"PBE"}
    n_rows, n_moved = rows_moved(adapted, others)
    assert n_rows > 0
    assert n_moved == 0


@pytest.mark.mace
def test_a_checkpoint_with_turned_deltas_is_refused(tmp_path):
    """One of an earlier version, of a model whose dense layers are torch's."""
    potential = mace_model("nonlinear")
    adapted = adapted_to(potential, {TARGET: {14}})
    trained(adapted, silicon(potential), tmp_path, steps=1)
    state = read_state(tmp_path, PINS)
    write_state(tmp_path, dataclasses.replace(state, layout=1))
    with pytest.raises(BadInputError, match="--fresh"):
        trained(adapted, silicon(potential), tmp_path, steps=2)
