"""The shipped crystals: a fixed, small probe of the whole periodic table.

About 60 prototype structures of at most 12 atoms, each slightly strained and
rattled (0.05 Å) so that forces and stresses are not zero by symmetry. They carry
no labels: they are where two models are compared with each other. Made by
``scripts/crystals/make_crystals.py``.
"""

import importlib.resources
import io
from collections.abc import Collection, Sequence

from ase import Atoms
from ase.io import read

FILE = "crystals.extxyz"


def shipped_crystals() -> list[Atoms]:
    """Return the shipped crystals.

    Returns
    -------
    :
        Periodic structures with ``info["name"]`` (formula and prototype, unique)
        and ``info["prototype"]``; lengths in Å.

    Examples
    --------
    >>> shipped_crystals()[0].info["prototype"]
    'diamond'
    """
    text = (importlib.resources.files("atomgraft.evaluation") / FILE).read_text()
    frames = read(io.StringIO(text), index=":", format="extxyz")
    return [frames] if isinstance(frames, Atoms) else list(frames)


def visible(crystals: Sequence[Atoms], elements: Collection[int]) -> list[Atoms]:
    """Return the crystals that consist of the given elements only.

    Parameters
    ----------
    crystals
        Any structures.
    elements
        Atomic numbers a potential can see.

    Examples
    --------
    >>> [str(atoms.symbols) for atoms in visible([Atoms("H2"), Atoms("CO")], {1, 6})]
    ['H2']
    """
    known = frozenset(elements)
    return [
        atoms for atoms in crystals if known.issuperset(int(Z) for Z in atoms.numbers)
    ]
