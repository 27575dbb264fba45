"""What checks measure with: small structures, float64 energies, and tolerances."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk, fcc100
from ase.data import atomic_numbers, chemical_symbols, covalent_radii
from jaxtyping import Float
from torch import Tensor

from atomgraft.core.seeding import numpy_generator
from atomgraft.models.base import AbstractPotential
from atomgraft.models.graph import Graph, find_neighbours, make_graph
from atomgraft.models.prediction import (
    StructurePrediction,
    predict,
    predict_structures,
)


def in_double(potential: AbstractPotential) -> AbstractPotential:
    """Return a copy with weights in float64, on the same device."""
    return potential.clone(dtype=torch.float64, device=potential.device)


def measure(
    potential: AbstractPotential, structures: Sequence[Atoms]
) -> list[StructurePrediction]:
    """Evaluate structures in one batch, in the potential's precision.

    Parameters
    ----------
    potential
        Not changed.
    structures
        Not changed.
    """
    n_atoms = sum(len(atoms) for atoms in structures)
    return list(predict_structures(potential, structures, max_atoms=n_atoms))


def energies_of(
    potential: AbstractPotential, structures: Sequence[Atoms]
) -> Float[np.ndarray, " structures"]:
    """Return the energy of each structure, eV, without any derivative.

    Parameters
    ----------
    potential
        Not changed.
    structures
        Not changed.
    """
    energy = predict(potential, graph_of(potential, structures), frozenset()).energy
    return energy.cpu().numpy()


def measure_one(potential: AbstractPotential, atoms: Atoms) -> StructurePrediction:
    """Evaluate one structure on its own."""
    [prediction] = measure(potential, [atoms])
    return prediction


def graph_of(potential: AbstractPotential, structures: Sequence[Atoms]) -> Graph:
    """Return structures as one graph that the potential accepts."""
    return make_graph(
        structures,
        [find_neighbours(atoms, potential.cutoff) for atoms in structures],
        dtype=potential.dtype,
        device=potential.device,
    )


FAMILIAR = ("Si", "Ge", "Na", "Cl", "Mg", "O", "Al", "Cu", "Ar", "C", "H")
"""Elements that are tried first where a potential knows many."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrialStructures:
    """One structure of each kind that adapters stumble over.

    Parameters
    ----------
    crystal
        Eight atoms in a sheared cell, rattled, shorter than most cutoffs.
    slab
        Periodic in two directions, with vacuum in the third.
    molecule
        Four atoms without a cell and without symmetry.
    one_atom
        A sheared primitive cell, in which an atom sees only its own images.
    dimer
        Two atoms without a cell, at the distance of lowest energy.
    """

    crystal: Atoms
    slab: Atoms
    molecule: Atoms
    one_atom: Atoms
    dimer: Atoms

    def all(self) -> list[Atoms]:
        """Return independent copies of all structures."""
        fields = dataclasses.fields(self)
        return [getattr(self, field.name).copy() for field in fields]


def structures_for(potential: AbstractPotential, seed: int = 0) -> TrialStructures:
    """Make structures of elements that a potential knows, at its own bond length.

    Parameters
    ----------
    potential
        One or two of its elements are used, familiar ones first.
    seed
        Of the rattling.

    Examples
    --------
    >>> from atomgraft.models.pair import stillinger_weber
    >>> structures_for(stillinger_weber(["Si"])).dimer.get_chemical_formula()
    'Si2'
    """
    known = [one for one in FAMILIAR if atomic_numbers[one] in potential.elements]
    others = [chemical_symbols[one] for one in sorted(potential.elements)]
    elements = (known or others)[:2]
    return trial_structures(elements, bond_length(potential, elements), seed)


def trial_structures(
    elements: Sequence[str], distance: float, seed: int = 0
) -> TrialStructures:
    """Make structures of one or two elements.

    Parameters
    ----------
    elements
        Chemical symbols; the first and the last are used.
    distance
        Between nearest neighbours, Å.
    seed
        Of the rattling.
    """
    first, last = elements[0], elements[-1]
    generator = numpy_generator(seed, "trial structures")
    shear = np.eye(3) + np.array([[0.02, 0.03, 0], [0, -0.01, 0.02], [0.01, 0, 0.01]])

    def rattled(atoms: Atoms) -> Atoms:
        shift = generator.uniform(-0.05, 0.05, atoms.positions.shape)
        atoms.positions += shift * distance
        return atoms

    crystal = bulk(first + last, "rocksalt", a=2 * distance, cubic=True)
    crystal.set_cell(crystal.cell.array @ shear, scale_atoms=True)
    slab = fcc100(first, (2, 1, 2), a=2**0.5 * distance, vacuum=distance)
    slab.pbc = (True, True, False)
    slab.symbols[0] = last
    one_atom = bulk(first, "fcc", a=2**0.5 * distance)
    one_atom.set_cell(one_atom.cell.array @ shear, scale_atoms=True)
    corners = np.array([[0, 0, 0], [1, 0, 0], [0.2, 1, 0.1], [-0.1, -0.2, 1.1]])
    return TrialStructures(
        crystal=rattled(crystal),
        slab=rattled(slab),
        molecule=rattled(Atoms([first, last, last, first], distance * corners)),
        one_atom=one_atom,
        dimer=Atoms([first, last], [[0, 0, 0], [distance, 0, 0]]),
    )


def bond_length(potential: AbstractPotential, elements: Sequence[str]) -> float:
    """Return where a dimer has its lowest energy, Å.

    The search goes from 0.8 to 2 times the sum of the covalent radii and stays
    within nine tenths of the cutoff; in coarse steps first, then in fine ones.

    Parameters
    ----------
    potential
        Whose energies are searched.
    elements
        Chemical symbols; the first and the last make the dimer.
    """
    pair = [elements[0], elements[-1]]
    radii = sum(covalent_radii[atomic_numbers[symbol]] for symbol in pair)
    longest = min(2.0 * radii, 0.9 * potential.cutoff)
    distances = np.linspace(min(0.8 * radii, 0.5 * longest), longest, 61)

    def lowest(tried: Sequence[int]) -> int:
        dimers = [Atoms(pair, [[0, 0, 0], [distances[i], 0, 0]]) for i in tried]
        energies = [one.energy for one in predict_structures(potential, dimers)]
        return tried[int(np.argmin(energies))]

    near = lowest(range(0, 61, 5))
    return float(distances[lowest(range(max(near - 4, 0), min(near + 5, 61)))])


Numbers = float | Sequence[float] | np.ndarray | Tensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tolerances:
    """Allowed differences, relative to the larger of 1 and the expected values.

    All but `single_precision` are for weights in float64, whatever the adapter's
    own precision. Units are those of the quantity: eV, eV/Å, eV/Å³.

    Parameters
    ----------
    round_off
        The same terms added in another order: batches, permutations, supercells.
    exact
        Sums in float64 that a file may not round: sixteen digits, of which sums over
        atoms cost two.
    rotation
        Frameworks keep Clebsch-Gordan tables and spherical-harmonic constants with
        seven to ten digits.
    difference
        Central differences of fourth order at `step`: round-off, of order
        10⁻¹⁴ E / step, dominates.
    loss_slope
        The same for a loss with squared forces, whose third derivatives in the
        weights are larger.
    work
        Trapezoidal integral of the force over one `path_step` against the energy.
        A kink of the force (published potentials have slopes that jump by 3 eV/Å²
        at their cutoffs) stays below; a jump of the energy by as much, or of the
        force by 0.01 eV/Å, exceeds it.
    at_cutoff
        What is left of a pair force just inside the cutoff.
    single_precision
        float32 carries seven digits; sums over atoms and layers cost two.
    step
        Of finite differences: Å for positions, dimensionless for strain.
    path_step
        Å
    edge
        How far inside "just inside the cutoff" is, in units of the cutoff.
    """

    round_off: float = 1e-9
    exact: float = 1e-14
    rotation: float = 1e-6
    difference: float = 1e-6
    loss_slope: float = 1e-4
    work: float = 2e-5
    at_cutoff: float = 1e-5
    single_precision: float = 1e-5
    step: float = 1e-4
    path_step: float = 0.005
    edge: float = 1e-7


def assert_close(what: str, got: Numbers, expected: Numbers, tolerance: float) -> None:
    """Compare arrays; the allowed difference grows with the expected values.

    Parameters
    ----------
    what
        The comparison in words, for the message.
    got
        What came.
    expected
        What should have come, of the same shape.
    tolerance
        Allowed difference where no expected value exceeds 1.

    Raises
    ------
    AssertionError
        A difference is larger, a number is not finite, or the shapes differ.

    Examples
    --------
    >>> assert_close("one is one", 1.0, 1.0 + 1e-12, tolerance=1e-9)
    """
    one, two = _array(got), _array(expected)
    if one.shape != two.shape:
        raise AssertionError(f"{what}: shape {one.shape} instead of {two.shape}")
    if not np.isfinite(one).all():
        raise AssertionError(f"{what}: not finite")
    allowed = tolerance * max(1.0, float(np.abs(two).max(initial=0.0)))
    difference = float(np.abs(one - two).max(initial=0.0))
    if not difference <= allowed:
        raise AssertionError(
            f"{what}: they differ by {difference:.2e}, {allowed:.2e} is allowed"
        )


def _array(numbers: Numbers) -> np.ndarray:
    if isinstance(numbers, Tensor):
        return numbers.detach().double().cpu().numpy()
    return np.asarray(numbers, dtype=float)


def assert_same_prediction(
    what: str,
    got: StructurePrediction,
    expected: StructurePrediction,
    tolerance: float,
) -> None:
    """Compare energy, forces and stress.

    Parameters
    ----------
    what
        The comparison in words, for the message.
    got
        What came.
    expected
        What should have come.
    tolerance
        As for :func:`~atomgraft.testing.measuring.assert_close`.
    """
    assert_close(f"energy of {what}, eV", got.energy, expected.energy, tolerance)
    assert_close(f"forces of {what}, eV/Å", got.forces, expected.forces, tolerance)
    assert_close(f"stress of {what}, eV/Å³", got.stress, expected.stress, tolerance)
