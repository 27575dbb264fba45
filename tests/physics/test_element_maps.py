"""Is a material of corresponding states reached exactly, and a similar one nearly?"""

import numpy as np
import pytest
from ase.build import bulk

from atomgraft.adaptation.axes import ElementMap
from atomgraft.adaptation.element_maps import decide_map
from atomgraft.core.errors import BadInputError
from atomgraft.core.seeding import numpy_generator
from atomgraft.data.labels import set_labels
from atomgraft.models.pair import STILLINGER_WEBER, stillinger_weber
from atomgraft.models.prediction import predict_structures

EPSILON, SIGMA, ANGULAR = STILLINGER_WEBER["Si"]
EPSILON_GE, SIGMA_GE, ANGULAR_GE = STILLINGER_WEBER["Ge"]
LENGTH, ENERGY = SIGMA_GE / SIGMA, EPSILON_GE / EPSILON

EXACT = 1e-12
"""The same sums with numbers that were scaled."""


def germanium(angular):
    """Return a germanium that differs from scaled silicon by its angular term."""
    parameters = {"Ge": (EPSILON_GE, SIGMA_GE, angular)}
    return stillinger_weber(["Ge"], parameters=parameters)


def frames(model, n=6):
    rng = numpy_generator(0, "frames of germanium")
    found = []
    for _ in range(n):
        atoms = bulk("Ge", a=5.66, cubic=True)
        atoms.positions += rng.normal(0, 0.15, atoms.positions.shape)
        found.append(atoms)
    for atoms, told in zip(found, predict_structures(model, found), strict=True):
        set_labels(atoms, energy=told.energy, forces=told.forces, stress=told.stress)
    return found


def started(structures, **scales):
    silicon = stillinger_weber(["Si"])
    wanted = ElementMap(elements={"Ge": "Si"}, **scales)
    applied = decide_map(wanted, silicon, structures)
    return applied, applied.apply(silicon)


def force_error(model, structures):
    """Return the mean error in units of the mean force."""
    told = predict_structures(model, structures)
    labels = [atoms.arrays["REF_forces"] for atoms in structures]
    errors = [one.forces - label for one, label in zip(told, labels, strict=True)]
    return np.abs(np.concatenate(errors)).mean() / np.abs(np.concatenate(labels)).mean()


def test_corresponding_states_are_reached_exactly():
    structures = frames(germanium(ANGULAR))
    _, model = started(structures, length=LENGTH, energy=ENERGY)
    assert force_error(model, structures) < EXACT
    for atoms, told in zip(
        structures, predict_structures(model, structures), strict=True
    ):
        assert told.energy == pytest.approx(atoms.info["REF_energy"], rel=EXACT)
        np.testing.assert_allclose(told.stress, atoms.info["REF_stress"], atol=EXACT)


def test_scales_are_found_in_forces():
    structures = frames(germanium(ANGULAR))
    applied, model = started(structures, length="fit", energy="fit")
    assert applied.length == pytest.approx(LENGTH, abs=1e-4)
    assert applied.energy == pytest.approx(ENERGY, abs=1e-3)
    assert force_error(model, structures) < 2e-3
    assert any("Fitted to forces: length scale" in note for note in applied.notes)


def test_a_length_that_forces_do_not_determine_is_told():
    structures = frames(germanium(ANGULAR))
    for atoms in structures:  # ever shorter bonds are best for ever larger forces
        atoms.arrays["REF_forces"] = 10 * atoms.arrays["REF_forces"]
    applied, _ = started(structures, length="fit")
    assert any("at the end of the range" in note for note in applied.notes)
    applied, _ = started(frames(germanium(ANGULAR)), length="fit")
    assert not any("at the end of the range" in note for note in applied.notes)


def test_without_a_scale_it_is_not_the_same_material():
    structures = frames(germanium(ANGULAR))
    _, model = started(structures)
    assert force_error(model, structures) > 0.02


@pytest.mark.parametrize(
    ("angular", "least", "most"), [(21.5, 1e-4, 0.01), (31.0, 0.05, 0.2)]
)
def test_the_angular_term_is_a_dial_of_dissimilarity(angular, least, most):
    structures = frames(germanium(angular))
    _, model = started(structures, length=LENGTH, energy=ENERGY)
    assert least < force_error(model, structures) < most


def test_the_donor_keeps_its_weights_without_a_scale():
    silicon = stillinger_weber(["Si"])
    mapped = decide_map(ElementMap(elements={"Ge": "Si"}), silicon, []).apply(silicon)
    crystal = bulk("Si", a=5.43, cubic=True)
    crystal.rattle(0.1, seed=1)
    [before] = predict_structures(silicon, [crystal])
    [after] = predict_structures(mapped, [crystal])
    np.testing.assert_array_equal(after.forces, before.forces)
    assert after.energy == before.energy


def test_forces_that_point_the_other_way_fit_no_energy_scale():
    structures = frames(germanium(ANGULAR))
    for atoms in structures:
        atoms.arrays["REF_forces"] = -atoms.arrays["REF_forces"]
    with pytest.raises(BadInputError, match="fit best with an energy scale of -"):
        started(structures, length=LENGTH, energy="fit")
