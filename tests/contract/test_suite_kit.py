"""Every registered suite passes the kit, and the kit finds one that does not."""

import dataclasses
from typing import final

import numpy as np
import pytest
from ase.build import bulk
from pydantic import ConfigDict

from atomgraft.core.errors import BadInputError
from atomgraft.evaluation.suite import (
    AbstractSuite,
    Answers,
    Contestants,
    Subject,
    SuiteOptions,
)
from atomgraft.models.pair import PRESETS
from atomgraft.models.prediction import predict_structures
from atomgraft.records.scores import Score
from atomgraft.run.suites import SUITES
from atomgraft.testing import SUITE_CHECKS, SuiteTrial, failed_suite_checks

SETTINGS = {
    "phonons": {"crystal": ("shipped:si-phonons",)},
    "bulk": {
        "properties": ("eos", "vacancy"),
        "vacancy_length": 5.0,
    },
    "md": {
        "reference": "pair:sw-si",
        "temperatures": (300.0,),
        "supercell": (1,),
        "time": 0.04,
        "window": 0.02,
        "drift_time": 0.04,
    },
    "motion": {
        "reference": "pair:sw-si",
        "supercell": (1,),
        "melt": 3000.0,
        "melt_time": 0.02,
        "settle": 0.02,
        "time": 0.12,
        "window": 0.06,
    },
}
SLOW = {"phonons"}
NEEDS = {"bulk": "matcalc"}

NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
    for name in SUITES
]


def labelled():
    """Return two crystals, labelled by a potential a little off the base."""
    frames = []
    for seed in range(2):
        atoms = bulk("Si", cubic=True)
        atoms.rattle(0.05, seed=seed)
        [found] = predict_structures(PRESETS["pair:sw-si"](), [atoms])
        atoms.info["REF_energy"] = found.energy + 0.1
        atoms.info["REF_stress"] = np.asarray(found.stress)
        atoms.arrays["REF_forces"] = np.asarray(found.forces) * 1.1
        frames.append(atoms)
    return tuple(frames)


def trial(kind, options):
    base = PRESETS["pair:sw-si"]()
    adapted = base.clone()
    adapted.add_references({14: 0.05})
    models = {"base": base, "adapted": adapted}
    subject = Subject(files=(), structures=labelled(), elements={14}, base=base)
    contestants = Contestants(models=models, reference_shifts={}, seed=0)
    return SuiteTrial(
        kind=kind, options=options, subject=subject, contestants=contestants
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_suite_passes_the_kit(name):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    kind = SUITES[name]
    assert kind.name == name
    options = kind.Options.model_validate(SETTINGS.get(name, {}))
    assert failed_suite_checks(trial(kind, options)) == {}


class Bad(SuiteOptions):
    model_config = ConfigDict(frozen=False, extra="ignore")


@final
class Worst(AbstractSuite):
    """Breaks every promise."""

    name, title, caption = "worst", "", ""
    Options = Bad

    def __init__(self, subject, options):
        self.structures = subject.structures

    def ask(self, contestants, progress=None):
        rng = np.random.default_rng()
        self.structures[0].rattle(0.1, rng=rng)
        rows = [
            Score(
                model=name, suite="other", quantity="luck", metric="value",
                value=rng.uniform(), unit="", n=0,
            )
            for name in contestants.models
        ]  # fmt: skip
        return Answers(scores=tuple(rows), details={"pair": (1, 2)})


def test_the_kit_finds_who_keeps_no_promise():
    asked = trial(Worst, Bad())
    assert failed_suite_checks(asked).keys() == SUITE_CHECKS.keys()


def test_labels_without_structures_are_refused():
    asked = trial(SUITES["labels"], SuiteOptions())
    bare = dataclasses.replace(asked.subject, structures=())
    with pytest.raises(BadInputError, match="--test FILE"):
        SUITES["labels"](bare, SuiteOptions())
