"""Force constants that the symmetry of a crystal allows, as numbers of a basis.

symfc's orthonormal basis of second-order force constants (Seko and Togo, Phys. Rev. B
110, 214302 (2024)): every combination obeys space group, exchange of the two atoms and
the acoustic sum rule. Forces on a displaced supercell are linear in its numbers.
"""

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from atomgraft.core.errors import BadInputError, foreign

if TYPE_CHECKING:
    from phonopy import Phonopy

MOST_FUNCTIONS = 6000
"""Of a basis; their products take 300 MB."""

Constants = Float[np.ndarray, "primitive atoms 3 3"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SymmetricBasis:
    """The symmetry-adapted force constants of a supercell.

    Parameters
    ----------
    compression
        symfc's sparse matrix: force constants of the rows of `first_atoms`, in the
        order atom, atom, direction, direction, from what permutation and space group
        leave.
    functions
        Orthonormal combinations of these that obey the sum rule.
    images
        Number of an atom after each lattice translation of the supercell.
    first_atoms
        One of each set of translated atoms.
    rows
        For each atom of phonopy's primitive cell: which of `first_atoms`, and by which
        translation, it is.
    cutoff
        Å; force constants of pairs further apart are zero. None for no such limit.
    """

    compression: Any
    functions: Float[np.ndarray, "compressed functions"]
    images: Int[np.ndarray, "translations atoms"]
    first_atoms: Int[np.ndarray, " first"]
    rows: tuple[tuple[int, int], ...]
    cutoff: float | None = None

    @property
    def size(self) -> int:
        """How many numbers describe the force constants."""
        return self.functions.shape[1]

    @property
    def n_atoms(self) -> int:
        """Of the supercell."""
        return self.images.shape[1]

    @cached_property
    def _by_row(self) -> list[Any]:
        """Return the compression of each atom and direction of force: 3N rows each."""
        first, N = len(self.first_atoms), self.n_atoms
        places = np.arange(first * N * 9).reshape(first, N, 3, 3)
        matrix = self.compression.tocsr()
        return [
            matrix[places[i, :, axis, :].ravel()]
            for i in range(first)
            for axis in range(3)
        ]

    def responses(
        self, displacements: Float[np.ndarray, "frames atoms 3"]
    ) -> Float[np.ndarray, "components functions"]:
        """Return the forces of every basis function on displaced supercells, eV/Å.

        Parameters
        ----------
        displacements
            Å

        Returns
        -------
        :
            Rows in the order frame, atom, direction: F_iα = -Σ_jβ Φ_iα,jβ u_jβ.
        """
        n_frames, N, T = len(displacements), self.n_atoms, len(self.images)
        found = np.empty((n_frames, N, 3, self.functions.shape[0]))
        seen = displacements[:, self.images].reshape(n_frames * T, 3 * N)
        for k, matrix in enumerate(self._by_row):
            i, axis = divmod(k, 3)
            forces = -(matrix.T @ seen.T).T
            to = self.images[:, self.first_atoms[i]]
            found[:, to, axis] = forces.reshape(n_frames, T, -1)
        flat = found.reshape(n_frames * N * 3, -1)
        return flat @ self.functions

    def numbers_of(self, constants: Constants) -> Float[np.ndarray, " functions"]:
        """Return the numbers of force constants, what symmetry forbids left out.

        Parameters
        ----------
        constants
            Rows of phonopy's primitive atoms, eV/Å².
        """
        first = np.zeros((len(self.first_atoms), self.n_atoms, 3, 3))
        for row, (i, t) in enumerate(self.rows):
            first[i] = constants[row][self.images[t]]
        return self.functions.T @ (self.compression.T @ first.ravel()) * self._copies

    def constants_of(self, numbers: Float[np.ndarray, " functions"]) -> Constants:
        """Return force constants, eV/Å², for the atoms of phonopy's primitive cell.

        Parameters
        ----------
        numbers
            One for each function.
        """
        flat = self.compression @ (self.functions @ numbers)
        first = flat.reshape(len(self.first_atoms), self.n_atoms, 3, 3)
        found = np.empty((len(self.rows), self.n_atoms, 3, 3))
        for row, (i, t) in enumerate(self.rows):
            found[row][self.images[t]] = first[i]
        return found

    def gradients(
        self, derivatives: Float[np.ndarray, "quantities primitive atoms 3 3"]
    ) -> Float[np.ndarray, "quantities functions"]:
        """Return derivatives by the numbers from those by force constants.

        Parameters
        ----------
        derivatives
            Of each quantity by the force constants of phonopy's primitive atoms.
        """
        n_first = len(self.first_atoms)
        found = np.zeros((len(derivatives), n_first, self.n_atoms, 3, 3))
        for row, (i, t) in enumerate(self.rows):
            found[:, i] += derivatives[:, row][:, self.images[t]]
        flat = found.reshape(len(derivatives), -1)
        return (self.compression.T @ flat.T).T @ self.functions

    def precision(
        self, precisions: Float[np.ndarray, "first atoms"]
    ) -> Float[np.ndarray, "functions functions"]:
        """Return the inverse covariance of the numbers if pairs were independent.

        Parameters
        ----------
        precisions
            Inverse variance of a force constant of each pair; as symmetric as the
            crystal. What an atom does to itself has none: it is given by the others.
        """
        known = np.array(precisions)
        known[np.arange(len(known)), self.first_atoms] = 0.0
        weights = np.repeat(known.ravel(), 9) * self._copies
        compressed = (self.compression.T.multiply(weights)) @ self.compression
        return self.functions.T @ (compressed @ self.functions)

    @property
    def _copies(self) -> int:
        """How often the rows of `first_atoms` stand in the whole matrix."""
        return len(self.images)


def symmetric_basis(
    phonon: "Phonopy", *, cutoff: float | None = None
) -> SymmetricBasis:
    """Return the basis of a crystal.

    Parameters
    ----------
    phonon
        The crystal; displacements and forces play no part.
    cutoff
        Å; pairs further apart have no force constants.

    Raises
    ------
    BadInputError
        It has more functions than memory should hold, or its symmetry cannot be used.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.lattice.supercells import prepare
    >>> phonon = prepare(bulk("Si", a=5.431), supercell=np.diag([2, 2, 2]))
    >>> symmetric_basis(phonon).size
    8
    """
    from phonopy.interface.symfc import SymfcFCSolver

    options = {} if cutoff is None else {"cutoff": {2: cutoff}}
    with foreign(_not_built):
        solver = SymfcFCSolver(
            phonon.supercell, symmetry=phonon.symmetry, options=options
        )
        expected = solver.estimate_basis_size(orders=[2])[2]
        if expected > MOST_FUNCTIONS:
            raise _too_large(expected, cutoff)
        found = solver.compute_basis_set(orders=[2])[2]
    functions = np.asarray(found.basis_set)
    if functions.shape[1] > MOST_FUNCTIONS:  # the estimate is rough
        raise _too_large(functions.shape[1], cutoff)
    images = np.asarray(found.translation_permutations)
    first_atoms = np.asarray(found.p2s_map)
    return SymmetricBasis(
        compression=found.compact_compression_matrix.tocsr(),
        functions=functions,
        images=images,
        first_atoms=first_atoms,
        rows=tuple(
            _row_of(int(atom), images, first_atoms) for atom in phonon.primitive.p2s_map
        ),
        cutoff=cutoff,
    )


def atoms_of_primitive(phonon: "Phonopy") -> Int[np.ndarray, " atoms"]:
    """Return which atom of the primitive cell each of the supercell is an image of."""
    primitive = phonon.primitive
    return np.array([primitive.p2p_map[int(one)] for one in primitive.s2p_map])


def _row_of(
    atom: int,
    images: Int[np.ndarray, "translations atoms"],
    first_atoms: Int[np.ndarray, " first"],
) -> tuple[int, int]:
    """Return which first atom a translation brings to an atom, and the translation."""
    translations, firsts = np.nonzero(images[:, first_atoms] == atom)
    return int(firsts[0]), int(translations[0])


def _not_built(reason: str) -> BadInputError:
    return BadInputError(
        f"symfc finds no basis of force constants ({reason}).",
        "Expected a supercell whose symmetry can be found.",
        "Check the structure, or choose another --symprec.",
    )


def _too_large(expected: int, cutoff: float | None) -> BadInputError:
    told = "" if cutoff is None else f" within {cutoff:g} Å"
    return BadInputError(
        f"The symmetry of this crystal leaves about {expected:,} free force constants"
        f"{told}.",
        f"Up to {MOST_FUNCTIONS:,} are determined together.",
        "Leave out distant pairs (phonons --cutoff, Å), or use a smaller supercell.",
    )
