"""Is a proposal bare, said how far, and as random as it claims?"""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.core.errors import BadInputError
from atomgraft.data.labels import set_labels
from atomgraft.label.dft_inputs import (
    PROGRAMS,
    DftSettings,
    k_grid,
    write_inputs,
)
from atomgraft.label.kinds import Amounts
from atomgraft.label.picking import disagreement_of, largest_forces
from atomgraft.label.proposals import (
    N_DRAWS,
    Proposal,
    labelled_atoms,
    random_strain,
    rattled,
    require_positive,
    strained,
    too_close,
)
from tests.unit.label.crystals import displacements, rng, silicon

# --- a proposal


def proposal(**more):
    atoms = silicon()
    atoms.info["REF_energy"] = -3.0
    atoms.arrays["tags"] = np.ones(8, dtype=int)
    set_labels(atoms, forces=np.ones((8, 3)))
    return Proposal(atoms=atoms, kind="rattle", **more)


def test_what_is_to_be_labelled_holds_no_labels():
    atoms = labelled_atoms(proposal(amplitude=0.1, unit="Å"))
    assert atoms.info == {"config_type": "rattle", "amplitude": 0.1}
    assert set(atoms.arrays) == {"numbers", "positions"}
    assert np.array_equal(atoms.positions, silicon().positions)
    assert atoms.pbc.all()


def test_what_was_proposed_is_left_as_it_is():
    one = proposal()
    labelled_atoms(one).positions += 1.0
    assert one.atoms.info["REF_energy"] == -3.0
    assert np.array_equal(one.atoms.positions, silicon().positions)


def test_without_an_amplitude_none_is_made_up():
    assert labelled_atoms(proposal()).info == {"config_type": "rattle"}


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_an_amplitude_is_a_positive_number_and_the_message_names_it(value):
    with pytest.raises(BadInputError, match="amplitude of") as caught:
        require_positive((0.1, value), "amplitude", "Å")
    assert f"{value:g} Å" in str(caught.value)


@pytest.mark.parametrize(
    "amounts",
    [{"temperature": 1e30}, {"amplitudes": (1e9,)}, {"strains": (3.0,)}],
)
def test_amounts_that_leave_no_crystal_are_refused(amounts):
    with pytest.raises(BadInputError, match="Expected a number above zero and at most"):
        Amounts(**amounts)


def test_no_amplitude_at_all_is_told_as_such():
    with pytest.raises(BadInputError, match="no strain was given"):
        require_positive((), "strain", "")
    require_positive((1e-9,), "strain", "")


def test_too_close_names_kind_and_amplitude():
    text = str(too_close("rattle", "2 Å"))
    assert "rattle at 2 Å" in text
    assert str(N_DRAWS) in text


# --- rattles and strains


@pytest.mark.parametrize("amplitude", [0.02, 0.1])
def test_a_rattle_is_as_wide_as_it_says(amplitude):
    """2400 normal numbers: their width is known to 1.5 %; four times that."""
    made = rattled(silicon(), (amplitude,), 100, rng())
    moved = [one.atoms.positions - silicon().positions for one in made]
    assert np.std(moved) == pytest.approx(amplitude, rel=0.06)
    assert abs(np.mean(moved)) < 4 * amplitude / np.sqrt(2400)


def test_a_rattle_across_the_room_is_refused():
    with pytest.raises(BadInputError, match="consecutive draws of the kind"):
        list(rattled(silicon(), (3.0,), 1, rng()))


@given(st.floats(1e-3, 0.2), st.integers(0, 99))
def test_a_strain_is_symmetric_and_as_large_as_it_says(largest, seed):
    strain = random_strain(largest, rng(seed))
    assert np.array_equal(strain, strain.T)
    assert np.abs(strain).max() == pytest.approx(largest)


def test_strains_go_both_ways_and_shear():
    strains = np.array([random_strain(0.02, rng(i)) for i in range(200)])
    for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)):
        assert strains[:, i, j].min() < -0.01
        assert strains[:, i, j].max() > 0.01
        assert abs(strains[:, i, j].mean()) < 0.004


def test_a_strained_crystal_is_the_crystal_strained():
    """Without a rattle fractions stay, and the metric changes by the strain twice."""
    [one] = strained(silicon(), (0.03,), 1e-9, 1, rng())
    fractions = one.atoms.get_scaled_positions(wrap=False)
    known = silicon().get_scaled_positions(wrap=False)
    np.testing.assert_allclose(fractions, known, atol=1e-8)
    gradient = np.linalg.solve(silicon().cell.array, one.atoms.cell.array)
    assert np.abs(gradient - np.eye(3)).max() == pytest.approx(0.03)
    np.testing.assert_allclose(gradient, gradient.T, atol=1e-12)
    assert (one.amplitude, one.unit) == (0.03, "1")


def test_the_seed_decides_every_kind():
    for made in (
        lambda seed: list(rattled(silicon(), (0.05,), 2, rng(seed))),
        lambda seed: list(strained(silicon(), (0.02,), 0.01, 2, rng(seed))),
    ):
        one, again, other = made(1), made(1), made(2)
        assert np.array_equal(one[1].atoms.positions, again[1].atoms.positions)
        assert not np.allclose(one[1].atoms.positions, other[1].atoms.positions)
        moved = [displacements(silicon(), item.atoms) for item in one]
        assert not np.allclose(*moved)


# --- disagreement


def committee(n_models, sizes=(3, 5), seed=0):
    source = rng(seed)
    return [[source.normal(size=(n, 3)) for n in sizes] for _ in range(n_models)]


@given(st.integers(2, 5), st.floats(0, 10))
def test_disagreement_goes_with_the_distance_of_models(n_models, factor):
    forces = committee(n_models)
    wider = [[factor * one for one in by_model] for by_model in forces]
    np.testing.assert_allclose(
        disagreement_of(wider), factor * disagreement_of(forces), atol=1e-12
    )


def test_what_all_models_add_is_no_disagreement():
    forces, common = committee(3), committee(1, seed=9)[0]
    added = [
        [one + two for one, two in zip(by_model, common, strict=True)]
        for by_model in forces
    ]
    np.testing.assert_allclose(disagreement_of(added), disagreement_of(forces))


def test_two_models_differ_by_half_their_distance():
    [one, other] = committee(2)
    half = [
        np.sqrt(((a - b) ** 2).sum() / len(a)) / 2
        for a, b in zip(one, other, strict=True)
    ]
    np.testing.assert_allclose(disagreement_of([one, other]), half)
    np.testing.assert_allclose(disagreement_of([other, one]), half)


def test_the_largest_force_does_not_depend_on_directions():
    forces = committee(1)[0]
    turn, _ = np.linalg.qr(rng(3).normal(size=(3, 3)))
    np.testing.assert_allclose(
        largest_forces([one @ turn for one in forces]), largest_forces(forces)
    )


# --- inputs


@given(st.integers(1, 3), st.floats(0.05, 1.0))
def test_grids_are_as_fine_as_asked_and_no_finer(n, spacing):
    atoms = bulk("Si", cubic=True).repeat((n, 1, 1))
    lengths = 2 * np.pi / atoms.cell.lengths()
    for k, length in zip(k_grid(atoms, spacing), lengths, strict=True):
        assert length / k <= spacing * (1 + 1e-6)
        assert k == 1 or length / (k - 1) > spacing


def test_open_directions_have_one_point_whatever_the_cell():
    wire = Atoms("Si", cell=(12, 12, 2.5), pbc=(False, False, True))
    assert k_grid(wire, 0.1)[:2] == (1, 1)
    assert k_grid(wire, 0.1)[2] > 10


def test_folders_are_numbered_in_order_and_notices_come_once(tmp_path):
    chosen = [silicon(5.3 + 0.1 * i) for i in range(3)]
    notices = write_inputs(tmp_path, chosen, ["vasp"], DftSettings())
    assert len(notices) == 1
    places = sorted((tmp_path / "label").iterdir())
    assert [one.name for one in places] == ["001", "002", "003"]
    for place, atoms in zip(places, chosen, strict=True):
        assert [one.name for one in place.iterdir()] == ["vasp"]
        lines = (place / "vasp" / "POSCAR").read_text().splitlines()
        assert float(lines[2].split()[0]) == pytest.approx(atoms.cell[0, 0])


def test_writing_again_gives_the_same_files(tmp_path):
    def text():
        write_inputs(tmp_path, [silicon()], list(PROGRAMS), DftSettings())
        files = sorted(one for one in tmp_path.rglob("*") if one.is_file())
        return [(one.name, one.read_text()) for one in files]

    assert text() == text()
