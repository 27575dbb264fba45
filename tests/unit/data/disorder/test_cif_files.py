"""Are the sites and occupancies of a CIF what its text says?"""

import importlib.util

import ase.io
import numpy as np
import pytest
from ase import Atoms

from atomgraft.core.errors import BadInputError, MissingExtraError
from atomgraft.data.disorder.average import Doubt
from atomgraft.data.disorder.cif_files import iterate_cif, read_cif
from tests.unit.data.disorder.cifs import F_CENTRED, INVERSION, NEW, OLD, cif

pytest.importorskip("gemmi")


@pytest.fixture
def read(tmp_path):
    def one(text):
        path = tmp_path / "test.cif"
        path.write_text(text)
        [structure] = read_cif(path)
        return structure

    return one


def test_a_mixed_site_is_one_site_with_two_occupants(read):
    structure = read(
        cif(["Ti1 Ti4+ 0 0 0 0.85", "Al1 Al3+ 0 0 0 0.15", "O1 O2- 0.5 0.5 0.5 1"])
    )
    assert [len(site.occupants) for site in structure.sites] == [2, 1]
    assert structure.composition == {"Ti": 0.85, "Al": 0.15, "O": 1.0}
    assert [one.charge for one in structure.sites[0].occupants] == [4.0, 3.0]
    assert not structure.is_ordered
    assert structure.findings == ()


def test_a_vacancy_stays_open(read):
    structure = read(cif(["Li1 Li 0 0 0 0.4(1)", "O1 O 0.5 0.5 0.5 ."]))
    assert structure.sites[0].filled == 0.4
    assert structure.sites[1].is_ordered  # the dictionary's default is 1


def test_split_sites_are_two_sites(read):
    structure = read(
        cif(["Li1 Li 0 0 0.1 0.5", "O1 O 0.5 0.5 0.5 1"], operations=INVERSION)
    )
    lithium = [one for one in structure.sites if one.occupants[0].symbol == "Li"]
    assert len(lithium) == 2
    assert lithium[0].orbit == lithium[1].orbit
    assert structure.composition == {"Li": 1.0, "O": 1.0}


@pytest.mark.parametrize("tag", [OLD, NEW, NEW.replace("symop_", "symop.")])
def test_operations_are_read_in_every_spelling(read, tag):
    structure = read(
        cif(
            ["Na1 Na 0 0 0 1", "Cl1 Cl 1/2 0 0 1".replace("1/2", "0.5")],
            operations=F_CENTRED,
            tag=tag,
        )
    )
    assert structure.composition == {"Na": 4.0, "Cl": 4.0}


@pytest.mark.parametrize("shift", [0.0, 1e-4, 0.01])
def test_a_special_position_is_counted_once(read, shift):
    structure = read(
        cif([f"Li1 Li {shift} 0 0 1", "O1 O 0.25 0.25 0.25 1"], operations=INVERSION)
    )
    assert structure.composition == {"Li": 1.0, "O": 2.0}


def test_a_general_position_near_a_special_one_is_not(read):
    structure = read(
        cif(["Li1 Li 0.05 0 0 0.5", "O1 O 0.25 0.25 0.25 1"], operations=INVERSION)
    )
    assert structure.composition == {"Li": 1.0, "O": 2.0}
    assert len(structure.sites) == 4


COLUMNS = (
    "label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy",
    "symmetry_multiplicity",
)  # fmt: skip


def test_the_stated_multiplicity_decides_in_doubt(read):
    rows = ["Li1 Li 0.01 0 0 1 2", "O1 O 0.25 0.25 0.25 1 2"]
    structure = read(cif(rows, operations=INVERSION, columns=COLUMNS))
    assert structure.composition["Li"] == 2.0
    assert Doubt.MULTIPLICITY not in structure.doubts()


def test_a_multiplicity_that_no_distance_explains_is_a_finding(read):
    rows = ["Li1 Li 0.3 0.1 0.1 1 4", "O1 O 0.25 0.25 0.25 1 2"]
    structure = read(cif(rows, operations=INVERSION, columns=COLUMNS))
    assert structure.doubts() == {Doubt.MULTIPLICITY}


@pytest.mark.parametrize(
    ("more", "doubt", "n"),
    [
        ("_symmetry_space_group_name_H-M 'P -1'", Doubt.SYMMETRY_BY_NAME, 2),
        ("_space_group_name_H-M_alt P-1", Doubt.SYMMETRY_BY_NAME, 2),
        ("_space_group_IT_number 2", Doubt.SYMMETRY_BY_NAME, 2),
        ("_space_group_name_Hall '-P 1'", Doubt.SYMMETRY_BY_NAME, 2),
        ("", Doubt.NO_SYMMETRY, 1),
    ],
)
def test_without_operations_the_space_group_gives_them(read, more, doubt, n):
    structure = read(cif(["Li1 Li 0.1 0.2 0.3 1"], operations=(), more=more))
    assert structure.composition == {"Li": n}
    assert structure.doubts() == {doubt}


@pytest.mark.parametrize(
    ("rows", "more", "doubt", "composition"),
    [
        (["Li1 Li 0 0 0 0.7", "Na1 Na 0 0 0 0.7"], "", Doubt.OVERFULL,
         {"Li": 0.5, "Na": 0.5}),
        (["Li1 Li 0 0 0 1.2"], "", Doubt.OVERFULL, {"Li": 1.0}),
        (["Li1 Li 0 0 0 1", "Li2 Li 0 0 0.001 1"], "", Doubt.DUPLICATE, {"Li": 1.0}),
        (["Li1 Li 0 0 0 .5", "Li2 Li 0 0 0 .25"], "", Doubt.DUPLICATE, {"Li": 0.75}),
        (["D1 D 0 0 0 1"], "", Doubt.ISOTOPE, {"H": 1.0}),
        (["O1 O 0 0 0 1"], "_chemical_formula_sum 'H2 O'", Doubt.HYDROGEN, {"O": 1.0}),
        (["Li1 Li 0 0 0 1", "O1 O .5 .5 .5 1"], "_chemical_formula_sum 'Li2 O'",
         Doubt.FORMULA, {"Li": 1.0, "O": 1.0}),
        (["Li1 Li 0 0 0 1", "H1 H ? ? ? 1"], "", Doubt.NO_POSITION, {"Li": 1.0}),
        (["Li1 Li 0 0 0 1", "X1 Va 0 0 0.5 1"], "", Doubt.VACANCY, {"Li": 1.0}),
        (["Li1 Li 0 0 0 1", "O1 O 0 0 0.5 0"], "", Doubt.VACANCY, {"Li": 1.0}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(read, rows, more, doubt, composition):
    structure = read(cif(rows, more=more))
    assert structure.doubts() == {doubt}
    assert structure.composition == pytest.approx(composition)


def test_a_formula_that_fits_is_no_finding(read):
    text = cif(
        ["Li1 Li 0 0 0 .5", "O1 O .5 .5 .5 1"], more="_chemical_formula_sum 'Li2 O4'"
    )
    assert read(text).findings == ()


@pytest.mark.parametrize(
    ("kind", "label", "symbol"),
    [("", "Li1", "Li"), ("", "O1w", "O"), ("", "CL2", "Cl"), ("LI", "x", "Li"),
     ("Fe2+", "M1", "Fe"), ("O-2", "x", "O"), ("Zr4", "x", "Zr")],
)  # fmt: skip
def test_the_element_is_told_from_type_or_label(read, kind, label, symbol):
    structure = read(cif([f"{label} {kind or '?'} 0 0 0 1"]))
    assert structure.composition == {symbol: 1.0}


def test_oxidation_numbers_of_the_table_of_types(read):
    more = "loop_\n_atom_type_symbol\n_atom_type_oxidation_number\nFe3+ 2.5\n"
    structure = read(cif(["Fe1 Fe3+ 0 0 0 1"], more=more))
    assert structure.sites[0].occupants[0].charge == 2.5


def test_an_ordered_file_is_as_ase_reads_it(tmp_path):
    path = tmp_path / "test.cif"
    path.write_text(
        cif(["Na1 Na 0 0 0 1", "Cl1 Cl 0.5 0 0 1", "Li1 Li 0.3 0.1 0.2 1"],
            lengths=(4, 5, 6.5), angles=(80, 95, 110), operations=F_CENTRED,
                more="_space_group_IT_number 196")
    )  # fmt: skip
    found = read_cif(path)[0].atoms()
    expected = ase.io.read(path)
    assert isinstance(expected, Atoms)
    assert found.get_chemical_symbols() == expected.get_chemical_symbols()
    np.testing.assert_allclose(found.cell.array, expected.cell.array, atol=1e-12)
    np.testing.assert_allclose(found.positions, expected.positions, atol=1e-9)


def test_several_blocks_are_several_structures(tmp_path):
    path = tmp_path / "two.cif"
    good = cif(["Li1 Li 0 0 0 1"])
    bad = good.replace("data_test", "data_bad").replace("_cell_length_b 4.0", "")
    path.write_text(good + bad + good.replace("data_test", "data_third"))
    first, second, third = iterate_cif(path)
    assert isinstance(second, BadInputError)
    assert "_cell_length_b" in str(second)
    assert [one.name[-5:] for one in (first, third)] == [" test", "third"]
    with pytest.raises(BadInputError, match="block bad"):
        read_cif(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello world\n", "cannot be read as a CIF"),
        ("data_x\nloop_\n_a\n_b\n1 2 3\n", "cannot be read as a CIF"),
        ("data_x\n_cell_length_a 3\n", "no atoms"),
        ("data_x\n_author me\n", "neither a cell nor atoms"),
        ("", "is empty"),
        (cif(["Li1 Li 0 0 0 1"]).replace("_cell_length_a 4.0", "_cell_length_a ?"),
         "no number for _cell_length_a"),
        (cif(["Li1 Li 0 0 0 1"], lengths=(0, 4, 4)), "has the cell 0"),
        (cif(["Li1 Li 0 0 0 1"], angles=(60, 60, 170)), "has the cell"),
        (cif(["Q1 Wat 0 0 0 1"]), "no element"),
        (cif(["Wat1 ? 0 0 0 1"]), "no element"),
        (cif(["Li1 Li 0 0 0 -0.5"]), "the occupancy '-0.5'"),
        (cif(["Li1 Li 0 0 0 half"]), "the occupancy 'half'"),
        (cif(["Li1 Li ? ? ? 1"]), "no atoms"),
        (cif(["Li1 Li 0 0 0 1"], operations=("x, y",)), "symmetry that cannot"),
        (cif(["Li1 Li 0 0 0 1"], operations=("x,y,z",) * 2001), "2001 operations"),
        (cif(["Li1 Li 0 0 0 1"], lengths=(0.1, 0.1, 0.1)), "per atom"),
        (cif(["Li1 Li 0 0 0 1"], lengths=(1e9, 4, 4)), "finite coordinates below"),
        (cif(["Li1 Li 0 0 0 1"], operations=(),
             more="_space_group_name_H-M_alt 'Q 7'"), "no space group"),
    ],
)  # fmt: skip
def test_bad_files_are_refused_in_one_paragraph(tmp_path, text, words):
    path = tmp_path / "bad.cif"
    path.write_text(text)
    with pytest.raises(BadInputError, match=words) as caught:
        read_cif(path)
    assert str(path) in str(caught.value)


def test_without_gemmi_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    path = tmp_path / "a.cif"
    path.write_text(cif(["Li1 Li 0 0 0 1"]))
    with pytest.raises(
        MissingExtraError, match=r"pip install 'atomgraft\[transport\]'"
    ):
        read_cif(path)
