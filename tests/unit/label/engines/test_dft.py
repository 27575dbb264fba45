"""Do programs of density-functional theory get our inputs, and do labels come back?

Stand-ins take the place of the programs: they read what was written, and leave an
output as the program would.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

from atomgraft.core.errors import BadInputError, MissingExtraError
from atomgraft.label.engines import dft
from atomgraft.label.engines.base import EngineFailureError, make_engine
from tests.unit.data.test_readers import PWO, VASPRUN
from tests.unit.label.test_collecting import STAND_IN

VASP = """#!{python}
from pathlib import Path
assert Path("POTCAR").read_text() == "potential of H\\n", "POTCAR"
assert "GGA = {gga}" in Path("INCAR").read_text(), "INCAR"
assert Path("POSCAR").read_text().split()[0] == "H", "POSCAR"
print("running on 1 core")
{more}
Path("vasprun.xml").write_text('''{output}''')
"""

ESPRESSO = """#!{python}
import sys
from pathlib import Path
text = Path(sys.argv[2]).read_text()
assert "pseudo_dir       = '.'" in text, text
assert "input_dft        = 'pbe'" in text, text
assert Path("Si.SSSP_PBE_efficiency.upf").read_text() == "potential of Si\\n"
print('''{output}''')
"""


def program(folder, text, **more):
    path = folder / "program.py"
    path.write_text(text.format(python=sys.executable, **more))
    path.chmod(0o755)
    return str(path)


def potential(folder, symbol):
    path = folder / f"{symbol}.pot"
    path.write_text(f"potential of {symbol}\n")
    return {symbol: str(path)}


def hydrogen():
    return Atoms("H", cell=[4, 4, 4], pbc=True)


def vasp(folder, *, gga="PE", output=VASPRUN, more="", **settings):
    command = program(folder, VASP, gga=gga, output=output, more=more)
    given = {"command": command, "potentials": potential(folder, "H"), **settings}
    return make_engine("vasp", given)


def test_vasp_is_given_its_files_and_read_back(tmp_path):
    found = vasp(tmp_path).label(hydrogen())
    assert found.energy == -1.5
    np.testing.assert_allclose(found.forces, [[0.1, 0.2, 0.3]])
    assert found.stress[0] < 0  # kbar, of the other sign


def test_the_order_of_moments_reaches_the_program(tmp_path):
    """An antiferromagnet is not started as a ferromagnet."""
    atoms = bulk("FeO", "rocksalt", a=4.3) * (2, 1, 1)
    settings = {"potentials": potential(tmp_path, "Fe") | potential(tmp_path, "O")}
    engine = make_engine("vasp", settings | {"command": "ls"})
    atoms.set_initial_magnetic_moments([4, 0, -4, 0])
    engine._write(tmp_path, atoms)
    assert "MAGMOM = 4 -4 2*0" in (tmp_path / "INCAR").read_text()
    assert engine.assumptions(atoms)
    assert engine.assumptions(bulk("Si")) == ()


def test_launchers_change_no_number(tmp_path):
    command = program(tmp_path, VASP, gga="PE", output=VASPRUN, more="")
    given = {"potentials": potential(tmp_path, "H")}
    alone = make_engine("vasp", given | {"command": command})
    many = make_engine("vasp", given | {"command": f"nice -n 5 {command}"})
    assert alone.identity == many.identity
    assert alone.version.startswith("program.py ")


def test_another_functional_is_another_tag_and_identity(tmp_path):
    pbe, lda = vasp(tmp_path), vasp(tmp_path, gga="CA", functional="LDA")
    assert lda.label(hydrogen()).energy == -1.5
    assert pbe.identity != lda.identity


def test_another_potential_is_another_identity(tmp_path):
    before = vasp(tmp_path).identity
    assert vasp(tmp_path).identity == before
    [file] = potential(tmp_path, "H").values()
    Path(file).write_text("another potential of H\n")
    settings = {"command": str(tmp_path / "program.py"), "potentials": {"H": file}}
    other = make_engine("vasp", settings)
    assert other.identity != before
    with pytest.raises(EngineFailureError, match=r"ended with code 1.*POTCAR"):
        other.label(hydrogen())


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ("import sys; sys.exit('ZBRENT: fatal error')", "code 1 for H: .*ZBRENT"),
        ("import sys; sys.exit(0)", "code 0 for H: running on 1 core"),
    ],
)
def test_a_program_without_an_output_is_a_failure(tmp_path, more, what):
    with pytest.raises(EngineFailureError, match=what):
        vasp(tmp_path, more=more).label(hydrogen())


def test_electrons_that_did_not_converge_are_a_failure(tmp_path):
    steps = "<scstep></scstep>" * 60
    head = '<parameters><separator name="electronic"><i type="int" name="NELM">60</i>'
    output = VASPRUN.replace("<kpoints>", f"{head}</separator></parameters><kpoints>")
    output = output.replace("<calculation>", f"<calculation>{steps}")
    with pytest.raises(EngineFailureError, match="did not converge"):
        vasp(tmp_path, output=output).label(hydrogen())


def test_an_output_of_another_structure_is_a_failure(tmp_path):
    moved = Atoms("H", [[1, 0, 0]], cell=[4, 4, 4], pbc=True)
    with pytest.raises(EngineFailureError, match="of a different structure"):
        vasp(tmp_path).label(moved)


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    place = tmp_path / "temporary"
    place.mkdir()
    engine = vasp(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(place))
    engine.label(hydrogen())
    assert list(place.iterdir()) == []


def test_espresso_prints_into_its_output(tmp_path):
    command = f"{program(tmp_path, ESPRESSO, output=PWO)} -in pw.in"
    silicon = Atoms("Si", cell=[4.0] * 3, pbc=True)
    settings = {"command": command, "potentials": potential(tmp_path, "Si")}
    found = make_engine("espresso", settings).label(silicon)
    assert found.energy == pytest.approx(-136.05693, abs=1e-4)
    assert found.forces.shape == (1, 3)


def test_gpaw_runs_our_script(tmp_path, monkeypatch):
    (tmp_path / "gpaw.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(dft, "version_of", lambda name, _: f"{name} 1")
    atoms = bulk("Cu", a=3.7)
    atoms.rattle(0.1, seed=1)
    engine = make_engine("gpaw", {"cutoff": 300})
    assert engine.version == "gpaw 1, gpaw-data 1"
    found = engine.label(atoms)
    atoms.calc = EMT()
    assert found.energy == pytest.approx(atoms.get_potential_energy())
    np.testing.assert_allclose(found.forces, atoms.get_forces(), atol=1e-6)
    assert found.stress is not None


def test_what_has_no_cell_or_no_potential_is_left_out(tmp_path):
    engine = vasp(tmp_path)
    assert "no cell" in engine.refusal(molecule("H2"))
    water = Atoms("H2O", cell=[5, 5, 5], pbc=True)
    assert "no potential of O" in engine.refusal(water)
    assert engine.refusal(hydrogen()) is None


@pytest.mark.parametrize(
    ("engine", "settings", "error", "what"),
    [
        ("vasp", {}, BadInputError, "'potentials' is missing"),
        ("vasp", {"potentials": {}}, BadInputError, "'potentials'"),
        (
            "vasp",
            {"potentials": {"H": "x"}, "command": "vasp 'x"},
            BadInputError,
            "cannot be read",
        ),
        ("vasp:PBE", {"potentials": {}}, BadInputError, "behind a colon"),
        (
            "espresso",
            {"potentials": {"H": "x"}, "command": "no-such-program -in pw.in"},
            MissingExtraError,
            "finds no program 'no-such-program -in pw.in'",
        ),
        (
            "vasp",
            {"potentials": {"H": "nowhere"}, "command": "ls"},
            BadInputError,
            "potential of H for vasp is not there",
        ),
        ("gpaw", {"functional": "HSE", "cutof": 3}, BadInputError, "'cutoff'"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(engine, settings, error, what):
    with pytest.raises(error, match=what):
        make_engine(engine, settings)


def test_an_unknown_functional_is_refused(monkeypatch):
    monkeypatch.setattr(dft, "version_of", lambda name, _: f"{name} 1")
    with pytest.raises(BadInputError, match="HSE"):
        make_engine("gpaw", {"functional": "HSE"})


def test_files_of_the_user_are_not_touched(tmp_path):
    engine = vasp(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    engine.label(hydrogen())
    assert {path: path.read_bytes() for path in Path(tmp_path).iterdir()} == before
