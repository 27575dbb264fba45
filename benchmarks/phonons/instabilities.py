"""Where unstable crystals go under a model: ladders, and the PhononDB's unstable ones.

Two ladders start from cubic BaTiO3 and KNbO3 at the DFT geometry and should reach R3m
by way of P4mm and Amm2, with energies in that order. The twenty materials of the
PhononDB with imaginary modes under DFT (PBEsol) are followed likewise, in the supercell
of their DFT force sets, so that model and DFT see the same q-points. Needs the data
folder (``$ATOMGRAFT_DATA`` or ``../shared/data``)::

    python benchmarks/phonons/instabilities.py run --out runs/instabilities
    python benchmarks/phonons/instabilities.py table --out runs/instabilities

``run`` can be stopped and started at any time, and ``--minutes`` ends it between two
materials; ``--model FOLDER`` follows an adapted model. The one on the table has seen
DFT's displaced supercells of all four phases of BaTiO3, as force differences, and no
energy (150 steps of one supercell, seed 1)::

    atomgraft adapt ladder.yaml --out runs/ladder-BaTiO3
    python benchmarks/phonons/instabilities.py run --model runs/ladder-BaTiO3 \
        --only BaTiO3

with ``training: {steps: 150, batch_size: 1}``, recipe lora and the four files of
BaTiO3 under ``ladders/`` for ``train`` in ladder.yaml. ``table`` writes
benchmarks/results/phonon_instabilities.json and .md from whatever has finished.
"""

import argparse
import csv
import itertools
import json
import re
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from public_data import phonon_data

RESULTS = Path(__file__).parents[1] / "results"

STUDY_F1 = 0.66
"""Of new phases (precision 0.68, recall 0.65): Grandel, Benner, George, arXiv
2604.01017; MACE-MP-0b3 adapted, other materials, other definitions."""

LADDERS = {
    "BaTiO3": "ladders/mp-2998-BaO3Ti-sg221.yaml.xz",
    "KNbO3": "ladders/mp-935811-KNbO3-sg221.yaml.xz",
}

RUNGS = ("Pm-3m", "P4mm", "Amm2", "R3m")
"""From the highest energy to the lowest; both materials pass them on cooling."""

UNSTABLE = -0.1
"""THz; lowest DFT frequency below which a material is unstable."""

LADDER_SETTINGS: dict[str, Any] = {
    "supercell": ((2, 0, 0), (0, 2, 0), (0, 0, 2)),
    "depth": 3,
    "max_daughters": 8,
    "fmax": 5e-4,
}
"""2x2x2 holds Γ, X, M and R; the 3x3x3 cells of the DFT force sets miss X, M and R."""

PHONONDB_SETTINGS: dict[str, Any] = {"depth": 2, "max_daughters": 3, "fmax": 1e-3}

KNOWN = {
    "BaTiO3": ("R3m", 160, "Kwei et al., J. Phys. Chem. 97, 2368 (1993)"),
    "KNbO3": ("R3m", 160, "Hewat, J. Phys. C 6, 2559 (1973)"),
    "mp-23499-Cl24K8Sn4": (
        "P2_1/c",
        14,
        "Boysen and Hewat, Acta Cryst. B 34, 1412 (1978)",
    ),
    "mp-2175-F4Tl4": (
        "Pbcm",
        57,
        "Berastegui and Hull, J. Solid State Chem. 150 (2000)",
    ),
    "mp-546633-Cl4K4O16": ("Pnma", 62, "the barite structure at room temperature"),
    "mp-550579-O24Pb8Sc4Ta4": (
        "R3",
        146,
        "Woodward and Baba-Kishi, J. Appl. Cryst. 35, 233 (2002)",
    ),
    "mp-6065-Ga4O24Sb4Sr8": ("I4/m", 87, "the tilted double perovskite"),
}
"""The phase known at low temperature, where common knowledge has one."""


def unstable_materials() -> dict[str, tuple[str, float]]:
    """Return file and lowest DFT frequency by material, small crystals first."""
    with phonon_data("phonondb/index.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    chosen = [row for row in rows if float(row["min_frequency_THz"]) < UNSTABLE]
    chosen.sort(key=lambda row: (int(row["supercell_atoms"]) > 40, cost(row)))
    return {
        row["file"].partition(".")[0]: (
            f"phonondb/{row['file']}",
            float(row["min_frequency_THz"]),
        )
        for row in chosen
    }


def cost(row: dict[str, str]) -> int:
    """Return a guess of what a material costs, to do the cheap ones first."""
    return int(row["primitive_atoms"]) * int(row["supercell_atoms"])


def tag_of(model: str) -> str:
    """Return a folder name for a model."""
    return re.sub(r"[^\w-]+", "-", Path(model).name)


def run(arguments: argparse.Namespace) -> None:
    """Follow every material that has no row yet."""
    warnings.simplefilter("ignore")
    place = arguments.out / tag_of(arguments.model)
    (place / "rows").mkdir(parents=True, exist_ok=True)
    tasks = [(name, LADDERS[name], None, LADDER_SETTINGS) for name in LADDERS]
    tasks += [
        (name, file, lowest, PHONONDB_SETTINGS)
        for name, (file, lowest) in unstable_materials().items()
    ]
    began = time.perf_counter()
    for name, file, lowest, settings in tasks:
        row = place / "rows" / f"{name}.json"
        if row.exists() or (arguments.only and name not in arguments.only):
            continue
        if time.perf_counter() - began > 60 * arguments.minutes:
            print("out of time; the same command goes on", flush=True)
            return
        start = time.perf_counter()
        try:
            found = follow(name, file, settings, arguments.model, place / name)
        except Exception:  # noqa: BLE001 - one failed material must not cost the table
            print(name, "failed", traceback.format_exc(), flush=True)
            continue
        found |= {"material": name, "dft_minimum": lowest}
        row.write_text(json.dumps(found, indent=1))
        seconds = time.perf_counter() - start
        print(f"{name}: {found['headline']} {seconds:.0f} s", flush=True)


def follow(
    name: str, file: str, settings: dict[str, Any], model: str, folder: Path
) -> dict[str, Any]:
    """Follow one material, and return its tree without structures."""
    from atomgraft.stabilise.page import write_page
    from atomgraft.stabilise.spec import StabiliseSpec
    from atomgraft.stabilise.work import stabilise

    spec = StabiliseSpec(crystal=str(phonon_data(file)), model=model, **settings)
    result = stabilise(spec, folder, device="cpu")
    write_page(folder, result)
    document = result.model_dump(mode="json")
    for crystal in document["crystals"]:
        del crystal["structure"]
    command = f"python benchmarks/phonons/instabilities.py run --model {model}"
    return document | {"command": command, "file": file, "name": name}


def rows_of(place: Path) -> dict[str, dict[str, Any]]:
    """Return what has finished, by material."""
    found = [json.loads(path.read_text()) for path in sorted(place.glob("*.json"))]
    return {row["material"]: row for row in found}


def ladder_verdict(row: dict[str, Any]) -> dict[str, Any]:
    """Return which rungs were reached, by which ways, and the order of energies."""
    by_group = {one: lowest_of(row, one) for one in RUNGS}
    energies = {
        group: None if one is None else one["energy_change"]
        for group, one in by_group.items()
    }
    known = [energies[one] for one in RUNGS]
    reached = all(one is not None for one in known)
    in_order = reached and all(high > low for high, low in itertools.pairwise(known))
    groups = {one["number"]: one["space_group"] for one in row["crystals"]}
    ways = sorted(
        {
            f"{groups[one['parent']]} -> {groups[one['daughter']]}"
            for one in row["steps"]
            if groups[one["parent"]] in RUNGS and groups[one["daughter"]] in RUNGS
        }
    )
    return {
        "energies_meV_per_atom": energies,
        "stable": {
            group: None if one is None else one["is_stable"]
            for group, one in by_group.items()
        },
        "all_rungs_reached": reached,
        "energies_in_order": in_order,
        "ways": ways,
    }


def lowest_of(row: dict[str, Any], group: str) -> dict[str, Any] | None:
    """Return the crystal of a space group with the lowest energy, or none."""
    found = [one for one in row["crystals"] if one["space_group"] == group]
    return min(found, key=lambda one: one["energy"], default=None)


def summary(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the table says of one material."""
    root, *daughters = row["crystals"]
    done = [one for one in daughters if one["is_converged"]]
    stable = [one for one in done if one["is_stable"]]
    best = min(done, key=lambda one: one["energy"], default=None)
    best_stable = min(stable, key=lambda one: one["energy"], default=None)
    return {
        "root": root,
        "n_daughters": len(daughters),
        "n_converged": len(done),
        "n_stable": len(stable),
        "best": best,
        "best_stable": best_stable,
    }


def agreement(material: str, found: dict[str, Any]) -> str:
    """Compare the lowest crystal with the phase that is known."""
    if material not in KNOWN:
        return "–"
    symbol, number, _ = KNOWN[material]
    best = found["best"]
    if best is None:
        return f"no ({symbol})"
    return "yes" if best["space_group_number"] == number else f"no ({symbol})"


def cells_of(material: str, row: dict[str, Any]) -> list[str]:
    """Return one line of the table."""
    found = summary(row)
    root, best, stable = found["root"], found["best"], found["best_stable"]
    lowest = root["lowest_frequency"]
    dft = row["dft_minimum"]

    def named(one: dict[str, Any] | None) -> str:
        if one is None:
            return "–"
        return f"{one['space_group']} ({one['energy_change']:.1f})"

    return [
        material,
        root["space_group"],
        "–" if dft is None else f"{dft:.2f}",
        f"{lowest:.2f}",
        str(found["n_daughters"]),
        str(found["n_converged"]),
        str(found["n_stable"]),
        named(best),
        named(stable),
        agreement(material, found),
    ]


HEAD = (
    "material",
    "start",
    "DFT lowest, THz",
    "model lowest, THz",
    "daughters",
    "relaxed to the end",
    "of these stable",
    "lowest (meV/atom)",
    "lowest stable (meV/atom)",
    "known phase found",
)


def ladder_lines(rows: dict[str, dict[str, Any]]) -> list[str]:
    """Return what became of the ladders."""
    lines = ["## Ladders", ""]
    for name in LADDERS:
        if name not in rows:
            lines.append(f"- {name}: not run.")
            continue
        found = ladder_verdict(rows[name])
        energies = ", ".join(
            f"{group} {'not reached' if value is None else f'{value:.2f}'}"
            for group, value in found["energies_meV_per_atom"].items()
        )
        stable = [group for group, one in found["stable"].items() if one]
        order = "yes" if found["energies_in_order"] else "no"
        lines.append(
            f"- {name}, {rows[name]['settings']['max_daughters']} trials a crystal: "
            f"{energies} meV/atom. All rungs reached: "
            f"{'yes' if found['all_rungs_reached'] else 'no'}; energies in the order "
            f"of the phases: {order}. Stable under the model: "
            f"{', '.join(stable) or 'none'}. Ways: {'; '.join(found['ways'])}."
        )
    return [*lines, ""]


def total_lines(rows: dict[str, dict[str, Any]], n_asked: int) -> list[str]:
    """Return the sums over the PhononDB's unstable materials."""
    some = {name: row for name, row in rows.items() if name not in LADDERS}
    if not some:
        return ["None followed yet.", ""]
    found = {name: summary(row) for name, row in some.items()}
    unstable = [name for name, one in found.items() if one["root"]["soft"]]
    daughters = sum(one["n_daughters"] for one in found.values())
    stable = sum(one["n_stable"] for one in found.values())
    settled = [name for name in unstable if found[name]["n_stable"]]
    is_final = [
        name for name in settled if found[name]["best"] is found[name]["best_stable"]
    ]
    judged = [name for name in rows if name in KNOWN]
    agreed = [name for name in judged if agreement(name, summary(rows[name])) == "yes"]
    gains = sorted(
        -found[name]["best"]["energy_change"]
        for name in unstable
        if found[name]["best"]
    )
    middle = gains[len(gains) // 2] if gains else float("nan")
    share = f" ({stable / daughters:.0%})" if daughters else ""
    return [
        f"{len(some)} of {n_asked} materials that are unstable under DFT were "
        f"followed. Unstable under the model, relaxed by it, in the same supercell: "
        f"{len(unstable)}. Daughters found: {daughters}, of which {stable} have no "
        f"imaginary mode of their own{share}. Materials with a stable daughter: "
        f"{len(settled)} of {len(unstable)}; in {len(is_final)} it is the lowest of "
        f"all that was found. Median energy gain of the lowest: {middle:.1f} meV/atom.",
        "",
        f"The phase known at low temperature is the lowest one found in {len(agreed)} "
        f"of {len(judged)} materials where common knowledge has one. The study's F1 of "
        f"new phases, {STUDY_F1}, is no number of the same kind: its definition, "
        "models and materials are others.",
        "",
    ]


def table(arguments: argparse.Namespace) -> None:
    """Write the committed results from the rows."""
    lines = [
        "# Where unstable crystals go",
        "",
        "Made by `python benchmarks/phonons/instabilities.py run` and `table`; whole "
        "trees in `phonon_instabilities.json`. Every crystal is relaxed by the model "
        "in float64 (the first one with its symmetry, daughters without); energies "
        "against the first crystal. Ladders: 2x2x2 cells, depth "
        f"{LADDER_SETTINGS['depth']}. PhononDB: the supercell of the DFT force sets, "
        f"depth {PHONONDB_SETTINGS['depth']}, "
        f"{PHONONDB_SETTINGS['max_daughters']} trials a crystal: a daughter "
        "that is not stable may have stable ones further down.",
        "",
    ]
    document: dict[str, Any] = {}
    asked = unstable_materials()
    for place in sorted(arguments.out.glob("*/rows")):
        rows = rows_of(place)
        document[place.parent.name] = rows
        lines += [f"# {place.parent.name}", "", *ladder_lines(rows)]
        lines += ["## The PhononDB's unstable materials", ""]
        lines += total_lines(rows, len(asked))
        lines.append("| " + " | ".join(HEAD) + " |")
        lines.append("|" + "---|" * len(HEAD))
        for name in (*LADDERS, *asked):
            if name in rows:
                lines.append("| " + " | ".join(cells_of(name, rows[name])) + " |")
        missing = [name for name in (*LADDERS, *asked) if name not in rows]
        if missing:
            lines += ["", f"Not run: {', '.join(missing)}."]
        lines.append("")
    lines += ["Known phases: " + known_text() + ".", ""]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "phonon_instabilities.json").write_text(without_places(document))
    text = "\n".join(lines)
    (RESULTS / "phonon_instabilities.md").write_text(text)
    print(text)


def without_places(document: dict[str, Any]) -> str:
    """Return JSON, a material a line; where it ran is nobody's business."""
    parts = []
    for model, rows in document.items():
        inner = []
        for name, row in rows.items():
            for session in row["provenance"]:
                session["command"] = row["command"]
            inner.append(f"{json.dumps(name)}: {json.dumps(row)}")
        parts.append(f"{json.dumps(model)}: {{\n" + ",\n".join(inner) + "\n}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def known_text() -> str:
    """Return the phases that common knowledge has, with where it stands."""
    return "; ".join(
        f"{name} {symbol} ({source})" for name, (symbol, _, source) in KNOWN.items()
    )


def main() -> None:
    """Parse and do."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--out", type=Path, default=Path("runs/instabilities"))
    parser.add_argument("--model", default="7net-0")
    parser.add_argument("--only", nargs="+", help="Names of materials.")
    parser.add_argument("--minutes", type=float, default=600.0)
    arguments = parser.parse_args()
    {"run": run, "table": table}[arguments.what](arguments)


if __name__ == "__main__":
    main()
