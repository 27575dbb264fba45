"""Are PySCF's energies and forces one, with and without a frozen core?"""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule

from atomgraft.core.errors import BadInputError
from atomgraft.label.engines.base import EngineFailureError, make_engine
from tests.unit.label.engines.inside import labelled_inside, try_inside

pytest.importorskip("pyscf")

pytestmark = pytest.mark.filterwarnings("ignore:Basis may be available:UserWarning")

STEP = 2e-3
"""Å, of finite differences."""

FORCE_TOLERANCE = 5e-4
"""eV/Å; the integration grid of a functional moves with the atoms."""


def water():
    atoms = molecule("H2O")
    atoms.rattle(0.05, seed=1)
    return atoms


def slope_of(engine, atoms):
    """Return the force on the last coordinate from energies."""
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[-1, -1] += sign * STEP
        energies.append(labelled_inside(engine, moved).energy)
    return -(energies[0] - energies[1]) / (2 * STEP)


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("HF", {}),
        ("PBE", {}),
        ("MP2", {}),
        ("MP2", {"frozen_core": False}),
        ("CCSD", {}),
        ("CCSD(T)", {"forces": True}),
        ("CCSD(T)", {"forces": True, "frozen_core": False}),
    ],
)
def test_forces_are_slopes_of_the_energy(method, settings):
    engine = make_engine(f"pyscf:{method}/STO-3G", settings)
    atoms = water()
    found = labelled_inside(engine, atoms)
    slope = slope_of(engine, atoms)
    assert found.forces[-1, -1] == pytest.approx(slope, abs=FORCE_TOLERANCE)


@pytest.mark.parametrize("method", ["HF", "PBE", "MP2", "CCSD"])
def test_open_shells_have_forces_too(method):
    engine = make_engine(f"pyscf:{method}/STO-3G", {"multiplicity": 2})
    atoms = Atoms("OH", [[0, 0, 0], [0.1, 0, 1.0]])
    found = labelled_inside(engine, atoms)
    slope = slope_of(engine, atoms)
    assert found.forces[-1, -1] == pytest.approx(slope, abs=FORCE_TOLERANCE)


def test_energies_are_those_of_pyscf():
    from pyscf import cc, gto, scf

    atoms = water()
    rows = list(zip(atoms.symbols, atoms.positions, strict=True))
    field = scf.RHF(gto.M(atom=rows, basis="STO-3G", verbose=0)).run()
    solver = cc.CCSD(field, frozen=1).run()  # 1s of oxygen
    expected = (solver.e_tot + solver.ccsd_t()) * units.Hartree
    found = make_engine("pyscf:CCSD(T)/STO-3G", {}).label(atoms)
    assert found.energy == pytest.approx(expected, abs=1e-5)
    assert found.forces is None
    all_electrons = make_engine("pyscf:CCSD(T)/STO-3G", {"frozen_core": False})
    full = labelled_inside(all_electrons, atoms)
    assert abs(full.energy - expected) > 1e-5


def test_heavy_elements_have_the_core_potential_of_their_basis_set():
    """Without it a basis set of 25 valence electrons would hold 53."""
    from pyscf import gto, scf

    atoms = Atoms("HI", [[0, 0, 1.61], [0, 0, 0]])
    rows = list(zip(atoms.symbols, atoms.positions, strict=True))
    basis = "def2-SVP"
    molecule_ = gto.M(atom=rows, basis=basis, ecp={"I": basis}, verbose=0)
    expected = scf.RHF(molecule_).run(conv_tol=1e-9).e_tot * units.Hartree
    found = labelled_inside(make_engine(f"pyscf:HF/{basis}", {}), atoms)
    assert found.energy == pytest.approx(expected, abs=1e-5)
    assert np.abs(found.forces).max() < 1


@pytest.mark.parametrize("method", ["HF", "MP2", "CCSD", "PBE"])
@pytest.mark.parametrize(("symbol", "multiplicity"), [("H", 2), ("He", 1), ("O", 3)])
def test_lone_atoms_have_energies(method, symbol, multiplicity):
    engine = make_engine(f"pyscf:{method}/STO-3G", {})
    atoms = Atoms(symbol, info={"multiplicity": multiplicity})
    found = labelled_inside(engine, atoms)
    assert found.energy < -10
    np.testing.assert_array_equal(found.forces, [[0, 0, 0]])


def test_the_local_density_approximation_has_correlation():
    lone = Atoms("He")
    energies = [
        labelled_inside(make_engine(f"pyscf:{method}/def2-SVP", {}), lone).energy
        for method in ("LDA", "lda,vwn", "lda,")
    ]
    assert energies[0] == pytest.approx(energies[1], abs=1e-7)
    assert energies[0] < energies[2] - 1


def test_a_cycle_that_does_not_converge_is_a_failure():
    stretched = Atoms("N2", [[0, 0, 0], [0, 0, 4.0]])
    engine = make_engine("pyscf:PBE/STO-3G", {"max_iterations": 1})
    with pytest.raises(EngineFailureError, match="did not converge in 1 iterations"):
        labelled_inside(engine, stretched)


def test_an_element_without_a_basis_fails_alone():
    engine = make_engine("pyscf:HF/STO-3G", {})
    with pytest.raises(EngineFailureError, match="has no labels: BasisNotFoundError"):
        labelled_inside(engine, Atoms("Og"))
    assert np.isfinite(labelled_inside(engine, Atoms("He")).energy)


@pytest.mark.parametrize(
    ("atoms", "settings", "why"),
    [
        (bulk("Si"), {}, "it is periodic, and pyscf computes molecules"),
        (molecule("OH"), {}, "no multiplicity was given"),
        (molecule("OH"), {"charge": -1}, None),
        (molecule("O2"), {"multiplicity": 3}, None),
        (molecule("H2O"), {"multiplicity": 2}, "cannot have the multiplicity 2"),
    ],
)
def test_what_it_cannot_take_is_left_out(atoms, settings, why):
    reason = make_engine("pyscf:HF/STO-3G", settings).refusal(atoms)
    assert reason == why if why is None else why in reason


@pytest.mark.parametrize(
    ("engine", "settings", "what"),
    [
        ("pyscf", {}, "without a method and a basis set"),
        ("pyscf:PBE", {}, "without a method and a basis set"),
        ("pyscf:PEB/def2-SVP", {}, "knows no method 'PEB'"),
        ("pyscf:PBE/def2-SPV", {}, "knows no basis set 'def2-SPV'"),
        ("pyscf:/STO-3G", {}, "'method'"),
        ("pyscf:wB97X-D9/STO-3G", {}, "knows no method 'wB97X-D9'"),
        ("pyscf:PBE/STO-3G", {"tolerance": float("inf")}, "tolerance"),
        ("pyscf:PBE/STO-3G", {"gridd": 3}, "did you mean 'grid'"),
    ],
)
def test_what_pyscf_does_not_know_is_refused_before_jobs_run(engine, settings, what):
    with pytest.raises(BadInputError, match=what):
        try_inside(make_engine(engine, settings))


@pytest.mark.parametrize("method", ["B88", "slater", "GGA_X_PBE"])
def test_exchange_alone_is_computed_only_where_it_is_meant(method):
    with pytest.raises(BadInputError, match="without correlation") as refused:
        try_inside(make_engine(f"pyscf:{method}/STO-3G", {}))
    assert f"'{method},' with a comma" in refused.value.remedy
    try_inside(make_engine(f"pyscf:{method},/STO-3G", {}))


@pytest.mark.parametrize("method", ["PBE", "wB97X", "B3LYP", "LDA", "M06-2X", "HF"])
def test_functionals_with_correlation_are_taken(method):
    try_inside(make_engine(f"pyscf:{method}/STO-3G", {}))


@pytest.mark.parametrize("engine", ["pyscf:HF/STO-3G", "xtb:GFN3", "pyscf:/STO-3G"])
def test_what_stands_behind_the_colon_is_said_as_it_was_typed(engine):
    settings = {"max_iterations": 0}
    with pytest.raises(BadInputError) as refused:
        make_engine(engine, settings)
    kind = engine.partition(":")[0]
    assert refused.value.came.startswith(f"The engine {engine}, or its settings,")
    assert f"behind '{kind}:'" in refused.value.remedy


@pytest.mark.parametrize("given", ["settings", "structure"])
def test_forces_that_pyscf_computes_wrongly_are_left_out(given):
    atoms, settings = molecule("OH"), {"forces": True}
    if given == "settings":
        settings["multiplicity"] = 2
    else:
        atoms.info["multiplicity"] = 2
    engine = make_engine("pyscf:CCSD(T)/STO-3G", settings)
    assert "wrong forces of CCSD(T)" in engine.refusal(atoms)
    without = make_engine("pyscf:CCSD(T)/STO-3G", settings | {"forces": False})
    assert without.refusal(atoms) is None


@pytest.mark.parametrize("engine", ["pyscf:HF/STO-3G"])
def test_a_structure_may_have_a_spin_of_its_own(engine):
    atoms = Atoms("O", info={"multiplicity": 3})
    plain, triplet = make_engine(engine, {}), make_engine(engine, {"multiplicity": 3})
    own = labelled_inside(plain, atoms).energy
    del atoms.info["multiplicity"]
    assert labelled_inside(triplet, atoms).energy == own
    assert labelled_inside(plain, atoms).energy > own + 1


def test_names_of_methods_are_written_in_one_way():
    one = make_engine("pyscf:ccsd(t)/cc-pVDZ", {})
    assert one.name == "pyscf:CCSD(T)/cc-pVDZ"
    assert one.identity == make_engine("pyscf:CCSD(T)/cc-pVDZ", {}).identity
