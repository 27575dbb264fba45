"""Thermal expansion, and thermal conductivity against DFT."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from atomgraft.core.errors import BadInputError
from atomgraft.core.progress import Progress, counting
from atomgraft.data.phonopy_files import to_ase
from atomgraft.lattice.conductivity import conductivity_of
from atomgraft.lattice.quasiharmonic import QuasiharmonicSettings, quasiharmonic
from atomgraft.lattice.supercells import supercell_by_length
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
from atomgraft.models.base import AbstractPotential
from atomgraft.phonons.judge import Judged
from atomgraft.phonons.record import (
    REFERENCE,
    ConductivityRecord,
    ExpansionRecord,
    PhononErrors,
    PhononResult,
)
from atomgraft.phonons.records import (
    compare_conductivities,
    conductivity_record,
    expansion_record,
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
