"""The layout of ``stabilise.json``.

Crystals lie in a flat list and name each other by number. Frequencies are in THz,
imaginary ones negative; energies in meV per atom against the first crystal, so that
negative is more stable.
"""

from typing import Annotated

from pydantic import Field, model_validator

from atomgraft.phonons.record import Matrix
from atomgraft.records.documents import Record, RecordFile
from atomgraft.run.record import BaseCard, Provenance

INSTABILITIES_VERSION = 1


class StructureRecord(Record):
    """A crystal that can be read without anything but JSON."""

    symbols: tuple[str, ...]
    cell: Matrix
    """Å, vectors as rows."""
    positions: tuple[tuple[float, float, float], ...]
    """Å"""


class SoftSpace(Record):
    """Imaginary modes that belong together by symmetry."""

    label: str
    """Of the q-point: Γ, X ... or its components."""
    arms: tuple[tuple[float, float, float], ...]
    """The star; of q and -q one; in reciprocal vectors of the primitive cell."""
    frequency: float
    """THz, negative."""
    degeneracy: int
    """Modes of this frequency at one q-point."""


class CrystalRecord(Record):
    """One crystal of the tree."""

    number: int
    depth: int
    """Distortions from the first crystal by the way it was found first."""
    structure: StructureRecord
    file: str
    """Its file without suffix, ``structures/01-P4mm``."""
    space_group: str
    space_group_number: int
    symprec: float
    """Å; at which its symmetry was found. Zero: it was not made exactly symmetric."""
    energy: float
    """eV per atom"""
    energy_change: float
    """Against the first crystal, meV/atom."""
    volume_change: float
    """Against the first crystal, per cent."""
    is_converged: bool
    largest_force: float
    """eV/Å"""
    n_steps: int
    is_stable: bool | None
    """No imaginary mode on the commensurate grid; none where no phonons were found."""
    lowest_frequency: float | None
    """THz, on the commensurate grid."""
    soft: tuple[SoftSpace, ...] = ()
    """Softest first."""
    supercell: Matrix | None = None
    """Of the phonons; rows of multiples of the cell that was displaced."""
    n_atoms_supercell: int | None = None
    counts: dict[str, int] = Field(default_factory=dict[str, int])
    """What became of its trials: relaxed, fell back, known, fell apart, left out."""
    notes: tuple[str, ...] = ()


class StepRecord(Record):
    """The distortion that leads from one crystal to another."""

    parent: int
    daughter: int
    label: str
    frequency: float
    """Of the mode in the parent, THz."""
    direction: str
    """Of the order parameter, ``(a,a,0)``."""
    amplitudes: tuple[float, ...]
    """The same as a unit vector in the space of the star's modes."""
    n_domains: int
    """Directions that are equal by symmetry."""
    is_fixed: bool
    """Symmetry fixes the direction; otherwise it is one of many."""
    amplitude: float
    """Of the atom that moves most where the energy was lowest on the line, Å."""
    line_energy: float
    """There, against the parent, meV/atom, atoms and cell not relaxed."""
    trial_space_group: str
    energy_change: float
    """Of the daughter against the parent, meV/atom."""
    is_first: bool
    """The daughter was found by this step, and not known before."""


class StabiliseSettings(Record):
    """Everything that decides the numbers, pinned."""

    depth: int
    max_daughters: int
    threshold: float
    """THz"""
    supercell: Matrix
    """Of the first crystal, rows of multiples of the cell that was given."""
    length: float
    """Å; smallest height of the daughters' supercells."""
    fmax: float
    """eV/Å"""
    max_steps: int
    displacement: float
    """Å"""
    amplitudes: tuple[float, ...]
    """Å"""
    symprecs: tuple[float, ...]
    """Å"""
    same_energy: float
    """meV/atom"""
    same_distance: float
    """Å"""
    dtype: str


class StabiliseResult(Record):
    """The tree of distortions of one crystal under one model."""

    schema_version: Annotated[int, Field(ge=1)] = INSTABILITIES_VERSION
    name: str
    formula: str
    finished: bool
    identity: str
    """Hash of crystal, model and settings."""
    model: BaseCard
    settings: StabiliseSettings
    crystals: tuple[CrystalRecord, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    headline: str = ""
    notices: tuple[str, ...] = ()
    provenance: tuple[Provenance, ...] = ()

    @model_validator(mode="after")
    def _refuse_strangers(self) -> "StabiliseResult":
        """Check that every step leads from and to crystals that are there."""
        ends = [end for step in self.steps for end in (step.parent, step.daughter)]
        if any(not 0 <= end < len(self.crystals) for end in ends):
            raise ValueError("a step names an unknown crystal")
        return self

    def best(self) -> CrystalRecord | None:
        """Return the crystal of lowest energy among those relaxed to the end."""
        done = [one for one in self.crystals if one.is_converged]
        return min(done, key=lambda one: one.energy, default=None)

    def best_stable(self) -> CrystalRecord | None:
        """Return the stable crystal of lowest energy, or none."""
        stable = [one for one in self.crystals if one.is_stable]
        return min(stable, key=lambda one: one.energy, default=None)


STABILISE = RecordFile(
    file="stabilise.json",
    record=StabiliseResult,
    version=INSTABILITIES_VERSION,
    upgrades={},
    title="result",
    command="atomgraft stabilise",
    broken=(
        "Remove it and run 'atomgraft stabilise' again; finished calculations are kept."
    ),
)
