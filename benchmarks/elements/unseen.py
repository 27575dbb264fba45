"""A foundation model that has lost an element, and how many frames bring it back.

The numbers of germanium in 7net-0 are overwritten by those of silicon
(``--map Si:Ge``). This model and the original learn from the same n shipped germanium
cells of 8 atoms (``full``, the same settings) and are tested on snapshots of molecular
dynamics that neither saw. The target: within 20 % of the original at 10 frames::

    python benchmarks/elements/unseen.py run
    python benchmarks/elements/unseen.py table

Finished rows are in benchmarks/results/element_unseen.json.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from curve_tables import by_draw, complete, of, with_interval
from learning_curves import errors, is_there
from starts import RESULTS

RESULT = RESULTS / "element_unseen.json"

SIZES = (0, 1, 2, 5, 10)
N_DRAWS = 5
STEPS, BATCH, RATE = 300, 2, 1e-3
KEPT, LOST = "its own germanium", "silicon in place of germanium"
MAPS = {KEPT: {}, LOST: {"map": "Si:Ge"}}


def run() -> None:
    """Train and test what is missing."""
    import atomgraft as ag
    from atomgraft.adaptation.axes import ElementMap
    from atomgraft.adaptation.element_maps import decide_map
    from atomgraft.data.readers import read_structures
    from atomgraft.models.loading import load_potential
    from atomgraft.run.inputs import merged_run

    pool = read_structures(["shipped:ge-train"])
    test = read_structures(["shipped:ge-test"])
    for n in SIZES:
        for draw in range(N_DRAWS if n else 1):
            for arm, settings in MAPS.items():
                key = {"arm": arm, "n": n, "draw": draw}
                document = read()
                if is_there(document["rows"], **key):
                    continue
                order = np.random.default_rng(draw).permutation(len(pool))
                if n:
                    with tempfile.TemporaryDirectory() as place:
                        trained = ag.adapt(
                            "7net-0",
                            train=[pool[i].copy() for i in order[:n]],
                            recipe="full",
                            steps=STEPS,
                            batch_size=min(BATCH, n),
                            lr=RATE,
                            seed=draw,
                            out=Path(place) / "run",
                            progress=False,
                            **settings,
                        )
                        model = merged_run(trained.folder)
                else:
                    model = load_potential("7net-0")
                    if settings:
                        wanted = ElementMap.model_validate(settings["map"])
                        model = decide_map(wanted, model, test).apply(model)
                row = {**key, "seed": draw, "errors": errors(model, test)}
                document["rows"].append(row)
                RESULT.write_text(json.dumps(document, indent=0) + "\n")
                print(n, draw, arm, f"{row['errors']['all']:.4f}", flush=True)


def read() -> dict:
    """Return what is finished."""
    from atomgraft.core.provenance import package_versions

    if RESULT.is_file():
        return json.loads(RESULT.read_text())
    return {"command": "unseen.py run", "versions": package_versions(), "rows": []}


def table(document: dict) -> str:
    """Return the table, Markdown."""
    from atomgraft.metrics.intervals import student_interval

    lines = [
        "# 7net-0 without its germanium",
        "",
        "Made by `python benchmarks/elements/unseen.py`. All numbers of germanium are"
        " overwritten by those of silicon before training; weights that all elements"
        " share were trained with germanium, and stay. `full`, one learning rate for"
        f" both ({RATE:g}), {STEPS} steps. Mean absolute errors on 50 snapshots of 8"
        f" atoms (`ge-test`), geometric means over {N_DRAWS} draws of the training"
        " frames with 95 % intervals; ratios are those of the same draws.",
        "",
        f"| frames | {KEPT}: force MAE, eV/Å | {LOST} | ratio | energy MAE, meV/atom:"
        f" {KEPT} | {LOST} |",
        "|---" * 6 + "|",
    ]
    rows_of_both = complete(document["rows"])
    for n in SIZES:
        kept, lost = (of(rows_of_both, arm, n) for arm in MAPS)
        if not (kept and lost):
            continue
        forces = [by_draw(rows, "all") for rows in (kept, lost)]
        logs = np.log(forces[1] / forces[0])
        ends = student_interval(logs)
        spread = f" [{np.exp(ends[0]):.2f}, {np.exp(ends[1]):.2f}]" if ends else ""
        cells = [
            str(n),
            *(with_interval(one, 4) for one in forces),
            f"{np.exp(logs.mean()):.2f}{spread}",
            *(with_interval(by_draw(rows, "energy"), 1) for rows in (kept, lost)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("verb", choices=("run", "table"))
    given = parser.parse_args()
    if given.verb == "run":
        run()
    else:
        RESULT.with_suffix(".md").write_text(table(read()))
