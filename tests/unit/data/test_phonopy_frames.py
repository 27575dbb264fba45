"""Training on a calculation of phonopy whose forces stand in FORCE_SETS beside it."""

import numpy as np
import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.data.labels import forces_of
from atomgraft.data.readers import read_structures
from tests.vibrations import (
    displaced_salt,
    harmonic_salt,
    harmonic_silicon,
    save,
    write_force_sets,
)

TEXT = 1e-6
"""eV/Å; FORCE_SETS has ten decimals or fewer."""

KINDS = {
    "one atom": harmonic_salt,
    "all atoms": lambda: harmonic_silicon("all atoms"),
}


@pytest.fixture(params=KINDS)
def harmonic(request):
    return KINDS[request.param]()


def test_forces_beside_displacements_are_labels(harmonic, tmp_path):
    phonon = harmonic.phonon
    path = save(phonon, tmp_path / "phonopy_disp.yaml", has_forces=False)
    write_force_sets(phonon.dataset, filename=tmp_path / "FORCE_SETS")
    beside = read_structures([path])
    whole = read_structures([save(phonon, tmp_path / "whole.yaml")])
    assert len(beside) == len(whole) > 0
    for one, other in zip(beside, whole, strict=True):
        assert np.allclose(one.positions, other.positions, atol=TEXT)
        assert np.allclose(forces_of(one), forces_of(other), atol=TEXT)
        assert np.allclose(
            one.arrays["displacement"], other.arrays["displacement"], atol=TEXT
        )


def test_forces_in_the_file_win_over_those_beside_it(harmonic, tmp_path):
    path = save(harmonic.phonon, tmp_path / "phonopy_params.yaml")
    (tmp_path / "FORCE_SETS").write_text("of something else")
    found = read_structures([path])
    assert np.allclose(forces_of(found[0]), harmonic.forces[0], atol=TEXT)


def test_without_any_forces_there_are_no_labels(harmonic, tmp_path):
    path = save(harmonic.phonon, tmp_path / "phonopy_disp.yaml", has_forces=False)
    with pytest.raises(BadInputError, match="has no forces"):
        read_structures([path])


def test_forces_of_another_crystal_are_refused(tmp_path):
    path = save(displaced_salt(), tmp_path / "phonopy_disp.yaml", has_forces=False)
    other = harmonic_silicon(n=3).phonon.dataset
    write_force_sets(other, filename=tmp_path / "FORCE_SETS")
    with pytest.raises(BadInputError) as caught:
        read_structures([path])
    assert "FORCE_SETS" in caught.value.came
    assert "\n" not in str(caught.value)
