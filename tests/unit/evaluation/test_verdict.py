"""The verdict follows from the scores, and says no more than they do."""

import pytest

from atomgraft.evaluation.verdict import verdict
from atomgraft.metrics.thresholds import MIN_GAIN
from atomgraft.records.scores import MovedWeights, Score

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


def test_a_gain_that_is_clear_but_small_is_not_taken():
    found = verdict(held_out("forces", 263.0, 260.0, (-4.0, -2.0)))
    assert found.took is False
    assert not found.is_partial
    assert found.headline.startswith(
        "It changed little, too little to count as taken: forces slightly better on"
    )
    assert "1.1 % lower, and 10 % is the least that counts" in found.sentences[0]


@pytest.mark.parametrize(("gain", "took"), [(0.99, False), (1.01, True)])
def test_the_least_gain_is_a_tenth(gain, took):
    after = 100.0 * (1 - gain * MIN_GAIN)
    found = verdict(held_out("forces", 100.0, after, (after - 101, after - 99.5)))
    assert found.took is took


def test_a_change_within_rounding_is_none():
    """Every structure moves by the same last digit: the interval is as narrow."""
    change = (-2.1e-4, -1.9e-4)
    rows = held_out("energy", 4.0, 4.0 - 2e-4, change, metric="mae_aligned")
    noise = [
        row(model, "energy", "rounding", 1.5e-4, suite="labels", n=2)
        for model in ("base", "adapted")
    ]
    assert "slightly better" in verdict(rows).headline
    found = verdict(rows + noise)
    assert found.took is False
    assert found.headline.startswith("Nothing changed: energies unchanged on 20")
    assert "rounding of the predictions, 3.00 × 10⁻⁴ meV/atom" in found.sentences[0]


def test_what_did_not_move_did_not_take():
    rest = MovedWeights(n_weights=100, n_moved=0, relative_change=0.0)
    found = verdict(FORCES_BETTER, moved=rest)
    assert found.took is False
    assert not found.is_partial
    assert found.headline.startswith("Nothing was learned: no weight changed:")
    assert found.sentences[0].startswith("None of the 100 weights differs")
    some = rest.model_copy(update={"n_moved": 1, "relative_change": 1e-3})
    assert verdict(FORCES_BETTER, moved=some) == verdict(FORCES_BETTER)


def test_without_an_interval_nothing_is_clear():
    found = verdict(held_out("forces", 21.0, 2.0, None))
    assert (found.took, found.is_unclear) == (False, True)
    assert found.headline.startswith("It is unclear whether it took: forces unclear")


def test_it_did_not_take():
    found = verdict(STRESS_WORSE)
    assert found.took is False
    assert found.headline.startswith("It did not take: stresses worse")


def test_nothing_held_out_is_no_verdict():
    drift = row("adapted", "forces", "drift", 4.0, suite="forgetting")
    found = verdict([drift])
    assert found.took is None
    assert "atomgraft prove" in found.headline
    assert found.forgetting is None
    assert found.sentences == (
        "Forgetting cannot be rated: the scores lack the mean force of the base; "
        "run 'atomgraft prove' to measure it. The model differs from the base on 20 "
        "crystals by 4.00 meV/Å in forces.",
    )


def test_one_structure_proves_nothing():
    rows = held_out("forces", 21.0, 2.0, None, n=1)
    why = {"no_interval": "1 structure; an interval needs 5 that are independent"}
    rows[-1] = rows[-1].model_copy(update=why)
    found = verdict(rows)
    assert found.took is False
    assert "unclear" in found.sentences[0]
    assert "interval of the change" not in found.sentences[0]
    assert found.sentences[1] == (
        "No interval for the change of forces: 1 structure; an interval needs 5 that "
        "are independent."
    )


def test_an_interval_says_what_it_is_over():
    rows = held_out("forces", 21.0, 2.0, (-20.0, -18.0))
    over = {"n_independent": 12, "independent": "trajectories"}
    rows[-1] = rows[-1].model_copy(update=over)
    said = verdict(rows).sentences[0]
    assert "(95 % interval of the change -20.0 to -18.0, over 12 trajectories)" in said


def test_a_new_reference_alone_is_not_taken_for_knowledge():
    raw = held_out("energy", 4000.0, 3.0, (-3998.0, -3996.0))
    relative = held_out("energy", 3.0, 3.1, (-0.1, 0.3), metric="mae_aligned")
    alone = verdict(raw)  # as many compositions as structures
    assert (alone.took, alone.is_unclear) == (False, True)
    assert "there are as many independent compositions as structures, so" in " ".join(
        alone.sentences
    )
    found = verdict(raw + relative)
    assert found.took is False
    assert "best shift per element subtracted" in found.sentences[0]
    assert "before subtraction 4000 → 3.00 meV/atom" in found.sentences[0]


def probes(*, group="far", forces=2.0, energy=1.0, stress=0.01):
    """Drift beside the base's mean forces of 300 meV/Å and stresses of 1.5 GPa."""
    drifts = {"forces": forces, "energy": energy, "stress": stress}
    sizes = {"forces": 300.0, "stress": 1.5}
    more = {"suite": "forgetting", "group": group}
    return [
        *(row("adapted", name, "drift", one, **more) for name, one in drifts.items()),
        *(row("base", name, "spread", one, **more) for name, one in sizes.items()),
    ]


@pytest.mark.parametrize(
    ("drifts", "degree"),
    [
        ({}, "little"),
        ({"forces": 29.0}, "little"),
        ({"forces": 31.0}, "moderate"),
        ({"forces": 149.0}, "moderate"),
        ({"forces": 773.0}, "severe"),
        ({"energy": 10.0}, "moderate"),
        ({"energy": 400.0}, "severe"),
        ({"stress": 0.3}, "moderate"),
        ({"stress": 1.0}, "severe"),
    ],
)
def test_forgetting_is_told_on_the_scale_of_the_probes(drifts, degree):
    found = verdict(FORCES_BETTER + probes(**drifts))
    assert found.forgetting == degree
    assert found.took is True
    told = found.sentences[-1]
    assert told.startswith(
        f"{degree.capitalize()} forgetting: the model differs from the base on "
        "20 crystals without any trained element by"
    )
    is_plain = found.headline.startswith("It took: ")
    assert is_plain is (degree != "severe")
    if degree == "severe":
        assert found.headline.startswith("It took, and lost accuracy elsewhere: ")


def test_forgetting_says_what_it_was_compared_with():
    worst = row("adapted", "forces", "worst", 99.0, suite="forgetting", n=1)
    worst = worst.model_copy(update={"group": "crystal:C graphite"})
    told = verdict([*probes(forces=60.0), worst]).sentences[-1]
    assert "60.0 meV/Å in forces (20 % of the base's mean, 300 meV/Å)" in told
    assert "1.00 meV/atom in energies (1 % of the range of metastable" in told
    assert "0.0100 GPa in stresses (less than 1 % of the base's mean, 1.50 GPa" in told
    assert told.endswith("; the largest drift of forces is in C graphite, 99.0 meV/Å.")


@pytest.mark.parametrize("base_error", [20.0, 2000.0])
def test_hot_frames_excuse_no_forgetting(base_error):
    """How wrong the base was on the user's structures says nothing of others."""
    better = held_out("forces", base_error, 2.0, (-base_error, 2.5 - base_error))
    assert verdict(better + probes(forces=200.0)).forgetting == "severe"
    assert verdict(better + probes(forces=6.0)).forgetting == "little"


def test_crystals_of_the_material_itself_may_have_been_learned():
    rows = [*probes(group=None, forces=200.0), *probes(group="near", forces=200.0)]
    found = verdict(FORCES_BETTER + rows)
    assert found.forgetting == "severe"
    assert found.headline.startswith("It took, with large changes on other crystals: ")
    assert "with a trained element" in found.sentences[-1]
    zero = [*probes(group=None, energy=400.0), *probes(group="near", energy=400.0)]
    assert verdict(zero).forgetting == "little"
    assert "400 meV/atom in energies, " in verdict(zero).sentences[-1]


def test_what_was_not_gained_is_not_called_a_bargain():
    found = verdict(STRESS_WORSE + probes(forces=400.0))
    assert found.headline.startswith("It did not take: stresses worse on")
    assert found.forgetting == "severe"


@pytest.mark.parametrize(
    ("scratch", "end"),
    [
        ((220.0, (200.0, 240.0)), "starting from the base helps."),
        ((1.0, (0.9, 1.1)), "starting from the base does not help."),
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
        "Do not use this model for molecular dynamics: its forces deviate by 5.00 "
        "meV/Å from the derivative of the energy."
    )
    assert verdict([*FORCES_BETTER, slopes(2e-5)]).sentences[-1] == (
        "Forces and stress are derivatives of the energy, to 2.00 × 10⁻⁵ meV/Å."
    )
    turned = row("adapted", "stress", "equivariance", 0.5, suite="consistency")
    assert "when the crystal is rotated" in verdict([turned]).sentences[-1]


def test_every_number_in_a_sentence_stands_beside_a_unit():
    for sentence in verdict(FORCES_BETTER + STRESS_BETTER).sentences:
        assert any(unit in sentence for unit in UNITS.values())


def test_an_interval_that_says_nothing_is_said_in_words():
    change = row(
        "adapted", "forces", "mae_change", -10.0, (-2.9e6, 2.9e6), n_independent=5,
        independent="trajectories",
    )  # fmt: skip
    rows = [one for one in FORCES_BETTER if one.metric != "mae_change"]
    sentences = " ".join(verdict([*rows, change]).sentences)
    assert "too few trajectories for an interval of the change" in sentences
    assert "e+06" not in sentences
