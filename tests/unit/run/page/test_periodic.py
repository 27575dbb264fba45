"""Does each element stand in its place, with its own drift?"""

from ase.data import chemical_symbols

from atomgraft.page.elements import PLACES
from atomgraft.run.page.figures import forgetting_by_element
from atomgraft.run.record import RunResult


def test_every_element_has_a_place_of_its_own() -> None:
    assert set(PLACES) == set(chemical_symbols[1:])
    assert len(set(PLACES.values())) == len(PLACES)


def test_groups_are_columns() -> None:
    for column, symbols in {1: "H Li Na K Rb Cs Fr", 14: "C Si Ge Sn Pb Fl"}.items():
        assert {PLACES[symbol][1] for symbol in symbols.split()} == {column}
    assert PLACES["He"] == (1, 18)
    assert PLACES["La"] == (9, 3)


def test_cells_carry_the_scores(full_result: RunResult) -> None:
    table = forgetting_by_element(full_result)
    assert table is not None
    assert [m.quantity for m in table.maps] == [
        "energy-drift",
        "forces-drift",
        "stress-drift",
    ]
    cells = {cell.symbol: cell for cell in table.maps[0].cells}
    assert {symbol for symbol, cell in cells.items() if cell.is_trained} == {"Si", "Ge"}
    assert cells["He"].heat is None
    assert "not measured" in cells["He"].spoken
    heats = [cell.heat for cell in cells.values() if cell.heat is not None]
    assert min(heats) == 0
    assert max(heats) == 1


def test_the_series_are_drawn_only_if_measured(full_result: RunResult) -> None:
    kept = tuple(
        score
        for score in full_result.scores
        if score.group not in {"element:La", "element:Ce"}
    )
    table = forgetting_by_element(full_result.model_copy(update={"scores": kept}))
    assert table is not None
    assert max(cell.row for cell in table.maps[0].cells) == 7


def test_no_forgetting_no_table(unproved_result: RunResult) -> None:
    assert forgetting_by_element(unproved_result) is None


def test_the_table_starts_with_the_largest_drift(full_result: RunResult) -> None:
    table = forgetting_by_element(full_result)
    assert table is not None
    energies = [row for row in table.table.rows if row[1].startswith("Energy")]
    assert {energies[0][0], energies[1][0]} & {"Si", "Ge"}
