"""Are structures turned for LAMMPS and back, and its outputs read?"""

import numpy as np
import pytest
from ase.build import bulk

from atomgraft.label.engines.base import Motion
from atomgraft.label.engines.lammps_scripts import (
    BAR,
    PairSetup,
    cell_in,
    data_text,
    dump_blocks,
    failure_in,
    label_script,
    last_step,
    motion_script,
    relax_script,
    rotated,
    stress_of_pressures,
    thermo_rows,
)

SETUP = PairSetup(
    elements=("Mg", "O"), charges=(1.2, -1.2), lines=("pair_style zero 5.0",)
)

LOG = """
   Step          Temp          PotEng
         0   1000.0        -10.0
        50   900.0         -9.0
Loop time of 1 on 1 procs
CELL 4.0 5.0 6.0 1.0 0.0 -0.5
   Step          Temp          PotEng
         0   800.0         -8.0
WARNING: something
       100   700.0         -7.0
Loop time of 2 on 1 procs
"""


def motion(**more):
    given = {
        "temperature": 1000.0,
        "seed": 3,
        "timestep": 2.0,
        "n_steps": 500,
        "frame_every": 50,
        "n_settle": 200,
    }
    return Motion(**given | more)


@pytest.mark.parametrize("is_mirrored", [False, True])
def test_turning_keeps_lengths_and_comes_back(is_mirrored):
    cell = np.random.default_rng(1).normal(size=(3, 3)) * 4
    if (np.linalg.det(cell) < 0) != is_mirrored:
        cell = cell[::-1]
    turned = rotated(cell)
    assert np.allclose(np.triu(turned.cell, 1), 0)
    assert (np.diag(turned.cell) > 0).all()
    assert np.allclose(turned.cell @ turned.rotation, cell)
    assert np.allclose(turned.rotation @ turned.rotation.T, np.eye(3))


def test_the_data_file_holds_every_atom_with_its_charge():
    atoms = bulk("MgO", "rocksalt", a=4.2)
    turned = rotated(atoms.cell.array)
    text = data_text(atoms, SETUP, turned)
    rows = [
        line.split() for line in text.split("Atoms # charge")[1].split("\n") if line
    ]
    assert [row[:3] for row in rows] == [["1", "1", "1.2"], ["2", "2", "-1.2"]]
    back = np.array([row[3:] for row in rows], dtype=float) @ turned.rotation
    assert np.allclose(back, atoms.positions)


def test_pressures_become_stresses_in_the_old_frame():
    cell = np.array([[0, 2.0, 0], [0, 0, 3.0], [4.0, 0, 0]])
    turned = rotated(cell)  # its axes are y, z, x of the structure
    found = stress_of_pressures([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], turned) / BAR
    xx, yy, zz, yz, xz, xy = found
    assert [xx, yy, zz] == pytest.approx([-3.0, -1.0, -2.0])
    assert sorted([yz, xz, xy]) == pytest.approx([-6.0, -5.0, -4.0])
    assert yz == pytest.approx(-4.0)  # LAMMPS's xy


def test_logs_are_read():
    assert thermo_rows(LOG) == [[0, 800, -8], [100, 700, -7]]
    assert last_step(LOG) == 100
    assert last_step("nothing yet") is None
    assert failure_in(LOG) is None
    assert failure_in("x\nERROR: Lost atoms: 3\n") == "Lost atoms: 3"
    turned = rotated(np.diag([4.0, 5.0, 6.0]))
    expected = [[4, 0, 0], [1, 5, 0], [0, -0.5, 6]]
    assert np.allclose(cell_in(LOG, turned), expected)


def test_a_frame_that_is_cut_off_is_none(tmp_path):
    path = tmp_path / "dump"
    head = "ITEM: TIMESTEP\n0\nITEM: ATOMS xu yu zu\n"
    path.write_text(head + "1 2 3\n4 5 6\n" + head + "7 8 9\n")
    [only] = dump_blocks(path, 2)
    assert only.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_scripts_say_what_was_asked():
    assert "fix press" not in motion_script(SETUP, motion(), is_triclinic=False)
    script = motion_script(SETUP, motion(cell="pressure"), is_triclinic=True)
    assert "fix press all npt temp 1000.0 1000.0 0.2 tri 0.0 0.0 2.0" in script
    assert "run 100\nreset_timestep 0" in script  # halves of the 200 steps
    free = motion_script(SETUP, motion(has_thermostat=False), is_triclinic=False)
    assert "unfix heat\nfix keep all nve" in free
    assert "box/relax aniso" in relax_script(SETUP, is_triclinic=False)
    for one in (script, free, label_script(SETUP)):
        assert "units metal" in one


def test_another_seed_is_another_run():
    first, second = (
        motion_script(SETUP, motion(seed=seed), is_triclinic=False) for seed in (0, 1)
    )
    assert first != second
