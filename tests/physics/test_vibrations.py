"""Do vibrations obey their laws: derivatives, sum rules, statistics, other solvers?"""

import numpy as np
import pytest
from ase.phonons import Phonons
from ase.units import J, _hplanck, kB, mol

from atomgraft.lattice.harmonic import scaled
from atomgraft.lattice.spectra import (
    band_path,
    bands,
    commensurate_modes,
    density_of_states,
    mesh_frequencies,
    thermal_curves,
)
from atomgraft.lattice.supercells import ideal_supercell
from atomgraft.models.calculator import GraftCalculator
from atomgraft.models.prediction import predict_structures
from tests.vibrations import (
    constants,
    harmonic_salt,
    harmonic_silicon,
    salt_law,
    silicon,
    silicon_law,
)

MESH = (6, 6, 6)

THZ = _hplanck * J * 1e12
"""eV"""

STEP = 0.01
"""Å; of the energy differences, as long as phonopy's displacement."""

CONSTANT = 0.02
"""eV/Å²; both differences are off by the fourth derivative times the step squared."""

FREQUENCY = 1e-3
"""THz; ASE and phonopy differ in the units' last digits and how they symmetrise."""

CRYSTALS = {"silicon": harmonic_silicon, "salt": harmonic_salt}
LAWS = {"silicon": silicon_law, "salt": salt_law}


@pytest.fixture(params=CRYSTALS, scope="module")
def name(request):
    return request.param


@pytest.fixture(scope="module")
def harmonic(name):
    return CRYSTALS[name]()


@pytest.mark.parametrize("pair", [(0, 0), (0, 1), (1, 9)])
def test_force_constants_are_second_derivatives_of_the_energy(name, harmonic, pair):
    """Four energies for each, without a force and without phonopy."""
    ideal = ideal_supercell(harmonic.phonon)
    first = int(harmonic.phonon.primitive.p2s_map[pair[0]])
    second = pair[1]
    signs = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    shaken = []
    for axis in range(3):
        for other in range(3):
            for one, two in signs:
                atoms = ideal.copy()
                atoms.positions[first, axis] += one * STEP
                atoms.positions[second, other] += two * STEP
                shaken.append(atoms)
    energies = [one.energy for one in predict_structures(LAWS[name](), shaken)]
    pattern = np.array([one * two for one, two in signs])
    expected = np.reshape(energies, (3, 3, 4)) @ pattern / (4 * STEP**2)
    found = constants(harmonic)[pair[0], second]
    np.testing.assert_allclose(found, expected, atol=CONSTANT)


def test_the_law_before_holds_for_numbers_that_are_not_zero():
    assert np.abs(constants(harmonic_silicon())[0, 0]).max() > 10
    assert np.abs(constants(harmonic_salt())[0, 0]).max() > 1


def test_frequencies_are_those_of_ases_own_phonons(tmp_path):
    """Where waves fit into the supercell; between, everyone interpolates alone."""
    n = 3
    theirs = Phonons(
        silicon(),
        GraftCalculator(silicon_law()),
        supercell=(n, n, n),
        delta=0.01,
        name=str(tmp_path / "cache"),
    )
    theirs.run()
    theirs.read(acoustic=True)
    points = [[0, 0, 0], [1 / 3, 0, 0], [1 / 3, 1 / 3, 0], [1 / 3, 2 / 3, 0]]
    expected = theirs.band_structure(points, verbose=False) / THZ
    phonon = harmonic_silicon(n=n).phonon
    found = np.array(phonon.run_qpoints(points).frequencies)
    np.testing.assert_allclose(found, expected, atol=FREQUENCY * 10)
    assert expected.max() > 15


def test_a_crystal_that_moves_as_a_whole_feels_nothing(harmonic):
    sums = constants(harmonic).sum(axis=1)
    np.testing.assert_allclose(sums, 0, atol=1e-6)
    at_gamma = np.array(harmonic.phonon.run_qpoints([[0, 0, 0]]).frequencies)[0]
    np.testing.assert_allclose(at_gamma[:3], 0, atol=1e-3)
    assert (at_gamma[3:] > 1).all()
    elsewhere = np.array(harmonic.phonon.run_qpoints([[0.5, 0, 0]]).frequencies)[0]
    assert (elsewhere > 1).all()  # the negative control


def test_four_times_as_stiff_is_twice_as_fast(harmonic):
    before = mesh_frequencies(harmonic, MESH).frequencies
    after = mesh_frequencies(scaled(harmonic, 4.0), MESH).frequencies
    np.testing.assert_allclose(after, 2 * before, atol=1e-5)


def test_the_density_counts_three_modes_for_each_atom(harmonic):
    found = density_of_states(harmonic, (12, 12, 12))
    total = np.trapezoid(found.densities, found.frequencies)
    assert total == pytest.approx(6, rel=0.01)
    assert (found.densities >= -1e-9).all()


def weighted(harmonic):
    """Return mode energies, eV, and their share of the crystal, by primitive atom."""
    found = mesh_frequencies(harmonic, MESH)
    keep = found.frequencies > 0.01
    share = np.broadcast_to(found.weights[:, None], keep.shape)[keep]
    n_atoms = len(harmonic.phonon.primitive)
    return found.frequencies[keep] * THZ, share / found.weights.sum() / n_atoms


@pytest.mark.parametrize("temperature", [20.0, 300.0, 900.0])
def test_thermal_curves_are_sums_over_oscillators(harmonic, temperature):
    energy, share = weighted(harmonic)
    x = energy / (kB * temperature)
    occupation = 1 / np.expm1(x)
    free = share @ (energy / 2 + kB * temperature * np.log(-np.expm1(-x)))
    entropy = share @ (kB * (x * occupation - np.log(-np.expm1(-x))))
    capacity = share @ (kB * x**2 * occupation * (occupation + 1))
    found = thermal_curves(harmonic, MESH, (temperature,))
    per_mole = mol / J  # eV/K for each atom into J/K for each mole of them
    assert found.free_energy[0] == pytest.approx(1000 * free, abs=1e-3)
    assert found.entropy[0] == pytest.approx(entropy * per_mole, rel=1e-4)
    assert found.heat_capacity[0] == pytest.approx(capacity * per_mole, rel=1e-4)


def test_at_rest_only_the_zero_point_is_left(harmonic):
    energy, share = weighted(harmonic)
    found = thermal_curves(harmonic, MESH, (0.0,))
    assert found.free_energy[0] == pytest.approx(1000 * share @ energy / 2, abs=1e-3)
    assert found.entropy[0] == found.heat_capacity[0] == 0


def test_heat_capacity_goes_to_dulong_and_petit(harmonic):
    """3 R, but for the three modes at Γ that do not vibrate."""
    found = thermal_curves(harmonic, MESH, (9000.0,))
    left_out = 3 / (6 * 6**3)
    assert found.share_left_out == pytest.approx(left_out)
    expected = 3 * 8.31446 * (1 - left_out)
    assert found.heat_capacity[0] == pytest.approx(expected, rel=1e-3)


def test_thermodynamics_is_consistent(harmonic):
    """S = -dF/dT and C = T dS/dT, by differences."""
    T = np.array([299.0, 300.0, 301.0])
    found = thermal_curves(harmonic, MESH, tuple(T))
    slope = -(found.free_energy[2] - found.free_energy[0]) / 2  # meV/K
    assert slope / 1000 * mol / J == pytest.approx(found.entropy[1], rel=1e-3)
    rise = 300 * (found.entropy[2] - found.entropy[0]) / 2
    assert rise == pytest.approx(found.heat_capacity[1], rel=1e-3)


def test_group_velocities_are_slopes_of_the_bands(harmonic):
    """Along a straight leg no band can rise faster than its group velocity."""
    for leg in bands(harmonic, band_path(harmonic, n_points=60)):
        rise = np.abs(np.diff(leg.frequencies, axis=0))
        run = np.diff(leg.distances)[:, None]
        slopes = 0.1 * rise / run  # Å THz in km/s
        fastest = np.maximum(leg.speeds[1:], leg.speeds[:-1]).max(axis=1)
        assert (slopes.max(axis=1) <= fastest + 1.0).all()
    first = bands(harmonic)[0]
    assert first.labels[0] == "Γ"
    start = first.frequencies[1, 2] / (first.distances[1] - first.distances[0]) * 0.1
    assert start == pytest.approx(first.speeds[1, 2], rel=0.05)  # sound


def test_commensurate_modes_are_those_of_the_supercell(harmonic):
    """As many as there are coordinates, with eigenvectors of length one."""
    modes = commensurate_modes(harmonic)
    assert len(modes) == 3 * len(harmonic.phonon.supercell)
    for one in modes:
        assert np.linalg.norm(one.eigenvector) == pytest.approx(1)
    masses = np.repeat(harmonic.phonon.supercell.masses, 3)
    n = len(masses)
    from phonopy.harmonic.force_constants import compact_fc_to_full_fc

    whole = compact_fc_to_full_fc(harmonic.phonon.primitive, constants(harmonic))
    matrix = whole.transpose(0, 2, 1, 3).reshape(n, n)
    matrix = matrix / np.sqrt(np.outer(masses, masses))
    squares = np.linalg.eigvalsh(matrix)
    expected = np.sqrt(squares[3:]) * 15.633302  # eV/Å²/u into THz
    found = np.sort([one.frequency for one in modes])[3:]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
