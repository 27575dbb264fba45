"""The suite of vibrations in a proof: base, adapted and scratch beside DFT."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from atomgraft.core.errors import BadInputError
from atomgraft.data.force_sets import is_phonopy_calculation
from atomgraft.data.shipped import PREFIX
from atomgraft.lattice.supercells import require_crystal
from atomgraft.models.base import AbstractPotential
from atomgraft.page.wording import MODEL_NAMES
from atomgraft.phonons.crystals import Crystal, read_crystal
from atomgraft.phonons.record import PhononResult
from atomgraft.phonons.setup import BASE, Progress
from atomgraft.phonons.spec import PhononSpec
from atomgraft.phonons.work import phonons_of
from atomgraft.records.scores import ModelName

SHIPPED = {"si": "shipped:si-phonons", "ge": "shipped:ge-phonons"}
"""The calculation that goes with a shipped training set, by its element."""


def crystals_for(given: Sequence[str], trained: Sequence[str]) -> tuple[str, ...]:
    """Return the crystals whose vibrations are to be judged.

    Parameters
    ----------
    given
        What the user named; wins where there is any.
    trained
        The run's files of training and test structures: calculations of phonopy among
        them are crystals, and so are those that go with a shipped set.

    Raises
    ------
    BadInputError
        There is none.

    Examples
    --------
    >>> crystals_for([], ["shipped:si-train"])
    ('shipped:si-phonons',)
    """
    if given:
        return tuple(given)
    found = [one for name in trained if (one := _crystal_of(name)) is not None]
    if not found:
        raise BadInputError(
            "Phonons were asked for, and no crystal is known: the run's files "
            f"({', '.join(trained)}) hold no calculation of phonopy.",
            "A structure or a calculation of phonopy is needed.",
            "Name it: atomgraft prove RUN --suite phonons --crystal phonopy.yaml",
        )
    return tuple(dict.fromkeys(found))


def _crystal_of(name: str) -> str | None:
    plain = name.partition("@")[0]
    if plain.startswith(PREFIX):
        return SHIPPED.get(plain.removeprefix(PREFIX).partition("-")[0])
    return plain if is_phonopy_calculation(plain) else None


def read_crystals(
    given: Sequence[str], trained: Sequence[str]
) -> list[tuple[str, Crystal]]:
    """Read the crystals whose vibrations are to be judged, with their names.

    Parameters
    ----------
    given, trained
        As for :func:`crystals_for`.

    Raises
    ------
    BadInputError
        There is none, or one cannot be read or is no crystal.
    """
    read = [(name, read_crystal(name)) for name in crystals_for(given, trained)]
    for _, crystal in read:
        require_crystal(crystal.atoms)
    return read


def prove_phonons(
    models: Mapping[ModelName, AbstractPotential],
    crystals: Sequence[tuple[str, Crystal]],
    *,
    titles: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> tuple[PhononResult, ...]:
    """Compute the vibrations of crystals under every model of a proof, in float64.

    Parameters
    ----------
    models
        By contestant, ``base`` among them.
    crystals
        What was named, and what was read.
    titles
        What people call the contestants; none takes the names of the page.
    progress
        Called with what is done, steps done and steps in all.

    Raises
    ------
    BadInputError
        A model does not know an element of a crystal.
    """
    doubles = {
        str(name): one.clone(dtype=torch.float64, device=one.device)
        for name, one in models.items()
    }
    return tuple(
        _one(crystal, name, doubles, titles, progress) for name, crystal in crystals
    )


def _one(
    crystal: Crystal,
    name: str,
    models: Mapping[str, AbstractPotential],
    titles: Mapping[str, str] | None,
    progress: Progress | None,
) -> PhononResult:
    place = name if name.startswith(PREFIX) else Path(name).name
    spec = PhononSpec(crystal=place, models=(BASE,))
    result, _ = phonons_of(
        spec, crystal, models, titles=titles or MODEL_NAMES, progress=progress
    )
    return result
