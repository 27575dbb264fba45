"""Every adapter passes the shipped kit; a new adapter is one line here."""

import functools
from collections.abc import Callable

import pytest

from atomgraft.models.base import AbstractPotential
from atomgraft.models.loading import load_potential
from atomgraft.models.pair import PRESETS
from atomgraft.testing import ADAPTER_CHECKS, Tolerances, structures_for
from tests.mace_models import VARIANTS, potential
from tests.trials import NEEDS_SEVENN

ADAPTERS: dict[str, Callable[[], AbstractPotential]] = {
    **{name: PRESETS[name] for name in PRESETS},
    "sevennet:tiny:Si,Ge": functools.partial(load_potential, "sevennet:tiny:Si,Ge"),
    "7net-0": functools.partial(load_potential, "7net-0"),
    "mace:tiny:Si,Ge": functools.partial(load_potential, "mace:tiny:Si,Ge"),
    **{
        f"mace, {name}": functools.partial(potential, name)
        for name in VARIANTS
        if name != "residual"
    },
}


@functools.cache
def _loaded(name: str) -> AbstractPotential:
    return ADAPTERS[name]()


@functools.cache
def _structures(name: str):
    return structures_for(_loaded(name))


def _marks(name: str):
    if name == "7net-0":  # the quick set has the small model of the same adapter
        return [NEEDS_SEVENN, pytest.mark.slow]
    if name.startswith("sevennet"):
        return [NEEDS_SEVENN]
    return [pytest.mark.mace] if name.startswith("mace") else []


NAMES = [pytest.param(name, marks=_marks(name)) for name in ADAPTERS]


@pytest.mark.parametrize("check", ADAPTER_CHECKS)
@pytest.mark.parametrize("name", NAMES)
def test_adapter_passes(name, check):
    adapter = _loaded(name)
    before = adapter.weights_hash()
    ADAPTER_CHECKS[check](adapter, _structures(name), Tolerances())
    assert adapter.weights_hash() == before


@pytest.mark.mace
@pytest.mark.parametrize("check", ADAPTER_CHECKS)
def test_what_mace_has_trained_passes(mace_file, check):
    adapter = load_potential(str(mace_file), trust=True)
    ADAPTER_CHECKS[check](adapter, structures_for(adapter), Tolerances())
