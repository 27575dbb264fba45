"""Laws of force differences: linear, blind to rest, and the same from everywhere."""

import numpy as np
import pytest
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st

from atomgraft.data.labels import forces_of, set_labels
from atomgraft.data.partners import (
    DISPLACEMENT,
    SMALL,
    SYMMETRY_TOLERANCE,
    count_kinds,
    find_partners,
    is_undisplaced,
    opposites,
)
from tests.displaced import along, displaced, forces_at, rest, symmetric_field

EXACT = 1e-10
"""eV/Å, rounding of float64 forces of about 1 eV/Å."""

FEW = settings(max_examples=15, deadline=None)
"""Each example searches symmetry."""


def spring(axis_of_force=None):
    """Return silicon with one atom displaced and forces of random springs."""
    atoms = bulk("Si", cubic=True)
    displacement = np.zeros((8, 3))
    displacement[0] = [0.01, 0, 0] if axis_of_force is None else axis_of_force
    atoms.positions += displacement
    atoms.arrays[DISPLACEMENT] = displacement
    forces = np.random.default_rng(0).normal(size=(8, 3))
    set_labels(atoms, forces=forces)
    return atoms


def response(partner, own, other):
    return partner.difference(own, other)


@FEW
@given(st.floats(-3, 3), st.floats(-3, 3))
def test_differences_are_linear_in_forces(a, b):
    [partner] = find_partners([displaced(along(0))], "auto")
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(2, 16, 3))
    both = response(partner, a * one + b * other, a * one + b * other)
    apart = a * response(partner, one, one) + b * response(partner, other, other)
    np.testing.assert_allclose(both, apart, atol=EXACT)


@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_odd_already_stays_as_it_is(axis):
    """A projection: the odd part of the odd part is the odd part."""
    [partner] = find_partners([displaced(along(axis))], "auto")
    own = np.random.default_rng(2).normal(size=(16, 3))
    once = response(partner, own, own)
    assert np.abs(once - own).max() > 0.1
    np.testing.assert_allclose(response(partner, once, once), once, atol=EXACT)


@FEW
@given(st.integers(0, 999))
def test_a_turned_crystal_has_turned_differences(seed):
    axis = np.random.default_rng(seed).normal(size=3)
    angle = seed % 360
    frame = displaced(along(0), forces=forces_at(along(0)) + symmetric_field())
    turned = frame.copy()
    turned.rotate(angle, axis, rotate_cell=True)
    back = rest()
    back.positions = np.eye(3)[[0, 1, 2] * 5 + [0]]
    back.rotate(angle, axis)
    R = back.positions[:3]  # rows are the turned unit vectors
    turned.arrays[DISPLACEMENT] = frame.arrays[DISPLACEMENT] @ R
    set_labels(turned, forces=forces_of(frame) @ R)
    plain, other = (find_partners([one], "auto")[0] for one in (frame, turned))
    assert plain.kind == other.kind == "symmetry"
    np.testing.assert_allclose(
        response(other, forces_of(turned), forces_of(turned)),
        response(plain, forces_of(frame), forces_of(frame)) @ R,
        atol=1e-7,
    )


@FEW
@given(st.permutations(range(16)))
def test_the_order_of_atoms_is_no_matter(order):
    frame = displaced(along(0), forces=forces_at(along(0)) + symmetric_field())
    mixed = frame[list(order)]
    set_labels(mixed, forces=forces_of(frame)[list(order)])
    plain, other = (find_partners([one], "auto")[0] for one in (frame, mixed))
    np.testing.assert_allclose(
        response(other, forces_of(mixed), forces_of(mixed)),
        response(plain, forces_of(frame), forces_of(frame))[list(order)],
        atol=EXACT,
    )


def test_the_rotation_turns_the_displacement_round():
    for axis, atom in ((0, 0), (1, 0), (0, 7), (1, 12)):
        u = along(axis, atom)
        [partner] = find_partners([displaced(u)], "auto")
        np.testing.assert_allclose(
            u[partner.permutation] @ partner.rotation.T, -u, atol=1e-12
        )
        np.testing.assert_allclose(
            partner.rotation @ partner.rotation.T, np.eye(3), atol=1e-9
        )


@pytest.mark.parametrize(
    ("move", "has"),
    [([0.01, 0, 0], True), ([0.01, 0.01, 0.01], False), ([0.01, 0.01, 0], True)],
)
def test_silicon_has_no_way_back_along_its_bonds(move, has):
    """A site of -43m: twofold axes and rotoreflections, and none along a bond."""
    [partner] = find_partners([spring(np.array(move))], "auto")
    assert (partner is not None) == has


def test_a_loose_tolerance_is_the_frames_own():
    """A crystal read at 0.01 Å keeps the symmetry that it was displaced with."""
    frame = displaced(along(0))
    frame.positions += np.random.default_rng(1).normal(size=(16, 3)) * 3e-4
    assert find_partners([frame], "auto") == [None]
    frame.info[SYMMETRY_TOLERANCE] = 0.01
    assert find_partners([frame], "auto")[0].kind == "symmetry"


def test_the_largest_small_displacement_is_small():
    kinds = [
        [one and one.kind for one in find_partners([displaced(along(0, step=u))], mode)]
        for u in (SMALL, SMALL + 1e-6)
        for mode in ("auto", "always")
    ]
    assert kinds == [["symmetry"], ["symmetry"], [None], ["symmetry"]]


def test_frames_without_forces_are_neither_partners_nor_have_any():
    up, down = displaced(along(2)), displaced(-along(2))
    del down.arrays["REF_forces"]
    set_labels(down, energy=-1.0)
    assert find_partners([up, down], "always") == [None, None]
    assert opposites([up, down]) == {}


def test_opposites_know_each_other_and_nobody_else():
    moves = [along(2), along(0), -along(2), along(2, atom=4), -along(0)]
    frames = [displaced(u) for u in moves]
    found = opposites(frames)
    assert found == {0: 2, 2: 0, 1: 4, 4: 1}
    assert all(found[found[i]] == i for i in found)


def test_crystals_of_two_materials_do_not_mix():
    """Each cell at rest serves its own."""
    wide = []
    for u in (along(2), 0 * along(2)):
        atoms = displaced(u)
        move = atoms.arrays[DISPLACEMENT]
        atoms.positions -= move
        atoms.set_cell(atoms.cell.array * 1.02, scale_atoms=True)
        atoms.positions += move
        wide.append(atoms)
    frames = [displaced(along(2)), *wide, displaced(0 * along(2))]
    found = find_partners(frames, "auto")
    assert [(one.kind, one.index) for one in found] == [
        ("undisplaced", 3), ("undisplaced", 2), ("reference", 2), ("reference", 3),
    ]  # fmt: skip
    assert count_kinds(found) == {"undisplaced": 2, "reference": 2}


def test_a_cell_at_rest_without_displaced_frames_trains_as_it_is():
    alone = displaced(0 * along(2))
    assert is_undisplaced(alone)
    assert not is_undisplaced(displaced(along(2)))
    assert find_partners([alone], "always") == [None]
