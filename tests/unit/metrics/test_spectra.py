"""Spectra of motions whose frequencies are known."""

import numpy as np
import pytest

from atomgraft.metrics.spectra import (
    HANN_WIDTH,
    as_density,
    frequencies,
    highest,
    mean_power_spectrum,
    moment,
    power_spectrum,
    verlet_shift,
)

INTERVAL = 4.0
"""fs"""

TIMES = INTERVAL * np.arange(1000)


def opposed(signal):
    """Return velocities of two equal atoms whose centre of mass rests."""
    found = np.zeros((len(signal), 2, 3))
    found[:, 0, 0], found[:, 1, 0] = signal, -signal
    return found


def test_a_sinusoid_is_one_peak_of_the_stated_width():
    rows = power_spectrum(
        opposed(np.sin(2e-3 * np.pi * 12.5 * TIMES)), np.ones(2), np.zeros(2, dtype=int)
    )
    at = frequencies(1000, INTERVAL)
    states = as_density(rows, at[1])[0]
    assert at[states.argmax()] == pytest.approx(12.5)
    assert (states * at[1]).sum() == pytest.approx(1)
    assert moment(states, at, 1) == pytest.approx(12.5, abs=1e-3)
    width = HANN_WIDTH / (1e-3 * INTERVAL * 1000)
    near = np.abs(at - 12.5) <= 1.5 * width
    assert states[near].sum() / states.sum() > 0.99
    half = states >= states.max() / 2
    assert half.sum() * at[1] == pytest.approx(width, abs=2 * at[1])


def test_the_spectrum_is_that_of_the_autocorrelation():
    """Wiener-Khinchin: |FFT|² of a signal is the transform of its correlation."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=64)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(64) + 0.5) / 64)
    tapered = window * signal
    circular = np.array([(tapered * np.roll(tapered, -lag)).sum() for lag in range(64)])
    expected = np.fft.rfft(circular).real
    found = power_spectrum(opposed(signal), np.ones(2), np.zeros(2, dtype=int))[0]
    assert found[1:-1] == pytest.approx(2 * 2 * expected[1:-1])


def test_elements_share_the_states_by_their_energy():
    """At one temperature each atom has the same kinetic energy, whatever its mass."""
    rng = np.random.default_rng(1)
    masses = np.array([1.0] * 30 + [16.0] * 10)
    velocities = rng.normal(size=(400, 40, 3)) / np.sqrt(masses)[:, None]
    kinds = np.array([0] * 30 + [1] * 10)
    rows = mean_power_spectrum(velocities, masses, kinds, 100)
    shares = as_density(rows, 1.0).sum(axis=1)
    assert shares == pytest.approx([0.75, 0.25], abs=0.02)


def test_the_centre_of_mass_counts_for_nothing():
    drifting = np.ones((100, 3, 3)) * np.sin(0.3 * np.arange(100))[:, None, None]
    found = power_spectrum(drifting, np.array([1.0, 2.0, 3.0]), np.zeros(3, dtype=int))
    assert found.max() < 1e-20


def test_the_highest_frequency_is_where_states_end():
    at = np.arange(100.0)
    assert highest(np.where(at < 50, 1.0, 0.0), at) == pytest.approx(49, abs=1)


@pytest.mark.parametrize("timestep", [1.0, 4.0, 8.0])
def test_velocity_verlet_is_as_fast_as_said(timestep):
    """Count the periods of an oscillator of 20 THz moved with velocity Verlet."""
    omega = 2e-3 * np.pi * 20
    x, v, xs = 1.0, 0.0, []
    for _ in range(200_000):
        v -= timestep / 2 * omega**2 * x
        x += timestep * v
        v -= timestep / 2 * omega**2 * x
        xs.append(x)
    crossings = np.flatnonzero(np.diff(np.sign(xs)))
    seen = (len(crossings) - 1) / (2e-3 * timestep * (crossings[-1] - crossings[0]))
    assert verlet_shift(seen, timestep) == pytest.approx(seen / 20 - 1, abs=2e-4)


def test_what_is_no_number_stays_none():
    broken = np.array([[1.0, np.nan]])
    assert np.isnan(as_density(broken, 1.0)).all()
    assert (as_density(np.zeros((1, 2)), 1.0) == 0).all()
