"""What a phonon calculation says of itself: settings pinned, notices, relaxations."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from atomgraft.core.provenance import package_versions
from atomgraft.lattice.charges import charge_doubts
from atomgraft.lattice.harmonic import SYMMETRISATIONS
from atomgraft.lattice.relaxation import FMAX, Relaxation
from atomgraft.lattice.supercells import all_displacements
from atomgraft.lattice.symmetry import named_group, symmetry_notices
from atomgraft.phonons.judge import Judged
from atomgraft.phonons.record import (
    REFERENCE,
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
            "Each model was relaxed to a geometry of its own, where the forces of DFT "
            "do not apply: nothing is compared with DFT. Leave --relax out for that."
        )
    phonon = next(iter(found.phonons.values()))
    yield from symmetry_notices(phonon)
    yield from charge_doubts(phonon)
    if phonon.nac_params is None and len(set(phonon.primitive.numbers)) > 1:
        yield (
            "No Born charges: longitudinal and transverse optic modes are not split at "
            "Γ. Give them with --born where the crystal is an insulator."
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
            "The baseline of one number from other materials is missing: this base has "
            "not been measured. Give the number with --global-factor."
        )
