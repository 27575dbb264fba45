"""Are supercells chosen for what their labels do to phonons, and is it told?"""

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from atomgraft.core.errors import BadInputError
from atomgraft.label.page import chosen_columns, page_text
from atomgraft.label.record import SELECTION
from atomgraft.label.spec import parse_select
from atomgraft.label.work import STRUCTURES, select
from atomgraft.models.pair import stillinger_weber
from atomgraft.models.prediction import predict_structures


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Silicon under a law for silicon."""
    monkeypatch.chdir(tmp_path)
    ase.io.write("POSCAR", bulk("Si", a=5.431, cubic=True), format="vasp")
    return {
        "structure": "POSCAR",
        "model": "pair:sw-si",
        "rule": "phonons",
        "kinds": ("rattle", "displacements"),
        "supercell": (2, 2, 2),
        "proposals": 4,
        "count": 3,
        "inputs": (),
    }


def chosen(asked, folder, **changes):
    return select(parse_select(asked | changes), folder)


def labelled(folder, path):
    """Label what was chosen with the law times a factor."""
    frames = ase.io.read(folder / STRUCTURES, ":")
    law = stillinger_weber(["Si"])
    for one, found in zip(frames, predict_structures(law, frames), strict=True):
        one.arrays["REF_forces"] = 1.1 * np.asarray(found.forces)
    ase.io.write(path, frames, format="extxyz")


def test_each_label_leaves_less_and_it_is_told(asked, tmp_path):
    result = chosen(asked, tmp_path / "out")
    errors = [result.expected_error, *(one.expected_error for one in result.chosen)]
    assert (np.diff(errors) < 0).all()
    assert result.chosen[0].kind == "rattle"  # every atom moves
    assert SELECTION.read(tmp_path / "out") == result
    page = page_text(result)
    assert "expected error, THz" in page
    assert "expected error of frequencies, THz" in page
    assert any("7net-0" in notice for notice in result.notices)


def test_another_rule_says_nothing_of_errors(asked, tmp_path):
    result = chosen(asked, tmp_path / "out", rule="distance")
    assert result.expected_error is None
    assert "expected error, THz" not in dict(chosen_columns(result))


def test_labels_that_there_are_count(asked, tmp_path):
    first = chosen(asked, tmp_path / "first", count=1)
    labelled(tmp_path / "first", "labels.extxyz")
    second = chosen(asked, tmp_path / "second", known=("labels.extxyz",), seed=1)
    assert second.expected_error < first.expected_error / 3
    assert not any("7net-0" in notice for notice in second.notices)


def test_a_target_stops_the_choice(asked, tmp_path):
    every = chosen(asked, tmp_path / "every")
    target = every.chosen[0].expected_error * 1.001
    one = chosen(asked, tmp_path / "one", target=target)
    assert [row.index for row in one.chosen] == [every.chosen[0].index]
    low = chosen(asked, tmp_path / "low", target=1e-9)
    assert len(low.chosen) == 3
    assert any("is not reached" in notice for notice in low.notices)


def test_where_nothing_is_needed_nothing_is_written(asked, tmp_path):
    with pytest.raises(BadInputError, match="without further labels"):
        chosen(asked, tmp_path / "out", target=50.0)
    assert not (tmp_path / "out").exists()


def test_what_has_another_cell_plays_no_part(asked, tmp_path):
    kinds = ("strain", "rattle")
    result = chosen(asked, tmp_path / "out", kinds=kinds)
    assert {one.kind for one in result.chosen} == {"rattle"}
    assert any("4 proposals played no part" in notice for notice in result.notices)
    with pytest.raises(BadInputError, match="0 proposals are supercells"):
        chosen(asked, tmp_path / "none", kinds=("strain",))


def test_a_target_needs_the_rule(asked):
    with pytest.raises(BadInputError, match="Only the rule 'phonons'"):
        parse_select(asked | {"rule": "distance", "target": 0.05})


@pytest.mark.parametrize("target", [0.0, -1.0, float("nan")])
def test_a_target_is_positive(asked, target):
    with pytest.raises(BadInputError, match="'target'"):
        parse_select(asked | {"target": target})
