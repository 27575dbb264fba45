"""From values to errors, effects, sentences and the page."""

from pathlib import Path

import ase.io
import pytest
from ase import Atoms
from ase.build import bulk
from pydantic import ValidationError

from atomgraft.core.errors import BadInputError
from atomgraft.evaluation.bulk import work
from atomgraft.evaluation.bulk.page import bulk_sections
from atomgraft.evaluation.bulk.record import (
    CHANGE,
    ERROR,
    STABILITY,
    BulkRecord,
    Curve,
    Property,
)
from atomgraft.evaluation.bulk.setup import Crystal, crystals_of
from atomgraft.evaluation.bulk.spec import BulkOptions
from atomgraft.evaluation.bulk.suite import BulkSuite, bulk_scores
from atomgraft.evaluation.bulk.work import bulk_record, indices, n_steps
from atomgraft.evaluation.score_table import ScoreTable
from atomgraft.evaluation.suite import Subject
from atomgraft.lattice.symmetry import spglib_group
from atomgraft.models.pair import lennard_jones, stillinger_weber
from atomgraft.page.blocks import Alert, Figure, Table

PROPERTIES = (
    Property(
        name="C11",
        unit="GPa",
        values={"base": 120.0, "adapted": 147.0, "scratch": 90.0},
        reference=150.0,
    ),
    Property(
        name="C12",
        unit="GPa",
        values={"base": 75.0, "adapted": 90.0},
        reference=75.0,
    ),
    Property(
        name="C44", unit="GPa", values={"base": 60.0, "adapted": 60.3}, reference=66.0
    ),
    Property(name="vacancy_Si", unit="eV", values={"base": 3.0, "adapted": 3.3}),
)

RECORD = BulkRecord(
    name="Si",
    formula="Si",
    space_group="Fd-3m (227)",
    properties=PROPERTIES,
    curves=(Curve(model="base", volumes=(19.0, 20.0), energies=(-4.3, -4.31)),),
    smallest={"base": 40.0, "adapted": -2.0},
    failures=("From scratch: Si fell apart.",),
    settings={"Vacancy": "fixed"},
)


def table_of(record):
    [section] = bulk_sections([record])
    [found] = [one for one in section.blocks if isinstance(one, Table)]
    return found


def test_errors_are_in_percent_of_the_reference():
    table = ScoreTable(bulk_scores([RECORD]))
    assert table.find("base", "bulk", "C11", ERROR).value == pytest.approx(20)
    assert table.find("adapted", "bulk", "C11", ERROR).value == pytest.approx(2)
    assert table.find("scratch", "bulk", "C12", ERROR) is None
    change = table.find("adapted", "bulk", "vacancy_Si", CHANGE)
    assert change.value == pytest.approx(10)
    assert table.find("base", "bulk", "vacancy_Si", CHANGE) is None
    assert table.find("adapted", "bulk", "C11", CHANGE) is None, "it has a reference"


def test_scores_are_means_over_crystals_and_stability_is_the_lowest():
    other = RECORD.model_copy(
        update={
            "properties": (PROPERTIES[0].model_copy(update={"reference": 120.0}),),
            "formula": "Ge",
            "smallest": {"base": 30.0},
        }
    )
    table = ScoreTable(bulk_scores([RECORD, other]))
    found = table.find("base", "bulk", "C11", ERROR)
    assert (found.value, found.n) == (pytest.approx(10), 2)
    assert table.find("base", "bulk", *STABILITY).value == 30.0
    assert table.find("adapted", "bulk", *STABILITY).n == 1


def test_effects_are_counted_in_the_verdict():
    said = BulkSuite.sentences(tuple(bulk_scores([RECORD])))
    assert said == [
        "Errors of bulk properties: adapted beside base 1 better, 1 worse, 1 unclear "
        "(of 3); scratch beside base 0 better, 1 worse, 0 unclear (of 1); adapted "
        "beside scratch 1 better, 0 worse, 0 unclear (of 1). In no count, because a "
        "model has no value: scratch of C12, C44.",
        "Bulk properties without reference values (1): the adapted model differs from "
        "the base by up to 10.0 % (vacancy Si).",
        "The elastic tensor of the adapted model has a negative eigenvalue: under it "
        "the crystal is not stable.",
    ]
    assert BulkSuite.sentences(()) == []


def with_c11(formula, base, adapted):
    """Return a crystal with one property, whose reference is 100 GPa."""
    values = {"base": base, "adapted": adapted}
    held = {name: one for name, one in values.items() if one is not None}
    c11 = PROPERTIES[0].model_copy(update={"values": held, "reference": 100.0})
    return RECORD.model_copy(
        update={"formula": formula, "properties": (c11,), "smallest": {}}
    )


def test_a_model_that_fails_on_the_harder_crystal_is_not_better():
    """The base is 5 % off on Si and 60 % on Ge, the adapted model fails on Ge."""
    found = tuple(bulk_scores([with_c11("Si", 95, 90), with_c11("Ge", 40, None)]))
    assert BulkSuite.sentences(found) == [
        "Errors of bulk properties: adapted beside base 0 better, 1 worse, 0 unclear "
        "(of 1). In no count, because a model has no value: adapted of C11 (Ge)."
    ]
    table = ScoreTable(found)
    means = [table.find(name, "bulk", "C11", ERROR) for name in ("base", "adapted")]
    assert [one.n for one in means] == [1, 1], "the same crystals"
    assert [round(one.value) for one in means] == [5, 10]
    assert table.find("base", "bulk", "C11", ERROR, "crystal:Ge").value == 60


def test_models_without_a_common_crystal_have_no_means():
    found = tuple(bulk_scores([with_c11("Si", 95, None), with_c11("Ge", None, 90)]))
    assert not [one for one in found if one.metric == ERROR and one.group is None]
    [said] = BulkSuite.sentences(found)
    assert said == (
        "Errors of bulk properties: in no count, because a model has no value: base "
        "of C11 (Ge); adapted of C11 (Si)."
    )


def test_each_crystal_counts_where_all_have_values():
    found = bulk_scores([with_c11("Si", 95, 90), with_c11("Ge", 40, 90)])
    [said] = BulkSuite.sentences(tuple(found))
    assert "adapted beside base 1 better, 1 worse, 0 unclear (of 2)." in said


def test_means_of_older_records_are_compared_over_equal_crystals_alone():
    whole = bulk_scores([with_c11("Si", 95, 90), with_c11("Ge", 40, 90)])
    old = [one for one in whole if one.group is None]
    assert "1 better" in BulkSuite.sentences(old)[0]
    uneven = [
        one.model_copy(update={"n": 1}) if one.model == "adapted" else one
        for one in old
    ]
    assert BulkSuite.sentences(uneven) == []


def test_the_table_shows_values_beside_the_reference():
    found = table_of(RECORD)
    assert found.columns[:3] == ("Property", "Reference", "Base")
    assert found.columns[-2:] == ("Adapted, effect", "From scratch, effect")
    rows = {row[0]: row[1:] for row in found.rows}
    assert rows["C11 (GPa)"] == (
        "150",
        "120 (−20.0 %)",
        "147 (−2.0 %)",
        "90.0 (−40.0 %)",
        "better",
        "worse",
    )
    assert rows["C44 (GPa)"][-2:] == ("unclear", "–")
    assert rows["Vacancy Si (eV)"][:3] == ("–", "3.00", "3.30 (+10.0 %)")


def test_without_a_reference_the_base_is_beside():
    bare = tuple(one.model_copy(update={"reference": None}) for one in PROPERTIES)
    found = table_of(RECORD.model_copy(update={"properties": bare}))
    assert found.columns == ("Property", "Base", "Adapted", "From scratch")
    assert "--set bulk.reference=FILE" in found.caption
    assert found.rows[0][2] == "147 (+22.5 %)"


def test_what_is_not_stable_or_missing_is_said_first():
    [section] = bulk_sections([RECORD])
    alerts = [one for one in section.blocks if isinstance(one, Alert)]
    assert [one.title for one in alerts] == ["Not elastically stable", "Not computed"]
    assert "Adapted" in alerts[0].sentences[0]
    assert any(isinstance(one, Figure) for one in section.blocks)
    calm = RECORD.model_copy(update={"smallest": {}, "failures": (), "curves": ()})
    [section] = bulk_sections([calm])
    assert [one.kind for one in section.blocks] == ["table", "folded"]


def crystal(atoms):
    return Crystal(name="one", atoms=atoms, group=spglib_group(atoms, 1e-3))


def test_a_model_that_fails_keeps_the_others():
    """Lennard-Jones silicon does not stay in the structure of diamond."""
    models = {
        "base": stillinger_weber(["Si"]),
        "scratch": lennard_jones(["Si"], epsilon=[0.5], sigma=[3.5], cutoff=8.0),
    }
    options = BulkOptions(properties=("vacancy",), vacancy_length=5.0)
    steps = []
    found = bulk_record(
        crystal(bulk("Si", a=5.431)), models, options, {"C11": 3.0}, 0, steps.append
    )
    [vacancy] = found.properties
    assert set(vacancy.values) == {"base"}
    assert len(found.failures) == 2
    assert "From scratch" in found.failures[0]
    assert "values of C11, which were not computed" in found.failures[1]
    assert steps == ["Base, Si: vacancy", "From scratch, Si: vacancy"]


def test_a_compound_has_no_vacancy_and_says_so():
    mixed = lennard_jones(
        ["Ar", "Ne"], epsilon=[0.01] * 2, sigma=[3.4, 2.8], cutoff=8.0
    )
    salt = crystal(bulk("NeAr", "rocksalt", a=6.4))
    options = BulkOptions(properties=("vacancy",))
    assert n_steps(salt, options) == 0
    found = bulk_record(salt, {"base": mixed}, options, {}, 0, print)
    assert found.properties == ()
    assert "chemical potential of the removed element" in found.failures[0]
    assert found.failures[0].endswith("of one element: --crystal FILE")
    both = BulkOptions(properties=("vacancy", "eos", "surfaces"))
    said = work.no_vacancy(salt, both)
    assert said.endswith("--set bulk.properties=eos --set bulk.properties=surfaces")


@pytest.mark.parametrize(
    ("group", "n"), [(225, 3), (194, 5), (166, 6), (148, 7), (123, 6), (62, 9), (2, 21)]
)
def test_each_system_has_its_elastic_constants(group, n):
    names = next(text for first, text in work.CONSTANTS if group >= first).split()
    assert len(set(names)) == n


def subject(*frames):
    base = stillinger_weber(["Si"])
    return Subject(files=(), structures=frames, elements={14}, base=base)


def test_the_crystal_of_the_frames_is_judged():
    frames = [bulk("Si", cubic=True) for _ in range(4)]
    for seed, one in enumerate(frames):
        one.rattle(0.03, seed=seed)
    [found] = crystals_of(BulkOptions(), subject(*frames))
    assert (found.name, found.formula, found.group) == ("Si", "Si", ("Fd-3m", 227))
    assert len(found.atoms) == 2


def test_test_files_do_not_choose_the_crystal(tmp_path):
    names = [str(tmp_path / f"{lattice}.extxyz") for lattice in ("diamond", "fcc")]
    for name, n in zip(names, (2, 5), strict=True):
        lattice = Path(name).stem
        ase.io.write(name, [bulk("Si", lattice, a=5.4, cubic=True)] * n)
    run = Subject(
        files=tuple(names),
        training_files=tuple(names[:1]),
        structures=(),
        elements={14},
        base=stillinger_weber(["Si"]),
    )
    [found] = crystals_of(BulkOptions(), run)
    assert found.group == ("Fd-3m", 227)


def test_frames_without_a_crystal_are_refused():
    molecule = Atoms("Si2", [[0, 0, 0], [0, 0, 2.3]])
    with pytest.raises(BadInputError, match="--crystal POSCAR"):
        crystals_of(BulkOptions(), subject(molecule))


def test_crystals_of_one_formula_are_refused(tmp_path):
    for name, lattice in (("a", "diamond"), ("b", "fcc")):
        bulk("Si", lattice, a=5.4).write(tmp_path / f"{name}.vasp")
    named = tuple(str(tmp_path / f"{name}.vasp") for name in "ab")
    with pytest.raises(BadInputError, match="Two crystals"):
        crystals_of(BulkOptions(crystal=named), subject())
    [found] = crystals_of(BulkOptions(crystal=named[1:]), subject())
    assert found.group == ("Fm-3m", 225)
    assert found.name == named[1]


def test_planes_are_three_indices():
    assert indices("-110") == (-1, 1, 0)
    for wrong in ("11", "1100", "abc"):
        with pytest.raises(ValueError, match="surfaces"):
            BulkOptions(surfaces=(wrong,))


@pytest.mark.parametrize(
    "given",
    [
        {"surfaces": ["000"]},
        {"surfaces": ["-0-00"]},
        {"vacancy_length": float("inf")},
        {"vacancy_length": 1e5},
        {"slab_thickness": float("inf")},
    ],
)
def test_planes_and_lengths_that_are_none_are_refused(given):
    with pytest.raises(ValidationError):
        BulkOptions.model_validate(given)
    assert BulkOptions.model_validate({"surfaces": ["1-10", "001"]}).surfaces
