"""Where Lennard-Jones crystals go: to close packing, whatever they start from."""

import dataclasses

import numpy as np
import pytest
import torch
from ase.build import bulk

from atomgraft.core.errors import AtomgraftError
from atomgraft.lattice.relaxation import relax
from atomgraft.lattice.supercells import prepare
from atomgraft.models.pair import lennard_jones
from atomgraft.stabilise.descent import DescentPlan, descend
from atomgraft.stabilise.engine import RememberingEngine

pytestmark = pytest.mark.slow

ARGON = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=7.0)

SAME = 0.05
"""meV/atom; between two relaxations to 1e-4 eV/Å of one crystal."""

CLOSE_PACKED = {"Fm-3m", "P6_3/mmc"}


def silent(*_):
    """Report to nobody."""


def displaced(atoms):
    return prepare(atoms, supercell=np.diag([2, 2, 2]))


@pytest.fixture
def engine(tmp_path):
    return RememberingEngine(
        potential=ARGON.clone(dtype=torch.float64),
        folder=tmp_path,
        identity="argon",
        fmax=1e-4,
        max_steps=500,
    )


def tree_of(atoms, engine, **plan):
    return descend(
        atoms, engine, DescentPlan(**plan), phonon_of=displaced, report=silent
    )


@pytest.fixture(scope="module")
def bcc_tree(tmp_path_factory):
    engine = RememberingEngine(
        potential=ARGON.clone(dtype=torch.float64),
        folder=tmp_path_factory.mktemp("bcc"),
        identity="argon",
        fmax=1e-4,
        max_steps=500,
    )
    return tree_of(bulk("Ar", "bcc", a=4.2), engine, depth=2, max_daughters=4)


def test_bcc_falls_to_close_packing(bcc_tree):
    root, *others = bcc_tree.crystals
    assert root.space_group == ("Im-3m", 229)
    assert root.lowest < -0.1
    found = {one.space_group[0] for one in others if not one.soft}
    assert found >= CLOSE_PACKED


@pytest.mark.parametrize(
    ("group", "start"),
    [
        ("Fm-3m", bulk("Ar", "fcc", a=5.2)),
        ("P6_3/mmc", bulk("Ar", "hcp", a=3.7, c=6.1)),
    ],
)
def test_daughters_are_what_one_finds_directly(bcc_tree, group, start):
    [found] = [one for one in bcc_tree.crystals if one.space_group[0] == group]
    direct = relax(start, ARGON)
    apart = (found.energy - direct.energy / len(direct.atoms)) * 1000
    assert abs(apart) < SAME


def test_every_step_gains_energy(bcc_tree):
    for step in bcc_tree.steps:
        parent = bcc_tree.crystals[step.parent]
        daughter = bcc_tree.crystals[step.daughter]
        assert step.trial.energy < 0
        assert daughter.energy < parent.energy + step.trial.energy / 1000 + 1e-6


def test_no_crystal_is_in_the_tree_twice(bcc_tree):
    marks = [(one.space_group, round(one.energy * 1e4)) for one in bcc_tree.crystals]
    assert len(set(marks)) == len(marks)
    firsts = [step.daughter for step in bcc_tree.steps]
    assert set(firsts) | {0} == {one.number for one in bcc_tree.crystals}


def test_every_trial_is_accounted_for(bcc_tree):
    for one in bcc_tree.crystals:
        if not one.counts:
            continue
        ways = [step for step in bcc_tree.steps if step.parent == one.number]
        lost = one.counts["fell back"] + one.counts["fell apart"]
        assert one.counts["relaxed"] == len(ways) + lost


def test_fcc_is_stable_and_has_no_daughters(engine):
    tree = tree_of(bulk("Ar", "fcc", a=5.3), engine)
    assert len(tree.crystals) == 1
    assert tree.steps == []
    assert tree.crystals[0].soft == ()
    assert tree.crystals[0].lowest == pytest.approx(0, abs=1e-3)


def test_depth_zero_asks_whether_it_is_stable_and_no_more(engine):
    tree = tree_of(bulk("Ar", "bcc", a=4.2), engine, depth=0)
    assert len(tree.crystals) == 1
    assert tree.crystals[0].soft


def test_trials_beyond_the_limit_are_counted(engine):
    tree = tree_of(bulk("Ar", "bcc", a=4.2), engine, depth=1, max_daughters=1)
    assert tree.crystals[0].counts["relaxed"] == 1
    assert tree.crystals[0].counts["left out"] > 3


class Stubborn:
    """Relaxes a crystal with its symmetry, and its daughters as it is told."""

    def __init__(self, engine, answer):
        self.engine, self.answer = engine, answer
        self.energies, self.vibrate = engine.energies, engine.vibrate

    def relax(self, atoms, *, keep_symmetry):
        if keep_symmetry:
            return self.engine.relax(atoms, keep_symmetry=True)
        return self.answer(atoms)


def test_a_relaxation_that_does_not_end_is_marked_and_not_followed(engine):
    def unconverged(atoms):
        found = relax(atoms, ARGON, keep_symmetry=False, max_steps=1)
        return dataclasses.replace(found, is_converged=False)

    stubborn = Stubborn(engine, unconverged)
    tree = tree_of(bulk("Ar", "bcc", a=4.2), stubborn, max_daughters=2)
    daughters = tree.crystals[1:]
    assert daughters
    for one in daughters:
        assert not one.relaxation.is_converged
        assert one.harmonic is None
        assert "not converged" in one.notes[0]


def test_a_relaxation_that_falls_back_is_dropped_and_counted(engine):
    bcc = relax(bulk("Ar", "bcc", a=4.2), ARGON)
    stubborn = Stubborn(engine, lambda _: bcc)
    tree = tree_of(bulk("Ar", "bcc", a=4.2), stubborn, max_daughters=2)
    assert len(tree.crystals) == 1
    assert tree.crystals[0].counts["fell back"] == 2


def test_a_crystal_that_falls_apart_is_counted_and_said(engine):
    def broken(atoms):
        raise AtomgraftError(f"{atoms.symbols} fell apart.", "A crystal.", "Stop.")

    tree = tree_of(bulk("Ar", "bcc", a=4.2), Stubborn(engine, broken), max_daughters=2)
    assert len(tree.crystals) == 1
    assert tree.crystals[0].counts["fell apart"] == 2
    assert any("fell apart" in one for one in tree.crystals[0].notes)


def test_a_daughter_too_large_for_phonons_is_marked(engine):
    tree = tree_of(
        bulk("Ar", "bcc", a=4.2), engine, depth=2, max_daughters=1, length=80.0
    )
    [daughter] = tree.crystals[1:]
    assert daughter.relaxation.is_converged
    assert daughter.lowest is None
    assert "no phonons were computed" in daughter.notes[0]


def test_a_first_crystal_that_does_not_relax_is_marked(engine):
    lazy = dataclasses.replace(engine, max_steps=1)
    tree = tree_of(bulk("Ar", "bcc", a=3.9), lazy)
    [root] = tree.crystals
    assert root.harmonic is None
    assert "not converged" in root.notes[0]
