"""Phonons as scores: means over crystals, and the sentence of the verdict."""

import pytest

from atomgraft.phonons.record import OWN_SCALAR, SUITE, PhononErrors
from atomgraft.phonons.suite import PhononSuite, phonon_scores
from tests.example_phonons import make_alone, make_phonons


def row(contestant, mae, *, baseline=None, free_energy=None):
    return PhononErrors(
        contestant=contestant,
        title=contestant,
        baseline=baseline,
        factor=None if baseline is None else 1.1,
        frequency_mae=mae,
        frequency_rmse=mae,
        frequency_bias=-mae,
        maximum_error=mae,
        highest_error=mae,
        density_distance=mae,
        free_energy_error=free_energy,
        is_stable=True,
    )


def crystal(base, adapted, own, **more):
    rows = (
        row("base", base, free_energy=-2.0),
        row("adapted", adapted, **more),
        row("base", own, baseline="own scalar"),
        row("base", 99.0, baseline="global scalar"),
    )
    return make_phonons().model_copy(update={"errors": rows})


def scores(*crystals):
    return phonon_scores(crystals)


def values(found):
    return {(one.model, one.quantity, one.metric): one.value for one in found}


def test_means_over_crystals_by_hand():
    found = scores(crystal(0.4, 0.1, 0.3), crystal(0.6, 0.3, 0.5, free_energy=-1.0))
    assert values(found) == {
        ("base", "frequencies", "mae"): pytest.approx(0.5),
        ("base", "free energy", "mae"): 2.0,
        ("adapted", "frequencies", "mae"): pytest.approx(0.2),
        ("adapted", "free energy", "mae"): 1.0,
        ("base", "frequencies", OWN_SCALAR): pytest.approx(0.4),
    }
    counts = {(one.model, one.quantity): one.n for one in found}
    assert counts["adapted", "frequencies"] == 2
    assert all(one.suite == SUITE for one in found)


def test_free_energies_are_over_crystals_stable_under_all_models():
    easy = crystal(0.4, 0.1, 0.3, free_energy=-1.0)
    hard = crystal(0.6, 0.3, 0.5)
    hard = hard.model_copy(
        update={"errors": (row("base", 0.6, free_energy=-8.0), *hard.errors[1:])}
    )
    found = [one for one in scores(easy, hard) if one.quantity == "free energy"]
    assert {one.model: (one.value, one.n) for one in found} == {
        "base": (2.0, 1),
        "adapted": (1.0, 1),
    }


def test_an_interval_needs_five_crystals():
    crystals = [crystal(0.1 * i, 0.05 * i, 0.3) for i in range(1, 6)]
    few = [one for one in scores(*crystals[:4]) if one.quantity == "frequencies"]
    assert all(one.interval is None for one in few)
    assert few[0].no_interval == "4 crystals; an interval needs 5 independent ones"
    [found] = [
        one
        for one in scores(*crystals)
        if (one.model, one.quantity) == ("adapted", "frequencies")
    ]
    low, high = found.interval
    assert found.value == pytest.approx(0.15)
    assert low < found.value < high
    assert (found.n_independent, found.independent) == (5, "crystals")


def test_without_a_reference_there_is_no_score():
    assert scores(make_alone()) == []


@pytest.mark.parametrize(
    ("adapted", "end"),
    [
        (0.1, "so that the model learned more than an overall stiffness."),
        (0.3, "so that the model learned no more than that number."),
        (0.7, "so that the model learned no more than that number."),
    ],
)
def test_the_verdict_compares_with_one_number(adapted, end):
    [told] = [
        one
        for one in PhononSuite.sentences(scores(crystal(0.4, adapted, 0.3)))
        if one.startswith("Phonons")
    ]
    assert told.startswith("Phonons of one crystal: frequencies off by 0.400 → ")
    assert "times one fitted number give 0.300" in told
    assert told.endswith(end)


def test_the_verdict_counts_crystals_and_needs_both_models():
    many = scores(crystal(0.4, 0.1, 0.3), crystal(0.4, 0.1, 0.3))
    assert any("Phonons of 2 crystals" in one for one in PhononSuite.sentences(many))
    base = [one for one in scores(crystal(0.4, 0.1, 0.3)) if one.model == "base"]
    assert PhononSuite.sentences(base) == []


def test_without_the_baseline_the_verdict_says_less():
    found = [one for one in scores(crystal(0.4, 0.1, 0.3)) if one.metric != OWN_SCALAR]
    assert PhononSuite.sentences(found) == [
        "Phonons of one crystal: frequencies off by 0.400 → 0.100 THz."
    ]
