"""Are energies, forces and motion by LAMMPS those of the formulae?"""

import numpy as np
import pytest
from ase.build import bulk
from ase.spacegroup import crystal
from ase.stress import full_3x3_to_voigt_6_stress
from matscipy.neighbours import neighbour_list
from scipy.special import erfc

from atomgraft.label.engines.base import Motion, make_engine
from atomgraft.label.engines.lammps_scripts import thermo_rows
from atomgraft.label.engines.pmmcs import (
    COULOMB_CUTOFF,
    CUTOFF,
    DAMPING,
    IONS,
    ions_of,
)

pytestmark = pytest.mark.lammps

COULOMB = 14.399645
"""e²/(4 π ε0) in eV Å, as LAMMPS has it in units metal."""

SAME = 1e-6
"""Relative; LAMMPS tabulates nothing here, and its erfc has an error of 1e-7."""

TABULATED = 2e-5
"""eV/Å³; the derivative of an erfc with an error of 1e-7 is not its own derivative."""

LATTICE = 0.02
"""Relative; the force field was fitted to these crystals, with Ewald sums."""


def rutile(metal, a, c, u):
    return crystal(
        [metal, "O"],
        [(0, 0, 0), (u, u, 0)],
        spacegroup=136,
        cellpar=[a, a, c] + [90] * 3,
    )


def antifluorite(metal, a):
    return crystal(
        ["O", metal],
        [(0, 0, 0), (0.25, 0.25, 0.25)],
        spacegroup=225,
        cellpar=[a] * 3 + [90] * 3,
    )


def lithium_silicate():
    """A strange, rattled crystal of three elements without any symmetry."""
    atoms = crystal(
        ["Li", "Si", "O", "O"],
        [(0.174, 0.345, 0), (0, 0.17, 0.49), (0.145, 0.31, 0.41), (0, 0.11, 0.87)],
        spacegroup=36,
        cellpar=[9.36, 5.395, 4.675] + [90] * 3,
    )
    atoms.set_cell(
        atoms.cell.array @ [[1, 0.1, 0], [0, 1, -0.05], [0.02, 0, 1]], scale_atoms=True
    )
    atoms.rattle(0.05, seed=1)
    return atoms


def evaluated(atoms):
    """Return energy, forces and stress of PMMCS from the formulae, pair by pair.

    The self-energy of a charge is half the damped and shifted potential of a pair at
    distance zero, without the bare 1 / r.
    """
    ions = [IONS[ions_of(atoms)[one]] for one in atoms.symbols]
    q = np.array([one.charge for one in ions])
    is_oxygen = np.array(atoms.symbols) == "O"
    i, j, d, D = neighbour_list("ijdD", atoms, COULOMB_CUTOFF)
    R, A = COULOMB_CUTOFF, DAMPING
    gauss = 2 * A / np.sqrt(np.pi)
    edge = erfc(A * R) / R**2 + gauss * np.exp(-((A * R) ** 2)) / R
    V = q[i] * q[j] * (erfc(A * d) / d - erfc(A * R) / R + edge * (d - R))
    slope = erfc(A * d) / d**2 + gauss * np.exp(-((A * d) ** 2)) / d - edge
    dV = -q[i] * q[j] * slope
    energy = 0.5 * COULOMB * V.sum()
    own = (erfc(A * R) / R + edge * R) / 2 + A / np.sqrt(np.pi)
    energy -= COULOMB * own * (q**2).sum()
    dV = COULOMB * dV
    chosen = (is_oxygen[i] | is_oxygen[j]) & (d < CUTOFF)
    cation = np.where(is_oxygen[i], j, i)[chosen]  # of two oxygens either will do
    p = np.array([[*ions[k][1:]] for k in cation])

    def morse(r):
        e = np.exp(-p[:, 1] * (r - p[:, 2]))
        return p[:, 0] * ((1 - e) ** 2 - 1) + p[:, 3] / r**12

    def morse_slope(r):
        e = np.exp(-p[:, 1] * (r - p[:, 2]))
        return 2 * p[:, 0] * p[:, 1] * (1 - e) * e - 12 * p[:, 3] / r**13

    energy += 0.5 * (morse(d[chosen]) - morse(CUTOFF)).sum()
    dV[chosen] += morse_slope(d[chosen])
    forces = np.zeros((len(atoms), 3))
    pulls = (dV / d)[:, None] * D
    np.add.at(forces, i, pulls)
    stress = 0.5 * D.T @ pulls / atoms.get_volume()
    return energy, forces, full_3x3_to_voigt_6_stress(stress)


@pytest.fixture(scope="module")
def engine():
    return make_engine("pmmcs", {})


def test_labels_are_those_of_the_formulae(engine):
    atoms = lithium_silicate()
    found = engine.label(atoms)
    energy, forces, stress = evaluated(atoms)
    assert found.energy == pytest.approx(energy, rel=SAME)
    scale = np.abs(forces).max()
    assert np.allclose(found.forces, forces, atol=SAME * scale)
    assert np.allclose(found.stress, stress, atol=SAME)


def test_the_formulae_can_tell(engine):
    """Negative control: another structure, and another element, give other labels."""
    atoms = lithium_silicate()
    found = engine.label(atoms)
    atoms.positions[0, 0] += 0.01
    energy, *_ = evaluated(atoms)
    assert found.energy != pytest.approx(energy, rel=SAME)
    atoms.positions[0, 0] -= 0.01
    atoms.symbols[atoms.numbers == 3] = "Na"
    assert found.energy != pytest.approx(evaluated(atoms)[0], rel=1e-3)


def test_stress_is_the_derivative_of_the_energy(engine):
    atoms = lithium_silicate()
    found = engine.label(atoms)
    h = 1e-4
    for k, a, b in ((1, 1, 1), (5, 0, 1)):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[a, b] += sign * h / 2
            strain[b, a] += sign * h / 2
            moved = atoms.copy()
            moved.set_cell(atoms.cell.array @ strain, scale_atoms=True)
            energies.append(engine.label(moved).energy)
        slope = (energies[0] - energies[1]) / (2 * h) / atoms.get_volume()
        assert found.stress[k] == pytest.approx(slope, abs=TABULATED)


def test_a_turned_crystal_has_turned_forces(engine):
    atoms = lithium_silicate()
    turned = atoms.copy()
    turned.rotate(40, (1, 2, 3), rotate_cell=True)
    matrix = np.linalg.solve(atoms.cell.array, turned.cell.array)
    here, there = engine.label(atoms), engine.label(turned)
    assert there.energy == pytest.approx(here.energy, rel=1e-10)
    assert np.allclose(there.forces, here.forces @ matrix, atol=1e-8)


@pytest.mark.parametrize(
    ("atoms", "a"),
    [
        (bulk("MgO", "rocksalt", a=4.4), 4.212),
        (bulk("CaO", "rocksalt", a=4.6), 4.811),
        (antifluorite("Li", 4.8), 4.619),
    ],
    ids=["MgO", "CaO", "Li2O"],
)
def test_lattice_constants_are_those_of_experiment(engine, atoms, a):
    """The starting cells are several per cent off."""
    volume = engine.relaxed(atoms).get_volume() * (4 if len(atoms) == 2 else 1)
    assert volume ** (1 / 3) == pytest.approx(a, rel=LATTICE)


def test_energy_is_conserved_without_a_thermostat(engine, tmp_path):
    """The spread of the total energy falls with the square of the timestep."""
    spreads = []
    for timestep in (2.0, 1.0):
        motion = Motion(
            temperature=1000.0,
            seed=0,
            timestep=timestep,
            n_steps=int(200 / timestep),
            frame_every=int(10 / timestep),
            n_settle=int(100 / timestep),
            repeats=(3, 3, 3),
            cell="fixed",
            has_thermostat=False,
        )
        moved = engine.move(bulk("MgO", "rocksalt", a=4.23), motion, tmp_path, silent)
        rows = np.array(thermo_rows((tmp_path / "log.lammps").read_text()))
        total = rows[:, 3] / len(moved.atoms)
        spreads.append(float(total.std()))
    assert spreads[0] < 1e-3  # eV per atom, against 0.13 of kinetic energy
    assert spreads[1] < 0.5 * spreads[0]


def test_the_thermostat_holds_the_temperature(engine, tmp_path):
    motion = Motion(
        temperature=800.0,
        seed=1,
        timestep=2.0,
        n_steps=500,
        frame_every=10,
        n_settle=500,
        repeats=(3, 3, 3),
        cell="relax",
    )
    moved = engine.move(bulk("MgO", "rocksalt", a=4.23), motion, tmp_path, silent)
    assert moved.temperature == pytest.approx(800, rel=0.1)  # 54 atoms
    centre = moved.positions.mean(axis=1)
    masses = moved.atoms.get_masses()
    weighted = (moved.positions * masses[:, None]).sum(axis=1) / masses.sum()
    assert np.abs(weighted - weighted[0]).max() < 1e-3
    assert centre.shape == (51, 3)


def test_the_mean_cell_of_a_run_at_pressure_is_larger(engine, tmp_path):
    motion = Motion(
        temperature=1500.0,
        seed=1,
        timestep=2.0,
        n_steps=10,
        frame_every=10,
        n_settle=2000,
        repeats=(3, 3, 3),
        cell="pressure",
    )
    cold = engine.relaxed(bulk("MgO", "rocksalt", a=4.23))
    moved = engine.move(cold, motion, tmp_path, silent)
    growth = (moved.atoms.get_volume() / 27 / cold.get_volume()) ** (1 / 3) - 1
    assert 0.008 < growth < 0.04  # experiment: 1.9 % from 0 to 1500 K


def silent(*_):
    """Listen to nothing."""
