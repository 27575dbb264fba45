"""From computed phonons to their record: settings, spectra, heat."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import package_versions
from atomgraft.lattice.charges import charge_doubts
from atomgraft.lattice.conductivity import UNSTABLE, Conductivity
from atomgraft.lattice.harmonic import SYMMETRISATIONS
from atomgraft.lattice.quasiharmonic import Quasiharmonic, QuasiharmonicSettings
from atomgraft.lattice.relaxation import FMAX, Relaxation
from atomgraft.lattice.supercells import all_displacements
from atomgraft.lattice.symmetry import named_group, symmetry_notices
from atomgraft.lattice.third_order import Anharmonic
from atomgraft.metrics.phonons import (
    WORST,
    symmetric_relative_error,
    symmetric_relative_mean_error,
)
from atomgraft.phonons.judge import Judged
from atomgraft.phonons.record import (
    REFERENCE,
    ConductivityRecord,
    ExpansionRecord,
    Matrix,
    PhononSettings,
    RelaxationRecord,
    Spectrum,
)
from atomgraft.phonons.setup import Prepared
from atomgraft.phonons.spec import PhononSpec

PHONON_PACKAGES = ("phonopy", "phono3py", "symfc", "seekpath", "spglib")

LARGE_RESIDUAL = 0.05
"""eV/Å; forces on the undisplaced crystal that say: not at rest under this model."""


def phonon_settings(
    spec: PhononSpec, found: Prepared, judged: Judged
) -> PhononSettings:
    """Pin everything that decides the numbers.

    Parameters
    ----------
    spec
        What was asked.
    found
        The crystals that were displaced.
    judged
        What was found.
    """
    phonon = next(iter(found.phonons.values()))
    displacements = all_displacements(phonon)
    is_single = "first_atoms" in (phonon.dataset or {})
    has_reference = REFERENCE in judged.harmonics
    geometry = "reference" if has_reference else "relaxed"
    if not found.relaxations and not has_reference:
        geometry = "given"
    return PhononSettings(
        space_group=named_group(phonon, spec.symprec),
        n_atoms_primitive=len(phonon.primitive),
        n_atoms_supercell=len(phonon.supercell),
        supercell_matrix=_matrix(np.asarray(phonon.supercell_matrix, dtype=float)),
        primitive_matrix=_matrix(np.asarray(phonon.primitive_matrix, dtype=float)),
        geometry=geometry,
        displacement=float(np.linalg.norm(displacements, axis=2).max()),
        n_displacements=len(displacements),
        kind="one atom" if is_single else "all atoms",
        symmetrisation=(
            f"{'site symmetry' if is_single else 'symfc'}, then {SYMMETRISATIONS} "
            "rounds of translational and index symmetry"
        ),
        has_charges=phonon.nac_params is not None,
        mesh=spec.mesh,
        threshold=spec.threshold,
        symprec=spec.symprec,
        dtype=spec.dtype,
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    known = package_versions()
    return {name: known[name] for name in PHONON_PACKAGES if name in known}


def _matrix(values: Float[np.ndarray, "3 3"]) -> Matrix:
    rows = [tuple(float(one) for one in row) for row in values]
    return tuple((a, b, c) for a, b, c in rows)


def relaxation_record(name: str, found: Relaxation) -> RelaxationRecord:
    """Say how a crystal was relaxed.

    Parameters
    ----------
    name
        The contestant.
    found
        Where it came to rest.
    """
    n_atoms = len(found.atoms)
    return RelaxationRecord(
        model=name,
        is_converged=found.is_converged,
        largest_force=found.largest_force,
        n_steps=found.n_steps,
        threshold=FMAX,
        space_group_before=found.groups[0],
        space_group_after=found.groups[1],
        energy=found.energy / n_atoms,
        volume=float(found.atoms.cell.volume) / n_atoms,
    )


def phonon_notices(
    found: Prepared, judged: Judged, spectra: Sequence[Spectrum]
) -> tuple[str, ...]:
    """Return what a reader must know and what no number of the result says.

    That a crystal is unstable, a relaxation has not converged or a space group has
    changed stands in the result; the page and the screen say so from there.

    Parameters
    ----------
    found
        The crystals that were displaced.
    judged
        What was found.
    spectra
        As they stand in the result.
    """
    return (*_of_geometry(found, spectra), *_of_baselines(judged))


def _of_geometry(found: Prepared, spectra: Sequence[Spectrum]) -> Iterator[str]:
    if found.has_lost_reference:
        yield (
            "Each model was relaxed to its own geometry, for which there are no "
            "DFT forces, so there is no comparison with DFT. Leave --relax out to "
            "compare."
        )
    phonon = next(iter(found.phonons.values()))
    yield from symmetry_notices(phonon)
    yield from charge_doubts(phonon)
    if phonon.nac_params is None and len(set(phonon.primitive.numbers)) > 1:
        yield (
            "No Born charges: longitudinal and transverse optic modes are not "
            "split at Γ. For an insulator, give them with --born."
        )
    for one in spectra:
        if not found.relaxations and (one.residual_force or 0.0) > LARGE_RESIDUAL:
            yield (
                f"Under {one.title} atoms of the undisplaced crystal feel up to "
                f"{one.residual_force:.2g} eV/Å: it is not at rest there. These forces "
                "are taken off; phonons are those at this geometry."
            )


def _of_baselines(judged: Judged) -> Iterator[str]:
    rows = {row.baseline for row in judged.errors}
    if judged.errors and "global scalar" not in rows:
        yield (
            "The baseline with the factor of other materials is missing: the "
            "factor of this base is unknown. Give it with --global-factor."
        )


def conductivity_record(found: Conductivity, crystal: Anharmonic) -> ConductivityRecord:
    """Return a conductivity with its settings as it is kept on disk.

    Parameters
    ----------
    found
        The conductivity.
    crystal
        What it was computed from.
    """
    minimum = float(found.frequencies.min())
    note = "relaxation-time approximation, three-phonon scattering"
    if minimum < -UNSTABLE:
        note += (
            f"; the crystal is unstable ({minimum:.2f} THz), and modes with imaginary "
            "frequencies were left out: this is no conductivity of a crystal"
        )
    note = "; ".join([note, *map(_as_clause, symmetry_notices(crystal.phonons))])
    return ConductivityRecord(
        temperatures=tuple(found.temperatures.tolist()),
        conductivity=_rows(found.conductivity),
        mesh=found.mesh,
        n_supercells=crystal.n_supercells,
        n_atoms_supercell=len(crystal.phonons.supercell),
        mode_frequencies=_rows(found.frequencies),
        mode_conductivity=_rows(found.mode_conductivity),
        q_weights=tuple(found.q_weights.tolist()),
        solver=crystal.solver,
        displacement=crystal.distance,
        pair_cutoff=crystal.cutoff,
        has_isotopes=found.has_isotopes,
        has_charges=crystal.phonons.nac_params is not None,
        minimum=minimum,
        residual_force=crystal.residual,
        note=note,
    )


def _as_clause(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:].rstrip(".")


def _rows(array: Float[np.ndarray, "rows columns"]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in array.tolist())


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConductivityErrors:
    """How a conductivity at 300 K compares with a reference.

    Parameters
    ----------
    relative
        Difference over the reference's, signed.
    sre, srme
        See :mod:`atomgraft.metrics.conductivity`.
    """

    relative: float
    sre: float
    srme: float


def compare_conductivities(
    found: ConductivityRecord, reference: ConductivityRecord
) -> ConductivityErrors:
    """Compare mode conductivities at 300 K, like with like.

    A crystal that is unstable on one side has the worst SRE and SRME, 2, as in the
    article that defines them.

    Parameters
    ----------
    found, reference
        On one mesh, of one crystal, with the same scattering.

    Raises
    ------
    BadInputError
        They are of different meshes, crystals or scattering.
    """
    _refuse_unlike(found, reference)
    modes = np.array(found.mode_conductivity)
    theirs = np.array(reference.mode_conductivity)
    relative = float(modes.sum() / theirs.sum() - 1)
    if any((one.minimum or 0.0) < -UNSTABLE for one in (found, reference)):
        return ConductivityErrors(relative=relative, sre=WORST, srme=WORST)
    return ConductivityErrors(
        relative=relative,
        sre=symmetric_relative_error(float(modes.sum()), float(theirs.sum())),
        srme=symmetric_relative_mean_error(modes, theirs),
    )


def _refuse_unlike(found: ConductivityRecord, reference: ConductivityRecord) -> None:
    shapes = [np.shape(one.mode_conductivity) for one in (found, reference)]
    settings = [
        (one.mesh, one.has_isotopes, one.has_charges, one.n_atoms_supercell)
        for one in (found, reference)
    ]
    if shapes[0] != shapes[1] or settings[0] != settings[1]:
        raise BadInputError(
            "Two conductivities are on meshes "
            f"{' and '.join(str(one.mesh) for one in (found, reference))} with "
            f"{' and '.join(str(shape) for shape in shapes)} modes, from supercells of "
            f"{found.n_atoms_supercell} and {reference.n_atoms_supercell} atoms.",
            "Modes are compared one by one and need the same crystal, mesh, "
            "supercell, charges and scattering.",
            "Compute both with the same settings.",
        )


def expansion_record(
    found: Quasiharmonic, settings: QuasiharmonicSettings
) -> ExpansionRecord:
    """Return thermal expansion with its settings as it is kept on disk.

    Parameters
    ----------
    found
        The expansion.
    settings
        What it was computed with.
    """
    over = found.equilibrium
    return ExpansionRecord(
        volumes=tuple(found.volumes.tolist()),
        temperatures=tuple(over.temperatures.tolist()),
        equilibrium_volumes=tuple(over.volumes.tolist()),
        expansion=tuple((over.expansion * 1e6).tolist()),
        bulk_modulus=tuple(over.bulk_modulus.tolist()),
        heat_capacity=tuple(over.heat_capacity.tolist()),
        energies=tuple(found.energies.tolist()),
        static_volume=found.static_volume,
        dropped_volumes=tuple(found.dropped_volumes.tolist()),
        mesh=settings.mesh,
        n_atoms_supercell=found.n_atoms_supercell,
        shape=found.shape,
        note=" ".join(found.notices),
    )
