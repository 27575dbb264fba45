"""Relatives of a structure: smaller cells and substituted elements."""

import dataclasses
from collections.abc import Collection

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from jaxtyping import Float, Int

from atomgraft.data.rehearsal.disturbances import bare

NOBLE_GASES = (2, 10, 18, 36, 54, 86, 118)
"""Last of each row; no neighbours of anything but of each other."""

N_TRIES = 20
"""Draws before a structure is said to have no substituted relative."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Substitution:
    """A structure with other elements.

    Parameters
    ----------
    atoms
        The structure, scaled to the size of its new atoms.
    what
        In words, ``Si->Ge``; ``1/2 Si->Ge`` where half of the atoms were replaced.
    """

    atoms: Atoms
    what: str


def chemical_neighbours(number: int) -> frozenset[int]:
    """Return the elements above and below in the group, and beside in the row.

    Lanthanides and actinides have the same place in their rows above each other. A
    noble gas and a halogen are not neighbours.

    Parameters
    ----------
    number
        Atomic number, 1 to 118.

    Examples
    --------
    >>> [chemical_symbols[Z] for Z in sorted(chemical_neighbours(14))]
    ['C', 'Al', 'P', 'Ge']
    """
    row, column = _place(number)
    beside = {
        other
        for other in (number - 1, number + 1)
        if 1 <= other <= NOBLE_GASES[-1]
        and _place(other)[0] == row
        and not {number, other} & set(NOBLE_GASES)
    }
    group = {
        other
        for other in range(1, NOBLE_GASES[-1] + 1)
        if _place(other)[1] == column and abs(_place(other)[0] - row) == 1
    }
    return frozenset(beside | group)


def substituted(
    atoms: Atoms, elements: Collection[int], generator: np.random.Generator
) -> Substitution | None:
    """Replace some elements by neighbours, all of their atoms or half of them.

    Each element is replaced with probability one half, at least one is. Lengths are
    scaled by the sum of covalent radii. Compositions on which forgetting is measured
    (`PROBED_FORMULAS`) are never made.

    Parameters
    ----------
    atoms
        The structure.
    elements
        Atomic numbers that may be put in.
    generator
        Source of the choice.

    Returns
    -------
    :
        Nothing if no allowed replacement was found in `N_TRIES` draws.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = substituted(Atoms("SiSi"), {14, 32}, rng)
    >>> found.what, found.atoms.get_chemical_formula()
    ('1/2 Si->Ge', 'GeSi')
    """
    allowed = frozenset(elements)
    options = {
        Z: sorted(chemical_neighbours(Z) & allowed)
        for Z in sorted({int(Z) for Z in atoms.numbers})
    }
    options = {Z: others for Z, others in options.items() if others}
    if not options:
        return None
    formula = reduced_formula(atoms)
    for _ in range(N_TRIES):
        found = _replaced(atoms, options, generator)
        if reduced_formula(found.atoms) not in {formula, *PROBED_FORMULAS}:
            return found
    return None


def reduced_formula(atoms: Atoms) -> str:
    """Return the composition in its smallest integers, in Hill order."""
    return atoms.get_chemical_formula(mode="hill", empirical=True)


def _replaced(
    atoms: Atoms, options: dict[int, list[int]], generator: np.random.Generator
) -> Substitution:
    """Draw one replacement."""
    chosen = [Z for Z in options if generator.random() < 0.5]
    chosen = chosen or [int(generator.choice(list(options)))]
    numbers = atoms.numbers.copy()
    words: list[str] = []
    for old in chosen:
        new = int(generator.choice(options[old]))
        sites = generator.permutation(np.flatnonzero(atoms.numbers == old))
        is_half = len(sites) > 1 and generator.random() < 0.5
        numbers[sites[: len(sites) // 2] if is_half else sites] = new
        share = "1/2 " if is_half else ""
        words.append(f"{share}{chemical_symbols[old]}->{chemical_symbols[new]}")
    made = bare(atoms)
    made.set_initial_magnetic_moments(None)  # they were of other elements
    made.numbers = numbers
    scale = covalent_radii[numbers].sum() / covalent_radii[atoms.numbers].sum()
    made.set_cell(atoms.cell.array * scale)
    made.positions = atoms.positions * scale
    return Substitution(atoms=made, what=", ".join(words))


def _place(number: int) -> tuple[int, tuple[str, int]]:
    """Return the row, and the column as block and place in it."""
    row = next(i for i, last in enumerate(NOBLE_GASES) if number <= last)
    first = NOBLE_GASES[row - 1] + 1 if row else 1
    from_left, to_right = number - first, NOBLE_GASES[row] - number
    if row >= 5 and 2 <= from_left <= 15:
        return row, ("f", from_left)
    if from_left < 2 and to_right >= 6:
        return row, ("s", from_left)
    if number == 1:
        return row, ("s", 0)
    if number == 2:
        return row, ("p", 0)
    return row, ("p" if to_right < 6 else "d", to_right)


_FORMULAS = """
AcAlO3 AgEr Al AlFe2V Ar AsGa AuCu3 B6La BN BaO3Zr BeO Bi2Te3 BrK C CW CaF2 CaF3Rb
CdDy CeO2 ClNa CoLiO2 CoSbTi CrO3Pm CsI3Pb EuO Fe FePt GaMnNi2 GdN Ge H2Y HLi He
HfOs HgNd HoIr InP Kr LuRu Mg Mg2Si MgO MoS2 Na Nb3Sn Ne NpO2 O2Pa O2Pu O2Th O2Ti
O2U O3Re O3SrTi PTb PdTm PrTl RhSc SSm SeZn Si TaTc TeYb Xe
"""


PROBED_FORMULAS = frozenset(_FORMULAS.split())
"""Reduced Hill formulas of the crystals in `atomgraft.evaluation.forgetting`.

The data layer cannot ask the judge; a test holds this list to its crystals.
"""


SAME_SITE = 1.0
"""Å; atoms of one species that a shift brings this near stand for one another. Above
the displacements of hot and rattled crystals, below half a bond."""

MAX_REPEATS = 8
"""Along one vector."""

MAX_ATOMS = 600
"""Larger structures are not looked at: distances go with the square."""


def folded(atoms: Atoms) -> Atoms:
    """Return the smallest cell along the structure's own vectors that repeats in it.

    One repeat of a disturbed supercell is taken as it is, so that it stays disturbed.
    What does not repeat comes back whole.

    Parameters
    ----------
    atoms
        The structure; labels and other arrays are not taken over.

    Examples
    --------
    >>> from ase.build import bulk
    >>> len(folded(bulk("Si", cubic=True).repeat((3, 2, 2))))
    8
    """
    small = bare(atoms)
    if len(atoms) > MAX_ATOMS or atoms.cell.rank < 3:
        return small
    for axis in np.flatnonzero(atoms.pbc):
        for repeats in range(MAX_REPEATS, 1, -1):
            kept = _one_repeat(small, int(axis), repeats)
            if kept is not None:
                small = _shortened(small, int(axis), repeats, kept)
                break
    return small


def _one_repeat(
    atoms: Atoms, axis: int, repeats: int
) -> Int[np.ndarray, " kept"] | None:
    """Return one atom of each set that a shift by a part of a vector maps on itself."""
    if len(atoms) % repeats:
        return None
    images = _images(atoms, axis, repeats)
    if images is None:
        return None
    left = set(range(len(atoms)))
    kept: list[int] = []
    while left:
        first = min(left)
        orbit = [first]
        while (following := int(images[orbit[-1]])) != first:
            orbit.append(following)
        if len(orbit) != repeats:
            return None
        left -= set(orbit)
        kept.append(first)
    return np.array(kept)


def _images(atoms: Atoms, axis: int, repeats: int) -> Int[np.ndarray, " atoms"] | None:
    """Return where each atom comes to stand after the shift, if all find a place."""
    shift = np.zeros(3)
    shift[axis] = 1 / repeats
    fractional = atoms.get_scaled_positions(wrap=False)
    offsets = fractional[:, None] + shift - fractional[None, :]
    offsets[..., atoms.pbc] -= np.round(offsets[..., atoms.pbc])
    distances: Float[np.ndarray, "atoms atoms"]
    distances = np.linalg.norm(offsets @ atoms.cell.array, axis=-1)
    distances[atoms.numbers[:, None] != atoms.numbers[None, :]] = np.inf
    images = distances.argmin(axis=1)
    nearest = distances[np.arange(len(atoms)), images]
    is_map = len(set(images.tolist())) == len(atoms) and nearest.max() < SAME_SITE
    return images if is_map else None


def _shortened(
    atoms: Atoms, axis: int, repeats: int, kept: Int[np.ndarray, " kept"]
) -> Atoms:
    cell = atoms.cell.array.copy()
    cell[axis] /= repeats
    return Atoms(atoms.numbers[kept], atoms.positions[kept], cell=cell, pbc=atoms.pbc)
