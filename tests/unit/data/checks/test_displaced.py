"""Displaced supercells whose forces at rest are not the base's: a false alarm, once."""

import numpy as np
import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.data.checks.findings import refuse_errors
from atomgraft.data.checks.predicted import (
    BaseKnowledge,
    compare_with_base,
    compared_forces,
)
from atomgraft.data.checks.scales import check_scales
from atomgraft.data.labels import forces_of, set_labels
from atomgraft.data.partners import DISPLACEMENT
from atomgraft.models.prediction import predict_structures
from tests.displaced import along, displaced, forces_at, potential, symmetric_field

EXACT = 1e-10
"""eV/Å, rounding of float64 forces of about 1 eV/Å."""

KCAL_PER_MOL = 23.0605
"""In an eV."""

OPPOSITE_REST = -4 * symmetric_field()
"""eV/Å; the labels' forces at rest point the other way than the base's."""


def base():
    return BaseKnowledge(
        name="lj",
        elements=frozenset({18}),
        predict=lambda structures: list(predict_structures(potential(), structures)),
    )


def response(u):
    return (forces_at(u) - forces_at(-u)) / 2


def labelled(u, factor=1.0, scale=1.0):
    """Return a frame that responds as the base does and rests otherwise."""
    at_rest = OPPOSITE_REST - np.sign(OPPOSITE_REST) * 0.1
    return displaced(u, forces=scale * (factor * response(u) + at_rest))


def findings(frames, max_atoms=10_000):
    return list(check_scales(compare_with_base(frames, base(), max_atoms)))


MIRRORED = [along(0), along(1), along(0, atom=5)]
PAIRED = [along(2), -along(2), along(2, atom=3), -along(2, atom=3)]
ABOVE_REST = [along(2), along(2, atom=3), 0 * along(2)]


@pytest.mark.parametrize("moves", [MIRRORED, PAIRED, ABOVE_REST])
def test_forces_at_rest_raise_no_alarm(moves):
    assert findings([labelled(u) for u in moves]) == []
    assert findings([labelled(u, factor=1.4) for u in moves]) == []


@pytest.mark.parametrize("moves", [MIRRORED, PAIRED])
def test_frames_that_do_not_say_what_was_displaced_raise_it(moves):
    """Negative control: the same labels, compared as they are."""
    frames = [labelled(u) for u in moves]
    for atoms in frames:
        del atoms.arrays[DISPLACEMENT]
    [found] = findings(frames)
    assert found.code in {"forces-disagrees", "forces-scale"}


@pytest.mark.parametrize("moves", [MIRRORED, PAIRED, ABOVE_REST])
@pytest.mark.parametrize("scale", [-1.0, KCAL_PER_MOL])
def test_a_wrong_unit_of_the_response_is_still_seen(moves, scale):
    [found] = findings([labelled(u, scale=scale) for u in moves])
    assert found.code == "forces-scale"
    with pytest.raises(BadInputError):
        refuse_errors((found,))


def test_a_response_that_is_no_response_is_still_seen():
    frames = []
    for i, u in enumerate(MIRRORED):
        noise = np.random.default_rng(i).normal(scale=0.05, size=u.shape)
        frames.append(displaced(u, forces=OPPOSITE_REST + noise))
    assert [one.code for one in findings(frames)] == ["forces-disagrees"]


def test_a_lone_frame_is_compared_as_it_is():
    compared = compare_with_base([labelled(along(2))], base(), 100)
    [(_, label, said)], nothing = compared_forces(compared)
    assert nothing == []
    assert np.array_equal(label, forces_of(compared.structures[0]))
    np.testing.assert_allclose(said, forces_at(along(2)), atol=EXACT)


def test_compared_are_responses_and_the_cell_at_rest_is_left_out():
    frames = [labelled(u, factor=2.0) for u in (along(0), *ABOVE_REST)]
    plain, responses = compared_forces(compare_with_base(frames, base(), 1000))
    assert (len(plain), len(responses)) == (0, 3)
    _, label, said = responses[0]
    np.testing.assert_allclose(said, response(along(0)), atol=EXACT)
    np.testing.assert_allclose(label, 2 * response(along(0)), atol=EXACT)


def test_a_sample_takes_partners_along():
    """Two of four are asked about; their partners are the other two."""
    frames = [labelled(u) for u in (PAIRED[0], PAIRED[2], PAIRED[1], PAIRED[3])]
    assert findings(frames, max_atoms=2 * len(frames[0])) == []
    compared = compare_with_base(frames, base(), len(frames[0]))
    assert len(compared.structures) == len(compared.predictions) == 2


def test_frames_without_forces_have_nothing_to_compare():
    atoms = labelled(along(0))
    bare = atoms.copy()
    del bare.arrays["REF_forces"]
    set_labels(bare, energy=-1.0)
    assert compared_forces(compare_with_base([bare], base(), 100)) == ([], [])
