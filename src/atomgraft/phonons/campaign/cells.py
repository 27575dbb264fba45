"""The cells of a campaign: adapt, evaluate one material, scale the base."""

import dataclasses
import io
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float

from atomgraft.compare import cell as compared_cell
from atomgraft.core.environments import python_for
from atomgraft.core.errors import BadInputError, StorageError
from atomgraft.core.outputs import held
from atomgraft.core.reading import read_text
from atomgraft.core.storage import (
    is_file,
    is_folder,
    write_atomically,
)
from atomgraft.core.trust import Trust
from atomgraft.data.exact_files import write_exactly
from atomgraft.data.readers import read_structures
from atomgraft.lattice.harmonic import (
    Harmonic,
    compact_constants,
    scaled,
    with_constants,
    with_forces,
)
from atomgraft.lattice.posterior import (
    Labels,
    at_rest_directions,
    combined,
    labels_alone,
)
from atomgraft.lattice.spectra import MeshFrequencies, mesh_frequencies
from atomgraft.lattice.supercells import all_displacements
from atomgraft.lattice.symmetric_basis import SymmetricBasis, symmetric_basis
from atomgraft.models.base import AbstractPotential
from atomgraft.models.memory import keep_freed_buffers
from atomgraft.phonons.campaign.pseudo_labels import completed, pseudo_labelled
from atomgraft.phonons.campaign.record import (
    COMBINED,
    COMPLETED,
    LABELS_ALONE,
    OF_LABELS,
)
from atomgraft.phonons.crystals import Crystal, read_crystal
from atomgraft.phonons.judge import Compared, Judged, Question, errors_of, judge_crystal
from atomgraft.phonons.record import REFERENCE, PhononErrors
from atomgraft.phonons.setup import ADAPTED, BASE, prepared
from atomgraft.phonons.spec import PhononSpec
from atomgraft.phonons.work import phonons_of
from atomgraft.run.inputs import load_base, merged_run
from atomgraft.study.processes import call_elsewhere
from atomgraft.training.devices import DeviceName, resolve_device

if TYPE_CHECKING:
    from atomgraft.lattice.reference import PhononReference

FORCES = "forces.npy"
"""What the base makes of the displaced supercells, kept to be scaled."""

PSEUDO_LABELS = "pseudo_labels.extxyz"
"""What the supercells without labels train on."""

OWNER = "identity"
"""Which cell the run in its folder was made for."""

Document = dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainPayload:
    """Input of an adaptation for a worker.

    Parameters
    ----------
    cell
        Fields of :class:`atomgraft.compare.cell.CellPayload`.
    identity
        Of the cell: hash of everything that changes its numbers.
    pseudo
        Fields of :class:`PseudoPayload`; none trains on labels alone.
    """

    cell: Document
    identity: str
    pseudo: Document | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class PseudoPayload:
    """What the supercells without labels train on.

    Parameters
    ----------
    supercells
        File of all displaced supercells of the material.
    labelled
        Numbers of those whose labels are used.
    base
        Folder of the cell that judged the base.
    """

    supercells: str
    labelled: tuple[int, ...]
    base: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgePayload:
    """Input of the evaluation of one material for a worker.

    Parameters
    ----------
    spec
        Of its vibrations, as :class:`PhononSpec` holds it.
    run
        Folder of the adaptation; none judges the base.
    framework
        Of the base: decides which Python runs it.
    device
        Where the model runs.
    trust
        Which checkpoints may run code.
    """

    spec: Document
    run: str | None
    framework: str
    device: DeviceName
    trust: Trust


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScalePayload:
    """Input of the scaling of the base's force constants for a worker.

    Parameters
    ----------
    spec
        Of the vibrations, as :class:`PhononSpec` holds it.
    base
        Folder of the cell that judged the base.
    factors
        By contestant.
    supercells
        File of all displaced supercells of the material, where there are labels.
    labelled
        By seed: numbers of those whose labels a recipe is given.
    """

    spec: Document
    base: str
    factors: dict[str, float]
    supercells: str = ""
    labelled: tuple[tuple[int, tuple[int, ...]], ...] = ()


def do_cell(folder: Path, payload: Document) -> Document:
    """Do a cell of any kind.

    Parameters
    ----------
    folder
        Of the cell.
    payload
        ``kind`` is ``train``, ``judge``, ``scale`` or ``detail``; ``told`` are the
        fields of its payload.

    Raises
    ------
    BadInputError
        The run cannot be made, or the crystal cannot be read or displaced.
    NonFiniteTrainingError
        Training diverged.
    MissingExtraError
        The framework is neither here nor in an environment that is kept.
    """
    kinds: dict[str, Callable[[Path, Document], Document]] = {
        "train": train,
        "judge": judge_where_possible,
        "detail": detail_where_possible,
        "scale": scale,
    }
    return kinds[payload["kind"]](folder, payload["told"])


def train(folder: Path, told: Document) -> Document:
    """Adapt, and measure what was forgotten.

    A run that was made of other labels, such as forces that were computed anew, is
    thrown away; one that was interrupted goes on.

    Parameters
    ----------
    folder
        Of the cell.
    told
        Fields of :class:`TrainPayload`.

    Returns
    -------
    :
        The row of :func:`atomgraft.compare.cell.row_of`, and how many
        supercells had pseudo-labels.

    Raises
    ------
    StorageError
        The base's forces are gone.
    """
    payload = TrainPayload(**told)
    marker, run = folder / OWNER, folder / compared_cell.RUN
    owner = read_text(marker).strip() if is_file(marker) else None
    if owner != payload.identity and is_folder(run):
        with held(run, "adapt", fresh=True):
            pass  # a run of other labels
    write_atomically(marker, payload.identity + "\n")
    cell, n_pseudo = payload.cell, 0
    if payload.pseudo is not None:
        file = folder / PSEUDO_LABELS
        n_pseudo = _write_pseudo_labels(file, PseudoPayload(**payload.pseudo))
        files = [*cell["run"]["train"], str(file)]
        # labels are few, and pseudo-labels say nothing of which weights are best
        run_spec = {**cell["run"], "train": files, "validation_fraction": 0.0}
        cell = {**cell, "run": run_spec}
    row = compared_cell.do_cell(folder, cell)
    return {**row, "n_pseudo": n_pseudo, "n_threads": torch.get_num_threads()}


def _write_pseudo_labels(file: Path, told: PseudoPayload) -> int:
    """Write what supercells without labels train on; return how many they are."""
    frames = read_structures([told.supercells])
    found = pseudo_labelled(frames, _forces_of_base(told.base), told.labelled)
    write_exactly(file, found)
    return len(frames) - len(told.labelled)


def _forces_of_base(folder: str) -> Float[np.ndarray, "frames atoms 3"]:
    """Read what the base makes of the displaced supercells, eV/Å."""
    path = Path(folder) / FORCES
    if not is_file(path):
        raise StorageError(
            f"{path} is gone.",
            "The forces of the base are needed for scaling.",
            f"Remove {folder} and run the same command again.",
        )
    return np.load(path, allow_pickle=False)


def judge_where_possible(folder: Path, told: Document) -> Document:
    """Judge a material here, or where the framework of the base is.

    Parameters
    ----------
    folder
        Of the cell.
    told
        Fields of :class:`JudgePayload`.
    """
    return _where_possible("judge", folder, told)


def detail_where_possible(folder: Path, told: Document) -> Document:
    """Compute bands here, or where the framework of the base is.

    Parameters
    ----------
    folder
        Of the cell.
    told
        Fields of :class:`JudgePayload`.
    """
    return _where_possible("detail", folder, told)


def _where_possible(kind: str, folder: Path, told: Document) -> Document:
    request = {"kind": kind, "folder": str(folder), "told": told}
    python = python_for(told["framework"])
    if python == Path(sys.executable):
        return do_requested(request)
    place = "phonons.campaign.cells:do_requested"
    return call_elsewhere(python, place, request, n_threads=torch.get_num_threads())


def do_requested(request: Document) -> Document:
    """Do a cell with a model, here or for another environment.

    Parameters
    ----------
    request
        ``kind``, ``folder`` and ``told``.
    """
    kinds = {"judge": judge, "detail": detail}
    return kinds[request["kind"]](Path(request["folder"]), request["told"])


def judge(folder: Path, told: Document) -> Document:
    """Compute the vibrations of a material under one model, beside the reference.

    Parameters
    ----------
    folder
        Of the cell.
    told
        Fields of :class:`JudgePayload`.

    Returns
    -------
    :
        ``row`` with numbers, and what the base needs to be scaled with.

    Raises
    ------
    BadInputError
        The crystal cannot be read or displaced, or its group changes as it relaxes.
    """
    keep_freed_buffers()
    payload = JudgePayload(**told)
    spec = PhononSpec.model_validate(payload.spec)
    crystal = read_crystal(spec.crystal, symprec=spec.symprec)
    name = BASE if payload.run is None else ADAPTED
    potential = _model(payload, spec, name)
    started = time.perf_counter()
    found = prepared(spec, crystal, {name: potential})
    reference = found.crystal.reference
    judged = judge_crystal(
        {name: potential},
        found.phonons,
        _question(spec),
        reference=None if reference is None else reference.harmonic,
    )
    seconds = time.perf_counter() - started
    if payload.run is None and reference is not None:
        content = io.BytesIO()
        np.save(content, judged.harmonics[name].forces)
        write_atomically(folder / FORCES, content.getvalue())
    row = _row(judged, name)
    return {
        "row": {**row, "seconds": seconds, "n_threads": torch.get_num_threads()},
        "own_factor": judged.own_factor,
    }


def _model(payload: JudgePayload, spec: PhononSpec, name: str) -> AbstractPotential:
    """Load the base or what was made of it, in float64."""
    if name == BASE:
        found = load_base(
            spec.models[0], head=spec.head, trust=payload.trust, kernels=spec.kernels
        )
    else:
        found = merged_run(
            Path(payload.run or ""), trust=payload.trust, kernels=spec.kernels
        )
    return found.clone(dtype=torch.float64, device=resolve_device(payload.device))


def detail(_folder: Path, told: Document) -> Document:
    """Compute bands and heat of a material under base and adapted model, beside DFT.

    Parameters
    ----------
    _folder
        Of the cell; nothing is written there.
    told
        Fields of :class:`JudgePayload`.

    Returns
    -------
    :
        ``result``, a :class:`atomgraft.phonons.record.PhononResult`.
    """
    keep_freed_buffers()
    payload = JudgePayload(**told)
    spec = PhononSpec.model_validate(payload.spec)
    crystal = read_crystal(spec.crystal, symprec=spec.symprec)
    names = [BASE] if payload.run is None else [BASE, ADAPTED]
    models = {name: _model(payload, spec, name) for name in names}
    titles = {BASE: "Base", ADAPTED: "Adapted"}
    found, _ = phonons_of(spec, crystal, models, titles=titles)
    return {"result": found.model_dump(mode="json")}


def _question(spec: PhononSpec) -> Question:
    return Question(
        mesh=spec.mesh,
        threshold=spec.threshold,
        has_curves=False,
        max_atoms=spec.max_atoms,
    )


def _row(judged: Judged, name: str) -> Document:
    """Return the numbers of one contestant as a row of the campaign holds them."""
    spectra = {one.contestant: one for one in judged.spectra}
    own, reference = spectra[name], spectra.get(REFERENCE)
    row = {"minimum": own.minimum, "mean": own.mean, "is_stable": own.is_stable}
    if reference is None:
        return row
    errors = next(
        one for one in judged.errors if one.contestant == name and not one.baseline
    )
    return {
        **row,
        **_numbers(errors),
        "minimum_reference": reference.minimum,
        "mean_reference": reference.mean,
        "is_stable_reference": reference.is_stable,
    }


def _numbers(errors: PhononErrors) -> Document:
    return {
        "frequency_mae": errors.frequency_mae,
        "maximum_error": errors.maximum_error,
        "slope": errors.slope,
        "free_energy_error": errors.free_energy_error,
    }


def scale(folder: Path, told: Document) -> Document:
    """Judge the base's force constants times given numbers, and with labels.

    Parameters
    ----------
    folder
        Of the cell; nothing is written there.
    told
        Fields of :class:`ScalePayload`.

    Returns
    -------
    :
        ``rows`` with numbers, by contestant, and ``labelled`` by contestant and seed;
        the completed base is missing where labels do not say by what to multiply it.

    Raises
    ------
    StorageError
        The base's forces are gone.
    """
    payload = ScalePayload(**told)
    spec = PhononSpec.model_validate(payload.spec)
    forces = _forces_of_base(payload.base)
    reference = _reference(read_crystal(spec.crystal, symprec=spec.symprec))
    known = _compared(REFERENCE, reference.harmonic, spec)
    base = with_forces(reference.phonon, forces)
    rows: Document = {}
    for name, factor in payload.factors.items():
        one = _compared(name, scaled(base, factor), spec)
        rows[name] = {**_judged_row(one, known, spec), "factor": factor}
    done: Document = {name: {} for name in OF_LABELS}
    frames = read_structures([payload.supercells]) if payload.labelled else []
    worth = _Worth(reference=reference, base=base, forces=forces, frames=frames)
    for seed, chosen in payload.labelled:
        for name, (harmonic, factor) in worth.of(chosen):
            row = _judged_row(_compared(name, harmonic, spec), known, spec)
            more = {"n_labels": len(chosen), "seed": seed, "factor": factor}
            done[name][str(seed)] = {**row, **more}
    return {"rows": rows, "labelled": done}


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Worth:
    """What labels of one material are worth without training.

    Parameters
    ----------
    reference
        The material with all its supercells.
    base
        The base's force constants.
    forces
        The base's forces on all supercells, eV/Å.
    frames
        All supercells with their labels.
    """

    reference: "PhononReference"
    base: Harmonic
    forces: Float[np.ndarray, "frames atoms 3"]
    frames: Sequence[Atoms]

    def of(
        self, chosen: Sequence[int]
    ) -> Iterator[tuple[str, tuple[Harmonic, float | None]]]:
        """Yield contestants with their force constants and factors of the base."""
        phonon = self.reference.phonon
        found = completed(self.frames, self.forces, chosen)
        if found is not None:
            whole, factor = found
            yield COMPLETED, (with_forces(phonon, whole), factor)
        labels = Labels(
            displacements=all_displacements(phonon)[list(chosen)],
            forces=self.reference.sets.forces[list(chosen)],
            responses=self.forces[list(chosen)],
            at_rest=at_rest_directions(phonon),
        )
        try:
            basis = self._basis
            constants, _ = labels_alone(basis, labels)
            joined = combined(basis, compact_constants(self.base), labels)
        except BadInputError:  # too many force constants, or labels say nothing
            return
        yield LABELS_ALONE, (with_constants(self.base, constants), None)
        yield COMBINED, (with_constants(self.base, joined.constants()), joined.scale)

    @cached_property
    def _basis(self) -> SymmetricBasis:
        return symmetric_basis(self.reference.phonon)


def _judged_row(one: Compared, known: Compared, spec: PhononSpec) -> Document:
    errors = errors_of(one, known, spec.threshold, spec.mesh)
    return {
        **_numbers(errors),
        "is_stable": errors.is_stable,
        **_extent(one.mesh, ""),
        **_extent(known.mesh, "_reference"),
        "is_stable_reference": bool(known.mesh.frequencies.min() > -spec.threshold),
    }


def _reference(crystal: Crystal) -> "PhononReference":
    assert crystal.reference is not None  # only materials with one are scaled
    return crystal.reference


def _compared(name: str, harmonic: Harmonic, spec: PhononSpec) -> Compared:
    mesh = mesh_frequencies(harmonic, spec.mesh)
    return Compared(name=name, title=name, harmonic=harmonic, mesh=mesh)


def _extent(mesh: MeshFrequencies, ending: str) -> Mapping[str, float]:
    share = mesh.weights / mesh.weights.sum()
    return {
        f"minimum{ending}": float(mesh.frequencies.min()),
        f"mean{ending}": float(share @ mesh.frequencies.mean(axis=1)),
    }
