"""Are the subsets all there are, and is what a rule chooses one of them?"""

import numpy as np
import pytest

from atomgraft.phonons.supercell_choice import Displaced, Team, chosen_supercells
from tests.unit.benchmarks.test_leave_out import script

CHOICE = script("label_choice")


def team(*supercells, atom=0, images=8):
    displaced = Displaced(atom=atom, images=images, mass=16.0)
    return Team(supercells=supercells, displaced=displaced)


TEAMS = [team(0), team(1, 2), team(3, atom=5), team(4, atom=7, images=2)]


def test_all_subsets_are_there_and_no_pair_is_torn():
    assert sorted(CHOICE.subsets(TEAMS, 2)) == [(0, 3), (0, 4), (1, 2), (3, 4)]
    assert list(CHOICE.subsets([team(0, 1), team(2, 3)], 1)) == []


@pytest.mark.parametrize("rule", CHOICE.RULES)
@pytest.mark.parametrize("seed", range(4))
def test_what_a_rule_chooses_is_one_of_them(rule, seed):
    teams = [TEAMS[i] for i in np.random.default_rng(seed).permutation(len(TEAMS))]
    chosen = chosen_supercells(teams, 2, is_rest_answered=CHOICE.RULES[rule])
    assert chosen in set(CHOICE.subsets(TEAMS, 2))


def test_the_table_has_a_line_a_choice():
    found = {"any, on average": 0.3, "the best": 0.1, "the worst": 0.5}
    for rule in CHOICE.RULES:
        found |= {rule: 0.2, f"{rule}, labels": 1}
    rows = [{"material": "a", "n": 4, "base": 0.6, "half": found, "one": found}] * 2
    lines = CHOICE.table_lines(rows)
    assert len(lines) == 2 + 1 + 2 * 5
    assert "| half | most images first | 2 | 75% | 0.200 | " in lines[3]
