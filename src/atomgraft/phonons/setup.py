"""Crystals and models made ready: loaded, relaxed, displaced; what is kept of them."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float, Int

from atomgraft.core.errors import BadInputError
from atomgraft.core.progress import Progress
from atomgraft.core.provenance import package_versions
from atomgraft.core.trust import Trust
from atomgraft.data.phonopy_units import ANGSTROM_EV
from atomgraft.lattice.charges import charge_doubts, put_charges, read_born
from atomgraft.lattice.harmonic import SYMMETRISATIONS
from atomgraft.lattice.relaxation import FMAX, Relaxation, refuse_other_group, relax
from atomgraft.lattice.supercells import all_displacements, prepare, supercell_by_length
from atomgraft.lattice.symmetry import named_group, symmetry_notices
from atomgraft.models.base import AbstractPotential
from atomgraft.phonons.crystals import Crystal
from atomgraft.phonons.judge import Judged
from atomgraft.phonons.record import (
    REFERENCE,
    Matrix,
    PhononSettings,
    RelaxationRecord,
    Spectrum,
)
from atomgraft.phonons.spec import PhononSpec
from atomgraft.run.inputs import load_base

if TYPE_CHECKING:
    from atomgraft.lattice.supercells import Phonopy


BASE, ADAPTED = "base", "adapted"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared:
    """Crystals ready to be displaced, one for each contestant.

    Parameters
    ----------
    phonons
        With displacements and charges, by contestant.
    relaxations
        How each came to its geometry; empty where none was relaxed.
    crystal
        What was read; without its reference where that cannot be compared with.
    has_lost_reference
        There was one, and each model was relaxed to a geometry of its own.
    """

    phonons: Mapping[str, "Phonopy"]
    relaxations: Mapping[str, Relaxation]
    crystal: Crystal
    has_lost_reference: bool = False


def load_contestants(
    spec: PhononSpec,
    device: torch.device,
    *,
    trust: Trust,
    bases: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, AbstractPotential]:
    """Load the models: the first is the base, a second one is called adapted.

    Parameters
    ----------
    spec
        Names of models and the precision.
    device
        Where they run.
    trust
        Which checkpoints may run code.
    bases
        Where the bases of run folders are, by folder, if they were moved.

    Raises
    ------
    BadInputError
        One cannot be loaded.
    """
    dtype = getattr(torch, spec.dtype)
    loaded = [
        load_base(
            name,
            head=spec.head,
            base=bases.get(name),
            trust=trust,
            kernels=spec.kernels,
        )
        for name in spec.models
    ]
    names = [BASE, ADAPTED][: len(loaded)] if len(loaded) < 3 else [BASE]
    names += [f"model-{i}" for i in range(len(names) + 1, len(loaded) + 1)]
    return {
        name: one.clone(dtype=dtype, device=device)
        for name, one in zip(names, loaded, strict=True)
    }


def prepared(
    spec: PhononSpec,
    crystal: Crystal,
    models: Mapping[str, AbstractPotential],
    progress: Progress | None = None,
) -> Prepared:
    """Bring the crystal to its geometry under each model, and displace it.

    Parameters
    ----------
    spec
        Whether it is relaxed, and which supercell.
    crystal
        What was read.
    models
        By contestant.
    progress
        Called before every relaxation.

    Raises
    ------
    BadInputError
        The relaxation changes the space group, or the supercell is too large.
    """
    reference = crystal.reference
    if reference is not None and spec.relax is not True:
        _refuse_supercell(spec)
        return Prepared(
            phonons=dict.fromkeys(models, reference.phonon),
            relaxations={},
            crystal=crystal,
        )
    if spec.relax is False or spec.labels:  # labels belong to this geometry
        return Prepared(
            phonons=dict.fromkeys(models, _displaced(spec, crystal, crystal.atoms)),
            relaxations={},
            crystal=dataclasses.replace(crystal, reference=None),
        )
    relaxations: dict[str, Relaxation] = {}
    for i, (name, potential) in enumerate(models.items()):
        if progress is not None:
            progress(f"{name}: relaxing {crystal.name}", i, len(models))
        relaxations[name] = relax(crystal.atoms, potential)
        refuse_other_group(relaxations[name], crystal.name)
    return Prepared(
        phonons={
            name: _displaced(spec, crystal, one.atoms)
            for name, one in relaxations.items()
        },
        relaxations=relaxations,
        crystal=dataclasses.replace(crystal, reference=None),
        has_lost_reference=reference is not None,
    )


def _refuse_supercell(spec: PhononSpec) -> None:
    if spec.supercell is not None:
        raise BadInputError(
            f"A supercell was given, but {spec.crystal} defines its own.",
            "Models are evaluated on exactly the supercells of the reference.",
            "Leave --supercell out, or give only the structure.",
        )


def _displaced(spec: PhononSpec, crystal: Crystal, atoms: Atoms) -> "Phonopy":
    """Return the displaced crystal; that of a reference in its supercell."""
    known = crystal.reference
    moments = crystal.atoms.get_initial_magnetic_moments()
    if moments.any():  # a relaxation under a model knows of none
        atoms = atoms.copy()
        atoms.set_initial_magnetic_moments(None)
        atoms.set_initial_magnetic_moments(moments)
    phonon = prepare(
        atoms,
        supercell=_supercell(spec, crystal),
        primitive="auto" if known is None else known.phonon.primitive_matrix,
        distance=spec.distance,
        symprec=spec.symprec,
    )
    if spec.born is not None:
        units = ANGSTROM_EV if known is None else known.sets.units
        put_charges(phonon, read_born(phonon, Path(spec.born), units), spec.born)
    elif known is not None:
        phonon.nac_params = known.phonon.nac_params
    return phonon


def _supercell(spec: PhononSpec, crystal: Crystal) -> Int[np.ndarray, "3 3"]:
    if spec.supercell is not None:
        return np.array(spec.supercell)
    if crystal.reference is not None:
        return np.asarray(crystal.reference.phonon.supercell_matrix).T
    return supercell_by_length(crystal.atoms, spec.length)


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
