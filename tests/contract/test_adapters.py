"""Every adapter passes the shipped kit; a new adapter is one line here."""

import functools
import importlib.util
from collections.abc import Callable

import pytest

from atomgraft.models.base import AbstractPotential
from atomgraft.models.pair import PRESETS
from atomgraft.testing import ADAPTER_CHECKS, Tolerances, structures_for


def _sevennet(name: str) -> AbstractPotential:
    from atomgraft.models.sevennet import load_sevennet

    return load_sevennet(name)


ADAPTERS: dict[str, Callable[[], AbstractPotential]] = {
    **{name: PRESETS[name] for name in PRESETS},
    "7net-0": functools.partial(_sevennet, "7net-0"),
}

WITHOUT_SEVENN = pytest.mark.skipif(
    importlib.util.find_spec("sevenn") is None, reason="sevenn is not installed"
)


@functools.cache
def _loaded(name: str) -> AbstractPotential:
    return ADAPTERS[name]()


NAMES = [
    pytest.param(name, marks=[WITHOUT_SEVENN] if name.startswith("7net") else [])
    for name in ADAPTERS
]


@pytest.mark.parametrize("check", ADAPTER_CHECKS)
@pytest.mark.parametrize("name", NAMES)
def test_adapter_passes(name, check):
    potential = _loaded(name)
    before = potential.weights_hash()
    ADAPTER_CHECKS[check](potential, structures_for(potential), Tolerances())
    assert potential.weights_hash() == before
