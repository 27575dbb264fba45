"""Choice of replay structures: shipped crystals and relatives of the user's.

Half of them are shipped crystals, chosen so that few of them reach many elements,
strained by up to 6 % and rattled by 0.02 to 0.3 Å; a quarter are the user's own
structures under larger strain and rattle; a quarter are the user's own with other
elements in their places.
They carry no labels: those come from the source model.

The user's own are taken in small cells: supercells are folded, and those of at most
24 atoms are taken where there are any, else those of at most 64, else none.

The shipped ones are about 120 crystals of at most 12 atoms, as they are in nature.
Forgetting is measured on others (`atomgraft.evaluation.forgetting`): no compound is in
both sets, and no element in the same structure, or a model would be examined on what it
was made to repeat. Made by ``scripts/crystals/make_rehearsal_crystals.py``.
"""

import dataclasses
from collections.abc import Collection, Iterator, Sequence

import numpy as np
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.data.ase_files import packaged_crystals
from atomgraft.data.checks.findings import is_isolated_atom
from atomgraft.data.rehearsal.disturbances import are_apart, disturbed
from atomgraft.data.rehearsal.relatives import folded, substituted


def rehearsal_crystals() -> list[Atoms]:
    """Return the crystals to rehearse on.

    Returns
    -------
    :
        Periodic structures with ``info["name"]`` (formula and prototype, unique)
        and ``info["prototype"]``; lengths in Å.

    Examples
    --------
    >>> rehearsal_crystals()[0].info["name"]
    'N solid nitrogen'
    """
    return packaged_crystals("atomgraft.data.rehearsal")


KINDS = ("crystal", "strained", "substituted")
"""Values of ``info["rehearsal"]``, in the order in which they are returned."""

SMALL, LARGEST = 24, 64
"""Atoms of an own structure that is preferred, and of one that is taken at all."""

FEWEST = 4
"""Atoms; smaller cells are repeated, so that displacements are not all alike."""

N_LOOKED_AT = 100
"""Own structures, drawn at random, among which relatives are looked for."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Disturbance:
    """How far structures of one kind are moved.

    Parameters
    ----------
    strain
        Largest entry of the symmetric strain.
    rattles
        Standard deviations of the coordinates, Å; used in turn.
    """

    strain: float
    rattles: tuple[float, ...]


DISTURBANCES = {
    "crystal": Disturbance(strain=0.06, rattles=(0.02, 0.05, 0.1, 0.2, 0.3)),
    "strained": Disturbance(strain=0.08, rattles=(0.1, 0.15, 0.2)),
    "substituted": Disturbance(strain=0.06, rattles=(0.02, 0.05, 0.1, 0.2, 0.3)),
}
"""Halved, and halved again, where atoms would come too close."""


def propose_rehearsal(
    own: Sequence[Atoms],
    *,
    elements: Collection[int],
    n: int,
    generator: np.random.Generator,
) -> tuple[Atoms, ...]:
    """Return structures to rehearse on, without labels.

    The crystals come first, then the own under strain, then the own with other
    elements. Where one kind is impossible, the others take its place: no crystal of
    these elements alone, no own structure that is small enough, no neighbour of an
    element among those allowed.

    Parameters
    ----------
    own
        The user's structures; their labels are not looked at.
    elements
        Atomic numbers that the source can see; no others are used.
    n
        How many are wanted; as many are returned.
    generator
        Source of every choice.

    Returns
    -------
    :
        Each with ``info["rehearsal"]``, one of `KINDS`, and ``info["name"]``.

    Raises
    ------
    BadInputError
        A negative number is asked for, or the elements allow no structure at all.

    Examples
    --------
    >>> from ase.build import bulk
    >>> rng = np.random.default_rng(0)
    >>> made = propose_rehearsal([bulk("Si")], elements={8, 14, 32}, n=8, generator=rng)
    >>> [atoms.info["rehearsal"][:3] for atoms in made]
    ['cry', 'cry', 'cry', 'cry', 'str', 'str', 'sub', 'sub']
    """
    if n < 0:
        raise BadInputError(
            f"{n} replay structures were requested.",
            "Expected none or more.",
            "Give for example 64.",
        )
    crystals = _visible(rehearsal_crystals(), elements)
    parents = _parents(_visible(own, elements), generator)
    if n and not crystals and not parents:
        raise _nothing_possible(own, elements)
    n_own = (n // 2 if crystals else n) if parents else 0
    made = [
        *_crystals(crystals, n - n_own, generator),
        *_relatives(parents, n_own, elements, generator),
    ]
    return tuple(sorted(made, key=lambda one: KINDS.index(one.info["rehearsal"])))


def _visible(structures: Sequence[Atoms], elements: Collection[int]) -> list[Atoms]:
    allowed = frozenset(elements)
    return [one for one in structures if allowed.issuperset(one.numbers.tolist())]


def _parents(own: Sequence[Atoms], generator: np.random.Generator) -> list[Atoms]:
    """Return small cells of some of the own structures."""
    drawn = generator.permutation(len(own))[:N_LOOKED_AT]
    cells = [
        (folded(own[i]), f"structure {i}")
        for i in sorted(drawn.tolist())
        if len(own[i]) and not is_isolated_atom(own[i])
    ]
    named: list[Atoms] = []
    for atoms, name in cells:
        if len(atoms) > 1 or atoms.pbc.any():
            atoms.info["name"] = f"{atoms.get_chemical_formula()} of {name}"
            named.append(atoms)
    sane = [one for one in named if len(one) <= LARGEST and are_apart(one)]
    return [one for one in sane if len(one) <= SMALL] or sane


def _crystals(
    crystals: Sequence[Atoms], n: int, generator: np.random.Generator
) -> Iterator[Atoms]:
    for i, crystal in enumerate(_widest_first(crystals, n, generator)):
        yield _finished(crystal, "crystal", crystal.info["name"], i, generator)


def _widest_first(
    crystals: Sequence[Atoms], n: int, generator: np.random.Generator
) -> list[Atoms]:
    """Return crystals that reach many elements soon; each comes once a round.

    The next is one with most elements that none before has; when all elements have
    had their turn, they count anew. Which of several, the generator decides.
    """
    chosen: list[Atoms] = []
    covered: set[int] = set()
    left: list[Atoms] = []
    while len(chosen) < n:
        if not left:
            left = [crystals[i] for i in generator.permutation(len(crystals))]
        gains = [len({*one.numbers.tolist()} - covered) for one in left]
        best = int(np.argmax(gains))
        if gains[best] == 0:
            covered = set()
            continue
        covered.update(left[best].numbers.tolist())
        chosen.append(left.pop(best))
    return chosen


def _relatives(
    parents: Sequence[Atoms],
    n: int,
    elements: Collection[int],
    generator: np.random.Generator,
) -> Iterator[Atoms]:
    n_substituted = n // 2
    for i, parent in enumerate(_in_turn(parents, n, generator)):
        name = parent.info["name"]
        found = substituted(parent, elements, generator) if i < n_substituted else None
        if found is not None and are_apart(found.atoms):
            name = f"{name}, {found.what}"
            yield _finished(found.atoms, "substituted", name, i, generator)
        else:
            yield _finished(parent, "strained", name, i, generator)


def _in_turn(
    structures: Sequence[Atoms], n: int, generator: np.random.Generator
) -> Iterator[Atoms]:
    """Yield all in random order, again and again, until there are enough."""
    n_rounds = -(-n // max(1, len(structures)))
    orders = [generator.permutation(len(structures)) for _ in range(n_rounds)]
    for i in np.concatenate(orders)[:n].tolist() if orders else []:
        yield structures[i]


def _finished(
    atoms: Atoms, kind: str, name: str, i: int, generator: np.random.Generator
) -> Atoms:
    """Disturb a structure and say what it is; the rattles take turns with `i`."""
    amount = DISTURBANCES[kind]
    made = disturbed(
        _repeated(atoms),
        strain=amount.strain,
        rattle=amount.rattles[i % len(amount.rattles)],
        generator=generator,
    )
    made.info.update(rehearsal=kind, name=name)
    return made


def _repeated(atoms: Atoms) -> Atoms:
    """Repeat a cell along its shortest periodic vector until it is not too small."""
    while len(atoms) < FEWEST and atoms.pbc.any():
        lengths = np.where(atoms.pbc, atoms.cell.lengths(), np.inf)
        repeats = np.ones(3, dtype=int)
        repeats[int(lengths.argmin())] = 2
        atoms = atoms.repeat(repeats)
    return atoms


def _nothing_possible(own: Sequence[Atoms], elements: Collection[int]) -> BadInputError:
    return BadInputError(
        f"No replay structure can be made from {len(set(elements))} elements and "
        f"{len(own)} structures of your own.",
        f"Expected crystals or structures of your own (at most {LARGEST} atoms, "
        "none too close) with elements that the source supports.",
        "Give source data for replay, or use a recipe without replay.",
    )
