"""What is read is what was written, whatever the file."""

from pathlib import Path

import ase.db
import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixCartesian
from hypothesis import given, settings
from hypothesis import strategies as st

from atomgraft.core.errors import BadInputError
from atomgraft.core.units import (
    BOHR_IN_ANGSTROM,
    EV_PER_A3_IN_GPA,
    EV_PER_A3_IN_KBAR,
    RYDBERG_IN_EV,
)
from atomgraft.data.labels import (
    energy_of,
    forces_of,
    stress_of,
    structures_fingerprint,
)
from atomgraft.data.readers import read_structures

WRITTEN = 1e-7
"""ASE writes eight decimals."""


def labelled(seed: int = 0) -> Atoms:
    rng = np.random.default_rng(seed)
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    atoms.rattle(0.1, rng=rng)
    atoms.info["REF_energy"] = float(rng.normal())
    atoms.arrays["REF_forces"] = rng.normal(size=(len(atoms), 3))
    atoms.info["REF_stress"] = rng.normal(size=6)
    atoms.info["config_type"] = "hot"
    atoms.info["head"] = "pbe"
    return atoms


def calculated(**more: object) -> Atoms:
    """The same with ASE's plain results in place of canonical labels."""
    atoms = labelled()
    results = {
        "energy": atoms.info.pop("REF_energy"),
        "forces": atoms.arrays.pop("REF_forces"),
        "stress": atoms.info.pop("REF_stress"),
    }
    atoms.calc = SinglePointCalculator(atoms, **results, **more)
    return atoms


def assert_same(one: Atoms, other: Atoms) -> None:
    np.testing.assert_array_equal(one.numbers, other.numbers)
    np.testing.assert_allclose(one.positions, other.positions, atol=WRITTEN)
    np.testing.assert_allclose(energy_of(one), energy_of(other), atol=WRITTEN)
    np.testing.assert_allclose(forces_of(one), forces_of(other), atol=WRITTEN)
    np.testing.assert_allclose(stress_of(one), stress_of(other), atol=WRITTEN)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_extxyz_round_trip(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("round") / "train.extxyz"
    ase.io.write(path, labelled(seed))
    [atoms] = read_structures([path])
    assert_same(atoms, labelled(seed))
    assert atoms.calc is None
    assert atoms.info["config_type"] == "hot"
    assert atoms.info["head"] == "pbe"
    assert atoms.info["source"] == f"{path}, frame 0"


@pytest.mark.parametrize(
    "name", ["train.extxyz", "train.xyz", "train.xyz.gz", "train.db", "train.json",
             "train.traj"],
)  # fmt: skip
def test_plain_keys_are_read(name: str, tmp_path: Path) -> None:
    ase.io.write(tmp_path / name, calculated())
    [atoms] = read_structures([tmp_path / name])
    assert_same(atoms, labelled())
    assert atoms.info["label_keys"]["forces"] == "forces"
    assert not {"energy", "forces", "stress"} & {*atoms.info, *atoms.arrays}


def test_database_keys_are_read(tmp_path: Path) -> None:
    original = labelled()
    path = tmp_path / "train.db"
    ase.db.connect(path).write(
        original,
        key_value_pairs={"REF_energy": original.info["REF_energy"]},
        data={
            "REF_forces": original.arrays["REF_forces"],
            "REF_stress": original.info["REF_stress"],
        },
    )
    [atoms] = read_structures([path])
    assert_same(atoms, original)


def test_reading_again_what_was_read_changes_nothing(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "a.extxyz", calculated())
    first = read_structures([tmp_path / "a.extxyz"])
    ase.io.write(tmp_path / "b.extxyz", first)
    second = read_structures([tmp_path / "b.extxyz"])
    assert structures_fingerprint(first) == structures_fingerprint(second)


@pytest.mark.parametrize(
    ("selection", "energies"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("@:2", [0, 1]),
        ("@1:3", [1, 2]),
        ("@::2", [0, 2, 4]),
        ("@-2:", [3, 4]),
        ("@:-3", [0, 1]),
        ("@3", [3]),
        ("@-1", [4]),
        ("@-2", [3]),
    ],
)
@pytest.mark.parametrize("name", ["train.extxyz", "train.db", "train.traj"])
def test_frames_are_chosen(
    name: str, selection: str, energies: list[int], tmp_path: Path
) -> None:
    frames = []
    for i in range(5):
        atoms = Atoms("H")
        atoms.calc = SinglePointCalculator(atoms, energy=float(i))
        frames.append(atoms)
    ase.io.write(tmp_path / name, frames)
    found = read_structures([f"{tmp_path / name}{selection}"])
    assert [energy_of(atoms) for atoms in found] == energies
    assert [int(atoms.info["source"].split()[-1]) for atoms in found] == energies


def test_a_name_with_an_at_sign_is_a_name(tmp_path: Path) -> None:
    path = tmp_path / "train@300K.extxyz"
    ase.io.write(path, [labelled()] * 3)
    assert len(read_structures([path])) == 3
    assert len(read_structures([f"{path}@1:"])) == 2


def test_files_are_read_in_order(tmp_path: Path) -> None:
    for name, seed in (("a.extxyz", 1), ("b.extxyz", 2)):
        ase.io.write(tmp_path / name, labelled(seed))
    found = read_structures([tmp_path / "b.extxyz", tmp_path / "a.extxyz"])
    assert_same(found[0], labelled(2))
    assert_same(found[1], labelled(1))


def test_ref_wins_and_the_conflict_is_kept(tmp_path: Path) -> None:
    atoms = calculated()
    atoms.info["REF_energy"] = -7.0
    atoms.arrays["REF_forces"] = atoms.calc.results["forces"].copy()
    ase.io.write(tmp_path / "a.extxyz", atoms)
    [found] = read_structures([tmp_path / "a.extxyz"])
    assert energy_of(found) == -7.0
    assert list(found.info["label_conflicts"]) == ["energy"]


def test_named_keys_win_over_known_ones(tmp_path: Path) -> None:
    atoms = labelled()
    atoms.info["dft_energy"] = -8.0
    atoms.arrays["dft_forces"] = 2 * atoms.arrays["REF_forces"]
    ase.io.write(tmp_path / "a.extxyz", atoms)
    [found] = read_structures(
        [tmp_path / "a.extxyz"], energy_key="dft_energy", forces_key="dft_forces"
    )
    assert energy_of(found) == -8.0
    np.testing.assert_allclose(
        forces_of(found), 2 * atoms.arrays["REF_forces"], atol=WRITTEN
    )


def test_a_label_that_is_absent_is_absent(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "a.extxyz", bulk("Si"))
    [atoms] = read_structures([tmp_path / "a.extxyz"])
    assert energy_of(atoms) is None
    assert forces_of(atoms) is None
    assert stress_of(atoms) is None


@pytest.mark.parametrize("key", ["virial", "virials", "REF_virial", "REF_virials"])
def test_a_virial_becomes_a_stress(key: str, tmp_path: Path) -> None:
    atoms = labelled()
    voigt = atoms.info.pop("REF_stress")
    full = voigt[[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3)
    atoms.info[key] = -atoms.get_volume() * full
    if key != "virial":
        atoms.info[key] = atoms.info[key].ravel()
    ase.io.write(tmp_path / "a.extxyz", atoms)
    [found] = read_structures([tmp_path / "a.extxyz"])
    np.testing.assert_allclose(stress_of(found), voigt, atol=WRITTEN)
    assert found.info["label_keys"]["stress"] == key
    assert key not in found.info


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("eV/A^3", 1.0),
        ("GPa", EV_PER_A3_IN_GPA),
        ("kbar", EV_PER_A3_IN_KBAR),
        ("-kbar", -EV_PER_A3_IN_KBAR),
    ],
)
def test_stress_units_are_converted(unit: str, factor: float, tmp_path: Path) -> None:
    atoms = labelled()
    right = atoms.info["REF_stress"].copy()
    atoms.info["REF_stress"] = factor * right
    ase.io.write(tmp_path / "a.extxyz", atoms)
    [found] = read_structures([tmp_path / "a.extxyz"], stress_unit=unit)
    np.testing.assert_allclose(stress_of(found), right, rtol=1e-6)


def test_forces_of_fixed_atoms_are_raw(tmp_path: Path) -> None:
    """ASE's get_forces would zero them; the calculator's results hold them."""
    atoms = calculated()
    atoms.set_constraint(FixAtoms([0, 3]))
    assert not atoms.get_forces()[0].any()
    ase.io.write(tmp_path / "a.traj", atoms)
    ase.io.write(tmp_path / "a.db", atoms)
    for name in ("a.traj", "a.db"):
        [found] = read_structures([tmp_path / name])
        assert found.constraints == []
        assert found.info["constrained_atoms"] == [0, 3]
        np.testing.assert_allclose(forces_of(found), labelled().arrays["REF_forces"])


def test_a_move_mask_is_remembered(tmp_path: Path) -> None:
    atoms = labelled()
    atoms.set_constraint(FixCartesian(2, mask=[True, False, False]))
    columns = ["symbols", "positions", "move_mask", "REF_forces"]
    ase.io.write(tmp_path / "a.extxyz", atoms, columns=columns)
    [found] = read_structures([tmp_path / "a.extxyz"])
    assert 2 in found.info["constrained_atoms"]


def test_lone_atoms_are_kept(tmp_path: Path) -> None:
    atoms = Atoms("Si", info={"REF_energy": -0.8, "config_type": "IsolatedAtom"})
    ase.io.write(tmp_path / "a.extxyz", atoms)
    [found] = read_structures([tmp_path / "a.extxyz"])
    assert found.info["config_type"] == "IsolatedAtom"
    assert energy_of(found) == -0.8


def test_a_slab_with_an_open_direction_is_read(tmp_path: Path) -> None:
    slab = Atoms("Si", cell=[3, 3, 0], pbc=[True, True, False])
    ase.io.write(tmp_path / "a.extxyz", slab)
    [found] = read_structures([tmp_path / "a.extxyz"])
    assert found.pbc.tolist() == [True, True, False]


def test_vasp_output_is_read(tmp_path: Path) -> None:
    """A vasprun.xml of one atom, small enough to be written here."""
    path = tmp_path / "vasprun.xml"
    path.write_text(VASPRUN)
    [atoms] = read_structures([path])
    assert energy_of(atoms) == -1.5
    assert atoms.info["free_energy"] == -1.6
    np.testing.assert_allclose(forces_of(atoms), [[0.1, 0.2, 0.3]])
    np.testing.assert_allclose(
        stress_of(atoms),
        -np.array([10, 20, 30, 0, 0, 0]) / EV_PER_A3_IN_KBAR,
        rtol=1e-5,
    )
    with pytest.raises(BadInputError, match="its own unit"):
        read_structures([path], stress_unit="kbar")


def test_quantum_espresso_output_is_read(tmp_path: Path) -> None:
    """Rydberg and bohr become eV and Å; pw.x counts compression as positive."""
    path = tmp_path / "pw.pwo"
    path.write_text(PWO)
    [atoms] = read_structures([path])
    assert atoms.cell.lengths() == pytest.approx([4, 4, 4], rel=1e-5)
    assert energy_of(atoms) == pytest.approx(-10 * RYDBERG_IN_EV, rel=1e-6)
    force = np.array([[0.01, 0.02, 0.03]]) * RYDBERG_IN_EV / BOHR_IN_ANGSTROM
    np.testing.assert_allclose(forces_of(atoms), force, rtol=1e-6)
    stress = -np.array([1e-4, 2e-4, 3e-4, 0, 0, 0])
    stress *= RYDBERG_IN_EV / BOHR_IN_ANGSTROM**3
    np.testing.assert_allclose(stress_of(atoms), stress, rtol=1e-6)


PWO = """     Program PWSCF v.7.0 starts on  1Jan2024 at 10: 0: 0
     bravais-lattice index     =            0
     lattice parameter (alat)  =       7.5589  a.u.
     number of atoms/cell      =            1
     number of atomic types    =            1

     celldm(1)=   7.558904  celldm(2)=   0.000000  celldm(3)=   0.000000

     crystal axes: (cart. coord. in units of alat)
               a(1) = (   1.000000   0.000000   0.000000 )
               a(2) = (   0.000000   1.000000   0.000000 )
               a(3) = (   0.000000   0.000000   1.000000 )

     Cartesian axes

     site n.     atom                  positions (alat units)
         1           Si  tau(   1) = (   0.0000000   0.0000000   0.0000000  )

     number of k points=     1
                       cart. coord. in units 2pi/alat
        k(    1) = (   0.0000000   0.0000000   0.0000000), wk =   2.0000000

!    total energy              =     -10.00000000 Ry

     Forces acting on atoms (cartesian axes, Ry/au):

     atom    1 type  1   force =     0.01000000    0.02000000    0.03000000

     Computing stress (Cartesian axis) and pressure

          total   stress  (Ry/bohr**3)                   (kbar)     P=       20.00
   0.00010000   0.00000000   0.00000000           14.71        0.00        0.00
   0.00000000   0.00020000   0.00000000            0.00       29.42        0.00
   0.00000000   0.00000000   0.00030000            0.00        0.00       44.13

"""


VASPRUN = """<?xml version="1.0"?>
<modeling>
 <kpoints><varray name="kpointlist"><v>0 0 0</v></varray>
  <varray name="weights"><v>1</v></varray></kpoints>
 <atominfo><array name="atoms"><field type="string">element</field>
  <set><rc><c>H </c><c> 1</c></rc></set></array></atominfo>
 <structure name="initialpos"><crystal><varray name="basis">
  <v>4 0 0</v><v>0 4 0</v><v>0 0 4</v></varray></crystal>
  <varray name="positions"><v>0 0 0</v></varray></structure>
 <calculation>
  <scstep><energy><i name="e_fr_energy">-1.6</i><i name="e_wo_entrp">-1.4</i>
   <i name="e_0_energy">-1.5</i></energy></scstep>
  <structure><crystal><varray name="basis">
   <v>4 0 0</v><v>0 4 0</v><v>0 0 4</v></varray></crystal>
   <varray name="positions"><v>0 0 0</v></varray></structure>
  <varray name="forces"><v>0.1 0.2 0.3</v></varray>
  <varray name="stress"><v>10 0 0</v><v>0 20 0</v><v>0 0 30</v></varray>
  <energy><i name="e_fr_energy">-1.6</i><i name="e_wo_entrp">-1.4</i>
   <i name="e_0_energy">-1.5</i></energy>
 </calculation>
</modeling>
"""


@pytest.mark.parametrize("factor", [1, 1000])
def test_a_large_file_is_refused_before_it_is_read(
    factor: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.extxyz"
    ase.io.write(path, [labelled()] * 4)
    monkeypatch.setattr("atomgraft.data.ase_files.MAX_BYTES", 2000 * factor)
    if factor > 1:
        assert len(read_structures([path])) == 4
        return
    with pytest.raises(BadInputError, match="holds more than"):
        read_structures([path])
    assert len(read_structures([f"{path}@:1"])) == 1


FRAME = """2
Lattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3:forces:R:3 {entries} pbc="T T T"
Si 0 0 0 1.0 0 0
Si 2 2 2 -1.0 0 0
"""  # noqa: E501  # the comment line of the format


def read_with(tmp_path, entries, **labels):
    path = tmp_path / "one.extxyz"
    path.write_text(FRAME.format(entries=entries))
    [atoms] = read_structures([path], **labels)
    return atoms


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("Ha", 27.21138602),
        ("Ry", 13.60569301),
        ("kcal/mol", 0.0433641153),
        ("eV/atom", 2.0),
        ("Ha/atom", 2 * 27.21138602),
        ("-eV", -1.0),
    ],
)
def test_energies_in_other_units(tmp_path, unit, factor):
    atoms = read_with(tmp_path, "energy=-2.0", energy_unit=unit)
    assert atoms.info["REF_energy"] == pytest.approx(-2.0 * factor)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("eV/bohr", 1 / 0.52917721067), ("Ha/bohr", 51.42206707), ("-eV/A", -1.0)],
)
def test_forces_in_other_units(tmp_path, unit, factor):
    atoms = read_with(tmp_path, "energy=-2.0", forces_unit=unit)
    assert atoms.arrays["REF_forces"][0, 0] == pytest.approx(factor)


@pytest.mark.parametrize("key", ["stress", "REF_stress"])
@pytest.mark.parametrize("quotes", ['"{}"', "'{}'", "[{}]", "{{{}}}"])
def test_six_numbers_are_a_stress_under_every_key(tmp_path, key, quotes):
    values = "1, 2, 3, 4, 5, 6" if quotes == "[{}]" else "1 2 3 4 5 6"
    atoms = read_with(tmp_path, f"energy=-2.0 {key}={quotes.format(values)}")
    assert atoms.info["REF_stress"].tolist() == [1, 2, 3, 4, 5, 6]
    assert atoms.info["label_keys"]["stress"] == key


@pytest.mark.parametrize("order", ["vasp", "xx,yy,zz,xy,yz,zx", "xx yy zz xy yz xz"])
def test_the_order_of_six_components(tmp_path, order):
    entries = 'energy=-2.0 stress="1 2 3 6 4 5"'
    atoms = read_with(tmp_path, entries, stress_order=order)
    assert atoms.info["REF_stress"].tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "labels",
    [
        {"energy_unit": "furlong"},
        {"forces_unit": "eV"},
        {"stress_order": "xx yy zz xy yz yz"},
        {"stress_order": "vasp"},
    ],
)
def test_units_that_cannot_be_meant_are_refused(tmp_path, labels):
    with pytest.raises(BadInputError):
        read_with(tmp_path, "energy=-2.0", **labels)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ('stress="1 2 3 4 5 6" virial="64 128 192 256 320 384"', "its negative"),
        ('REF_stress="1 2 3 4 5 6" stress="2 4 6 8 10 12"', "means 2 times this"),
        ('REF_stress="1 2 3 4 5 6" stress="1 2 3 6 5 4"', "differs"),
        ('stress="1 2 3 4 5 6" virial="-64 -128 -192 -256 -320 -384"', None),
        ('stress="1 2 3 4 5 6" REF_stress="1.00001 2 3 4 5 6"', None),
    ],
)
def test_stress_and_virial_are_compared(tmp_path, entries, words):
    atoms = read_with(tmp_path, f"energy=-2.0 {entries}")
    conflicts = atoms.info.get("label_conflicts", {})
    if words is None:
        assert conflicts == {}
    else:
        assert words in conflicts["stress"]
        assert len(atoms.info["label_rivals"]["stress"]) == 1


def test_a_key_that_is_not_there_is_told_with_those_that_are(tmp_path):
    with pytest.raises(BadInputError) as caught:
        read_with(tmp_path, "REF_energy=-1.0 mine=2", energy_key="E")
    assert "Keys that are there: REF_energy, REF_forces, mine" in str(caught.value)


def test_what_the_user_chose_is_no_conflict(tmp_path):
    entries = "energy=-2.0 free_energy=-3.0 REF_energy=-9.0"
    atoms = read_with(tmp_path, entries, energy_key="free_energy")
    assert atoms.info["REF_energy"] == -3.0
    assert "label_conflicts" not in atoms.info


def test_energies_that_differ_little_beside_their_size_still_differ(tmp_path):
    atoms = read_with(tmp_path, "energy=-1070000.00 REF_energy=-1070000.25")
    assert "energy differs" in atoms.info["label_conflicts"]["energy"]


def test_a_file_cannot_say_how_it_was_read(tmp_path):
    entries = "energy=-2.0 label_keys=3 label_conflicts=4 constrained_atoms=5 source=x"
    atoms = read_with(tmp_path, f"{entries} label_rivals=1 stress_of_six=7")
    assert atoms.info["label_keys"] == {"energy": "energy", "forces": "forces"}
    assert "constrained_atoms" not in atoms.info
    assert "one.extxyz, frame 0" in atoms.info["source"]


@pytest.mark.parametrize("selection", ["0:99999999999999999999999", "9" * 5000])
def test_numbers_that_no_frame_has(tmp_path, selection):
    path = tmp_path / "one.extxyz"
    path.write_text(FRAME.format(entries="energy=-2.0"))
    with pytest.raises(BadInputError, match="does not name frames"):
        read_structures([f"{path}@{selection}"])
