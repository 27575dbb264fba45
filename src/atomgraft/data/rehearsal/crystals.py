"""The crystals to rehearse on: small cells that reach every element of 7net-0.

About 120 crystals of at most 12 atoms, neither strained nor rattled, without labels.
Forgetting is measured on other crystals (`atomgraft.evaluation.crystals`): no compound
is in both sets, and no element in the same structure, or a model would be examined on
what it was made to repeat. Made by ``scripts/crystals/make_rehearsal_crystals.py``.
"""

import importlib.resources
import io

from ase import Atoms
from ase.io import read

FILE = "crystals.extxyz"


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
    text = (importlib.resources.files("atomgraft.data.rehearsal") / FILE).read_text()
    frames = read(io.StringIO(text), index=":", format="extxyz")
    return [frames] if isinstance(frames, Atoms) else list(frames)
