"""Heat as it is kept on disk, and how two conductivities compare."""

import dataclasses

import numpy as np
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.lattice.conductivity import UNSTABLE, Conductivity
from atomgraft.lattice.quasiharmonic import Quasiharmonic, QuasiharmonicSettings
from atomgraft.lattice.symmetry import symmetry_notices
from atomgraft.lattice.third_order import Anharmonic
from atomgraft.metrics.conductivity import (
    WORST,
    symmetric_relative_error,
    symmetric_relative_mean_error,
)
from atomgraft.phonons.record import ConductivityRecord, ExpansionRecord


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
            "Modes are compared one by one: same crystal, mesh, supercell, charges and "
            "scattering.",
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
