"""Loading: every name loads, every other one is answered."""

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.models import pair
from atomgraft.models.loading import known_names, load_potential
from tests.trials import NEEDS_SEVENN

PRESET = "sevennet:small:Si,Ge"


@pytest.mark.parametrize("name", list(pair.PRESETS))
def test_presets_load_twice_alike(name):
    one, other = load_potential(name), load_potential(name)
    assert one.card.name == name
    assert one.weights_hash() == other.weights_hash()
    assert one.module is not other.module


def test_presets_are_among_the_known_names():
    assert set(pair.PRESETS) <= set(known_names())
    assert PRESET in known_names()


@NEEDS_SEVENN
def test_a_preset_of_sevennet_has_the_same_weights_every_time():
    one, other = load_potential(PRESET), load_potential(PRESET)
    assert one.weights_hash() == other.weights_hash()
    assert one.elements == {14, 32}


def test_a_file_is_what_was_exported(tmp_path):
    source = load_potential("pair:sw-si")
    path = source.export(tmp_path / "mine")
    assert load_potential(str(path)).weights_hash() == source.weights_hash()


@pytest.mark.parametrize("name", ["", "7net", "mace-mp", "model.ckpt", "x" * 5000])
def test_what_names_nothing_is_answered_with_what_would(name):
    with pytest.raises(BadInputError, match="names no potential") as caught:
        load_potential(name)
    assert "pair:sw-si" in caught.value.needed


@pytest.mark.parametrize("name", ["pair:", "pair:sw-s", "absent.safetensors"])
def test_a_wrong_name_of_a_known_kind_is_refused(name):
    with pytest.raises(BadInputError):
        load_potential(name)


@NEEDS_SEVENN
@pytest.mark.parametrize(
    "name",
    [
        "absent.pth",
        "sevennet:",
        "sevennet:huge:Si",
        "sevennet:small",
        "sevennet:small:Xx",
    ],
)
def test_a_wrong_name_of_sevennet_is_refused(name):
    with pytest.raises(BadInputError):
        load_potential(name)


def test_a_head_is_for_models_with_heads(tmp_path):
    path = load_potential("pair:sw-si").export(tmp_path / "mine")
    for name in ("pair:sw-si", str(path)):
        with pytest.raises(BadInputError, match="has no heads, and --head mpa"):
            load_potential(name, head="mpa")


@NEEDS_SEVENN
def test_a_preset_of_sevennet_has_no_heads():
    with pytest.raises(BadInputError, match="has no heads"):
        load_potential(PRESET, head="mpa")


def test_a_file_of_something_else_is_refused_without_all_names(tmp_path):
    path = tmp_path / "OUTCAR.old"
    path.write_text("no potential")
    with pytest.raises(BadInputError) as error:
        load_potential(str(path))
    said = str(error.value)
    assert "is a file" in said
    assert ".safetensors" in said
    assert "mace-mp-0-small" not in said
