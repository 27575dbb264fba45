"""The Arrhenius line, against lines that are known."""

import numpy as np
import pytest

from atomgraft.core.units import BOLTZMANN_EV
from atomgraft.transport.diffusivity.arrhenius import fit_arrhenius

TEMPERATURES = [600.0, 800.0, 1000.0, 1200.0]
N_SAMPLES = 4000


def on_line(kelvin, energy=0.3, prefactor=1e-3):
    return prefactor * np.exp(-energy / (BOLTZMANN_EV * kelvin))


def posteriors(generator, relative=0.1, temperatures=TEMPERATURES):
    """Return samples about measured values that scatter by their error."""
    found = []
    for kelvin in temperatures:
        centre = np.log(on_line(kelvin)) + relative * generator.normal()
        found.append(np.exp(centre + relative * generator.normal(size=N_SAMPLES)))
    return found


def test_energy_and_prefactor_of_an_exact_line():
    exact = [np.full(5, on_line(one)) for one in TEMPERATURES]
    line = fit_arrhenius(TEMPERATURES, exact)
    assert line.energy == pytest.approx(0.3)
    assert np.exp(line.log_prefactor) == pytest.approx(1e-3)
    assert line.at(300.0) == pytest.approx(on_line(300.0))


@pytest.mark.parametrize("target", [300.0, 700.0])
def test_intervals_cover_the_truth(target):
    generator = np.random.default_rng(0)
    n_energy = n_there = 0
    for _ in range(200):
        line = fit_arrhenius(TEMPERATURES, posteriors(generator))
        low, high = np.quantile(line.energy, (0.1587, 0.8413))
        n_energy += low < 0.3 < high
        low, high = np.quantile(line.at(target), (0.1587, 0.8413))
        n_there += low < on_line(target) < high
    assert 0.56 < n_energy / 200 < 0.82
    assert 0.56 < n_there / 200 < 0.82


def test_extrapolation_is_less_certain_than_what_was_measured():
    line = fit_arrhenius(TEMPERATURES, posteriors(np.random.default_rng(1)))
    widths = [np.log(line.at(one)).std() for one in (300.0, 500.0, 800.0)]
    assert widths == sorted(widths, reverse=True)


def test_points_off_the_line_widen_it_and_are_told_of():
    generator = np.random.default_rng(2)
    good = posteriors(generator, relative=0.02)
    straight = fit_arrhenius(TEMPERATURES, good)
    assert straight.p_line > 0.001
    bent = [good[0], good[1], 2 * good[2], good[3]]
    found = fit_arrhenius(TEMPERATURES, bent)
    assert found.p_line < 1e-6
    assert found.widening > 5
    assert found.energy.std() > 4 * straight.energy.std()


def test_two_temperatures_are_not_tested():
    two = posteriors(np.random.default_rng(3), temperatures=TEMPERATURES[:2])
    line = fit_arrhenius(TEMPERATURES[:2], two)
    assert line.p_line is None
    assert line.widening == 1.0
