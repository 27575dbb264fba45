"""Does a crystal conduct heat as the Boltzmann equation says it must?"""

import dataclasses

import numpy as np
import pytest
from ase.build import bulk

from atomgraft.core.errors import BadInputError
from atomgraft.lattice.conductivity import conductivity_of
from atomgraft.lattice.harmonic import harmonic_of
from atomgraft.lattice.supercells import prepare
from atomgraft.lattice.third_order import (
    ThirdOrderSettings,
    anharmonic_of,
    prepare_third_order,
    third_order_supercells,
    with_least_squares,
)
from atomgraft.lattice.third_order_reference import (
    anharmonic_on_reference,
    read_third_order,
)
from atomgraft.models.pair import STILLINGER_WEBER, lennard_jones, stillinger_weber
from atomgraft.phonons.heat import compare_conductivities, conductivity_record

pytest.importorskip("phono3py")

pytestmark = pytest.mark.slow

MESH = (4, 4, 4)
HOT = 1e5
"""K; where every mode is classical."""

CLASSICAL = 1e-3
"""Relative; what is left of quantum statistics there."""

DISPLACED = 0.03
"""Relative; fourth order in finite displacements, and in a least-squares fit."""


def anharmonic(potential, **changes):
    phonon = prepare(bulk("Si", a=5.431), supercell=np.diag([2, 2, 2]))
    harmonic = harmonic_of(potential, phonon)
    return anharmonic_of(potential, harmonic, ThirdOrderSettings(**changes))


@pytest.fixture(scope="module")
def potential():
    return stillinger_weber(["Si"])


@pytest.fixture(scope="module")
def silicon(potential):
    return anharmonic(potential)


@pytest.fixture(scope="module")
def record(silicon):
    return conductivity_record(conductivity_of(silicon, MESH), silicon)


def test_a_cubic_crystal_conducts_alike_in_all_directions(record):
    tensor = np.array(record.conductivity)
    mean = tensor[:, :3].mean(axis=1, keepdims=True)
    assert np.abs(tensor[:, :3] / mean - 1).max() < 1e-6
    assert np.abs(tensor[:, 3:] / mean).max() < 1e-6


def test_modes_add_up_to_the_whole(record):
    room = record.temperatures.index(300.0)
    whole = np.mean(record.conductivity[room][:3])
    assert np.sum(record.mode_conductivity) == pytest.approx(whole)
    assert np.shape(record.mode_conductivity) == np.shape(record.mode_frequencies)
    assert sum(record.q_weights) == np.prod(MESH)
    assert np.min(record.mode_conductivity) >= 0


def test_room_temperature_need_not_be_asked_for(silicon):
    found = conductivity_of(silicon, MESH, [500.0])
    assert found.temperatures.tolist() == [500.0]
    assert found.mean_at_room > found.conductivity[0, 0]


def test_hot_crystals_conduct_as_one_over_temperature(silicon):
    found = conductivity_of(silicon, MESH, [HOT, 2 * HOT])
    ratio = found.conductivity[0, 0] / found.conductivity[1, 0]
    assert ratio == pytest.approx(2.0, rel=CLASSICAL)


def test_a_stiffer_crystal_conducts_as_its_energy_to_three_halves(silicon):
    # Φ₂ and Φ₃ times s: ω as s^½, v² as s, and rates, |Φ₃|² ω⁻³ n δ(ω), as s^-½
    epsilon, sigma, angular = STILLINGER_WEBER["Si"]
    stiff = stillinger_weber(["Si"], parameters={"Si": (2 * epsilon, sigma, angular)})
    stiff_silicon = anharmonic(stiff)
    soft, hard = (
        conductivity_of(one, MESH, [HOT]).conductivity[0, 0]
        for one in (silicon, stiff_silicon)
    )
    assert hard / soft == pytest.approx(2**1.5, rel=CLASSICAL)


def test_isotopes_scatter(silicon):
    pure = conductivity_of(silicon, MESH)
    mixed = conductivity_of(silicon, MESH, with_isotopes=True)
    assert (mixed.conductivity[:, 0] < pure.conductivity[:, 0]).all()
    records = [conductivity_record(one, silicon) for one in (pure, mixed)]
    with pytest.raises(BadInputError, match="scattering"):
        compare_conductivities(*records)


def test_least_squares_on_random_displacements_finds_the_same(potential, silicon):
    from ase import Atoms

    from atomgraft.data.phonopy_files import to_ase
    from atomgraft.lattice.forces import forces_of_supercells

    phonons = prepare_third_order(_harmonic(potential))
    ideal: Atoms = to_ase(phonons.supercell)
    shape = (40, len(ideal), 3)
    displacements = np.random.default_rng(0).normal(scale=0.01, size=shape)
    phonons.dataset = {"displacements": displacements}
    cells = [ideal]
    for displacement in displacements:
        cells.append(ideal.copy())
        cells[-1].positions += displacement
    forces = forces_of_supercells(potential, cells)
    found = with_least_squares(phonons, forces[1:] - forces[0], None)
    ours, theirs = (conductivity_of(one, MESH).mean_at_room for one in (found, silicon))
    assert ours == pytest.approx(theirs, rel=DISPLACED)


def _harmonic(potential):
    phonon = prepare(bulk("Si", a=5.431), supercell=np.diag([2, 2, 2]))
    return harmonic_of(potential, phonon)


def test_a_cutoff_of_pairs_saves_supercells(potential, silicon):
    near = anharmonic(potential, cutoff=4.0)
    assert near.n_supercells < silicon.n_supercells
    assert len(third_order_supercells(near.phonons)) == near.n_supercells
    constants = np.abs(np.asarray(near.phonons.fc3))
    assert constants.max() == pytest.approx(np.abs(silicon.phonons.fc3).max(), rel=0.02)


def test_second_order_may_have_a_larger_supercell(potential):
    phonon = prepare(bulk("Si", a=5.431), supercell=np.diag([3, 3, 3]))
    settings = ThirdOrderSettings(supercell=np.diag([2, 2, 2]))
    crystal = anharmonic_of(potential, harmonic_of(potential, phonon), settings)
    assert len(crystal.phonons.supercell) == 16
    assert len(crystal.phonons.phonon_supercell) == 54
    assert conductivity_of(crystal, MESH).mean_at_room > 0


def test_too_many_supercells_are_refused_with_their_number(potential):
    with pytest.raises(BadInputError, match=r"57 displaced.*At most 10.*cutoff"):
        anharmonic(potential, max_supercells=10)


def test_a_crystal_is_like_itself(record):
    errors = compare_conductivities(record, record)
    assert (errors.relative, errors.sre, errors.srme) == (0.0, 0.0, 0.0)


def test_twice_the_conductivity_has_the_known_error(record):
    double = np.array(record.mode_conductivity) * 2
    twice = record.model_copy(
        update={"mode_conductivity": tuple(tuple(row) for row in double.tolist())}
    )
    errors = compare_conductivities(twice, record)
    assert errors.relative == pytest.approx(1.0)
    assert errors.sre == pytest.approx(2 / 3)
    assert errors.srme == pytest.approx(2 / 3)


def test_an_unstable_crystal_has_the_worst_error(record):
    unstable = record.model_copy(update={"minimum": -1.0})
    assert compare_conductivities(unstable, record).srme == 2.0


def test_another_mesh_is_refused(silicon, record):
    other = conductivity_record(conductivity_of(silicon, (3, 3, 3)), silicon)
    with pytest.raises(BadInputError, match="one by one"):
        compare_conductivities(other, record)


@pytest.mark.parametrize("temperatures", [[], [0.0], [-5.0, 300.0]])
def test_temperatures_must_be_above_zero(silicon, temperatures):
    with pytest.raises(BadInputError, match="above zero"):
        conductivity_of(silicon, MESH, temperatures)


def test_forces_of_other_supercells_are_refused(silicon):
    with pytest.raises(BadInputError, match="displaced supercells"):
        with_least_squares(silicon.phonons, np.zeros((3, 16, 3)), None)


def test_without_phono3py_the_command_is_named(potential, monkeypatch):
    from atomgraft.core.errors import MissingExtraError
    from atomgraft.lattice import third_order

    monkeypatch.setattr(third_order.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'atomgraft\[cond"):
        prepare_third_order(_harmonic(potential))


def test_a_model_is_compared_on_the_supercells_of_dft(shared_data):
    file = shared_data / "phonons" / "phono3py_params_NaCl.yaml.xz"
    salt = lennard_jones(["Na", "Cl"], epsilon=[0.1, 0.1], sigma=[2.5, 2.5], cutoff=5.0)
    reference = read_third_order(f"{file}@:30")
    model = anharmonic_on_reference(salt, reference)
    assert model.residual == pytest.approx(0.0, abs=1e-10)
    records = [
        conductivity_record(conductivity_of(one, MESH), one)
        for one in (model, reference.anharmonic)
    ]
    errors = compare_conductivities(*records)
    assert 0 < errors.sre <= errors.srme <= 2
    assert records[0].n_supercells == records[1].n_supercells == 30


@pytest.fixture(scope="module")
def pairs_file(potential, tmp_path_factory):
    """Let phono3py write a calculation with pairs of displaced atoms, close ones."""
    near = anharmonic(potential, cutoff=3.0)
    path = tmp_path_factory.mktemp("pairs") / "phono3py_params.yaml"
    near.phonons.save(path, settings={"force_sets": True})
    return path


def test_pairs_give_what_phono3py_gives(pairs_file, potential):
    import phono3py

    reference = read_third_order(pairs_file)
    known = phono3py.load(pairs_file, fc_calculator="traditional", log_level=0)
    known.symmetrize_fc3()
    ours, theirs = (
        np.asarray(one.fc3) for one in (reference.anharmonic.phonons, known)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-6 * np.abs(theirs).max())
    model = anharmonic_on_reference(potential, reference)
    assert model.n_supercells == reference.anharmonic.n_supercells
    np.testing.assert_allclose(
        np.asarray(model.phonons.fc3), ours, atol=1e-4 * np.abs(ours).max()
    )
    assert model.cutoff == reference.anharmonic.cutoff == 3.0


@pytest.mark.parametrize("frames", ["@:100", "@:400"])
def test_what_the_supercells_leave_undetermined_is_refused(shared_data, frames):
    # in eight atoms of silicon one combination of force constants moves nothing
    file = shared_data / "phonons" / "phono3py_params-Si111-rd.yaml.xz"
    with pytest.raises(BadInputError, match="force constants undetermined"):
        read_third_order(f"{file}{frames}")


def test_salt_has_charges_and_a_second_set(shared_data):
    file = shared_data / "phonons" / "phono3py_params_NaCl.yaml.xz"
    reference = read_third_order(file)
    assert reference.second is not None
    assert len(reference.phonons.phonon_supercell) == 512
    crystal = reference.anharmonic
    found = conductivity_record(conductivity_of(crystal, (5, 5, 5)), crystal)
    assert found.has_charges
    assert found.minimum == pytest.approx(0.0, abs=0.05)
    room = found.conductivity[found.temperatures.index(300.0)]
    assert 4 < room[0] < 12


def test_displacements_of_one_atom_are_no_third_order(shared_data):
    file = shared_data / "phonons" / "phonondb" / "mp-1265-Mg4O4.yaml.xz"
    with pytest.raises(BadInputError, match="one atom at a time"):
        read_third_order(file)


def test_settings_do_not_change(silicon):
    with pytest.raises(dataclasses.FrozenInstanceError):
        silicon.cutoff = 3.0
