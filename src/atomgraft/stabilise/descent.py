"""Imaginary modes of an unstable crystal, and the descent to stable ones.

Every crystal is relaxed, its imaginary modes are found, frozen in along the directions
that symmetry singles out, and relaxed without symmetry; what comes out is recognised,
and treated likewise, until nothing is imaginary or the depth is reached.
"""

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from jaxtyping import Complex, Float, Int

from atomgraft.core.errors import AtomgraftError, BadInputError
from atomgraft.lattice.harmonic import Harmonic
from atomgraft.lattice.modulations import Instability, frozen_space, same_q, stars
from atomgraft.lattice.order_parameters import directions_of, is_representation
from atomgraft.lattice.spectra import commensurate_modes, named_points
from atomgraft.lattice.supercells import SYMPREC, prepare, supercell_by_length
from atomgraft.lattice.symmetry import conventional
from atomgraft.stabilise.daughters import AMPLITUDES, Trial, trials_of
from atomgraft.stabilise.tree import (
    Crystal,
    Engine,
    Step,
    Tree,
    first_crystal,
    known_crystal,
    recognised,
)

if TYPE_CHECKING:
    from atomgraft.lattice.supercells import Phonopy


THRESHOLD = 0.1
"""THz; a mode below minus this is imaginary, one above it is noise."""

GRID_LENGTH = 7.5
"""Å; frequencies of the commensurate grid are those of the forces in a supercell of any
size, so it only has to reach the boundary of the zone."""

DEGENERATE = 0.02
"""THz; frequencies closer than this are one."""


def boundary_supercell(
    unitcell: Atoms, length: float = GRID_LENGTH
) -> Int[np.ndarray, "3 3"]:
    """Return a diagonal supercell whose grid holds the boundary of the zone.

    Along a vector that is repeated at all, it is repeated an even number of times:
    three cells hold Γ and a third of the way, and miss what doubles the cell.

    Parameters
    ----------
    unitcell
        Periodic in all directions.
    length
        Smallest distance between opposite faces, Å.

    Examples
    --------
    >>> from ase.build import bulk
    >>> boundary_supercell(bulk("Po", "sc", a=3.3)).diagonal().tolist()
    [4, 4, 4]
    """
    counts = supercell_by_length(unitcell, length).diagonal()
    return np.diag([n if n == 1 else n + n % 2 for n in counts])


def lowest_frequency(harmonic: Harmonic) -> float:
    """Return the lowest frequency of the commensurate grid, THz.

    Parameters
    ----------
    harmonic
        A crystal with force constants.
    """
    return min(mode.frequency for mode in commensurate_modes(harmonic))


def find_instabilities(
    harmonic: Harmonic, threshold: float = THRESHOLD
) -> tuple[Instability, ...]:
    """Return the imaginary modes of the commensurate grid, softest first.

    Modes of one frequency at one q-point are one instability, together with their
    like on the other arms of the star.

    Parameters
    ----------
    harmonic
        A crystal with force constants.
    threshold
        THz; modes below minus this count.
    """
    soft = [one.q for one in commensurate_modes(harmonic) if one.frequency < -threshold]
    operations = harmonic.phonon.primitive_symmetry.symmetry_operations
    found = [
        instability
        for star in stars(soft, operations["rotations"])
        for instability in _of_star(harmonic, star, threshold)
    ]
    return tuple(sorted(found, key=lambda one: one.frequency))


def _of_star(
    harmonic: Harmonic, star: Float[np.ndarray, "arms 3"], threshold: float
) -> list[Instability]:
    result = harmonic.phonon.run_qpoints(star, with_eigenvectors=True)
    frequencies = np.asarray(result.frequencies)
    assert result.eigenvectors is not None
    vectors = np.asarray(result.eigenvectors)
    instabilities = []
    first = frequencies[0]
    band = 0
    while band < len(first) and first[band] < -threshold:
        size = 1
        while (
            band + size < len(first)
            and first[band + size] - first[band + size - 1] < DEGENERATE
            and first[band + size] < -threshold
        ):
            size += 1
        bands = slice(band, band + size)
        instabilities.append(
            Instability(
                arms=star,
                frequency=float(first[bands].mean()),
                eigenvectors=tuple(_modes(one[:, bands]) for one in vectors),
            )
        )
        band += size
    return instabilities


def _modes(
    columns: Complex[np.ndarray, "components modes"],
) -> Complex[np.ndarray, "modes atoms 3"]:
    return np.ascontiguousarray(columns.T).reshape(columns.shape[1], -1, 3)


def q_label(harmonic: Harmonic, instability: Instability) -> str:
    """Return the name of a q-point (Γ, X, M ...), or its components as fractions.

    Parameters
    ----------
    harmonic
        The crystal it belongs to.
    instability
        Any arm of its star may be the one that has a name.
    """
    try:
        points = named_points(harmonic)["point_coords"]
    except BadInputError:  # it has no names for it
        points = {}
    for name, point in points.items():
        for arm in instability.arms:
            q = np.array(point)
            if same_q(q, arm) or same_q(-q, arm):
                return name.replace("GAMMA", "Γ")
    parts = (Fraction(float(x)).limit_denominator(24) for x in instability.arms[0])
    return "(" + ", ".join(str(one) for one in parts) + ")"


SHRUNK = 0.95
"""A daughter's supercell may be this much shorter than the parent's, as it is strained:
otherwise a little strain would double it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DescentPlan:
    """How far, and how finely.

    Parameters
    ----------
    depth
        Distortions one after the other.
    max_daughters
        Trials relaxed for each crystal, lowest energy first.
    threshold
        THz; a mode below minus this is imaginary.
    length
        Å; smallest distance between opposite faces of supercells. None takes for the
        daughters what the first crystal's supercell has.
    """

    depth: int = 3
    max_daughters: int = 6
    threshold: float = THRESHOLD
    length: float | None = None


Report = Callable[[Tree, str], None]
"""Called with what there is and what comes next."""


def descend(
    first: Atoms,
    engine: Engine,
    plan: DescentPlan,
    *,
    phonon_of: Callable[[Atoms], "Phonopy"],
    report: Report,
) -> Tree:
    """Follow the instabilities of a crystal.

    Parameters
    ----------
    first
        The crystal; relaxed here with its space group kept.
    engine
        A potential.
    plan
        How far, and how finely.
    phonon_of
        Gives the relaxed first crystal its displacements; its daughters take theirs by
        length.
    report
        Told of every step.
    """
    tree = Tree(crystals=[], steps=[])
    report(tree, "relaxing the first crystal")
    relaxation = engine.relax(first, keep_symmetry=True)
    root = first_crystal(relaxation)
    tree.crystals.append(root)
    phonon = phonon_of(relaxation.atoms)
    length = daughters_length(phonon, plan.length)
    if relaxation.is_converged:
        _vibrate(root, engine, plan, phonon)
    waiting = [root]
    while waiting:
        parent = waiting.pop(0)
        report(tree, f"crystal {parent.number}, {parent.space_group[0]}")
        if parent.harmonic is None or not parent.soft or parent.depth >= plan.depth:
            continue
        for daughter in _grow(tree, parent, engine, plan, report):
            report(tree, f"phonons of {daughter.space_group[0]}")
            if daughter.relaxation.is_converged:
                try:
                    phonon = _phonon(daughter.atoms, length)
                    _vibrate(daughter, engine, plan, phonon)
                except AtomgraftError as error:
                    daughter.notes.append(f"no phonons were computed: {error.came}")
            waiting.append(daughter)
    report(tree, "done")
    return tree


def daughters_length(phonon: "Phonopy", length: float | None) -> float:
    """Return the smallest height of the supercells of daughters, Å.

    Parameters
    ----------
    phonon
        Of the first crystal.
    length
        What was asked; none follows the first crystal's supercell.
    """
    if length is not None:
        return length
    reciprocal = np.linalg.inv(phonon.supercell.cell)
    return SHRUNK / float(np.linalg.norm(reciprocal, axis=0).max())


def _phonon(primitive: Atoms, length: float) -> "Phonopy":
    """Displace the smaller supercell: of the primitive or of the standard cell."""
    shapes = [primitive, conventional(primitive, SYMPREC)]
    sizes = [
        len(one) * round(float(np.linalg.det(supercell_by_length(one, length))))
        for one in shapes
    ]
    smallest = shapes[int(np.argmin(sizes))]
    return prepare(smallest, supercell=supercell_by_length(smallest, length))


def _vibrate(
    crystal: Crystal, engine: Engine, plan: DescentPlan, phonon: "Phonopy"
) -> None:
    """Give a crystal its phonons."""
    harmonic = engine.vibrate(phonon)
    crystal.harmonic = harmonic
    crystal.lowest = lowest_frequency(harmonic)
    crystal.soft = tuple(
        (q_label(harmonic, one), one)
        for one in find_instabilities(harmonic, plan.threshold)
    )


def _grow(
    tree: Tree, parent: Crystal, engine: Engine, plan: DescentPlan, report: Report
) -> list[Crystal]:
    """Relax the trials of a crystal; return the new daughters."""
    trials = _trials(parent, engine)
    chosen = trials[: plan.max_daughters]
    parent.counts = dict.fromkeys(("relaxed", "fell back", "known", "fell apart"), 0)
    parent.counts["left out"] = len(trials) - len(chosen)
    daughters: list[Crystal] = []
    for label, instability, trial in chosen:
        report(tree, f"{parent.space_group[0]}, {label}: {trial.space_group}")
        parent.counts["relaxed"] += 1
        number = len(tree.crystals)
        try:
            relaxation = engine.relax(trial.atoms, keep_symmetry=False)
            found = recognised(number, parent.depth + 1, relaxation, engine)
        except AtomgraftError as error:
            parent.counts["fell apart"] += 1
            parent.notes.append(f"{label} {trial.direction.name}: {error.came}")
            continue
        known = known_crystal(tree, found)
        if known is parent:
            parent.counts["fell back"] += 1
            continue
        if known is None:
            tree.crystals.append(found)
            daughters.append(found)
        else:
            parent.counts["known"] += 1
        tree.steps.append(
            Step(
                parent=parent.number,
                daughter=number if known is None else known.number,
                label=label,
                instability=instability,
                trial=trial,
            )
        )
    return daughters


def _trials(parent: Crystal, engine: Engine) -> list[tuple[str, Instability, Trial]]:
    """Return the trials of all instabilities of a crystal, lowest energy first."""
    assert parent.harmonic is not None
    found: list[tuple[str, Instability, Trial]] = []
    for label, instability in parent.soft:
        mode = f"{label}, {instability.frequency:.2f} THz: "
        space = frozen_space(parent.harmonic.phonon, instability)
        group = space.group
        if not is_representation(group):
            group = _no_group(len(space.fields))
            parent.notes.append(
                mode + "symmetry mixes these modes with others, so single modes and "
                "their sums were frozen in"
            )
        directions = directions_of(group)
        if not all(one.is_fixed for one in directions):
            parent.notes.append(
                mode + "symmetry fixes no single direction; components and sums of "
                "equal weight were frozen in"
            )
        trials = trials_of(space, directions, engine.energies)
        if not trials:
            parent.notes.append(
                mode + f"no displacement of {AMPLITUDES[0]} Å or more lowers the energy"
            )
        found += [(label, instability, one) for one in trials]
    return sorted(found, key=lambda one: one[2].energy)


def _no_group(n: int) -> Float[np.ndarray, "1 fields fields"]:
    return np.eye(n)[None]
