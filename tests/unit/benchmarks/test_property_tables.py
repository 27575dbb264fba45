"""Properties of germanium: is what transfer makes better or worse counted right?"""

import pytest

from tests.unit.benchmarks.test_leave_out import FOLDER, script

TABLES = script("property_tables", FOLDER.parent / "elements")


def row(model, part, draw=None, **values):
    return {"model": model, "part": part, "draw": draw, "values": values}


def document(transferred):
    """Return one property: 100 GPa in the labels, 110 under fresh weights."""
    labels = {"C11": [100.0, 0.5], "frequency_noise": 0.0}
    fresh, adapted = {"C11": 110.0}, {"C11": 101.0}
    rows = [
        row(TABLES.LABELS, "frames", **labels),
        row(TABLES.FRESH, "frames", 0, **fresh),
        row(TABLES.ADAPTED, "frames", 0, **adapted),
        *[row(TABLES.TRANSFERRED, "frames", k, C11=v) for k, v in transferred],
    ]
    return {"rows": rows}


@pytest.mark.parametrize(
    ("values", "against_fresh", "against_adapted"),
    [
        ([(0, 105.0)], "1 better, 0 worse", "0 better, 1 worse"),
        ([(0, 120.0)], "0 better, 1 worse", "0 better, 1 worse"),
        ([(0, 109.5)], "0 better, 0 worse, 1 unclear", "0 better, 1 worse"),
        # errors of draws do not cancel
        ([(0, 80.0), (1, 120.0)], "0 better, 1 worse", "0 better, 1 worse"),
    ],
)
def test_effects_are_counted(values, against_fresh, against_adapted):
    found = TABLES.tables(document(values)).split("\n")
    assert any(f"against *{TABLES.FRESH}*: {against_fresh}" in one for one in found)
    adapted = f"against *{TABLES.ADAPTED}*: {against_adapted}"
    assert any(adapted in one for one in found)


def test_a_model_without_a_run_has_the_largest_error():
    """Negative control: a failure is no missing number."""
    [one] = [p for p in TABLES.OF_LABELS if p.title == "g(r), 300 K"]
    assert TABLES.error_of(one, None, [[1.0]]) == TABLES.FAILED
    assert TABLES.error_of(one, [[1.0]], [[1.0]]) == 0.0


def test_a_compressed_cell_comes_to_rest_larger():
    labels = row(TABLES.LABELS, "frames", stress=[-0.9, 0.0], edge=11.5)
    model = row(TABLES.REFERENCE, "crystal", B0=60.0)
    value, half = TABLES.lattice_constant([labels, model])
    assert value == pytest.approx(5.75 * (1 + 0.9 / 180))
    assert half == pytest.approx(0.2 * (value - 5.75))
