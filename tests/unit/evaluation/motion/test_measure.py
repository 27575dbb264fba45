"""Distances and angles of crystals, as ASE counts them and as they are known."""

import dataclasses

import numpy as np
import pytest
from ase.build import bulk
from ase.geometry.rdf import get_rdf

from atomgraft.evaluation.motion.measure import (
    ANGLE_EDGES,
    measured,
    radial_rows,
    shell_end,
)
from atomgraft.evaluation.motion.record import (
    ANGULAR,
    COORDINATION,
    DIFFUSION,
    PEAK,
    RADIAL,
    VIBRATIONAL,
)
from atomgraft.evaluation.motion.setup import plan_of
from atomgraft.evaluation.motion.spec import MotionOptions
from tests.unit.evaluation.motion.runs import PLAN, trembling

SALT = plan_of(
    MotionOptions(time=0.1, window=0.1), bulk("NaCl", "rocksalt", a=5.6, cubic=True)
)


def test_radial_distributions_are_those_of_ase():
    trial = trembling(0)
    one = dataclasses.replace(trial, frames=(trial.frames[0][:1],))
    n_bins = len(PLAN.edges) - 1
    theirs, at = get_rdf(trial.frames[0][0], float(PLAN.edges[-1]), n_bins)
    ours = radial_rows(one, PLAN)[""][0]
    assert ours == pytest.approx(theirs, rel=1e-6)
    assert at == pytest.approx(PLAN.edges[:-1] + 0.025)


def test_pairs_of_elements_are_told_apart_as_ase_does():
    trial = trembling(1, plan=SALT)
    one = dataclasses.replace(trial, frames=(trial.frames[0][:1],))
    rows = radial_rows(one, SALT)
    assert set(rows) == {"", "Cl-Na", "Cl-Cl", "Na-Na"}
    atoms, n_bins = trial.frames[0][0], len(SALT.edges) - 1
    theirs, _ = get_rdf(atoms, float(SALT.edges[-1]), n_bins, elements=[11, 17])
    own = rows["Cl-Na"][0]
    share = own[theirs > 0] / theirs[theirs > 0]
    assert share == pytest.approx(np.full(len(share), share[0]))
    assert own[theirs == 0].max() == 0
    n = int((atoms.symbols == "Na").sum())
    total = rows[""][0] * 2 * n**2
    pairs = rows["Cl-Na"][0] * n * n
    pairs = pairs + (rows["Cl-Cl"][0] + rows["Na-Na"][0]) * n**2 / 2
    assert pairs == pytest.approx(total)


def test_cells_of_a_crystal_of_all_sizes_have_the_same_distribution():
    crystal = bulk("GaAs", "zincblende", a=5.65, cubic=True)
    plans = [
        plan_of(MotionOptions(time=0.1, window=0.1, supercell=(n,)), crystal)
        for n in (1, 2)
    ]
    own, other = (radial_rows(trembling(0, size=0.0, plan=one), one) for one in plans)
    n_bins = own[""].shape[1]
    assert n_bins < other[""].shape[1]
    for name in ("", "As-Ga"):
        assert own[name].max() > 1
        assert own[name] == pytest.approx(other[name][:, :n_bins])


def test_perfect_diamond_has_four_neighbours_at_tetrahedral_angles():
    still = trembling(0, size=0.0)
    radial = radial_rows(still, PLAN)
    cutoff = shell_end(radial[""])
    assert cutoff == pytest.approx((2.351 + 3.840) / 2, abs=0.05)
    found = measured(still, radial, cutoff, PLAN, is_melt=False).rows
    assert found[COORDINATION, ""] == pytest.approx(np.full((5, 1), 4.0))
    assert found[PEAK, ""] == pytest.approx(np.full((5, 1), 2.351), abs=0.026)
    angles = found[ANGULAR, ""].mean(axis=0)
    middle = (ANGLE_EDGES[:-1] + ANGLE_EDGES[1:]) / 2
    assert middle[angles.argmax()] == pytest.approx(109.47, abs=1)
    assert (angles > 0).sum() == 1
    assert (DIFFUSION, "") not in found


def test_shells_hold_as_many_atoms_as_the_integral_of_g():
    radial = radial_rows(trembling(2), PLAN)[""].mean(axis=0)
    edges = PLAN.edges
    shells = 4 / 3 * np.pi * np.diff(edges**3) * 64 / PLAN.system.atoms.cell.volume
    within = edges[1:] <= 3.1
    assert (radial * shells)[within].sum() == pytest.approx(4, abs=0.01)


def test_vibrations_are_normalised_and_split_by_element():
    trial = trembling(3, plan=SALT)
    rows = measured(trial, radial_rows(trial, SALT), 3.4, SALT, is_melt=True).rows
    spacing = SALT.frequencies[1]
    whole = rows[VIBRATIONAL, ""]
    assert (whole * spacing).sum(axis=1) == pytest.approx(np.ones(5))
    parts = rows[VIBRATIONAL, "Na"] + rows[VIBRATIONAL, "Cl"]
    assert parts == pytest.approx(whole)
    assert rows[DIFFUSION, ""].shape == (5, 1)


def test_a_stretched_crystal_has_another_distribution():
    own, other = (radial_rows(trembling(4, stretch=s), PLAN)[""] for s in (1.0, 1.02))
    assert np.abs(own.mean(axis=0) - other.mean(axis=0)).max() > 0.5
    assert (RADIAL, "") in measured(
        trembling(4), {"": own}, 3.1, PLAN, is_melt=False
    ).rows
