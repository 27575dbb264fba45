"""Does the page of a selection show the pool, the chosen, and nothing from outside?"""

import pytest

from atomgraft.label.page import (
    KNOWN,
    _map,
    chosen_cells,
    chosen_columns,
    page_text,
    write_page,
)
from tests.selections import KINDS, N_EACH, selection_of
from tests.unit.run.page.test_document import read


@pytest.fixture(scope="module")
def result():
    return selection_of()


def test_the_page_is_whole_and_stands_alone(result, tmp_path):
    path = write_page(tmp_path, result)
    text = path.read_text()
    assert text.rstrip().endswith("</html>")
    for tag, attributes in read(text).tags:
        assert "src" not in attributes, tag
        assert (attributes.get("href") or "#").startswith(("#", "data:"))
    assert "3 of 12 structures: 1 rattle, 1 modes, 1 pool." in text


def test_what_files_are_called_is_no_markup(result):
    text = page_text(result)
    assert "<b>md</b>" not in text
    assert "&lt;b&gt;md&lt;/b&gt;" in text


@pytest.mark.parametrize("with_committee", [True, False])
def test_disagreement_has_a_column_where_there_is_one(with_committee):
    result = selection_of(with_committee=with_committee)
    heads = [name for name, _ in chosen_columns(result)]
    rows = [chosen_cells(result, one) for one in result.chosen]
    assert ("disagreement, eV/Å" in heads) == with_committee
    assert {len(row) for row in rows} == {len(heads)}


def test_every_structure_is_on_the_map_and_the_chosen_are_numbered(result):
    [plot] = _map(result).plots
    traces = {one["name"]: one for one in plot.figure["data"]}
    assert list(traces) == [KNOWN, *KINDS]
    for kind in KINDS:
        assert len(traces[kind]["x"]) == N_EACH
    numbers = [text for kind in KINDS for text in traces[kind]["text"] if text]
    assert numbers == ["1", "2", "3"]
    keys = {one.key for one in _map(result).legend}
    assert keys == {trace["meta"]["key"] for trace in plot.figure["data"]}


def test_without_known_structures_there_is_no_trace_of_them():
    [plot] = _map(selection_of(n_known=0)).plots
    assert [one["name"] for one in plot.figure["data"]] == list(KINDS)
