"""Ionic conductivities of solid electrolytes from formula, cell and structure.

The measured conductivities of OBELiX with its own test rows, learned by ``atomgraft
distil`` in decades. Rows of one paper or family stay together in validation. Three
settings: all rows with a number, described by formula, cell and space group; the same
with structures where there are any; rows with a structure alone. Values that are known
as upper limits pull predictions down in a further setting, and have no error below::

    python benchmarks/transport/obelix.py run --out runs/obelix
    python benchmarks/transport/obelix.py table --out runs/obelix

Choices are made in grouped validation; the test is predicted once, by every method in
the table. Published on rows with a structure: 1.388 decades. Needs the data folder
(``$ATOMGRAFT_DATA`` or ``../shared/data``).
"""

import argparse
import csv
import json
import os
import sys
import tarfile
from pathlib import Path

RESULTS = Path(__file__).parent.parent / "results"
TARGET = "Ionic conductivity (S cm-1)"

COLUMNS = {
    "decades": True,
    "unit": "decades",
    "name": "ID",
    "group": ["DOI", "Reduced Composition"],
    "composition": "True Composition",
    "lattice": ["a", "b", "c", "alpha", "beta", "gamma"],
    "space_group": "Space group #",
    "folds": 5,
}
"""How `distil` reads the tables, and divides them."""

FORMULA = ("composition", "lattice")
STRUCTURE = (*FORMULA, "packing", "sites", "pathways")
MODEL = "7net-0"

SETTINGS: dict[str, dict] = {
    "all rows, formula and cell": {
        "features": FORMULA,
        "methods": ("kernel ridge",),  # trees are among the controls
    },
    "all rows, structures where known": {"features": STRUCTURE, "is_structured": True},
    "rows with a structure": {
        "features": STRUCTURE,
        "is_structured": True,
        "only": "structure",
    },
    "rows with a structure, model": {
        "features": (*STRUCTURE, "invariants"),
        "is_structured": True,
        "only": "structure",
        "model": MODEL,
    },
    "rows with a structure, limits": {
        "features": STRUCTURE,
        "is_structured": True,
        "only": "structure",
        "limits": True,
    },
}


def folder() -> Path:
    """Return the data folder, or say that it is absent."""
    found = Path(os.environ.get("ATOMGRAFT_DATA", "../shared/data")) / "transport"
    if not (found / "obelix-all.csv").is_file():
        sys.exit(f"No data at {found}: set ATOMGRAFT_DATA.")
    return found


def unpacked(out: Path) -> Path:
    """Return the folder of CIF files."""
    place = out / "cifs"
    if not place.is_dir():
        with tarfile.open(folder() / "obelix-all_cifs.tar.gz") as archive:
            archive.extractall(out, filter="data")
        next(out.glob("all_*cifs")).rename(place)
    return place


def table_of(part: str, out: Path, setting: dict) -> Path:
    """Write the rows of a setting as a table beside the CIF files."""
    cifs = {path.stem for path in unpacked(out).glob("*.cif")}
    with (folder() / f"obelix-{part}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    kept = []
    for row in rows:
        is_limit = row[TARGET].strip().startswith("<")
        if is_limit and (part == "test" or not setting.get("limits")):
            continue
        if setting.get("only") == "structure" and row["ID"] not in cifs:
            continue
        kept.append(row)
    name = "-".join([part, setting.get("only", "all"), str(len(kept))])
    path = out / f"{name}.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*kept[0]])
        writer.writeheader()
        writer.writerows(kept)
    return path


def slug(setting: str) -> str:
    """Return the name of a folder."""
    return setting.replace(", ", "-").replace(" ", "-")


def run(out: Path) -> None:
    """Compare methods in every setting."""
    import atomgraft as ag

    out.mkdir(parents=True, exist_ok=True)
    for name, setting in SETTINGS.items():
        train, test = (table_of(part, out, setting) for part in ("train", "test"))
        ag.distil(
            train,
            TARGET,
            "Li",
            test=[str(test)],
            **COLUMNS,
            structures="cifs/{ID}.cif" if setting.get("is_structured") else "",
            features=setting["features"],
            methods=setting.get("methods", ()),
            model=setting.get("model", ""),
            cache=str(out / "features"),
            out=out / slug(name),
        )


def table(out: Path) -> None:
    """Write the table of all settings."""
    from atomgraft.transport.distil.record import DISTIL
    from atomgraft.transport.distil.tables import columns_of, rows_of

    lines = [
        "# Ionic conductivity: errors by method",
        "",
        "Made by `python benchmarks/transport/obelix.py`. Measured conductivities at"
        " room temperature, mean absolute errors of the decimal logarithm with 95 %"
        " intervals over groups: rows of one paper or of one formula stay together."
        " Methods are"
        " chosen in validation; the test rows are those of the data set. The first"
        " setting is that of the predictor that ships (`scripts/ready_predictor.py`).",
    ]
    kept = {}
    for name in SETTINGS:
        if not (out / slug(name) / DISTIL.file).is_file():
            lines += ["", f"## {name.capitalize()}", "", "Not measured yet."]
            continue
        result = DISTIL.read(out / slug(name))
        n_test = sum(one.is_test for one in result.predictions)
        about = (
            f"{result.n_materials} rows in {result.n_groups} groups, {n_test} test"
            f" rows, {len(result.left_out)} left out, {len(result.bare)} described by"
            " formula although a file is there."
        )
        lines += [
            "",
            f"## {name.capitalize()}",
            "",
            f"{about} {result.headline}",
            "",
            "| " + " | ".join(columns_of(result)) + " |",
            "|" + "---|" * len(columns_of(result)),
            *("| " + " | ".join(row) + " |" for row in rows_of(result)),
        ]
        kept[name] = result.model_dump(mode="json", exclude={"predictions"})
    (RESULTS / "transport_obelix.md").write_text("\n".join([*lines, ""]))
    (RESULTS / "transport_obelix.json").write_text(json.dumps(kept, indent=0) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("verb", choices=("run", "table"))
    parser.add_argument("--out", type=Path, default=Path("runs/obelix"))
    given = parser.parse_args()
    run(given.out) if given.verb == "run" else table(given.out)
