"""Do supercells without labels train on the base's response, and on nothing else?"""

import numpy as np
import pytest
from ase.build import bulk

from atomgraft.data.exact_files import write_exactly
from atomgraft.data.labels import forces_of, set_labels
from atomgraft.data.partners import CALCULATION, DISPLACEMENT, find_partners
from atomgraft.data.readers import read_structures
from atomgraft.phonons.campaign.pseudo_labels import (
    PSEUDO,
    completed,
    pseudo_labelled,
    response_factor,
)
from atomgraft.training.responses import with_differences

SIZE = 0.01


def frame(atoms, atom, direction, forces):
    """Return a crystal with one displaced atom."""
    found = atoms.copy()
    displacement = np.zeros((len(atoms), 3))
    displacement[atom] = SIZE * np.array(direction)
    found.positions += displacement
    found.arrays[DISPLACEMENT] = displacement
    set_labels(found, forces=forces)
    return found


def springs(atoms, atom, direction, stiffness=1.0):
    """Return the forces where every atom hangs on the displaced one by a spring."""
    u = SIZE * np.array(direction)
    forces = np.tile(stiffness * u / (len(atoms) - 1), (len(atoms), 1))
    forces[atom] = -stiffness * u
    return forces


@pytest.fixture
def copper():
    return bulk("Cu", cubic=True)


@pytest.fixture
def polar():
    """A crystal without an operation that turns its axis."""
    return bulk("ZnO", "wurtzite", a=3.25, c=5.2)


UP, DOWN, ALONG = (0, 0, 1), (0, 0, -1), (1, 0, 0)


def test_what_is_not_labelled_gets_the_base_times_the_fitted_number(copper):
    labels = [springs(copper, i, ALONG, 3.0) for i in range(2)]
    frames = [frame(copper, i, ALONG, labels[i]) for i in range(2)]
    responses = np.array([springs(copper, i, ALONG, 2.0) for i in range(2)])
    [found] = pseudo_labelled(frames, responses, [0])
    assert np.allclose(forces_of(found), labels[1], atol=1e-12)
    assert np.array_equal(found.positions, frames[1].positions)
    [other] = pseudo_labelled(frames, 2 * responses, [0])  # the number takes it back
    assert np.allclose(forces_of(other), labels[1], atol=1e-12)


def test_labels_that_are_not_given_are_not_used(copper):
    responses = np.array([springs(copper, i, ALONG) for i in range(2)])
    strange = [frame(copper, i, ALONG, 99 * responses[i]) for i in range(2)]
    frames = [frame(copper, 0, ALONG, responses[0]), strange[1]]
    [found] = pseudo_labelled(frames, responses, [0])
    assert np.allclose(forces_of(found), responses[1], atol=1e-12)


def test_labels_are_kept_and_completed_by_the_scaled_responses(copper):
    known = [springs(copper, i, ALONG, 3.0) for i in range(3)]
    known[2] += 7.0  # not given, so not seen
    frames = [frame(copper, i, ALONG, known[i]) for i in range(3)]
    responses = np.array([springs(copper, i, ALONG, 2.0) for i in range(3)])
    before = responses.copy()
    found, factor = completed(frames, responses, [1])
    assert factor == pytest.approx(1.5)
    assert np.array_equal(found[1], known[1])
    assert np.allclose(found[[0, 2]], 1.5 * responses[[0, 2]], atol=1e-12)
    assert np.array_equal(responses, before)


def test_an_opposite_frame_is_made_where_no_symmetry_leads_there(polar, copper):
    frames = [frame(polar, i, UP, springs(polar, i, UP)) for i in range(2)]
    responses = np.array([forces_of(one) for one in frames])
    there, opposite = pseudo_labelled(frames, responses, [0])
    assert np.allclose(
        opposite.positions - frames[1].positions, -2 * there.arrays[DISPLACEMENT]
    )
    partners = find_partners([there, opposite], "auto")
    assert [one.kind for one in partners] == ["opposite", "opposite"]
    taught = with_differences([there, opposite], partners)
    assert np.allclose(forces_of(taught[0]), responses[1], atol=1e-12)
    symmetric = [frame(copper, i, ALONG, springs(copper, i, ALONG)) for i in range(2)]
    plain = np.array([forces_of(one) for one in symmetric])
    assert len(pseudo_labelled(symmetric, plain, [0])) == 1  # negative control


def test_a_label_is_never_subtracted_from_a_pseudo_label(polar):
    """Forces at rest are in the labels alone: a difference of both would keep them."""
    rest = 0.1 * np.ones((len(polar), 3))
    frames = [
        frame(polar, 1, UP, springs(polar, 1, UP) + rest),
        frame(polar, 1, DOWN, springs(polar, 1, DOWN) + rest),
    ]
    responses = np.array([springs(polar, 1, UP), springs(polar, 1, DOWN)])
    everything = [frames[0], *pseudo_labelled(frames, responses, [0])]
    assert find_partners(everything, "auto")[0] is None
    for one in everything:  # negative control: without the word they would pair
        one.info.pop(CALCULATION, None)
    assert find_partners(everything, "auto")[0].kind == "opposite"


def test_no_number_is_found_where_no_label_is_a_difference(polar):
    frames = [frame(polar, 0, UP, springs(polar, 0, UP))]
    responses = np.array([3 * forces_of(frames[0])])
    assert response_factor(frames, responses) is None
    assert completed(frames, responses, [0]) is None


def test_files_keep_what_the_forces_come_from(copper, tmp_path):
    frames = [frame(copper, i, ALONG, springs(copper, i, ALONG)) for i in range(2)]
    responses = np.array([forces_of(one) for one in frames])
    write_exactly(tmp_path / "one.extxyz", pseudo_labelled(frames, responses, [0]))
    [again] = read_structures([tmp_path / "one.extxyz"])
    assert again.info[CALCULATION] == PSEUDO
    assert np.array_equal(again.arrays[DISPLACEMENT], frames[1].arrays[DISPLACEMENT])


def test_one_response_a_frame_is_needed(copper):
    frames = [frame(copper, 0, ALONG, springs(copper, 0, ALONG))]
    with pytest.raises(ValueError, match="2 responses for 1 frames"):
        pseudo_labelled(frames, np.zeros((2, 4, 3)), [])
