"""What is seen of a run: heat, distances, bonds; who fails at once stops."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from scipy.stats import chi2, norm

from atomgraft.dynamics.replicas import (
    Replica,
    State,
    kinetic_energies,
    places_of,
    temperatures,
)
from atomgraft.dynamics.runs import AbstractObserver
from atomgraft.evaluation.systems import System, histogram, intact_share

N_SIGMA = 5.0
"""Of the canonical distribution; as rare as for a normal one, 3 in 10 million."""

CLOSEST = 0.75
"""Of the neighbour distance."""

FINE, BROKEN, HOT, CLOSE, DONE = range(5)
"""Why a replica has stopped, if it has; done is the end of a run at constant energy."""


def highest_temperature(temperature: float, n_atoms: int) -> float:
    """Return the kinetic temperature that a canonical system exceeds by no chance.

    It is distributed as χ² over its 3 N degrees of freedom.

    Parameters
    ----------
    temperature
        K
    n_atoms
        Of the system.

    Examples
    --------
    >>> round(highest_temperature(300.0, 64))
    479
    """
    free = 3 * n_atoms
    return temperature * float(chi2.isf(norm.sf(N_SIGMA), free)) / free


class Watcher(AbstractObserver):
    """Sums up each window of time, and stops what is too hot or too close.

    Parameters
    ----------
    system
        The same for all replicas.
    replicas
        With a temperature they are judged; without one their energy is followed.
    window
        Steps.
    n_windows
        Of the run.
    n_drift
        Steps after which replicas without a temperature are done.
    """

    def __init__(
        self,
        system: System,
        replicas: Sequence[Replica],
        *,
        window: int,
        n_windows: int,
        n_drift: int,
    ) -> None:
        self._system, self._replicas = system, replicas
        self._window, self._n_drift = window, n_drift
        shape = (len(replicas), n_windows)
        self.counts = np.zeros((*shape, system.n_features), dtype=np.int64)
        self.intact = np.zeros(shape)
        self.n_looks = np.zeros(shape, dtype=np.int64)
        self.reasons = np.full(len(replicas), FINE)
        self._energies: list[np.ndarray] = []
        self._limits = [
            np.inf
            if one.temperature is None
            else highest_temperature(one.temperature, len(system.atoms))
            for one in replicas
        ]

    @property
    def energies(self) -> np.ndarray:
        """Total energy at each look of each replica that moved then, eV."""
        return np.array(self._energies).reshape(-1, len(self._replicas))

    def look(self, state: State) -> Collection[int]:
        """Measure every replica that moves, and return those that fail."""
        total = state.energies + kinetic_energies(self._replicas, state)
        self._energies.append(np.where(state.is_moving, total, np.nan))
        heat = temperatures(self._replicas, state)
        places = places_of(self._replicas)
        for i in np.flatnonzero(state.is_moving).tolist():
            self._measure(i, state, state.positions[places[i]], float(heat[i]))
        return np.flatnonzero(state.is_moving & (self.reasons != FINE)).tolist()

    def _measure(
        self, i: int, state: State, positions: np.ndarray, heat: float
    ) -> None:
        if self._replicas[i].temperature is None:
            if state.step >= self._n_drift:
                self.reasons[i] = DONE
            return
        counts, closest = histogram(self._system, positions)
        w = (state.step - 1) // self._window
        self.counts[i, w] += counts
        self.intact[i, w] += intact_share(self._system, positions)
        self.n_looks[i, w] += 1
        if heat > self._limits[i]:
            self.reasons[i] = HOT
        elif closest < CLOSEST * self._system.neighbour:
            self.reasons[i] = CLOSE

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return what has been seen so far."""
        return {
            "counts": self.counts,
            "intact": self.intact,
            "n_looks": self.n_looks,
            "reasons": self.reasons,
            "energies": self.energies,
        }

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back what :meth:`arrays` returned."""
        self.counts, self.intact = arrays["counts"], arrays["intact"]
        self.n_looks, self.reasons = arrays["n_looks"], arrays["reasons"]
        self._energies = list(arrays["energies"])
