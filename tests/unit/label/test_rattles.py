"""Are structures moved as far as stated, and in the stated way?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.core.errors import BadInputError
from atomgraft.label.proposals import (
    labelled_atoms,
    random_strain,
    rattled,
    require_positive,
    strained,
)
from tests.unit.label.crystals import displacements, rng, silicon

SAMPLING = 0.1
"""Relative error of a standard deviation of 1,536 numbers is 2 %: five of those."""


@pytest.mark.parametrize("amplitude", [0.02, 0.1])
def test_a_rattle_has_the_stated_width(amplitude):
    made = rattled(silicon(), (amplitude,), 64, rng())
    moved = np.array([one.atoms.positions - silicon().positions for one in made])
    assert moved.std() == pytest.approx(amplitude, rel=SAMPLING)
    assert abs(moved.mean()) < SAMPLING * amplitude


def test_amplitudes_take_turns():
    made = list(rattled(silicon(), (0.02, 0.05), 4, rng()))
    assert [one.amplitude for one in made] == [0.02, 0.05, 0.02, 0.05]
    wide = [displacements(silicon(), one.atoms).std() for one in made]
    assert min(wide[1::2]) > max(wide[::2])


@given(largest=st.floats(1e-4, 0.2), seed=st.integers(0, 1000))
def test_a_strain_is_symmetric_and_as_large_as_stated(largest, seed):
    strain = random_strain(largest, rng(seed))
    assert np.array_equal(strain, strain.T)
    assert np.abs(strain).max() == pytest.approx(largest)


def test_cells_are_strained_and_atoms_go_along():
    [one] = strained(silicon(), (0.03,), 1e-9, 1, rng())
    gradient = np.linalg.solve(silicon().cell.array, one.atoms.cell.array)
    assert np.allclose(gradient, gradient.T)
    assert np.abs(gradient - np.eye(3)).max() == pytest.approx(0.03)
    places = one.atoms.get_scaled_positions(wrap=False)
    assert np.allclose(places, silicon().get_scaled_positions(wrap=False), atol=1e-8)


def strained_and_rattled(crystal, strains, n, generator):
    return strained(crystal, strains, 0.1, n, generator)


@pytest.mark.parametrize("make", [rattled, strained_and_rattled])
def test_the_seed_decides_everything(make):
    def positions(seed):
        return [one.atoms.positions for one in make(silicon(), (0.05,), 3, rng(seed))]

    assert np.array_equal(positions(1), positions(1))
    assert not np.allclose(positions(1), positions(2))


def test_nothing_is_brought_too_close():
    with pytest.raises(BadInputError, match="consecutive draws of the kind"):
        list(rattled(silicon().repeat(2), (1.0,), 1, rng()))


@pytest.mark.parametrize("wrong", [0.0, -0.1, np.nan, np.inf])
def test_amplitudes_are_positive(wrong):
    with pytest.raises(BadInputError, match="above zero"):
        require_positive((0.1, wrong), "amplitude", "Å")


def test_no_amplitude_at_all_is_refused():
    with pytest.raises(BadInputError, match="no amplitude"):
        require_positive((), "amplitude", "Å")


def test_what_is_written_says_its_kind_and_holds_no_label():
    crystal = silicon()
    crystal.info["REF_energy"] = 1.0
    crystal.arrays["REF_forces"] = np.zeros((8, 3))
    [one] = rattled(crystal, (0.05,), 1, rng())
    atoms = labelled_atoms(one)
    assert atoms.info == {"config_type": "rattle", "amplitude": 0.05}
    assert set(atoms.arrays) == {"numbers", "positions"}
