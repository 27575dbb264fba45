"""Stresses that no matter bears, where no base model can tell their unit."""

from collections.abc import Iterator, Sequence

import numpy as np
from ase import Atoms

from atomgraft.core.units import EV_PER_A3_IN_GPA
from atomgraft.data.checks.findings import Finding, named, places
from atomgraft.data.labels import stress_of

LARGEST = 6.0
"""eV/Å³, about 1,000 GPa: beyond the pressure in the centre of a planet."""


def check_stress_sizes(structures: Sequence[Atoms]) -> Iterator[Finding]:
    """Find stresses in another unit by their size alone."""
    found = [
        (atoms, float(np.abs(stress).max()))
        for atoms in structures
        if (stress := stress_of(atoms)) is not None and np.abs(stress).max() > LARGEST
    ]
    if not found:
        return
    frames = places(atoms for atoms, _ in found)
    largest = max(size for _, size in found)
    yield Finding(
        severity="error",
        code="stress-size",
        message=f"{len(found)} structures have stresses of up to {largest:.3g} eV/Å³,"
        f" which is {EV_PER_A3_IN_GPA * largest:.3g} GPa ({named(frames)}).",
        remedy="They are in another unit: --stress-unit GPa, kbar, bar, Pa or virial;"
        " --base names the one that fits.",
        frames=frames,
        number=largest,
        unit="eV/Å³",
    )
