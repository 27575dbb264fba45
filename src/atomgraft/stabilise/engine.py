"""A potential with results stored on disk, so that a descent can be resumed."""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.json_files import read_json
from atomgraft.core.progress import Count
from atomgraft.core.properties import Property
from atomgraft.core.provenance import fingerprint
from atomgraft.core.storage import is_file, make_folder, write_atomically
from atomgraft.lattice.forces import forces_of_supercells
from atomgraft.lattice.harmonic import Harmonic, with_forces
from atomgraft.lattice.relaxation import Relaxation, relax
from atomgraft.lattice.supercells import displaced_supercells, ideal_supercell
from atomgraft.models.base import AbstractPotential
from atomgraft.models.graph import find_neighbours, make_graph
from atomgraft.models.memory import batch_capacity
from atomgraft.models.prediction import batches_by_atoms, predict

if TYPE_CHECKING:
    from atomgraft.lattice.supercells import Phonopy

MEMORY = "memory"
"""Folder of what has been computed; may be removed once a descent has finished."""

Document = dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RememberingEngine:
    """Energies, relaxations and forces of a potential, each computed once.

    Parameters
    ----------
    potential
        In float64.
    folder
        Where answers are kept.
    identity
        Of the model; an answer counts for the same model, precision and settings of
        relaxation alone.
    fmax, max_steps
        Of relaxations; eV/Å.
    max_atoms
        In one call of the model; none measures.
    progress
        Called with supercells done and in all.
    measured
        What one call may hold, by the size of the structure it was measured for.
    """

    potential: AbstractPotential
    folder: Path
    identity: str
    fmax: float
    max_steps: int
    max_atoms: int | None = None
    progress: Count | None = None
    measured: dict[int, int] = dataclasses.field(default_factory=dict)

    def energies(self, structures: Sequence[Atoms]) -> list[float]:
        """Return energies per atom, eV."""
        document = self._recall(
            "energies",
            _hash_of(structures),
            lambda: {"energies": self._energies(structures)},
        )
        return document["energies"]

    def relax(self, atoms: Atoms, *, keep_symmetry: bool) -> Relaxation:
        """Return the relaxed crystal."""
        kind = "symmetric" if keep_symmetry else "free"
        document = self._recall(
            f"relaxed-{kind}",
            _hash_of([atoms]),
            lambda: _written(
                relax(
                    atoms,
                    self.potential,
                    keep_symmetry=keep_symmetry,
                    fmax=self.fmax,
                    max_steps=self.max_steps,
                )
            ),
        )
        return _read(document, atoms)

    def vibrate(self, phonon: "Phonopy") -> Harmonic:
        """Return the force constants for displacements."""
        cells = [ideal_supercell(phonon), *displaced_supercells(phonon)]
        document = self._recall(
            "forces", _hash_of(cells), lambda: {"forces": self._forces(cells)}
        )
        forces = np.array(document["forces"])
        return with_forces(phonon, forces[1:], undisplaced=forces[0])

    def _energies(self, structures: Sequence[Atoms]) -> list[float]:
        found: list[float] = []
        for group in batches_by_atoms(structures, self._room(structures)):
            graph = make_graph(
                group,
                [find_neighbours(atoms, self.potential.cutoff) for atoms in group],
                dtype=self.potential.dtype,
                device=self.potential.device,
            )
            energy = predict(self.potential, graph, frozenset({Property.ENERGY})).energy
            sizes = [len(atoms) for atoms in group]
            found += (energy.cpu().numpy() / sizes).tolist()
        return found

    def _forces(self, cells: Sequence[Atoms]) -> list[Any]:
        return forces_of_supercells(
            self.potential,
            cells,
            max_atoms=self._room(cells),
            progress=self.progress,
        ).tolist()

    def _room(self, structures: Sequence[Atoms]) -> int:
        """Return the atoms that one call may hold, measured for the largest so far."""
        largest = max(structures, key=len)
        if self.max_atoms is not None:
            return self.max_atoms
        if len(largest) > max(self.measured, default=0):
            self.measured[len(largest)] = batch_capacity(self.potential, largest)
        return self.measured[max(self.measured)]

    def _recall(self, kind: str, key: str, compute: Callable[[], Document]) -> Document:
        """Return an answer from disk, or compute it and keep it."""
        place = self.folder / MEMORY
        asked = (self.identity, str(self.potential.dtype), self.fmax, self.max_steps)
        name = fingerprint(str(one).encode() for one in (*asked, key))[:24]
        path = place / f"{kind}-{name}.json"
        if is_file(path):
            with contextlib.suppress(BadInputError):  # broken by hand: compute it again
                return read_json(path, title="answer", remedy="Remove it.")
        document = compute()
        make_folder(place)
        write_atomically(path, json.dumps(document).encode())
        return document


def _hash_of(structures: Sequence[Atoms]) -> str:
    """Return a hash of structures, to 1e-8 Å: they come again from the same numbers."""

    def parts(atoms: Atoms) -> bytes:
        numbers = np.concatenate([atoms.cell.array, atoms.positions])
        whole = np.rint(numbers * 1e8).astype(np.int64)
        return atoms.numbers.astype(np.int64).tobytes() + whole.tobytes()

    return fingerprint(parts(atoms) for atoms in structures)


def _written(found: Relaxation) -> Document:
    return {
        "cell": found.atoms.cell.array.tolist(),
        "positions": found.atoms.positions.tolist(),
        "energy": found.energy,
        "is_converged": found.is_converged,
        "largest_force": found.largest_force,
        "n_steps": found.n_steps,
        "groups": list(found.groups),
    }


def _read(document: Document, before: Atoms) -> Relaxation:
    atoms = Atoms(
        before.numbers, document["positions"], cell=document["cell"], pbc=True
    )
    first, second = document["groups"]
    rest = {
        key: document[key]
        for key in ("energy", "is_converged", "largest_force", "n_steps")
    }
    return Relaxation(atoms=atoms, groups=(first, second), **rest)
