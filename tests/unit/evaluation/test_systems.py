"""Crystals are found among frames, and their atoms are counted as ASE counts them."""

import tracemalloc

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.geometry.rdf import get_rdf

from atomgraft.core.errors import BadInputError
from atomgraft.evaluation.survival.criteria import _distribution
from atomgraft.evaluation.systems import (
    BYTES_PER_PAIR,
    common_crystal,
    features,
    histogram,
    intact_share,
    repeated,
    system_of,
)
from atomgraft.models import memory

SILICON = bulk("Si", cubic=True)


def rattled(crystal, n=6, *, size=0.1):
    frames = []
    for seed in range(n):
        one = crystal.copy()
        one.rattle(size, seed=seed)
        frames.append(one)
    return frames


def test_the_crystal_behind_displaced_frames_is_found():
    frames = [*rattled(SILICON * 2, 12), *rattled(bulk("Ge", cubic=True), 3)]
    found = common_crystal(frames)
    assert str(found.symbols) == "Si8"
    assert found.cell.lengths() == pytest.approx([5.43] * 3, abs=0.02)
    assert system_of(repeated(found, 64)).neighbour == pytest.approx(2.351, abs=0.01)


def test_molecules_are_no_crystal():
    assert common_crystal([Atoms("H2", positions=[[0, 0, 0], [0, 0, 1]])]) is None


@pytest.mark.parametrize(
    ("name", "structure", "a", "ratio"),
    [
        ("Si", "diamond", 5.43, (1 + 1.633) / 2),
        ("Cu", "fcc", 3.6, (1 + 1.4142) / 2),
        ("Fe", "bcc", 2.87, (1.1547 + 1.633) / 2),
        ("NaCl", "rocksalt", 5.6, (1 + 1.4142) / 2),
    ],
)
def test_bonds_end_between_shells(name, structure, a, ratio):
    system = system_of(repeated(bulk(name, structure, a=a, cubic=True), 64))
    n_neighbours = {"diamond": 4, "fcc": 12, "bcc": 14, "rocksalt": 6}[structure]
    assert system.intact / system.neighbour == pytest.approx(ratio, abs=1e-3)
    assert 2 * system.bonds.shape[1] == n_neighbours * len(system.atoms)


def test_distances_are_counted_as_ase_counts_them():
    system = system_of(repeated(SILICON, 64))
    atoms = system.atoms.copy()
    atoms.rattle(0.1, seed=1)
    counts, closest = histogram(system, atoms.positions)
    n_bins = system.n_bins
    theirs, _ = get_rdf(atoms, n_bins * 0.1, n_bins)
    ours = features(system, counts.astype(float)) * n_bins
    assert ours * 63 / 64 == pytest.approx(theirs, rel=1e-6)
    distances = atoms.get_all_distances(mic=True)
    assert closest == pytest.approx(distances[distances > 0].min())


def test_a_small_frame_has_the_distribution_of_the_crystal():
    system = system_of(repeated(SILICON, 64))
    counts, _ = histogram(system, system.atoms.positions)
    assert _distribution(SILICON, system) == pytest.approx(
        features(system, counts.astype(float))
    )


def test_elements_are_told_apart():
    """A crystal in which two elements change places has another distribution."""
    system = system_of(repeated(bulk("NaCl", "rocksalt", a=5.6, cubic=True), 64))
    assert len(system.keys) == 3
    other = system.atoms.copy()
    other.numbers[:2] = other.numbers[1::-1]
    mixed = system_of(other)
    one, two = (
        features(each, histogram(each, system.atoms.positions)[0].astype(float))
        for each in (system, mixed)
    )
    assert np.abs(one - two).sum() > 0.01


def test_bonds_break_when_atoms_leave_and_not_when_all_move():
    system = system_of(repeated(SILICON, 64))
    positions = system.atoms.positions + np.array([30.0, 0, 0])
    assert intact_share(system, positions) == 1.0
    positions[0] -= 5.0
    assert intact_share(system, positions) == 1 - 4 / 128


def test_supercells_are_as_large_as_asked():
    assert len(repeated(bulk("Si"), 64)) >= 64
    assert len(repeated(SILICON, 8, (2, 1, 1))) == 16
    with pytest.raises(BadInputError, match="--set md"):
        repeated(SILICON, 8, (2, 2))


def test_a_cell_too_thin_is_refused():
    with pytest.raises(BadInputError, match="Å thin"):
        system_of(bulk("Si"))


def test_more_pairs_than_fit_in_memory_are_refused(monkeypatch):
    silicon = bulk("Si", cubic=True) * 3
    monkeypatch.setattr(memory, "_free_bytes", lambda _: 1e6)
    with pytest.raises(BadInputError, match=r"between all 216 atoms .*md.atoms=1000"):
        system_of(silicon)
    system_of(bulk("Si", cubic=True))


def test_the_memory_of_pairs_is_what_a_histogram_takes():
    system = system_of(bulk("Si", cubic=True) * 4)
    n_pairs = len(system.kinds)
    tracemalloc.start()
    histogram(system, system.atoms.positions)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.7 < peak / (BYTES_PER_PAIR * n_pairs) < 1.1
