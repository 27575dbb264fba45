"""Equilibrium volume of a crystal over temperature.

At each temperature the sum of energy and vibrational free energy over volume has a
minimum, found by a fit of the equation of state of Vinet, Ferrante, Rose and Smith
(J. Geophys. Res. 92, 9319 (1987)), as in Togo, Chaput, Tanaka and Hug (Phys. Rev. B 81,
174301 (2010)); the fit is phonopy's. The pressure is zero.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from atomgraft.core.units import EV_IN_MEV, EV_PER_A3_IN_GPA
from atomgraft.lattice.spectra import KJ_PER_MOL_IN_MEV, Thermal

STEP = 2.0
"""K; temperatures this much lower and higher give derivatives by temperature."""

DEGREE = 3
"""Of the polynomial in the volume that gives the heat capacity between volumes."""

J_PER_MOL_PER_EV = EV_IN_MEV / KJ_PER_MOL_IN_MEV * 1000
"""1 eV per atom in J per mole of atoms."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Equilibrium:
    """A crystal over temperature at zero pressure.

    Parameters
    ----------
    temperatures
        K; those at which there is an equilibrium within the volumes.
    volumes
        Å³ per atom.
    expansion
        Volumetric coefficient α = (1/V) dV/dT, 1/K.
    bulk_modulus
        Isothermal, GPa.
    heat_capacity
        At constant pressure, J/K per mole of atoms.
    outside
        Temperatures at which there is none, K.
    """

    temperatures: Float[np.ndarray, " points"]
    volumes: Float[np.ndarray, " points"]
    expansion: Float[np.ndarray, " points"]
    bulk_modulus: Float[np.ndarray, " points"]
    heat_capacity: Float[np.ndarray, " points"]
    outside: tuple[float, ...]


def temperature_grid(temperatures: Sequence[float]) -> tuple[float, ...]:
    """Return temperatures with a neighbour on either side, for derivatives.

    Parameters
    ----------
    temperatures
        K, not below zero.

    Examples
    --------
    >>> temperature_grid([0.0, 300.0])
    (0.0, 298.0, 300.0, 302.0)
    """
    return tuple(sorted({T for one in temperatures for T in _neighbours(one)}))


def _neighbours(temperature: float) -> tuple[float, float, float]:
    step = min(STEP, temperature / 2)
    return temperature - step, temperature, temperature + step


def minimum_of(
    volumes: Float[np.ndarray, " volumes"], energies: Float[np.ndarray, " volumes"]
) -> tuple[float, float] | None:
    """Return volume and bulk modulus at the minimum of a fit, or none.

    Parameters
    ----------
    volumes
        Å³, ascending.
    energies
        eV

    Returns
    -------
    :
        Å³ and eV/Å³; none where no fit is found, or its minimum is outside `volumes`.

    Examples
    --------
    >>> volumes = np.linspace(18.0, 22.0, 7)
    >>> volume, modulus = minimum_of(volumes, 0.5 * (volumes - 20.0) ** 2 / 20.0)
    >>> round(volume, 2), round(modulus, 1)
    (20.0, 1.0)
    """
    from phonopy.qha.eos import fit_to_eos, get_eos

    try:
        _, modulus, _, volume = fit_to_eos(volumes, energies, get_eos("vinet"))
    except RuntimeError:  # phonopy's word for no fit
        return None
    if not volumes[0] <= volume <= volumes[-1] or modulus <= 0:
        return None
    return float(volume), float(modulus)


def equilibrium_over_temperature(
    volumes: Float[np.ndarray, " volumes"],
    energies: Float[np.ndarray, " volumes"],
    curves: Sequence[Thermal],
    temperatures: Sequence[float],
) -> Equilibrium:
    """Return volume, expansion, bulk modulus and heat capacity over temperature.

    The heat capacity is C_P = C_V + T V B α², exact where the others are.

    Parameters
    ----------
    volumes
        Å³ per atom, ascending.
    energies
        Without vibrations, eV/atom.
    curves
        Of the harmonic crystal at each volume, on `temperature_grid`.
    temperatures
        K
    """
    asked = sorted({float(T) for T in temperatures})
    grid = list(curves[0].temperatures)
    free = np.array([one.free_energy for one in curves]).T / EV_IN_MEV + energies
    capacities = np.array([one.heat_capacity for one in curves]).T
    rows: list[tuple[float, float, float, float, float]] = []
    for T in asked:
        below, here, above = (grid.index(one) for one in _neighbours(T))
        found = [minimum_of(volumes, free[i]) for i in (below, here, above)]
        if (middle := found[1]) is None or None in found:
            continue
        ends = [one[0] for one in (found[0], found[2]) if one is not None]
        volume, modulus = middle
        # at zero temperature nothing expands: the third law
        alpha = 0.0 if T == 0 else (ends[1] - ends[0]) / (grid[above] - grid[below])
        alpha /= volume
        fixed = np.polyfit(volumes - volume, capacities[here], DEGREE)[-1]
        more = T * volume * modulus * alpha**2 * J_PER_MOL_PER_EV
        rows.append((T, volume, alpha, modulus * EV_PER_A3_IN_GPA, fixed + more))
    table = np.array(rows, dtype=float).reshape(-1, 5)
    return Equilibrium(
        temperatures=table[:, 0],
        volumes=table[:, 1],
        expansion=table[:, 2],
        bulk_modulus=table[:, 3],
        heat_capacity=table[:, 4],
        outside=tuple(T for T in asked if T not in table[:, 0]),
    )
