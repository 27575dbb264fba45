"""The verdict follows from the scores, and says no more than they do."""

import pytest

from atomgraft.evaluation.score_table import figure
from atomgraft.evaluation.verdict import verdict
from atomgraft.results.schema import Score

UNITS = {"energy": "meV/atom", "forces": "meV/Å", "stress": "GPa"}


def row(model, quantity, metric, value, interval=None, **more):
    return Score(
        model=model,
        suite=more.pop("suite", "labels"),
        quantity=quantity,
        metric=metric,
        value=value,
        unit=UNITS[quantity],
        interval=interval,
        n=more.pop("n", 20),
        **more,
    )


def held_out(quantity, before, after, interval, *, n=20, metric="mae"):
    return [
        row("base", quantity, metric, before, (before, before), n=n),
        row("adapted", quantity, metric, after, (after, after), n=n),
        row("adapted", quantity, f"{metric}_change", after - before, interval, n=n),
    ]


FORCES_BETTER = held_out("forces", 21.23, 2.8, (-19.0, -17.5))
STRESS_BETTER = held_out("stress", 0.9, 0.2, (-0.8, -0.6))
STRESS_UNCLEAR = held_out("stress", 0.9, 0.8, (-0.3, 0.1))
STRESS_WORSE = held_out("stress", 0.2, 0.9, (0.6, 0.8))


def test_it_took_where_every_quantity_is_better():
    found = verdict(FORCES_BETTER + STRESS_BETTER)
    assert found.took is True
    assert found.headline == (
        "It took: forces and stresses better on 20 held-out structures "
        "(forces 21.2 → 2.80 meV/Å)."
    )
    assert found.sentences[0] == (
        "Forces: mean absolute error 21.2 → 2.80 meV/Å, better (95 % interval of "
        "the change -19.0 to -17.5)."
    )


@pytest.mark.parametrize(
    ("stress", "word"), [(STRESS_UNCLEAR, "unclear"), (STRESS_WORSE, "worse")]
)
def test_one_quantity_that_is_not_better_is_enough(stress, word):
    found = verdict(FORCES_BETTER + stress)
    assert found.took is False
    assert found.headline.startswith(
        f"It took in part: forces better, stresses {word} on"
    )


def test_it_did_not_take():
    found = verdict(STRESS_WORSE)
    assert found.took is False
    assert found.headline.startswith("It did not take: stresses worse")


def test_nothing_held_out_is_no_verdict():
    drift = row("adapted", "forces", "drift", 4.0, suite="forgetting")
    found = verdict([drift])
    assert found.took is None
    assert "atomgraft prove" in found.headline
    assert found.sentences == (
        "Forgetting: on 20 crystals forces moved by 4.00 meV/Å from the base.",
    )


def test_one_structure_proves_nothing():
    found = verdict(held_out("forces", 21.0, 2.0, (-19.0, -19.0), n=1))
    assert found.took is False
    assert "unclear" in found.sentences[0]
    assert "interval of the change" not in found.sentences[0]
    assert found.sentences[1].startswith("Only 1 held-out structure:")


def test_a_new_reference_alone_is_not_taken_for_knowledge():
    raw = held_out("energy", 4000.0, 3.0, (-3998.0, -3996.0))
    relative = held_out("energy", 3.0, 3.1, (-0.1, 0.3), metric="mae_aligned")
    assert verdict(raw).took is True
    found = verdict(raw + relative)
    assert found.took is False
    assert "best shift per element taken out" in found.sentences[0]
    assert "own references 4000 → 3.00 meV/atom" in found.sentences[0]


@pytest.mark.parametrize(
    ("drift", "start"), [(2.0, "Little"), (21.0, "Something"), (60.0, "Much")]
)
def test_forgetting_is_told_on_the_scale_of_the_base_error(drift, start):
    rows = [
        row("adapted", "forces", "drift", 999.0, suite="forgetting"),
        row("adapted", "forces", "drift", drift, suite="forgetting", group="far"),
        row(
            "adapted",
            "forces",
            "worst",
            99.0,
            suite="forgetting",
            group="crystal:C graphite",
        ),
    ]
    told = verdict(FORCES_BETTER + rows).sentences[-1]
    assert told.startswith(f"{start} was forgotten: on 20 crystals without any trained")
    assert f"{figure(drift / 21.23)} times the base's own error" in told
    assert told.endswith("most in C graphite, by 99.0 meV/Å.")


@pytest.mark.parametrize(
    ("scratch", "end"),
    [
        ((220.0, (200.0, 240.0)), "the base is worth having."),
        ((1.0, (0.9, 1.1)), "here the base does not help."),
        ((2.9, (2.0, 3.5)), "the intervals overlap, no clear difference."),
    ],
)
def test_scratch_stands_beside(scratch, end):
    value, interval = scratch
    rows = [*FORCES_BETTER, row("scratch", "forces", "mae", value, interval)]
    assert verdict(rows).sentences[-1].endswith(end)


def test_a_broken_law_is_a_warning():
    def slopes(value):
        return row("adapted", "forces", "finite_difference", value, suite="consistency")

    assert verdict([*FORCES_BETTER, slopes(5.0)]).sentences[-1] == (
        "Do not trust this model in molecular dynamics: its forces are off by "
        "5.00 meV/Å from the derivative of the energy."
    )
    assert verdict([*FORCES_BETTER, slopes(2e-5)]).sentences[-1] == (
        "Forces and stress are derivatives of the energy, to 2.00e-05 meV/Å."
    )
    turned = row("adapted", "stress", "equivariance", 0.5, suite="consistency")
    assert "when the crystal is turned" in verdict([turned]).sentences[-1]


def test_every_number_in_a_sentence_stands_beside_a_unit():
    for sentence in verdict(FORCES_BETTER + STRESS_BETTER).sentences:
        assert any(unit in sentence for unit in UNITS.values())
