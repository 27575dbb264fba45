"""Are open shells told to the programs, and is what was assumed said?"""

import ast
import re

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from atomgraft.label.dft_inputs import PROGRAMS, DftSettings, write_inputs
from atomgraft.label.open_shells import HUBBARD, open_shell_elements, open_shells
from atomgraft.label.spec import parse_select
from atomgraft.models.levels import MATERIALS_PROJECT, MATPES_PBE, level_of_theory
from atomgraft.models.loading import load_potential

UP_AND_DOWN = [2.0, 0.0, -2.0, 0.0, -2.0, 0.0, 2.0, 0.0]


def oxide(moments=None, metal="Ni"):
    atoms = bulk(f"{metal}O", "rocksalt", a=4.17, cubic=True)
    atoms.set_initial_magnetic_moments(moments)
    return atoms


def inputs_of(folder, atoms, **settings):
    notices = write_inputs(folder, [atoms], list(PROGRAMS), DftSettings(**settings))
    place = folder / "label" / "001"
    files = {
        "vasp": (place / "vasp" / "INCAR").read_text(),
        "espresso": (place / "espresso" / "pw.in").read_text(),
        "gpaw": (place / "gpaw" / "run_gpaw.py").read_text(),
    }
    return files, notices, place


def tags(incar):
    lines = (one.partition("#")[0] for one in incar.splitlines())
    pairs = (one.split("=", 1) for one in lines if "=" in one)
    return {key.strip(): value.strip() for key, value in pairs}


def magmoms(incar):
    """Return what VASP reads, repeats written out."""
    found = []
    for word in tags(incar)["MAGMOM"].split():
        n, _, value = word.rpartition("*")
        found += [float(value)] * int(n or 1)
    return found


def gpaw_moments(script):
    [call] = [
        node
        for node in ast.walk(ast.parse(script))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") == "set_initial_magnetic_moments"
    ]
    return ast.literal_eval(call.args[0])


def espresso_starts(text):
    """Return the start of each atom, by its label as Quantum ESPRESSO reads it."""
    starts = re.findall(r"starting_magnetization\((\d+)\)\s*=\s*(\S+)", text)
    species = text.split("ATOMIC_SPECIES\n")[1].split("\n\n")[0].splitlines()
    labels = [one.split()[0] for one in species]
    of_label = {labels[int(n) - 1]: float(value) for n, value in starts}
    rows = text.split("ATOMIC_POSITIONS angstrom\n")[1].split("\n\n")[0].splitlines()
    return [of_label.get(one.split()[0], 0.0) for one in rows if one.strip()]


def test_an_oxide_of_nickel_has_spin_in_every_program(tmp_path):
    files, notices, _ = inputs_of(tmp_path, oxide())
    assert tags(files["vasp"])["ISPIN"] == "2"
    assert magmoms(files["vasp"]) == [5.0] * 4 + [0.0] * 4
    assert re.search(r"nspin\s*=\s*2\b", files["espresso"])
    starts = espresso_starts(files["espresso"])
    assert 0 < starts[0] <= 1
    assert starts[1] == 0.0
    assert "spinpol=True" in files["gpaw"]
    assert gpaw_moments(files["gpaw"]) == [5.0, 0.0] * 4
    for text in (*files.values(), " ".join(notices)):
        assert "ferromagnetic start (Ni 5" in text.replace("\n# ", " ")


def test_moments_of_the_structure_are_kept(tmp_path):
    files, _, place = inputs_of(tmp_path, oxide(UP_AND_DOWN))
    poscar = ase.io.read(place / "vasp" / "POSCAR", format="vasp")
    atoms = oxide(UP_AND_DOWN)
    for position, moment in zip(poscar.positions, magmoms(files["vasp"]), strict=True):
        [i] = np.flatnonzero(np.abs(atoms.positions - position).max(axis=1) < 1e-6)
        assert UP_AND_DOWN[i] == moment
    assert gpaw_moments(files["gpaw"]) == UP_AND_DOWN
    starts = espresso_starts(files["espresso"])
    np.testing.assert_array_equal(np.sign(starts), np.sign(UP_AND_DOWN))
    again = ase.io.read(place / "espresso" / "pw.in", format="espresso-in")
    assert again.get_chemical_symbols() == atoms.get_chemical_symbols()
    assert "starting with the moments of the structure" in files["vasp"]


def test_many_moments_fit_into_few_species(tmp_path):
    lots = np.random.default_rng(0).normal(scale=2.0, size=8)
    files, _, _ = inputs_of(tmp_path, oxide(lots))
    assert int(re.search(r"ntyp\s*=\s*(\d+)", files["espresso"]).group(1)) <= 4
    np.testing.assert_array_equal(
        np.sign(espresso_starts(files["espresso"])), np.sign(lots)
    )


def test_vectors_are_written_along_one_axis_and_said(tmp_path):
    vectors = np.zeros((8, 3))
    vectors[:, 2] = UP_AND_DOWN
    atoms = oxide()
    atoms.arrays["initial_magmoms"] = vectors
    files, notices, _ = inputs_of(tmp_path, atoms)
    found = np.array(gpaw_moments(files["gpaw"]))
    assert np.allclose(found, UP_AND_DOWN) or np.allclose(found, -np.array(UP_AND_DOWN))
    assert "non-collinear" in " ".join(notices)


def test_silicon_has_none_and_the_file_says_so(tmp_path):
    files, notices, _ = inputs_of(tmp_path, bulk("Si"))
    assert "ISPIN" not in files["vasp"]
    assert "nspin" not in files["espresso"]
    assert "spinpol" not in files["gpaw"]
    for text in files.values():
        assert "Not spin-polarised: no open d or f shells." in text
    assert "spin" not in " ".join(notices).lower()


def test_the_user_decides(tmp_path):
    files, notices, _ = inputs_of(
        tmp_path, oxide(), spin=False, hubbard=False, level=MATERIALS_PROJECT
    )
    assert not {"ISPIN", "MAGMOM", "LDAU"} & tags(files["vasp"]).keys()
    assert "although Ni can be magnetic" in " ".join(notices)
    files, _, _ = inputs_of(tmp_path / "other", bulk("Si"), spin=True)
    assert magmoms(files["vasp"]) == [0.6, 0.6]


def test_hubbard_follows_the_data_of_the_base(tmp_path):
    files, notices, _ = inputs_of(tmp_path, oxide(), level=MATERIALS_PROJECT)
    incar = tags(files["vasp"])
    assert incar["LDAU"] == ".TRUE."
    assert incar["LDAUL"].split() == ["2", "-1"]
    assert incar["LDAUU"].split() == ["6.2", "0"]
    assert incar["LDAUJ"].split() == ["0", "0"]
    assert incar["LMAXMIX"] == "4"
    assert "HUBBARD (atomic)\nU Ni-3d 6.2\n" in files["espresso"]
    assert "setups={'Ni': ':d,6.2'}" in files["gpaw"]
    assert "as in the training data of the base:" in " ".join(notices)


def test_both_signs_of_an_element_have_their_u(tmp_path):
    text = inputs_of(tmp_path, oxide(UP_AND_DOWN), level=MATERIALS_PROJECT)[0]
    assert "U Ni-3d 6.2\nU Ni1-3d 6.2\n" in text["espresso"]


@pytest.mark.parametrize("level", [None, MATPES_PBE])
def test_without_u_in_the_data_there_is_none_and_it_is_said(level, tmp_path):
    files, notices, _ = inputs_of(tmp_path, oxide(), level=level)
    assert "LDAU" not in tags(files["vasp"])
    assert "HUBBARD" not in files["espresso"]
    assert "setups" not in files["gpaw"]
    assert "the Materials Project uses Ni 6.2 eV here (--hubbard)" in " ".join(notices)
    asked, _, _ = inputs_of(tmp_path / "other", oxide(), level=level, hubbard=True)
    assert tags(asked["vasp"])["LDAUU"].split() == ["6.2", "0"]


@pytest.mark.parametrize(
    "atoms",
    [bulk("Fe"), bulk("NiS", "rocksalt", a=5.0), oxide(metal="Ti"), oxide(metal="Mg")],
    ids=["a metal", "a sulphide", "an element without U", "no open shell"],
)
def test_the_rule_has_u_for_oxides_and_fluorides_of_some_metals_alone(atoms):
    atoms = atoms.copy()
    atoms.set_initial_magnetic_moments(None)
    assert open_shells(atoms, level=MATERIALS_PROJECT).hubbard == {}


def test_a_fluoride_has_it():
    found = open_shells(bulk("MnF", "rocksalt", a=4.4), level=MATERIALS_PROJECT)
    assert found.hubbard == {"Mn": HUBBARD["Mn"]}


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        ("ScFeCuZn", ["Cu", "Fe", "Sc"]),
        ("YPdAgCd", ["Ag", "Pd", "Y"]),
        ("LaGdLuHfAuHg", ["Au", "Gd", "Hf", "La", "Lu"]),
        ("AcUBaCsPbSiO", ["Ac", "U"]),
    ],
)
def test_open_shells_are_of_the_d_and_f_blocks(symbols, expected):
    assert open_shell_elements(Atoms(symbols)) == expected


@pytest.mark.parametrize(
    ("name", "is_open"),
    [("O2", True), ("CH3", True), ("NO", True), ("H2O", False), ("H2O2", False)],
)
def test_molecules_with_unpaired_electrons(name, is_open):
    atoms = molecule(name)
    atoms.set_initial_magnetic_moments(None)
    assert (open_shells(atoms).moments is not None) == is_open


def test_oxygen_in_a_box_is_found_too():
    atoms = molecule("O2")
    atoms.set_initial_magnetic_moments(None)
    atoms.center(4)
    atoms.pbc = True
    assert open_shells(atoms).moments.tolist() == [1.0, 1.0]


def test_an_odd_number_of_electrons_in_a_crystal_is_said():
    found = open_shells(bulk("Al"))
    assert found.moments is None
    assert "number of electrons is odd" in found.words[0]


def test_another_functional_than_that_of_the_data_is_said(tmp_path):
    _, notices, _ = inputs_of(
        tmp_path, bulk("Si"), functional="PBEsol", level=MATERIALS_PROJECT
    )
    assert "The inputs use PBEsol" in notices[0]


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("7net-0", None, MATERIALS_PROJECT),
        ("7net-mf-0", "PBE", MATERIALS_PROJECT),
        ("7net-mf-0", None, None),
        ("mace-mp-0b3", None, MATERIALS_PROJECT),
        ("mace-matpes-pbe-0", None, MATPES_PBE),
        ("runs/7net-0", None, None),
        ("mace-mp-0b3.model", None, None),
        ("pair:sw-si", None, None),
    ],
)
def test_published_potentials_have_a_level(name, head, expected):
    assert level_of_theory(name, head) == expected


def test_the_card_of_the_base_says_it():
    pytest.importorskip("sevenn")
    assert load_potential("7net-0").card.level == MATERIALS_PROJECT
    assert load_potential("pair:sw-si").card.level is None


def test_the_spec_hands_it_on():
    spec = parse_select({"structure": "x", "model": "7net-0", "hubbard": False})
    settings = spec.settings(MATERIALS_PROJECT)
    assert (settings.spin, settings.hubbard) == (None, False)
    assert settings.level is MATERIALS_PROJECT
