"""Frames of one supercell as a calculation: the first at rest, the others displaced."""

import numpy as np
import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.data.force_set_frames import force_sets_of_frames
from atomgraft.data.labels import forces_of, set_labels
from atomgraft.data.readers import read_structures
from atomgraft.lattice.supercells import displaced_supercells, ideal_supercell
from tests.vibrations import harmonic_silicon, shaken_silicon


def frames(kind="one atom", *, field=0.0):
    """Return labelled supercells; `field` is on every atom, displaced or not."""
    harmonic = harmonic_silicon(kind)
    ideal = ideal_supercell(harmonic.phonon)
    forces = [np.zeros((len(ideal), 3)), *harmonic.forces]
    structures = [ideal, *displaced_supercells(harmonic.phonon)]
    for i, (atoms, one) in enumerate(zip(structures, forces, strict=True)):
        set_labels(atoms, energy=-float(i), forces=one + field, stress=None)
    return structures


@pytest.mark.parametrize("kind", ["one atom", "all atoms"])
def test_displacements_and_forces_come_back(kind):
    harmonic = harmonic_silicon(kind)
    found = force_sets_of_frames(frames(kind), "Si")
    assert found.is_single == (kind == "one atom")
    np.testing.assert_allclose(found.forces, harmonic.forces, atol=1e-12)
    assert found.energies is not None
    np.testing.assert_allclose(found.energies, -np.arange(1, len(found.forces) + 1))
    assert found.unit_cell == found.ideal
    assert found.name == "Si"


def test_forces_of_the_first_frame_are_taken_off():
    field = np.random.default_rng(0).normal(size=(16, 3))
    found = force_sets_of_frames(frames(field=field), "Si")
    np.testing.assert_allclose(found.forces, harmonic_silicon().forces, atol=1e-12)


def test_atoms_over_the_border_are_followed():
    structures = frames()
    for atoms in structures[1:]:
        atoms.wrap()
    structures[1].positions[3] += structures[1].cell[0]
    found = force_sets_of_frames(structures, "Si")
    assert np.abs(found.displacements).max() < 0.02


def test_a_frame_at_rest_is_no_displacement():
    structures = frames()
    found = force_sets_of_frames([*structures, structures[0].copy()], "Si")
    assert len(found.displacements) == len(structures) - 1


def test_the_content_tells_calculations_apart():
    one = force_sets_of_frames(frames(), "Si")
    assert force_sets_of_frames(frames(), "Si").content == one.content
    changed = frames()
    forces = forces_of(changed[1])
    assert forces is not None
    set_labels(changed[1], energy=0.0, forces=forces + 0.1, stress=None)
    assert force_sets_of_frames(changed, "Si").content != one.content


@pytest.mark.parametrize(("name", "symbol"), [("si", "Si"), ("ge", "Ge")])
def test_the_shipped_calculations(name, symbol):
    structures = read_structures([f"shipped:{name}-phonons"])
    found = force_sets_of_frames(structures, name)
    assert found.is_single
    assert len(found.displacements) == len(structures) - 1 == 1
    assert set(found.ideal.symbols) == {symbol}
    longest = np.linalg.norm(found.displacements, axis=2).max()
    assert longest == pytest.approx(0.02, rel=0.1)
    pulled_back = (found.displacements * found.forces).sum()
    assert pulled_back < 0


def without_forces(structures):
    del structures[1].arrays["REF_forces"]


def other_order(structures):
    structures[1].numbers[0] = 32


def other_cell(structures):
    structures[1].cell *= 1.1


def other_size(structures):
    structures[1] = structures[1][:-1]


def far_away(structures):
    structures[1].positions[0] += 1.0


def all_at_rest(structures):
    structures[1].positions = structures[0].positions


def alone(structures):
    del structures[1:]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (without_forces, "Frame 1 of Si has no forces"),
        (other_order, "Frame 1 of Si is of another supercell"),
        (other_cell, "Frame 1 of Si is of another supercell"),
        (other_size, "Frame 1 of Si is of another supercell"),
        (far_away, "move atoms by up to 1"),
        (all_at_rest, "move atoms by up to 0"),
        (alone, "move atoms by up to 0"),
    ],
)
def test_what_is_no_calculation_is_refused(change, match):
    structures = frames()
    change(structures)
    with pytest.raises(BadInputError, match=match):
        force_sets_of_frames(structures, "Si")


def test_the_crystals_of_the_tests_are_what_they_say():
    assert "first_atoms" not in shaken_silicon().dataset
