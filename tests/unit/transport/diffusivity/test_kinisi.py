"""kinisi gets our MSD in its own units, and its numbers come back in ours."""

import numpy as np
import pytest

from atomgraft.core.errors import MissingExtraError
from atomgraft.transport.diffusivity import kinisi_fit
from atomgraft.transport.diffusivity.kinisi_fit import kinisi_samples, require_kinisi
from atomgraft.transport.diffusivity.regression import Regression
from atomgraft.transport.diffusivity.windows import displacements_of
from tests.hopping import brownian


@pytest.fixture(scope="module")
def data():
    pytest.importorskip("kinisi")
    return displacements_of([brownian(200, 20, seed=1)], 0.1)


@pytest.fixture(scope="module")
def samples(data):
    return kinisi_samples(data, 6, 1000, np.random.default_rng(0))


def test_both_estimators_agree_within_their_errors(data, samples):
    line = Regression(data).line(6)
    assert len(samples) == 1000
    assert np.median(samples) == pytest.approx(line.slope, abs=2 * line.error)


def test_kinisi_takes_windows_as_if_they_did_not_overlap(data, samples):
    line = Regression(data).line(6)
    assert 1.0 < samples.std() / line.error < 1.6


def test_the_global_state_of_numpy_is_left_alone(data):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = kinisi_samples(data, 8, 300, np.random.default_rng(1))
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    again = kinisi_samples(data, 8, 300, np.random.default_rng(1))
    assert (first == again).all()


def test_without_kinisi_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(kinisi_fit.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(
        MissingExtraError, match=r"pip install 'atomgraft\[transport\]'"
    ):
        require_kinisi()
