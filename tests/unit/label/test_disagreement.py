"""Is disagreement zero among friends, and what statistics says otherwise?"""

import numpy as np
import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.label.picking import disagreement_of, forces_on, largest_forces
from atomgraft.models.pair import lennard_jones
from tests.unit.label.crystals import rng, silicon, sw


def shaken():
    atoms = silicon()
    atoms.rattle(0.05, seed=1)
    return [atoms, atoms.repeat((2, 1, 1))]


def test_the_same_model_agrees_with_itself():
    forces = forces_on(sw(), shaken())
    assert disagreement_of([forces, forces]).tolist() == [0.0, 0.0]


def test_other_models_do_not():
    """Negative control of the test above."""
    others = [
        forces_on(one, shaken())
        for one in (sw(), lennard_jones(["Si"], epsilon=[0.1], sigma=[2.0], cutoff=5.0))
    ]
    assert (disagreement_of(others) > 0.01).all()


def test_it_is_the_standard_deviation_of_noise():
    noise = [[0.3 * rng(i).normal(size=(4000, 3))] for i in range(8)]
    [found] = disagreement_of(noise)
    assert found == pytest.approx(0.3 * 3**0.5 * (7 / 8) ** 0.5, rel=0.02)


def test_the_largest_force_is_a_length():
    assert largest_forces([np.array([[1.0, 2.0, 2.0]])]).tolist() == [3.0]


def test_forces_without_a_value_are_refused(monkeypatch):
    model = sw().clone()
    for weight in model.module.parameters():
        weight.data.fill_(float("nan"))
    with pytest.raises(BadInputError, match="no finite forces"):
        forces_on(model, shaken())
