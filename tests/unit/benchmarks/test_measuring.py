"""Properties from frames: are atoms found on their sites, however a frame is moved?"""

import numpy as np
import pytest
from ase.build import bulk

from tests.unit.benchmarks.test_leave_out import FOLDER, script

MEASURING = script("measuring", FOLDER.parent / "elements")


@pytest.mark.parametrize("shift", [0.0, 0.9, 3.3])
def test_atoms_are_found_on_their_sites(shift):
    sites = bulk("Ge", a=5.78, cubic=True).repeat(2)
    rng = np.random.default_rng(0)
    moved = rng.normal(scale=0.1, size=(64, 3))
    moved -= moved.mean(axis=0)
    forces = -2.0 * moved
    order = rng.permutation(64)
    frame = sites[order]
    frame.positions += moved[order] + shift
    frame.wrap()
    own, ordered = MEASURING.displaced(sites, frame, forces[order])
    assert ordered == pytest.approx(-2.0 * own)
    # sites may be renamed by a translation of the lattice
    assert np.sort(own, axis=0) == pytest.approx(np.sort(moved, axis=0))


def test_a_melt_is_refused():
    """Negative control: no order of sites is made up."""
    sites = bulk("Ge", a=5.78, cubic=True).repeat(2)
    melt = sites.copy()
    melt.positions += np.random.default_rng(0).normal(scale=1.5, size=(64, 3))
    with pytest.raises(SystemExit, match="no crystal"):
        MEASURING.displaced(sites, melt, np.zeros((64, 3)))
