"""Tables and figure of a campaign: means over seeds, gaps told, offline, accessible."""

import json

import pytest

from atomgraft.page.wording import MISSING
from atomgraft.phonons.campaign.page import page_text, parity_figure
from atomgraft.phonons.campaign.record import (
    BASE,
    InstabilityCounts,
    common_errors,
    mean_of,
    rows_of,
)
from atomgraft.phonons.campaign.tables import (
    bill_table,
    confusion_table,
    missing_table,
    short_summary_table,
    summary_table,
    training_table,
    worst_table,
)
from atomgraft.phonons.campaign.wording import f1_text, headline, sentences, share_text
from tests.comparisons import HOSTILE
from tests.example_phonons import make_phonons, make_unstable
from tests.phonon_campaigns import (
    BASE_ERRORS,
    campaign_of,
    make_campaign,
    material,
    row,
    table_of,
    training,
)
from tests.unit.run.page.test_document import read


def detailed():
    return make_campaign(details=(make_phonons(), make_unstable()), dft_hours=10.0)


def zero_shot():
    rows = [one for one in table_of()[0] if one.contestant == BASE]
    return campaign_of(rows, [], mode=None)


def unconverged():
    """Nobody has judged anything; every row says why."""
    gone = {"status": "failed", "reason": HOSTILE, "frequency_mae": None}
    gone |= {"is_stable": None, "mean": None, "minimum": None}
    rows = [row(name, BASE, 0.1).model_copy(update=gone) for name in BASE_ERRORS]
    return campaign_of(rows, [], notices=(HOSTILE,), finished=False)


def without_materials():
    return campaign_of([], [], mode=None).model_copy(update={"materials": ()})


def hostile():
    cards = [material("NaCl", formula=HOSTILE), material("MgO"), material("BaTiO3")]
    return make_campaign(materials=cards, name=HOSTILE, notices=(HOSTILE,))


MAKERS = [detailed, zero_shot, unconverged, without_materials, hostile]


@pytest.fixture(params=MAKERS, ids=lambda make: make.__name__)
def campaign(request):
    return request.param()


@pytest.fixture(scope="module")
def whole():
    return make_campaign()


def test_nothing_is_loaded_and_text_stays_text(campaign):
    text = page_text(campaign)
    page = read(text)
    assert HOSTILE not in text
    assert len(page.scripts) == 3
    for tag, attributes in page.tags:
        assert "src" not in attributes, tag
        assert (attributes.get("href") or "#").startswith(("#", "data:"))


def test_tables_have_heads_and_figures_words(campaign):
    page = read(page_text(campaign))
    tables = [tag for tag, _ in page.tags if tag == "table"]
    captions = [tag for tag, _ in page.tags if tag == "caption"]
    assert len(tables) == len(captions)
    drawn = [a for _, a in page.tags if "data-plot" in a]
    assert all(attributes["aria-label"] for attributes in drawn)
    assert set(json.loads(page.scripts[0])) == {a["data-plot"] for a in drawn}


def test_names_on_the_page_are_unique(campaign):
    page = read(page_text(campaign))
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "make",
    [
        summary_table,
        short_summary_table,
        confusion_table,
        worst_table,
        bill_table,
        missing_table,
        training_table,
    ],
)
def test_rows_are_as_wide_as_their_heads(make, campaign):
    table = make(campaign)
    if table is None:
        return
    assert table.rows
    assert {len(one) for one in table.rows} == {len(table.columns)}
    assert len(table.is_text) == len(table.columns)


def test_what_is_not_there_has_no_table(whole):
    empty = campaign_of([], [], mode=None)
    assert summary_table(empty) is None
    assert short_summary_table(empty) is None
    assert confusion_table(empty) is None
    assert training_table(empty) is None
    assert parity_figure(empty) is None
    assert worst_table(without_materials()) is None
    assert missing_table(whole) is None
    assert headline(empty) == "No material has been evaluated."
    assert sentences(empty) == ()


def test_seeds_are_averaged_before_anything_is_said():
    rows, trainings = table_of()
    others = [one for one in rows if one.contestant != "lora"]
    seeds = [
        row(name, "lora", error, seed=seed, training=f"{name}-{seed}", n_labels=1)
        for name in BASE_ERRORS
        for seed, error in enumerate((0.1, 0.3))
    ]
    campaign = campaign_of([*others, *seeds], trainings)
    mine, before, n = common_errors(campaign, "lora", BASE)
    assert (mine, n) == (pytest.approx(0.2), 3)
    assert before == pytest.approx(sum(BASE_ERRORS.values()) / 3)
    assert len(rows_of(campaign, "MgO", "lora")) == 2
    [line] = [one for one in worst_table(campaign).rows if one[0] == "MgO"]
    assert line[3] == "0.200"


def test_a_mean_leaves_out_what_is_not_there():
    rows = [row("NaCl", "a", 0.1), row("NaCl", "a", 0.3)]
    assert mean_of(rows, "frequency_mae") == pytest.approx(0.2)
    rows[0] = rows[0].model_copy(update={"frequency_mae": None})
    assert mean_of(rows, "frequency_mae") == pytest.approx(0.3)
    assert mean_of(rows, "factor") is None
    assert mean_of([], "frequency_mae") is None


@pytest.mark.parametrize(
    ("says", "true", "words"),
    [
        ((True,), True, "stable, as in DFT"),
        ((False,), False, "unstable, as in DFT"),
        ((True,), False, "stable, unlike DFT"),
        ((False,), True, "unstable, unlike DFT"),
        ((True, False), True, "unstable, unlike DFT"),  # half of them decide
        ((True, True, False), True, "stable, as in DFT"),
        ((False,), None, "unstable"),
    ],
)
def test_stability_is_said_beside_dft(says, true, words):
    rows = [
        row("NaCl", BASE, 0.1).model_copy(
            update={"is_stable": one, "is_stable_reference": true}
        )
        for one in says
    ]
    campaign = campaign_of(rows, [], materials=[material("NaCl")], mode=None)
    assert worst_table(campaign).rows[0][-1] == words


def test_who_has_no_numbers_says_why():
    table = missing_table(unconverged())
    assert {one[2:] for one in table.rows} == {("failed", HOSTILE)}
    assert all(one[-1] == HOSTILE for one in worst_table(unconverged()).rows)


def test_the_figure_has_a_dot_a_material_where_dft_is(whole):
    drawn = parity_figure(whole)
    [plot] = drawn.plots
    for trace in plot.figure["data"]:
        assert len(trace["x"]) == len(trace["y"]) == len(trace["text"]) == 3
        assert set(trace["x"]) == {5.0}  # what DFT says of all of them
    base = plot.figure["data"][0]
    assert base["y"] == pytest.approx([5 - BASE_ERRORS[n] for n in BASE_ERRORS])
    span = plot.figure["layout"]["xaxis"]["range"]
    assert span == plot.figure["layout"]["yaxis"]["range"]
    assert span[0] < min(base["y"])
    assert span[1] > 5.0


def test_the_legend_names_what_is_drawn_and_no_more(whole):
    """A recipe without a number has no dots, so nothing to switch off."""
    gone = {"mean": None, "mean_reference": None, "frequency_mae": None}
    rows = [
        one.model_copy(update=gone) if one.contestant == "lora" else one
        for one in whole.rows
    ]
    bare = parity_figure(whole.model_copy(update={"rows": tuple(rows)}))
    for drawn in (parity_figure(whole), bare):
        traces = drawn.plots[0].figure["data"]
        keys = [one.key for one in drawn.legend]
        assert keys == [one["meta"]["key"] for one in traces]
    assert "lora" not in bare.plots[0].description


def test_an_error_that_is_not_known_is_not_zero(whole):
    rows = [one.model_copy(update={"frequency_mae": None}) for one in whole.rows]
    drawn = parity_figure(whole.model_copy(update={"rows": tuple(rows)}))
    words = drawn.plots[0].figure["data"][0]["text"]
    assert all(f"MAE {MISSING}" in one for one in words)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "unknown"),
        (0.0, "0 %"),
        (-0.001, "0 %"),
        (0.704, "70 %"),
        (1.0, "100 %"),
        (-0.5, "−50 %"),
    ],
)
def test_shares_are_whole_percents(share, text):
    assert share_text(share) == text


def counts(**changes):
    known = {"threshold": 0.1, "hits": 1, "false_alarms": 0, "misses": 0}
    known |= {"rejections": 2, "precision": 1.0, "recall": 1.0, "f1": 1.0}
    return InstabilityCounts(**known | changes)


def test_f1_is_a_number_or_words():
    assert f1_text(counts(f1=2 / 3)) == "0.67"
    assert f1_text(counts(f1=None)) == "not defined"


def test_a_recipe_and_a_base_on_other_materials_are_not_compared():
    rows = [row("NaCl", BASE, 0.4), row("MgO", "lora", 0.1, seed=0)]
    campaign = campaign_of(rows, [training("t", materials=("MgO",))])
    assert common_errors(campaign, "lora", BASE) is None
    assert headline(campaign) == (
        "lora and the base were evaluated on different materials."
    )


def test_no_gain_is_said_as_such():
    rows = [row("NaCl", BASE, 0.1), row("NaCl", "lora", 0.2, seed=0)]
    campaign = campaign_of(rows, [training("t")], materials=[material("NaCl")])
    assert "is 0.200 THz, no less than the base (0.100 THz)" in headline(campaign)


@pytest.mark.parametrize(("n_unstable", "verb"), [(1, "is"), (2, "are")])
def test_without_forces_stability_is_counted(n_unstable, verb):
    names = list(BASE_ERRORS)[:2]
    bare = {"frequency_mae": None, "is_stable_reference": None, "mean_reference": None}
    rows = [
        row(name, BASE, 0.1).model_copy(update={**bare, "is_stable": i >= n_unstable})
        for i, name in enumerate(names)
    ]
    told = headline(campaign_of(rows, [], mode=None))
    assert told.startswith(f"{n_unstable} of 2 materials {verb} unstable with the")
