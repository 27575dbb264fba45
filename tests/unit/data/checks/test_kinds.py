"""Kinds of wrong data that need no base: zeros, heads, charges, loose electrons."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from atomgraft.core.errors import BadInputError
from atomgraft.data.checks.findings import (
    CHANGES_WHAT_IS_LEARNED,
    Finding,
    is_isolated_atom,
    refuse_unaccepted,
)
from atomgraft.data.checks.suite import Sets, check_alone, check_structures, examine
from tests.unit.data.checks.told import told


def codes(structures, **more):
    return {one.code: one for one in check_alone(Sets(train=structures, **more))}


def sources(numbers):
    return tuple(f"a.extxyz, frame {i}" for i in numbers)


LABELS = {
    "energy": lambda atoms: atoms.info.update(REF_energy=0.0),
    "forces": lambda atoms: atoms.arrays["REF_forces"].fill(0),
    "stress": lambda atoms: atoms.info.update(REF_stress=np.zeros(6)),
}


@pytest.mark.parametrize("quantity", LABELS)
def test_zeros_are_placeholders(quantity):
    """In some frames a warning, in all an error; the control has neither."""
    structures, _ = told()
    code = f"placeholder-{quantity}"
    assert code not in codes(structures)
    for i in (2, 6, 10):
        LABELS[quantity](structures[i])
    found = codes(structures)[code]
    assert (found.severity, found.frames) == ("warning", sources((2, 6, 10)))
    assert "3 of 12" in found.message
    assert "other 9" in found.message
    for atoms in structures:
        LABELS[quantity](atoms)
    found = codes(structures)[code]
    assert (found.severity, found.number) == ("error", 12)


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("strain", [0.0, 0.05])
def test_symmetry_may_demand_that_forces_vanish(repeats, strain):
    perfect = bulk("Si", cubic=True) * (repeats, 1, 1)
    shear = np.eye(3) + strain * np.array([[0, 0, 0], [0, 1, 0], [0, 0, -1]])
    perfect.set_cell(perfect.cell.array @ shear, scale_atoms=True)
    perfect.arrays["REF_forces"] = np.zeros((len(perfect), 3))
    perfect.info["REF_energy"] = -1.0
    assert "placeholder-forces" not in codes([perfect])
    perfect.positions[0] += [0.02, 0.03, 0.01]
    assert codes([perfect])["placeholder-forces"].severity == "error"


def test_an_internal_strain_is_no_symmetry():
    """Diamond sheared along [111]: its two atoms may feel forces."""
    sheared = bulk("Si")
    shear = np.eye(3) + 0.02 * (np.ones((3, 3)) - np.eye(3))
    sheared.set_cell(sheared.cell.array @ shear, scale_atoms=True)
    sheared.arrays["REF_forces"] = np.zeros((2, 3))
    sheared.info["REF_energy"] = -1.0
    assert "placeholder-forces" in codes([sheared])


# --- heads


def with_heads(*names):
    structures, _ = told()
    for i, atoms in enumerate(structures):
        if (name := names[i % len(names)]) is not None:
            atoms.info["head"] = name
    return structures


def test_heads_that_no_run_defines_are_named():
    found = codes(with_heads("pbe", "r2scan"))["heads-ignored"]
    assert found.severity == "warning"
    assert "head = pbe (6), r2scan (6)" in found.message
    assert codes(with_heads("pbe", None))["heads-ignored"].severity == "warning"
    assert codes(with_heads("pbe"))["heads-ignored"].severity == "note"
    assert "heads-ignored" not in codes(with_heads("Default", "target", None))


@pytest.mark.parametrize("key", ["Head", "HEAD", "heads"])
def test_a_key_that_is_almost_head_is_named(key):
    structures, _ = told()
    for i, atoms in enumerate(structures):
        atoms.info[key] = ("pbe", "r2scan")[i % 2]
    found = codes(structures)["heads-ignored"]
    assert found.severity == "warning"
    assert f"{key} = pbe (6), r2scan (6)" in found.message
    assert f"sed 's/\\b{key}=/head=/'" in found.remedy
    assert codes(structures, heads=("r2scan",))["unknown-head"].severity == "error"
    for atoms in structures:
        atoms.info[key] = "pbe"
    assert codes(structures)["heads-ignored"].severity == "note"
    for atoms in structures:
        atoms.info[key] = "Default"
    assert "heads-ignored" not in codes(structures)


@pytest.mark.parametrize(
    ("names", "heads", "code", "severity"),
    [
        (("pbe", "pbe", "R2SCAN"), ("r2scan",), "unknown-head", "error"),
        (("pbe", "scan"), ("r2scan",), "unknown-head", "error"),
        (("r2-scan", None), ("r2scan",), "head-of-target", "warning"),
        (("pbe", None), ("r2scan",), "head-of-target", "note"),
    ],
)
def test_heads_that_a_run_does_not_know(names, heads, code, severity):
    found = codes(with_heads(*names), heads=heads)[code]
    assert found.severity == severity
    if names[-1] == "R2SCAN":
        assert "4 frames name the head R2SCAN" in found.message
        assert "head=r2scan" in found.remedy


# --- what was computed


@pytest.mark.parametrize(
    "key", ["charge", "total_charge", "Charge", "q", "charge_state", "initial_charges"]
)
def test_charged_frames_are_named(key):
    structures, _ = told()
    for atoms in structures[3:5]:
        if key == "initial_charges":
            atoms.set_initial_charges([-1.0] + [0.0] * (len(atoms) - 1))
        else:
            atoms.info[key] = -1
    for atoms in structures[5:]:
        atoms.info["charge"] = 0
    found = codes(structures)["charged-frames"]
    assert (found.severity, found.frames) == ("warning", sources((3, 4)))
    assert "0 e in 10, -1 e in 2" in found.message


def test_labels_of_two_engines_or_settings_are_named():
    structures, _ = told()
    for atoms in structures[2:]:
        atoms.info |= {"engine": "xtb:GFN2", "engine_settings": "a"}
    assert "several-engines" not in codes(structures)
    structures[3].info |= {"engine": "pyscf:PBE/def2-SVP", "engine_settings": "b"}
    found = codes(structures)["several-engines"]
    assert (found.severity, found.frames) == ("warning", sources((3,)))
    assert "2 engines or settings" in found.message
    structures[3].info["engine"] = "xtb:GFN2"
    assert "2 versions or settings" in codes(structures)["several-engines"].message
    structures[3].info["head"] = "b"
    assert "several-engines" not in codes(structures)


def test_open_boundaries_around_a_crystal_are_an_error():
    structures, _ = told()
    assert "not-periodic" not in codes(structures)
    structures[1].pbc = False
    found = codes(structures)["not-periodic"]
    assert (found.severity, found.frames) == ("error", sources((1,)))


def test_one_open_direction_across_a_crystal_is_an_error():
    crystal = bulk("Si", cubic=True)
    crystal.pbc = (True, True, False)
    [found] = [one for one in check_structures([crystal]) if one.code == "not-periodic"]
    assert found.severity == "error"
    assert "pbc T T F" in found.message
    crystal.center(vacuum=8.0, axis=2)
    assert "not-periodic" not in codes([crystal])


def test_a_stress_of_a_molecule_in_a_box_is_a_warning():
    box = Atoms("H2", [[5, 5, 5], [5, 5, 5.8]], cell=[10] * 3)
    box.info |= {"REF_energy": -1.0}
    assert "not-periodic" not in codes([box])
    box.info["REF_stress"] = np.ones(6)
    assert codes([box])["not-periodic"].severity == "warning"


def test_loose_electrons_are_named_with_what_is_left():
    structures, _ = told()
    structures[2].info["scf_not_converged"] = "NELM = 60 reached"
    structures[5].info["scf_converged"] = False
    structures[6].info["scf_converged"] = True
    found = codes(structures)["not-converged"]
    assert (found.severity, found.frames) == ("warning", sources((2, 5)))
    assert "NELM = 60 reached, scf_converged = False" in found.message
    assert "a.extxyz@0:2 a.extxyz@3:5 a.extxyz@6:12" in found.remedy


# --- lone atoms


@pytest.mark.parametrize(
    "mark",
    [
        "IsolatedAtom",
        "isolated_atom",
        "isolated atoms",
        "ISOLATED",
        "single-atom",
        "atom",
        "E0",
        "isolated atom Si",
    ],
)
@pytest.mark.parametrize("key", ["config_type", "config_name", "label"])
def test_lone_atoms_are_known_by_their_mark(key, mark):
    assert is_isolated_atom(Atoms("Si", cell=[3] * 3, pbc=True, info={key: mark}))


def test_lone_atoms_are_known_by_their_box():
    packed = {"cell": [3] * 3, "pbc": True}
    assert is_isolated_atom(Atoms("Si", **packed, info={"Config_type": "IsolatedAtom"}))
    assert is_isolated_atom(Atoms("Si"))
    assert is_isolated_atom(Atoms("Si", cell=[12, 13, 14], pbc=True))
    assert is_isolated_atom(Atoms("Si", cell=[7, 7, 7], pbc=True))
    assert not is_isolated_atom(bulk("Cs", "bcc", a=7.0))
    assert not is_isolated_atom(Atoms("C", cell=[2.5, 2.5, 20], pbc=[1, 1, 0]))
    assert not is_isolated_atom(Atoms("Si", cell=[20, 20, 5], pbc=True))
    assert not is_isolated_atom(Atoms("H2", [[0] * 3, [0, 0, 1]]))


# --- energies and forces of different functionals of smearing


@pytest.mark.parametrize(("spread", "severity"), [(0.0, "note"), (0.02, "warning")])
def test_a_free_energy_beside_the_energy(spread, severity):
    structures, _ = told(sizes=(1,))
    for i, atoms in enumerate(structures):
        gap = 0.01 + spread * i / 11
        atoms.info["free_energy"] = atoms.info["REF_energy"] - len(atoms) * gap
    found = codes(structures)["free-energy-differs"]
    assert found.severity == severity
    assert f"up to {10 + 1000 * spread:.1f} meV/atom" in found.message
    assert "--energy-key free_energy" in found.remedy
    for atoms in structures:
        atoms.info["label_keys"]["energy"] = "free_energy"
    assert "free-energy-differs" not in codes(structures)


def test_a_free_energy_alone_is_named():
    structures, _ = told()
    for atoms in structures:
        atoms.info["free_energy"] = atoms.info.pop("REF_energy")
    found = codes(structures)["unread-label"]
    assert found.severity == "warning"
    assert found.remedy.endswith("--energy-key free_energy")


# --- stresses by size alone


def test_stresses_beyond_all_matter_need_no_base():
    structures, base = told()
    for atoms in structures:
        atoms.info["REF_stress"] = atoms.info["REF_stress"] * 1602.0
    [found] = [one for one in check_structures(structures) if one.severity == "error"]
    assert found.code == "stress-size"
    with_base = check_structures(structures, base=base)
    assert {one.code for one in with_base if one.severity == "error"} == {
        "stress-scale"
    }


# --- order of the checks


def test_no_base_is_loaded_where_something_cheaper_is_wrong():
    structures, _ = told()
    for atoms in structures:
        LABELS["forces"](atoms)

    def load():
        raise AssertionError("a base was loaded")

    assert not examine(Sets(train=structures), load).is_compared
    with pytest.raises(AssertionError, match="was loaded"):
        examine(Sets(train=told()[0]), load)


# --- what must be accepted


def finding(code, severity="warning"):
    return Finding(severity=severity, code=code, message="It is so.", remedy="Do this.")


def test_warnings_that_change_what_is_learned_stop_until_they_are_accepted():
    found = [finding("heads-ignored"), finding("duplicates"), finding("not-converged")]
    with pytest.raises(BadInputError) as caught:
        refuse_unaccepted(found, ())
    assert "--accept heads-ignored --accept not-converged" in caught.value.remedy
    with pytest.raises(BadInputError, match="not-converged: It is so"):
        refuse_unaccepted(found, ("heads-ignored",))
    refuse_unaccepted(found, ("heads-ignored", "not-converged"))


def test_errors_cannot_be_accepted_and_notes_pass():
    with pytest.raises(BadInputError):
        refuse_unaccepted([finding("not-periodic", "error")], ("not-periodic",))
    refuse_unaccepted([finding(code, "note") for code in CHANGES_WHAT_IS_LEARNED], ())
