"""Partners of displaced frames: found where they are, and exact."""

import numpy as np
import pytest
from ase.build import bulk

from atomgraft.core.errors import BadInputError
from atomgraft.data.labels import forces_of, set_labels
from atomgraft.data.partners import (
    DISPLACEMENT,
    count_kinds,
    find_partners,
    require_partners,
)
from tests.displaced import (
    along,
    displaced,
    forces_at,
    rest,
    symmetric_field,
)

EXACT = 1e-10
"""eV/Å, rounding of float64 forces of about 1 eV/Å."""


def response(frames, i, partner):
    return partner.difference(forces_of(frames[i]), forces_of(frames[partner.index]))


@pytest.mark.parametrize("atom", [0, 5])
@pytest.mark.parametrize("axis", [0, 1])
def test_symmetry_gives_the_forces_at_the_opposite_displacement(axis, atom):
    frames = [displaced(along(axis, atom))]
    [partner] = find_partners(frames, "auto")
    assert partner.kind == "symmetry"
    independent = (forces_at(along(axis, atom)) - forces_at(-along(axis, atom))) / 2
    np.testing.assert_allclose(response(frames, 0, partner), independent, atol=EXACT)


def test_without_a_mirror_both_frames_are_needed():
    up, down = displaced(along(2)), displaced(-along(2))
    assert find_partners([up], "auto") == [None]
    first, second = find_partners([up, down], "auto")
    assert (first.kind, first.index, second.index) == ("opposite", 1, 0)
    found = response([up, down], 0, first)
    np.testing.assert_allclose(found, -response([up, down], 1, second), atol=EXACT)


def test_the_undisplaced_cell_is_the_last_resort():
    frames = [displaced(along(2)), displaced(along(0)), displaced(0 * along(0))]
    kinds = [one.kind for one in find_partners(frames, "auto")]
    assert kinds == ["undisplaced", "symmetry", "reference"]
    partner = find_partners(frames, "auto")[0]
    wanted = forces_at(along(2)) - forces_at(0 * along(2))
    np.testing.assert_allclose(response(frames, 0, partner), wanted, atol=EXACT)


def test_an_undisplaced_cell_need_not_say_so():
    silent = rest()
    set_labels(silent, forces=forces_at(0 * along(0)))
    kinds = [one.kind for one in find_partners([displaced(along(2)), silent], "auto")]
    assert kinds == ["undisplaced", "reference"]


@pytest.mark.parametrize("axis", [0, 2])
def test_forces_at_rest_drop_out(axis):
    def pair(extra):
        return [
            displaced(u, forces=forces_at(u) + extra)
            for u in (along(axis), -along(axis))
        ]

    plain, shifted = pair(0.0), pair(symmetric_field())
    [partner, _] = find_partners(plain, "auto")
    np.testing.assert_allclose(
        response(plain, 0, partner), response(shifted, 0, partner), atol=EXACT
    )
    assert np.abs(forces_of(plain[0]) - forces_of(shifted[0])).max() > 0.1


def test_all_atoms_displaced_train_as_they_are_unless_asked():
    u = np.random.default_rng(0).normal(size=(16, 3)) * 0.02
    frames = [displaced(u), displaced(-u)]
    assert find_partners(frames, "auto") == [None, None]
    assert [one.index for one in find_partners(frames, "always")] == [1, 0]
    assert find_partners(frames[:1], "always") == [None]


def test_a_far_displacement_keeps_its_even_part():
    assert find_partners([displaced(along(0, step=0.2))], "auto") == [None]


def test_symmetry_of_a_rattled_crystal_is_not_assumed():
    frame = displaced(along(0))
    frame.positions += np.random.default_rng(1).normal(size=(16, 3)) * 0.01
    assert find_partners([frame], "auto") == [None]


def test_magnetic_moments_take_symmetry_away():
    frame = bulk("Fe", cubic=True).repeat((3, 1, 1))
    displacement = np.zeros((6, 3))
    displacement[0, 0] = 0.01
    frame.positions += displacement
    frame.arrays[DISPLACEMENT] = displacement
    set_labels(frame, forces=-displacement)
    frame.set_initial_magnetic_moments([2.0] * 6)
    assert find_partners([frame], "auto") != [None]
    frame.set_initial_magnetic_moments([2.0, 2.0, -2.0, 2.0, 2.0, 2.0])
    assert find_partners([frame], "auto") == [None]
    frame.arrays["initial_magmoms"] = np.ones((6, 3))  # inversion leaves them alike
    assert find_partners([frame], "auto") != [None]
    lots = np.random.default_rng(0).normal(size=(6, 3))
    frame.arrays["initial_magmoms"] = lots
    assert find_partners([frame], "auto") == [None]


def test_atoms_on_one_place_have_no_symmetry_whoever_was_imported_before():
    """phonopy tells spglib to raise where it would have returned nothing."""
    import phonopy.structure.symmetry  # noqa: F401

    frame = bulk("Fe", cubic=True)
    frame.positions[1] = frame.positions[0]
    displacement = np.zeros((2, 3))
    displacement[0, 0] = 0.01
    frame.positions += displacement
    frame.arrays[DISPLACEMENT] = displacement
    set_labels(frame, forces=-displacement)
    assert find_partners([frame], "auto") == [None]


def test_frames_of_another_crystal_are_no_partners():
    other = displaced(-along(2))
    other.set_cell(other.cell.array * 1.01, scale_atoms=True)
    assert find_partners([displaced(along(2)), other], "auto") == [None, None]


def test_nobody_has_a_partner_where_none_is_wanted_or_known():
    frame = displaced(along(0))
    assert find_partners([frame], "never") == [None]
    del frame.arrays[DISPLACEMENT]
    assert find_partners([frame], "always") == [None]


def test_kinds_are_counted():
    partners = find_partners([displaced(along(0)), displaced(along(2))], "auto")
    assert count_kinds(partners) == {"symmetry": 1}


def test_a_frame_alone_is_refused_where_partners_are_required():
    frames = [displaced(along(0)), displaced(along(2))]
    with pytest.raises(BadInputError, match="1 of 2 structures have no partner"):
        require_partners(frames, find_partners(frames, "required"))
    require_partners(frames[:1], find_partners(frames[:1], "required"))
