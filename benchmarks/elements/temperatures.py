"""Which run of molecular dynamics a germanium frame comes from; files do not say it.

The frames are those of Zuo et al. (J. Phys. Chem. A 124, 731, 2020): crystals at 300 K
and at 0.5, 0.9, 1.5 and 2.0 times the melting point, and vacancies at 300 K and twice
the melting point, all in one cell. In the files, frames of the five runs of the crystal
alternate, and vacancies are those of one run after those of the other. Temperatures are
given to runs by their mean energy, which grows with temperature. This is refused where
the coldest run overlaps with another: then the order is another one.
"""

from collections.abc import Sequence

import numpy as np
from ase import Atoms

TEMPERATURES = (300, 606, 1090, 1817, 2423)
"""K; the melting point is 1211 K. The crystal is solid at the first two."""

CRYSTAL, VACANCY = "AIMD-NVT", "Vacancy"
"""Groups that are of molecular dynamics."""


def temperatures_of(frames: Sequence[Atoms]) -> list[int | None]:
    """Return the temperature of each frame of a file, K; none outside of the runs.

    Parameters
    ----------
    frames
        All of the file, in its order.

    Raises
    ------
    SystemExit
        The frames do not alternate between five runs.
    """
    found: list[int | None] = [None] * len(frames)
    for group, assigned in ((CRYSTAL, of_crystals), (VACANCY, of_vacancies)):
        places = [i for i, a in enumerate(frames) if a.info["config_type"] == group]
        energies = [frames[i].info["REF_energy"] / len(frames[i]) for i in places]
        for i, T in zip(places, assigned(np.array(energies)), strict=True):
            found[i] = T
    return found


def of_crystals(energies: np.ndarray) -> list[int]:
    """Return temperatures of frames that alternate between the runs."""
    n_runs = len(TEMPERATURES)
    run = np.arange(len(energies)) % n_runs
    if len(energies) < n_runs:
        raise SystemExit(f"{len(energies)} frames are not of {n_runs} runs.")
    order = np.argsort([energies[run == k].mean() for k in range(n_runs)])
    is_coldest = run == order[0]
    if energies[is_coldest].max() >= energies[~is_coldest].min():
        raise SystemExit("The frames do not alternate between runs: order unknown.")
    of_run = dict(zip(order.tolist(), TEMPERATURES, strict=True))
    return [of_run[k] for k in run.tolist()]


def of_vacancies(energies: np.ndarray) -> list[int]:
    """Return temperatures of frames on both sides of the largest gap in energy."""
    if not len(energies):
        return []
    ordered = np.sort(energies)
    gap = int(np.argmax(np.diff(ordered)))
    is_cold = energies <= ordered[gap]
    return [TEMPERATURES[0] if one else TEMPERATURES[-1] for one in is_cold]
