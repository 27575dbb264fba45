"""Every cell of a comparison has the same protocol, whatever its number of labels."""

import functools

import pytest

from atomgraft.compare.plan import CellMaker, read_material
from atomgraft.compare.spec import parse_compare_spec
from atomgraft.compare.work import plan_comparison
from atomgraft.core.errors import BadInputError
from atomgraft.core.trust import NO_TRUST
from atomgraft.data.labels import structures_fingerprint

SMALL = {
    "base": "pair:sw-si",
    "train": "shipped:si-train",
    "test": "shipped:si-test@:6",
    "recipes": ["readout", "full"],
    "sizes": [1, 39, 41],
    "seeds": [0, 1],
    "training": {"steps": 5},
}


@functools.cache
def whole():
    """Return the comparison that most tests look at, read once."""
    return planned()


def planned(**changes):
    return plan_comparison(parse_compare_spec(SMALL | changes, "a test"))


def cells_of(plan, folder):
    maker = CellMaker(
        spec=plan.spec, material=plan.material, folder=folder, trust=NO_TRUST
    )
    return {one.name: maker.cell(one).payload for one in plan.cells}


@pytest.mark.parametrize("recipe", ["readout", "full"])
def test_the_protocol_does_not_know_the_number_of_labels(recipe, tmp_path):
    """At 40 structures a validation split once appeared, and bent every curve."""
    cells = cells_of(whole(), tmp_path)
    few, many = (dict(cells[f"{recipe}-n{n}-s0"]) for n in (39, 41))
    runs = [dict(one.pop("run")) for one in (few, many)]
    assert few == many
    assert [run.pop("train") for run in runs] == [
        [str(tmp_path.resolve() / "data" / f"train-n{n}-s0.extxyz")] for n in (39, 41)
    ]
    assert runs[0] == runs[1]
    assert runs[0]["validation_fraction"] == 0.0
    assert list(runs[0]["validation"]) == []
    assert runs[0]["training"]["patience"] is None


def test_the_structures_that_choose_are_the_same_for_everybody():
    plans = [
        whole(),
        planned(sizes=[3], recipes=["readout"]),
        planned(seeds=[7], learning_rate_factors=[0.3, 3]),
    ]
    kept = {structures_fingerprint(one.material.validation) for one in plans}
    assert len(kept) == 1
    material = plans[0].material
    assert (len(material.pool), len(material.validation)) == (80, 20)
    known = {structures_fingerprint([one]) for one in material.pool}
    both = [structures_fingerprint([one]) in known for one in material.validation]
    assert not any(both)
    assert any("20 of 100 structures of the pool" in one for one in material.notices)


def test_no_cell_trains_on_them(tmp_path):
    plan = planned(sizes=[80])
    maker = CellMaker(
        spec=plan.spec, material=plan.material, folder=tmp_path, trust=NO_TRUST
    )
    chosen = {structures_fingerprint([one]) for one in plan.material.validation}
    for cell in plan.cells:
        drawn = {structures_fingerprint([one]) for one in maker.training_set(cell)}
        assert len(drawn) == 80
        assert not drawn & chosen


def test_files_that_choose_leave_the_pool_whole():
    material = planned(validation="shipped:si-test@6:12").material
    assert (len(material.pool), len(material.validation)) == (100, 6)


@pytest.mark.parametrize(
    "changes",
    [{"train": "shipped:si-train@:8", "sizes": [2]}, {"validation_fraction": 0}],
)
def test_a_pool_that_is_too_small_chooses_nothing_and_says_so(changes):
    material = planned(**changes).material
    assert material.validation == ()
    assert any(
        "No recipe will be recommended; use --validation to name" in one
        for one in material.notices
    )


def test_sizes_double_up_to_what_is_left():
    assert planned(sizes="auto").sizes == (10, 20, 40, 80)
    with pytest.raises(BadInputError, match=r"has 80.*20 more are used for validation"):
        planned(sizes=[81])


def test_what_chooses_belongs_to_the_identity_of_a_cell():
    prints = {
        read_material(
            parse_compare_spec(SMALL | {"validation_fraction": one}, "a test"),
            trust=NO_TRUST,
        ).fingerprint
        for one in (0.1, 0.2)
    }
    assert len(prints) == 2
