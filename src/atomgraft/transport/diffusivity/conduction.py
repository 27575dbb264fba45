"""Conductivity of moving ions: Nernst-Einstein, collective, and the Haven ratio."""

import numpy as np
from jaxtyping import Float

from atomgraft.core.errors import BadInputError

ELEMENTARY_CHARGE = 1.602176634e-19
"""C"""

BOLTZMANN = 1.380649e-23
"""J/K"""

A3_IN_CM3 = 1e-24

OXIDATION_STATES = {
    "H": 1, "Li": 1, "Na": 1, "K": 1, "Rb": 1, "Cs": 1, "Cu": 1, "Ag": 1, "Tl": 1,
    "Be": 2, "Mg": 2, "Ca": 2, "Sr": 2, "Ba": 2, "Zn": 2, "Cd": 2, "Pb": 2,
    "Al": 3, "Sc": 3, "Y": 3, "La": 3,
    "F": -1, "Cl": -1, "Br": -1, "I": -1, "O": -2, "S": -2, "Se": -2, "Te": -2,
    "N": -3, "P": -3,
}  # fmt: skip
"""Usual state of an element that moves as an ion, e."""


def charge_of(element: str, given: dict[str, float]) -> float:
    """Return the charge of a mobile ion, e.

    Parameters
    ----------
    element
        Its symbol.
    given
        Charges that replace the usual oxidation states.

    Raises
    ------
    BadInputError
        The element has no usual state as a mobile ion.

    Examples
    --------
    >>> charge_of("Li", {}), charge_of("Cu", {"Cu": 2.0})
    (1.0, 2.0)
    """
    if element in given:
        return float(given[element])
    if element not in OXIDATION_STATES:
        raise BadInputError(
            f"{element} has no usual charge as a mobile ion.",
            "The conductivity needs the charge of each mobile ion.",
            f"Give it in e, for example --charge {element}=2",
        )
    return float(OXIDATION_STATES[element])


def conductivity(
    diffusivity: float, squared_charges: float, volume: float, temperature: float
) -> float:
    """Return the conductivity of independent charges, S/cm.

    Parameters
    ----------
    diffusivity
        cm²/s
    squared_charges
        Sum of the squares of all mobile charges in the cell, e².
    volume
        Of the cell, Å³.
    temperature
        K

    Examples
    --------
    >>> round(conductivity(1e-6, 100.0, 5000.0, 600.0), 4)
    0.062
    """
    density = squared_charges * ELEMENTARY_CHARGE**2 / (volume * A3_IN_CM3)
    return diffusivity * density / (BOLTZMANN * temperature)


def collective_path(
    positions: Float[np.ndarray, "frames ions 3"], charges: Float[np.ndarray, " ions"]
) -> Float[np.ndarray, "frames 1 3"]:
    """Return the path of the charge, scaled to that of one independent ion.

    Its MSD equals that of single ions where ions move independently of each other.

    Parameters
    ----------
    positions
        Å
    charges
        e

    Examples
    --------
    >>> path = collective_path(np.ones((2, 4, 3)), np.ones(4))
    >>> path[0, 0].tolist()
    [2.0, 2.0, 2.0]
    """
    path = np.einsum("tix,i->tx", positions, charges)
    return (path / np.sqrt((charges**2).sum()))[:, None]
