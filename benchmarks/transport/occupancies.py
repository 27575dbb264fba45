"""How many CIF files of OBELiX keep their lithium: read by ASE, and with occupancies.

OBELiX (CC BY 4.0) has 321 CIF files of lithium conductors, of which 72 are ordered, and
states the composition of each cell. Every file is read by ``ase.io.read`` and by
``atomgraft.data.disorder``, and gets one ordered example of at most 200 atoms. Needs
the data folder (``$ATOMGRAFT_DATA`` or ``../shared/data``)::

    python benchmarks/transport/occupancies.py

writes benchmarks/results/transport_occupancies.json and .md.
"""

import collections
import csv
import json
import os
import statistics
import sys
import tarfile
import tempfile
import time
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms

from atomgraft.core.provenance import file_fingerprint, machine, package_versions
from atomgraft.data.disorder.average import AverageStructure
from atomgraft.data.disorder.cif_files import read_cif
from atomgraft.data.disorder.formulas import counts_of
from atomgraft.data.disorder.ordering import MAX_ATOMS, ordered

RESULTS = Path(__file__).parents[1] / "results"
TOLERANCE = 0.02
"""Relative difference of the lithium content up to which it is right."""

Counts = Mapping[str, float]


def same(found: Counts, stated: Counts, *, to_others: bool = False) -> bool:
    """Tell whether the lithium is right, in the cell or against the other atoms."""
    amounts = [one.get("Li", 0.0) for one in (found, stated)]
    if to_others:
        amounts = [
            n / max(1e-9, sum(one.values()) - n)
            for n, one in zip(amounts, (found, stated), strict=True)
        ]
    return abs(amounts[0] - amounts[1]) <= TOLERANCE * amounts[1]


def counted(atoms: Atoms) -> dict[str, float]:
    """Return the atoms of each element."""
    return {
        k: float(n)
        for k, n in collections.Counter(atoms.get_chemical_symbols()).items()
    }


def by_ase(path: Path) -> Atoms:
    """Return what ASE reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = ase.io.read(path)
    assert isinstance(found, Atoms)
    return found


def is_same_crystal(one: Atoms, other: Atoms) -> bool:
    """Tell whether two structures have the same atoms at the same places."""
    if len(one) != len(other) or (one.numbers != other.numbers).any():
        return False
    moved = one.get_scaled_positions() - other.get_scaled_positions()
    near = np.allclose(moved, np.round(moved), atol=1e-6)
    return near and np.allclose(one.cell.array, other.cell.array, atol=1e-9)


def reason(structure: AverageStructure, stated: Counts) -> str:
    """Return why lithium of a file is not that of the table."""
    if not structure.composition.get("Li"):
        return "the file lists no lithium"
    if same(structure.composition, stated, to_others=True):
        return "another number of formula units in the cell"
    if structure.findings:
        return "sites differ from the formula of the file"
    return "the formula of the file is not that of the table"


def measured(path: Path, stated: Counts) -> dict[str, Any]:
    """Return what is found in one file."""
    [structure] = read_cif(path)
    ase_counts, counts = counted(by_ase(path)), structure.composition
    start = time.process_time()
    found = ordered(structure)
    seconds = time.process_time() - start
    row: dict[str, Any] = {
        "is_ordered": structure.is_ordered,
        "findings": sorted(structure.doubts()),
        "ase": same(ase_counts, stated),
        "ase_to_others": same(ase_counts, stated, to_others=True),
        "ase_none": not ase_counts.get("Li"),
        "ours": same(counts, stated),
        "ours_to_others": same(counts, stated, to_others=True),
        "reason": None if same(counts, stated) else reason(structure, stated),
        "exclusion": found.exclusion,
        "notes": list(found.notes),
        "seconds": round(seconds, 2),
    }
    if structure.is_ordered:
        row["as_ase"] = is_same_crystal(found.structures[0], by_ase(path))
    elif found.structures:
        atoms = found.structures[0]
        row["n_atoms"] = len(atoms)
        row["lithium"] = lithium_change(counted(atoms), counts)
    return row


def lithium_change(found: Counts, nominal: Counts) -> float:
    """Return the relative change of lithium for each atom that is no lithium."""
    shares = [
        one.get("Li", 0.0) / (sum(one.values()) - one.get("Li", 0.0))
        for one in (found, nominal)
    ]
    return round(shares[0] / shares[1] - 1, 4) if shares[1] else 0.0


def rows_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what is found in every file, by its name in the table."""
    with (folder / "obelix-all.csv").open() as stream:
        table = {one["ID"]: one["True Composition"] for one in csv.DictReader(stream)}
    rows: dict[str, dict[str, Any]] = {}
    with (
        tempfile.TemporaryDirectory() as place,
        tarfile.open(folder / "obelix-all_cifs.tar.gz") as archive,
    ):
        archive.extractall(place, filter="data")
        for path in sorted(Path(place).rglob("*.cif")):
            stated = counts_of(table[path.stem])
            assert stated is not None
            rows[path.stem] = measured(path, stated)
    return rows


def summary(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the counts."""
    every = list(rows.values())
    disordered = [one for one in every if not one["is_ordered"]]
    placed = [one for one in disordered if one["exclusion"] is None]
    changes = [abs(one["lithium"]) for one in placed]
    times = [one["seconds"] for one in disordered]
    names = ("ase", "ase_to_others", "ase_none", "ours", "ours_to_others", "is_ordered")
    return {
        "files": len(every),
        **{name: sum(one[name] for one in every) for name in names},
        "ordered_as_ase": sum(one.get("as_ase", False) for one in every),
        "reasons": _tally(one["reason"] for one in every if one["reason"]),
        "findings": _tally(text for one in every for text in one["findings"]),
        "examples": len(placed),
        "exclusions": _tally(
            one["exclusion"] for one in disordered if one not in placed
        ),
        "lithium_within_2_percent": sum(one <= 0.02 for one in changes),
        "lithium_within_5_percent": sum(one <= 0.05 for one in changes),
        "lithium_largest": max(changes),
        "atoms_median": statistics.median(one["n_atoms"] for one in placed),
        "notes": _tally(kind for one in placed for kind in _kinds(one["notes"])),
        "seconds_median": statistics.median(times),
        "seconds_largest": max(times),
    }


def _tally(found: Iterable[str]) -> dict[str, int]:
    return dict(collections.Counter(str(one) for one in found).most_common())


KINDS = (
    ("no charges", "charges are not used: they do not balance"),
    ("rounded", "numbers of atoms rounded"),
    ("a charge of", "charged after rounding"),
    ("moved", "atoms moved to other sites"),
    ("closer", "pairs closer than usual"),
)


def _kinds(notes: list[str]) -> set[str]:
    return {name for word, name in KINDS for one in notes if word in one}


def table(found: dict[str, Any]) -> list[str]:
    """Return the lines of the table."""
    n, k = found["files"], found["files"] - found["is_ordered"]
    return [
        "# Occupancies of the CIF files of OBELiX",
        "",
        f"Made by `python benchmarks/transport/occupancies.py`: {n} files,"
        f" {found['is_ordered']} of them ordered. Lithium is right within 2 % of the"
        " composition in the table of OBELiX.",
        "",
        "| lithium of the file | `ase.io.read` | with occupancies |",
        "|---|---|---|",
        f"| right, atoms in the cell | {found['ase']} | {found['ours']} |",
        f"| right, against the other atoms | {found['ase_to_others']} |"
        f" {found['ours_to_others']} |",
        f"| none read | {found['ase_none']} |"
        f" {found['reasons'].get('the file lists no lithium', 0)} |",
        f"| ordered files read alike | | {found['ordered_as_ase']} |",
        "",
        "| with occupancies, not as in the table | files |",
        "|---|---|",
        *(f"| {name} | {count} |" for name, count in found["reasons"].items()),
        "",
        "| doubts about a file | files |",
        "|---|---|",
        *(f"| {name} | {count} |" for name, count in found["findings"].items()),
        *([] if found["findings"] else ["| none | |"]),
        "",
        f"| ordered examples of the other {k}, at most {MAX_ATOMS} atoms | files |",
        "|---|---|",
        f"| with an example | {found['examples']} |",
        *(f"| excluded: {name} | {count} |" for name, count in
          found["exclusions"].items()),
        "| lithium within 2 % of the occupancies |"
        f" {found['lithium_within_2_percent']} |",
        f"| lithium within 5 % | {found['lithium_within_5_percent']} |",
        *(f"| {name} | {count} |" for name, count in found["notes"].items()),
        "",
        "Where there is little lithium, none may fit: its content differs by"
        f" {found['lithium_largest']:.0%} at most. An example has"
        f" {found['atoms_median']:g} atoms and takes {found['seconds_median']:.2f}"
        f" CPU-s (medians; at most {found['seconds_largest']:.2f} CPU-s).",
    ]  # fmt: skip


def main() -> None:
    """Read all files, and write the table."""
    folder = Path(os.environ.get("ATOMGRAFT_DATA", "../shared/data")) / "transport"
    if not folder.is_dir():
        sys.exit(f"No data at {folder}: set ATOMGRAFT_DATA.")
    rows = rows_of(folder)
    document = {
        "command": "python benchmarks/transport/occupancies.py",
        "data": {
            name: file_fingerprint(folder / name)
            for name in ("obelix-all.csv", "obelix-all_cifs.tar.gz")
        },
        "versions": package_versions(),
        "machine": machine(),
        "seed": 0,
        "max_atoms": MAX_ATOMS,
        "summary": summary(rows),
        "rows": rows,
    }
    text = json.dumps(document, indent=1)
    (RESULTS / "transport_occupancies.json").write_text(text + "\n")
    lines = [*table(document["summary"]), ""]
    (RESULTS / "transport_occupancies.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
