"""Are the energies of charges those of lattice sums that are known?"""

import numpy as np
import pytest
from ase.build import bulk

from atomgraft.data.disorder.electrostatics import (
    COULOMB,
    OXIDATION_STATES,
    coulomb_matrix,
    guess_charges,
)


@pytest.mark.parametrize(
    ("kind", "a", "madelung"),
    [("rocksalt", 5.64, 1.747565), ("cesiumchloride", 4.12, 1.762675),
     ("zincblende", 5.41, 1.638055)],
)  # fmt: skip
@pytest.mark.parametrize("repeat", [1, 2])
def test_madelung_constants(kind, a, madelung, repeat):
    atoms = bulk("NaCl", kind, a=a).repeat(repeat)
    q = np.where(atoms.numbers == 11, 1.0, -1.0)
    matrix = coulomb_matrix(atoms.cell.array, atoms.positions)
    nearest = np.sort(atoms.get_all_distances(mic=True)[0])[1] if repeat > 1 else (
        {"rocksalt": a / 2, "cesiumchloride": a * 3**0.5 / 2,
         "zincblende": a * 3**0.5 / 4}[kind]
    )  # fmt: skip
    energy = q @ matrix @ q / 2 / (len(atoms) / 2)
    assert energy == pytest.approx(-COULOMB * madelung / nearest, rel=1e-5)


def test_the_matrix_is_symmetric_and_knows_no_origin():
    rng = np.random.default_rng(0)
    cell = np.diag([4.0, 5.0, 7.0]) + rng.normal(0, 0.5, (3, 3))
    positions = rng.random((6, 3)) @ cell
    matrix = coulomb_matrix(cell, positions)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-10)
    moved = coulomb_matrix(cell, positions + np.array([0.3, 1.7, -2.0]))
    np.testing.assert_allclose(matrix, moved, atol=1e-8)
    assert not np.allclose(matrix, coulomb_matrix(cell * 1.1, positions * 1.1))


def test_charges_are_usual_and_neutral():
    assert guess_charges({"Li": 3.0, "P": 1.0, "S": 4.0}) == {"Li": 1, "P": 5, "S": -2}
    assert guess_charges({"Fe": 2.0, "O": 3.0}) == {"Fe": 3, "O": -2}
    assert guess_charges({"Fe": 1.0, "O": 1.0}) == {"Fe": 2, "O": -2}
    assert guess_charges({}) is None


def test_many_elements_take_no_time():
    many = dict.fromkeys(list(OXIDATION_STATES)[30:], 1.0)
    del many["U"]
    few = dict(list(many.items())[:14])
    assert guess_charges(few) is not None
