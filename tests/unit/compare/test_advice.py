"""Which recipe is recommended, whether to label more, and in which words."""

import pytest

from atomgraft.compare.advice import front_points, nothing_yet
from tests.comparisons import LAWS, cell, failed, judged, score, table_of


def text_of(advice):
    return " ".join((advice.headline, *advice.sentences))


def with_drift(**drifts):
    return {
        name: {"error": lambda n: 18 / n**0.5, "drift": one}
        for name, one in drifts.items()
    }


def test_among_equals_the_one_that_forgets_least():
    cells = [
        cell(name, 40, seed, error=error * luck, drift=drift)
        for name, error, drift in (("lora", 3.0, 9.0), ("full", 3.1, 1.0))
        for seed, luck in enumerate((1.0, 1.2, 1.1) if name == "lora" else (1.2, 1, 1))
    ]
    judge, advice = judged(cells)
    assert judge.ranked[0] != "full" or judge.is_tied("lora", "full")
    assert advice.choice == "full"
    assert "forgets least" in text_of(advice)


def test_a_clear_winner_wins_whatever_it_forgets():
    laws = LAWS | {"lora": {"error": lambda n: 9 / n**0.5, "drift": 3.0}}
    _, advice = judged(table_of(laws))
    assert advice.choice == "lora"
    assert "forgets least" not in text_of(advice)
    assert "times the error of" in text_of(advice)


def test_much_scatter_does_not_excuse_a_much_larger_error():
    laws = {
        "good": {"error": lambda n: 5.0, "drift": 9.0},
        "bad": {"error": lambda n: 8.0, "drift": 0.1},
    }
    judge, _ = judged(table_of(laws, noise=0.5, seeds=(0, 1)))
    assert judge.choice() == "good"


def test_the_same_luck_is_no_difference():
    """Seeds move both alike: pairing sees the small difference that is there."""
    cells = [
        cell(name, n, seed, error=luck * factor / n**0.5, drift=drift)
        for seed, luck in enumerate((1.0, 2.0, 4.0, 8.0, 3.0))
        for n in (5, 10, 20)
        for name, factor, drift in (("a", 10.0, 5.0), ("b", 10.5 + 0.01 * seed, 1.0))
    ]
    judge, _ = judged(cells)
    assert judge.ratio_interval("b", "a")[0] > 1
    assert judge.choice() == "a"


def test_what_is_worse_than_the_base_is_not_recommended():
    laws = {"lora": {"error": lambda n: 30.0, "drift": 1.0}}
    _, advice = judged(table_of(laws))
    assert advice.choice is None
    assert advice.headline.startswith("Keep the base")
    assert "20.0 meV/Å" in advice.headline


def test_more_labels_in_the_words_of_the_question():
    _, advice = judged(table_of({"full": LAWS["full"]}), more=20)
    assert advice.more_labels == "worthwhile"
    assert "20 more labels should bring 2.92 meV/Å down to 2.39 [" in text_of(advice)
    assert "Stop when a batch gains less" in text_of(advice)


def test_labelling_stops_where_the_gain_is_small():
    _, advice = judged(table_of({"full": LAWS["full"]}, noise=0.001), more=1)
    assert advice.more_labels == "stop"
    assert "Stop labelling: the next 1 label would reduce the error by 1." in text_of(
        advice
    )


def test_a_gain_within_chance_asks_for_seeds():
    laws = {"full": {"error": lambda n: 3 / n**0.3, "drift": 1.0}}
    cells = table_of(laws, noise=0.08)
    _, advice = judged(cells, more=20)
    assert advice.more_labels == "unclear"
    assert "seeds" in text_of(advice)


def test_a_flat_curve_stops():
    laws = {"full": {"error": lambda n: 3.0, "drift": 1.0}}
    _, advice = judged(table_of(laws, noise=0.005), more=20)
    assert advice.more_labels == "stop"
    assert "Stop labelling: even the steepest learning curve within the" in text_of(
        advice
    )


def test_a_target_is_answered():
    cells = table_of(
        {"full": {"error": lambda n: 18 / n**0.5, "drift": 1.0}}, noise=0.0
    )
    for target, words in ((2.0, "at about 81 labels"), (0.1, "needs more than")):
        assert words in text_of(judged(cells, target_error=target)[1])
    assert "target error" not in text_of(judged(cells)[1])


@pytest.mark.parametrize(
    ("drift", "degree"), [(3.0, "little"), (90.0, "moderate"), (200.0, "severe")]
)
def test_forgetting_is_graded_and_severe_forgetting_stands_first(drift, degree):
    laws = {"full": {"error": lambda n: 18 / n**0.5, "drift": drift}}
    _, advice = judged(table_of(laws))
    told = text_of(advice)
    assert f"{degree} forgetting. The largest drift" in told
    assert f"is {drift / 3:.0f} % of its scale" in told
    is_named = (
        "It is less accurate on other materials than the base." in advice.headline
    )
    assert is_named is (degree == "severe")


def test_crystals_of_trained_elements_alone_are_no_other_materials():
    """A base that knows no others may be right to move."""
    cells = [
        one.model_copy(
            update={"scores": tuple(row for row in one.scores if row.group != "far")}
        )
        for one in table_of({"full": {"error": lambda n: 18 / n**0.5, "drift": 200.0}})
    ]
    _, advice = judged(cells)
    assert "severe forgetting" in text_of(advice)
    assert "other materials" not in advice.headline
    assert "Its predictions for other crystals of the same elements" in advice.headline


def two_contestants(**more):
    """Return cells in which `lucky` is ahead on the test structures alone."""
    return [
        cell(name, n, seed, error=error / n**0.5, choosing=choosing / n**0.5, **more)
        for seed in (0, 1, 2)
        for n in (5, 10, 20)
        for name, error, choosing in (("lucky", 10.0, 30.0), ("good", 15.0, 15.0))
    ]


def test_the_test_structures_do_not_choose():
    judge, advice = judged(two_contestants())
    assert judge.errors["lucky"].value < judge.errors["good"].value
    assert advice.choice == "good"
    assert "The recipe was chosen by its error on 8 validation structures" in text_of(
        advice
    )
    assert "lucky: " in text_of(advice)


def test_no_number_of_the_test_structures_moves_the_choice():
    """What the test structures say may be shuffled at will."""
    cells = two_contestants()
    errors = [5.0, 1.0, 7.0, 2.0, 3.0]
    shuffled = [
        cell(
            one.contestant, one.n_labels, one.seed, error=errors[i % len(errors)],
            choosing=(30.0 if one.contestant == "lucky" else 15.0) / one.n_labels**0.5,
        )
        for i, one in enumerate(cells)
    ]  # fmt: skip
    assert judged(shuffled)[0].choice() == judged(cells)[0].choice() == "good"


def without_validation(cells):
    return [
        one.model_copy(
            update={"scores": tuple(s for s in one.scores if s.suite != "validation")}
        )
        for one in cells
    ]


def test_without_validation_structures_nothing_is_chosen():
    _, advice = judged(without_validation(table_of()))
    assert (advice.choice, advice.outcome) == (None, "unclear")
    assert advice.headline.startswith("No recommendation")
    assert "--validation" in text_of(advice)
    assert "lora: " in text_of(advice)


def test_a_single_contestant_needs_no_choice():
    _, advice = judged(without_validation(table_of({"full": LAWS["full"]})))
    assert (advice.choice, advice.outcome) == ("full", "take")
    assert "Chosen by" not in text_of(advice)


def test_a_small_gain_keeps_the_base():
    laws = {"lora": {"error": lambda n: 18.5, "drift": 1.0}}
    _, advice = judged(table_of(laws, noise=0.0))
    assert (advice.choice, advice.outcome) == (None, "keep")
    assert advice.headline.startswith("Keep the base")
    assert "by 7.5 %, and 10 % is the least" in advice.headline


def test_seeds_that_disagree_recommend_nothing():
    cells = [
        cell("lora", n, seed, error=error)
        for n in (5, 10, 20)
        for seed, error in enumerate((2.0, 30.0))
    ]
    _, advice = judged(cells)
    assert (advice.choice, advice.outcome) == (None, "unclear")
    assert advice.headline.startswith("Unclear whether lora is better than the base")


def test_a_change_that_chance_explains_recommends_nothing():
    """The interval of the paired change on the structures decides, seed by seed."""

    def cells(high):
        change = score(
            "adapted", "forces", -10.0, metric="mae_change", interval=(-20.0, high)
        )
        known = [cell("lora", n, 0, error=10.0) for n in (5, 10, 20)]
        return [
            one.model_copy(update={"scores": (*one.scores, change)}) for one in known
        ]

    assert judged(cells(0.5))[1].outcome == "unclear"
    assert judged(cells(-0.5))[1].outcome == "take"


@pytest.mark.parametrize("n_seeds", [1, 2, 5])
def test_seeds_do_not_stand_for_test_structures(n_seeds):
    """However many seeds agree, on four structures they agree by chance as well."""
    why = "4 structures; an interval needs 5 that are independent"
    change = score(
        "adapted", "forces", -10, metric="mae_change", interval=None, no_interval=why
    )
    cells = [
        one.model_copy(update={"scores": (*one.scores, change)})
        for seed in range(n_seeds)
        for one in (cell("lora", 20, seed, error=10.0 + 0.1 * seed),)
    ]
    _, advice = judged(cells)
    assert advice.outcome == "unclear"
    assert text_of(advice).count(f"has no interval: {why}.") == 1


def test_energies_that_new_references_may_have_changed_recommend_nothing():
    def energies_only(one, metrics):
        kept = [
            row
            for row in one.scores
            if row.quantity == "energy" and row.metric in metrics
        ]
        return one.model_copy(update={"scores": tuple(kept)})

    def outcome(*metrics):
        cells = [cell("lora", 20, seed, error=10.0) for seed in (0, 1, 2)]
        return judged([energies_only(one, metrics) for one in cells])[1].outcome

    assert outcome("mae", "mae_aligned") == "take"
    assert outcome("mae") == "unclear"


def test_rivals_that_seeds_do_not_tell_apart_stand_in_the_headline():
    _, advice = judged(table_of())
    assert advice.choice == "full"
    assert advice.headline.endswith(
        "With 3 seeds, it cannot be distinguished from lora."
    )
    clear = LAWS | {"lora": {"error": lambda n: 40 / n**0.5, "drift": 3.0}}
    assert "do not tell" not in judged(table_of(clear))[1].headline


def test_one_seed_is_confessed():
    assert "There is one seed: intervals are over test structures" in text_of(
        judged(table_of(seeds=(0,)))[1]
    )
    assert "There is one seed: intervals are over test structures" not in text_of(
        judged(table_of())[1]
    )


def test_missing_cells_are_counted():
    cells = [*table_of(), failed("lora", 40, 3)]
    assert "1 of 37 cells have no result" in text_of(judged(cells)[1])


def test_few_test_structures_are_confessed():
    cells = table_of()
    few = [
        one.model_copy(
            update={"scores": tuple(s.model_copy(update={"n": 3}) for s in one.scores)}
        )
        for one in cells
    ]
    assert "only 3 test structures" in text_of(judged(few)[1])
    assert "Only" not in text_of(judged(cells)[1])


def test_nothing_done_says_why():
    advice = nothing_yet([failed("a", 5, 0), failed("a", 5, 1, reason="Too hot.")])
    assert advice.headline == "Every cell failed."
    assert "Too hot." in text_of(advice)
    waiting = nothing_yet([failed("a", 5, 0, status="open", reason="not run yet")])
    assert waiting.headline == "Nothing to recommend yet."


# --- the front


def test_the_base_stands_on_the_front():
    points = {p.contestant: p for p in front_points(judged(table_of())[0])}
    assert set(points) == {"base", "lora", "full", "scratch"}
    assert points["base"].drift == 0
    assert points["base"].is_on_front
    assert not points["scratch"].is_on_front


@pytest.mark.parametrize(("drift", "ahead"), [(0.5, True), (9.0, False)])
def test_who_is_beaten_is_not_on_it(drift, ahead):
    laws = with_drift(one=1.0, two=drift)
    laws["two"] = {"error": lambda n: 18.5 / n**0.5, "drift": drift}
    points = {
        p.contestant: p for p in front_points(judged(table_of(laws, noise=0.0))[0])
    }
    assert points["one"].is_on_front
    assert points["two"].is_on_front is ahead
