"""Which displaced supercells to label first: every choice, completed by the base.

The 53 materials of the PhononDB set. Some of a material's displaced supercells keep
their forces by DFT, the others get those of 7net-0 times the one number that fits the
labels; nothing is trained. The phonons of that are held against those of all labels, on
an 8x8x8 mesh without the non-analytical term. Choices of half of the supercells, and of
one: by the images of their atoms, as ``atomgraft campaign phonons`` and ``atomgraft
select`` choose; every atom once before one comes twice; and all subsets of that size
that tear no opposite displacements apart, their mean, the best and the worst. A seed
decides among equals.

Needs the data folder (``$ATOMGRAFT_DATA`` or ``../shared/data``)::

    python benchmarks/phonons/label_choice.py

It writes benchmarks/results/phonon_label_choice.json and .md.
"""

import itertools
import json
import statistics
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from public_data import phonon_data

STEM = Path(__file__).parent.parent / "results" / "phonon_label_choice"

MESH = (8, 8, 8)
SEEDS = range(8)

RULES = {
    "most images first": True,
    "every atom once first": False,
}
"""Whether the rest counts as answered."""


def error_of_labels(path: Path, base):  # noqa: ANN001, ANN201
    """Return the teams of a material, and what labels of it are worth, THz."""
    from atomgraft.data.readers import read_structures
    from atomgraft.lattice.harmonic import harmonic_of, with_forces
    from atomgraft.lattice.reference import read_reference
    from atomgraft.lattice.spectra import mesh_frequencies
    from atomgraft.lattice.supercells import SYMPREC
    from atomgraft.metrics.phonons import frequency_errors
    from atomgraft.phonons.campaign.pseudo_labels import completed
    from atomgraft.phonons.supercell_choice import teams_of

    reference = read_reference(path)
    for phonon in (reference.phonon, reference.harmonic.phonon):
        phonon.nac_params = None
    known = mesh_frequencies(reference.harmonic, MESH)
    responses = harmonic_of(base, reference.phonon).forces
    frames = read_structures([path])
    sets = reference.sets
    teams = teams_of(sets.ideal, sets.displacements, SYMPREC)

    def error(labelled: tuple[int, ...]) -> float:
        found = completed(frames, responses, labelled) if labelled else None
        forces = responses if found is None else found[0]
        mine = mesh_frequencies(with_forces(reference.phonon, forces), MESH)
        return frequency_errors(mine.frequencies, known.frequencies, known.weights).mae

    return teams, error


def subsets(teams: Sequence, n: int) -> Iterator[tuple[int, ...]]:
    """Yield all choices of `n` supercells, opposite ones together."""
    for k in range(1, len(teams)):
        for some in itertools.combinations(teams, k):
            chosen = sorted(i for team in some for i in team.supercells)
            if len(chosen) == n:
                yield tuple(chosen)


def row_of(path: Path, base) -> dict:  # noqa: ANN001
    """Return the errors of one material."""
    from atomgraft.phonons.supercell_choice import chosen_supercells

    teams, error = error_of_labels(path, base)
    n_all = sum(len(team.supercells) for team in teams)
    row: dict = {"material": path.name.partition(".")[0], "n": n_all, "base": error(())}
    worth: dict[tuple[int, ...], float] = {}
    for name, n in (("half", max(1, round(0.5 * n_all))), ("one", 1)):
        if n == n_all:
            continue
        found: dict = {}
        for rule, is_rest_answered in RULES.items():
            drawn = []
            for seed in SEEDS:
                order = np.random.default_rng(seed).permutation(len(teams))
                drawn.append(
                    chosen_supercells(
                        [teams[i] for i in order], n, is_rest_answered=is_rest_answered
                    )
                )
            worth |= {one: error(one) for one in set(drawn) - worth.keys()}
            found[rule] = statistics.mean(worth[one] for one in drawn)
            found[f"{rule}, labels"] = statistics.mean(map(len, drawn))
        every = list(subsets(teams, n))
        if every:
            worth |= {one: error(one) for one in set(every) - worth.keys()}
            values = [worth[one] for one in every]
            found |= {
                "any, on average": statistics.mean(values),
                "the best": min(values),
                "the worst": max(values),
            }
        row[name] = found
    return row


def table_lines(rows: Sequence[dict]) -> list[str]:
    """Return one line a number of labels and choice."""
    from atomgraft.metrics.intervals import mean_interval

    lines = [
        "| labels | choice | materials | supercells saved | frequency MAE, THz [95 %] "
        "| median | below 0.1 THz |",
        "|---" * 7 + "|",
    ]

    def line(labels: str, choice: str, values: list[float], saved: str) -> str:
        errors = np.array(values)
        known = mean_interval(errors, np.ones(len(errors))).interval
        interval = "" if known is None else f" [{known[0]:.3f}, {known[1]:.3f}]"
        cells = [
            *(labels, choice, str(len(errors)), saved),
            f"{errors.mean():.3f}{interval}",
            f"{np.median(errors):.3f}",
            str(int((errors < 0.1).sum())),
        ]
        return f"| {' | '.join(cells)} |"

    lines.append(line("none", "base", [row["base"] for row in rows], "100%"))
    for labels in ("half", "one"):
        own = [row for row in rows if labels in row]
        for choice in (*RULES, "any, on average", "the best", "the worst"):
            judged = [row for row in own if choice in row[labels]]
            key = f"{choice}, labels"
            saved = "–"
            if choice in RULES:
                used = sum(row[labels][key] for row in judged)
                saved = f"{1 - used / sum(row['n'] for row in judged):.0%}"
            values = [row[labels][choice] for row in judged]
            lines.append(line(labels, choice, values, saved))
    return lines


def main() -> None:
    """Judge all materials, and write the committed results."""
    import torch

    from atomgraft.run.inputs import load_base

    warnings.simplefilter("ignore")
    base = load_base("7net-0").clone(dtype=torch.float64)
    rows = []
    for path in sorted(phonon_data("phonondb").glob("mp-*")):
        rows.append(row_of(path, base))
        print(rows[-1]["material"], flush=True)
    document = {
        "command": "label_choice.py",
        "base": "7net-0",
        "seeds": len(SEEDS),
        "rows": rows,
    }
    STEM.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n")
    lines = table_lines(rows)
    STEM.with_suffix(".md").write_text("\n".join([*lines, ""]))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
