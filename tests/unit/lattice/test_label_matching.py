"""Are labelled supercells found whatever their order, origin and orientation?"""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from atomgraft.core.errors import BadInputError
from atomgraft.lattice.label_matching import FARTHEST, match_labels
from atomgraft.lattice.supercells import ideal_supercell, prepare

SALT = bulk("NaCl", "rocksalt", a=5.6)
PHONON = prepare(SALT, supercell=np.diag([3, 3, 3]))
IDEAL = ideal_supercell(PHONON)


def law(displacement):
    """Return forces that know their atom, and turn with it."""
    stiffness = np.where(IDEAL.numbers == 11, 1.0, 2.0)[:, None]
    return -stiffness * displacement


def shaken(seed=0, size=0.05):
    rng = np.random.default_rng(seed)
    displacement = rng.normal(scale=size / 2, size=(len(IDEAL), 3))
    displacement -= displacement.mean(axis=0)
    frame = IDEAL.copy()
    frame.positions += displacement
    frame.arrays["REF_forces"] = law(displacement)
    return frame


def largest(frame):
    return np.linalg.norm(frame.positions - IDEAL.positions, axis=1).max()


def reordered(frame):
    return frame[np.random.default_rng(1).permutation(len(frame))]


def moved(frame):
    frame.positions += [1.1, 0.4, -7.2]
    frame.wrap()
    return frame


def turned(frame):
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    frame.set_cell(frame.cell.array @ turn)
    frame.positions = frame.positions @ turn
    frame.arrays["REF_forces"] = frame.arrays["REF_forces"] @ turn
    return frame


def other_vectors(frame):
    """Return the same crystal with its cell vectors in another order."""
    frame.set_cell(frame.cell.array[[2, 0, 1]])
    return frame


HARMLESS = {(), (moved,), (other_vectors,)}
"""Changes after which every atom still stands in its place."""


@pytest.mark.parametrize(
    "changes",
    [
        (),
        (reordered,),
        (moved,),
        (turned,),
        (other_vectors,),
        (reordered, moved, turned, other_vectors),
    ],
    ids=["as it stands", "order", "origin", "turned", "vectors", "all"],
)
def test_forces_are_brought_to_the_crystal(changes):
    frame = shaken()
    for change in changes:
        frame = change(frame)
    found = match_labels([frame], PHONON, "an example")
    assert found.frames == (0,)
    assert found.n_reordered == (0 if changes in HARMLESS else 1)
    assert np.allclose(found.forces[0], law(found.displacements[0]), atol=1e-9)
    assert found.largest == pytest.approx(largest(shaken()))


def test_each_of_the_others_has_a_reason():
    without = shaken()
    del without.arrays["REF_forces"]
    wide = strained(shaken(), 0.01 * np.eye(3))
    far = shaken()
    far.positions[0] += [FARTHEST + 0.3, 0, 0]
    smaller = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    smaller.arrays["REF_forces"] = np.zeros((8, 3))
    cluster = shaken()
    cluster.pbc = False
    frames = [without, wide, far, smaller, cluster, shaken()]
    found = match_labels(frames, PHONON, "an example")
    assert found.frames == (5,)
    words = ["no forces", "another cell", "further than", "is Cl4Na4", "not periodic"]
    assert [word in found.other[i] for i, word in enumerate(words)] == [True] * 5


def strained(frame, strain):
    frame.set_cell(frame.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    return frame


def test_a_strain_within_tolerance_is_no_displacement():
    strain = np.diag([8e-4, -4e-4, 0.0])
    found = match_labels([strained(shaken(), strain)], PHONON, "an example")
    expected = match_labels([shaken()], PHONON, "an example")
    apart = found.displacements - expected.displacements
    assert np.abs(apart).max() < 1e-3 * found.largest + 1e-9
    assert found.strain == pytest.approx(8e-4, rel=0.05)
    assert expected.strain < 1e-9


def test_the_strain_of_each_edge_counts():
    """A long vacuum makes no strain of the layer small."""
    layer = Atoms(
        "BN", [(0, 0, 0), (1.45, 0, 0)], cell=[2.51, 2.51, 30, 90, 90, 120], pbc=True
    )
    phonon = prepare(layer, supercell=np.diag([2, 2, 1]))
    frame = strained(ideal_supercell(phonon), np.diag([0.01, 0.01, 0.0]))
    frame.arrays["REF_forces"] = np.zeros((8, 3))
    with pytest.raises(BadInputError, match="another cell"):
        match_labels([frame], phonon, "an example")


def test_reordered_frames_of_many_cells_are_found_from_every_sublattice():
    graphite = Atoms(
        "C4",
        scaled_positions=[
            (0, 0, 0.25),
            (0, 0, 0.75),
            (1 / 3, 2 / 3, 0.25),
            (2 / 3, 1 / 3, 0.75),
        ],
        cell=[2.46, 2.46, 6.7, 90, 90, 120],
        pbc=True,
    )
    phonon = prepare(graphite, supercell=np.diag([5, 5, 2]))
    for seed in range(4):
        frame = ideal_supercell(phonon)
        frame.rattle(0.01, seed=seed)
        frame.arrays["REF_forces"] = np.zeros((len(frame), 3))
        frame = frame[np.random.default_rng(seed).permutation(len(frame))]
        found = match_labels([frame], phonon, "an example")
        assert found.largest < 0.06


def test_species_that_changed_places_are_not_taken():
    frame = shaken()
    other = int(np.flatnonzero(frame.numbers != frame.numbers[0])[0])
    frame.numbers[[0, other]] = frame.numbers[[other, 0]]
    with pytest.raises(BadInputError, match="further than"):
        match_labels([frame], PHONON, "an example")


def test_nothing_that_matches_is_one_paragraph():
    frame = Atoms("Ar", cell=[5, 5, 5], pbc=True)
    frame.arrays["REF_forces"] = np.zeros((1, 3))
    with pytest.raises(BadInputError, match="is Ar, the supercell is") as caught:
        match_labels([frame], PHONON, "labels.extxyz")
    assert "\n" not in str(caught.value)
    with pytest.raises(BadInputError, match="there are no structures"):
        match_labels([], PHONON, "labels.extxyz")
