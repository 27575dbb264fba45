"""Files in the units of other programs come out in Å, eV/Å and eV."""

import numpy as np
import pytest
import yaml
from ase.units import Bohr, Hartree, Rydberg

from atomgraft.core.errors import BadInputError
from atomgraft.data.force_sets import read_force_sets
from atomgraft.data.labels import energy_of
from atomgraft.data.phonopy_files import COULOMB
from atomgraft.data.readers import read_structures
from atomgraft.lattice.reference import read_reference
from tests.vibrations import BORN, harmonic_salt, harmonic_silicon, save

CONSTANTS = 1e-6
"""Relative; phonopy's constants are of 1986 and 2006, ASE's of 2014."""

PROGRAMS = {
    "qe": (Bohr, Rydberg / Bohr, "au", "Ry/au"),
    "abinit": (Bohr, 1.0, "au", "eV/angstrom"),
    "siesta": (Bohr, 1.0, "au", "eV/angstrom"),
    "elk": (Bohr, Hartree / Bohr, "au", "hartree/au"),
    "wien2k": (Bohr, 1e-3 * Rydberg / Bohr, "au", "mRy/au"),
    "cp2k": (1.0, Hartree / Bohr, "angstrom", "hartree/au"),
    "aims": (1.0, 1.0, "angstrom", "eV/angstrom"),
}


def in_units_of(program, path, *, has_name=True, has_units=True):
    """Write a file of Å and eV/Å again as a program would have it."""
    length, force, length_unit, force_unit = PROGRAMS[program]
    document = yaml.safe_load(path.read_text())
    for key in ("unit_cell", "primitive_cell", "supercell"):
        cell = document[key]
        cell["lattice"] = (np.array(cell["lattice"]) / length).tolist()
    for one in document["displacements"]:
        one["displacement"] = (np.array(one["displacement"]) / length).tolist()
        one["forces"] = (np.array(one["forces"]) / force).tolist()
    document["phonopy"].pop("frequency_unit_conversion_factor", None)
    document["phonopy"].pop("calculator", None)
    document.pop("physical_unit", None)
    if has_name:
        document["phonopy"]["calculator"] = program
    if has_units:
        document["physical_unit"] = {"length": length_unit, "force": force_unit}
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
def salt_file(tmp_path):
    return save(harmonic_salt().phonon, tmp_path / "phonopy_params.yaml")


def edited(path, change):
    document = yaml.safe_load(path.read_text())
    change(document)
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("stated", ["both", "program", "units"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_lengths_and_forces_are_converted(program, stated, salt_file):
    known = read_force_sets(salt_file)
    found = read_force_sets(
        in_units_of(
            program,
            salt_file,
            has_name=stated != "units",
            has_units=stated != "program",
        )
    )
    for name in ("displacements", "forces"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(known, name), rtol=CONSTANTS, atol=1e-9
        )
    for name in ("unit_cell", "ideal"):
        ours, theirs = getattr(found, name), getattr(known, name)
        np.testing.assert_allclose(ours.cell.array, theirs.cell.array, rtol=CONSTANTS)
        np.testing.assert_allclose(
            ours.positions, theirs.positions, rtol=CONSTANTS, atol=1e-9
        )


def test_frequencies_are_those_of_phonopy(salt_file):
    import phonopy

    path = in_units_of("qe", salt_file)
    phonon = phonopy.load(path, produce_fc=False, log_level=0)
    phonon.produce_force_constants(fc_calculator="traditional")
    phonon.symmetrize_force_constants(level=3)
    q = [[0.5, 0, 0], [0.25, 0.25, 0]]
    known = np.asarray(phonon.run_qpoints(q).frequencies)
    found = read_reference(path).harmonic.phonon.run_qpoints(q).frequencies
    np.testing.assert_allclose(found, known, rtol=1e-4)


@pytest.mark.parametrize(
    ("factor", "program"), [(2.0, "qe"), (14.4, "qe"), (14.4, "aims")]
)
def test_charges_have_the_factor_of_the_file(factor, program, salt_file, tmp_path):
    (tmp_path / "BORN").write_text(BORN.format(1.1).replace("14.4", str(factor), 1))
    path = in_units_of(program, salt_file)
    found = read_reference(path, born=tmp_path / "BORN").phonon.nac_params
    assert found["factor"] == pytest.approx(COULOMB, rel=1e-3)


def test_a_factor_of_other_units_is_refused(salt_file, tmp_path):
    (tmp_path / "BORN").write_text(BORN.format(1.1).replace("14.4", "2.0", 1))
    with pytest.raises(BadInputError, match=r"It is e²/4πε₀: 14\.400 eV Å"):
        read_reference(salt_file, born=tmp_path / "BORN")


def test_forces_beside_are_in_the_same_units(salt_file, tmp_path):
    from tests.vibrations import write_force_sets

    known = read_force_sets(salt_file)
    document = yaml.safe_load(in_units_of("qe", salt_file).read_text())
    dataset = {
        "natom": len(known.ideal),
        "first_atoms": [
            {
                "number": one["atom"] - 1,
                "displacement": np.array(one["displacement"]),
                "forces": np.array(one.pop("forces")),
            }
            for one in document["displacements"]
        ],
    }
    write_force_sets(dataset, tmp_path / "FORCE_SETS")
    (tmp_path / "phonopy_disp.yaml").write_text(yaml.safe_dump(document))
    found = read_force_sets(tmp_path / "phonopy_disp.yaml")
    np.testing.assert_allclose(found.forces, known.forces, atol=1e-6)
    frames = read_structures([tmp_path / "phonopy_disp.yaml"])
    np.testing.assert_allclose(
        frames[0].arrays["displacement"], known.displacements[0], atol=1e-7
    )


def test_energies_are_converted(tmp_path):
    path = save(harmonic_silicon().phonon, tmp_path / "phonopy_params.yaml")
    in_units_of("qe", path)
    edited(
        path,
        lambda document: document["displacements"][0].update(supercell_energy=-2.0),
    )
    [atoms] = read_structures([path])
    assert energy_of(atoms) == pytest.approx(-2.0 * Rydberg, rel=CONSTANTS)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            lambda one: one["phonopy"].update(calculator="abacuss"),
            "calculator 'abacuss'",
        ),
        (lambda one: one["phonopy"].update(calculator=["qe"]), "calculator"),
        (lambda one: one["phonopy"].update(calculator="qe"), "and the calculator qe"),
        (lambda one: one.update(physical_unit={"length": "furlong"}), "furlong"),
        (lambda one: one.update(physical_unit={"length": "au"}), "no unit of force"),
        (lambda one: one.update(physical_unit={"force": "N"}), "force in n"),
        (lambda one: one.update(physical_unit=7), "physical_unit 7"),
    ],
)
def test_units_that_are_unknown_or_in_conflict_are_refused(change, match, salt_file):
    with pytest.raises(BadInputError, match=match) as error:
        read_force_sets(edited(salt_file, change))
    assert "\n" not in str(error.value)
