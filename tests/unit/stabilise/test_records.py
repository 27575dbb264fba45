"""What a finished tree says of itself."""

import pytest
from pydantic import ValidationError

from atomgraft.stabilise.spec import StabiliseSpec
from atomgraft.stabilise.tree import headline, notices_of
from tests.trees import crystal, perovskite, tree

SPEC = {"crystal": "POSCAR", "model": "7net-0"}


UNSTABLE = [crystal(0, "Pm-3m", 0.0, -2.0)]


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (perovskite(), "most stable crystal found is Amm2, 13.0 meV/atom below"),
        (tree([crystal(0, "Fm-3m", 0.0, 0.0)]), "in Fm-3m is stable."),
        (tree(UNSTABLE), "no stable crystal was found within 2"),
        (tree(UNSTABLE, finished=False), "in Pm-3m is unstable."),
        (
            tree([crystal(0, "Pm-3m", 0.0, None)]),
            "did not converge; its stability is unknown.",
        ),
    ],
)
def test_the_headline_fits(result, words):
    assert words in headline(result)


def test_what_was_left_out_or_lost_is_said():
    left = {"relaxed": 3, "left out": 7}
    crystals = [
        crystal(0, "Pm-3m", 0.0, -7.0, counts=left),
        crystal(1, "P4mm", -12.0, -3.0, depth=2),
        crystal(2, "Amm2", -11.0, 0.0),
        crystal(3, "P1", -13.0, None),
    ]
    said = " ".join(notices_of(tree(crystals)))
    assert "crystal 3 (P1)" in said
    assert "7 trials of higher energy were left out" in said
    assert "--depth 2, where the search ends: crystal 1 (P4mm)" in said
    assert "The crystal of lowest energy, 1 (P4mm), is not stable" in said


def test_a_stable_crystal_needs_no_notice():
    assert notices_of(tree([crystal(0, "Fm-3m", 0.0, 0.0)])) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"depth": -1},
        {"max_daughters": 0},
        {"threshold": -0.1},
        {"fmax": 0},
        {"length": 0},
        {"distance": float("inf")},
        {"supercell": [[1, 0], [0, 1]]},
        {"deep": 3},
        {"dtype": "float16"},
    ],
)
def test_a_spec_refuses_what_makes_no_sense(change):
    with pytest.raises(ValidationError):
        StabiliseSpec.model_validate(SPEC | change)


def test_what_changes_numbers_changes_the_identity():
    plain = StabiliseSpec.model_validate(SPEC)
    assert plain.identity("a") != plain.identity("b")
    for change in ({"depth": 1}, {"threshold": 0.2}, {"fmax": 1e-3}, {"length": 9.0}):
        other = StabiliseSpec.model_validate(SPEC | change)
        assert other.identity("a") != plain.identity("a")
    for change in ({"max_atoms": 99}, {"crystal": "elsewhere/POSCAR"}):
        other = StabiliseSpec.model_validate(SPEC | change)
        assert other.identity("a") == plain.identity("a")
