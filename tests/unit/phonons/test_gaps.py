"""Figures and settings of phonons where something is missing, huge or not a number."""

import json
import math

import pytest

from atomgraft.page.wording import MISSING
from atomgraft.phonons.curves import (
    conductivity_figure,
    expansion_figure,
    notes_of,
    speeds_figure,
    thermal_figure,
)
from atomgraft.phonons.page import charges_text, page_text, settings_block
from atomgraft.phonons.wording import (
    N_COLOURS,
    colour_of,
    contestants,
    lacks_modes,
    line_of,
    reference_name,
)
from tests.example_phonons import (
    conductivity,
    expansion,
    make_alone,
    make_phonons,
    make_unstable,
    relaxation,
    settings,
    spectrum,
)
from tests.unit.run.page.test_document import read


def with_base(**changes):
    """Return a crystal whose base has something else than the others."""
    base = spectrum("base").model_copy(update=changes)
    return make_phonons(spectra=(spectrum("reference"), base, spectrum("adapted")))


def trace_of(shown, key, plot=0):
    data = shown.plots[plot].figure["data"]
    return next(one for one in data if one["meta"]["key"] == key)


def conducting(values, temperatures=(200.0, 300.0, 400.0)):
    rows = tuple((one, one, one, 0.0, 0.0, 0.0) for one in values)
    return conductivity(1.0).model_copy(
        update={"temperatures": temperatures, "conductivity": rows}
    )


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_what_a_log_axis_cannot_hold_is_left_out_and_told(bad):
    shown = conductivity_figure(with_base(conductivity=conducting((4.0, bad, 2.0))))
    assert shown is not None
    assert trace_of(shown, "base")["x"] == [200.0, 400.0]
    assert trace_of(shown, "base")["y"] == [4.0, 2.0]
    assert len(trace_of(shown, "reference")["x"]) > 3  # the others keep theirs


@pytest.mark.parametrize("values", [(0.0, 0.0, 0.0), (math.nan,) * 3])
def test_a_crystal_that_conducts_nothing_has_a_page(values):
    dead = conducting(values)
    result = make_phonons(spectra=(spectrum("base", conductivity=dead),))
    shown = conductivity_figure(result)
    assert shown is not None
    assert trace_of(shown, "base")["x"] == []
    assert shown.table is not None
    assert shown.table.rows[0][1] == MISSING
    strict = read(page_text(result)).scripts[0]
    json.loads(strict, parse_constant=refuse)


def refuse(constant):
    raise AssertionError(f"a browser cannot read {constant}")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_reaches_the_browser_as_a_gap(value):
    record = expansion(1.0)
    odd = record.model_copy(
        update={"expansion": (value, *record.expansion[1:]), "note": ""}
    )
    page = read(page_text(with_base(expansion=odd)))
    json.loads(page.scripts[0], parse_constant=refuse)


def test_who_was_not_heated_is_not_in_the_figure():
    result = with_base(conductivity=None, expansion=None, thermal=None)
    for draw in (conductivity_figure, expansion_figure, thermal_figure):
        shown = draw(result)
        assert shown is not None
        assert [one.key for one in shown.legend] == ["reference", "adapted"]
        assert shown.table is not None
        assert len(shown.table.rows) == 2
    assert conductivity_figure(make_alone()) is None
    assert expansion_figure(make_alone()) is None


def test_speeds_that_are_no_number_are_left_out():
    [first, *others] = spectrum("base").bands
    speeds = [list(row) for row in first.speeds]
    speeds[0][0] = math.nan
    odd = first.model_copy(update={"speeds": tuple(map(tuple, speeds))})
    shown = speeds_figure(with_base(bands=(odd, *others)))
    assert shown is not None
    assert all(map(math.isfinite, trace_of(shown, "base")["y"]))
    bare = tuple(one.model_copy(update={"speeds": ()}) for one in (first, *others))
    alone = make_phonons(spectra=(spectrum("base", bands=bare),))
    assert speeds_figure(alone) is None


def test_notes_that_differ_are_said_by_whom():
    one, other = expansion(1.0), expansion(1.0).model_copy(update={"note": "Few."})
    assert notes_of([("A", one), ("B", one)]) == [one.note]
    assert notes_of([("A", one), ("B", other), ("C", None)]) == [
        f"A: {one.note}",
        "B: Few.",
    ]
    silent = one.model_copy(update={"note": ""})
    assert notes_of([("A", silent), ("B", silent)]) == []
    assert notes_of([("A", silent), ("B", other)]) == ["B: Few."]


def pairs_of(result):
    return dict(settings_block(result).facts.pairs)


SKEW = ((0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (1.0, 1.0, 0.0))

HALF = ((0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))


def test_matrices_that_are_not_diagonal_are_written_out():
    plan = settings(supercell_matrix=SKEW, primitive_matrix=HALF)
    pairs = pairs_of(make_phonons(settings=plan))
    assert pairs["Supercell"] == "64 atoms, 0 1 1; 1 0 1; 1 1 0"
    assert pairs["Primitive matrix"] == "0 1/2 1/2; 1/2 0 1/2; 1/2 1/2 0"
    assert pairs_of(make_phonons())["Supercell"] == "64 atoms, 2×2×2"


def test_charges_and_versions_are_said_even_where_there_are_none():
    assert charges_text(settings()) != charges_text(settings(has_charges=False))
    pairs = pairs_of(make_phonons(settings=settings(versions={}, has_charges=False)))
    assert pairs["Versions"] == MISSING
    assert pairs["Non-analytical term"] == "Not included: no Born charges"


def test_every_contestant_tells_what_its_sum_rules_miss():
    found = spectrum("base", relaxation=relaxation(n_steps=1), rotation=0.25)
    pairs = pairs_of(make_phonons(spectra=(spectrum("reference"), found)))
    base = pairs["Residuals, Base"]
    for words in ("drift", "rotation 0.250 eV/Å", "relaxed in 1 step to"):
        assert words in base
    reference = next(
        v
        for k, v in pairs.items()
        if k.startswith("Residuals, ") and k != "Residuals, Base"
    )
    assert "rotation" not in reference
    assert "undisplaced" not in reference


def test_many_models_take_colours_by_turns():
    names = [f"model-{i}" for i in range(N_COLOURS + 2)]
    result = make_phonons(spectra=tuple(map(spectrum, names)))
    colours = [colour_of(result, one) for one in names]
    assert len(set(colours)) == N_COLOURS
    assert colours[N_COLOURS:] == colours[:2]
    assert [one.contestant for one in contestants(result)] == names
    assert {line_of(result, one)["dash"] for one in names} == {"solid"}


def test_the_reference_is_called_by_its_name():
    assert reference_name(make_phonons()) == spectrum("reference").title
    assert reference_name(make_alone()) == "the reference"


def test_unstable_crystals_lack_modes_and_stable_ones_do_not():
    unstable = make_unstable()
    for one in unstable.spectra:
        assert lacks_modes(one, unstable.settings) == (not one.is_stable)
    cold = spectrum("base", thermal=None)
    assert not lacks_modes(cold, settings())
