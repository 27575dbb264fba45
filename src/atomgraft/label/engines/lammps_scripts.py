"""Input files for LAMMPS, in its units ``metal``, and what it leaves behind.

LAMMPS wants a cell of lower triangular form. :func:`rotated` turns a structure so, and
everything that comes back is turned back here: vectors by the same rotation, pressures
into stresses of ASE's sign.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.stress import full_3x3_to_voigt_6_stress
from jaxtyping import Float

from atomgraft.core.seeding import derived_seed
from atomgraft.label.engines.base import Motion

DATA, DUMP, LOG, INPUT = "atoms.data", "moved.dump", "log.lammps", "in.lammps"

BAR = float(units.bar)
"""eV/Å³"""

PICOSECOND = 1000.0
"""fs"""

MAX_SEED = 899_999_999
"""LAMMPS takes seeds up to 9e8."""

DAMPING_STEPS, PRESSURE_STEPS = 100, 1000
"""Time constants of thermostat and barostat, in steps, as LAMMPS recommends."""

SAMPLES_EVERY = 10
"""Steps between two samples of the cell, of which the mean is taken."""

N_DECIMALS = 6
"""Of positions in a dump, Å."""

_ERROR = re.compile(r"^ERROR[^:]*: (.*)$", re.MULTILINE)

_CELL = re.compile(r"^CELL (.*)$", re.MULTILINE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairSetup:
    """Types, charges and interactions.

    Parameters
    ----------
    elements
        Of the types, from 1.
    charges
        Of the types, e.
    lines
        ``pair_style``, ``pair_coeff`` and what belongs to them.
    """

    elements: tuple[str, ...]
    charges: tuple[float, ...]
    lines: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Turned:
    """A structure in the frame of LAMMPS.

    Parameters
    ----------
    cell
        Lower triangular, Å.
    rotation
        ``vectors @ rotation`` turns from LAMMPS to the structure.
    """

    cell: Float[np.ndarray, "3 3"]
    rotation: Float[np.ndarray, "3 3"]


def rotated(cell: Float[np.ndarray, "3 3"]) -> Turned:
    """Return a cell as LAMMPS wants it.

    A left-handed cell is mirrored as well, which changes no energy.

    Examples
    --------
    >>> turned = rotated(np.array([[0, 2.0, 0], [0, 0, 3.0], [4.0, 0, 0]]))
    >>> np.diag(turned.cell).tolist()
    [2.0, 3.0, 4.0]
    """
    q, r = np.linalg.qr(cell.T)
    signs = np.sign(np.diag(r))
    return Turned(cell=(r.T * signs), rotation=(q * signs).T)


def data_text(atoms: Atoms, setup: PairSetup, turned: Turned) -> str:
    """Return the data file of a structure.

    Parameters
    ----------
    atoms
        Periodic in three directions.
    setup
        Has a type for each of its elements.
    turned
        Of its cell.
    """
    c = turned.cell
    types = {element: i for i, element in enumerate(setup.elements, start=1)}
    masses = Atoms(setup.elements).get_masses()
    rows = atoms.positions @ turned.rotation.T
    lines = [
        "atomgraft",
        "",
        f"{len(atoms)} atoms",
        f"{len(types)} atom types",
        f"0 {c[0, 0]:.17g} xlo xhi",
        f"0 {c[1, 1]:.17g} ylo yhi",
        f"0 {c[2, 2]:.17g} zlo zhi",
        f"{c[1, 0]:.17g} {c[2, 0]:.17g} {c[2, 1]:.17g} xy xz yz",
        "",
        "Masses",
        "",
        *(f"{i} {mass}" for i, mass in enumerate(masses, start=1)),
        "",
        "Atoms # charge",
        "",
    ]
    for i, (symbol, row) in enumerate(zip(atoms.symbols, rows, strict=True), start=1):
        kind = types[symbol]
        where = " ".join(f"{x:.17g}" for x in row)
        lines.append(f"{i} {kind} {setup.charges[kind - 1]} {where}")
    return "\n".join(lines) + "\n"


def _head(setup: PairSetup) -> list[str]:
    return [
        "units metal",
        "atom_style charge",
        "boundary p p p",
        "box tilt large",
        f"read_data {DATA}",
        *setup.lines,
        "neighbor 1.0 bin",
        "neigh_modify delay 0 every 1 check yes",
    ]


_PRINT_CELL = 'print "CELL $(lx:%.12f) $(ly:%.12f) $(lz:%.12f) ' + (
    '$(xy:%.12f) $(xz:%.12f) $(yz:%.12f)"'
)


def label_script(setup: PairSetup) -> str:
    """Return the input that computes energy, forces and pressure once."""
    lines = [
        *_head(setup),
        "thermo_style custom step pe pxx pyy pzz pxy pxz pyz",
        'thermo_modify format float "%.15g"',
        f"dump forces all custom 1 {DUMP} fx fy fz",
        'dump_modify forces sort id format float "%.15g"',
        "run 0",
    ]
    return "\n".join(lines) + "\n"


def relax_script(setup: PairSetup, *, is_triclinic: bool) -> str:
    """Return the input that relaxes atoms and cell at zero pressure.

    Parameters
    ----------
    setup
        Of the pairs.
    is_triclinic
        The angles of the cell are free.
    """
    shape = "tri" if is_triclinic else "aniso"
    lines = [*_head(setup), "thermo 10"]
    for _ in range(2):  # the reference cell of box/relax is that of its start
        lines += [
            f"fix cell all box/relax {shape} 0.0 vmax 0.002",
            "minimize 0 1e-4 2000 20000",
            "unfix cell",
        ]
    lines += [
        f"dump last all custom 1 {DUMP} xu yu zu",
        'dump_modify last sort id format float "%.12f"',
        "run 0",
        _PRINT_CELL,
    ]
    return "\n".join(lines) + "\n"


def motion_script(setup: PairSetup, motion: Motion, *, is_triclinic: bool) -> str:
    """Return the input of a run: settle, then record.

    Parameters
    ----------
    setup
        Of the pairs.
    motion
        What is asked; its cell was relaxed before, where that was asked.
    is_triclinic
        The angles of the cell are free.
    """
    T, dt = motion.temperature, motion.timestep / PICOSECOND
    seed = 1 + derived_seed(motion.seed, "velocities") % MAX_SEED
    heat = f"temp {T} {T} {DAMPING_STEPS * dt}"
    lines = [
        *_head(setup),
        f"timestep {dt}",
        f"velocity all create {2 * T} {seed} mom yes rot no dist gaussian loop all",
        "thermo_style custom step temp pe etotal press vol",
        'thermo_modify format float "%.10g"',
        f"thermo {motion.frame_every}",
        'print "STAGE settle"',
    ]
    if motion.cell == "pressure":
        shape = "tri" if is_triclinic else "aniso"
        lines += _settled_at_pressure(heat, dt, motion.n_settle, shape)
    lines += [
        f"fix heat all nvt {heat}",
        f"run {motion.n_settle}",
        *([] if motion.has_thermostat else ["unfix heat", "fix keep all nve"]),
        "velocity all zero linear",
        "reset_timestep 0",
        "set group all image 0 0 0",
        _PRINT_CELL,
        'print "STAGE record"',
        f"dump moved all custom {motion.frame_every} {DUMP} xu yu zu",
        f'dump_modify moved sort id format float "%.{N_DECIMALS}f"',
        f"run {motion.n_steps}",
    ]
    return "\n".join(lines) + "\n"


def _settled_at_pressure(heat: str, dt: float, n_steps: int, shape: str) -> list[str]:
    """Return lines that run at zero pressure, and then take the mean cell."""
    is_triclinic = shape == "tri"
    n_half = max(1, n_steps // (2 * SAMPLES_EVERY)) * SAMPLES_EVERY
    n_samples = n_half // SAMPLES_EVERY
    names = ("lx", "ly", "lz", "xy", "xz", "yz")[: 6 if is_triclinic else 3]
    variables = [f"variable cell{one} equal {one}" for one in names]
    sampled = " ".join(f"v_cell{one}" for one in names)
    taken = [
        f"variable mean{i} equal $(f_mean[{i}]:%.12f)" for i in range(1, len(names) + 1)
    ]
    box = "x final 0 ${mean1} y final 0 ${mean2} z final 0 ${mean3}"
    if is_triclinic:
        box += " xy final ${mean4} xz final ${mean5} yz final ${mean6}"
    return [
        f"fix press all npt {heat} {shape} 0.0 0.0 {PRESSURE_STEPS * dt}",
        f"run {n_half}",
        "reset_timestep 0",
        *variables,
        f"fix mean all ave/time {SAMPLES_EVERY} {n_samples} {n_half} {sampled}",
        f"run {n_half}",
        *taken,
        "unfix mean",
        "unfix press",
        f"change_box all {box} remap units box",
    ]


def failure_in(log: str) -> str | None:
    """Return the error that a log ends with; none without one.

    Examples
    --------
    >>> failure_in("ERROR on proc 0: Lost atoms: 9 (src/thermo.cpp:1)")
    'Lost atoms: 9 (src/thermo.cpp:1)'
    """
    found = _ERROR.search(log)
    return None if found is None else " ".join(found[1].split())


def last_step(log: str) -> int | None:
    """Return the last step that a growing log tells; none before the first."""
    for line in reversed(log.splitlines()[:-1]):  # the last may be half a line
        words = line.split()
        if words and words[0].isdecimal() and _are_numbers(words):
            return int(words[0])
    return None


def thermo_rows(log: str) -> list[list[float]]:
    """Return the rows of the last table of a log."""
    rows: list[list[float]] = []
    is_inside = False
    for line in log.splitlines():
        words = line.split()
        if words[:1] == ["Step"]:
            rows, is_inside = [], True
        elif line.startswith("Loop time"):
            is_inside = False
        elif is_inside and _are_numbers(words):
            rows.append([float(one) for one in words])
    return rows


def _are_numbers(words: Sequence[str]) -> bool:
    try:
        return bool([float(one) for one in words])
    except ValueError:
        return False


def cell_in(log: str, turned: Turned) -> Float[np.ndarray, "3 3"]:
    """Return the last cell that a log tells, turned back.

    Parameters
    ----------
    log
        With a line that starts with CELL.
    turned
        Of the structure.
    """
    lx, ly, lz, xy, xz, yz = (float(one) for one in _CELL.findall(log)[-1].split())
    cell = np.array([[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]])
    return cell @ turned.rotation


def dump_blocks(path: Path, n_atoms: int) -> Iterator[Float[np.ndarray, "atoms 3"]]:
    """Yield the three columns of each complete frame of a sorted dump.

    Parameters
    ----------
    path
        The dump.
    n_atoms
        Of a frame.
    """
    with path.open() as stream:
        for line in stream:
            if not line.startswith("ITEM: ATOMS"):
                continue
            rows = "".join(next(stream, "") for _ in range(n_atoms))
            numbers = np.array(rows.split(), dtype=float)
            if numbers.size == 3 * n_atoms:
                yield numbers.reshape(n_atoms, 3)


def stress_of_pressures(
    pressures: Sequence[float], turned: Turned
) -> Float[np.ndarray, "6"]:
    """Return a stress from pressures xx yy zz xy xz yz in bar.

    Parameters
    ----------
    pressures
        In the frame of LAMMPS.
    turned
        Turns back.

    Returns
    -------
    :
        eV/Å³, tensile-positive, Voigt order, in the frame of the structure.
    """
    xx, yy, zz, xy, xz, yz = pressures
    matrix = -BAR * np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    back = turned.rotation
    return np.asarray(full_3x3_to_voigt_6_stress(back.T @ matrix @ back))
