"""Do axes stand every value that a damaged file may hold?"""

import numpy as np
import pytest

from atomgraft.page.axes import log_axis, log_ticks


@pytest.mark.parametrize(
    "values", [[1e-320, 1.0], [1.0, 1e307], [float("inf"), 2.0], [0.0], [], [-1.0]]
)
def test_logarithmic_axes_stand_extreme_values(values):
    found = log_axis("x", values)
    assert all(np.isfinite(found["range"]))
    assert len(found["tickvals"]) >= 2


@pytest.mark.parametrize("power", [-200, -12, 0, 3, 150])
@pytest.mark.parametrize("n_decades", [0.3, 2.0, 9.0, 40.0])
def test_ticks_enclose_the_range_and_are_few(power, n_decades):
    low = 3.0 * 10.0**power
    high = low * 10.0**n_decades
    ticks = log_ticks(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert ticks == sorted(set(ticks))
    assert len(ticks) <= 12
