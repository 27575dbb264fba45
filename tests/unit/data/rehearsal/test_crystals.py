"""The crystals to rehearse on: everywhere, small, and none of those of the judge."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.data import atomic_numbers
from ase.neighborlist import neighbor_list

from atomgraft.data.rehearsal.disturbances import are_apart
from atomgraft.data.rehearsal.proposals import rehearsal_crystals
from atomgraft.data.rehearsal.relatives import PROBED_FORMULAS, reduced_formula
from atomgraft.evaluation.forgetting import shipped_crystals

SCRIPTS = Path(__file__).parents[4] / "scripts/crystals"

RADIOACTIVE = {"Po", "At", "Rn", "Fr", "Ra"}
"""What 7net-0 has not seen below plutonium."""

N_NEAREST = 18
"""Distances that tell prototypes apart: fcc from hcp by the last six."""

SAME = 0.06
"""Of the length per atom; the judge's crystals are rattled by 0.05 Å and strained."""


@pytest.fixture(scope="module")
def crystals() -> list[Atoms]:
    return rehearsal_crystals()


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    path = SCRIPTS / "make_rehearsal_crystals.py"
    spec = importlib.util.spec_from_file_location("make_rehearsal_crystals", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def nearest(atoms: Atoms) -> np.ndarray:
    """Return the mean distance to the first, second, ... neighbour, scale taken off."""
    length = (atoms.get_volume() / len(atoms)) ** (1 / 3)
    first, distances = neighbor_list("id", atoms, 3.2 * length)
    rows = [np.sort(distances[first == i])[:N_NEAREST] for i in range(len(atoms))]
    return np.mean(rows, axis=0) / length


def same_structure(a: Atoms, b: Atoms) -> bool:
    """Tell by composition and distances, not by names."""
    if reduced_formula(a) != reduced_formula(b):
        return False
    return bool(np.abs(nearest(a) - nearest(b)).max() < SAME)


def test_they_reach_every_element_in_small_cells(crystals):
    elements = {int(Z) for atoms in crystals for Z in atoms.numbers}
    seen_by_7net_0 = {Z for Z in atomic_numbers.values() if 1 <= Z <= 94}
    seen_by_7net_0 -= {atomic_numbers[symbol] for symbol in RADIOACTIVE}
    assert elements == seen_by_7net_0
    assert 80 <= len(crystals) <= 120
    assert max(map(len, crystals)) <= 12
    assert all(atoms.pbc.all() and are_apart(atoms) for atoms in crystals)


def test_names_are_unique_and_nothing_is_labelled(crystals):
    assert len({atoms.info["name"] for atoms in crystals}) == len(crystals)
    assert all(set(atoms.info) == {"name", "prototype"} for atoms in crystals)
    assert all(atoms.calc is None for atoms in crystals)


def test_no_crystal_of_the_judge_is_among_them(crystals):
    """No compound of the judge's, and no element in the judge's structure."""
    shared = [
        (ours, its)
        for ours in crystals
        for its in shipped_crystals()
        if reduced_formula(ours) == reduced_formula(its)
    ]
    assert {len(set(ours.numbers)) for ours, _ in shared} == {1}
    same = [ours.info["name"] for ours, its in shared if same_structure(ours, its)]
    assert same == []


def test_the_comparison_finds_a_crystal_again(script, crystals):
    """Negative control: undisturbed and at another scale, it is still the same."""
    from prototypes import perfect

    for prototype, symbols, lengths in [
        ("fcc", "Ne", (4.2,)),
        ("fcc", "Al", (4.1,)),
        ("bcc", "Na", (4.0,)),
        ("hcp", "Mg", (3.3, 5.3)),
        ("diamond", "Si", (5.6,)),
        ("rutile", "Ti O", (4.6, 2.97)),
        ("perovskite", "Sr Ti O", (3.9,)),
    ]:
        again = perfect(prototype, symbols, *lengths)
        found = [one for one in shipped_crystals() if same_structure(again, one)]
        assert [one.info["prototype"] for one in found] == [prototype]


def test_the_forbidden_compositions_are_those_of_the_judge():
    assert {reduced_formula(one) for one in shipped_crystals()} == PROBED_FORMULAS


def test_the_script_makes_the_shipped_file(script, crystals):
    for made, shipped in zip(script.make_all(), crystals, strict=True):
        assert made.info == shipped.info
        np.testing.assert_array_equal(made.numbers, shipped.numbers)
        np.testing.assert_allclose(made.positions, shipped.positions, atol=1e-7)
        np.testing.assert_allclose(made.cell, shipped.cell, atol=1e-7)
