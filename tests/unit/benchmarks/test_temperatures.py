"""Are frames given to the run they come from, and is another order refused?"""

import numpy as np
import pytest
from ase import Atoms

from tests.unit.benchmarks.test_leave_out import FOLDER, script

ENERGIES = {300: -4.44, 606: -4.41, 1817: -3.98, 2423: -3.95, 1090: -4.03}
"""eV/atom, in the order in which frames alternate."""


TEMPERATURES = script("temperatures", FOLDER.parent / "elements")


def frame(group, energy):
    return Atoms("Ge2", info={"config_type": group, "REF_energy": 2 * energy})


def runs():
    """Return frames of five runs in turn, hot ones with overlapping energies."""
    rng = np.random.default_rng(0)
    return [
        frame("AIMD-NVT", energy + 0.003 * rng.normal())
        for _ in range(6)
        for energy in ENERGIES.values()
    ]


def test_every_frame_is_of_its_run():
    vacancies = [frame("Vacancy", one) for one in (-4.42, -4.41, -3.93, -3.9)]
    others = [frame("Elastic", -4.3)]
    found = TEMPERATURES.temperatures_of([*vacancies, *runs(), *others])
    assert found == [300, 300, 2423, 2423, *(6 * [*ENERGIES]), None]


def test_another_order_is_refused():
    """Negative control: the same frames, sorted by energy."""
    frames = sorted(runs(), key=lambda one: one.info["REF_energy"])
    with pytest.raises(SystemExit, match="order unknown"):
        TEMPERATURES.temperatures_of(frames)
