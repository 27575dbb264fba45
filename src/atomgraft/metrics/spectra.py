"""The vibrational density of states, from velocities in motion."""

import numpy as np
from jaxtyping import Float, Int

THZ = 1000.0
"""1/fs in THz."""

HANN_WIDTH = 1.44
"""Full width at half maximum of the spectrum of a Hann window of length T, in 1/T
(Harris, Proc. IEEE 66, 51, 1978, Table I)."""


def frequencies(n_times: int, interval: float) -> Float[np.ndarray, " frequencies"]:
    """Return the frequencies of :func:`power_spectrum`, THz.

    Parameters
    ----------
    n_times
        Velocities in a window.
    interval
        Between two of them, fs.

    Examples
    --------
    >>> frequencies(4, 10.0).tolist()
    [0.0, 25.0, 50.0]
    """
    return np.fft.rfftfreq(n_times, interval / THZ)


def power_spectrum(
    velocities: Float[np.ndarray, "times atoms 3"],
    masses: Float[np.ndarray, " atoms"],
    kinds: Int[np.ndarray, " atoms"],
) -> Float[np.ndarray, "kinds frequencies"]:
    """Return the mass-weighted power spectrum of the velocities in one window.

    It is the Fourier transform of the mass-weighted velocity autocorrelation (Wiener &
    Khinchin), after a Hann window. The velocity of the centre of mass is taken off.

    Parameters
    ----------
    velocities
        At equal times, in any unit.
    masses
        u
    kinds
        A number for the element of each atom, from zero; one row is returned for each.

    Examples
    --------
    >>> times = np.arange(200.0)
    >>> ring = np.zeros((200, 2, 3))
    >>> ring[:, 0, 0] = np.sin(2 * np.pi * 0.02 * times)
    >>> ring[:, 1, 0] = -ring[:, 0, 0]
    >>> found = power_spectrum(ring, np.ones(2), np.zeros(2, dtype=int))
    >>> float(frequencies(200, 1.0)[found[0].argmax()])
    20.0
    """
    centre = np.einsum("tax,a->tx", velocities, masses / masses.sum())
    relative = velocities - centre[:, None]
    n = len(relative)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n)
    amplitudes = np.fft.rfft(window[:, None, None] * relative, axis=0)
    power = masses[:, None] * (np.abs(amplitudes) ** 2).sum(axis=2).T
    twice = np.full(power.shape[1], 2.0)
    twice[0] = 1.0
    if n % 2 == 0:
        twice[-1] = 1.0
    found = np.zeros((int(kinds.max()) + 1, power.shape[1]))
    np.add.at(found, kinds, twice * power)
    return found


def mean_power_spectrum(
    velocities: Float[np.ndarray, "times atoms 3"],
    masses: Float[np.ndarray, " atoms"],
    kinds: Int[np.ndarray, " atoms"],
    n_window: int,
) -> Float[np.ndarray, "kinds frequencies"]:
    """Return the sum of power spectra of windows that overlap by half (Welch).

    Parameters
    ----------
    velocities
        At equal times, at least one window of them.
    masses
        u
    kinds
        As for :func:`power_spectrum`.
    n_window
        Times in a window; even.
    """
    starts = range(0, len(velocities) - n_window + 1, n_window // 2)
    windows = [velocities[start : start + n_window] for start in starts]
    return np.sum([power_spectrum(one, masses, kinds) for one in windows], axis=0)


def as_density(
    spectra: Float[np.ndarray, "*more kinds frequencies"], spacing: float
) -> Float[np.ndarray, "*more kinds frequencies"]:
    """Return spectra as densities of states, 1/THz.

    The integral of the sum over kinds is 1, so that each kind has its share; spectra
    that are zero stay zero, and those that are not finite stay nan.

    Parameters
    ----------
    spectra
        Power spectra of each kind of atom.
    spacing
        Of the frequencies, THz.

    Examples
    --------
    >>> as_density(np.array([[1.0, 0.0], [0.0, 3.0]]), 0.5).tolist()
    [[0.5, 0.0], [0.0, 1.5]]
    """
    total = spectra.sum(axis=(-2, -1), keepdims=True) * spacing
    return np.divide(spectra, total, out=np.zeros_like(spectra), where=total != 0)


def moment(
    density: Float[np.ndarray, " frequencies"],
    at: Float[np.ndarray, " frequencies"],
    order: int,
) -> float:
    """Return a moment of a density of states, THz to the power of the order.

    Examples
    --------
    >>> moment(np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 2.0]), 1)
    1.5
    """
    return float((density * at**order).sum() / density.sum())


def highest(
    density: Float[np.ndarray, " frequencies"], at: Float[np.ndarray, " frequencies"]
) -> float:
    """Return the frequency below which 99 % of a density of states lies, THz."""
    share = np.cumsum(density) / density.sum()
    return float(at[min(int(np.searchsorted(share, 0.99)), len(at) - 1)])


def verlet_shift(frequency: float, timestep: float) -> float:
    """Return the relative error of a frequency from the timestep of velocity Verlet.

    A harmonic oscillator of angular frequency ω moves with (2/Δ) asin(ωΔ/2), which is
    higher by about (ωΔ)²/24; infinite where ωΔ > 2, because the motion is not stable.

    Parameters
    ----------
    frequency
        THz, as it is seen in the motion.
    timestep
        Δ, fs.

    Examples
    --------
    >>> round(verlet_shift(16.0, 2.0), 4), verlet_shift(250.0, 2.0)
    (0.0017, inf)
    """
    phase = np.pi * frequency * timestep / THZ  # half of what passes in a step
    if phase >= np.pi / 2:
        return float(np.inf)
    return float(phase / np.sin(phase) - 1) if phase > 0 else 0.0
