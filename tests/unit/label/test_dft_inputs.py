"""Do the inputs hold the structure that was chosen, and ask for every label?"""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from atomgraft.core.errors import BadInputError
from atomgraft.label.dft_inputs import (
    PROGRAMS,
    STRUCTURE,
    DftSettings,
    k_grid,
    write_inputs,
)
from tests.unit.label.crystals import silicon


def zincblende():
    atoms = bulk("GaAs", "zincblende", a=5.65).repeat((2, 1, 1))
    atoms.rattle(0.05, seed=2)
    return atoms


@pytest.fixture
def written(tmp_path):
    settings = DftSettings(functional="PBEsol", cutoff=600.0)
    notices = write_inputs(
        tmp_path, [silicon(), zincblende()], list(PROGRAMS), settings
    )
    return tmp_path / "label" / "002", notices


def distances(atoms):
    found = atoms.get_all_distances(mic=True)
    return np.sort(found[np.ix_(atoms.symbols == "Ga", atoms.symbols == "As")].ravel())


@pytest.mark.parametrize(
    ("name", "file_format"),
    [
        ("vasp/POSCAR", "vasp"),
        ("espresso/pw.in", "espresso-in"),
        (f"gpaw/{STRUCTURE}", "extxyz"),
    ],
)
def test_the_structure_reads_back(written, name, file_format):
    folder, _ = written
    again = ase.io.read(folder / name, format=file_format)
    assert np.allclose(again.cell.array, zincblende().cell.array, atol=1e-8)
    assert np.allclose(distances(again), distances(zincblende()), atol=1e-7)


def test_every_program_is_asked_for_the_same(written):
    folder, _ = written
    incar = (folder / "vasp" / "INCAR").read_text()
    assert "ENCUT = 600" in incar
    assert "GGA = PS" in incar
    assert "NSW = 0" in incar
    pw = (folder / "espresso" / "pw.in").read_text()
    assert ".true." in pw[pw.index("tprnfor") :].splitlines()[0]
    assert ".true." in pw[pw.index("tstress") :].splitlines()[0]
    assert "44.1" in pw  # 600 eV in Ry
    script = (folder / "gpaw" / "run_gpaw.py").read_text()
    compile(script, "run_gpaw.py", "exec")
    assert 'xc="PBEsol"' in script
    assert "PW(600)" in script


def test_grids_are_the_same_everywhere(written):
    folder, _ = written
    grid = k_grid(zincblende(), DftSettings().k_spacing)
    line = " ".join(map(str, grid))
    assert line in (folder / "vasp" / "KPOINTS").read_text()
    assert line in (folder / "espresso" / "pw.in").read_text()
    assert str(grid) in (folder / "gpaw" / "run_gpaw.py").read_text()


def test_what_is_missing_is_said_once(written):
    _, notices = written
    text = " ".join(notices)
    assert text.count("POTCAR") == 1
    assert "Ga.SSSP_PBEsol_efficiency.upf" in text
    assert "run_gpaw.py" in text


def test_grids_follow_the_cell():
    assert k_grid(silicon(), 0.25) == (5, 5, 5)
    assert k_grid(silicon().repeat((2, 1, 1)), 0.25) == (3, 5, 5)
    assert k_grid(silicon(), 100.0) == (1, 1, 1)
    slab = Atoms("Si", cell=(3, 3, 20), pbc=(True, True, False))
    assert k_grid(slab, 0.25)[2] == 1


def test_an_unknown_program_is_answered(tmp_path):
    with pytest.raises(BadInputError, match="Did you mean 'gpaw'"):
        write_inputs(tmp_path, [silicon()], ["gpav"], DftSettings())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong", [{"functional": "HSE"}, {"cutoff": 0.0}, {"k_spacing": float("nan")}]
)
def test_settings_are_sane(wrong):
    with pytest.raises(BadInputError, match=r", and positive numbers\."):
        DftSettings(**wrong)
