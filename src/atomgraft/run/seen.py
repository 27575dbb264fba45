"""Range of labelled structures: materials, temperatures, volumes, strains."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from ase import Atoms

from atomgraft.core.properties import PROPERTIES, Property
from atomgraft.data.labels import energy_of, forces_of, stress_of
from atomgraft.evaluation.deviations import composition_part
from atomgraft.run.record import SeenRecord

TEMPERATURE_KEYS = ("temperature", "temperature_K")
"""Entries of ``info`` in kelvin; the first counts."""

MAX_NAMES = 20
"""Formulas and kinds that are kept, the most frequent first."""

MAX_STRAIN = 0.3
"""A cell further from the middle one is another cell, and no strained one."""


def seen_in(structures: Sequence[Atoms]) -> SeenRecord:
    """Return what structures span, and how far their labels spread.

    Parameters
    ----------
    structures
        With labels.

    Examples
    --------
    >>> seen_in([Atoms("H2"), Atoms("H4")]).formulas
    {'H': 2}
    """
    periodic = [one for one in structures if one.cell.rank == 3 and all(one.pbc)]
    return SeenRecord(
        formulas=_counts(
            one.get_chemical_formula(empirical=True) for one in structures
        ),
        kinds=_counts(
            str(one.info["config_type"])
            for one in structures
            if "config_type" in one.info
        ),
        sizes=_ends(map(len, structures)),
        temperatures=_ends(_temperatures(structures)),
        volumes=_ends(one.get_volume() / len(one) for one in periodic),
        strain=_strain(periodic),
        spreads=_spreads(structures),
    )


def _counts(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common(MAX_NAMES))


def _ends(values: Iterable[float]) -> tuple[float, float] | None:
    found = [float(value) for value in values]
    return (min(found), max(found)) if found else None


def _temperatures(structures: Sequence[Atoms]) -> Iterable[float]:
    for atoms in structures:
        given = [atoms.info[key] for key in TEMPERATURE_KEYS if key in atoms.info]
        if given and isinstance(given[0], int | float | np.number):
            yield float(given[0])


def _strain(structures: Sequence[Atoms]) -> float | None:
    """Return the largest principal strain at constant volume, among cells of a kind."""
    cells: dict[str, list[np.ndarray]] = {}
    for atoms in structures:
        cells.setdefault(atoms.get_chemical_formula(), []).append(atoms.cell.array)
    found = [
        float(strain)
        for group in cells.values()
        if len(group) > 1 and abs(np.linalg.det(np.median(group, axis=0))) > 1e-6
        for strain in _strains(np.array(group))
        if strain <= MAX_STRAIN
    ]
    return max(found, default=None)


def _strains(cells: np.ndarray) -> np.ndarray:
    deformed = np.linalg.solve(np.median(cells, axis=0)[None], cells)
    stretches = np.linalg.svd(deformed, compute_uv=False)
    shape = stretches / np.cbrt(stretches.prod(axis=1))[:, None]
    return np.abs(shape - 1).max(axis=1)


def _spreads(structures: Sequence[Atoms]) -> dict[str, float]:
    """Return the standard deviation of labels, in units of reports.

    Energies are those per atom, without what the compositions alone explain.
    """
    with_energy = [one for one in structures if energy_of(one) is not None]
    energies = np.array([(energy_of(one) or 0.0) / len(one) for one in with_energy])
    by_composition = composition_part(with_energy, energies) if with_energy else None
    labels = {
        Property.ENERGY: [] if by_composition is None else [energies - by_composition],
        Property.FORCES: [f for one in structures if (f := forces_of(one)) is not None],
        Property.STRESS: [s for one in structures if (s := stress_of(one)) is not None],
    }
    return {
        name.value: PROPERTIES[name].report_factor
        * float(np.std(np.concatenate([np.ravel(one) for one in values])))
        for name, values in labels.items()
        if values
    }
