"""Born charges: those of another cell are found, unconverged ones are doubted."""

import numpy as np
import pytest
import yaml

from atomgraft.core.errors import BadInputError
from atomgraft.lattice.charges import charge_doubts
from atomgraft.lattice.reference import read_reference
from tests.vibrations import harmonic_salt, save

EPSILON = 2.4 * np.eye(3)


@pytest.fixture
def salt_file(tmp_path):
    return save(harmonic_salt().phonon, tmp_path / "phonopy_params.yaml")


def ions(plus, minus, epsilon=EPSILON):
    """Return charges as a file of phonopy holds them: of every atom."""
    charges = [np.diag(np.broadcast_to(one, 3)) for one in (plus, minus)]
    return {
        "born_effective_charge": [one.tolist() for one in charges],
        "dielectric_constant": np.asarray(epsilon).tolist(),
    }


def in_the_file(path, nac):
    document = yaml.safe_load(path.read_text())
    document["nac"] = nac
    path.write_text(yaml.safe_dump(document))
    return read_reference(path)


def as_born(path, nac):
    rows = [nac["dielectric_constant"], *nac["born_effective_charge"]]
    lines = [" ".join(map(str, np.ravel(one))) for one in rows]
    (path.parent / "BORN").write_text("\n".join(["14.4", *lines]))
    return read_reference(path, born=path.parent / "BORN")


WAYS = {"in the file": in_the_file, "BORN": as_born}


@pytest.fixture(params=WAYS)
def read(request, salt_file):
    return lambda nac: WAYS[request.param](salt_file, nac)


def test_charges_that_fit_are_taken_without_a_word(read):
    phonon = read(ions(1.1, -1.1)).phonon
    assert phonon.nac_params["born"][0, 0, 0] == 1.1
    assert list(charge_doubts(phonon)) == []


def test_a_sum_that_is_nearly_zero_is_doubted(read):
    phonon = read(ions(1.1, -1.0)).phonon
    [doubt] = charge_doubts(phonon)
    assert "add up to 0.1 e, 5% of their sizes" in doubt
    assert "phonopy-vasp-born" in doubt


def test_a_sum_at_the_edge_of_convergence_is_not(read):
    assert list(charge_doubts(read(ions(1.10, -1.07)).phonon)) == []


SLANTED = np.array([2.1, 2.1, 0.1])

WRONG = {
    "of one sign": (ions(1.1, 1.1), "add up to 2.2 e, 100%"),
    "of which one is missing": (ions(1.1, 0.0), "add up to 1.1 e"),
    "of another symmetry": (ions(SLANTED, -SLANTED), "having the crystal's symmetry"),
    "of no ion": (ions(99.0, -99.0), "a charge of 99 e"),
    "that are infinite": (ions(np.inf, -np.inf), "not? finite|invalid value"),
    "without screening": (ions(1, -1, 0.2 * np.eye(3)), "dielectric constant of 0.2"),
    "of a metal": (ions(1, -1, 1e6 * np.eye(3)), "dielectric constant of 1e"),
}


@pytest.mark.parametrize(("nac", "match"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_refused(nac, match, read):
    with pytest.raises(BadInputError, match=match) as error:
        read(nac)
    assert "\n" not in str(error.value)
