"""What is kept of a run: velocities as spectra, and configurations."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from atomgraft.dynamics.replicas import Replica, State, temperatures
from atomgraft.dynamics.runs import AbstractObserver
from atomgraft.evaluation.motion.setup import Plan
from atomgraft.evaluation.survival.watcher import CLOSE, FINE, HOT
from atomgraft.evaluation.systems import System, histogram
from atomgraft.metrics.spectra import power_spectrum


class Guard(AbstractObserver):
    """Stops replicas in which two atoms are too close.

    Parameters
    ----------
    system
        The same for all replicas.
    closest
        Å, for each replica.
    """

    def __init__(self, system: System, closest: Sequence[float]) -> None:
        self._system, self._closest = system, closest
        self.reasons = np.full(len(closest), FINE)

    def look(self, state: State) -> Collection[int]:
        """Return the replicas that move and have atoms too close."""
        positions = state.positions.reshape(len(self._closest), -1, 3)
        for i in np.flatnonzero(state.is_moving).tolist():
            if histogram(self._system, positions[i])[1] < self._closest[i]:
                self.reasons[i] = CLOSE
        return np.flatnonzero(state.is_moving & (self.reasons != FINE)).tolist()

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return what has been seen so far."""
        return {"reasons": self.reasons}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back what :meth:`arrays` returned."""
        self.reasons = arrays["reasons"].copy()


class Sampler(AbstractObserver):
    """Sums up spectra of windows that overlap by half, and keeps configurations.

    Replicas that are too hot or too close stop.

    Parameters
    ----------
    plan
        What all replicas do.
    replicas
        With their temperatures.
    closest
        Å, for each replica.
    hottest
        K, likewise.
    """

    def __init__(
        self,
        plan: Plan,
        replicas: Sequence[Replica],
        *,
        closest: Sequence[float],
        hottest: Sequence[float],
    ) -> None:
        self._plan, self._replicas = plan, replicas
        self._hottest = np.array(hottest)
        self._guard = Guard(plan.system, closest)
        n, n_atoms = len(replicas), len(plan.system.atoms)
        n_kinds = len(plan.elements)
        self._velocities = np.zeros((plan.n_window, n, n_atoms, 3))
        self._n_held = 0
        self.spectra = np.zeros((n, n_kinds, len(plan.frequencies)))
        self.positions = np.zeros((plan.n_samples, n, n_atoms, 3))
        self.heat = np.zeros(n)

    @property
    def reasons(self) -> np.ndarray:
        """Why each replica has stopped, if it has."""
        return self._guard.reasons

    def look(self, state: State) -> Collection[int]:
        """Measure, and return replicas that fail."""
        shape = (len(self._replicas), -1, 3)
        self._keep(state.velocities.reshape(shape))
        heat = temperatures(self._replicas, state)
        self.heat += heat
        n_looks = state.step // self._plan.look_every
        is_hot = state.is_moving & (heat > self._hottest)
        self.reasons[is_hot & (self.reasons == FINE)] = HOT
        if n_looks % self._plan.sample_every == 0:
            k = n_looks // self._plan.sample_every - 1
            self.positions[k] = state.positions.reshape(shape)
            return self._guard.look(state)
        return np.flatnonzero(state.is_moving & (self.reasons != FINE)).tolist()

    def _keep(self, velocities: np.ndarray) -> None:
        """Add velocities to the window; a full one becomes a spectrum."""
        self._velocities[self._n_held] = velocities
        self._n_held += 1
        if self._n_held < self._plan.n_window:
            return
        masses = self._plan.system.atoms.get_masses()
        for i in range(len(self._replicas)):
            self.spectra[i] += power_spectrum(
                self._velocities[:, i], masses, self._plan.kinds
            )
        half = self._plan.n_window // 2
        self._velocities[:half] = self._velocities[half:]
        self._n_held = half

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return what has been seen so far."""
        return {
            "velocities": self._velocities,
            "n_held": np.array([self._n_held]),
            "spectra": self.spectra,
            "positions": self.positions,
            "heat": self.heat,
            **self._guard.arrays(),
        }

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back what :meth:`arrays` returned."""
        self._velocities = arrays["velocities"].copy()
        self._n_held = int(arrays["n_held"][0])
        self.spectra = arrays["spectra"].copy()
        self.positions = arrays["positions"].copy()
        self.heat = arrays["heat"].copy()
        self._guard.restore(arrays)
