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
    """Label what was chosen with the law times a factor, and some noise."""
    rng = np.random.default_rng(7)
    frames = ase.io.read(folder / STRUCTURES, ":")
    law = stillinger_weber(["Si"])
    for one, found in zip(frames, predict_structures(law, frames), strict=True):
        forces = 1.1 * np.asarray(found.forces)
        one.arrays["REF_forces"] = forces + rng.normal(scale=0.01, size=forces.shape)
    ase.io.write(path, frames, format="extxyz")


def test_each_label_leaves_less_and_it_is_told(asked, tmp_path):
    result = chosen(asked, tmp_path / "out")
    errors = [result.expected_error, *(one.expected_error for one in result.chosen)]
    assert (np.diff(errors) < 0).all()
    assert result.chosen[0].kind == "rattle"  # every atom moves
    assert SELECTION.read(tmp_path / "out") == result
    page = page_text(result)
    assert "expected error, THz" in page
    assert "the expected error of frequencies falls from" in page
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


def pool(tmp_path, change):
    """Write four rattled supercells, changed as one likes."""
    rng = np.random.default_rng(5)
    frames = []
    for _ in range(4):
        frame = bulk("Si", a=5.431, cubic=True) * (2, 2, 2)
        frame.positions += rng.normal(scale=0.02, size=frame.positions.shape)
        frames.append(change(frame))
    ase.io.write(tmp_path / "pool.extxyz", frames, format="extxyz")
    return {"pool": (str(tmp_path / "pool.extxyz"),), "kinds": ()}


def test_frames_of_ones_own_are_chosen_from(asked, tmp_path):
    given = pool(tmp_path, lambda frame: frame)
    result = chosen(asked, tmp_path / "out", **given)
    assert {one.kind for one in result.chosen} == {"pool"}
    assert result.chosen[0].expected_error < result.expected_error / 3


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame[::-1],
        lambda frame: bulk("Si", a=5.431, cubic=True) * (2, 2, 2),
        lambda frame: frame[:-1],
    ],
    ids=["another order", "nothing displaced", "an atom less"],
)
def test_frames_that_phonopy_could_not_use_are_not(change, asked, tmp_path):
    with pytest.raises(BadInputError, match="0 proposals are supercells"):
        chosen(asked, tmp_path / "out", **pool(tmp_path, change))


def test_a_frame_counts_once(asked, tmp_path):
    given = pool(tmp_path, lambda frame: frame)
    twice = given | {"pool": given["pool"] * 2}
    result = chosen(asked, tmp_path / "out", **twice)
    assert any("4 proposals played no part" in notice for notice in result.notices)


def test_atoms_far_from_their_sites_are_not_proposed(asked, tmp_path):
    changes = {"kinds": ("rattle",), "amplitudes": (0.02, 0.3), "count": 2}
    result = chosen(asked, tmp_path / "out", **changes)
    assert {one.amplitude for one in result.chosen} == {0.02}
    assert any("2 proposals played no part" in notice for notice in result.notices)


def test_with_a_target_fewer_than_the_count_will_do(asked, tmp_path):
    given = pool(tmp_path, lambda frame: frame)
    result = chosen(asked, tmp_path / "out", count=10, target=0.1, **given)
    assert 1 <= len(result.chosen) <= 4


def test_labels_that_play_no_part_are_named(asked, tmp_path):
    chosen(asked, tmp_path / "first", count=1)
    labelled(tmp_path / "first", "labels.extxyz")
    small = bulk("Si", a=5.431, cubic=True)
    small.arrays["REF_forces"] = np.zeros((8, 3))
    ase.io.write("small.extxyz", small, format="extxyz")
    known = ("labels.extxyz", "small.extxyz")
    result = chosen(asked, tmp_path / "second", known=known, seed=1)
    assert any("1 structure of labels.extxyz" in notice for notice in result.notices)


@pytest.mark.parametrize("count", [0, -1])
def test_at_least_one_is_chosen(asked, count):
    with pytest.raises(BadInputError, match="'count'"):
        parse_select(asked | {"count": count})


def test_a_target_needs_the_rule(asked):
    with pytest.raises(BadInputError, match="Only the rule 'phonons'"):
        parse_select(asked | {"rule": "distance", "target": 0.05})


@pytest.mark.parametrize("target", [0.0, -1.0, float("nan")])
def test_a_target_is_positive(asked, target):
    with pytest.raises(BadInputError, match="'target'"):
        parse_select(asked | {"target": target})
