"""Does the page say for what a model may be used?"""

import pytest

from atomgraft.page.blocks import Code, Heading, Note
from atomgraft.run.page.document import page_text
from atomgraft.run.page.use import (
    enough,
    lost_sentences,
    qualities,
    quality_table,
    seen_table,
    title_of,
    untested,
    use_section,
)
from atomgraft.run.record import RunResult, SeenRecord

SEEN = SeenRecord(
    formulas={"Si": 60, "SiGe": 40, "Ge": 3, "Si3Ge": 1},
    kinds={"hot": 60, "rattled": 44},
    sizes=(8.0, 64.0),
    temperatures=(300.0, 1200.0),
    volumes=(19.1, 22.4),
    strain=0.031,
    spreads={"energy": 40.0, "forces": 1000.0, "stress": 1.0},
)


@pytest.fixture
def known(full_result: RunResult) -> RunResult:
    """A run whose data cards say what they span."""
    cards = tuple(one.model_copy(update={"seen": SEEN}) for one in full_result.data)
    spec = full_result.spec | {"recipe": "lora"}
    return full_result.model_copy(update={"data": cards, "spec": spec})


def aimed(result: RunResult, **targets: float) -> RunResult:
    return result.model_copy(update={"spec": result.spec | {"targets": targets}})


def test_the_title_names_material_recipe_and_base(known: RunResult) -> None:
    assert title_of(known) == "Si, SiGe, Ge and 1 more: recipe lora, base 7net-0"
    bare = known.model_copy(update={"data": ()})
    assert title_of(bare) == known.name


def test_elements_stand_for_formulas_that_were_not_kept(full_result) -> None:
    spec = full_result.spec | {"recipe": "full"}
    old = full_result.model_copy(update={"spec": spec})
    assert title_of(old).startswith("Si-Ge: recipe full")


def test_errors_stand_beside_the_spread(known: RunResult) -> None:
    table = quality_table(qualities(known))
    assert [row[0] for row in table.rows] == [
        "Energies (meV/atom)",
        "Forces (meV/Å)",
        "Stresses (GPa)",
    ]
    assert table.rows[1][3:] == ("1,000", "1.1 %")
    assert "Target" not in table.columns


@pytest.mark.parametrize(
    ("targets", "word"),
    [
        ({}, "Moderate errors"),
        ({"forces": 50.0}, "Good enough"),
        ({"forces": 5.0}, "Not good enough"),
        ({"forces": 11.5}, "Unclear if good enough"),
        ({"forces": 50.0, "stress": 0.01}, "Not good enough"),
    ],
)
def test_good_enough_is_judged_apart(known: RunResult, targets, word) -> None:
    judged = enough(aimed(known, **targets))
    assert judged is not None
    assert judged[0].word == word
    page = page_text(aimed(known, **targets))
    assert word in page
    assert "Took" in page


def test_a_target_without_a_test_is_not_met(known: RunResult) -> None:
    scores = tuple(one for one in known.scores if one.quantity != "stress")
    result = aimed(known.model_copy(update={"scores": scores}), forces=50.0, stress=1.0)
    judged = enough(result)
    assert judged is not None
    assert judged[0].word == "Unclear if good enough"
    assert "not tested: stresses" in judged[1]


def test_a_target_of_energies_is_not_held_against_another_zero(known) -> None:
    scores = tuple(one for one in known.scores if one.metric != "mae_aligned")
    unaligned = known.model_copy(update={"scores": scores})
    judged = enough(aimed(unaligned, energy=1e-6))
    assert judged is not None
    assert judged[0].word == "Unclear if good enough"
    assert "not tested: energies" in judged[1]


def test_without_spreads_nothing_is_rated(full_result, unproved_result) -> None:
    judged = enough(full_result)
    assert judged is not None
    assert judged[0].word == "Errors not rated"
    assert enough(unproved_result) is None


def test_what_was_seen_stands_beside_what_was_tested(known: RunResult) -> None:
    rows = {row[0]: row[1:] for row in seen_table(known).rows}
    assert rows["Temperatures (K)"] == ("300 to 1200", "300 to 1200")
    assert rows["Strain at constant volume"] == ("up to 3.1 %", "up to 3.1 %")
    assert rows["Structures"] == ("100", "120")


def test_what_was_not_tested_is_named(known: RunResult, unproved_result) -> None:
    cards = tuple(
        one.model_copy(
            update={
                "elements": ("Si",),
                "seen": SEEN.model_copy(update={"kinds": {"hot": 9}}),
            }
        )
        if one.role == "test"
        else one
        for one in known.data
    )
    said = " ".join(untested(known.model_copy(update={"data": cards})))
    assert "not in the test: Ge." in said
    assert "not in the test: rattled." in said
    assert "--suite phonons" in said
    assert "Molecular dynamics" in said
    assert untested(unproved_result)[0].startswith("Errors on held-out structures")


def test_what_was_lost_does_not_ask_how_bad_the_base_was(known: RunResult) -> None:
    verdict = known.verdict.model_copy(update={"forgetting": "severe"})
    result = known.model_copy(update={"verdict": verdict})
    meaning, numbers = lost_sentences(result)
    assert meaning == "Severe forgetting: do not use this model for other materials."
    assert "without any trained element" in numbers
    worse = tuple(
        one.model_copy(update={"value": 100 * one.value})
        if (one.model, one.suite) == ("base", "labels")
        else one
        for one in result.scores
    )
    assert lost_sentences(result.model_copy(update={"scores": worse})) == [
        meaning,
        numbers,
    ]


def test_the_section_ends_with_how_to_use_it(known: RunResult, unproved_result) -> None:
    blocks = use_section(known).blocks
    headings = [one.text for one in blocks if isinstance(one, Heading)]
    assert headings == [
        "How good is it?",
        "What is it good for?",
        "What was lost?",
        "What was not tested?",
        "How do I use it?",
    ]
    codes = [one.text for one in blocks if isinstance(one, Code)]
    assert "ag.open('silicon-germanium <lora>').calculator()" in codes[0]
    assert codes[1] == "atomgraft merge 'silicon-germanium <lora>'"
    assert not any(isinstance(one, Code) for one in use_section(unproved_result).blocks)
    assert all(one.text for one in blocks if isinstance(one, Note))
