"""Which of the supercells at hand to label first: three rules on 53 materials.

For each material of the PhononDB set the candidates are its own displaced supercells,
one atom moved, and four random ones in which every atom is displaced by 0.03 Å
(``combination.py``, where their emulated forces are explained). One label is chosen

- by the expected error of frequencies (``atomgraft.lattice.design``), as
  ``select --by phonons`` does;
- at random: the mean over all candidates;
- by images: the own supercell whose atom has most symmetry images.

Then it is combined with 7net-0, and the error of frequencies on a 4x4x4 mesh is that
against DFT. The expected error is compared with it. ``combination.py forces`` comes
first::

    python benchmarks/phonons/next_supercell.py --out runs/combination

It writes benchmarks/results/phonon_next_supercell.json and .md.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from combination import (
    EMULATED_BY,
    RESULTS,
    Material,
    harmonic_forces,
    labels_of,
    materials,
    mean_interval,
)

from atomgraft.core.provenance import package_versions
from atomgraft.label.phonon_choice import MESH, SHARE, noises_of
from atomgraft.lattice.design import Candidates, best_supercells
from atomgraft.lattice.harmonic import compact_constants, with_constants
from atomgraft.lattice.posterior import Labels, combined, unlabelled
from atomgraft.lattice.spectra import mesh_frequencies
from atomgraft.lattice.supercells import all_displacements, ideal_supercell
from atomgraft.metrics.phonons import frequency_errors
from atomgraft.phonons.supercell_choice import chosen_supercells, teams_of

BASE = "7net-0"
N_RANDOM = 4
COUNT = 2


def candidates_of(one: Material) -> Labels:
    """Return all candidates with the labels that each would get."""
    drawn = labels_of(one, BASE, str(N_RANDOM))
    own = all_displacements(one.phonon)
    assert drawn.responses is not None
    known = one.models[BASE]
    return Labels(
        displacements=np.concatenate([own, drawn.displacements]),
        forces=np.concatenate([one.reference.forces, drawn.forces]),
        responses=np.concatenate([known["own"], drawn.responses]),
        at_rest=drawn.at_rest,
    )


def row_of(one: Material) -> dict[str, Any]:
    """Return errors of one material, THz."""
    constants = one.models[BASE]["constants"]
    start = with_constants(one.reference, constants)
    true = mesh_frequencies(one.reference, MESH)
    every = candidates_of(one)
    responses, at_rest = every.responses, every.at_rest
    assert responses is not None
    assert at_rest is not None

    def error_of(*chosen: int) -> float:
        picked = list(chosen)
        labels = dataclasses.replace(
            every,
            displacements=every.displacements[picked],
            forces=every.forces[picked],
            responses=responses[picked],
        )
        found = combined(one.basis, constants, labels).constants()
        mesh = mesh_frequencies(with_constants(one.reference, found), MESH)
        return frequency_errors(mesh.frequencies, true.frequencies, true.weights).mae

    u = every.displacements
    anharmonic = responses - harmonic_forces(one, constants, u)
    design = best_supercells(
        start,
        unlabelled(one.basis, constants, share=SHARE),
        mesh_frequencies(start, MESH),
        Candidates(displacements=u, noises=noises_of(anharmonic), at_rest=at_rest),
        count=COUNT,
    )
    chosen = [step.index for step in design.steps]
    n_own = len(u) - N_RANDOM
    teams = teams_of(
        ideal_supercell(one.phonon), u[:n_own], one.phonon.symmetry.tolerance
    )
    [images, *_] = chosen_supercells(teams, 1, is_rest_answered=True)
    base = mesh_frequencies(start, MESH)
    truth = one.basis.numbers_of(compact_constants(one.reference))
    model = one.basis.numbers_of(constants)
    return {
        "material": one.name,
        "wrong by": float(np.linalg.norm(truth - model) / np.linalg.norm(model)),
        "base": frequency_errors(base.frequencies, true.frequencies, true.weights).mae,
        "expected 0": design.before,
        "expected 1": design.steps[0].error,
        "expected 2": design.steps[1].error,
        "chosen 1": error_of(*chosen[:1]),
        "chosen 2": error_of(*chosen),
        "moves every atom": bool(chosen[0] >= n_own),
        "random": float(np.mean([error_of(i) for i in range(len(u))])),
        "images": error_of(int(images)),
    }


WORDS = {
    "base": "no label: 7net-0",
    "images": "1, most images first",
    "random": "1, at random",
    "chosen 1": "1, smallest expected error",
    "chosen 2": "2, smallest expected error",
}


def markdown(rows: list[dict[str, Any]]) -> str:
    """Return the table of means."""
    lines = [
        "| labels | frequency MAE, THz [95 %] | median | expected |",
        "|---|---|---|---|",
    ]
    for key, words in WORDS.items():
        values = np.array([row[key] for row in rows])
        low, high = mean_interval(values)
        number = {"base": "0", "chosen 1": "1", "chosen 2": "2"}.get(key)
        expected = "–"
        if number is not None:
            expected = f"{np.mean([row[f'expected {number}'] for row in rows]):.3f}"
        lines.append(
            f"| {words} | {values.mean():.3f} [{low:.3f}, {high:.3f}] "
            f"| {np.median(values):.3f} | {expected} |"
        )
    wrong = np.median([row["wrong by"] for row in rows])
    every = sum(row["moves every atom"] for row in rows)
    lines += [
        "",
        f"{len(rows)} materials. In {every} the first choice moves every atom. The "
        f"force constants of 7net-0 are wrong by {wrong:.3f} of their size in the "
        "median.",
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Choose one supercell to label.")
    parser.add_argument("--out", type=Path, required=True)
    told = parser.parse_args()
    rows = []
    for one in materials(told.out, [BASE, EMULATED_BY]):
        rows.append(row_of(one))
        print(one.name, f"{rows[-1]['chosen 1']:.3f}", flush=True)
    document = {
        "command": "combination.py forces; next_supercell.py",
        "seed": 0,
        "mesh": MESH,
        "versions": package_versions(),
        "rows": rows,
    }
    file = RESULTS / "phonon_next_supercell.json"
    file.write_text(json.dumps(document, indent=1) + "\n")
    file.with_suffix(".md").write_text(markdown(rows))
    print(markdown(rows))


if __name__ == "__main__":
    main()
