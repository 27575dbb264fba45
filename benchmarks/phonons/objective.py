"""What an objective on the response to displacements gains: three small experiments.

*subset*: 7net-0 is adapted (lora) on three of the four displaced supercells of KClO4
(PhononDB mp-546633, PBEsol), the forces as they are or as differences, and these
counted as forces or as the frequencies they stand for: same frames, same steps. The
frequencies are compared with those of all four.

*rattles*: KCl at ten labels, all supercells of 64 atoms with all atoms displaced: ten
with displacements of 0.2 to 0.6 Å, or eight of these and two of about 0.1 Å, which are
trained as they are or as differences against the cell at rest in a unit of their own
(forces at rest are zero by symmetry and cost no label). The frequencies are compared
with those of DFT force constants from six further supercells with small displacements.

*rows*: the same KClO4 frame as a row of the force constants by double backward, and as
a difference of forces: the angle between the gradients in the weights, and their cost.

Needs the data folder (``$ATOMGRAFT_DATA`` or ``../shared/data``)::

    python benchmarks/phonons/objective.py run --out runs/objective
    python benchmarks/phonons/objective.py table --out runs/objective

``run`` can be stopped and started; ``table`` writes
benchmarks/results/phonon_objective.json and .md.
"""

import argparse
import dataclasses
import json
import statistics
import time
from pathlib import Path

import numpy as np
from public_data import phonon_data

RESULTS = Path(__file__).parent.parent / "results"

SEEDS = (1, 2, 3)
STEPS = 50
MESH = (8, 8, 8)

SUBSET = "phonondb/mp-546633-Cl4K4O16.yaml.xz"
SUBSET_FRAMES = "@0:3"

RATTLES = "phonopy_mlpsscha_params_KCl-120.yaml.xz"
LARGE = (0.2, 0.6)
SMALL = (0.0, 0.13)
"""Å, largest displacement of an atom."""
N_LABELS, N_SMALL, N_REFERENCE = 10, 2, 6

ARMS = {
    "subset": ("never", "auto-force", "auto"),
    "rattles": ("large", "mixed-never", "mixed-always-force", "mixed-always"),
}

WORDS = {
    ("subset", "never"): "3 of 4 supercells, forces as they are",
    ("subset", "auto-force"): "3 of 4 supercells, differences as forces",
    ("subset", "auto"): "3 of 4 supercells, differences as frequencies",
    ("rattles", "large"): "10 large rattles",
    ("rattles", "mixed-never"): "8 large rattles and 2 small ones, as they are",
    ("rattles", "mixed-always-force"): "8 large rattles, 2 small differences as forces",
    ("rattles", "mixed-always"): "8 large rattles, 2 small differences as frequencies",
}


def small_and_large(sets):  # noqa: ANN001, ANN201
    """Return the supercells with small and with large displacements, in order."""
    size = np.linalg.norm(sets.displacements, axis=2).max(axis=1)
    small = np.flatnonzero((size > SMALL[0]) & (size < SMALL[1]))
    large = np.flatnonzero((size > LARGE[0]) & (size < LARGE[1]))
    return small[np.argsort(size[small])], large


def reference_for(experiment: str):  # noqa: ANN201
    """Return DFT's force constants."""
    from atomgraft.data.force_sets import read_force_sets
    from atomgraft.lattice.reference import reference_of

    sets = read_force_sets(phonon_data(SUBSET if experiment == "subset" else RATTLES))
    sets = dataclasses.replace(sets, born=None)
    if experiment == "rattles":
        chosen = small_and_large(sets)[0][:N_REFERENCE]
        sets = dataclasses.replace(
            sets,
            displacements=sets.displacements[chosen],
            forces=sets.forces[chosen],
            energies=None,
        )
    return reference_of(sets)


def training_file(arm: str, seed: int, folder: Path) -> str:
    """Write ten labelled supercells of KCl, and the cell at rest where it is used."""
    from ase import Atoms

    from atomgraft.data.exact_files import write_exactly
    from atomgraft.data.force_sets import read_force_sets
    from atomgraft.data.labels import set_labels
    from atomgraft.data.partners import DISPLACEMENT
    from atomgraft.data.readers import read_structures

    small, large = small_and_large(read_force_sets(phonon_data(RATTLES)))
    draw = np.random.default_rng(seed)
    n_small = 0 if arm == "large" else N_SMALL
    few = draw.choice(small[N_REFERENCE:], n_small, replace=False)
    many = draw.permutation(large)[: N_LABELS - n_small]
    everything = read_structures([phonon_data(RATTLES)])
    frames = [everything[i] for i in (*many, *few)]
    for atoms in frames[: len(many)]:
        del atoms.arrays[DISPLACEMENT]
    if arm.startswith("mixed-always"):
        one = frames[-1]
        places = one.positions - one.arrays[DISPLACEMENT]
        rest = Atoms(one.numbers, places, cell=one.cell, pbc=True)
        rest.arrays[DISPLACEMENT] = np.zeros_like(places)
        set_labels(rest, forces=np.zeros_like(places))
        frames.append(rest)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "train.extxyz"
    write_exactly(path, frames)
    return str(path)


def adapted(experiment: str, arm: str, seed: int, folder: Path):  # noqa: ANN201
    """Return the adapted model in float64, and what its run says."""
    import torch

    from atomgraft.run.adapt import adapt
    from atomgraft.run.inputs import merged_run
    from atomgraft.run.spec import parse_spec

    train = (
        f"{phonon_data(SUBSET)}{SUBSET_FRAMES}"
        if experiment == "subset"
        else training_file(arm, seed, folder / "data")
    )
    mode = arm.removeprefix("mixed-").removesuffix("-force").replace("large", "never")
    responses = "force" if arm.endswith("-force") else "frequency"
    document = {
        "base": "7net-0",
        "train": train,
        "recipe": "lora",
        "seed": seed,
        "device": "cpu",
        "training": {
            "steps": STEPS,
            "batch_size": 1,
            "differences": mode,
            "objective": {"responses": responses},
        },
    }
    result = adapt(parse_spec(document, "the benchmark"), folder)
    return merged_run(folder).clone(dtype=torch.float64), result


def row_of(model, reference) -> dict[str, float]:  # noqa: ANN001
    """Return how a model does on the reference's supercells."""
    from atomgraft.lattice.harmonic import harmonic_of
    from atomgraft.lattice.spectra import mesh_frequencies
    from atomgraft.metrics.phonons import force_slope, frequency_errors

    harmonic = harmonic_of(model, reference.phonon)
    found = mesh_frequencies(harmonic, MESH)
    known = mesh_frequencies(reference.harmonic, MESH)
    errors = frequency_errors(found.frequencies, known.frequencies, known.weights)
    return {
        "mae": errors.mae,
        "highest": errors.highest,
        "slope": force_slope(harmonic.forces, reference.harmonic.forces),
        "residual": harmonic.residual,
        "response": float(np.abs(reference.harmonic.forces).max()),
    }


def rows() -> dict[str, float]:
    """Compare the gradients of two losses on one frame, and what they cost."""
    import torch

    from atomgraft.core.properties import Property
    from atomgraft.data.partners import DISPLACEMENT, find_partners
    from atomgraft.data.readers import read_structures
    from atomgraft.models.graph import find_neighbours, make_graph
    from atomgraft.models.loading import load_potential
    from atomgraft.models.prediction import predict
    from atomgraft.training.batches import TrainingSet
    from atomgraft.training.objective import residuals_of

    model = load_potential("7net-0").clone(dtype=torch.float64)
    frames = read_structures([f"{phonon_data(SUBSET)}{SUBSET_FRAMES}"])
    weights = [one for one in model.module.parameters() if one.requires_grad]
    partners = find_partners(frames, "auto")
    i = next(k for k, one in enumerate(partners) if one.kind == "symmetry")
    data = TrainingSet(frames, model.cutoff, dtype=torch.float64, partners=partners)
    move = torch.tensor(frames[i].arrays[DISPLACEMENT])
    rest = frames[i].copy()
    rest.positions -= rest.arrays[DISPLACEMENT]
    still = make_graph(
        [rest], [find_neighbours(rest, model.cutoff)], dtype=torch.float64
    )

    def difference_loss() -> torch.Tensor:
        graph, targets = data.batch([i])
        said = predict(model, graph, frozenset({Property.FORCES}), for_training=True)
        zeros = said.energy.new_zeros(1, 6)
        found = residuals_of(said.energy, said.forces, zeros, targets)
        return (found[Property.FORCES].value ** 2).sum()

    def row_loss() -> torch.Tensor:
        places = still.positions.clone().requires_grad_()
        energy = model.module(dataclasses.replace(still, positions=places)).sum()
        [slope] = torch.autograd.grad(energy, places, create_graph=True)
        [bent] = torch.autograd.grad((slope * move).sum(), places, create_graph=True)
        return ((-bent - data.batch([i])[1].forces) ** 2).sum()

    found = {"difference": difference_loss, "row": row_loss}
    gradients, seconds = {}, {}
    for name, loss in found.items():
        for _ in range(2):  # the first pays for what is set up once
            start = time.process_time()
            parts = torch.autograd.grad(loss(), weights, allow_unused=True)
            seconds[name] = time.process_time() - start
        gradients[name] = torch.cat(
            [
                (torch.zeros_like(w) if g is None else g).flatten()
                for g, w in zip(parts, weights, strict=True)
            ]
        )
    one, other = gradients.values()
    return {
        "cosine": float(one @ other / one.norm() / other.norm()),
        "length_ratio": float(other.norm() / one.norm()),
        "seconds_difference": seconds["difference"],
        "seconds_row": seconds["row"],
    }


def run(out: Path) -> None:
    """Do what is not there yet."""
    import torch

    from atomgraft.run.inputs import load_base

    torch.set_num_threads(1)
    base = load_base("7net-0").clone(dtype=torch.float64)
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "rows.json").exists():
        (out / "rows.json").write_text(json.dumps(rows()))
    for experiment, arms in ARMS.items():
        reference = reference_for(experiment)
        path = out / f"{experiment}-base.json"
        if not path.exists():
            path.write_text(json.dumps(row_of(base, reference)))
        for seed in SEEDS:
            for arm in arms:
                path = out / f"{experiment}-{arm}-{seed}.json"
                if path.exists():
                    continue
                folder = out / "runs" / path.stem
                model, result = adapted(experiment, arm, seed, folder)
                row = row_of(model, reference)
                row["seconds"] = result.training.seconds
                path.write_text(json.dumps(row))
                print(path.stem, json.dumps(row), flush=True)


def table(out: Path) -> None:
    """Write results from what ``run`` has left."""
    from atomgraft.core.provenance import machine, package_versions

    document: dict = {
        "command": "python benchmarks/phonons/objective.py run",
        "settings": {"steps": STEPS, "seeds": SEEDS, "mesh": MESH, "recipe": "lora"},
        "machine": machine(),
        "versions": package_versions(),
        "rows": json.loads((out / "rows.json").read_text()),
    }
    lines = [
        "| what is trained on | frequency MAE (THz) | range | slope | at rest (eV/Å) |",
        "|---|---|---|---|---|",
    ]
    for experiment, arms in ARMS.items():
        base = json.loads((out / f"{experiment}-base.json").read_text())
        document[experiment] = {"base": base}
        name = "KClO4" if experiment == "subset" else "KCl"
        lines.append(
            f"| {name}: 7net-0 as it is | {base['mae']:.3f} | | {base['slope']:.3f} |"
            f" {base['residual']:.3f} |"
        )
        for arm in arms:
            paths = sorted(out.glob(f"{experiment}-{arm}-[0-9].json"))
            found = [json.loads(path.read_text()) for path in paths]
            document[experiment][arm] = found
            maes = [one["mae"] for one in found]
            means = {
                key: statistics.mean(one[key] for one in found)
                for key in ("mae", "slope", "residual")
            }
            lines.append(
                f"| {name}: {WORDS[experiment, arm]} | {means['mae']:.3f} |"
                f" {min(maes):.3f} to {max(maes):.3f} ({len(maes)} seeds) |"
                f" {means['slope']:.3f} | {means['residual']:.3f} |"
            )
    cost = document["rows"]
    text = [
        "# An objective on the response to displacements",
        "",
        *(__doc__ or "").split("\n\nNeeds")[0].split("\n\n", 1)[1].splitlines(),
        "",
        f"Low-rank adaptation of 7net-0, {STEPS} steps of one supercell, mesh"
        f" {'x'.join(map(str, MESH))}, no non-analytical term. At rest: the"
        " largest force on the undisplaced supercell under the model.",
        "",
        *lines,
        "",
        "Rows of the force constants by double backward against force differences, on"
        f" one frame: the cosine of the angle between the gradients is"
        f" {cost['cosine']:.6f}, their lengths are {cost['length_ratio']:.4f} to 1, and"
        f" a gradient takes {cost['seconds_row']:.2f} against"
        f" {cost['seconds_difference']:.2f} CPU-seconds. To first order the two are one"
        " objective; the row costs more, so atomgraft has the difference alone.",
        "",
        f"Made by `{document['command']}`, then `table`.",
        "",
    ]
    (RESULTS / "phonon_objective.md").write_text("\n".join(text))
    (RESULTS / "phonon_objective.json").write_text(json.dumps(document, indent=1))


def main() -> None:
    """Run, or write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--out", type=Path, default=Path("runs/objective"))
    given = parser.parse_args()
    {"run": run, "table": table}[given.what](given.out)


if __name__ == "__main__":
    main()
