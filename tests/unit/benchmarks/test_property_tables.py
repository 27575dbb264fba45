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
    assert any(
        f"against *{TABLES.FRESH}*, by DFT labels: {against_fresh}" in one
        for one in found
    )
    adapted = f"against *{TABLES.ADAPTED}*, by DFT labels: {against_adapted}"
    assert any(adapted in one for one in found)


def melts(**failures):
    """Return runs of a melt that all agree with the labels, some of which failed."""
    key = "radial_distribution"
    models = (TABLES.FRESH, TABLES.TRANSFERRED)
    good = {"radial_distribution": [[1.0, 2.0]] * 2}
    rows = [row(TABLES.LABELS, "melt", radial_distribution=[[1.0, 2.0]] * 5)]
    for model, name in zip(models, ("fresh", "transferred"), strict=True):
        ended = ["not finite"] * failures.get(name, 0)
        rows.append(row(model, "melt", 0, **good, failures=ended))
    effects = {(TABLES.LABELS, one): [] for one in TABLES.RIVALS}
    [one] = [p for p in TABLES.OF_LABELS if (p.part, p.key) == ("melt", key)]
    lines = TABLES.table(rows, [one], TABLES.LABELS, effects)
    return lines[2], effects[TABLES.LABELS, TABLES.FRESH]


@pytest.mark.parametrize(
    ("failures", "word"),
    [
        ({}, "unclear"),
        ({"fresh": 3}, "better"),  # its two survivors are as good as all
        ({"transferred": 1}, "worse"),
        ({"fresh": 3, "transferred": 1}, "unclear"),
    ],
)
def test_survivors_of_a_model_that_failed_have_no_distance(failures, word):
    line, effects = melts(**failures)
    assert effects == [word]
    assert line.count("failed") == len(failures)
    assert line.count("0.0 %") == 3 - len(failures), "and the noise"


def test_a_number_that_was_not_computed_is_a_failure():
    [one] = [p for p in TABLES.OF_REFERENCE if p.key == "vacancy"]
    assert TABLES.error_of(one, None, 2.0) is None
    assert TABLES.effect([None], [1.0]) == "better"
    assert TABLES.effect([3.0, None], [2.0, 2.0]) == "better"
    assert TABLES.effect([3.0], [2.5]) == "unclear"


def test_the_count_by_labels_comes_first():
    """What is compared with a model that started as one of both is counted apart."""
    rows = [
        *document([(0, 105.0)])["rows"],
        row(TABLES.REFERENCE, "crystal", C12=60.0),
        row(TABLES.FRESH, "crystal", 0, C12=30.0),
        row(TABLES.TRANSFERRED, "crystal", 0, C12=60.0),
    ]
    found = TABLES.tables({"rows": rows})
    assert (
        f"- *{TABLES.TRANSFERRED}* against *{TABLES.FRESH}*, by DFT labels: 1 better, 0"
        " worse, 0 unclear; beside the model that was trained on all frames, which is"
        " no DFT: 1 better, 0 worse, 0 unclear" in found
    )
    assert "2 better" not in found


def test_a_compressed_cell_comes_to_rest_larger():
    labels = row(TABLES.LABELS, "frames", stress=[-0.9, 0.0], edge=11.5)
    model = row(TABLES.REFERENCE, "crystal", B0=60.0)
    value, half = TABLES.lattice_constant([labels, model])
    assert value == pytest.approx(5.75 * (1 + 0.9 / 180))
    assert half == pytest.approx(0.2 * (value - 5.75))
