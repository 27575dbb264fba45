"""Does a crystal expand as thermodynamics says it must?"""

import dataclasses

import numpy as np
import pytest
from ase.build import bulk

from atomgraft.core.errors import BadInputError
from atomgraft.lattice.harmonic import harmonic_of
from atomgraft.lattice.quasiharmonic import QuasiharmonicSettings, quasiharmonic
from atomgraft.lattice.spectra import thermal_curves
from atomgraft.lattice.supercells import prepare
from atomgraft.models.pair import lennard_jones, stillinger_weber
from atomgraft.phonons.heat import expansion_record

pytestmark = pytest.mark.slow

MESH = (5, 5, 5)
SUPERCELL = np.diag([2, 2, 2])
EV_PER_A3_IN_GPA = 160.21766208
J_PER_MOL_IN_EV = 1.0364269656e-5

TWO_ROUTES = 0.02
"""Relative; finite differences in the volume against a fit over all volumes."""


@pytest.fixture(scope="module")
def potential():
    return stillinger_weber(["Si"])


@pytest.fixture(scope="module")
def settings():
    return QuasiharmonicSettings(
        supercell=SUPERCELL, mesh=MESH, temperatures=(0.0, 20.0, 300.0, 1000.0)
    )


@pytest.fixture(scope="module")
def silicon(potential, settings):
    return quasiharmonic(potential, bulk("Si", a=5.45), settings)


def curves_at(potential, volume, temperatures):
    phonon = prepare(bulk("Si", a=(8 * volume) ** (1 / 3)), supercell=SUPERCELL)
    return thermal_curves(harmonic_of(potential, phonon), MESH, temperatures)


def test_maxwells_relation_gives_the_same_expansion(potential, silicon):
    # α B = (∂S/∂V)_T: entropies of two volumes know nothing of the fit
    found = silicon.equilibrium
    for i in (2, 3):
        V, T = found.volumes[i], [float(found.temperatures[i])]
        step = 0.005 * V
        more, less = (
            curves_at(potential, V + sign * step, T).entropy[0] for sign in (1, -1)
        )
        slope = (more - less) / (2 * step) * J_PER_MOL_IN_EV
        expected = slope / (found.bulk_modulus[i] / EV_PER_A3_IN_GPA)
        assert found.expansion[i] == pytest.approx(expected, rel=TWO_ROUTES)


def test_phonopys_own_quasi_harmonic_calculation_agrees(potential, silicon):
    from phonopy import run_qha

    phonons = []
    for volume in silicon.volumes:
        cell = bulk("Si", a=(8 * volume) ** (1 / 3))
        phonons.append(harmonic_of(potential, prepare(cell, supercell=SUPERCELL)))
    theirs = run_qha(
        [one.phonon for one in phonons],
        temperatures=[0.0, 298.0, 300.0, 302.0, 304.0],
        internal_energies=2 * silicon.energies,
        mesh=list(MESH),
        exclude_gamma_acoustic=True,
    )
    ours = silicon.equilibrium
    assert ours.volumes[2] == pytest.approx(theirs.equilibrium_volumes[2] / 2, rel=1e-5)
    assert ours.expansion[2] == pytest.approx(theirs.thermal_expansion[2], rel=0.01)
    capacity = theirs.heat_capacity_P.heat_capacities[2] / 2 / J_PER_MOL_IN_EV
    assert ours.heat_capacity[2] == pytest.approx(capacity, rel=1e-3)
    modulus = theirs.bulk_moduli[2] * EV_PER_A3_IN_GPA
    assert ours.bulk_modulus[2] == pytest.approx(modulus, rel=1e-4)


def test_nothing_expands_without_temperature(silicon):
    found = silicon.equilibrium
    assert found.expansion[0] == 0
    assert abs(found.expansion[1]) < 0.01 * found.expansion[2]


def test_constant_pressure_takes_more_heat(potential, silicon):
    found = silicon.equilibrium
    for i in (2, 3):
        T = [float(found.temperatures[i])]
        fixed = curves_at(potential, float(found.volumes[i]), T).heat_capacity[0]
        assert found.heat_capacity[i] > fixed


def test_zero_point_motion_pushes_the_volume_by_its_pressure(potential, silicon):
    # to first order ΔV = - V / B dε/dV
    V = silicon.static_volume
    step = 0.005 * V
    more, less = (
        curves_at(potential, V + sign * step, [0.0]).free_energy[0] for sign in (1, -1)
    )
    modulus = silicon.equilibrium.bulk_modulus[0] / EV_PER_A3_IN_GPA
    expected = -V / modulus * (more - less) / (2 * step) / 1000
    shift = silicon.equilibrium.volumes[0] - V
    assert shift == pytest.approx(expected, rel=0.1)


def test_the_start_need_not_be_at_rest(silicon):
    # the cell that was given is 1 % too large
    assert silicon.static_volume == pytest.approx(5.431**3 / 8, rel=1e-3)
    assert silicon.volumes.min() < silicon.static_volume < silicon.volumes.max()


def test_the_record_holds_all_of_it(silicon, settings):
    record = expansion_record(silicon, settings)
    assert record.n_atoms_supercell == 16
    assert record.mesh == MESH
    assert len(record.expansion) == len(record.temperatures) == 4
    assert record.expansion[2] == pytest.approx(silicon.equilibrium.expansion[2] * 1e6)


def test_volumes_with_imaginary_modes_are_left_out_and_named(potential, settings):
    strains = (-0.02, -0.01, 0.0, 0.01, 0.02, 1.0)
    found = quasiharmonic(
        potential, bulk("Si", a=5.431), _with(settings, strains=strains)
    )
    assert len(found.volumes) == 5
    assert found.dropped_volumes == pytest.approx([2.0 * 5.431**3 / 8], rel=1e-3)
    assert "+100.0%" in found.notices[0]


def test_a_shell_of_neighbours_that_leaves_the_cutoff_is_named():
    # the second shell of an fcc crystal lies at its lattice constant
    copper = lennard_jones(["Cu"], epsilon=[0.4], sigma=[2.5], cutoff=3.96, onset=3.0)
    settings = QuasiharmonicSettings(
        supercell=SUPERCELL,
        mesh=MESH,
        temperatures=(0.0,),
        strains=(-0.02, -0.01, 0.0, 0.01, 0.02, 0.03),
    )
    found = quasiharmonic(copper, bulk("Cu", a=3.9), settings)
    crossing = 3.96**3 / 4
    below = found.volumes[found.volumes < crossing].max()
    above = found.volumes[found.volumes > crossing].min()
    [notice] = found.notices
    assert f"Between {below:.3f} and {above:.3f}" in notice
    assert "cutoff of 3.96" in notice


def test_shells_within_the_cutoff_are_not_spoken_of(silicon):
    assert silicon.notices == ()


def test_too_few_usable_volumes_are_refused(potential, settings):
    strains = (0.0, 0.01, 0.02, 1.0, 1.1)
    with pytest.raises(BadInputError, match=r"3 of 5 volumes"):
        quasiharmonic(potential, bulk("Si", a=5.431), _with(settings, strains=strains))


def test_volumes_on_one_side_alone_are_refused(potential, settings):
    strains = (-0.05, -0.04, -0.03, -0.02, -0.01)
    with pytest.raises(BadInputError, match="At no temperature"):
        quasiharmonic(potential, bulk("Si", a=5.431), _with(settings, strains=strains))


def test_the_shape_follows_the_volume_where_it_is_free():
    # hexagonal, c/a is the potential's to choose; scaled, it stays
    potential = lennard_jones(["Zn"], epsilon=[0.1], sigma=[2.4], cutoff=4.2, onset=3.2)
    settings = QuasiharmonicSettings(
        supercell=SUPERCELL,
        mesh=(3, 3, 3),
        temperatures=(100.0,),
        strains=(-0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.04),
        threshold=5.0,
    )
    crystal = bulk("Zn", "hcp", a=2.65)
    free = quasiharmonic(potential, crystal, settings)
    scaled = quasiharmonic(potential, crystal, _with(settings, relax_shape=False))
    assert (free.shape, scaled.shape) == ("relaxed", "scaled")
    assert (free.energies <= scaled.energies + 1e-8).all()
    assert free.volumes == pytest.approx(scaled.volumes)


@pytest.mark.parametrize(
    "wrong", [{"strains": (0.0, 0.01)}, {"temperatures": ()}, {"temperatures": (-1.0,)}]
)
def test_what_cannot_be_computed_is_refused_first(potential, settings, wrong):
    with pytest.raises(BadInputError):
        quasiharmonic(potential, bulk("Si", a=5.431), _with(settings, **wrong))


def _with(settings, **changes):
    return dataclasses.replace(settings, **changes)
