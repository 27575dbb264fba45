"""Arrangements of atoms on sites that have more places than atoms, or several elements.

Numbers of atoms on each set of sites are given. Where there are few arrangements, all
are compared; else atoms and vacancies are exchanged (Metropolis) while the temperature
falls. The energy is that of point charges, with a penalty for atoms that are too close.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int

MAX_ENUMERATED = 400
"""Arrangements up to which all are compared."""

STEPS_PER_SITE = 150
MAX_STEPS = 40_000
"""Exchanges that are tried for an arrangement; about half a second."""

HOT, COLD = 0.4, 0.03
"""eV; temperatures (times Boltzmann's constant) from which and to which it falls."""

PENALTY = 5.0
"""eV for two atoms that are too close, many times `HOT`."""


@dataclasses.dataclass(frozen=True)
class Places:
    """Sites, what they hold, and what decides between arrangements.

    Parameters
    ----------
    couplings
        Energy between unit charges, screened, eV/e².
    charges
        Of each species, e; the last is 0, of the vacancy (-1).
    closest
        Å; two species nearer than this are too close, 0 for vacancies.
    near
        For each site the others that may be too close, and their distances, Å.
    sets
        Sites that are exchanged among each other.
    allowed
        Whether a species may be on a site; for exchanges between sets.
    """

    couplings: Float[np.ndarray, "sites sites"]
    charges: Float[np.ndarray, "species"]
    closest: Float[np.ndarray, "species species"]
    near: Sequence[Sequence[tuple[int, float]]]
    sets: Sequence[Int[np.ndarray, "_"]]
    allowed: np.ndarray

    def energy(self, species: Int[np.ndarray, "sites"]) -> float:
        """Return the energy of the charges, eV."""
        q = self.charges[species]
        return float(q @ self.couplings @ q) / 2

    def n_close(self, species: Int[np.ndarray, "sites"]) -> int:
        """Return how many pairs of atoms are too close."""
        held = species.tolist()
        return sum(self.n_close_to(held, i) for i in range(len(held))) // 2

    def n_close_to(self, held: Sequence[int], i: int) -> int:
        """Return how many atoms are too close to the one on a site."""
        limits = self._limits[held[i]]
        return sum(d < limits[held[j]] for j, d in self.near[i])

    @functools.cached_property
    def _limits(self) -> list[list[float]]:
        return self.closest.tolist()  # numbers of Python are faster one by one


@dataclasses.dataclass(frozen=True)
class Arrangement:
    """What each site holds.

    Parameters
    ----------
    species
        Number of the species on each site, -1 for none.
    energy
        Of the charges, eV.
    n_close
        Pairs of atoms that are too close.
    """

    species: Int[np.ndarray, "sites"]
    energy: float
    n_close: int


def n_arrangements(species: Int[np.ndarray, "sites"], places: Places) -> int:
    """Return how many arrangements there are, those of equal symmetry counted apart.

    Parameters
    ----------
    species
        One of them.
    places
        Its sets of sites.
    """
    total = 1
    for sites in places.sets:
        counts = np.unique(species[sites], return_counts=True)[1].tolist()
        total *= math.factorial(sum(counts)) // math.prod(map(math.factorial, counts))
    return total


def all_arrangements(
    species: Int[np.ndarray, "sites"], places: Places
) -> list[Arrangement]:
    """Return one arrangement of each energy, the lowest first.

    Parameters
    ----------
    species
        Any arrangement.
    places
        With few arrangements in all.
    """
    found: dict[tuple[int, float], Arrangement] = {}
    choices = [list(_orders(sorted(species[sites].tolist()))) for sites in places.sets]
    for chosen in itertools.product(*choices):
        one = species.copy()
        for sites, held in zip(places.sets, chosen, strict=True):
            one[sites] = held
        energy, n_close = places.energy(one), places.n_close(one)
        found.setdefault((n_close, round(energy, 6)), Arrangement(one, energy, n_close))
    return sorted(found.values(), key=lambda one: (one.n_close, one.energy))


def _orders(held: list[int]) -> Iterator[tuple[int, ...]]:
    """Yield every distinct order of numbers."""
    if not held:
        yield ()
    for first in sorted(set(held)):
        rest = held.copy()
        rest.remove(first)
        for others in _orders(rest):
            yield (first, *others)


def cooled(
    species: Int[np.ndarray, "sites"],
    places: Places,
    rng: np.random.Generator,
    *,
    between_sets: bool = False,
) -> Arrangement:
    """Return an arrangement of low energy, from a random one.

    Parameters
    ----------
    species
        What is to be arranged.
    places
        Where.
    rng
        Decides the arrangement.
    between_sets
        Exchange also between sets, where a species is allowed on both sites; else
        each set keeps its atoms.
    """
    start = species.copy()
    for sites in places.sets:
        start[sites] = rng.permutation(start[sites])
    groups = [one for one in places.sets if len(one) > 1]
    if between_sets and groups:
        groups = [np.concatenate(list(places.sets))]
    groups = [one for one in groups if len(np.unique(start[one])) > 1]
    if groups:
        _exchange(start, places, groups, rng)
    return Arrangement(start, places.energy(start), places.n_close(start))


def _exchange(
    species: Int[np.ndarray, "sites"],
    places: Places,
    groups: Sequence[Int[np.ndarray, "_"]],
    rng: np.random.Generator,
) -> None:
    """Exchange what pairs of sites hold, in place."""
    held = species.tolist()
    potential = places.couplings @ places.charges[species]
    sites = np.concatenate(list(groups))
    group_of = np.repeat(np.arange(len(groups)), [len(one) for one in groups])
    n_steps = min(MAX_STEPS, STEPS_PER_SITE * len(sites))
    chosen = rng.integers(len(sites), size=n_steps)
    heat = HOT * (COLD / HOT) ** (np.arange(n_steps) / n_steps)
    thresholds = -heat * np.log1p(-rng.random(n_steps))
    partners = rng.random(n_steps)
    for step, at in enumerate(chosen.tolist()):
        group = groups[int(group_of[at])]
        i, j = int(sites[at]), int(group[int(partners[step] * len(group))])
        a, b = held[i], held[j]
        if a == b or not (places.allowed[j, a] and places.allowed[i, b]):
            continue
        change = float(places.charges[b] - places.charges[a])
        work = _work(places, potential, i, j, change)
        before = places.n_close_to(held, i) + places.n_close_to(held, j)
        held[i], held[j] = b, a
        after = places.n_close_to(held, i) + places.n_close_to(held, j)
        if work + PENALTY * (after - before) > thresholds[step]:
            held[i], held[j] = a, b
        elif change:
            potential += change * (places.couplings[i] - places.couplings[j])
    species[:] = held


def _work(
    places: Places,
    potential: Float[np.ndarray, "sites"],
    i: int,
    j: int,
    change: float,
) -> float:
    """Return the energy of moving a charge from one site to another, eV."""
    A = places.couplings
    own = A[i, i] + A[j, j] - 2 * A[i, j]
    return change * float(potential[i] - potential[j]) + change**2 / 2 * float(own)
