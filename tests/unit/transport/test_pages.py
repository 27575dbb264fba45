"""What tables, pages and sentences of predictors say."""

import csv
import io

import pytest
from rich.console import Console

from atomgraft.transport.distil import page as distil_page
from atomgraft.transport.distil import tables as distil_tables
from atomgraft.transport.distil.screen import print_record as print_distilled
from atomgraft.transport.distil.wording import comparison, headline, notices
from atomgraft.transport.screening import page as screening_page
from atomgraft.transport.screening.elements import element_table
from atomgraft.transport.screening.screen import SHOWN
from atomgraft.transport.screening.screen import print_record as print_screened
from atomgraft.transport.screening.tables import (
    TABLE,
    columns_of,
    remarks,
    rows_of,
    table_text,
    values_of,
)
from atomgraft.transport.screening.wording import is_near, property_of
from tests.predictors import barriers, error, method, ranked, screened


def printed(show, result) -> str:
    screen = Console(file=io.StringIO(), width=200)
    show(screen, result)
    return screen.file.getvalue()


def test_a_gain_beyond_chance_is_said_with_its_interval():
    said = comparison(barriers())
    assert said == "The best control, ridge, is worse by 0.200 [0.100, 0.300] eV."


@pytest.mark.parametrize("interval", [(-0.1, 0.3), None])
def test_a_gain_within_chance_is_called_chance(interval):
    rows = (method("kernel ridge", 0.1, against_interval=interval),)
    result = barriers(methods=(*rows, *barriers().methods[1:]))
    assert "no more than chance" in comparison(result)
    assert "No better than a control" in distil_page.page_text(result)


def test_a_control_that_wins_is_called_a_control():
    rows = barriers().methods[1:]
    result = barriers(methods=rows, chosen="ridge")
    assert "It is a control" in headline(result)


def test_the_headline_names_method_error_and_unit():
    said = headline(barriers())
    assert said.startswith("Kernel ridge predicts barrier of materials of other groups")
    assert "0.100 [0.080, 0.125] eV" in said


def test_what_must_be_known_is_said():
    said = " ".join(notices(barriers(bare={"m7": "sites overlap"}, n_shared=3)))
    assert "3 test materials of groups that are learned from" in said
    assert "1 material left out; m99: it has no Li." in said
    assert "1 material described by the formula alone; m7: sites overlap." in said
    assert "1 target known as upper limits only" in said
    assert "There are 6 groups only" in said
    assert "On the test" not in said


def test_another_winner_on_the_test_changes_nothing():
    first, second, third = barriers().methods
    better = second.model_copy(update={"test": error(0.01, n=4)})
    result = barriers(methods=(first, better, third))
    said = " ".join(notices(result))
    assert "On the test, ridge has the smallest error." in said
    assert result.chosen == "kernel ridge"


def test_nothing_is_said_where_there_is_nothing():
    result = barriers(left_out={}, n_limits=0, n_groups=200)
    assert notices(result) == ()


def test_the_table_has_a_column_for_each_number():
    result = barriers()
    columns = distil_tables.columns_of(result)
    rows = distil_tables.rows_of(result)
    assert {len(row) for row in rows} == {len(columns)}
    assert columns[1] == "error in validation, eV"
    assert columns[2] == "better than ridge by"
    assert rows[0][0] == "kernel ridge"
    assert rows[1][0] == "ridge (control)"
    assert rows[1][2] == "–"


def test_without_a_test_there_are_no_columns_for_it():
    rows = tuple(
        one.model_copy(update={"test": None, "test_against_control": None})
        for one in barriers().methods
    )
    result = barriers(methods=rows, predictions=barriers().predictions[:12])
    assert len(distil_tables.columns_of(result)) == 4
    assert {len(row) for row in distil_tables.rows_of(result)} == {4}
    assert "On the test" not in distil_page.page_text(result)


def test_the_page_shows_every_material_once():
    text = distil_page.page_text(barriers())
    for k in range(16):
        assert text.count(f'"m{k}"') == 1
    assert "Better than all controls" in text
    assert "it has no Li" in text


def test_names_on_the_page_are_no_markup():
    first = barriers().predictions[0].model_copy(update={"name": "<script>x</script>"})
    result = barriers(predictions=(first, *barriers().predictions[1:]))
    assert "<script>x" not in distil_page.page_text(result)
    row = ranked(0, name="<script>x</script>")
    page = screening_page.page_text(screened(ranked=(row,)))
    assert "<script>x" not in page


def test_the_terminal_shows_methods_and_verdict():
    text = printed(print_distilled, barriers())
    assert "kernel ridge" in text
    assert "The best control, ridge, is worse by" in text


def test_what_is_new_to_the_predictor():
    assert is_near(ranked(0, novelty=0.9))
    assert not is_near(ranked(0, novelty=1.1))
    assert not is_near(ranked(0, unseen=("Xe",)))


def test_remarks_say_what_is_special():
    assert remarks(ranked(0)) == "–"
    odd = ranked(0, novelty=2.5, unseen=("Xe", "Y"), is_disordered=True)
    assert remarks(odd) == (
        "not learned from: Xe, Y; 2.5 times as far as usual; partial occupancies"
    )


def test_the_file_holds_the_whole_list():
    result = screened()
    rows = list(csv.reader(io.StringIO(table_text(result))))
    assert tuple(rows[0]) == TABLE
    assert len(rows) == 1 + len(result.ranked)
    assert rows[1][:4] == ["1", "cifs/0.cif", "Li3PO4", "-3"]
    assert rows[-1][-2:] == ["Xe", "yes"]


def test_names_with_commas_stay_one_cell():
    result = screened(ranked=(ranked(0, name='a,"b".cif'),))
    rows = list(csv.reader(io.StringIO(table_text(result))))
    assert rows[1][1] == 'a,"b".cif'


def test_a_long_list_is_cut_on_the_page_and_not_in_the_file():
    many = tuple(ranked(k % 7, name=f"cifs/{k:05d}.cif") for k in range(500))
    result = screened(ranked=many)
    page = screening_page.page_text(result)
    assert "The other 300 are in screen.csv." in page
    assert len(rows_of(result, SHOWN)) == SHOWN
    assert table_text(result).count("\n") == 501
    assert printed(print_screened, result).count("cifs/") >= SHOWN


def test_the_headline_counts_what_is_similar():
    said = screened().headline
    assert said.startswith(
        "6 structures ranked by conductivity. First is cifs/0.cif (Li3PO4): "
        "1.0 × 10⁻³ (68 %: 6.3 × 10⁻⁵ to 1.6 × 10⁻²)."
    )
    assert "4 of them are similar" in said


MEASURED = {"target": "log10 of Ionic conductivity (S cm-1)", "unit": "decades"}


def test_a_logarithm_is_shown_as_the_property_itself():
    result = screened(**MEASURED)
    assert property_of(result) == ("Ionic conductivity", "S\u00a0cm⁻¹")
    assert columns_of(result)[3] == "predicted, S\u00a0cm⁻¹"
    assert [one[3] for one in rows_of(result, 2)] == ["1.0 × 10⁻³", "3.2 × 10⁻⁴"]
    page = screening_page.page_text(result)
    assert "Ionic conductivity of 6 structures" in page
    assert "decades" not in page
    assert "a factor of 16" in page
    assert '"type": "log"' in page or '"type":"log"' in page
    assert [one[3] for one in values_of(result, 2)] == [-3.0, -3.5], "sorted as before"
    assert table_text(result).splitlines()[1].split(",")[3] == "-3"


def test_other_properties_keep_their_unit():
    result = screened(target="barrier (eV)", unit="eV", half_widths=(0.1, 0.3))
    assert property_of(result) == ("barrier (eV)", "eV")
    assert columns_of(result)[3] == "predicted, eV"
    assert rows_of(result, 1)[0][3:5] == ("−3.00", "−3.10 to −2.90")
    assert "± 0.100 eV" in screening_page.page_text(result)
    bare = screened(target="log10 of msd", unit="decades")
    assert property_of(bare) == ("msd", "")
    assert columns_of(bare)[3] == "predicted"


def test_a_first_structure_that_is_new_has_no_interval():
    said = screened(ranked=(ranked(0, novelty=2.0),), **MEASURED).headline
    assert "1.0 × 10⁻³ S\u00a0cm⁻¹, without an interval." in said


@pytest.mark.parametrize("value", [-4000.0, 4000.0, float("-inf")])
def test_logarithms_beyond_all_numbers_have_a_page(value):
    rows = (ranked(0), ranked(1, predicted=value))
    assert screening_page.page_text(screened(ranked=rows, **MEASURED))


def test_axes_of_logarithms_have_no_unit_of_errors():
    text = distil_page.page_text(barriers(target="log10 of rate", unit="decades"))
    assert "known log10 of rate" in text
    assert "known log10 of rate, decades" not in text
    assert "known barrier, eV" in distil_page.page_text(barriers())


def test_what_was_left_out_is_said_with_an_example():
    said = " ".join(screened().notices)
    assert "2 structures left out, cannot be read; a.cif: empty." in said
    assert "intervals do not hold there" in said
    assert "1 structure with partial occupancies" in said


def test_a_known_structure_has_no_novelty_whatever_rounding_left():
    found = screened(ranked=(ranked(0, novelty=1.3e-16), ranked(1, novelty=12.346)))
    assert [one[5] for one in rows_of(found, 2)] == ["0.00", "12.35"]


@pytest.mark.parametrize(("novelty", "word"), [(0.1, "Ranked"), (3.0, "Mostly new")])
def test_the_mark_says_whether_the_predictor_knows_such_structures(novelty, word):
    rows = tuple(ranked(k, novelty=novelty) for k in range(4))
    assert word in screening_page.page_text(screened(ranked=rows))


def test_rows_are_sorted_by_numbers_and_not_by_their_text():
    rows = (ranked(0), ranked(9, novelty=12.0), ranked(1, unseen=("Xe",)))
    result = screened(ranked=rows)
    values = values_of(result, 10)
    assert [len(one) for one in values] == [len(columns_of(result))] * 3
    assert [one[3] for one in values] == [-3.0, -7.5, -3.5]
    assert [one[4] for one in values] == [-4.2, None, None]
    assert [one[5] for one in values] == [0.0, 12.0, 0.3]
    shown = rows_of(result, 10)
    assert shown[0][4] == "6.3 × 10⁻⁵ to 1.6 × 10⁻²"
    assert shown[1][4] == "–"


def test_the_table_of_the_page_can_be_sorted_and_others_cannot():
    page = screening_page.page_text(screened())
    assert page.count('class=" stacked sortable"') == 1
    assert 'data-value="-3.0"' in page
    assert '" stacked sortable"' not in distil_page.page_text(barriers())


def test_the_map_shows_elements_of_the_best_and_outlines_what_is_known():
    rows = [ranked(k, formula="Li3PS4") for k in range(10)]
    rows += [ranked(10 + k, formula="Li2XeO4") for k in range(30)]
    table = element_table(screened(ranked=tuple(rows)))
    best, mean, every = table.maps
    found = {one.symbol: one for one in best.cells}
    assert (found["S"].text, found["O"].text) == ("10", "0")
    assert (found["S"].heat, found["O"].heat) == (1.0, 0.0)
    assert found["Na"].heat is None
    assert found["P"].is_trained
    assert not found["Xe"].is_trained
    assert "not known to the predictor" in found["Xe"].spoken
    assert best.scale == ("0", "5", "10")
    assert mean.label == "Mean log10 of conductivity"
    assert not any("decades" in one for one in mean.scale)
    barrier = {"target": "barrier", "unit": "eV"}
    table = element_table(screened(ranked=tuple(rows), **barrier))
    assert table.maps[1].label == "Mean of barrier"
    assert table.maps[1].scale[2].endswith("eV")
    assert {one.symbol: one.text for one in every.cells}["Li"] == "40"
    assert table.table.rows[0][0] == "Li"
    assert len(table.table.rows) == 5


def test_one_structure_has_a_map_too():
    table = element_table(screened(ranked=(ranked(0),)))
    assert {one.heat for one in table.maps[1].cells} == {None, 0.0}
