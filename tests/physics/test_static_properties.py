"""Bulk properties against closed forms, ASE and published values."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.eos import EquationOfState as AseFit
from matscipy.neighbours import neighbour_list

from atomgraft.core.errors import AtomgraftError, BadInputError, MissingExtraError
from atomgraft.core.units import EV_PER_A2_IN_J_PER_M2, EV_PER_A3_IN_GPA
from atomgraft.lattice import static_properties
from atomgraft.lattice.relaxation import relax
from atomgraft.lattice.static_properties import (
    elasticity,
    equation_of_state,
    require_matcalc,
    surface_energy,
)
from atomgraft.lattice.symmetry import EXACT_SYMPREC, standardised
from atomgraft.lattice.vacancies import vacancy_energies
from atomgraft.models.pair import lennard_jones, stillinger_weber
from atomgraft.models.prediction import predict_structures

SILICON = stillinger_weber(["Si"])
ARGON = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=8.5)

PUBLISHED = 0.1
"""GPa, the digits of the published elastic constants of Stillinger-Weber silicon."""

FIT = 3e-3
"""Relative; what finite strains and volumes leave of higher orders."""

BOND = 2.1683
"""eV, of a bond of Stillinger-Weber silicon."""


@pytest.fixture
def matcalc():
    return pytest.importorskip("matcalc")


@pytest.fixture(scope="module")
def silicon():
    return relax(bulk("Si", a=5.4), SILICON).atoms


@pytest.fixture(scope="module")
def argon():
    return relax(bulk("Ar", a=5.3), ARGON).atoms


def energies_of(potential, structures):
    return np.array([one.energy for one in predict_structures(potential, structures)])


def test_silicon_is_as_published(matcalc, silicon):
    found = elasticity(SILICON, silicon)
    C = found.tensor * EV_PER_A3_IN_GPA
    assert C[0, 0] == pytest.approx(151.4, abs=PUBLISHED)
    assert C[0, 1] == pytest.approx(76.4, abs=PUBLISHED)
    assert C[3, 3] == pytest.approx(56.4, abs=PUBLISHED)
    assert C[0, 3] == pytest.approx(0, abs=PUBLISHED)
    curve = equation_of_state(SILICON, silicon)
    assert (8 * curve.volume) ** (1 / 3) == pytest.approx(5.431, abs=1e-3)
    assert min(curve.energies) == pytest.approx(-4.3363, abs=5e-4)
    from_constants = (C[0, 0] + 2 * C[0, 1]) / 3
    assert curve.modulus * EV_PER_A3_IN_GPA == pytest.approx(from_constants, rel=FIT)
    assert found.smallest * EV_PER_A3_IN_GPA == pytest.approx(
        C[0, 0] - C[0, 1], abs=PUBLISHED
    )


def test_averages_are_those_of_voigt_reuss_and_hill(matcalc, silicon):
    """Young's modulus has the unit of the tensor; it was once 1e9 times larger."""
    found = elasticity(SILICON, silicon)
    C11, C12, C44 = (found.tensor[ij] for ij in ((0, 0), (0, 1), (3, 3)))
    voigt = (C11 - C12 + 3 * C44) / 5
    reuss = 5 * (C11 - C12) * C44 / (4 * C44 + 3 * (C11 - C12))
    G, K = (voigt + reuss) / 2, (C11 + 2 * C12) / 3
    assert found.shear == pytest.approx(G, rel=1e-4)
    assert found.youngs == pytest.approx(9 * K * G / (3 * K + G), rel=1e-4)


def test_argon_follows_lattice_sums(matcalc, argon):
    """C_ijkl of pairs: half the sum of (V'' - V'/r) r_i r_j r_k r_l / r², over V."""
    R = neighbour_list("D", argon, ARGON.cutoff)
    r, step = np.linalg.norm(R, axis=1), 1e-3
    low, middle, high = (
        energies_of(
            ARGON, [Atoms("Ar2", [[0, 0, 0], [0, 0, one + shift]]) for one in r]
        )
        for shift in (-step, 0, step)
    )
    slope, curvature = (high - low) / (2 * step), (high - 2 * middle + low) / step**2
    weights = (curvature - slope / r) / r**2 / (2 * argon.cell.volume)
    C11 = float((weights * R[:, 0] ** 4).sum())
    C12 = float((weights * R[:, 0] ** 2 * R[:, 1] ** 2).sum())
    found = elasticity(ARGON, argon).tensor
    assert found[0, 0] == pytest.approx(C11, rel=FIT)
    assert found[0, 1] == pytest.approx(C12, rel=FIT)
    assert found[3, 3] == pytest.approx(C12, rel=2 * FIT), "Cauchy's relation"
    modulus = equation_of_state(ARGON, argon).modulus
    assert modulus == pytest.approx((C11 + 2 * C12) / 3, rel=0.01)


def test_the_equation_of_state_is_that_of_ase(matcalc, argon):
    found = equation_of_state(ARGON, argon)
    scaled = [argon.copy() for _ in range(9)]
    for one, edge in zip(scaled, np.linspace(0.985, 1.015, 9), strict=True):
        one.set_cell(edge * argon.cell.array, scale_atoms=True)
    volumes = [one.cell.volume for one in scaled]
    volume, _, modulus = AseFit(volumes, energies_of(ARGON, scaled), "vinet").fit()
    assert found.volume == pytest.approx(volume, rel=1e-3)
    assert found.modulus == pytest.approx(modulus, rel=0.01)


def test_a_hexagonal_crystal_is_isotropic_in_its_plane(matcalc):
    places = [[1, 2, 0.1875], [2, 1, 1.6875], [1, 2, 1.3125], [2, 1, 2.8125]]
    crystal = Atoms("Si4", cell=[3.84, 3.84, 6.27, 90, 90, 120], pbc=True)
    crystal.set_scaled_positions(np.array(places) / 3)
    at_rest = relax(standardised(crystal, EXACT_SYMPREC), SILICON).atoms
    C = elasticity(SILICON, at_rest).tensor
    assert C[5, 5] == pytest.approx((C[0, 0] - C[0, 1]) / 2, rel=FIT)
    assert C[2, 2] > 1.03 * C[0, 0]
    compliance = np.linalg.inv(C)[:3, :3].sum()
    curve = equation_of_state(SILICON, at_rest)
    assert curve.modulus == pytest.approx(1 / compliance, rel=FIT), "shape relaxes"


def test_a_crystal_that_is_not_stable_is_seen(matcalc):
    """Negative control: bcc argon turns into fcc."""
    unstable = relax(bulk("Ar", "bcc", a=4.2), ARGON).atoms
    found = elasticity(ARGON, unstable)
    assert found.smallest == pytest.approx(
        found.tensor[0, 0] - found.tensor[0, 1], rel=1e-3
    )
    assert found.smallest < 0


@pytest.mark.parametrize(
    ("miller", "bonds"), [((1, 0, 0), 2), ((1, 1, 0), 2**0.5), ((1, 1, 1), 3**-0.5 * 2)]
)
def test_a_surface_costs_half_of_the_bonds_it_cuts(matcalc, miller, bonds):
    """Bonds of silicon that one plane cuts in an area of a²/2."""
    crystal = relax(bulk("Si", a=5.431, cubic=True), SILICON).atoms
    area = crystal.cell[0, 0] ** 2 / 2
    expected = bonds * BOND / 2 / area
    for relaxed in (False, True):
        found = surface_energy(SILICON, crystal, miller, thickness=10, relaxed=relaxed)
        assert found == pytest.approx(expected, rel=1e-3)
    if miller == (1, 1, 1):
        assert found * EV_PER_A2_IN_J_PER_M2 == pytest.approx(1.36, abs=0.01)


def test_vacancies_of_silicon_are_as_published():
    """2.82 eV relaxed (Balamane, Halicioglu and Tiller, Phys. Rev. B 46, 2250)."""
    crystal = relax(bulk("Si", a=5.431, cubic=True), SILICON).atoms
    [fixed] = vacancy_energies(SILICON, crystal, length=10.0, seed=0, relaxed=False)
    assert fixed == pytest.approx(2 * BOND, rel=1e-3)
    for seed in range(2):
        [found] = vacancy_energies(SILICON, crystal, length=10.0, seed=seed)
        assert found == pytest.approx(2.82, abs=0.05)


def test_a_pair_vacancy_costs_the_cohesive_energy_less_the_relaxation():
    crystal = relax(bulk("Ar", a=5.3, cubic=True), ARGON).atoms
    cohesive = -energies_of(ARGON, [crystal])[0] / len(crystal)
    [fixed] = vacancy_energies(ARGON, crystal, length=9.0, seed=0, relaxed=False)
    [found] = vacancy_energies(ARGON, crystal, length=9.0, seed=0)
    assert fixed == pytest.approx(cohesive, rel=1e-3)
    assert 0.95 * fixed < found < fixed


def test_a_vacancy_in_a_compound_is_refused():
    mixed = lennard_jones(
        ["Ar", "Ne"], epsilon=[0.01] * 2, sigma=[3.4, 2.8], cutoff=8.0
    )
    salt = bulk("NeAr", "rocksalt", a=6.4)
    with pytest.raises(BadInputError, match="chemical potentials"):
        vacancy_energies(mixed, salt, length=9.0, seed=0)


def test_a_relaxation_that_does_not_end_is_no_result(matcalc, silicon, monkeypatch):
    monkeypatch.setattr(static_properties, "MAX_STEPS", 1)
    with pytest.raises(AtomgraftError, match="did not end within 1 steps"):
        elasticity(SILICON, silicon)


class Voigt:
    def __init__(self, voigt):
        self.voigt = voigt


NOISE = np.random.default_rng(0).normal(size=(6, 6))

ROUGH = {
    "energy over volume": (
        equation_of_state,
        {"r2_score_bm": 0.9, "eos": {"volumes": [1, 2], "energies": [1, 2]}},
    ),
    "no fit": (equation_of_state, {"r2_score_bm": np.nan, "eos": {}}),
    "stress over strain": (elasticity, {"elastic_tensor": Voigt(np.eye(6) + NOISE)}),
    "no stress": (elasticity, {"elastic_tensor": Voigt(np.full((6, 6), np.nan))}),
}


@pytest.mark.parametrize("case", ROUGH)
def test_a_rough_model_has_no_result(case, silicon, monkeypatch):
    compute, found = ROUGH[case]
    monkeypatch.setattr(static_properties, "_asked", lambda *_, **__: found)
    with pytest.raises(AtomgraftError, match="does not follow"):
        compute(SILICON, silicon)


def test_what_matcalc_refuses_is_explained(matcalc, silicon):
    with pytest.raises(AtomgraftError, match="Cutting of Si2 failed"):
        surface_energy(SILICON, silicon, (0, 0, 0), thickness=10)


def test_without_matcalc_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(
        static_properties.importlib.util, "find_spec", lambda name: None
    )
    with pytest.raises(MissingExtraError, match=r"atomgraft\[bulk\]"):
        require_matcalc()
