"""Loading, relaxing and displacing crystals."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Int

from atomgraft.core.errors import BadInputError
from atomgraft.core.progress import Progress
from atomgraft.core.trust import Trust
from atomgraft.data.phonopy_units import ANGSTROM_EV
from atomgraft.lattice.charges import put_charges, read_born
from atomgraft.lattice.relaxation import Relaxation, refuse_other_group, relax
from atomgraft.lattice.supercells import prepare, supercell_by_length
from atomgraft.models.base import AbstractPotential
from atomgraft.phonons.crystals import Crystal
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
    if spec.relax is False:
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
