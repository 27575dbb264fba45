"""Thermal expansion, and thermal conductivity against DFT."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.core.progress import Progress, counting
from atomgraft.data.phonopy_files import to_ase
from atomgraft.lattice.conductivity import UNSTABLE, Conductivity, conductivity_of
from atomgraft.lattice.quasiharmonic import (
    Quasiharmonic,
    QuasiharmonicSettings,
    quasiharmonic,
)
from atomgraft.lattice.supercells import supercell_by_length
from atomgraft.lattice.symmetry import symmetry_notices
from atomgraft.lattice.third_order import (
    Anharmonic,
    ThirdOrderSettings,
    anharmonic_of,
)
from atomgraft.lattice.third_order_reference import (
    ThirdOrderReference,
    anharmonic_on_reference,
    read_third_order,
)
from atomgraft.metrics.phonons import (
    WORST,
    symmetric_relative_error,
    symmetric_relative_mean_error,
)
from atomgraft.models.base import AbstractPotential
from atomgraft.phonons.judge import Judged
from atomgraft.phonons.record import (
    REFERENCE,
    ConductivityRecord,
    ExpansionRecord,
    PhononErrors,
    PhononResult,
)
from atomgraft.phonons.setup import Prepared
from atomgraft.phonons.spec import PhononSpec

THIRD_ORDER_LENGTH = 10.0
"""Å between opposite faces of the supercells of third order: there are many."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Heated:
    """What is heated: the crystal, the models and what is known of its phonons.

    Parameters
    ----------
    spec
        What is asked.
    found
        The crystals that were displaced.
    judged
        Their force constants.
    models
        By contestant.
    progress
        Called with what is done, steps done and steps in all.
    """

    spec: PhononSpec
    found: Prepared
    judged: Judged
    models: Mapping[str, AbstractPotential]
    progress: Progress | None = None


def with_heat(result: PhononResult, heated: Heated) -> PhononResult:
    """Add thermal expansion and conductivity to a result, where they are wanted.

    Parameters
    ----------
    result
        Of the harmonic crystal.
    heated
        The crystal and its models.

    Raises
    ------
    BadInputError
        There are too many displaced supercells of third order.
    """
    spec = heated.spec
    expansions, notices = _expansions(heated) if spec.expansion else ({}, ())
    conducted = _conductivities(heated) if spec.conductivity else {}
    spectra = tuple(
        one.model_copy(
            update={
                "expansion": expansions.get(one.contestant),
                "conductivity": conducted.get(one.contestant),
            }
        )
        for one in result.spectra
    )
    errors = tuple(_with_conductivity(row, conducted) for row in result.errors)
    return result.model_copy(
        update={
            "spectra": spectra,
            "errors": errors,
            "notices": (*result.notices, *notices),
        }
    )


def _expansions(
    heated: Heated,
) -> tuple[dict[str, ExpansionRecord], tuple[str, ...]]:
    """Expand the crystal under every model; say where one cannot be expanded."""
    found: dict[str, ExpansionRecord] = {}
    notices: list[str] = []
    for name, potential in heated.models.items():
        phonon = heated.found.phonons[name]
        settings = QuasiharmonicSettings(
            supercell=np.asarray(phonon.supercell_matrix).T,
            primitive=np.asarray(phonon.primitive_matrix),
            mesh=heated.spec.mesh,
        )
        try:
            expanded = quasiharmonic(
                potential,
                to_ase(phonon.unitcell),
                settings,
                max_atoms=heated.spec.max_atoms,
                progress=counting(
                    heated.progress, f"{name}: phonons at several volumes"
                ),
            )
        except BadInputError as error:
            notices.append(f"No thermal expansion under {name}: {error.came}")
        else:
            found[name] = expansion_record(expanded, settings)
    return found, tuple(notices)


def _conductivities(heated: Heated) -> dict[str, ConductivityRecord]:
    """Compute conductivities; on supercells of the reference if it has third order."""
    spec = heated.spec
    known = _third_order(heated)
    found: dict[str, ConductivityRecord] = {}
    if known is not None:
        found[REFERENCE] = _record(spec, known.anharmonic)
    for name, potential in heated.models.items():
        found[name] = _record(spec, _anharmonic(heated, name, potential, known))
    return found


def _third_order(heated: Heated) -> ThirdOrderReference | None:
    """Return the reference's third order, or none where it is a phonopy file."""
    if heated.found.crystal.reference is None or not heated.found.crystal.is_phono3py:
        return None
    spec = heated.spec
    return read_third_order(
        spec.crystal,
        outputs=spec.outputs,
        born=None if spec.born is None else Path(spec.born),
        symprec=spec.symprec,
    )


def _anharmonic(
    heated: Heated,
    name: str,
    potential: AbstractPotential,
    known: ThirdOrderReference | None,
) -> Anharmonic:
    room = heated.spec.max_atoms
    count = counting(heated.progress, f"{name}: third-order force constants")
    if known is not None:
        return anharmonic_on_reference(potential, known, max_atoms=room, progress=count)
    cell = to_ase(heated.found.phonons[name].unitcell)
    settings = ThirdOrderSettings(
        supercell=supercell_by_length(cell, THIRD_ORDER_LENGTH),
        cutoff=heated.spec.pair_cutoff,
    )
    return anharmonic_of(
        potential,
        heated.judged.harmonics[name],
        settings,
        max_atoms=room,
        progress=count,
    )


def _record(spec: PhononSpec, crystal: Anharmonic) -> ConductivityRecord:
    return conductivity_record(
        conductivity_of(crystal, spec.conductivity_mesh), crystal
    )


def _with_conductivity(
    row: PhononErrors, conducted: Mapping[str, ConductivityRecord]
) -> PhononErrors:
    """Add the errors of the conductivity to a model's row; baselines have none."""
    mine, true = conducted.get(row.contestant), conducted.get(REFERENCE)
    if row.baseline is not None or mine is None or true is None:
        return row
    errors = compare_conductivities(mine, true)
    return row.model_copy(
        update={"conductivity_error": errors.relative, "srme": errors.srme}
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
