"""The layout of ``phonons.json``.

Frequencies are in THz, imaginary ones negative; energies in meV per atom; entropies and
heat capacities in J/K per mole of atoms. What the numbers depend on stands in
`PhononSettings`: phonons computed with other settings cannot be compared.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from atomgraft.records.documents import Provenance, Record, RecordFile

PHONONS_VERSION = 1

SUITE = "phonons"
"""Of the scores that a proof takes from these records."""

FREQUENCIES, FREE_ENERGY = "frequencies", "free energy"
"""Quantities of these scores."""

OWN_SCALAR = "mae_own_scalar"
"""Error of the base with all force constants times the one number that fits best."""

REFERENCE = "reference"
"""The name of the contestant that is no model: DFT."""

ALONE = "labels"
"""The contestant that is least squares on labels, without a model."""

JOINED = "{}+labels"
"""A model and labels combined, by the name of the model."""


Matrix = tuple[tuple[float, float, float], ...]


class RelaxationRecord(Record):
    """How a crystal was relaxed before it was displaced."""

    model: str
    is_converged: bool
    largest_force: float
    """eV/Å"""
    n_steps: int
    threshold: float
    """eV/Å"""
    space_group_before: str
    space_group_after: str
    energy: float
    """eV per atom"""
    volume: float
    """Å³ per atom"""


class PhononSettings(Record):
    """Everything that decides the numbers, pinned."""

    space_group: str
    n_atoms_primitive: int
    n_atoms_supercell: int
    supercell_matrix: Matrix
    primitive_matrix: Matrix
    geometry: Literal["given", "relaxed", "reference"]
    """``reference``: that of the DFT calculation, for every model."""
    displacement: float
    """Å; the largest displacement of an atom."""
    n_displacements: int
    kind: Literal["one atom", "all atoms"]
    """What is displaced in each supercell."""
    undisplaced: Literal["subtracted", "not subtracted"] = "subtracted"
    """Forces on the undisplaced supercell; for models, not for DFT."""
    symmetrisation: str
    """How force constants were symmetrised, in words."""
    has_charges: bool
    """The non-analytical term is in: the same charges for every contestant."""
    mesh: tuple[int, int, int]
    """q-points of the mesh, Γ among them."""
    threshold: float
    """THz; a crystal with a frequency below minus this is unstable."""
    symprec: float
    """Å"""
    dtype: str
    versions: dict[str, str]


class LegRecord(Record):
    """Bands along one straight leg of the path."""

    labels: tuple[str, str]
    distances: tuple[float, ...]
    """1/Å without 2π, from the start of the path."""
    frequencies: tuple[tuple[float, ...], ...]
    """THz; one row for each q-point."""
    speeds: tuple[tuple[float, ...], ...] = ()
    """Lengths of the group velocities, km/s, as `frequencies`."""
    deviations: tuple[tuple[float, ...], ...] = ()
    """Standard deviations, THz, as `frequencies`; of combinations with labels."""

    @model_validator(mode="after")
    def _refuse_other_lengths(self) -> "LegRecord":
        """Check that speeds and deviations, if any, belong to the frequencies."""
        lengths = [len(row) for row in self.frequencies]
        for name in ("speeds", "deviations"):
            rows = getattr(self, name)
            if rows and [len(row) for row in rows] != lengths:
                raise ValueError(f"{name} and frequencies differ in number")
        return self


class DensityRecord(Record):
    """Density of states."""

    frequencies: tuple[float, ...]
    """THz"""
    densities: tuple[float, ...]
    """States per THz and primitive cell."""


class ThermalRecord(Record):
    """Thermal curves of the harmonic crystal at its volume."""

    temperatures: tuple[float, ...]
    """K"""
    free_energy: tuple[float, ...]
    """meV/atom, zero-point energy included."""
    entropy: tuple[float, ...]
    """J/K per mole of atoms."""
    heat_capacity: tuple[float, ...]
    """J/K per mole of atoms."""
    share_left_out: float
    """Of the modes on the mesh; above that of Γ's acoustic ones, imaginary ones are
    missing and the curves are those of another crystal."""


class SoftMode(Record):
    """An imaginary mode on the commensurate grid."""

    q: tuple[float, float, float]
    """In reciprocal vectors of the primitive cell."""
    frequency: float
    """THz, negative."""


class ExpansionRecord(Record):
    """Thermal expansion in the quasi-harmonic approximation."""

    volumes: tuple[float, ...]
    """Å³ per atom, at which phonons were computed."""
    temperatures: tuple[float, ...]
    """K"""
    equilibrium_volumes: tuple[float, ...]
    """Å³ per atom"""
    expansion: tuple[float, ...]
    """Volumetric coefficient, 1e-6/K."""
    bulk_modulus: tuple[float, ...]
    """Isothermal, GPa."""
    heat_capacity: tuple[float, ...]
    """At constant pressure, J/K per mole of atoms."""
    energies: tuple[float, ...] = ()
    """Without vibrations, eV/atom, at `volumes`."""
    static_volume: float | None = None
    """Å³ per atom, of the lowest energy without vibrations."""
    dropped_volumes: tuple[float, ...] = ()
    """Å³ per atom, with imaginary modes or unrelaxed: no part of the fit."""
    equation_of_state: str = "vinet"
    mesh: tuple[int, int, int] | None = None
    n_atoms_supercell: int | None = None
    shape: Literal["relaxed", "scaled"] = "scaled"
    """What a cell that is not cubic does at each volume: its shape is relaxed at that
    volume, or all its vectors are scaled alike."""
    note: str = ""


class ConductivityRecord(Record):
    """Lattice thermal conductivity in the relaxation-time approximation."""

    temperatures: tuple[float, ...]
    """K"""
    conductivity: tuple[tuple[float, ...], ...]
    """W/m/K; xx, yy, zz, yz, xz, xy for each temperature."""
    mesh: tuple[int, int, int]
    n_supercells: int
    n_atoms_supercell: int
    mode_frequencies: tuple[tuple[float, ...], ...] = ()
    """THz; one row for each irreducible q-point."""
    mode_conductivity: tuple[tuple[float, ...], ...] = ()
    """Mean of the diagonal at 300 K, W/m/K, as `mode_frequencies`; the q-points that
    each row stands for are in, and the sum is the conductivity."""
    q_weights: tuple[float, ...] = ()
    solver: str = ""
    """How third-order force constants were found, in words."""
    displacement: float | None = None
    """Å; the largest displacement of an atom."""
    pair_cutoff: float | None = None
    """Å; pairs further apart were not displaced together. None for no such limit."""
    has_isotopes: bool = False
    """Scattering by the natural mix of isotopes is in."""
    has_charges: bool = False
    """The non-analytical term is in."""
    minimum: float | None = None
    """Lowest frequency on the mesh, THz; an unstable crystal has no conductivity that
    means anything."""
    residual_force: float | None = None
    """Largest force on an atom of the undisplaced supercell, eV/Å."""
    note: str = ""


class LabelsRecord(Record):
    """What labelled supercells did to force constants."""

    n_labels: int
    """Supercells."""
    n_constants: int
    """Force constants that the symmetry of the supercell leaves free."""
    n_free: int = 0
    """Of these, undetermined by the labels alone; set where there is no model."""
    shape: str | None = None
    """Of the prior, chosen by the marginal likelihood; none without a model."""
    scale: float | None = None
    """What the model's force constants are multiplied by before they are corrected."""
    noise: float | None = None
    """Standard deviation of the labels around the fit, eV/Å."""
    frequency_deviation: float | None = None
    """Mean standard deviation of the frequencies on the mesh, THz."""
    free_energy_deviation: float | None = None
    """Standard deviation at 300 K, meV/atom."""
    instability: float | None = None
    """Largest probability that a mode on the mesh is imaginary."""


class Spectrum(Record):
    """The vibrations of the crystal under one contestant."""

    contestant: str
    """``base``, ``adapted``, ``scratch``, ``reference`` or a model's name."""
    title: str
    """For people."""
    minimum: float
    """Lowest frequency on the mesh, THz."""
    maximum: float
    mean: float
    is_stable: bool
    residual_force: float | None = None
    """Largest force on an atom of the undisplaced supercell, eV/Å."""
    drift: float
    """Largest violation of the acoustic sum rule before symmetrisation, eV/Å²."""
    rotation: float | None = None
    """Largest violation of the rotational sum rule, eV/Å; see the documentation."""
    soft_modes: tuple[SoftMode, ...] = ()
    """The imaginary modes of the commensurate grid, softest first."""
    bands: tuple[LegRecord, ...] = ()
    density: DensityRecord | None = None
    thermal: ThermalRecord | None = None
    expansion: ExpansionRecord | None = None
    conductivity: ConductivityRecord | None = None
    relaxation: RelaxationRecord | None = None
    labels: LabelsRecord | None = None
    """Where labelled supercells had a part in the force constants."""


class PhononErrors(Record):
    """How one contestant compares with the reference, like with like."""

    contestant: str
    title: str
    baseline: Literal["own scalar", "global scalar"] | None = None
    """A baseline: the base's force constants times one number."""
    factor: float | None = None
    """That number."""
    frequency_mae: float
    """THz, over the mesh, frequencies sorted at each q."""
    frequency_rmse: float
    frequency_bias: float
    """Mean of the contestant's minus the reference's, THz."""
    maximum_error: float
    """THz, the largest error of one frequency on the mesh."""
    highest_error: float
    """Highest frequency minus the reference's, THz."""
    density_distance: float
    """Earth mover's distance of the normalised densities of states, THz."""
    free_energy_error: float | None = None
    """At 300 K, meV/atom, signed; none where either crystal is unstable."""
    entropy_error: float | None = None
    """At 300 K, J/K/mol."""
    heat_capacity_error: float | None = None
    """At 300 K, J/K/mol."""
    slope: float | None = None
    """Of the contestant's forces against the reference's by least squares: below one
    is too soft."""
    is_stable: bool
    conductivity_error: float | None = None
    """At 300 K, relative, signed."""
    srme: float | None = None
    """Symmetric relative mean error of mode conductivities at 300 K."""


class PhononResult(Record):
    """One crystal under one or several contestants."""

    schema_version: Annotated[int, Field(ge=1)] = PHONONS_VERSION
    name: str
    formula: str
    settings: PhononSettings
    spectra: tuple[Spectrum, ...]
    errors: tuple[PhononErrors, ...] = ()
    """Empty without a reference."""
    notices: tuple[str, ...] = ()
    """What a reader must know: unconverged, unstable, no charges ..."""
    provenance: tuple[Provenance, ...] = ()

    def spectrum(self, contestant: str) -> Spectrum | None:
        """Return the vibrations under one contestant, or none."""
        found = (one for one in self.spectra if one.contestant == contestant)
        return next(found, None)


PHONONS = RecordFile(
    file="phonons.json",
    record=PhononResult,
    version=PHONONS_VERSION,
    upgrades={},
    title="phonon result",
    command="atomgraft phonons",
    broken="Run 'atomgraft phonons' again.",
)
