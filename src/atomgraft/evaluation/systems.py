"""The crystal that is put in motion, and what is measured of its atoms."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int
from matscipy.neighbours import neighbour_list

from atomgraft.core.errors import BadInputError
from atomgraft.data.canonical import CONSTRAINED
from atomgraft.data.similarity import group_kinds, patterns
from atomgraft.data.space_groups import cell_of, searched
from atomgraft.lattice.supercells import require_crystal, supercell_by_length
from atomgraft.models.memory import require_memory

MEAN_SITES = 0.2
"""Å; how well a mean over frames knows the sites of a crystal."""

SAME_VOLUME = 0.05
"""Relative change of the volume per atom up to which a cell is the same crystal's."""

REACH = 6.0
"""Å; radial distributions end here, or at half the height of the cell."""

BIN = 0.1
"""Å, of radial distributions."""

BYTES_PER_PAIR = 125
"""Memory of :func:`histogram` for each two atoms: indices, vectors and distances."""

SHELLS = 2.0
"""Times the neighbour distance, within which the gap between two shells is sought."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class System:
    """A supercell, with what its atoms are watched by.

    Parameters
    ----------
    atoms
        At its sites.
    neighbour
        The neighbour distance: the smallest between two atoms, Å.
    bonds
        Pairs of neighbours, each once.
    translations
        What brings the second atom of each bond beside the first, Å.
    intact
        Length up to which a bond is one, halfway between two shells, Å.
    n_bins
        Of the radial distribution, for each kind of pair.
    keys
        Of the kinds of pairs, as :func:`pair_keys` gives them.
    kinds
        Which kind each two atoms are, in the order of ``np.triu_indices``.
    """

    atoms: Atoms
    neighbour: float
    bonds: Int[np.ndarray, "2 bonds"]
    translations: Float[np.ndarray, "bonds 3"]
    intact: float
    n_bins: int
    keys: Int[np.ndarray, " kinds"]
    kinds: Int[np.ndarray, " pairs"]

    @property
    def n_features(self) -> int:
        """Length of a radial distribution: bins of every kind of pair."""
        return len(self.keys) * self.n_bins


def common_crystal(structures: Sequence[Atoms]) -> Atoms | None:
    """Return the crystal that most structures are displaced copies of.

    The mean over its copies has the symmetry that displacements hide: the conventional
    cell that spglib finds in it, or the mean itself where it finds another crystal.

    Parameters
    ----------
    structures
        Of a run; not changed.

    Returns
    -------
    :
        Where most copies hold atoms fixed, `info` says so, by the key of the readers.

    Examples
    --------
    >>> from ase.build import bulk
    >>> frames = [bulk("Si", cubic=True) for _ in range(3)]
    >>> for seed, one in enumerate(frames):
    ...     one.rattle(0.05, seed=seed)
    >>> str(common_crystal(frames).symbols)
    'Si8'
    """
    periodic = [one for one in structures if one.pbc.all() and one.cell.rank == 3]
    kinds = group_kinds(periodic)
    if not kinds:
        return None
    formulas = [one.symbols.formula.reduce()[0].format("hill") for one in periodic]
    [(formula, _)] = Counter(formulas).most_common(1)
    fitting = [one for one in kinds if formulas[one.members[0]] == formula]
    kind = max(fitting, key=lambda one: len(one.members))
    first = periodic[kind.members[0]]
    mean = Atoms(first.numbers, first.positions, cell=first.cell, pbc=True)
    moved = kind.displacements[0] - patterns(kind)[0]
    mean.positions += moved.reshape(-1, 3)
    cell = kind.cells.mean(axis=0).reshape(3, 3)
    mean.set_cell(cell, scale_atoms=True)
    crystal = _conventional(mean)
    is_held = [CONSTRAINED in periodic[k].info for k in kind.members]
    if np.mean(is_held) > 0.5:
        crystal.info[CONSTRAINED] = True
    return crystal


def _conventional(mean: Atoms) -> Atoms:
    found = searched("standardize_cell", cell_of(mean), MEAN_SITES)
    if found is None:
        return mean
    cell, fractions, numbers = found
    ideal = Atoms(numbers, cell=cell, pbc=True, scaled_positions=fractions)
    change = ideal.cell.volume / len(ideal) / (mean.cell.volume / len(mean)) - 1
    return ideal if abs(change) < SAME_VOLUME else mean


def repeated(
    crystal: Atoms,
    n_atoms: int,
    supercell: Sequence[int] = (),
    *,
    suite: str = "md",
) -> Atoms:
    """Return a supercell with a number of atoms or more, as near a cube as may be.

    Parameters
    ----------
    crystal
        Periodic in all directions.
    n_atoms
        At least.
    supercell
        Repetitions, one for all directions or one for each; wins over `n_atoms`.
    suite
        Whose setting this is, for messages.

    Raises
    ------
    BadInputError
        It is no crystal, or there are not one or three repetitions.

    Examples
    --------
    >>> from ase.build import bulk
    >>> len(repeated(bulk("Si", cubic=True), 60))
    64
    """
    require_crystal(crystal)
    if supercell:
        if len(supercell) not in {1, 3}:
            raise BadInputError(
                f"The supercell is {list(supercell)}.",
                "One number, or one for each direction, is needed.",
                f"Write --set {suite}.supercell=2",
            )
        times = [*supercell] * (3 // len(supercell))
        return crystal.repeat(times)
    length = 1.0
    while (
        np.prod(times := supercell_by_length(crystal, length).diagonal()) * len(crystal)
        < n_atoms
    ):
        length += 0.25
    return crystal.repeat(times.tolist())


def system_of(atoms: Atoms, *, suite: str = "md") -> System:
    """Return what a crystal at its sites is watched by.

    Parameters
    ----------
    atoms
        The supercell.
    suite
        That watches it, for messages.

    Raises
    ------
    BadInputError
        The cell is too small for distances to be told, or has more pairs of atoms than
        fit in memory.
    """
    n_pairs = len(atoms) * (len(atoms) - 1) / 2
    require_memory(
        BYTES_PER_PAIR * n_pairs,
        f"The count of distances between all {len(atoms)} atoms of the supercell (suite"
        f" {suite})",
        f"Use a smaller supercell: --set {suite}.atoms=1000",
    )
    heights = 1 / np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
    reach = min(REACH, float(heights.min()) / 2)
    distances = neighbour_list("d", atoms, 2 * REACH)
    neighbour = float(distances.min()) if len(distances) else np.inf
    if len(atoms) < 2 or neighbour > reach:
        raise BadInputError(
            f"The supercell of {atoms.get_chemical_formula()} is {2 * reach:.3g} Å "
            "thin.",
            "It must hold a sphere of twice the neighbour distance.",
            f"Take a larger one: --set {suite}.atoms=64",
        )
    intact = _between_shells(distances / neighbour) * neighbour
    i, j, shifts = neighbour_list("ijS", atoms, intact)
    once = (i < j) | ((i == j) & (shifts @ [1e6, 1e3, 1] > 0))
    rows, columns = np.triu_indices(len(atoms), 1)
    keys, kinds = np.unique(
        pair_keys(atoms.numbers[rows], atoms.numbers[columns]), return_inverse=True
    )
    return System(
        atoms=atoms,
        neighbour=neighbour,
        bonds=np.stack([i[once], j[once]]),
        translations=shifts[once] @ atoms.cell.array,
        intact=intact,
        n_bins=max(1, int(reach / BIN + 1e-9)),
        keys=keys,
        kinds=kinds.ravel(),
    )


def _between_shells(ratios: Float[np.ndarray, " distances"]) -> float:
    """Return the middle of the widest gap between shells of neighbours.

    Parameters
    ----------
    ratios
        Distances over the smallest of them.
    """
    shells = np.unique(np.round(ratios, 6))
    inner = shells[shells < SHELLS]
    outer = shells[1 : len(inner) + 1]
    if len(outer) < len(inner):
        outer = np.append(outer, SHELLS)
    widest = int(np.argmax(outer / inner))
    return float(inner[widest] + outer[widest]) / 2


def pair_keys(
    one: Int[np.ndarray, " pairs"], other: Int[np.ndarray, " pairs"]
) -> Int[np.ndarray, " pairs"]:
    """Return a number for each pair of elements, whichever comes first.

    Examples
    --------
    >>> pair_keys(np.array([8, 14]), np.array([14, 8])).tolist()
    [14008, 14008]
    """
    return np.maximum(one, other) * 1000 + np.minimum(one, other)


def histogram(
    system: System, positions: Float[np.ndarray, "atoms 3"]
) -> tuple[Int[np.ndarray, " features"], float]:
    """Return the distances of a configuration: by kind and bin, and the smallest (Å).

    Parameters
    ----------
    system
        Whose cell and kinds of pairs count.
    positions
        Å
    """
    atoms = system.atoms
    rows, columns = np.triu_indices(len(atoms), 1)
    fractions = np.linalg.solve(atoms.cell.array.T, positions.T).T
    apart = fractions[rows] - fractions[columns]
    apart -= np.round(apart)
    distances = np.linalg.norm(apart @ atoms.cell.array, axis=1)
    bins = (distances / BIN).astype(np.int64)
    near = bins < system.n_bins
    counts = np.bincount(
        system.kinds[near] * system.n_bins + bins[near],
        minlength=system.n_features,
    )
    return counts, float(distances.min())


def features(
    system: System, counts: Float[np.ndarray, "*more features"]
) -> Float[np.ndarray, "*more features"]:
    """Return partial radial distribution functions, weighed by their share of pairs.

    Sums of differences between two rows are the mean difference of g(r) over distances
    and pairs.

    Parameters
    ----------
    system
        Of which the configurations are.
    counts
        Pairs of one configuration by kind and bin, or means over several.
    """
    edges = BIN * np.arange(system.n_bins + 1)
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    n_pairs = len(system.kinds)
    ideal = n_pairs * shells / system.atoms.cell.volume  # its share cancels the weight
    return counts / np.tile(ideal, len(system.keys)) / system.n_bins


def intact_share(system: System, positions: Float[np.ndarray, "atoms 3"]) -> float:
    """Return the share of the crystal's bonds that are no longer than they may be.

    Parameters
    ----------
    system
        Whose bonds.
    positions
        Å, not wrapped.
    """
    one, other = system.bonds
    vectors = positions[other] - positions[one] + system.translations
    return float((np.linalg.norm(vectors, axis=1) < system.intact).mean())
