"""How sure a mean is, in words."""

import numpy as np
import pytest

from atomgraft.evaluation.deviations import sureness_fields
from atomgraft.evaluation.trajectories import Relatives


@pytest.mark.parametrize(
    ("n_runs", "said"), [(1, "1 trajectory"), (3, "3 trajectories"), (5, None)]
)
def test_fewer_than_five_long_trajectories_have_a_word(n_runs, said):
    groups = tuple(map(tuple, np.arange(300).reshape(n_runs, -1).tolist()))
    runs = Relatives(groups=groups, unit="trajectories")
    errors = np.random.default_rng(0).exponential(size=300)
    found = sureness_fields(errors, np.ones(300), range(300), runs)
    assert (found["n_independent"], found["independent"]) == (n_runs, "trajectories")
    if said is None:
        assert found["interval"] is not None
        assert found["no_interval"] is None
        return
    assert found["interval"] is None
    assert found["no_interval"] == (
        f"the 300 frames come from {said}; an interval needs 5 independent ones: "
        "add frames from other runs"
    )
