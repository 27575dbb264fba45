"""Bases in Python that are runs themselves, and what is none."""

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.run.notebook import adapt

FRAMES = "shipped:si-train@:2"


def test_a_base_that_holds_itself_is_refused(tmp_path):
    run = {"base": "pair:sw-si", "train": FRAMES, "recipe": "full", "steps": 2}
    run["base"] = run
    with pytest.raises(BadInputError, match="holds more than 16 runs, or itself"):
        adapt(run, train=FRAMES, out=tmp_path / "run")


def test_a_key_that_is_no_text_is_refused(tmp_path):
    run = {"base": "pair:sw-si", "train": FRAMES, 3: 4}
    with pytest.raises(BadInputError, match="has no argument 3"):
        adapt(run, train=FRAMES, out=tmp_path / "run")
