"""The structures of all levels of theory, with the test geometries held out of each."""

import contextlib
import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from jaxtyping import Float
from matscipy.neighbours import neighbour_list
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist

from atomgraft.compare.plan import Material, examine_base, read_material
from atomgraft.compare.spec import CompareSpec
from atomgraft.compare.structures import Structures
from atomgraft.core.errors import BadInputError, MissingExtraError
from atomgraft.core.seeding import numpy_generator
from atomgraft.core.trust import Trust
from atomgraft.data.checks.findings import refuse_unaccepted
from atomgraft.data.checks.repeats import SAME
from atomgraft.data.checks.suite import Sets, check_alone
from atomgraft.data.label_keys import LabelOptions
from atomgraft.data.labels import (
    ENERGY,
    FORCES,
    STRESS,
    energy_of,
    forces_of,
    structures_fingerprint,
)
from atomgraft.data.readers import read_structures
from atomgraft.data.similarity import close_pairs, group_kinds
from atomgraft.fidelity.spec import FidelitySpec, Kept
from atomgraft.page.wording import counted
from atomgraft.run.held_out import compared_with_base
from atomgraft.run.structures import notices_of, without_lone_atoms

SECONDS = "engine_cpu_seconds"
"""Entry of ``info``: processor time of the label by ``label``, s."""

JUDGED = 0.2
"""Share of a source that is held out where it has no geometry of the test set."""

FEWEST = 5
"""Structures at least that measure a source."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Level:
    """One level of theory.

    Parameters
    ----------
    pool
        To draw training sets from.
    test
        Held out, with labels of this level.
    seconds
        Processor time of one label, s; none where it is not known.
    on_target
        Structures with labels of this level at geometries of the target, by their
        position in the target's pool and in its test set; empty for the target.
    """

    pool: tuple[Atoms, ...]
    test: tuple[Atoms, ...]
    seconds: float | None
    on_target: tuple[Mapping[int, Atoms], Mapping[int, Atoms]] = ({}, {})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Levels:
    """Everything a study reads.

    Parameters
    ----------
    target
        With expensive labels.
    sources
        Other levels of theory by name.
    material
        The target's data and the bases, as a comparison reads them.
    notices
        What the user should know before it starts.
    """

    target: Level
    sources: Mapping[str, Level]
    material: Material
    notices: tuple[str, ...]

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Hashes of all structures with their labels, and of the weights of bases."""
        levels = [self.target, *self.sources.values()]
        return (
            self.material.fingerprint,
            *(structures_fingerprint(one.pool) for one in levels),
            *(structures_fingerprint(one.test) for one in levels),
        )


def read_levels(spec: FidelitySpec, *, trust: Trust) -> Levels:
    """Read and check all structures and bases; nothing is written.

    Parameters
    ----------
    spec
        The study.
    trust
        Which checkpoints may run code.

    Raises
    ------
    BadInputError
        Something cannot be used as it is, the test set leaks into the pool, a source
        has nothing to train on, or a warning was not accepted.
    """
    own = spec.level(None)
    pool, note = without_lone_atoms(_read(spec.labels(), spec.train))
    test = without_lone_atoms(_read(spec.labels(), spec.test))[0]
    _refuse_shared(pool, test)
    told = [note.replace("training", "the pool")] if note else []
    told += _told(own, pool, test)
    told += _told_of_bases(spec, test)
    material = _examined(own, pool, test, trust)
    told += material.notices
    sources: dict[str, Level] = {}
    for name in spec.sources:
        sources[name], more = _source(spec, name, (pool, test), trust)
        told += [f"{name}: {one}" for one in more]
    return Levels(
        target=Level(
            pool=tuple(pool), test=tuple(test), seconds=_cost(spec.seconds, pool)
        ),
        sources=sources,
        material=material,
        notices=tuple(dict.fromkeys(told)),
    )


def _read(labels: LabelOptions, files: Sequence[str]) -> list[Atoms]:
    return read_structures(files, **labels)


def _told(
    spec: CompareSpec, train: Sequence[Atoms], test: Sequence[Atoms]
) -> list[str]:
    """Check structures without a model, and return what the user should know."""
    findings = check_alone(Sets(train=tuple(train), test=tuple(test)))
    refuse_unaccepted(findings, spec.accept)
    return list(notices_of(findings))


def _told_of_bases(spec: FidelitySpec, test: Sequence[Atoms]) -> list[str]:
    """Check that no base was trained on a geometry of the test set, at any level."""
    notices: list[str] = []
    for base in spec.base:
        own = frozenset({Path(base).resolve()})
        findings, told = compared_with_base([base], test, own)
        refuse_unaccepted(findings, spec.accept)
        notices += [*notices_of(findings), *told]
    return notices


def _examined(
    spec: CompareSpec, pool: Sequence[Atoms], test: Sequence[Atoms], trust: Trust
) -> Material:
    """Check structures in the light of the bases."""
    structures = Structures(tuple(pool), (), tuple(test))
    material = read_material(spec, trust=trust, structures=structures)
    notices = [one for one in material.notices if "validation" not in one]
    return dataclasses.replace(material, notices=tuple(notices))


def _examined_here(spec: CompareSpec, pool: Sequence[Atoms], trust: Trust) -> list[str]:
    """Check a source in the light of the bases whose framework is installed here.

    Others were checked on the target, in the environment of their framework.
    """
    structures = Structures(tuple(pool), (), ())
    notices: list[str] = []
    for base in spec.base:
        with contextlib.suppress(MissingExtraError):
            notices += examine_base(spec, base, structures, trust=trust)[1]
    return notices


def _source(
    spec: FidelitySpec, name: str, target: tuple[Sequence[Atoms], ...], trust: Trust
) -> tuple[Level, list[str]]:
    """Read a source; what has a geometry of the test set only measures it."""
    own = spec.level(name)
    frames, note = without_lone_atoms(_read(own.labels(), own.train))
    told = [note] if note else []
    pool, test = target
    in_pool, in_test = same_geometries(pool, frames), same_geometries(test, frames)
    held_out = {k for matches in in_test.values() for k in matches}
    held_out |= alike(test, frames)
    rest = [i for i in range(len(frames)) if i not in held_out]
    judging = sorted(held_out)
    if held_out:
        told.append(
            f"{len(held_out)} of {len(frames)} structures have a geometry of the test "
            "set. They measure the source's own error, and nothing is trained on them."
        )
    if len(held_out) < FEWEST:
        rest, aside = _kept_aside(frames, rest, name)
        judging += aside
        told.append(
            f"{counted(len(aside), 'structure')} held out to measure the source's own"
            " error."
        )
    if not rest:
        raise BadInputError(
            f"The source {name!r} has no structure to train on: all {len(frames)} have"
            " a geometry of the test set.",
            "Test geometries are held out of every level of theory.",
            f"Label other structures at this level, and give them in sources.{name}.",
        )
    training, without = _with_kept(spec, [frames[i] for i in rest], name)
    told += without
    told += _told(own, training, ())
    told += _examined_here(own, training, trust)
    level = Level(
        pool=tuple(training),
        test=tuple(frames[i] for i in judging),
        seconds=_cost(spec.sources[name].seconds, frames),
        on_target=(
            {i: frames[k[0]] for i, k in in_pool.items()},
            {i: frames[k[0]] for i, k in in_test.items()},
        ),
    )
    return level, told


def _with_kept(
    spec: FidelitySpec, frames: list[Atoms], name: str
) -> tuple[list[Atoms], list[str]]:
    """Return the structures that have every kind of label the study keeps alone."""
    wanted = {
        "forces": lambda atoms: forces_of(atoms) is not None,
        "energy": lambda atoms: energy_of(atoms) is not None,
    }
    told: list[str] = []
    for kept in [one for one in spec.keep if one in wanted]:
        having = [atoms for atoms in frames if wanted[kept](atoms)]
        if not having:
            raise BadInputError(
                f"The source {name!r} has no structure with a label of {kept}.",
                f"'keep: {kept}' trains on these labels alone.",
                f"Leave {kept!r} out of keep, or give other files in sources.{name}.",
            )
        if len(having) < len(frames):
            n = len(frames) - len(having)
            told.append(f"{counted(n, 'structure')} without {kept} are left out.")
        frames = having
    return frames, told


def _kept_aside(
    frames: Sequence[Atoms], rest: list[int], name: str
) -> tuple[list[int], list[int]]:
    """Return what is left to train on, and a share that is held out with its twins."""
    n_aside = min(max(FEWEST, round(JUDGED * len(rest))), len(rest) - 1)
    order = numpy_generator(0, f"source {name}").permutation(len(rest))
    aside = {rest[i] for i in order[: max(n_aside, 0)].tolist()}
    held = [frames[i] for i in sorted(aside)]
    aside |= {rest[k] for k in alike(held, [frames[i] for i in rest])}
    return [i for i in rest if i not in aside], sorted(aside)


def same_geometries(
    structures: Sequence[Atoms], others: Sequence[Atoms]
) -> dict[int, tuple[int, ...]]:
    """Return which of two lists of structures have the same geometry.

    No atom differs by more than 0.001 Å after the common translation, and atoms are in
    one order and orientation; labels do not count, and the box of a molecule does not.

    Parameters
    ----------
    structures, others
        Of two levels of theory.

    Returns
    -------
    :
        Positions in `others` by position in `structures`, where there are any.

    Examples
    --------
    >>> near, far = Atoms("H2", [[0, 0, 0], [0, 0, 1]]), Atoms("H2", [[0] * 3, [2] * 3])
    >>> moved = near.copy()
    >>> moved.translate([1.0, 2.0, 3.0])
    >>> same_geometries([far, near], [moved])
    {1: (0,)}
    """
    n = len(structures)
    every = [*structures, *others]
    pairs = _pairs(every)
    is_molecule = [not one.pbc.any() for one in every]
    if any(is_molecule):
        boxless = [Atoms(one.numbers, one.positions) for one in every]
        pairs |= {
            (a, b) for a, b in _pairs(boxless) if is_molecule[a] or is_molecule[b]
        }
    found: dict[int, list[int]] = {}
    for first, second in pairs:
        if first < n <= second:
            found.setdefault(first, []).append(second - n)
    return {i: tuple(sorted(found[i])) for i in sorted(found)}


REACH = 6.0
"""Å; distances between atoms up to it tell geometries apart."""

SMALL = 200
"""Atoms of a molecule of which all distances are compared."""


def alike(structures: Sequence[Atoms], others: Sequence[Atoms]) -> set[int]:
    """Return positions of `others` that have a geometry of `structures` in any guise.

    Composition and sorted distances between atoms agree to 0.002 Å: the order of atoms,
    rotation, reflection, wrapping and the box do not count. A potential gives such
    structures the same energy.

    Parameters
    ----------
    structures, others
        Of two levels of theory.

    Examples
    --------
    >>> water = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    >>> turned = water[[2, 0, 1]]
    >>> turned.rotate(40, "x")
    >>> alike([water], [Atoms("OH2", [[0, 0, 0], [1, 0, 0], [0, 1, 0]]), turned])
    {1}
    """
    kinds: dict[str, tuple[list[int], list[int]]] = {}
    for which, members in enumerate((structures, others)):
        for i, one in enumerate(members):
            key = one.get_chemical_formula()
            kinds.setdefault(key, ([], []))[which].append(i)
    found: set[int] = set()
    for mine, theirs in kinds.values():
        if not mine or not theirs:
            continue
        known = KDTree(np.array([_distances(structures[i]) for i in mine]))
        asked = np.array([_distances(others[i]) for i in theirs])
        gaps, _ = known.query(asked, p=np.inf, distance_upper_bound=2 * SAME)
        found |= {i for i, gap in zip(theirs, gaps, strict=True) if np.isfinite(gap)}
    return found


def _distances(atoms: Atoms) -> Float[np.ndarray, " shortest"]:
    """Return the shortest distances between atoms, three for each atom, sorted, Å."""
    if atoms.pbc.any() or len(atoms) > SMALL:
        found = neighbour_list("d", atoms, REACH)
    else:
        found = np.repeat(pdist(atoms.positions), 2)
    n = 6 * len(atoms)
    kept = np.sort(np.minimum(found, REACH))[:n]
    return np.concatenate([kept, np.full(n - len(kept), REACH)])


def _pairs(structures: Sequence[Atoms]) -> set[tuple[int, int]]:
    """Return pairs of structures with one geometry, the earlier one first."""
    return {
        (min(a, b), max(a, b))
        for kind in group_kinds(structures)
        if len(kind.members) > 1
        for a, b in close_pairs(kind, SAME)
    }


def _refuse_shared(pool: Sequence[Atoms], test: Sequence[Atoms]) -> None:
    shared = alike(test, pool)
    if shared:
        first = pool[min(shared)]
        raise BadInputError(
            f"{len(shared)} test structures are also in the pool"
            f" ({first.info.get('source')}).",
            "Expected test structures that are not in the pool.",
            "Give other frames with --test; 'file.extxyz@20:' leaves the first 20 out.",
        )


def _cost(given: float | None, frames: Sequence[Atoms]) -> float | None:
    """Return the processor time of a label, s: as given, or the mean as measured."""
    if given is not None:
        return given
    known = [float(one.info[SECONDS]) for one in frames if SECONDS in one.info]
    return statistics.fmean(known) if known else None


def with_labels(structures: Sequence[Atoms], kept: Kept) -> list[Atoms]:
    """Return copies with the labels that are kept.

    Parameters
    ----------
    structures
        With labels under the canonical keys.
    kept
        ``forces`` leaves energies and stresses out, ``energy`` forces and stresses.

    Examples
    --------
    >>> atoms = Atoms("H", info={"REF_energy": -1.0})
    >>> atoms.arrays["REF_forces"] = np.zeros((1, 3))
    >>> [one] = with_labels([atoms], "forces")
    >>> sorted(one.info), "REF_forces" in one.arrays
    ([], True)
    """
    found: list[Atoms] = []
    for atoms in structures:
        bare = atoms.copy()
        if kept != "all":
            bare.info.pop(STRESS, None)
        if kept == "forces":
            bare.info.pop(ENERGY, None)
        if kept == "energy":
            bare.arrays.pop(FORCES, None)
        found.append(bare)
    return found


def differences(
    target: Sequence[Atoms], cheap: Mapping[int, Atoms]
) -> list[Atoms] | None:
    """Return structures labelled with target minus source, or none if some are missing.

    Energies in eV, forces in eV/Å. A model of the differences and the source's own
    calculation add up to the target, so its errors are those of the sum.

    Parameters
    ----------
    target
        With labels of the target.
    cheap
        The same geometries with labels of the source, by position in `target`.

    Examples
    --------
    >>> dear = Atoms("H", info={"REF_energy": -1.0})
    >>> [one] = differences([dear], {0: Atoms("H", info={"REF_energy": -0.5})})
    >>> one.info["REF_energy"]
    -0.5
    >>> differences([dear], {}) is None
    True
    """
    found: list[Atoms] = []
    for i, dear in enumerate(target):
        other = cheap.get(i)
        if other is None:
            return None
        one = dear.copy()
        one.info.pop(STRESS, None)
        one.info.pop(ENERGY, None)
        one.arrays.pop(FORCES, None)
        energies = energy_of(dear), energy_of(other)
        forces = forces_of(dear), forces_of(other)
        if energies[0] is not None and energies[1] is not None:
            one.info[ENERGY] = energies[0] - energies[1]
        if forces[0] is not None and forces[1] is not None:
            one.arrays[FORCES] = np.asarray(forces[0] - forces[1], dtype=float)
        if ENERGY not in one.info and FORCES not in one.arrays:
            return None
        found.append(one)
    return found
