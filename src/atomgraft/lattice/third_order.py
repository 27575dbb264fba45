"""Third-order force constants from displaced supercells, by phono3py.

Second-order force constants say where phonons are, third-order ones,

    Φ_iα,jβ,kγ = ∂³E / ∂u_iα ∂u_jβ ∂u_kγ,

how they scatter each other. They need supercells in which two atoms are displaced, of
which there are many: how many is known before any is evaluated.
"""

import contextlib
import copy
import dataclasses
import importlib.util
import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from jaxtyping import Bool, Float, Int

from atomgraft.core.errors import BadInputError, MissingExtraError, foreign
from atomgraft.core.progress import Count
from atomgraft.data.phonopy_files import to_ase
from atomgraft.lattice.forces import forces_of_supercells
from atomgraft.lattice.harmonic import Harmonic
from atomgraft.models.base import AbstractPotential

if TYPE_CHECKING:
    from phono3py import Phono3py
    from phonopy.structure.atoms import PhonopyAtoms

DISTANCE = 0.03
"""Å; phono3py's default: the third order shows beyond 0.01 Å."""

MAX_SUPERCELLS = 2000
"""Displaced supercells beyond which a calculation has to be asked for by number."""


SAME_FIT = 1e-3
"""Relative; the same least squares in another order, far above rounding where force
constants are determined and far below chance where they are not."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ThirdOrderSettings:
    """How third-order force constants are found.

    Parameters
    ----------
    supercell
        Supercell vectors as rows of multiples of the cell vectors; none takes that of
        the second order.
    distance
        Length of a displacement, Å.
    cutoff
        Pairs of atoms further apart are not displaced together, Å; none displaces all.
    max_supercells
        More displaced supercells than this are refused.
    """

    supercell: Int[np.ndarray, "3 3"] | None = None
    distance: float = DISTANCE
    cutoff: float | None = None
    max_supercells: int = MAX_SUPERCELLS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Anharmonic:
    """A crystal with force constants of second and third order.

    Parameters
    ----------
    phonons
        phono3py's object, ready for conductivities.
    n_supercells
        Displaced supercells whose forces were needed for the third order.
    residual
        Largest force on an atom of the undisplaced supercell, eV/Å; none if unknown.
    solver
        How force constants follow from forces, in words.
    distance
        Largest displacement of an atom in the supercells of third order, Å.
    cutoff
        Largest distance of atoms displaced together, Å; none for any.
    """

    phonons: "Phono3py"
    n_supercells: int
    residual: float | None
    solver: str
    distance: float
    cutoff: float | None = None


def require_phono3py() -> None:
    """Check that this Python can import phono3py.

    Raises
    ------
    MissingExtraError
        It cannot.
    """
    if importlib.util.find_spec("phono3py") is None:
        raise MissingExtraError(
            "Thermal conductivity needs phono3py, which is not installed here.",
            "It is an extra of atomgraft.",
            "Run: pip install 'atomgraft[conductivity]'",
        )


def prepare_third_order(
    harmonic: Harmonic, settings: ThirdOrderSettings | None = None
) -> "Phono3py":
    """Return a crystal with the displacements of third order, forces to be found.

    Cell, primitive cell, symmetry, Born charges and the force constants of second order
    are those of `harmonic`; its supercell may be larger than that of third order.

    Parameters
    ----------
    harmonic
        The crystal with force constants.
    settings
        None for the defaults.

    Raises
    ------
    MissingExtraError
        phono3py is not installed.
    BadInputError
        There are more displaced supercells than are allowed.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.lattice.harmonic import harmonic_of
    >>> from atomgraft.lattice.supercells import prepare
    >>> from atomgraft.models.pair import stillinger_weber
    >>> phonon = prepare(bulk("Si", a=5.431), supercell=np.diag([2, 2, 2]))
    >>> silicon = harmonic_of(stillinger_weber(["Si"]), phonon)
    >>> len(third_order_supercells(prepare_third_order(silicon)))
    57
    """
    require_phono3py()
    settings = settings or ThirdOrderSettings()
    second = harmonic.phonon
    own = settings.supercell
    phonons = phono3py_of(
        second.unitcell,
        supercell_matrix=second.supercell_matrix if own is None else own.T,
        primitive_matrix=second.primitive_matrix,
        phonon_supercell_matrix=second.supercell_matrix,
        symprec=second.symmetry.tolerance,
    )
    phonons.generate_displacements(
        distance=settings.distance, cutoff_pair_distance=settings.cutoff
    )
    phonons.nac_params = second.nac_params
    phonons.fc2 = np.array(second.force_constants, dtype=float, order="C")
    _refuse_too_many(phonons, settings)
    return phonons


def phono3py_of(unitcell: "PhonopyAtoms", **more: Any) -> "Phono3py":  # noqa: ANN401
    """Return phono3py's object of a crystal, without what it prints of symmetry.

    Notices say it; on the standard output it would stand in the middle of JSON.

    Parameters
    ----------
    unitcell
        Periodic in all directions.
    more
        phono3py's own arguments.
    """
    from phono3py import Phono3py

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return Phono3py(unitcell, **more)


def _refuse_too_many(phonons: "Phono3py", settings: ThirdOrderSettings) -> None:
    count = int(is_evaluated(phonons).sum())
    if count > settings.max_supercells:
        cutoff = "" if settings.cutoff is None else f" within {settings.cutoff:g} Å"
        raise BadInputError(
            f"Third-order force constants need {count:,} displaced supercells of "
            f"{len(phonons.supercell)} atoms: pairs of atoms{cutoff}.",
            f"At most {settings.max_supercells:,} are evaluated.",
            "Give a shorter cutoff of pairs, a smaller supercell of third order, or "
            "allow as many.",
        )


def is_evaluated(phonons: "Phono3py") -> Bool[np.ndarray, " frames"]:
    """Tell which displaced supercells are within the cutoff of pairs.

    Parameters
    ----------
    phonons
        With displacements of third order of either kind.
    """
    dataset: Any = phonons.dataset
    if dataset is None or "first_atoms" not in dataset:
        return np.ones(len(phonons.displacements), dtype=bool)
    firsts = dataset["first_atoms"]
    pairs = [
        pair.get("included", True) for one in firsts for pair in one["second_atoms"]
    ]
    return np.array([True] * len(firsts) + pairs, dtype=bool)


def third_order_supercells(phonons: "Phono3py") -> list[Atoms]:
    """Return the displaced supercells whose forces are needed.

    Parameters
    ----------
    phonons
        With displacements of third order of either kind.
    """
    cells = phonons.supercells_with_displacements
    return [to_ase(cell) for cell in cells if cell is not None]


def anharmonic_of(
    potential: AbstractPotential,
    harmonic: Harmonic,
    settings: ThirdOrderSettings | None = None,
    *,
    max_atoms: int | None = None,
    progress: Count | None = None,
) -> Anharmonic:
    """Return the force constants of third order beside those of second.

    Parameters
    ----------
    potential
        In float64.
    harmonic
        The crystal with the potential's force constants of second order.
    settings
        None for the defaults.
    max_atoms
        Largest number of atoms in one call of the model; none measures.
    progress
        Called after every call.

    Raises
    ------
    MissingExtraError
        phono3py is not installed.
    BadInputError
        There are too many displaced supercells, or the potential does not know an
        element.
    """
    settings = settings or ThirdOrderSettings()
    phonons = prepare_third_order(harmonic, settings)
    cells = [to_ase(phonons.supercell), *third_order_supercells(phonons)]
    found = forces_of_supercells(
        potential, cells, max_atoms=max_atoms, progress=progress
    )
    forces = np.zeros(phonons.displacements.shape)
    forces[is_evaluated(phonons)] = found[1:] - found[0]
    phonons.forces = forces
    phonons.produce_fc3()
    phonons.symmetrize_fc3()
    return Anharmonic(
        phonons=phonons,
        n_supercells=len(cells) - 1,
        residual=float(np.linalg.norm(found[0], axis=1).max()),
        solver="finite differences of one and two displaced atoms, symmetrised",
        distance=settings.distance,
        cutoff=settings.cutoff,
    )


def with_least_squares(
    phonons: "Phono3py",
    forces: Float[np.ndarray, "frames atoms 3"],
    second_forces: Float[np.ndarray, "others more 3"] | None,
    *,
    residual: float | None = None,
) -> Anharmonic:
    """Return the force constants that follow from forces on random displacements.

    symfc's least squares in the symmetry-adapted basis, of second and third order
    together (Seko and Togo, Phys. Rev. B 110, 214302 (2024)).

    Parameters
    ----------
    phonons
        With displacements of all atoms; not changed.
    forces
        On the supercells of third order, those of the undisplaced one taken off, eV/Å.
    second_forces
        On those of second order, the same way; none where there is no set of its own.
    residual
        Largest force on an atom of the undisplaced supercell, eV/Å.

    Raises
    ------
    BadInputError
        There are not as many forces as displacements and atoms, or they leave force
        constants undetermined.
    """
    _refuse_other_shape(forces, phonons.displacements)
    solved = copy.deepcopy(phonons)
    solved.forces = forces
    _fit(solved, 3)
    _refuse_undetermined(phonons, forces, np.asarray(solved.fc3))
    if second_forces is not None:
        _find_second_order(solved, second_forces)
    return Anharmonic(
        phonons=solved,
        n_supercells=len(forces),
        residual=residual,
        solver="least squares over displaced supercells (symfc)",
        distance=float(np.linalg.norm(phonons.displacements, axis=2).max()),
    )


def with_finite_differences(
    phonons: "Phono3py",
    forces: Float[np.ndarray, "frames atoms 3"],
    second_forces: Float[np.ndarray, "others more 3"] | None,
    *,
    residual: float | None = None,
) -> Anharmonic:
    """Return the force constants that follow from one and two displaced atoms.

    Parameters
    ----------
    phonons
        With displacements of pairs of atoms; not changed.
    forces
        On all supercells of third order, those of one displaced atom first; zeros for
        pairs that are not evaluated, eV/Å.
    second_forces
        On those of second order; none where there is no set of its own.
    residual
        Largest force on an atom of the undisplaced supercell, eV/Å.

    Raises
    ------
    BadInputError
        There are not as many forces as displacements and atoms.
    """
    _refuse_other_shape(forces, phonons.displacements)
    solved = copy.deepcopy(phonons)
    solved.forces = forces
    solved.produce_fc3()
    solved.symmetrize_fc3()
    if second_forces is not None:
        _find_second_order(solved, second_forces)
    elif solved.fc2 is not None:
        solved.symmetrize_fc2()
    dataset: Any = phonons.dataset
    return Anharmonic(
        phonons=solved,
        n_supercells=int(is_evaluated(phonons).sum()),
        residual=residual,
        solver="finite differences of one and two displaced atoms, symmetrised",
        distance=float(np.linalg.norm(phonons.displacements, axis=2).max()),
        cutoff=dataset.get("cutoff_distance"),
    )


def _find_second_order(
    solved: "Phono3py", forces: Float[np.ndarray, "frames atoms 3"]
) -> None:
    """Find force constants of second order from a set of their own."""
    _refuse_other_shape(forces, solved.phonon_displacements)
    dataset: Any = solved.phonon_dataset
    solved.phonon_forces = forces
    if "first_atoms" in dataset:
        solved.produce_fc2()
        solved.symmetrize_fc2()
    else:
        _fit(solved, 2)


def _fit(solved: "Phono3py", order: int) -> None:
    """Fit force constants with symfc."""
    with foreign(
        lambda reason: BadInputError(
            f"Displaced supercells do not determine force constants of order {order} "
            f"({reason}).",
            "Expected forces of enough supercells, in which every atom moves.",
            "Give more displaced supercells.",
        )
    ):
        getattr(solved, f"produce_fc{order}")(fc_calculator="symfc")


def _refuse_undetermined(
    phonons: "Phono3py",
    forces: Float[np.ndarray, "frames atoms 3"],
    found: Float[np.ndarray, "..."],
) -> None:
    """Check that the fit is one: symfc does not say when its equations are singular.

    Solved again with every frame twice and in reverse, the equations are the same but
    for a factor and for rounding. What rounding decides, no force has.
    """
    again = copy.deepcopy(phonons)
    again.dataset = {"displacements": np.tile(phonons.displacements[::-1], (2, 1, 1))}
    again.forces = np.tile(forces[::-1], (2, 1, 1))
    _fit(again, 3)
    apart = np.abs(np.asarray(again.fc3) - found).max() / np.abs(found).max()
    if not apart < SAME_FIT:
        raise BadInputError(
            f"{len(forces)} displaced supercells of {forces.shape[1]} atoms leave "
            "third-order force constants undetermined: the same forces in another "
            f"order give others, by {apart:.0%}.",
            "Every force constant that symmetry allows must move some atom.",
            "Give more displaced supercells, or larger ones.",
        )


def _refuse_other_shape(
    forces: Float[np.ndarray, "..."], displacements: Float[np.ndarray, "..."]
) -> None:
    if forces.shape != displacements.shape:
        raise BadInputError(
            f"Forces came for {forces.shape[0]} supercells of {forces.shape[1]} atoms.",
            f"{displacements.shape[0]} displaced supercells of "
            f"{displacements.shape[1]} atoms need one each.",
            "Give the forces of exactly these supercells, in their order.",
        )
