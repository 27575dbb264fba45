"""The shipped crystals: small, disturbed, sane, and made by the script beside them."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from ase.data import covalent_radii

from atomgraft.evaluation.forgetting import shipped_crystals, visible

N_ELEMENTS_OF_7NET_0 = 89
SCRIPT = Path(__file__).parents[3] / "scripts/crystals/make_crystals.py"


@pytest.fixture(scope="module")
def crystals():
    return shipped_crystals()


def test_about_sixty_small_crystals_over_the_periodic_table(crystals):
    elements = {int(Z) for atoms in crystals for Z in atoms.numbers}
    assert 55 <= len(crystals) <= 70
    assert len(elements) == N_ELEMENTS_OF_7NET_0
    assert max(map(len, crystals)) <= 12
    assert sum(map(len, crystals)) <= 260
    assert all(atoms.pbc.all() for atoms in crystals)


def test_names_are_unique_and_prototypes_many(crystals):
    names = [atoms.info["name"] for atoms in crystals]
    assert len(set(names)) == len(names)
    assert len({atoms.info["prototype"] for atoms in crystals}) >= 20


def test_no_two_atoms_are_on_top_of_each_other(crystals):
    for atoms in crystals:
        distances = atoms.repeat(2).get_all_distances(mic=True)
        radii = covalent_radii[np.tile(atoms.numbers, 8)]
        limit = 0.6 * (radii[:, None] + radii[None, :])
        np.fill_diagonal(limit, 0)
        assert (distances >= limit).all(), atoms.info["name"]


def test_a_potential_is_asked_only_for_what_it_can_see(crystals):
    some = visible(crystals, {14, 8, 22})
    assert {atoms.info["name"] for atoms in some} == {"Si diamond", "O2Ti rutile"}
    assert visible(crystals, set()) == []


def test_the_script_makes_the_shipped_file(crystals, monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    spec = importlib.util.spec_from_file_location("make_crystals", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for made, shipped in zip(module.make_all(), crystals, strict=True):
        assert made.info == shipped.info
        np.testing.assert_allclose(made.positions, shipped.positions, atol=1e-7)
        np.testing.assert_allclose(made.cell, shipped.cell, atol=1e-7)
