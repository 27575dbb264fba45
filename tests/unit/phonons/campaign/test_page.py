"""Is the page of a campaign whole and safe, whatever the table lacks?"""

import pytest

from atomgraft.phonons.campaign.page import (
    FAILED,
    OPEN,
    ZERO_SHOT,
    mark_of,
    page_text,
    write_page,
)
from atomgraft.phonons.campaign.record import (
    BASE,
    GLOBAL_SCALAR,
    best_recipe,
    chosen_errors,
    materials_by_error,
)
from atomgraft.phonons.campaign.tables import (
    bill_table,
    missing_table,
    summary_table,
    worst_table,
)
from atomgraft.phonons.campaign.wording import headline, sentences
from atomgraft.run.page.document import MARKS, PARTIAL
from tests.comparisons import HOSTILE
from tests.example_phonons import make_phonons
from tests.phonon_campaigns import (
    BASE_ERRORS,
    LORA_ERRORS,
    campaign_of,
    make_campaign,
    row,
    table_of,
)


@pytest.fixture(scope="module")
def whole():
    return make_campaign(dft_hours=10.0)


@pytest.fixture(scope="module")
def zero_shot():
    rows = [one for one in table_of()[0] if one.contestant != "lora"]
    return campaign_of(rows, [], mode=None)


def without(campaign, *, numbers):
    """Return a campaign in which a material has no numbers under the recipe."""
    gone = {"status": "failed", "reason": "It diverged.", "frequency_mae": None}
    rows = [
        one.model_copy(update=gone)
        if (one.material, one.contestant) == (numbers, "lora")
        else one
        for one in campaign.rows
    ]
    return campaign_of(rows, campaign.trainings)


def test_the_headline_says_what_was_gained(whole):
    assert headline(whole) == (
        "The mean frequency error of lora over 3 materials is 0.200 THz, 60 % less "
        "than the base (0.500 THz)."
    )


def test_the_sentences_name_baselines_instability_and_bill(whole):
    told = " ".join(sentences(whole))
    assert "lora predicts 1 of 1 unstable material to be unstable" in told
    assert "It beats the baseline 'Base × scalar of the others'" in told
    assert "It beats the baseline 'Labels, completed by the base', which uses" in told
    assert "3.00 of 10 DFT supercells" in told
    assert "70 % saved, and 70 % of the CPU-hours" in told
    assert "Better than the base on 2 of 3 materials." in told


@pytest.mark.parametrize(
    ("forgotten", "told", "mark"),
    [
        (0.05, "stresses is 5 % of its scale", MARKS[True]),
        (0.4, "stresses is 40 % of its scale", MARKS[True]),
        (0.6, "stresses is 60 % of its scale", PARTIAL),
        (None, "Forgetting cannot be rated", PARTIAL),
    ],
)
def test_forgetting_is_graded_by_the_base_itself(whole, forgotten, told, mark):
    summaries = tuple(
        one.model_copy(update={"forgotten": forgotten}) for one in whole.summaries
    )
    campaign = whole.model_copy(update={"summaries": summaries})
    assert told in " ".join(sentences(campaign))
    assert mark_of(campaign) == mark


def test_a_small_gain_has_not_taken(whole):
    """Of the base, 95 % are left; of every baseline, nothing is said."""
    rows = [row(name, BASE, error) for name, error in BASE_ERRORS.items()]
    rows += [row(name, "lora", 0.95 * one, seed=0) for name, one in BASE_ERRORS.items()]
    campaign = campaign_of(rows, whole.trainings)
    assert mark_of(campaign) == MARKS[False]
    assert "hardly less than the base" in headline(campaign)


def two_recipes(errors, others):
    """Return a campaign of two recipes, with their errors by material."""
    rows = [row(name, BASE, error) for name, error in BASE_ERRORS.items()]
    for recipe, found in (("lora", errors), ("full", others)):
        rows += [row(name, recipe, one, seed=0) for name, one in found.items()]
    return campaign_of(rows, [])


def test_a_recipe_is_judged_where_it_was_not_chosen():
    """Either is best where it was lucky: chosen by the others, the lucky one fails."""
    lucky = {"NaCl": 0.1, "MgO": 0.4, "BaTiO3": 0.4}
    other = {"NaCl": 0.4, "MgO": 0.1, "BaTiO3": 0.5}
    campaign = two_recipes(lucky, other)
    found = chosen_errors(campaign)
    assert found == {"NaCl": 0.4, "MgO": 0.4, "BaTiO3": pytest.approx(0.4)}
    assert best_recipe(campaign).mean_mae == pytest.approx(0.3)
    told = " ".join(sentences(campaign))
    assert "lora is the best of 2 recipes on these very materials" in told
    assert "misses frequencies by 0.400 THz" in told


def test_a_recipe_that_is_best_everywhere_loses_nothing_by_the_choice():
    best = {"NaCl": 0.1, "MgO": 0.1, "BaTiO3": 0.2}
    campaign = two_recipes(best, {name: 2 * one for name, one in best.items()})
    assert chosen_errors(campaign) == best


def test_one_material_chooses_no_recipe():
    campaign = two_recipes({"NaCl": 0.1}, {"NaCl": 0.2})
    assert chosen_errors(campaign) == {}
    assert mark_of(campaign) == PARTIAL
    assert "with one material nothing better can be said" in " ".join(
        sentences(campaign)
    )


def test_who_failed_on_the_hard_ones_is_compared_on_the_others(whole):
    told = headline(without(whole, numbers="BaTiO3"))
    assert "over 2 materials is 0.175 THz" in told
    assert "(0.300 THz)" in told


def test_a_recipe_that_dodges_is_not_the_best():
    rows, trainings = table_of()
    campaign = campaign_of([*rows, row("NaCl", "dodger", 0.01, seed=0)], trainings)
    assert best_recipe(campaign).contestant == "lora"


def test_the_mark_needs_more_than_one_number(whole, zero_shot):
    assert mark_of(whole) == MARKS[True]
    assert mark_of(zero_shot) == ZERO_SHOT
    assert mark_of(whole.model_copy(update={"finished": False})) == OPEN

    def with_errors(share):
        rows = [
            one.model_copy(update={"frequency_mae": share * LORA_ERRORS[one.material]})
            if one.contestant == "lora"
            else one
            for one in whole.rows
        ]
        return campaign_of(rows, whole.trainings)

    assert mark_of(with_errors(1.8)) == PARTIAL  # 0.36: above its labels, completed
    assert mark_of(with_errors(2.2)) == PARTIAL  # 0.44: between base and scalar
    assert mark_of(with_errors(3.0)) == MARKS[False]


def test_worst_cases_come_first(whole):
    assert [one.name for one in materials_by_error(whole)][-1] == "NaCl"
    table = worst_table(whole, most=1)
    assert len(table.rows) == 1
    assert table.columns[2:4] == ("Base", "lora")


def test_materials_without_numbers_come_last_with_their_reason(whole):
    holed = without(whole, numbers="MgO")
    assert materials_by_error(holed)[-1].name == "MgO"
    [gap] = missing_table(holed).rows
    assert gap == ("MgO", "lora", "failed", "It diverged.")
    assert missing_table(whole) is None


def test_the_bill_shows_hours_where_dft_is_priced(whole):
    assert "DFT alone" in bill_table(whole).columns
    assert "DFT alone" not in bill_table(make_campaign()).columns
    billed = [row[0] for row in bill_table(whole).rows]
    assert billed == [
        "Base",
        "Labels, completed by the base",
        "Labels, no model",
        "Base + labels",
        "lora",
    ]


def test_every_contestant_is_in_the_summary(whole):
    names = [row[0] for row in summary_table(whole).rows]
    assert names == [
        "Base",
        "Base × own scalar",
        "Base × scalar of the others",
        "Labels, completed by the base",
        "Labels, no model",
        "Base + labels",
        "lora",
    ]


@pytest.mark.parametrize("name", ["whole", "zero_shot"])
def test_the_page_is_whole_and_safe(name, request, tmp_path):
    campaign = request.getfixturevalue(name)
    text = write_page(tmp_path, campaign).read_text()
    assert text == page_text(campaign)
    assert HOSTILE not in text
    for section in ("summary", "parity", "materials", "bill", "settings"):
        assert f'id="{section}"' in text
    assert headline(campaign) in text


def test_a_campaign_that_has_judged_nothing_has_a_page(whole):
    rows = [
        row("NaCl", name, 0.1).model_copy(
            update={
                "status": "open",
                "reason": "not run yet",
                "frequency_mae": None,
                "is_stable": None,
                "mean": None,
            }
        )
        for name in (BASE, GLOBAL_SCALAR)
    ]
    campaign = campaign_of(rows, [], finished=False)
    text = page_text(campaign)
    assert "No material has been evaluated." in text
    assert "This campaign has not finished." in text


def test_the_worst_show_their_bands(whole):
    text = page_text(whole.model_copy(update={"details": (make_phonons(),)}))
    assert 'id="detail-1"' in text
    assert "detail-1-bands" in text
    assert 'id="detail-1"' not in page_text(whole)


def test_adaptations_that_all_failed_are_said_first():
    rows, trainings = table_of()
    base = [one for one in rows if one.contestant != "lora"]
    failed = [one.model_copy(update={"status": "failed"}) for one in trainings]
    campaign = campaign_of(base, failed)
    assert headline(campaign).startswith("No adaptation has been evaluated.")
    assert mark_of(campaign) == FAILED
