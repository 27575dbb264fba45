"""The graft file: comes back to the last bit, and only on the base it grew on."""

import dataclasses
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from atomgraft.adaptation.graft import (
    CARD_KEY,
    FORMAT,
    GRAFT,
    GraftCard,
    load_graft,
    read_card,
    write_errors,
    write_graft,
)
from atomgraft.adaptation.recipes import RECIPES
from atomgraft.core.errors import BadInputError, StorageError
from atomgraft.core.seeding import torch_generator
from atomgraft.models.base import weights_fingerprint
from tests.mace_models import potential as mace_model
from tests.trials import NEEDS_SEVENN, adapted_by, loaded, same_bits, tensors_of

BASE = "pair:sw-sige"


def moved(recipe, base, *, dtype=torch.float64, shifts=None):
    adapted = adapted_by(recipe, base.clone(dtype=dtype), shifts=shifts)
    generator = torch_generator(0, "moved")
    with torch.no_grad():
        for one in adapted.movement.named_trainables().values():
            step = torch.randn(one.shape, generator=generator, dtype=one.dtype)
            one.add_(0.01 * step)
    return adapted


def card_of(recipe, base, *, dtype="float64", shifts=None):
    return GraftCard(
        base=base.card.name,
        base_hash=base.weights_hash(),
        head=None,
        licence="MIT",
        axes=RECIPES[recipe].axes.model_dump(mode="json"),
        seed=0,
        reference_shifts=shifts or {},
        elements=("Si",),
        data_fingerprint="0" * 64,
        dtype=dtype,
    )


@pytest.fixture
def graft(tmp_path):
    base = loaded(BASE)
    path = tmp_path / GRAFT
    write_graft(path, moved("lora", base), card_of("lora", base))
    return path


@pytest.mark.parametrize("recipe", list(RECIPES))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_comes_back_to_the_last_bit(recipe, dtype, tmp_path):
    base = loaded(BASE)
    shifts = {14: 0.25, 32: -1.5}
    adapted = moved(recipe, base, dtype=getattr(torch, dtype), shifts=shifts)
    card = card_of(recipe, base, dtype=dtype, shifts={"Si": 0.25, "Ge": -1.5})
    size = write_graft(tmp_path / GRAFT, adapted, card)
    assert (tmp_path / GRAFT).stat().st_size == size
    assert read_card(tmp_path / GRAFT) == card
    again = load_graft(tmp_path / GRAFT, base)
    assert same_bits(tensors_of(again), tensors_of(adapted))
    assert again.merged().weights_hash() == adapted.merged().weights_hash()


@pytest.mark.mace
def test_a_graft_of_format_2_keeps_its_weights(tmp_path):
    """Then A stood at the outputs of matrices stored as outputs by inputs."""
    base = mace_model("nonlinear")
    adapted = moved("lora", base)
    turned = sorted(adapted.movement.transposed())
    tensors, expected = tensors_of(adapted), {}
    for name in turned:
        parameter, _, _ = name.rpartition(".")
        source = base.module.get_parameter(parameter).detach()
        n_out, n_in = source.shape
        thin = 4 * (n_in + n_out) < source.numel()
        generator = torch_generator(0, name)
        shapes = {"A": (n_out, 4), "B": (4, n_in)} if thin else {"B": (n_out, n_in)}
        old = {
            f"{name}.{leaf}": torch.randn(shape, generator=generator).double()
            for leaf, shape in shapes.items()
        }
        tensors |= old
        first, *rest = old.values()
        delta = first @ rest[0] if rest else first
        expected[parameter] = source + delta / n_in**0.5
    document = dataclasses.asdict(card_of("lora", base))
    document |= {"format": 2, "head": base.card.head}
    save_file(tensors, tmp_path / GRAFT, metadata={CARD_KEY: json.dumps(document)})
    weights = load_graft(tmp_path / GRAFT, base).movement.weights()
    assert expected
    for parameter, value in expected.items():
        assert torch.allclose(weights[parameter], value, rtol=1e-12, atol=1e-12)


def test_errors_on_the_card_leave_the_format_as_it_is(graft):
    tensors, card = load_file(graft), read_card(graft)
    document = dataclasses.asdict(card) | {"format": 2}
    save_file(tensors, graft, metadata={CARD_KEY: json.dumps(document)})
    write_errors(graft, {"forces": 1.0})
    with safe_open(graft, framework="pt") as stream:
        written = json.loads(stream.metadata()[CARD_KEY])
    assert (written["format"], written["errors"]) == (2, {"forces": 1.0})


@NEEDS_SEVENN
def test_a_graft_of_7net_0_is_small(tmp_path):
    base = loaded("7net-0")
    adapted = moved("lora", base, dtype=torch.float32)
    card = card_of("lora", base, dtype="float32")
    size = write_graft(tmp_path / GRAFT, adapted, card)
    base_bytes = sum(4 * one.numel() for one in base.module.parameters())
    assert size < 0.1 * base_bytes
    again = load_graft(tmp_path / GRAFT, base)
    assert again.merged().weights_hash() == adapted.merged().weights_hash()


def test_the_card_says_what_the_file_is(graft):
    with safe_open(graft, framework="pt") as stream:
        document = json.loads(stream.metadata()[CARD_KEY])
    assert document["format"] == FORMAT
    assert document["base"] == BASE
    assert document["licence"] == "MIT"


def test_other_weights_are_refused(graft):
    other = loaded(BASE).clone()
    with torch.no_grad():
        next(other.module.parameters())[0] += 1e-12
    with pytest.raises(BadInputError, match="was trained on pair:sw-sige"):
        load_graft(graft, other)


def test_another_model_is_refused(graft):
    with pytest.raises(BadInputError, match="was trained on"):
        load_graft(graft, loaded("pair:sw-si"))


def test_a_folder_that_is_not_there_is_a_storage_error(tmp_path):
    base = loaded(BASE)
    with pytest.raises(StorageError):
        write_graft(tmp_path / "no" / GRAFT, moved("lora", base), card_of("lora", base))


ABSENT = object()


def rewritten(path, *, tensors=None, **changes):
    """Write the file again with other tensors or another card."""
    with safe_open(path, framework="pt") as stream:
        document = json.loads(stream.metadata()[CARD_KEY]) | changes
    document = {key: one for key, one in document.items() if one is not ABSENT}
    kept = load_file(path) if tensors is None else tensors(load_file(path))
    save_file(kept, path, {CARD_KEY: json.dumps(document)})


def without_first(tensors):
    return dict(list(tensors.items())[1:])


def with_one_more(tensors):
    return tensors | {"extra": torch.zeros(1)}


def of_one_number(tensors):
    """Shapes that would broadcast, were they not looked at."""
    return {name: torch.zeros(1, dtype=torch.float64) for name in tensors}


CHANGES = {
    "a tensor is missing": {"tensors": without_first},
    "a tensor too many": {"tensors": with_one_more},
    "other shapes": {"tensors": of_one_number},
    "unknown axes": {"axes": {"moves": {"kind": "teleport"}}},
    "no axes": {"axes": {}},
    "another recipe": {"axes": RECIPES["full"].axes.model_dump(mode="json")},
    "a newer format": {"format": FORMAT + 1},
    "no format": {"format": ABSENT},
    "unknown precision": {"dtype": "float16"},
    "unknown element": {"reference_shifts": {"Qq": 1.0}},
    "a shift in words": {"reference_shifts": {"Si": "much"}},
    "no base": {"base_hash": ABSENT},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_is_refused(change, graft):
    rewritten(graft, **CHANGES[change])
    with pytest.raises(BadInputError) as caught:
        load_graft(graft, loaded(BASE))
    assert str(graft) in caught.value.came
    assert "\n" not in str(caught.value)


def test_the_untouched_file_is_read(graft):
    """The control of the test above."""
    rewritten(graft)
    assert load_graft(graft, loaded(BASE))


@pytest.mark.parametrize(
    "content", [b"", b"{}", bytes(range(256)), b"\x08\0\0\0\0\0\0\0{}      "]
)
def test_what_is_no_graft_is_refused(content, tmp_path):
    path = tmp_path / GRAFT
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="is not a graft"):
        read_card(path)


def test_a_truncated_file_is_refused(graft):
    graft.write_bytes(graft.read_bytes()[:-5])
    with pytest.raises(BadInputError, match="is not a graft"):
        read_card(graft)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="is not a file"):
        read_card(tmp_path / GRAFT)


def test_cards_are_frozen():
    card = card_of("lora", loaded(BASE))
    with pytest.raises(dataclasses.FrozenInstanceError):
        card.base = "other"


def test_the_base_is_left_alone(graft):
    base = loaded(BASE)
    before = weights_fingerprint(dict(base.module.named_parameters()))
    load_graft(graft, base).merged()
    assert base.weights_hash() == before
