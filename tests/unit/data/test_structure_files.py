"""Is one crystal read from a file, and everything that is none refused?"""

import pytest
from ase import Atoms
from ase.build import bulk
from ase.constraints import FixAtoms, FixCom, FixScaled
from ase.io import write

from atomgraft.core.errors import BadInputError
from atomgraft.data.sources import parse_source
from atomgraft.data.structure_files import (
    disorder_in,
    iterate_frames,
    read_frames,
    read_structure,
)
from tests.mixed_salts import rock_salt_cif


def test_an_ordered_cif_is_read(tmp_path):
    path = tmp_path / "MgO.cif"
    write(path, bulk("MgO", "rocksalt", a=4.2, cubic=True))
    assert len(read_structure(parse_source(str(path)))) == 8


@pytest.mark.parametrize(
    "rows",
    [
        ("Mg1 Mg 0 0 0 0.5", "Li1 Li 0 0 0 0.5", "O1 O 0.5 0.5 0.5 1.0"),
        ("Mg1 Mg 0 0 0 0.9", "O1 O 0.5 0.5 0.5 1.0"),
    ],
    ids=["shared", "partly empty"],
)
def test_partial_occupancies_are_refused(tmp_path, rows):
    path = tmp_path / "mixed.cif"
    path.write_text(rock_salt_cif(rows))
    with pytest.raises(BadInputError, match="it has partial occupancies"):
        read_structure(parse_source(str(path)))


def test_occupancies_that_are_no_numbers_are_refused():
    odd = Atoms("Li", info={"occupancy": {"0": {"Li": 1, "O": "?"}}})
    assert disorder_in(odd) == "its occupancies are no numbers"


def test_full_occupancies_are_no_disorder(tmp_path):
    path = tmp_path / "MgO.cif"
    path.write_text(rock_salt_cif(("Mg1 Mg 0 0 0 1.0", "O1 O 0.5 0.5 0.5 0.9999")))
    assert read_structure(parse_source(str(path))).symbols.get_chemical_formula() == (
        "Mg4O4"
    )


def test_several_frames_need_a_choice(tmp_path):
    path = tmp_path / "two.extxyz"
    write(path, [bulk("Si"), bulk("Ge")])
    with pytest.raises(BadInputError, match="holds 2 structures"):
        read_structure(parse_source(str(path)))
    assert read_structure(parse_source(f"{path}@1")).symbols[0] == "Ge"


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("held.vasp", FixScaled([1], mask=[1, 0, 0])),
        ("held.traj", FixAtoms([0])),
        ("held.extxyz", FixAtoms([0])),
    ],
)
def test_fixed_atoms_are_refused_where_all_will_move(tmp_path, name, held):
    atoms = bulk("Si", cubic=True)
    atoms.set_constraint(held)
    path = tmp_path / name
    columns = {"columns": ["symbols", "positions", "move_mask"]}
    write(path, atoms, **(columns if name.endswith("xyz") else {}))
    source = parse_source(str(path))
    assert not read_structure(source).constraints
    with pytest.raises(BadInputError, match="holds atoms fixed") as error:
        read_structure(source, moves_as="md.structure")
    assert f"ase convert {path} free.cif" in str(error.value)
    assert "--set md.structure=free.cif" in str(error.value)


def test_atoms_that_may_all_move_are_read(tmp_path):
    atoms = bulk("Si", cubic=True)
    path = tmp_path / "POSCAR"
    write(path, atoms, format="vasp", direct=True)
    lines = path.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Direct"))
    free = [f"{line} T T T" for line in lines[start + 1 :]]
    lines = [*lines[:start], "Selective dynamics", lines[start], *free]
    path.write_text("\n".join(lines))
    assert len(read_structure(parse_source(path), moves_as="md.structure")) == 8
    atoms.set_constraint(FixCom())
    write(tmp_path / "md.traj", atoms)
    source = parse_source(tmp_path / "md.traj")
    assert len(read_structure(source, moves_as="md.structure")) == 8


@pytest.mark.parametrize("name", ["POSCAR", "si.vasp"])
@pytest.mark.parametrize("counts", ["1000000000", "2 99999999999"])
def test_a_poscar_that_counts_more_atoms_than_it_has_is_refused(tmp_path, name, counts):
    path = tmp_path / name
    write(path, bulk("Si"), format="vasp")
    text = path.read_text().splitlines()
    i = next(k for k, line in enumerate(text) if line.split() == ["2"])
    text[i] = counts
    path.write_text("\n".join(text) + "\n")
    with pytest.raises(BadInputError, match="too short"):
        read_frames(path, slice(None))
    with pytest.raises(BadInputError, match="too short"):
        list(iterate_frames(path))
    text[i] = "2"
    path.write_text("\n".join(text) + "\n")
    [atoms] = read_frames(path, slice(None))
    assert len(atoms) == 2
