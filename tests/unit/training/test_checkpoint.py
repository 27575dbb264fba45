"""The state on disk: whole or not at all, and for its own run only."""

import dataclasses
import os
from pathlib import Path

import pytest
import torch

from atomgraft.core.errors import BadInputError, StorageError
from atomgraft.training.checkpoint import (
    CHECKPOINT,
    METRICS,
    State,
    read_metrics,
    read_state,
    truncate_metrics,
    write_state,
)

PINS = {"spec": "a", "data": "b", "base": "c"}


def state_at(step):
    tensor = torch.randn(3, 2, generator=torch.Generator().manual_seed(step))
    return State(
        pins=PINS,
        step=step,
        trainables={"x": tensor},
        average={"x": tensor.double() / 3},
        optimizer={"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": []},
        best_step=step - 1,
        best_score=0.1,
        best={"x": tensor},
        n_bad=1,
        n_split_batches=2,
        seconds=0.5,
        scales={"target": {"forces": 1.5}},
    )


def test_it_comes_back_to_the_last_bit(tmp_path):
    state = state_at(3)
    write_state(tmp_path, state)
    again = read_state(tmp_path, PINS)
    for field in dataclasses.fields(State):
        one, other = getattr(state, field.name), getattr(again, field.name)
        if field.name in {"trainables", "average", "best"}:
            assert torch.equal(one["x"], other["x"])
            assert one["x"].dtype == other["x"].dtype
        else:
            assert one == other


def test_no_file_is_no_state(tmp_path):
    assert read_state(tmp_path, PINS) is None


@pytest.mark.parametrize("pin", list(PINS))
def test_another_run_is_refused(pin, tmp_path):
    write_state(tmp_path, state_at(1))
    with pytest.raises(BadInputError, match=f"another {pin}"):
        read_state(tmp_path, PINS | {pin: "other"})


class Killed(BaseException):
    """Stands for a kill: nothing may catch it."""


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_kill_while_writing_leaves_the_old_state(moment, tmp_path, monkeypatch):
    write_state(tmp_path, state_at(1))

    def dies(*_):
        raise Killed

    monkeypatch.setattr(os if moment == "fsync" else Path, moment, dies)
    with pytest.raises(Killed):
        write_state(tmp_path, state_at(2))
    assert read_state(tmp_path, PINS).step == 1


def test_a_failed_write_leaves_the_old_state_and_no_rubbish(tmp_path, monkeypatch):
    write_state(tmp_path, state_at(1))

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write_state(tmp_path, state_at(2))
    monkeypatch.undo()
    assert read_state(tmp_path, PINS).step == 1
    assert [one.name for one in tmp_path.iterdir()] == [CHECKPOINT]


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\3\4" + bytes(100)])
def test_a_broken_file_is_refused(content, tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(BadInputError, match=CHECKPOINT):
        read_state(tmp_path, PINS)


def test_a_truncated_file_is_refused(tmp_path):
    write_state(tmp_path, state_at(1))
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BadInputError, match=CHECKPOINT):
        read_state(tmp_path, PINS)


@pytest.mark.parametrize("content", [{"step": 1}, {"weights": 1}, [1, 2], 3])
def test_the_state_of_another_program_is_refused(content, tmp_path):
    torch.save(content, tmp_path / CHECKPOINT)
    with pytest.raises(BadInputError, match=r"is not a checkpoint of this version\."):
        read_state(tmp_path, PINS)


def lines(*steps):
    return "".join(f'{{"step": {step}, "loss": 1.0}}\n' for step in steps)


def test_lines_beyond_the_state_are_dropped(tmp_path):
    path = tmp_path / METRICS
    path.write_text(lines(1, 2, 3, 4) + '{"step": 5, "lo')
    truncate_metrics(tmp_path, 2)
    assert path.read_text() == lines(1, 2)


def test_a_torn_line_is_left_out(tmp_path):
    (tmp_path / METRICS).write_text(lines(1, 2) + '{"step": 3')
    assert [one["step"] for one in read_metrics(tmp_path)] == [1, 2]


@pytest.mark.parametrize("line", ["3", "null", "[1]", "{}"])
def test_a_line_that_is_no_record_is_left_out(line, tmp_path):
    (tmp_path / METRICS).write_text(lines(1) + line + "\n")
    truncate_metrics(tmp_path, 9)
    assert [one["step"] for one in read_metrics(tmp_path)] == [1]


def test_no_log_is_an_empty_log(tmp_path):
    truncate_metrics(tmp_path, 3)
    assert read_metrics(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
