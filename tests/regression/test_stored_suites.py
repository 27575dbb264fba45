"""What suites left in results of older versions is read, and keeps its page."""

import json
import sys
from pathlib import Path

import pytest

from atomgraft.evaluation.motion.record import ERROR, record_of
from atomgraft.evaluation.motion.suite import MotionSuite
from atomgraft.page.blocks import Section
from atomgraft.records.scores import Score
from tests.regression.test_stored_trees import lost

STORED = Path(__file__).parent / "stored"


@pytest.fixture(scope="module")
def stored():
    return json.loads((STORED / "motion-1.json").read_text())


def test_motion_keeps_all_it_says(stored):
    record = record_of(stored["details"])
    assert lost(stored["details"], record.model_dump(mode="json")) == []
    [crystal] = record.conditions
    assert {one.model for one in crystal.curves} == {"reference", "base", "adapted"}
    assert len(crystal.comparisons) == 10


def test_motion_keeps_its_page_and_its_sentences(stored):
    sections = MotionSuite.sections(stored["details"])
    assert [type(one) for one in sections] == [Section] * len(sections)
    assert sections
    scores = [Score.model_validate(one) for one in stored["scores"]]
    assert {one.suite for one in scores} == {MotionSuite.name}
    [g] = [
        one
        for one in scores
        if (one.model, one.quantity, one.metric)
        == ("adapted", "radial_distribution", ERROR)
    ]
    [said] = MotionSuite.sentences(scores)
    assert f"→ {g.value:.3g}" in said


def main() -> None:
    """Write what the suite motion has left in a result."""
    result, target = map(Path, sys.argv[1:])
    told = json.loads(result.read_text())
    name = MotionSuite.name
    scores = [one for one in told["scores"] if one["suite"] == name]
    kept = {"details": told["details"][name], "scores": scores}
    target.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
