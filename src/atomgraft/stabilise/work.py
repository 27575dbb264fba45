"""A descent from crystal to record, resumable."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import examine, held
from atomgraft.core.progress import Progress
from atomgraft.core.provenance import now
from atomgraft.core.specs import changes, listed
from atomgraft.core.storage import is_file
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.data.labels import structures_fingerprint
from atomgraft.lattice.forces import require_known
from atomgraft.lattice.supercells import prepare
from atomgraft.models.base import AbstractPotential
from atomgraft.phonons.crystals import Crystal, read_crystal
from atomgraft.run.folders import inputs_of
from atomgraft.run.inputs import base_card, load_base
from atomgraft.run.record import Provenance
from atomgraft.stabilise.daughters import (
    AMPLITUDES,
    SAME_DISTANCE,
    SAME_ENERGY,
    SYMPRECS,
)
from atomgraft.stabilise.descent import (
    GRID_LENGTH,
    DescentPlan,
    boundary_supercell,
    daughters_length,
    descend,
)
from atomgraft.stabilise.engine import RememberingEngine
from atomgraft.stabilise.record import (
    STABILISE,
    StabiliseResult,
    StabiliseSettings,
)
from atomgraft.stabilise.spec import StabiliseSpec
from atomgraft.stabilise.tree import (
    Tree,
    crystal_records,
    headline,
    matrix_of,
    notices_of,
    step_records,
    write_structures,
)
from atomgraft.study.sessions import Clock, provenance
from atomgraft.training.devices import DeviceName, resolve_device

if TYPE_CHECKING:
    from atomgraft.lattice.supercells import Phonopy


def stabilise(
    spec: StabiliseSpec,
    folder: Path,
    *,
    device: DeviceName = "auto",
    trust: Trust = NO_TRUST,
    progress: Progress | None = None,
) -> StabiliseResult:
    """Follow the imaginary modes of a crystal; go on where an earlier call stopped.

    Parameters
    ----------
    spec
        What is asked.
    folder
        Where tree, structures and everything computed go; made if it is not there.
    device
        Where the model runs.
    trust
        Which checkpoints may run code.
    progress
        Called with what is done, steps done and steps in all (0: unknown).

    Raises
    ------
    BadInputError
        Something cannot be used as it is, or the folder holds another tree.
    AtomgraftError
        The first crystal fell apart.
    """
    import torch

    clock = Clock(started=now(), counter=time.perf_counter())
    read = inputs_of(spec)
    examine(folder, "stabilise", inputs=read)
    crystal = read_crystal(spec.crystal)
    base = load_base(spec.model, head=spec.head, trust=trust, kernels=spec.kernels)
    weights = base.weights_hash()
    place = resolve_device(device)
    potential = base.clone(dtype=getattr(torch, spec.dtype), device=place)
    require_known(potential, [crystal.atoms])
    phonon_of = _displacer(spec, crystal)
    phonon = phonon_of(crystal.atoms)
    identity = spec.identity(
        structures_fingerprint([crystal.atoms]),
        str(np.asarray(phonon.supercell_matrix).tolist()),
        weights,
    )
    result = StabiliseResult(
        name=crystal.name,
        formula=crystal.atoms.get_chemical_formula("metal", empirical=True),
        finished=False,
        identity=identity,
        model=base_card(base, weights),
        settings=_settings(spec, phonon),
    )
    if (done := _finished(folder, result)) is not None:
        return done
    with held(folder, "stabilise", inputs=read):
        writer = _Writer(folder, result, clock, potential, progress)
        engine = RememberingEngine(
            potential=potential,
            folder=folder,
            identity=weights,
            fmax=spec.fmax,
            max_steps=spec.max_steps,
            max_atoms=spec.max_atoms,
            progress=writer.on_supercells,
        )
        plan = DescentPlan(
            depth=spec.depth,
            max_daughters=spec.max_daughters,
            threshold=spec.threshold,
            length=spec.length,
        )
        tree = descend(
            crystal.atoms, engine, plan, phonon_of=phonon_of, report=writer.on_step
        )
        return writer.finish(tree)


def _displacer(spec: StabiliseSpec, crystal: Crystal) -> Callable[[Atoms], "Phonopy"]:
    """Return how the first crystal gets its displacements."""
    known = crystal.reference
    if spec.supercell is not None:
        supercell = np.array(spec.supercell)
    elif known is not None and spec.length is None:
        supercell = np.asarray(known.phonon.supercell_matrix).T
    else:
        supercell = boundary_supercell(crystal.atoms, spec.length or GRID_LENGTH)

    def displaced(atoms: Atoms) -> "Phonopy":
        return prepare(
            atoms,
            supercell=supercell,
            primitive="auto" if known is None else known.phonon.primitive_matrix,
            distance=spec.distance,
        )

    return displaced


def _settings(spec: StabiliseSpec, phonon: "Phonopy") -> StabiliseSettings:
    return StabiliseSettings(
        depth=spec.depth,
        max_daughters=spec.max_daughters,
        threshold=spec.threshold,
        supercell=matrix_of(np.rint(np.asarray(phonon.supercell_matrix).T)),
        length=daughters_length(phonon, spec.length),
        fmax=spec.fmax,
        max_steps=spec.max_steps,
        displacement=spec.distance,
        amplitudes=AMPLITUDES,
        symprecs=SYMPRECS,
        same_energy=SAME_ENERGY,
        same_distance=SAME_DISTANCE,
        dtype=spec.dtype,
    )


def _finished(folder: Path, asked: StabiliseResult) -> StabiliseResult | None:
    """Return a finished tree of the same question, or refuse to overwrite another.

    Raises
    ------
    BadInputError
        The folder holds another tree.
    """
    if not is_file(folder / STABILISE.file):
        return None
    stored = STABILISE.read(folder)
    if stored.identity != asked.identity:
        shown = {"formula", "model", "settings"}
        differing = changes(
            *(one.model_dump(mode="json", include=shown) for one in (stored, asked))
        )
        what = listed(differing) if differing else "the crystal has another geometry"
        raise BadInputError(
            f"{folder} holds the tree of another crystal, model or setting: {what}.",
            "A folder holds one tree.",
            "Choose another folder with --out, or remove this one.",
        )
    return stored if stored.finished else None


class _Writer:
    """Keeps the file on disk up with the tree."""

    def __init__(
        self,
        folder: Path,
        result: StabiliseResult,
        clock: Clock,
        potential: AbstractPotential,
        progress: Progress | None,
    ) -> None:
        self.folder, self.result, self.clock = folder, result, clock
        self.potential, self.progress = potential, progress
        self.earlier = self._earlier()
        self.doing, self.n_written = "", 0

    def _earlier(self) -> tuple[Provenance, ...]:
        if not is_file(self.folder / STABILISE.file):
            return ()
        return STABILISE.read(self.folder).provenance

    def on_step(self, tree: Tree, what: str) -> None:
        """Show what comes next, and write what there is where it has grown."""
        self.doing = what
        if self.progress is not None:
            self.progress(what, 0, 0)
        if len(tree.crystals) > self.n_written:
            self.n_written = len(tree.crystals)
            self._write(tree, finished=False)

    def on_supercells(self, done: int, total: int) -> None:
        """Show how many supercells have their forces."""
        if self.progress is not None:
            self.progress(self.doing, done, total)

    def finish(self, tree: Tree) -> StabiliseResult:
        """Write the whole tree."""
        write_structures(self.folder, tree)
        return self._write(tree, finished=True)

    def _write(self, tree: Tree, *, finished: bool) -> StabiliseResult:
        dtype = str(self.potential.dtype).removeprefix("torch.")
        session = provenance(
            "stabilise",
            self.clock,
            self.potential.device,
            dtype,
            self.potential.kernels,
        )
        result = self.result.model_copy(
            update={
                "finished": finished,
                "crystals": crystal_records(tree),
                "steps": step_records(tree),
                "provenance": (*self.earlier, session),
            }
        )
        result = result.model_copy(
            update={"headline": headline(result), "notices": notices_of(result)}
        )
        STABILISE.write(self.folder, result)
        return result
