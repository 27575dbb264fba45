"""Ordered examples of an average structure, for methods that need whole atoms.

The supercell is the smallest in which whole atoms stand for the occupancies. The
elements share the sites at random, with a preference for low energies of point charges,
and no two atoms are closer than `closest_distance`.
"""

import dataclasses
import enum
import itertools
from collections.abc import Iterator

import numpy as np
from ase import Atoms
from jaxtyping import Bool, Float, Int
from matscipy.neighbours import neighbour_list

from atomgraft.core.seeding import numpy_generator
from atomgraft.data.disorder.arrangements import (
    MAX_ENUMERATED,
    Arrangement,
    Places,
    all_arrangements,
    cooled,
    n_arrangements,
)
from atomgraft.data.disorder.average import (
    CLOSEST_FULL,
    FULL,
    AverageStructure,
    Site,
    closest_distance,
)
from atomgraft.data.disorder.compositions import (
    EMPTY,
    Shares,
    WholeCounts,
    whole_counts,
)
from atomgraft.data.disorder.electrostatics import coulomb_matrix, guess_charges
from atomgraft.data.space_groups import searched

MAX_ATOMS = 200
"""Of an ordered example, unless said otherwise."""

ROUNDED = 0.05
"""Relative change of an element's share that a supercell may make."""

ROUNDED_FEW = 0.002
"""The same in atoms for each atom of the cell; of an element that is rare."""

SCREENING = 10.0
"""Relative permittivity by which energies of charges are divided."""

UNBALANCED = 0.1
"""e an atom; charges that leave more are taken to be wrong and are not used."""

LENIENT = 0.85
"""Of the closest distance, down to which atoms may be where they have no other place:
two Li 1.31 Å apart, as where the split sites of argyrodites are filled too far."""

LENIENT_PAIRS = 0.06
"""For each atom; with more pairs so close, the file is wrong."""

MAX_PLACES = 4000
"""Sites of a supercell, empty ones included; their energies are a matrix of 128 MB."""

MAX_CELLS = 64
"""Of a supercell."""

TRIES = 3
"""Arrangements that are tried for each example asked for."""

SYMMETRY_TOLERANCE = 1e-2
"""Å, of the search for the primitive cell."""


class Exclusion(enum.StrEnum):
    """Why a structure has no ordered example."""

    NO_ATOMS = "no atoms"
    TOO_LARGE = "cannot be ordered within the limits of atoms and sites"
    OVERLAPPING = "sites overlap, not all atoms have a place"


@dataclasses.dataclass(frozen=True)
class Ordered:
    """Ordered examples of one structure, and what they differ in from it.

    Parameters
    ----------
    structures
        Distinct ones, the lowest energy first; none where the structure is excluded.
    energies
        Of the point charges, screened, eV for each atom.
    multiples
        Cells along each vector of the (primitive) cell.
    notes
        What was rounded, moved or left out, and why.
    exclusion
        Why there are none; none where there are some.
    """

    structures: tuple[Atoms, ...] = ()
    energies: tuple[float, ...] = ()
    multiples: tuple[int, int, int] = (1, 1, 1)
    notes: tuple[str, ...] = ()
    exclusion: Exclusion | None = None


def ordered(
    structure: AverageStructure, n: int = 1, seed: int = 0, max_atoms: int = MAX_ATOMS
) -> Ordered:
    """Return ordered examples of a structure.

    An ordered structure is its only example, whatever its size.

    Parameters
    ----------
    structure
        Ordered or not.
    n
        At most so many; fewer where there are not as many that differ.
    seed
        Decides the arrangements.
    max_atoms
        Of an example.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.data.disorder.average import average_of
    >>> salt = average_of(bulk("NaCl", "rocksalt", a=5.64), "NaCl")
    >>> ordered(salt).structures[0].get_chemical_formula()
    'ClNa'
    """
    if not structure.sites:
        return Ordered(exclusion=Exclusion.NO_ATOMS)
    if structure.is_ordered:
        atoms = structure.atoms()
        if len(neighbour_list("i", atoms, CLOSEST_FULL)):
            return Ordered(exclusion=Exclusion.OVERLAPPING)
        return Ordered((atoms,), (0.0,), notes=("ordered as it is",))
    model = _model(structure)
    supercell = _supercell(model, max_atoms)
    if supercell is None:
        return Ordered(notes=model.notes, exclusion=Exclusion.TOO_LARGE)
    counts, multiples = supercell
    sites = _tiled(model, multiples)
    species = _filled(model, counts, sites.sets)
    places = _places(model, sites)
    found, notes = _arranged(species, places, n, seed)
    notes = (*model.notes, *_roundings(model, counts), *notes)
    if not found:
        return Ordered((), (), multiples, notes, Exclusion.OVERLAPPING)
    structures = tuple(_atoms(model, sites, one, structure.name) for one in found)
    energies = tuple(
        one.energy / len(atoms) for one, atoms in zip(found, structures, strict=True)
    )
    return Ordered(structures, energies, multiples, notes)


@dataclasses.dataclass(frozen=True)
class _Model:
    """The primitive cell, its sets of equal sites, and its species."""

    cell: Float[np.ndarray, "3 3"]
    positions: Float[np.ndarray, "sites 3"]
    set_of: Int[np.ndarray, "sites"]
    sets: list[Shares]
    symbols: list[str]
    charges: Float[np.ndarray, "species"]
    has_charges: bool
    notes: tuple[str, ...]

    @property
    def n_atoms(self) -> float:
        return sum(one.n_sites * (1 - one.shares.get(EMPTY, 0.0)) for one in self.sets)


def _model(structure: AverageStructure) -> _Model:
    kinds = {(site.orbit, site.occupants): site for site in structure.sites}
    number = {key: i for i, key in enumerate(kinds)}
    set_of = np.array([number[one.orbit, one.occupants] for one in structure.sites])
    species = {
        (one.symbol, one.charge): None
        for site in kinds.values()
        for one in site.occupants
    }
    index = {key: i for i, key in enumerate(species)}
    cell, positions, set_of = _primitive(structure.cell, structure.positions, set_of)
    sizes = np.bincount(set_of, minlength=len(kinds)).tolist()
    sets = [
        Shares(n, _shares(site, index))
        for n, site in zip(sizes, kinds.values(), strict=True)
    ]
    charges, notes = _charges(list(species), structure.composition, sets)
    return _Model(
        cell,
        positions,
        set_of,
        sets,
        [symbol for symbol, _ in species],
        charges if charges is not None else np.zeros(len(species)),
        charges is not None,
        notes,
    )


def _shares(site: Site, index: dict[tuple[str, float | None], int]) -> dict[int, float]:
    total = site.filled if site.filled >= FULL else 1.0
    shares = {
        index[one.symbol, one.charge]: one.occupancy / total for one in site.occupants
    }
    return shares if site.filled >= FULL else {**shares, EMPTY: 1.0 - site.filled}


def _charges(
    species: list[tuple[str, float | None]],
    composition: dict[str, float],
    sets: list[Shares],
) -> tuple[Float[np.ndarray, "species"] | None, tuple[str, ...]]:
    """Return the charges of species, stated or usual; none where they make no sense."""
    stated = [charge for _, charge in species if charge is not None]
    if len(stated) == len(species) and any(stated):
        charges = np.array(stated, dtype=float)
    else:
        usual = guess_charges(composition)
        if usual is None:
            return None, ("no charges: an element has no usual oxidation state",)
        charges = np.array([usual[symbol] for symbol, _ in species], dtype=float)
    amounts = np.array(
        [
            sum(one.n_sites * one.shares.get(i, 0.0) for one in sets)
            for i in range(len(species))
        ]
    )
    left = float(charges @ amounts / amounts.sum())
    if abs(left) > UNBALANCED:
        return None, (f"no charges: oxidation states leave {left:+.2f} e an atom",)
    return charges, ()


def _primitive(
    cell: Float[np.ndarray, "3 3"],
    positions: Float[np.ndarray, "sites 3"],
    set_of: Int[np.ndarray, "sites"],
) -> tuple[
    Float[np.ndarray, "3 3"], Float[np.ndarray, "kept 3"], Int[np.ndarray, "kept"]
]:
    """Return the primitive cell, or the same cell if it is primitive."""
    found = searched(
        "standardize_cell",
        (cell, positions, set_of + 1),
        SYMMETRY_TOLERANCE,
        to_primitive=True,
        no_idealize=True,
    )
    if found is None or len(found[2]) >= len(set_of):
        return cell, positions, set_of
    smaller = np.asarray(found[2]) - 1
    n_sets = int(set_of.max()) + 1
    ratio = np.bincount(set_of, minlength=n_sets) / np.maximum(
        1, np.bincount(smaller, minlength=n_sets)
    )
    if not (ratio == ratio[0]).all():
        return cell, positions, set_of
    return np.asarray(found[0]), np.asarray(found[1]) % 1.0, smaller


def _supercell(
    model: _Model, max_atoms: int
) -> tuple[WholeCounts, tuple[int, int, int]] | None:
    """Return the smallest supercell that is good enough, else the best that fits."""
    charges = model.charges if model.has_charges else None
    best: tuple[float, int, WholeCounts] | None = None
    most = min(max_atoms / model.n_atoms, MAX_PLACES / len(model.positions), MAX_CELLS)
    for multiple in range(1, int(most + 1)):
        counts = whole_counts(model.sets, multiple, len(model.symbols), charges)
        if sum(counts.totals) > max_atoms or not sum(counts.totals):
            continue
        wanted, got = np.array(counts.wanted), np.array(counts.totals)
        missed = np.abs(wanted - got)
        score = float(missed.sum() / wanted.sum())
        if best is None or score < best[0] - 1e-9:
            best = score, multiple, counts
        few = ROUNDED_FEW * wanted.sum()
        if (missed <= np.maximum(ROUNDED * wanted, few)).all():
            best = score, multiple, counts
            break
    if best is None:
        return None
    return best[2], _multiples(model.cell, best[1])


def _multiples(cell: Float[np.ndarray, "3 3"], multiple: int) -> tuple[int, int, int]:
    """Return the supercell of a size whose faces are farthest apart, nearest first."""
    volume = abs(np.linalg.det(cell))
    areas = np.linalg.norm(np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]]), axis=1)
    divisors = [n for n in range(1, multiple + 1) if multiple % n == 0]
    shapes = [
        (a, b, multiple // (a * b))
        for a, b in itertools.product(divisors, divisors)
        if multiple % (a * b) == 0
    ]
    heights = {one: np.sort(np.round(volume / areas * one, 6)) for one in shapes}
    return max(shapes, key=lambda one: (heights[one].tolist(), one))


@dataclasses.dataclass(frozen=True)
class _Sites:
    """Sites of a supercell."""

    cell: Float[np.ndarray, "3 3"]
    positions: Float[np.ndarray, "sites 3"]
    sets: list[Int[np.ndarray, "_"]]


def _tiled(model: _Model, multiples: tuple[int, int, int]) -> _Sites:
    shifts = np.array(list(itertools.product(*map(range, multiples))))
    fractions = (model.positions[None] + shifts[:, None]).reshape(-1, 3) / multiples
    cell = model.cell * np.array(multiples)[:, None]
    set_of = np.tile(model.set_of, len(shifts))
    sets = [np.flatnonzero(set_of == i) for i in range(len(model.sets))]
    return _Sites(cell, fractions @ cell, sets)


def _filled(
    model: _Model, counts: WholeCounts, sets: list[Int[np.ndarray, "_"]]
) -> Int[np.ndarray, "sites"]:
    """Return species of sites, those of each set in the order of their numbers."""
    species = np.full(sum(map(len, sets)), EMPTY)
    for sites, numbers in zip(sets, counts.counts, strict=True):
        species[sites] = np.repeat(list(numbers), list(numbers.values()))
    return species


def _places(model: _Model, sites: _Sites) -> Places:
    n, n_species = len(sites.positions), len(model.symbols)
    closest = np.zeros((n_species + 1, n_species + 1))
    for a, b in itertools.product(range(n_species), repeat=2):
        closest[a, b] = closest_distance(model.symbols[a], model.symbols[b])
    allowed = np.zeros((n, n_species + 1), dtype=bool)
    for places, one in zip(sites.sets, model.sets, strict=True):
        allowed[places[:, None], list(one.shares)] = True
    is_open = np.array([len(one.shares) > 1 for one in model.sets])
    couplings = np.zeros((n, n))
    if model.has_charges:
        couplings = coulomb_matrix(sites.cell, sites.positions) / SCREENING
    is_open_site = np.zeros(n, dtype=bool)
    for places, one in zip(sites.sets, is_open, strict=True):
        is_open_site[places] = one
    return Places(
        couplings,
        np.append(model.charges, 0.0),
        closest,
        _near(sites, float(closest.max()), is_open_site),
        [places for places, one in zip(sites.sets, is_open, strict=True) if one],
        allowed,
    )


def _near(
    sites: _Sites, cutoff: float, is_open: Bool[np.ndarray, "sites"]
) -> list[list[tuple[int, float]]]:
    """Return pairs of sites that may be too close; two full ones only at one place."""
    crystal = Atoms(["H"] * len(sites.positions), sites.positions, cell=sites.cell)
    crystal.pbc = True
    near: list[list[tuple[int, float]]] = [[] for _ in sites.positions]
    for i, j, d in zip(*neighbour_list("ijd", crystal, cutoff), strict=True):
        if i != j and (is_open[i] or is_open[j] or d < CLOSEST_FULL):
            near[i].append((int(j), float(d)))
    return near


def _arranged(
    species: Int[np.ndarray, "sites"], places: Places, n: int, seed: int
) -> tuple[list[Arrangement], tuple[str, ...]]:
    """Return distinct arrangements of low energy, and what had to be given up."""
    within = _tried(species, places, n, seed, between_sets=False)
    if found := _best(within, n):
        return found, ()
    between = _tried(species, places, n, seed, between_sets=True)
    if found := _best(between, n):
        n_moved = max(_moved(species, one.species, places) for one in found)
        note = f"up to {n_moved} atoms moved to other sites, where their own overlap"
        return found, (note,)
    lenient = dataclasses.replace(places, closest=places.closest * LENIENT)
    most = LENIENT_PAIRS * np.count_nonzero(species != EMPTY)
    found = [
        one
        for one in within
        if one.n_close <= most and not lenient.n_close(one.species)
    ]
    found = sorted(found, key=lambda one: (one.n_close, one.energy))[:n]
    if not found:
        return [], ()
    n_close = max(one.n_close for one in found)
    return found, (f"up to {n_close} pairs of atoms are closer than usual",)


def _tried(
    species: Int[np.ndarray, "sites"],
    places: Places,
    n: int,
    seed: int,
    *,
    between_sets: bool,
) -> list[Arrangement]:
    """Return distinct arrangements; no more are sought once there are n good ones."""
    if not between_sets and n_arrangements(species, places) <= MAX_ENUMERATED:
        return all_arrangements(species, places)
    found: dict[bytes, Arrangement] = {}
    for i in range(TRIES * n):
        rng = numpy_generator(seed, "ordered", i)
        one = cooled(species, places, rng, between_sets=between_sets)
        found.setdefault(one.species.tobytes(), one)
        if sum(not one.n_close for one in found.values()) == n:
            break
    return list(found.values())


def _best(tried: list[Arrangement], n: int) -> list[Arrangement]:
    good = [one for one in tried if not one.n_close]
    return sorted(good, key=lambda one: one.energy)[:n]


def _moved(
    before: Int[np.ndarray, "sites"], after: Int[np.ndarray, "sites"], places: Places
) -> int:
    """Return the atoms that are on another set of sites than before."""
    n_species = len(places.charges)
    total = 0
    for sites in places.sets:
        one = np.bincount(before[sites] % n_species, minlength=n_species)
        other = np.bincount(after[sites] % n_species, minlength=n_species)
        total += int(np.maximum(0, other - one)[:-1].sum())
    return total


def _roundings(model: _Model, counts: WholeCounts) -> Iterator[str]:
    for symbol, wanted, got in zip(
        model.symbols, counts.wanted, counts.totals, strict=True
    ):
        if abs(wanted - got) > 1e-3:
            yield f"{symbol} rounded from {wanted:.3f} to {got}"
    left = float(model.charges @ np.array(counts.totals))
    if abs(left) > 1e-6:
        yield f"a charge of {left:+.3g} e is left"


def _atoms(model: _Model, sites: _Sites, one: Arrangement, name: str) -> Atoms:
    is_taken = one.species != EMPTY
    symbols = [model.symbols[i] for i in one.species[is_taken]]
    atoms = Atoms(symbols, sites.positions[is_taken], cell=sites.cell, pbc=True)
    atoms.info["source"] = name
    return atoms
