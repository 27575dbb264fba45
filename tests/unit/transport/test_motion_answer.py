"""Is the question whether motion helps answered as the errors say?"""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra transport")

from atomgraft.transport.distil import judge
from atomgraft.transport.distil.materials import Collection, Known
from atomgraft.transport.distil.page import page_text
from atomgraft.transport.distil.record import MotionRecord
from atomgraft.transport.distil.spec import DistilSpec
from atomgraft.transport.distil.wording import motion_answer, notices
from atomgraft.transport.features.ions import IonTable
from atomgraft.transport.features.table import FeatureTable
from atomgraft.transport.materials import Material
from atomgraft.transport.predictors.choice import Examples, fit
from atomgraft.transport.predictors.methods import METHODS
from tests.predictors import barriers

N = 60
SPEC = DistilSpec(materials=("a.csv",), target="msd", mobile="Li", folds=5)
STARTS = ("taught", "shuffled motion", "from scratch")


def examples(n=N, *, has_motion=True) -> Examples:
    rows = np.arange(float(n))[:, None]
    ions = IonTable(
        rows=rows,
        columns=("x",),
        owner=np.arange(n),
        share=np.ones(n),
        temperature=np.full(n, np.nan),
        motion=rows if has_motion else np.full((n, 1), np.nan),
    )
    return Examples(
        table=FeatureTable(
            rows=rows, columns=("x",), blocks={"sites": slice(0, 1)}, ions=ions
        ),
        targets=np.zeros(n),
        groups=np.arange(n) // 2,
        weights=np.ones(n),
        is_limit=np.zeros(n, dtype=bool),
    )


def collection(n=N) -> Collection:
    known = [
        Known(
            material=Material(name=f"m{k}", amounts={"Li": 1.0}, mobile="Li"),
            value=0.0,
            is_limit=False,
            keys=(str(k // 2),),
        )
        for k in range(n)
    ]
    return Collection(known=tuple(known), left_out={})


def result(errors, *, spec=SPEC, has_motion=True):
    """Judge methods by their mean errors on targets that are zero."""
    known = examples(has_motion=has_motion)
    rng = np.random.default_rng(0)
    shared = 0.05 * rng.random(N)
    constant = fit(METHODS["constant"], known, {}, scale="plain", seed=0)
    told = {}
    for name, error in ({"constant": 2.0} | errors).items():
        own = 0.1 * rng.random(N)
        told[name] = judge.Told(
            validation=(error + shared + own)[None],
            test=np.zeros(0),
            fitted=dataclasses.replace(constant, method=METHODS[name]),
        )
    nothing = known.take(np.zeros(0, dtype=np.int64))
    none = Collection(known=(), left_out={})
    return judge.judged(spec, "0", collection(), none, known, nothing, told)


@pytest.mark.parametrize(
    ("taught", "mixed", "answer"),
    [(0.5, 0.8, "yes"), (0.8, 0.8, "no"), (0.8, 0.5, "no")],
)
def test_the_answer_is_that_of_the_interval(taught, mixed, answer):
    found = result(dict(zip(STARTS, (taught, mixed, 1.0), strict=True)))
    assert found.motion is not None
    assert found.motion.answer == answer
    assert found.motion.gain == pytest.approx(mixed - taught, abs=0.03)
    low, high = found.motion.interval or (0.0, 0.0)
    assert low < found.motion.gain < high
    assert found.motion.best == ("taught" if taught < mixed else found.motion.best)


def test_few_materials_leave_the_question_open():
    assert judge.answer_of((-0.3, 0.4), 1.0) == "unresolved"
    assert judge.answer_of(None, 1.0) == "unresolved"
    # a gain that is surely below five per cent of the error is none
    assert judge.answer_of((-0.3, 0.049), 1.0) == "no"
    assert judge.answer_of((-0.3, 0.051), 1.0) == "unresolved"


def test_the_best_student_may_be_a_control():
    found = result({"taught": 0.8, "shuffled motion": 0.9, "from scratch": 0.3})
    assert found.motion is not None
    assert found.motion.best == "from scratch"
    assert found.motion.second == "taught"
    assert found.chosen == "from scratch"
    assert found.motion.answer == "yes"  # against shuffled, whatever else is better


def test_no_question_without_its_methods_or_without_motion():
    assert result({"from scratch": 0.3}).motion is None
    found = result({"from scratch": 0.3}, has_motion=False)
    assert found.motion is None
    assert found.n_motion == 0


def test_methods_that_need_what_is_not_there_are_named():
    asked = SPEC.model_copy(update={"methods": ("taught", "transferred")})
    found = result({"from scratch": 0.3}, spec=asked, has_motion=False)
    assert found.unmet == ("taught", "transferred")
    assert any("taught and transferred left out" in one for one in found.notices)


MOTION = MotionRecord(
    best="taught",
    second="from scratch",
    lead=0.02,
    lead_interval=(-0.01, 0.05),
    gain=0.1,
    interval=(0.04, 0.16),
    answer="yes",
)


def test_sentences_say_what_is_known():
    found = barriers(motion=MOTION, n_motion=12)
    said = motion_answer(found)
    assert "beyond a shuffled one: yes" in said
    assert "12 materials with motion" in said
    assert "no more than chance" in said
    assert said in notices(found)
    sure = MOTION.model_copy(update={"lead_interval": (0.01, 0.03)})
    assert "chance" not in motion_answer(barriers(motion=sure, n_motion=12))
    assert not motion_answer(barriers())


def test_the_page_shows_the_answer():
    text = page_text(barriers(motion=MOTION, n_motion=12))
    assert "Motion helps beyond a shuffled one" in text
    assert "With motion" in text
    assert "With motion" not in page_text(barriers())
