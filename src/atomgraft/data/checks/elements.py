"""Elements that the base model has never seen."""

from collections.abc import Iterator, Sequence

from ase import Atoms
from ase.data import chemical_symbols

from atomgraft.data.base_knowledge import BaseKnowledge
from atomgraft.data.checks.findings import Finding, named, places


def check_elements(
    structures: Sequence[Atoms], base: BaseKnowledge
) -> Iterator[Finding]:
    """Find elements that the base model cannot see."""
    strange = [
        atoms
        for atoms in structures
        if not set(atoms.numbers.tolist()) <= base.elements
    ]
    if not strange:
        return
    unknown = {int(Z) for atoms in strange for Z in atoms.numbers} - base.elements
    symbols = ", ".join(chemical_symbols[Z] for Z in sorted(unknown))
    yield Finding(
        severity="error",
        code="unknown-element",
        message=f"{base.name} does not know {symbols}, which stand in {len(strange)}"
        f" structures ({named(places(strange))}).",
        remedy="Remove these structures, or choose a base that covers the elements.",
        frames=places(strange),
        number=len(unknown),
        unit="elements",
    )
