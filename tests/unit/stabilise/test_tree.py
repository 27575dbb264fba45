"""Crystals of a tree: named by their group, noted where not at rest, known again."""

import dataclasses

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell

from atomgraft.lattice.harmonic import harmonic_of
from atomgraft.lattice.relaxation import Relaxation
from atomgraft.lattice.supercells import prepare
from atomgraft.models.pair import lennard_jones
from atomgraft.stabilise.descent import SHRUNK, daughters_length
from atomgraft.stabilise.tree import (
    Engine,
    Tree,
    first_crystal,
    known_crystal,
    recognised,
    supercell_rows,
)

FCC = bulk("Ar", "fcc", a=5.3)
HCP = bulk("Ar", "hcp", a=3.75, c=6.12)

PER_ATOM = -0.08
"""eV, of everything here."""


def at_rest(atoms, **changes):
    known = {
        "atoms": atoms,
        "energy": PER_ATOM * len(atoms),
        "is_converged": True,
        "largest_force": 5e-5,
        "n_steps": 7,
        "groups": ("Fm-3m (225)", "Fm-3m (225)"),
    }
    return Relaxation(**known | changes)


class Settled:
    """An engine for which everything is at rest, but for what it is told."""

    def __init__(self, cost=0.0):
        self.cost, self.relaxed = cost, []

    def energies(self, structures):
        """Return energies; all but the first structure cost more, eV."""
        return [PER_ATOM + self.cost * (i > 0) for i in range(len(structures))]

    def relax(self, atoms, *, keep_symmetry):
        self.relaxed.append(keep_symmetry)
        return at_rest(atoms, n_steps=3)

    def vibrate(self, phonon):
        raise AssertionError("nobody asked for phonons")


def test_an_engine_is_whatever_answers():
    assert isinstance(Settled(), Engine)
    assert not isinstance(object(), Engine)


def test_the_first_crystal_keeps_its_cell_and_energy_is_per_atom():
    large = make_supercell(FCC, 2 * np.eye(3))
    root = first_crystal(at_rest(large))
    assert len(root.atoms) == 8
    assert root.energy == pytest.approx(PER_ATOM)
    assert root.space_group == ("Fm-3m", 225)
    assert (root.number, root.depth, root.notes) == (0, 0, [])


def test_the_first_crystal_says_what_became_of_it():
    changed = first_crystal(at_rest(FCC, groups=("I4/mmm (139)", "Fm-3m (225)")))
    assert changed.notes == ["it was I4/mmm (139) before relaxation"]
    lost = first_crystal(at_rest(FCC, is_converged=False, largest_force=0.25))
    [note] = lost.notes
    assert "not converged after 7 steps" in note
    assert "0.25 eV/Å" in note


def test_a_daughter_is_made_symmetric_and_relaxed_once_more():
    engine = Settled()
    rattled = make_supercell(FCC, 2 * np.eye(3))
    rattled.rattle(1e-4, rng=np.random.RandomState(0))
    found = recognised(3, 2, at_rest(rattled, groups=("P1 (1)", "P1 (1)")), engine)
    assert engine.relaxed == [True]
    assert found.space_group == ("Fm-3m", 225)
    assert found.symprec > 0
    assert len(found.atoms) == 1
    assert found.relaxation.n_steps == 7 + 3
    assert found.relaxation.groups == ("P1 (1)", "P1 (1)")  # what it truly came from
    assert (found.number, found.depth) == (3, 2)


def test_symmetry_that_costs_energy_is_not_imposed():
    """Negative control: the same crystal, but the symmetric shape is higher."""
    rattled = make_supercell(FCC, 2 * np.eye(3))
    rattled.rattle(5e-3, rng=np.random.RandomState(0))
    found = recognised(1, 1, at_rest(rattled), Settled(cost=1e-3))
    assert found.symprec == 0
    assert found.space_group[1] < 225


def test_a_daughter_not_at_rest_is_left_as_it_is():
    engine = Settled()
    found = recognised(1, 1, at_rest(HCP, is_converged=False), engine)
    assert engine.relaxed == []
    assert found.space_group == ("P6_3/mmc", 194)
    assert found.symprec == 0
    assert "no phonons were computed" in found.notes[0]


def crystal_of(atoms, number=0):
    return dataclasses.replace(first_crystal(at_rest(atoms)), number=number)


def tree_of(*structures):
    crystals = [crystal_of(one, number=i) for i, one in enumerate(structures)]
    return Tree(crystals=crystals, steps=[])


def test_a_crystal_is_known_again_turned_and_repeated():
    tree = tree_of(FCC, HCP)
    turned = make_supercell(HCP, np.diag([1, 2, 1]))
    turned.rotate(40, (1, 1, 0), rotate_cell=True)
    known = known_crystal(tree, crystal_of(turned))
    assert known is tree.crystals[1]


@pytest.mark.parametrize("what", ["energy", "group", "shape"])
def test_a_crystal_that_differs_is_not_known(what):
    tree = tree_of(FCC)
    found = crystal_of(FCC)
    assert known_crystal(tree, found) is tree.crystals[0]
    changes = {
        "energy": {"energy": PER_ATOM + 2e-4},
        "group": {"space_group": ("I4/mmm", 139)},
        "shape": {"atoms": bulk("Ar", "fcc", a=5.5)},
    }
    assert known_crystal(tree, dataclasses.replace(found, **changes[what])) is None


def test_an_empty_tree_knows_nothing():
    assert known_crystal(Tree(crystals=[], steps=[]), crystal_of(FCC)) is None


SKEW = np.array([[2, 1, 0], [0, 2, 0], [0, 0, 3]])


def test_supercells_are_told_in_rows():
    """phonopy keeps columns; a matrix that is not symmetric tells them apart."""
    argon = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=6.0)
    slanted = Atoms("Ar", cell=[3.7, 3.9, 4.1, 80, 85, 95], pbc=True)
    harmonic = harmonic_of(argon, prepare(slanted, supercell=SKEW))
    rows = supercell_rows(harmonic)
    assert rows.tolist() == SKEW.tolist()
    cell = np.asarray(harmonic.phonon.supercell.cell)
    assert np.allclose(cell, rows @ np.asarray(harmonic.phonon.unitcell.cell))


def test_daughters_take_what_was_asked_or_what_the_first_crystal_has():
    brick = Atoms("Ar", cell=[4.0, 4.4, 5.0], pbc=True)
    phonon = prepare(brick, supercell=np.diag([2, 3, 2]))
    assert daughters_length(phonon, 11.0) == 11.0
    assert daughters_length(phonon, None) == pytest.approx(SHRUNK * 8.0)
