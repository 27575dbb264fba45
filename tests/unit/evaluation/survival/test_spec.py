"""Are runs that could tell nothing refused?"""

import pytest
from pydantic import ValidationError

from atomgraft.evaluation.survival.spec import SurvivalOptions


@pytest.mark.parametrize(
    "given",
    [
        {"temperatures": [-5.0]},
        {"temperatures": [0.0]},
        {"temperatures": [1e9]},
        {"temperatures": []},
        {"time": float("inf")},
        {"time": 1e300},
        {"time": 0.1},
        {"timestep": 100.0},
        {"timestep": float("nan")},
        {"window": float("inf")},
        {"window": 99.0},
        {"drift_time": float("inf")},
        {"melting": float("inf")},
        {"atoms": 10**9},
        {"supercell": [60]},
        {"replicas": 2},
    ],
)
def test_nonsense_is_refused(given):
    with pytest.raises(ValidationError):
        SurvivalOptions.model_validate(given)


def test_the_defaults_and_a_short_run_are_accepted():
    assert SurvivalOptions().temperatures == (300, 600, 900)
    assert SurvivalOptions(time=0.5, window=0.5).time == 0.5
