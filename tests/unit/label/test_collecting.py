"""Do finished labels come back to the structures they belong to?"""

import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

from atomgraft.core.errors import BadInputError
from atomgraft.data.labels import energy_of, forces_of, stress_of
from atomgraft.label.collecting import collect
from atomgraft.label.dft_inputs import DftSettings, write_inputs
from tests.unit.data.test_readers import PWO, VASPRUN

STAND_IN = """
from ase.calculators.emt import EMT

def GPAW(**settings):
    assert settings["kpts"]["gamma"] and settings["xc"] == "PBE"
    return EMT()

PW = FermiDirac = float
"""
"""What our script asks of gpaw, answered by a calculator that takes no time."""


def copper(seed=0):
    atoms = Atoms("Cu3Au", cell=[3.8] * 3, pbc=True)
    atoms.set_scaled_positions([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    atoms.rattle(0.05, seed=seed)
    atoms.info["config_type"] = "rattle"
    return atoms


def labelled(atoms):
    atoms = atoms.copy()
    atoms.calc = EMT()
    return atoms


@pytest.fixture
def selection(tmp_path):
    """Two chosen structures with inputs, none of them run."""
    chosen = [copper(1), copper(2)]
    write_inputs(tmp_path, chosen, ["gpaw"], DftSettings())
    return tmp_path, chosen


def run_gpaw(folder, number):
    place = folder / "label" / number / "gpaw"
    stand_in = folder / "stand-in"
    stand_in.mkdir(exist_ok=True)
    (stand_in / "gpaw.py").write_text(STAND_IN)
    subprocess.run(
        [sys.executable, place / "run_gpaw.py"],
        check=True,
        env={"PYTHONPATH": str(stand_in), "PATH": ""},
        cwd=folder,
    )
    return place / "label.extxyz"


def test_the_script_of_gpaw_writes_what_we_read(selection):
    folder, chosen = selection
    run_gpaw(folder, "001")
    run_gpaw(folder, "002")
    found = collect(folder, chosen)
    assert (found.program, found.missing) == ("gpaw", ())
    for atoms, proposal in zip(found.structures, chosen, strict=True):
        known = labelled(proposal)
        assert energy_of(atoms) == pytest.approx(known.get_potential_energy())
        assert np.allclose(forces_of(atoms), known.get_forces(), atol=1e-6)
        assert np.allclose(stress_of(atoms), known.get_stress(), atol=1e-6)
        assert np.array_equal(atoms.positions, proposal.positions)
        assert atoms.info["config_type"] == "rattle"


def test_what_is_not_finished_is_named(selection):
    folder, chosen = selection
    run_gpaw(folder, "002")
    found = collect(folder, chosen)
    assert (len(found.structures), found.missing) == (1, (1,))


def test_atoms_come_back_in_the_order_of_the_proposal(selection):
    """VASP sorts species; a copy with images of atoms in another order is the same."""
    folder, chosen = selection
    path = run_gpaw(folder, "001")
    frame = ase.io.read(path)
    shuffled = frame[[3, 1, 0, 2]]
    shuffled.positions[0] += shuffled.cell[0]
    shuffled.info.update(frame.info)
    ase.io.write(path, shuffled)
    [atoms] = collect(folder, chosen).structures
    assert np.allclose(forces_of(atoms), labelled(chosen[0]).get_forces(), atol=1e-6)


def test_an_output_in_the_wrong_folder_is_refused(selection):
    folder, chosen = selection
    path = run_gpaw(folder, "001")
    with pytest.raises(
        BadInputError,
        match=r"is a calculation of a different structure than the proposed one\.",
    ):
        collect(folder, chosen[::-1])
    frame = ase.io.read(path)
    ase.io.write(path, [frame, frame])
    with pytest.raises(BadInputError, match="2 ionic steps"):
        collect(folder, chosen)


def test_nothing_finished_is_an_error(selection):
    folder, chosen = selection
    with pytest.raises(BadInputError, match="no finished output"):
        collect(folder, chosen)


def silicon_alone(cell=4.0):
    return Atoms("Si", cell=[cell] * 3, pbc=True)


@pytest.mark.parametrize(
    ("program", "name", "text"),
    [("espresso", "pw.out", PWO), ("vasp", "vasprun.xml", VASPRUN)],
)
def test_outputs_of_other_programs_are_read(tmp_path, program, name, text):
    place = tmp_path / "label" / "001" / program
    place.mkdir(parents=True)
    (place / name).write_text(text)
    proposal = ase.io.read(
        place / name, format={"espresso": "espresso-out", "vasp": "vasp-xml"}[program]
    )
    found = collect(tmp_path, [Atoms(proposal.numbers, cell=proposal.cell, pbc=True)])
    assert found.program == program
    assert forces_of(found.structures[0]).shape == (1, 3)


def test_two_levels_of_theory_are_not_mixed(tmp_path):
    for program, name, text in (
        ("espresso", "pw.out", PWO),
        ("vasp", "vasprun.xml", VASPRUN),
    ):
        place = Path(tmp_path, "label", "001", program)
        place.mkdir(parents=True)
        (place / name).write_text(text)
    with pytest.raises(BadInputError, match="espresso and vasp"):
        collect(tmp_path, [silicon_alone()])


def test_what_did_not_converge_is_left_out_and_said(tmp_path):
    chosen = [Atoms("H", cell=[4, 4, 4], pbc=True)] * 2
    write_inputs(tmp_path, chosen, ["vasp"], DftSettings())
    steps = "<scstep></scstep>" * 60
    head = '<parameters><separator name="electronic"><i type="int" name="NELM">60</i>'
    bad = VASPRUN.replace("<kpoints>", f"{head}</separator></parameters><kpoints>")
    bad = bad.replace("<calculation>", f"<calculation>{steps}")
    for number, text in (("001", VASPRUN), ("002", bad)):
        (tmp_path / "label" / number / "vasp" / "vasprun.xml").write_text(text)
    found = collect(tmp_path, chosen)
    assert len(found.structures) == 1
    assert found.missing == ()
    [(number, reason)] = found.unconverged.items()
    assert number == 2
    assert "did not converge" in reason
