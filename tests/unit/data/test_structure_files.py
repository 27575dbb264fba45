"""Is one crystal read from a file, and everything that is none refused?"""

import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

from atomgraft.core.errors import BadInputError
from atomgraft.data.sources import parse_source
from atomgraft.data.structure_files import disorder_in, read_structure
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
