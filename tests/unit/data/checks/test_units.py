"""Wrong units are named, in all frames or in a part; a soft or poor base is no unit."""

import dataclasses

import numpy as np
import pytest

from atomgraft.core.units import BOHR_IN_ANGSTROM, HARTREE_IN_EV, RYDBERG_IN_EV
from atomgraft.data.canonical import LABEL_UNITS
from atomgraft.data.checks.predicted import compare_with_base
from atomgraft.data.checks.regression import regressions
from atomgraft.data.checks.suite import check_structures
from atomgraft.data.exact_files import write_exactly
from atomgraft.data.label_keys import VOIGT, components
from atomgraft.data.readers import read_structures
from tests.unit.data.checks.crystals import BASE, Word, crystals
from tests.unit.data.checks.told import scales, told

ENERGIES = {
    "energies in hartree": 1 / HARTREE_IN_EV,
    "energies in rydberg": 1 / RYDBERG_IN_EV,
    "energies in kcal/mol": 23.0605,
    "energies in kJ/mol": 96.4853,
    "energies in meV": 1000.0,
    "energies of the opposite sign": -1.0,
}
OPTIONS = {
    "energies in hartree": "--energy-unit Ha",
    "energies in rydberg": "--energy-unit Ry",
    "energies in kcal/mol": "--energy-unit kcal/mol",
    "energies in kJ/mol": "--energy-unit kJ/mol",
    "energies in meV": "--energy-unit meV",
    "energies of the opposite sign": "--energy-unit=-eV",
}
KINDS = {
    "one element, several sizes": {"sizes": (1, 2, 3)},
    "one element, one size": {"sizes": (1,)},
    "two elements, several sizes": {"salt": True, "sizes": (1, 2, 3)},
    "two elements, one size": {"salt": True, "sizes": (1,)},
}


def only(structures, base, code):
    found = check_structures(structures, base=base)
    [finding] = [one for one in found if one.code == code]
    return finding


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ENERGIES)
def test_the_unit_of_energies_is_named(name, kind):
    structures, base = told(**KINDS[kind])
    for atoms in structures:
        atoms.info["REF_energy"] *= ENERGIES[name]
    finding = only(structures, base, "energy-scale")
    assert finding.severity == "error"
    assert f"look like {name}:" in finding.message
    assert OPTIONS[name] in finding.remedy
    assert len(finding.frames) == len(structures)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("zero", [0.0, -3000.0])
def test_energies_per_atom_are_named(kind, zero):
    structures, base = told(**KINDS[kind])
    for atoms in structures:
        atoms.info["REF_energy"] = atoms.info["REF_energy"] / len(atoms) + zero
    finding = only(structures, base, "energy-scale")
    assert "look like energies per atom:" in finding.message
    assert "--energy-unit eV/atom" in finding.remedy


def test_energies_per_atom_in_hartree():
    structures, base = told(sizes=(1, 2, 3))
    for atoms in structures:
        atoms.info["REF_energy"] /= len(atoms) * HARTREE_IN_EV
    finding = only(structures, base, "energy-scale")
    assert "look like energies per atom in hartree:" in finding.message
    assert "--energy-unit Ha/atom" in finding.remedy


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", [range(0, 12, 2), range(2), [5]])
@pytest.mark.parametrize("factor", ["per atom", 1 / HARTREE_IN_EV, 23.0605])
def test_a_part_with_other_energies_is_found(kind, wrong, factor):
    structures, base = told(**KINDS[kind])
    for i in wrong:
        size = 1 / len(structures[i]) if factor == "per atom" else factor
        structures[i].info["REF_energy"] *= size
    finding = only(structures, base, "energy-scale")
    assert finding.frames == tuple(f"a.extxyz, frame {i}" for i in sorted(wrong))
    assert "Convert these frames" in finding.remedy


OF_ANY_SIZE = {
    "energies in hartree": lambda energy, _: energy / HARTREE_IN_EV,
    "energies in kcal/mol": lambda energy, _: energy * 23.0605,
    "energies per atom": lambda energy, size: energy / size,
    "energies per atom in kcal/mol": lambda energy, size: energy * 23.0605 / size,
}


@pytest.mark.parametrize("softness", [0.7, 1.0])
@pytest.mark.parametrize("sizes", [(1,), (1, 2)])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 12])
@pytest.mark.parametrize("name", OF_ANY_SIZE)
def test_energies_are_named_however_few(name, n, sizes, softness):
    """Totals of the base's own zero tell the unit where no reference can be fitted."""
    structures, base = told(n, sizes=sizes, softness=softness)
    assert scales(structures, base) == {}
    for atoms in structures:
        energy = OF_ANY_SIZE[name](atoms.info["REF_energy"], len(atoms))
        atoms.info["REF_energy"] = energy
    finding = only(structures, base, "energy-scale")
    assert f"look like {name}" in finding.message
    assert len(finding.frames) == n


@pytest.mark.parametrize("kind", KINDS)
def test_single_energies_in_kcal_per_mol_and_atom_are_named(kind):
    structures, base = told(**KINDS[kind])
    structures[5].info["REF_energy"] *= 23.0605 / len(structures[5])
    finding = only(structures, base, "energy-scale")
    assert finding.frames == ("a.extxyz, frame 5",)
    assert "energies per atom in kcal/mol" in finding.message


def test_one_of_three_energies_in_hartree():
    structures, base = told(3)
    structures[1].info["REF_energy"] /= HARTREE_IN_EV
    finding = only(structures, base, "energy-scale")
    assert finding.frames == ("a.extxyz, frame 1",)
    assert "Divide their energies by 0.0367" in finding.remedy


@pytest.mark.parametrize("zero", [0.0, -250.0])
@pytest.mark.parametrize("factor", [1 / HARTREE_IN_EV, 23.0605, 1.0])
def test_energies_of_another_zero_are_compared_with_the_work_of_forces(factor, zero):
    """Three frames along one displacement, as neighbours in a trajectory are."""
    structures = [crystals(1, size, strain=0.0)[0] for size in (0.02, 0.05, 0.08)]
    for i, atoms in enumerate(structures):
        atoms.info["source"] = f"cu.extxyz, frame {i}"
        energy = atoms.info["REF_energy"] + zero * len(atoms)
        atoms.info["REF_energy"] = energy * factor
    found = check_structures(structures, base=BASE)
    codes = {one.code for one in found if one.code.startswith("energy-")}
    if factor == 1.0:
        assert codes <= {"energy-reference"}
    else:
        assert "energy-scale" in codes


def test_what_few_energies_cannot_tell_is_said():
    structures, base = told(2)
    for atoms in structures:
        atoms.info["REF_energy"] += 300.0 * len(atoms)
    note = only(structures, base, "energy-untested")
    assert note.severity == "note"
    assert "cannot be told: of 2 energies compared, 1 numbers are left" in note.message


def test_a_file_with_other_energies_is_found():
    structures, base = told(salt=True, sizes=(1, 2))
    predictions = dict(zip(map(id, structures), base.predict(structures), strict=True))
    for i, atoms in enumerate(structures):
        if i % 3:
            atoms.info["REF_energy"] /= HARTREE_IN_EV
            atoms.info["source"] = f"b.extxyz, frame {i}"
    known = type(base)(
        name=base.name,
        elements=base.elements,
        predict=lambda asked: [predictions[id(atoms)] for atoms in asked],
    )
    finding = only(structures, known, "energy-scale")
    assert all(frame.startswith("b.extxyz") for frame in finding.frames)
    assert len(finding.frames) == 8


FORCES = {
    "forces in eV/bohr": (BOHR_IN_ANGSTROM, "--forces-unit eV/bohr"),
    "forces in hartree/bohr": (
        BOHR_IN_ANGSTROM / HARTREE_IN_EV,
        "--forces-unit Ha/bohr",
    ),
    "forces in rydberg/bohr": (
        BOHR_IN_ANGSTROM / RYDBERG_IN_EV,
        "--forces-unit Ry/bohr",
    ),
    "forces in kcal/mol/Å": (23.0605, "--forces-unit kcal/mol/A"),
    "forces in kJ/mol/Å": (96.4853, "--forces-unit kJ/mol/A"),
    "gradients in eV/Å": (-1.0, "--forces-unit=-eV/A"),
    "gradients in hartree/bohr": (
        -BOHR_IN_ANGSTROM / HARTREE_IN_EV,
        "--forces-unit=-Ha/bohr",
    ),
}


@pytest.mark.parametrize("softness", [1.0, 0.75, 0.6])
@pytest.mark.parametrize("name", FORCES)
def test_the_unit_of_forces_is_named(name, softness):
    structures, base = told(softness=softness)
    factor, option = FORCES[name]
    for atoms in structures:
        atoms.arrays["REF_forces"] *= factor
    finding = only(structures, base, "forces-scale")
    assert f"look like {name}" in finding.message
    assert "in 12 of 12 structures" in finding.message
    assert option in finding.remedy


@pytest.mark.parametrize("name", FORCES)
def test_a_part_with_other_forces_is_found(name):
    structures, base = told(softness=0.8)
    for atoms in structures[::2]:
        atoms.arrays["REF_forces"] *= FORCES[name][0]
    finding = only(structures, base, "forces-scale")
    assert f"look like {name}" in finding.message
    assert finding.frames == tuple(f"a.extxyz, frame {i}" for i in range(0, 12, 2))


@pytest.mark.parametrize("softness", [0.6, 1.0])
@pytest.mark.parametrize("wrong", [[5], [3, 8]])
@pytest.mark.parametrize("name", FORCES)
def test_single_frames_with_other_forces_are_named(name, wrong, softness):
    structures, base = told(softness=softness)
    for i in wrong:
        structures[i].arrays["REF_forces"] *= FORCES[name][0]
    finding = only(structures, base, "forces-scale")
    assert f"look like {name}" in finding.message
    assert finding.frames == tuple(f"a.extxyz, frame {i}" for i in wrong)
    assert "convert them" in finding.remedy


def test_frames_in_two_other_units_are_both_named():
    structures, base = told()
    structures[2].arrays["REF_forces"] *= BOHR_IN_ANGSTROM
    structures[7].arrays["REF_forces"] *= BOHR_IN_ANGSTROM / HARTREE_IN_EV
    found = check_structures(structures, base=base)
    errors = [one.frames for one in found if one.code == "forces-scale"]
    assert errors == [("a.extxyz, frame 7",), ("a.extxyz, frame 2",)]


@pytest.mark.parametrize("factor", [0.7, 0.53, 1.9])
def test_a_base_that_is_soft_to_different_degrees_is_no_unit(factor):
    """Slopes that vary by themselves say nothing of one that is twice another."""
    structures, base = told()
    for i, atoms in enumerate(structures):
        atoms.arrays["REF_forces"] *= factor ** (i / 11)
    assert "forces-scale" not in scales(structures, base)


@pytest.mark.parametrize("is_symmetric", [True, False])
def test_forces_of_one_size_tell_no_unit(is_symmetric):
    """The two lattices of a strained crystal pull at each other: one number."""
    structures, base = told(1, sizes=(1,), softness=1.0, noise=0.0)
    [atoms] = structures
    if is_symmetric:
        signs = np.where(np.arange(8) % 2, 0.19, -0.19)[:, None] * np.eye(3)[2]
        atoms.arrays["REF_forces"] = signs
        word = Word(energy=0.0, forces=signs.copy(), stress=np.zeros(6))
        base = dataclasses.replace(base, predict=lambda asked: [word for _ in asked])
        atoms.arrays["REF_forces"] = signs + 1e-6 * atoms.positions  # not converged
    atoms.arrays["REF_forces"] = 10 * atoms.arrays["REF_forces"]
    found = [one.code for one in check_structures(structures, base=base)]
    assert ("forces-scale" in found) != is_symmetric
    assert ("forces-untested" in found) == is_symmetric


def test_forces_alone_in_electronvolts_per_bohr():
    structures, base = told()
    for atoms in structures:
        atoms.arrays["REF_forces"] *= BOHR_IN_ANGSTROM
        del atoms.info["REF_energy"]
    assert "eV/bohr" in only(structures, base, "forces-scale").message


GPA = 160.21766208
STRESSES = {
    "a stress in GPa": (GPA, "--stress-unit GPa"),
    "a stress in -GPa (compression positive)": (-GPA, "--stress-unit=-GPa"),
    "a stress in kbar": (10 * GPA, "--stress-unit kbar"),
    "a stress in -kbar (compression positive)": (-10 * GPA, "--stress-unit=-kbar"),
    "a stress in bar": (1e4 * GPA, "--stress-unit bar"),
    "a stress in -bar (compression positive)": (-1e4 * GPA, "--stress-unit=-bar"),
    "a stress in Pa": (1e9 * GPA, "--stress-unit Pa"),
    "a stress in MPa": (1e3 * GPA, "--stress-unit MPa"),
    "a stress in -eV/A^3 (compression positive)": (-1.0, "--stress-unit=-eV/A^3"),
    "a stress in Ha/bohr^3": (
        BOHR_IN_ANGSTROM**3 / HARTREE_IN_EV,
        "--stress-unit Ha/bohr^3",
    ),
}


@pytest.mark.parametrize("order", ["voigt", "vasp", "lammps"])
@pytest.mark.parametrize("name", STRESSES)
def test_unit_and_order_of_stresses_are_named(name, order):
    structures, base = told()
    factor, option = STRESSES[name]
    places = [VOIGT.index(one) for one in components(order)]
    for atoms in structures:
        atoms.info["REF_stress"] = factor * atoms.info["REF_stress"][places]
    finding = only(structures, base, "stress-scale")
    assert f"look like {name}" in finding.message
    assert option in finding.remedy
    assert (f"--stress-order {order}" in finding.remedy) == (order != "voigt")


ALIKE = {
    "forces in rydberg/bohr": 1 / HARTREE_IN_EV,
    "forces in hartree/Å": 1 / HARTREE_IN_EV,
    "forces in meV/Å": 964.853,
    "forces in kJ/mol/nm": 964.853,
}


@pytest.mark.parametrize("softness", [0.9, 1.0])
@pytest.mark.parametrize("name", ALIKE)
def test_units_that_a_soft_base_cannot_tell_apart_are_both_named(name, softness):
    structures, base = told(softness=softness)
    for atoms in structures:
        atoms.arrays["REF_forces"] *= ALIKE[name]
    assert name in only(structures, base, "forces-scale").message


@pytest.mark.parametrize("softness", [0.85, 1.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_gpa_in_cells_of_about_as_many_cubic_angstrom(sign, softness):
    """Volume times stress is almost the same number; a virial is named beside."""
    structures, base = told(sizes=(1,), softness=softness)
    assert {round(atoms.get_volume()) for atoms in structures} == {160}
    for atoms in structures:
        atoms.set_cell(atoms.cell * 1.03, scale_atoms=True)
        atoms.info["REF_stress"] = sign * GPA * atoms.info["REF_stress"]
    finding = only(structures, base, "stress-scale")
    unit = "a stress in GPa" if sign > 0 else "a stress in -GPa"
    assert f"look like {unit}" in finding.message
    assert "under a stress's name" in finding.message
    assert ("--stress-unit GPa" if sign > 0 else "=-GPa") in finding.remedy


def test_a_stress_that_was_converted_twice_is_told_what_to_do():
    structures, base = told()
    for atoms in structures:
        atoms.info["REF_stress"] = atoms.info["REF_stress"] / GPA
    finding = only(structures, base, "stress-scale")
    assert "converted from GPa" in finding.message
    assert "without --stress-unit" in finding.remedy
    assert "multiply by 160.218" in finding.remedy


def test_another_order_alone_is_named():
    structures, base = told()
    places = [VOIGT.index(one) for one in components("vasp")]
    for atoms in structures:
        atoms.info["REF_stress"] = atoms.info["REF_stress"][places]
    finding = only(structures, base, "stress-scale")
    assert "the order xx yy zz xy yz xz" in finding.message
    assert finding.remedy == "Read the file with --stress-order vasp"


@pytest.mark.parametrize("name", ["a stress in bar", "a stress in GPa"])
def test_a_part_with_other_stresses_is_found(name):
    structures, base = told()
    for atoms in structures[:4]:
        atoms.info["REF_stress"] = atoms.info["REF_stress"] * STRESSES[name][0]
    finding = only(structures, base, "stress-scale")
    assert f"look like {name}" in finding.message
    assert finding.frames == tuple(f"a.extxyz, frame {i}" for i in range(4))


def test_a_virial_of_the_opposite_sign_is_read_by_its_own_option():
    structures, base = told()
    for atoms in structures:
        atoms.info["label_keys"]["stress"] = "REF_virial"
        atoms.info["REF_stress"] = -atoms.info["REF_stress"]
    finding = only(structures, base, "stress-scale")
    assert "a virial of the opposite sign" in finding.message
    assert "--stress-unit=-virial" in finding.remedy


# --- negative controls: what is no wrong unit


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("softness", [0.5, 0.65, 1.0, 1.6])
def test_a_soft_base_is_no_unit(kind, softness):
    structures, base = told(softness=softness, **KINDS[kind])
    assert scales(structures, base) == {}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n", [1, 2, 3, 5, 12])
def test_a_poor_base_is_no_unit(n, seed):
    """Nothing is said of a unit by a base that knows nothing."""
    structures, base = told(n, softness=0.1, noise=1.0, seed=seed)
    assert not [code for code in scales(structures, base) if code.endswith("-scale")]


@pytest.mark.parametrize("softness", [0.65, 1.0])
@pytest.mark.parametrize("sizes", [(1,), (1, 2)])
def test_small_cells_are_not_taken_for_energies_per_atom(sizes, softness):
    """In a cell of two atoms the factor is close to what a soft base gives."""
    structures, base = told(sizes=sizes, softness=softness, primitive=True)
    assert {len(atoms) for atoms in structures} == {2 * size for size in sizes}
    assert scales(structures, base) == {}
    for atoms in structures:
        atoms.info["REF_energy"] /= len(atoms)
    assert "look like energies per atom:" in scales(structures, base)["energy-scale"]


def test_other_pressures_of_the_base_are_no_opposite_sign():
    """The base's cell may be at rest at another volume: all stresses shift."""
    structures, base = told(softness=1.0, noise=0.0)
    words = dict(
        zip(
            (atoms.info["source"] for atoms in structures),
            base.predict(structures),
            strict=True,
        )
    )
    shift = np.array([0.008, 0.008, 0.008, 0, 0, 0])
    for atoms in structures:
        small = 0.05 * words[atoms.info["source"]].stress
        atoms.info["REF_stress"] = small + shift
        words[atoms.info["source"]].stress = small - shift
    assert "stress-scale" not in scales(structures, base)
    assert "stress-scale" not in scales(structures[:2], base)


# --- the table of slopes


def test_slopes_are_always_there():
    structures, base = told(softness=0.5, noise=0.0, salt=True)
    lines = {
        one.quantity: one
        for one in regressions(compare_with_base(structures, base, 10_000))
    }
    assert set(lines) == {"energy", "forces", "stress"}
    for one in lines.values():
        assert one.slope == pytest.approx(2.0)
        assert one.correlation == pytest.approx(1.0)
        assert one.n_structures == 12
    assert lines["forces"].intercept == pytest.approx(0.0, abs=1e-12)


def test_what_does_not_vary_has_no_slope():
    structures, base = told(1)
    line = regressions(compare_with_base(structures, base, 10_000))[0]
    assert (line.quantity, line.slope, line.correlation) == ("energy", None, None)


@pytest.mark.parametrize(
    ("option", "unit", "code"),
    [
        ("forces_unit", "Ha/bohr", "forces-scale"),
        ("forces_unit", "-eV/A", "forces-scale"),
        ("energy_unit", "Ha", "energy-scale"),
        ("energy_unit", "meV", "energy-scale"),
        ("energy_unit", "eV/atom", "energy-scale"),
    ],
)
def test_a_wrong_option_is_to_be_left_out_first(tmp_path, option, unit, code):
    """Another unit on top of a wrong one would lead in circles."""
    structures, base = told(sizes=(1, 2, 3))
    file = tmp_path / "train.extxyz"
    write_exactly(file, structures)

    def read(**labels):
        found = read_structures([file], **labels)
        for atoms, original in zip(found, structures, strict=True):
            atoms.info["source"] = original.info["source"]  # the base knows it by that
        return found

    finding = only(read(**{option: unit}), base, code)
    assert f"eV{'/Å' * ('forces' in option)} that were read with --" in finding.message
    assert finding.remedy.startswith(f"Leave out --{option.replace('_', '-')}")
    assert f"{unit} and check again" in finding.remedy
    plain = check_structures(read(), base=base)
    assert code not in {one.code for one in plain}


def test_units_of_energies_that_small_cells_hide_are_both_named():
    """Four times a kcal/mol is as many eV as a kJ/mol, to 5 %."""
    structures, base = told(sizes=(1,))
    n_atoms = len(structures[0])
    for atoms in structures:
        atoms.info["REF_energy"] *= 96.4853 / n_atoms * 1.04
    finding = only(structures, base, "energy-scale")
    assert "energies per atom in kJ/mol" in finding.message
    assert ("own output says" in finding.remedy) == ("(or " in finding.message)


@pytest.mark.parametrize("kind", ["shuffled", "all the same"])
def test_energies_that_are_none_of_these_structures_are_told(kind):
    structures, base = told(sizes=(1,))
    energies = [atoms.info["REF_energy"] for atoms in structures]
    for i, atoms in enumerate(structures):
        other = (i + 1) % len(energies) if kind == "shuffled" else 0
        atoms.info["REF_energy"] = energies[other]
    finding = only(structures, base, "energies-disagree")
    assert finding.severity == "warning"
    assert "The energies do not agree with" in finding.message


@pytest.mark.parametrize("order", ["vasp", "lammps"])
@pytest.mark.parametrize("as_six", [True, False])
def test_shears_in_another_order_are_named_under_a_pressure(order, as_six):
    structures, base = told(sizes=(1,))
    predict = base.predict
    pressed = dataclasses.replace(
        base,
        predict=lambda some: [
            dataclasses.replace(one, stress=np.add(one.stress, [1.0] * 3 + [0.0] * 3))
            for one in predict(some)
        ],
    )
    for atoms, said in zip(structures, pressed.predict(structures), strict=True):
        atoms.info["REF_stress"] = said.stress
    assert not [
        one
        for one in check_structures(structures, base=pressed)
        if one.code == "stress-scale"
    ]
    for atoms in structures:
        stress = atoms.info["REF_stress"]
        places = [VOIGT.index(one) for one in components(order)]
        atoms.info["REF_stress"] = stress[places]
        atoms.info["stress_of_six"] = as_six
    finding = only(structures, pressed, "stress-scale")
    assert " ".join(components(order)) in finding.message
    assert (f"--stress-order {order}" in finding.remedy) == as_six


def in_other_order(structures, order="vasp"):
    places = [VOIGT.index(one) for one in components(order)]
    for atoms in structures:
        atoms.info["REF_stress"] = atoms.info["REF_stress"][places]


@pytest.mark.parametrize("n", [3, 12])
def test_small_shears_tell_their_order(n):
    """Shears of 30 MPa beside 6 GPa, as in slabs and slightly strained crystals."""
    structures, base = small_shears(n, 2e-4)
    found = check_structures(structures, base=base)
    assert not [one for one in found if one.code.startswith("stress")]
    in_other_order(structures)
    assert "xx yy zz xy yz xz" in only(structures, base, "stress-scale").message


def test_one_file_of_two_in_another_order_is_named():
    structures, base = told()
    words = base.predict(structures)
    said = {id(a): one for a, one in zip(structures, words, strict=True)}
    base = dataclasses.replace(base, predict=lambda some: [said[id(a)] for a in some])
    for i, atoms in enumerate(structures[8:]):
        atoms.info["source"] = f"b.extxyz, frame {i}"
    in_other_order(structures[8:])
    finding = only(structures, base, "stress-scale")
    assert finding.frames == tuple(f"b.extxyz, frame {i}" for i in range(4))


def test_a_file_in_the_right_order_is_not_named_with_a_larger_one():
    structures, base = told()
    words = base.predict(structures)
    said = {id(a): one for a, one in zip(structures, words, strict=True)}
    base = dataclasses.replace(base, predict=lambda some: [said[id(a)] for a in some])
    for i, atoms in enumerate(structures):
        name = f"b.extxyz, frame {i - 9}" if i >= 9 else f"a.extxyz, frame {i}"
        atoms.info["source"] = name
    in_other_order(structures[:9])
    finding = only(structures, base, "stress-scale")
    assert all(one.startswith("a.extxyz") for one in finding.frames)


def test_an_order_that_cannot_be_told_is_said():
    structures, base = small_shears(6, 3e-4, said=0.0)
    note = only(structures, base, "stress-order-untested")
    assert note.severity == "note"
    assert "cannot be told in 6 structures" in note.message
    for atoms in structures:
        atoms.info["label_units"] = {"--stress-order": "voigt"}
    assert "stress-order-untested" not in {
        one.code for one in check_structures(structures, base=base)
    }
    structures, base = small_shears(6, 1e-6, said=0.0)
    found = check_structures(structures, base=base)
    assert not [one for one in found if one.code.startswith("stress-order")]


def small_shears(n, size, said=1.0):
    """Return crystals under a pressure with small shears, and what a base says."""
    structures, base = told(n)
    rng = np.random.default_rng(1)
    words = {}
    for atoms, one in zip(structures, base.predict(structures), strict=True):
        shears = size * rng.normal(size=3)
        diagonal = 0.04 + 0.01 * rng.normal(size=3)
        atoms.info["REF_stress"] = np.concatenate([diagonal, shears])
        predicted = np.concatenate([diagonal, said * shears])
        words[atoms.info["source"]] = dataclasses.replace(one, stress=predicted)
    return structures, dataclasses.replace(
        base, predict=lambda some: [words[atoms.info["source"]] for atoms in some]
    )


def test_an_order_is_put_right_beside_a_unit_that_is():
    """Stresses in kbar, read as such, with their shears in VASP's order."""
    structures, base = told(sizes=(1,))
    in_other_order(structures)
    for atoms in structures:
        atoms.info["stress_of_six"] = True
        atoms.info[LABEL_UNITS] = {"--stress-unit": "-kbar"}
    finding = only(structures, base, "stress-scale")
    assert finding.remedy == "Read the file with --stress-order vasp"
