"""Phonons of 53 materials from a model and one or two labelled supercells combined.

For each material of the PhononDB set a model's force constants are combined with labels
in closed form (``atomgraft.lattice.posterior``). Beside them stand the model alone and
the labels alone. Labels are of two kinds:

- real: half of the material's own displaced supercells, with DFT's forces;
- random: supercells in which every atom is displaced by 0.03 Å. DFT has none of these,
  so their forces are emulated: DFT's harmonic forces plus the anharmonic forces of
  another model, 7net-mf-0 (PBE). This is no evidence about DFT's anharmonic forces.

Errors are those of frequencies on an 8x8x8 mesh, against DFT in the same supercell.
Needs the data folder (``$ATOMGRAFT_DATA`` or ``../shared/data``)::

    python benchmarks/phonons/combination.py forces --out runs/combination
    python benchmarks/phonons/combination.py table --out runs/combination --bases 7net-0

``forces`` asks the models, once for each material; it can be stopped and started.
``table`` writes benchmarks/results/phonon_combination.json and .md.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from public_data import phonon_data

from atomgraft.core.provenance import package_versions
from atomgraft.lattice.forces import forces_of_supercells
from atomgraft.lattice.harmonic import (
    Harmonic,
    compact_constants,
    harmonic_of,
    with_constants,
)
from atomgraft.lattice.posterior import (
    Labels,
    at_rest_directions,
    combined,
    labels_alone,
)
from atomgraft.lattice.spectra import MeshFrequencies, mesh_frequencies
from atomgraft.lattice.supercells import all_displacements, ideal_supercell
from atomgraft.lattice.symmetric_basis import SymmetricBasis, symmetric_basis
from atomgraft.lattice.uncertainty import uncertainty
from atomgraft.metrics.phonons import frequency_errors
from atomgraft.phonons.crystals import Crystal, read_crystal
from atomgraft.phonons.judge import THRESHOLD
from atomgraft.phonons.supercell_choice import chosen_supercells, teams_of
from atomgraft.run.inputs import load_base

if TYPE_CHECKING:
    from atomgraft.lattice.supercells import Phonopy

RESULTS = Path(__file__).parent.parent / "results"

BASES = {"7net-0": None, "7net-mf-0": "PBE", "7net-l3i5": None}
"""Models and the head of each."""

EMULATED_BY = "7net-mf-0"
"""Whose anharmonic forces the emulated labels have."""

MESH = (8, 8, 8)
N_RANDOM = 4
AMPLITUDE = 0.03
"""Å; by which every atom of a random supercell is displaced."""


def files() -> list[Path]:
    """Return the calculations of the set."""
    return sorted(phonon_data("phonondb").glob("*.yaml.xz"))


def name_of(file: Path) -> str:
    """Return the name of a material."""
    return file.name.partition(".")[0]


def random_displacements(n_atoms: int) -> np.ndarray:
    """Return displacements of all atoms, all of one length, by a fixed seed."""
    rng = np.random.default_rng(0)
    found = rng.normal(size=(N_RANDOM, n_atoms, 3))
    return AMPLITUDE * found / np.linalg.norm(found, axis=2, keepdims=True)


def forces(out: Path, bases: list[str], part: tuple[int, int]) -> None:
    """Keep what every model says of every material."""
    for base in bases:
        potential = load_base(base, head=BASES[base])
        potential = potential.clone(dtype=torch.float64, device=torch.device("cpu"))
        for file in files()[part[0] :: part[1]]:
            place = out / base / f"{name_of(file)}.npz"
            if place.exists():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            crystal = read_crystal(str(file))
            assert crystal.reference is not None
            phonon = crystal.reference.phonon
            harmonic = harmonic_of(potential, phonon)
            ideal = ideal_supercell(phonon)
            cells = [ideal]
            for displacement in random_displacements(len(ideal)):
                cells.append(ideal.copy())
                cells[-1].positions += displacement
            found = forces_of_supercells(potential, cells)
            np.savez(
                place,
                constants=np.asarray(harmonic.phonon.force_constants),
                own=harmonic.forces,
                random=found[1:] - found[0],
            )
            print(base, place.stem, flush=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Material:
    """One material: DFT, and what the models say of it."""

    name: str
    crystal: Crystal
    basis: SymmetricBasis
    models: dict[str, dict[str, np.ndarray]]

    @property
    def phonon(self) -> "Phonopy":
        """The object of phonopy with DFT's displaced supercells."""
        assert self.crystal.reference is not None
        return self.crystal.reference.phonon

    @property
    def reference(self) -> Harmonic:
        """DFT's force constants."""
        assert self.crystal.reference is not None
        return self.crystal.reference.harmonic


def materials(out: Path, bases: Sequence[str]) -> Iterator[Material]:
    """Yield the materials of which every model was asked."""
    for file in files():
        places = {one: out / one / f"{name_of(file)}.npz" for one in bases}
        if not all(place.exists() for place in places.values()):
            continue
        crystal = read_crystal(str(file))
        assert crystal.reference is not None
        yield Material(
            name=name_of(file),
            crystal=crystal,
            basis=symmetric_basis(crystal.reference.phonon),
            models={one: dict(np.load(place)) for one, place in places.items()},
        )


def harmonic_forces(one: Material, constants: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Return the forces of force constants on displaced supercells."""
    from phonopy.harmonic.force_constants import compact_fc_to_full_fc

    whole = compact_fc_to_full_fc(one.phonon.primitive, constants)
    return -np.einsum("ijab,fjb->fia", whole, u, optimize=True)


def labels_of(one: Material, base: str, kind: str) -> Labels:
    """Return labels of a kind: ``half`` of the own supercells, or so many random."""
    known = one.models[base]
    if kind == "half":
        u = all_displacements(one.phonon)
        ideal = ideal_supercell(one.phonon)
        teams = teams_of(ideal, u, one.phonon.symmetry.tolerance)
        n = max(1, round(len(u) / 2))
        chosen = list(chosen_supercells(teams, n, is_rest_answered=True))
        forces = one.reference.forces[chosen]
        return Labels(
            displacements=u[chosen],
            forces=forces,
            responses=known["own"][chosen],
            at_rest=at_rest_directions(one.phonon),
        )
    n = int(kind)
    u = random_displacements(len(one.phonon.supercell))[:n]
    emulator = one.models[EMULATED_BY]
    anharmonic = emulator["random"][:n] - harmonic_forces(one, emulator["constants"], u)
    dft = compact_constants(one.reference)
    return Labels(
        displacements=u,
        forces=harmonic_forces(one, dft, u) + anharmonic,
        responses=known["random"][:n],
        at_rest=at_rest_directions(one.phonon),
    )


def row_of(one: Material, base: str) -> dict[str, Any]:
    """Return errors of one material under one base, THz."""
    reference = one.reference
    true = mesh_frequencies(reference, MESH)
    known = one.models[base]
    start = with_constants(reference, known["constants"])
    found: dict[str, Any] = {"material": one.name, "n_constants": one.basis.size}
    found["n_supercells"] = len(known["own"])
    found["unstable"] = bool(true.frequencies.min() < -THRESHOLD)

    def judged(name: str, harmonic: Harmonic) -> MeshFrequencies:
        mesh = mesh_frequencies(harmonic, MESH)
        errors = frequency_errors(mesh.frequencies, true.frequencies, true.weights)
        found[name] = errors.mae
        found[f"{name} unstable"] = bool(mesh.frequencies.min() < -THRESHOLD)
        return mesh

    judged("base", start)
    for kind in ("half", "1", "2", "4"):
        labels = labels_of(one, base, kind)
        begun = time.process_time()
        posterior = combined(one.basis, known["constants"], labels)
        found[f"{kind} seconds"] = time.process_time() - begun
        harmonic = with_constants(reference, posterior.constants())
        mesh = judged(f"{kind} + model", harmonic)
        found[f"{kind} prior"] = posterior.shape
        sigma = uncertainty(harmonic, posterior, mesh, temperature=300.0).frequencies
        apart = np.abs(mesh.frequencies - true.frequencies)
        counts = sigma > 1e-6
        weights = np.broadcast_to(true.weights[:, None], sigma.shape)[counts]
        for k in (1, 2):
            inside = (apart <= k * sigma)[counts]
            found[f"{kind} within {k}"] = float(np.average(inside, weights=weights))
        found[f"{kind} expected"] = float(
            np.average(sigma.mean(axis=1), weights=true.weights)
        )
        constants, n_free = labels_alone(one.basis, labels)
        judged(f"{kind} alone", with_constants(reference, constants))
        found[f"{kind} free"] = n_free
    return found


def table(out: Path, bases: Sequence[str]) -> None:
    """Write errors of all materials, and their means with intervals."""
    file = RESULTS / "phonon_combination.json"
    rows: dict[str, list[dict[str, Any]]] = {one: [] for one in bases}
    for one in materials(out, sorted({*bases, EMULATED_BY})):
        for base in bases:
            rows[base].append(row_of(one, base))
        print(one.name, *(f"{rows[b][-1]['1 + model']:.3f}" for b in bases), flush=True)
    document = {
        "command": "combination.py forces; combination.py table --bases "
        + " ".join(bases),
        "seed": 0,
        "mesh": MESH,
        "amplitude": AMPLITUDE,
        "versions": package_versions(),
        "rows": rows,
    }
    file.write_text(json.dumps(document, indent=1) + "\n")
    file.with_suffix(".md").write_text(markdown(rows))
    print(markdown(rows))


WORDS = {
    "base": ("none", "model"),
    "half + model": ("half of its own supercells", "model + labels"),
    "half alone": ("half of its own supercells", "labels alone"),
    **{
        f"{n} {way}": (
            f"{n} random {'supercell' if n == 1 else 'supercells'} (emulated)",
            "model + labels" if way == "+ model" else "labels alone",
        )
        for n in (1, 2, 4)
        for way in ("+ model", "alone")
    },
}


def markdown(rows: dict[str, list[dict[str, Any]]]) -> str:
    """Return the table of means."""
    lines = [
        "| base | labels | contestant | materials | frequency MAE, THz [95 %] | median "
        "| below 0.1 THz | worse than the base by .02 THz | F1 | expected | within 1 σ "
        "| within 2 σ |",
        "|---" * 12 + "|",
    ]
    for base, found in rows.items():
        for key, (labels, way) in WORDS.items():
            values = np.array([row[key] for row in found])
            starts = np.array([row["base"] for row in found])
            low, high = mean_interval(values)
            kind = key.split()[0]
            has_sigma = way == "model + labels"
            sure = [
                f"{np.mean([row[f'{kind} {word}'] for row in found]):.2f}"
                if has_sigma
                else "–"
                for word in ("expected", "within 1", "within 2")
            ]
            lines.append(
                f"| {base} | {labels} | {way} | {len(found)} | {values.mean():.3f} "
                f"[{low:.3f}, {high:.3f}] | {np.median(values):.3f} "
                f"| {int((values < 0.1).sum())} "
                f"| {int((values > starts + 0.02).sum())} | {f1_of(found, key):.2f} "
                f"| {' | '.join(sure)} |"
            )
    return "\n".join([*lines, ""])


def f1_of(rows: Sequence[dict[str, Any]], key: str) -> float:
    """Return the F1 of finding unstable materials."""
    hits = sum(row["unstable"] and row[f"{key} unstable"] for row in rows)
    wrong = sum(row["unstable"] != row[f"{key} unstable"] for row in rows)
    return 2 * hits / (2 * hits + wrong) if hits or wrong else 1.0


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of a mean by bootstrap over materials."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(4000, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Combine models and labels.")
    parser.add_argument("verb", choices=("forces", "table"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bases", nargs="+", choices=BASES, default=list(BASES))
    parser.add_argument("--part", nargs=2, type=int, default=(0, 1))
    told = parser.parse_args()
    if told.verb == "forces":
        forces(told.out, told.bases, tuple(told.part))
    elif EMULATED_BY in told.bases:
        parser.error(f"labels are emulated with {EMULATED_BY}: name other --bases")
    else:
        table(told.out, told.bases)


if __name__ == "__main__":
    main()
