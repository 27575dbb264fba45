"""What forty materials teach about thirteen others: phonons of the PhononDB set.

53 small materials with finite-displacement forces by DFT (PBEsol, PhononDB). 7net-0, a
PBE model, is adapted on the displaced supercells of about forty and asked for the
phonons of the others, at the DFT geometry, on exactly DFT's supercells, on an 8x8x8 mesh
without the non-analytical term. Four folds. Materials of one prototype with one anion
are a family; a family is never on both sides, so that nothing is learned from a sibling
(``--folds family``). With ``--folds mixed`` families are spread over the folds: what a
user sees who has labels for some members of a family. Beside the recipes stand the base
and the two baselines of one number: each material's own, and the median of the others'.

Needs the data folder (``$ATOMGRAFT_DATA`` or ``../shared/data``)::

    python benchmarks/phonons/leave_out.py run --out runs/leave-out
    python benchmarks/phonons/leave_out.py table --out runs/leave-out

``run`` can be stopped and started; ``table`` writes
benchmarks/results/phonon_leave_out.json and .md.
"""

import argparse
import csv
import itertools
import json
import os
import re
import statistics
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent.parent / "results"

N_FOLDS = 4
MESH = (8, 8, 8)
THRESHOLD = 0.1
"""THz"""

RECIPES = ("full", "lora", "replay")
STEPS = {"full": 300, "lora": 300, "replay": 300}
BATCH = 8
SEEDS = (1,)

ANIONS = ("F", "O", "N", "Cl", "Br", "I", "S", "Se", "Te", "P", "Sb", "H")


def data_folder() -> Path:
    """Return the folder of the PhononDB set, or say that it is absent."""
    root = Path(os.environ.get("ATOMGRAFT_DATA", "../shared/data"))
    folder = root / "phonons" / "phonondb"
    if not folder.is_dir():
        sys.exit(f"No data at {folder}: set ATOMGRAFT_DATA.")
    return folder


def material_files() -> dict[str, Path]:
    """Return the files of all materials, by name."""
    folder = data_folder()
    with (folder / "index.csv").open() as stream:
        names = [row["file"] for row in csv.DictReader(stream)]
    return {name.partition(".")[0]: folder / name for name in names}


def family_of(path: Path) -> str:
    """Return anion, space group and formula type of a material."""
    from atomgraft.data.force_sets import read_force_sets
    from atomgraft.lattice.relaxation import space_group

    atoms = read_force_sets(path).unit_cell
    formula, _ = atoms.symbols.formula.reduce()
    counts = "".join(str(n) for n in sorted(formula.count().values()))
    present = set(atoms.get_chemical_symbols())
    anion = next(one for one in ANIONS if one in present)
    return f"{anion} {space_group(atoms).split()[0]} {counts}"


def folds_of(families: dict[str, str], kind: str) -> list[list[str]]:
    """Return four folds of about equal size; see the head of this file.

    ``family``: the largest families first, each into the smallest fold. ``mixed``: the
    members of all families dealt out in turn.
    """
    groups: dict[str, list[str]] = {}
    for name, family in sorted(families.items()):
        groups.setdefault(family, []).append(name)
    ordered = sorted(groups.values(), key=lambda group: (-len(group), group[0]))
    folds: list[list[str]] = [[] for _ in range(N_FOLDS)]
    if kind == "mixed":
        for i, name in enumerate(itertools.chain.from_iterable(ordered)):
            folds[i % N_FOLDS].append(name)
        return folds
    for group in ordered:
        min(folds, key=len).extend(group)
    return folds


class Judge:
    """Phonons of materials under a model, beside DFT's; the latter only once."""

    def __init__(self) -> None:
        from atomgraft.lattice.reference import read_reference
        from atomgraft.lattice.spectra import mesh_frequencies

        self.references = {}
        for name, path in material_files().items():
            found = read_reference(path)
            found.phonon.nac_params = None
            found.harmonic.phonon.nac_params = None
            known = mesh_frequencies(found.harmonic, MESH)
            self.references[name] = (found, known)

    def row(self, model, name: str) -> dict:  # noqa: ANN001
        """Return how a model does on one material."""
        from atomgraft.lattice.harmonic import harmonic_of
        from atomgraft.lattice.spectra import mesh_frequencies
        from atomgraft.metrics.phonons import (
            best_scalar,
            force_slope,
            frequency_errors,
        )

        reference, known = self.references[name]
        harmonic = harmonic_of(model, reference.phonon)
        found = mesh_frequencies(harmonic, MESH)
        errors = frequency_errors(found.frequencies, known.frequencies, known.weights)
        scalar = best_scalar(found.frequencies, known.frequencies, known.weights)
        own = frequency_errors(
            scaled(found.frequencies, scalar), known.frequencies, known.weights
        )
        return {
            "material": name,
            "mae": errors.mae,
            "largest": errors.largest,
            "highest": errors.highest,
            "slope": force_slope(harmonic.forces, reference.harmonic.forces),
            "minimum": float(found.frequencies.min()),
            "minimum_dft": float(known.frequencies.min()),
            "own_scalar": scalar,
            "mae_own_scalar": own.mae,
        }

    def scaled_mae(self, model, name: str, factor: float) -> float:  # noqa: ANN001
        """Return the error with all force constants times one number."""
        from atomgraft.lattice.harmonic import harmonic_of
        from atomgraft.lattice.spectra import mesh_frequencies
        from atomgraft.metrics.phonons import frequency_errors

        reference, known = self.references[name]
        found = mesh_frequencies(harmonic_of(model, reference.phonon), MESH)
        return frequency_errors(
            scaled(found.frequencies, factor), known.frequencies, known.weights
        ).mae


def scaled(frequencies: np.ndarray, factor: float) -> np.ndarray:
    """Return frequencies of force constants times a number."""
    return frequencies * np.sqrt(factor)


def cells(arguments: argparse.Namespace) -> Iterator[tuple[int, str, int]]:
    """Yield seed, recipe and fold of every run."""
    yield from itertools.product(
        arguments.seeds, arguments.recipes, range(N_FOLDS)
    )


def adapt_on(names: Sequence[str], recipe: str, seed: int, folder: Path) -> dict:
    """Adapt on the displaced supercells of some materials; say what it took."""
    from atomgraft.experiments.adapt import adapt
    from atomgraft.experiments.spec import parse_spec

    files = material_files()
    document = {
        "base": "7net-0",
        "train": [str(files[name]) for name in names],
        "recipe": recipe,
        "seed": seed,
        "device": "cpu",
        "training": {"steps": STEPS[recipe], "batch_size": BATCH},
        "validation_fraction": 0,
    }
    result = adapt(parse_spec(document, "benchmark"), folder)
    return {
        "n_train": result.data[0].n_structures,
        "seconds": sum(one.seconds for one in result.provenance),
        "steps": result.training.n_steps_done,
        "provenance": result.provenance[-1].model_dump(mode="json"),
        "spec": result.spec,
    }
